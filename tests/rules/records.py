"""Records and batches made from as little as a test wants to say."""

from __future__ import annotations

from eventmap.model import Batch, Record


def record(
    item_id: str,
    *,
    group: str | None = None,
    sequence: int = 0,
    receive_count: int = 1,
    received_at: float = 0.0,
    text: str = "",
    size_bound: int = 0,
) -> Record:
    return Record(
        item_id=item_id,
        body={"messageId": item_id, "body": text},
        receipt=f"receipt-{item_id}",
        receive_count=receive_count,
        received_at=received_at,
        group=group,
        sequence=sequence,
        size_bound=size_bound,
    )


def batch(*item_ids: str) -> Batch:
    return Batch(tuple(record(item_id) for item_id in item_ids))


def ids(records: object) -> list[str]:
    """Of records, or of (record, seconds) pairs."""
    return [(entry if isinstance(entry, Record) else entry[0]).item_id for entry in records]  # type: ignore[attr-defined]

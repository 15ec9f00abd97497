"""How records become batches: by count and by the size of the whole event (SQS-23..25)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

from eventmap.model import Batch, Record, StreamRecord

R = TypeVar("R", Record, StreamRecord)

PAYLOAD_LIMIT_BYTES: Final = 6_291_456  #: 6 MiB for the whole event, metadata included (SQS-24)
_ENVELOPE_BYTES: Final = len(b'{"Records":[]}') - 1  # one byte less: each record is counted with a comma after it


class BatchRoom(Generic[R]):
    """What still fits into the batch being gathered. Adds up cheap bounds first, true sizes only near the limit."""

    __slots__ = ("_bytes", "_exact", "_limit", "records", "size")

    def __init__(self, size: int, limit_bytes: int = PAYLOAD_LIMIT_BYTES) -> None:
        self.size: int = size
        self.records: list[R] = []
        self._limit = limit_bytes
        self._bytes = _ENVELOPE_BYTES
        self._exact = False

    @property
    def full(self) -> bool:
        return len(self.records) >= self.size

    def take(self, record: R) -> bool:
        """Add `record` if it fits; False leaves the room unchanged: the record starts the next batch (SQS-24).

        The first record is always taken, since it cannot be split; one too large for any event is refused by the
        runtime and stays in the queue.
        """
        if self.full:
            return False
        if not self._exact:
            bound = self._bytes + (record.size_bound or self._limit) + 1
            if bound <= self._limit:
                self._bytes = bound
                self.records.append(record)
                return True
            self._bytes = _ENVELOPE_BYTES + sum(len(held.encoded()) + 1 for held in self.records)
            self._exact = True
        total = self._bytes + len(record.encoded()) + 1
        if self.records and total > self._limit:
            return False
        self._bytes = total
        self.records.append(record)
        return True


def batches(records: Iterable[Record], size: int, limit_bytes: int = PAYLOAD_LIMIT_BYTES) -> Iterator[Batch]:
    """Cut what one receive returned into batches of at most `size` records, in order (SQS-25, SQS-163)."""
    room: BatchRoom[Record] = BatchRoom(size, limit_bytes)
    for record in records:
        if not room.take(record):
            yield Batch(tuple(room.records))
            room = BatchRoom(size, limit_bytes)
            room.take(record)
    if room.records:
        yield Batch(tuple(room.records))

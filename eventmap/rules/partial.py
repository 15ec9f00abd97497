"""What a response means for its batch: ReportBatchItemFailures and its many wrong shapes.

Queues and streams read the same answer and differ in what it says: a queue's failures are those named, a stream's
begin at the lowest of them (SQS-54..58, SQS-80..99, STR-60..69).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple, assert_never

import orjson

from eventmap.model import (
    Batch,
    Failed,
    FunctionError,
    Outcome,
    PartlyFailed,
    Refused,
    Response,
    Returned,
    StreamRecord,
    Succeeded,
    Throttled,
    TimedOut,
)

_SUCCEEDED: Final = Succeeded()


class _Rules(NamedTuple):
    """Which rules a refusal names."""

    not_json: str
    not_a_list: str
    names_nothing: str


_OF_QUEUES: Final = _Rules("SQS-95", "SQS-96", "SQS-90..94")
_OF_STREAMS: Final = _Rules("STR-68", "STR-65", "STR-64..66")


def outcome(response: Response, batch: Batch, *, reports_item_failures: bool, lenient_empty_entry: bool) -> Outcome:
    """Read what the runtime answered. Without `reports_item_failures` a returned value means nothing at all (SQS-54).

    `lenient_empty_entry`: an entry `{}` names no failure instead of failing the batch (SQS-92a).
    """
    if not isinstance(response, Returned):
        return _not_returned(response)
    if not reports_item_failures:
        return _SUCCEEDED
    known = batch.item_ids
    failed = _named_failures(response.payload, known, _OF_QUEUES, lenient_empty_entry)
    if isinstance(failed, Failed):
        return failed
    if failed and len(failed) == len(known):
        return Failed("batchItemFailures names every record (SQS-88)")
    return PartlyFailed(failed) if failed else _SUCCEEDED


def stream_outcome(response: Response, records: Sequence[StreamRecord], *, reports_item_failures: bool) -> Outcome:
    """Read what the runtime answered for a batch of a stream; no records: a window's final invocation (STR-83).

    PartlyFailed has all that were named, be it every record: how far the batch got is judged by the lowest (STR-62,
    63). Without `reports_item_failures` a returned value means nothing at all (STR-69). Rules: STR-60..69.
    """
    if not isinstance(response, Returned):
        return _not_returned(response)
    if not reports_item_failures:
        return _SUCCEEDED
    failed = _named_failures(response.payload, {record.item_id for record in records}, _OF_STREAMS)
    if isinstance(failed, Failed):
        return failed
    return PartlyFailed(failed) if failed else _SUCCEEDED


def _not_returned(response: FunctionError | Refused) -> Outcome:
    match response:
        case FunctionError(timed_out=True):
            return TimedOut()
        case FunctionError(error_type=error_type):
            return Failed(error_type)
        case Refused(reason):
            return Throttled(reason)
        case _:
            assert_never(response)


def _named_failures(
    payload: bytes, known: AbstractSet[str], rules: _Rules, lenient_empty_entry: bool = False
) -> frozenset[str] | Failed:
    """The identifiers an answer names, all of them in `known`; empty = it names no failure."""
    if payload == b"null":
        return frozenset()
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return Failed(f"the response is not valid JSON ({rules.not_json})")
    if not isinstance(answer, dict):  # "", [], 5, true: no item failures are named (SQS-82, 83, 98, STR-60)
        return frozenset()
    entries = answer.get("batchItemFailures")
    if entries is None:  # {}, another key only, or null (SQS-81, 85, 86, STR-60, 61)
        return frozenset()
    if not isinstance(entries, list):
        return Failed(f"batchItemFailures is not a list ({rules.not_a_list})")
    failed = set()
    for entry in entries:
        if entry == {} and lenient_empty_entry:
            continue
        identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
        if not isinstance(identifier, str) or identifier not in known:
            return Failed(f"batchItemFailures has an entry that names no record of the batch ({rules.names_nothing})")
        failed.add(identifier)
    return frozenset(failed)

"""What a response means for its batch: ReportBatchItemFailures and its many wrong shapes (SQS-54..58, SQS-80..99)."""

from __future__ import annotations

from typing import assert_never

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
    Succeeded,
    Throttled,
    TimedOut,
)

_SUCCEEDED = Succeeded()


def outcome(response: Response, batch: Batch, *, reports_item_failures: bool, lenient_empty_entry: bool) -> Outcome:
    """Read what the runtime answered. Without `reports_item_failures` a returned value means nothing at all (SQS-54).

    `lenient_empty_entry`: an entry `{}` names no failure instead of failing the batch (SQS-92a).
    """
    match response:
        case Returned(payload):
            if not reports_item_failures or payload == b"null":
                return _SUCCEEDED
            return _partial(payload, batch, lenient_empty_entry)
        case FunctionError(timed_out=True):
            return TimedOut()
        case FunctionError(error_type=error_type):
            return Failed(error_type)
        case Refused(reason):
            return Throttled(reason)
        case _:
            assert_never(response)


def _partial(payload: bytes, batch: Batch, lenient_empty_entry: bool) -> Outcome:
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return Failed("the response is not valid JSON (SQS-95)")
    if not isinstance(answer, dict):  # "", [], 5, true: no item failures are named (SQS-82, 83, 98)
        return _SUCCEEDED
    entries = answer.get("batchItemFailures")
    if entries is None:  # {}, another key only, or null (SQS-81, 85, 86)
        return _SUCCEEDED
    if not isinstance(entries, list):
        return Failed("batchItemFailures is not a list (SQS-96)")
    known = batch.item_ids
    failed = set()
    for entry in entries:
        if entry == {} and lenient_empty_entry:
            continue
        identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
        if not isinstance(identifier, str) or identifier not in known:
            return Failed("batchItemFailures has an entry that names no record of the batch (SQS-90..94)")
        failed.add(identifier)
    if not failed:
        return _SUCCEEDED
    if len(failed) == len(known):
        return Failed("batchItemFailures names every record (SQS-88)")
    return PartlyFailed(frozenset(failed))

"""What an on-failure destination is told of records that were given up (STR-90..102b)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from eventmap.model import JsonObject, StreamRecord
from eventmap.rules.stream import Condition
from eventmap.rules.window import Window
from eventmap.stream_mapping import EventSource

_BATCH_INFO: Final[dict[EventSource, tuple[str, str]]] = {
    "kinesis": ("KinesisBatchInfo", "milliseconds"),
    "dynamodb": ("DDBStreamBatchInfo", "seconds"),
}
"""The member that tells of the batch, and how precise its arrival times are (STR-90)."""


def report(
    *,
    event_source: EventSource,
    stream_arn: str,
    function_arn: str,
    shard_id: str,
    records: Sequence[StreamRecord],
    condition: Condition,
    request_id: str,
    invoke_count: int,
    responded: bool,
    function_error: str | None,
    now: datetime,
    window: Window | None = None,
    is_final: bool = False,
    is_early: bool = False,
) -> JsonObject:
    """The report of a discarded batch, in AWS' key order.

    `function_arn` is the mapping's own: unqualified for a bare name (STR-91). `records` are in the shard's order, none
    for a window's final invocation (STR-102a). `responded` is False when the function was never reached, so that there
    is no `responseContext`; records that grew too old have none either way (STR-43, 47, 93). `function_error` is
    "Unhandled", or None after responses that named failures (STR-71, 94). `window` is None without tumbling windows;
    `is_final` and `is_early` are what its event said. Rules: STR-90..95, 102a, 102b.
    """
    request: JsonObject = {
        "requestId": request_id,
        "functionArn": function_arn,
        "condition": condition,
        "approximateInvokeCount": invoke_count,
    }
    document: JsonObject = {"requestContext": request}
    if responded and condition == "RetryAttemptsExhausted":
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": function_error,
        }
    document["version"] = "1.0"
    document["timestamp"] = _iso(now, "milliseconds")
    member, precision = _BATCH_INFO[event_source]
    document[member] = _batch(records, shard_id, stream_arn, precision)
    if window is not None:
        document["timeWindowInfo"] = {
            "window": window.to_json(),
            "isFinalInvokeForWindow": is_final,
            "isWindowTerminatedEarly": is_early,
        }
    return document


def _batch(records: Sequence[StreamRecord], shard_id: str, stream_arn: str, precision: str) -> JsonObject:
    if not records:
        return {"shardId": shard_id, "streamArn": stream_arn}
    first, last = records[0], records[-1]
    return {
        "shardId": shard_id,
        "startSequenceNumber": first.item_id,
        "endSequenceNumber": last.item_id,
        "approximateArrivalOfFirstRecord": _iso(datetime.fromtimestamp(first.arrived_at, UTC), precision),
        "approximateArrivalOfLastRecord": _iso(datetime.fromtimestamp(last.arrived_at, UTC), precision),
        "batchSize": len(records),
        "streamArn": stream_arn,
    }


def with_payload(document: JsonObject, event_text: bytes) -> JsonObject:
    """A report as an S3 destination stores it: with the whole event, as a string of JSON (STR-97)."""
    return {**document, "payload": event_text.decode()}


def s3_key(mapping_uuid: str, shard_id: str, timestamp: datetime, random: str) -> str:
    """The object's key; `timestamp` is the report's, `random` a UUID of its own (STR-98)."""
    at = timestamp.astimezone(UTC)
    return f"aws/lambda/{mapping_uuid}/{shard_id}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{random}"


def _iso(instant: datetime, precision: str) -> str:
    return instant.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")

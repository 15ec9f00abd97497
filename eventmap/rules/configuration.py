"""How AWS' API shows a mapping, and refuses one (SQS-13, SQS-17, STR-15, STR-17). Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from eventmap.mapping import EventSourceMapping
from eventmap.model import JsonObject
from eventmap.stream_mapping import StreamMapping

NO_RECORDS_PROCESSED: Final = "No records processed"
"""LastProcessingResult of a mapping that has not invoked its function yet (API-62)."""

_NAMESPACE = UUID("6f1c7f0e-3d0c-5b7a-9c55-0d2f6a1e8b11")


def mapping_uuid(source_arn: str, function_name: str) -> str:
    """The mapping's identifier: the same for the same pair, since a pair has at most one mapping (SQS-13, STR-17)."""
    return str(uuid5(_NAMESPACE, f"{source_arn} {function_name}"))


def already_exists(queue_arn: str, function_name: str, uuid: str | None = None) -> str:
    """AWS' words for a second mapping of the same pair (SQS-13). `uuid` = of the first, None = the pair's own."""
    return (
        f'An event source mapping with SQS arn (" {queue_arn} ") and function (" {function_name} ") already exists. '
        f"Please update or delete the existing mapping with UUID {uuid or mapping_uuid(queue_arn, function_name)}"
    )


def stream_already_exists(stream_arn: str, function_name: str, uuid: str | None = None) -> str:
    """AWS' words for a second mapping of the same pair (STR-17). `uuid` = of the first, None = the pair's own."""
    return (
        f'The event source arn (" {stream_arn} ") and function (" {function_name} ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {uuid or mapping_uuid(stream_arn, function_name)}"
    )


def stream_not_found(stream_arn: str) -> str:
    """AWS' words for a mapping of a stream that does not exist (STR-17)."""
    return f"Stream not found: {stream_arn}"


def created(mapping: EventSourceMapping, queue_arn: str, function_name: str, now: datetime) -> JsonObject:
    """What `CreateEventSourceMapping` answers: with defaults exactly these members (SQS-17)."""
    return shown(mapping, **_as_created(queue_arn, function_name, now), reason="USER_INITIATED")


def created_stream(mapping: StreamMapping, stream_arn: str, function_name: str, now: datetime) -> JsonObject:
    """What `CreateEventSourceMapping` answers for a stream: every default spelled out, in AWS' order (STR-15)."""
    return shown(mapping, **_as_created(stream_arn, function_name, now), reason="User action")


def shown(
    mapping: EventSourceMapping | StreamMapping,
    *,
    uuid: str,
    source_arn: str,
    function_arn: str,
    last_modified_s: float,
    state: str,
    reason: str,
    result: str = NO_RECORDS_PROCESSED,
) -> JsonObject:
    """An `EventSourceMappingConfiguration`; `result` is shown of streams alone (SQS-17, STR-15, API-51, 63).

    `last_modified_s` is in epoch seconds.
    """
    place, _, _ = function_arn.partition(":function:")
    mapping_arn = f"{place}:event-source-mapping:{uuid}"
    answer: JsonObject = {"UUID": uuid}
    if isinstance(mapping, StreamMapping):
        answer["StartingPosition"] = mapping.starting_position
        if mapping.starting_position_timestamp is not None:
            answer["StartingPositionTimestamp"] = mapping.starting_position_timestamp
    answer["BatchSize"] = mapping.batch_size
    answer["MaximumBatchingWindowInSeconds"] = mapping.maximum_batching_window_in_seconds
    if isinstance(mapping, StreamMapping):
        answer["ParallelizationFactor"] = mapping.parallelization_factor
    answer["EventSourceArn"] = source_arn
    if mapping.patterns:
        answer["FilterCriteria"] = _filter_criteria(mapping.patterns)
    answer |= {"FunctionArn": function_arn, "LastModified": last_modified_s}
    if isinstance(mapping, StreamMapping):
        answer["LastProcessingResult"] = result
    answer |= {"State": state, "StateTransitionReason": reason}
    if isinstance(mapping, StreamMapping):
        on_failure: JsonObject = {} if mapping.on_failure is None else {"Destination": mapping.on_failure}
        answer |= {
            "DestinationConfig": {"OnFailure": on_failure},
            "MaximumRecordAgeInSeconds": mapping.maximum_record_age_in_seconds,
            "BisectBatchOnFunctionError": mapping.bisect_batch_on_function_error,
            "MaximumRetryAttempts": mapping.maximum_retry_attempts,
            "TumblingWindowInSeconds": mapping.tumbling_window_in_seconds,
        }
    elif mapping.maximum_concurrency is not None:
        answer["ScalingConfig"] = {"MaximumConcurrency": mapping.maximum_concurrency}
    return answer | {
        "FunctionResponseTypes": list(mapping.function_response_types),
        "EventSourceMappingArn": mapping_arn,
    }


def processing_result(invocations: int, *, last_failed: bool) -> str:
    """LastProcessingResult of a poller that has invoked its function so often (API-62)."""
    if not invocations:
        return NO_RECORDS_PROCESSED
    return "PROBLEM: Function call failed" if last_failed else "OK"


def _as_created(source_arn: str, function_name: str, now: datetime) -> dict[str, Any]:
    """By a declaration: the function lives where its source does."""
    _, partition, _, region, account, _ = source_arn.split(":", 5)
    return {
        "uuid": mapping_uuid(source_arn, function_name),
        "source_arn": source_arn,
        "function_arn": f"arn:{partition}:lambda:{region}:{account}:function:{function_name}",
        "last_modified_s": now.timestamp(),
        "state": "Creating",
    }


def _filter_criteria(patterns: Iterable[object]) -> JsonObject:
    return {"Filters": [{"Pattern": _text(pattern)} for pattern in patterns]}


def _text(pattern: object) -> str:
    return pattern if isinstance(pattern, str) else orjson.dumps(pattern).decode()

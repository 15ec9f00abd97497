"""How AWS' API shows a mapping, and refuses one (SQS-13, SQS-17, STR-15, STR-17). Pure functions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

import orjson

from eventmap.mapping import EventSourceMapping
from eventmap.model import JsonObject
from eventmap.stream_mapping import StreamMapping

_NAMESPACE = uuid.UUID("6f1c7f0e-3d0c-5b7a-9c55-0d2f6a1e8b11")


def mapping_uuid(source_arn: str, function_name: str) -> str:
    """The mapping's identifier: the same for the same pair, since a pair has at most one mapping (SQS-13, STR-17)."""
    return str(uuid.uuid5(_NAMESPACE, f"{source_arn} {function_name}"))


def already_exists(queue_arn: str, function_name: str) -> str:
    """AWS' words for a second mapping of the same pair (SQS-13)."""
    return (
        f'An event source mapping with SQS arn (" {queue_arn} ") and function (" {function_name} ") already exists. '
        f"Please update or delete the existing mapping with UUID {mapping_uuid(queue_arn, function_name)}"
    )


def stream_already_exists(stream_arn: str, function_name: str) -> str:
    """AWS' words for a second mapping of the same pair (STR-17)."""
    return (
        f'The event source arn (" {stream_arn} ") and function (" {function_name} ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {mapping_uuid(stream_arn, function_name)}"
    )


def stream_not_found(stream_arn: str) -> str:
    """AWS' words for a mapping of a stream that does not exist (STR-17)."""
    return f"Stream not found: {stream_arn}"


def created(mapping: EventSourceMapping, queue_arn: str, function_name: str, now: datetime) -> JsonObject:
    """What `CreateEventSourceMapping` answers: with defaults exactly these members (SQS-17)."""
    identifier = mapping_uuid(queue_arn, function_name)
    answer: JsonObject = {
        "UUID": identifier,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.maximum_batching_window_in_seconds,
        "EventSourceArn": queue_arn,
        "EventSourceMappingArn": _lambda_arn(queue_arn, "event-source-mapping", identifier),
        "FunctionArn": _lambda_arn(queue_arn, "function", function_name),
        "FunctionResponseTypes": list(mapping.function_response_types),
        "LastModified": now.timestamp(),
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    if mapping.patterns:
        answer["FilterCriteria"] = _filter_criteria(mapping.patterns)
    if mapping.maximum_concurrency is not None:
        answer["ScalingConfig"] = {"MaximumConcurrency": mapping.maximum_concurrency}
    return answer


def created_stream(mapping: StreamMapping, stream_arn: str, function_name: str, now: datetime) -> JsonObject:
    """What `CreateEventSourceMapping` answers for a stream: every default spelled out, in AWS' order (STR-15)."""
    identifier = mapping_uuid(stream_arn, function_name)
    answer: JsonObject = {"UUID": identifier, "StartingPosition": mapping.starting_position}
    if mapping.starting_position_timestamp is not None:
        answer["StartingPositionTimestamp"] = mapping.starting_position_timestamp
    answer["BatchSize"] = mapping.batch_size
    answer["MaximumBatchingWindowInSeconds"] = mapping.maximum_batching_window_in_seconds
    answer["ParallelizationFactor"] = mapping.parallelization_factor
    answer["EventSourceArn"] = stream_arn
    if mapping.patterns:
        answer["FilterCriteria"] = _filter_criteria(mapping.patterns)
    return answer | {
        "FunctionArn": _lambda_arn(stream_arn, "function", function_name),
        "LastModified": now.timestamp(),
        "LastProcessingResult": "No records processed",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "DestinationConfig": {"OnFailure": {} if mapping.on_failure is None else {"Destination": mapping.on_failure}},
        "MaximumRecordAgeInSeconds": mapping.maximum_record_age_in_seconds,
        "BisectBatchOnFunctionError": mapping.bisect_batch_on_function_error,
        "MaximumRetryAttempts": mapping.maximum_retry_attempts,
        "TumblingWindowInSeconds": mapping.tumbling_window_in_seconds,
        "FunctionResponseTypes": list(mapping.function_response_types),
        "EventSourceMappingArn": _lambda_arn(stream_arn, "event-source-mapping", identifier),
    }


def processing_result(invocations: int, *, last_failed: bool) -> str:
    """LastProcessingResult of a poller that has invoked its function so often (API-62)."""
    if not invocations:
        return "No records processed"
    return "PROBLEM: Function call failed" if last_failed else "OK"


def _lambda_arn(source_arn: str, kind: str, name: str) -> str:
    """Of something that lives where the source does."""
    _, partition, _, region, account, _ = source_arn.split(":", 5)
    return f"arn:{partition}:lambda:{region}:{account}:{kind}:{name}"


def _filter_criteria(patterns: Iterable[object]) -> JsonObject:
    return {"Filters": [{"Pattern": _text(pattern)} for pattern in patterns]}


def _text(pattern: object) -> str:
    return pattern if isinstance(pattern, str) else orjson.dumps(pattern).decode()

"""How AWS' API shows a mapping (SQS-13, SQS-17). Pure functions."""

from __future__ import annotations

import uuid
from datetime import datetime

import orjson

from eventmap.mapping import EventSourceMapping
from eventmap.model import JsonObject

_NAMESPACE = uuid.UUID("6f1c7f0e-3d0c-5b7a-9c55-0d2f6a1e8b11")


def mapping_uuid(queue_arn: str, function_name: str) -> str:
    """The mapping's identifier: the same for the same pair, since a pair has at most one mapping (SQS-13)."""
    return str(uuid.uuid5(_NAMESPACE, f"{queue_arn} {function_name}"))


def already_exists(queue_arn: str, function_name: str) -> str:
    """AWS' words for a second mapping of the same pair (SQS-13)."""
    return (
        f'An event source mapping with SQS arn (" {queue_arn} ") and function (" {function_name} ") already exists. '
        f"Please update or delete the existing mapping with UUID {mapping_uuid(queue_arn, function_name)}"
    )


def created(mapping: EventSourceMapping, queue_arn: str, function_name: str, now: datetime) -> JsonObject:
    """What `CreateEventSourceMapping` answers: with defaults exactly these members (SQS-17)."""
    _, partition, _, region, account, _ = queue_arn.split(":")
    identifier = mapping_uuid(queue_arn, function_name)
    answer: JsonObject = {
        "UUID": identifier,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.maximum_batching_window_in_seconds,
        "EventSourceArn": queue_arn,
        "EventSourceMappingArn": f"arn:{partition}:lambda:{region}:{account}:event-source-mapping:{identifier}",
        "FunctionArn": f"arn:{partition}:lambda:{region}:{account}:function:{function_name}",
        "FunctionResponseTypes": list(mapping.function_response_types),
        "LastModified": now.timestamp(),
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    if mapping.patterns:
        answer["FilterCriteria"] = {"Filters": [{"Pattern": _text(pattern)} for pattern in mapping.patterns]}
    if mapping.maximum_concurrency is not None:
        answer["ScalingConfig"] = {"MaximumConcurrency": mapping.maximum_concurrency}
    return answer


def _text(pattern: object) -> str:
    return pattern if isinstance(pattern, str) else orjson.dumps(pattern).decode()

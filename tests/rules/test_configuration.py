"""How AWS' API shows a mapping."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from eventmap.mapping import EventSourceMapping
from eventmap.rules.configuration import already_exists, created, mapping_uuid

ARN = "arn:aws-cn:sqs:cn-north-1:123456789012:orders"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shown(**settings: Any) -> dict[str, Any]:
    return created(EventSourceMapping(event_source_arn="orders", function_name="pay", **settings), ARN, "pay", NOW)


def test_sqs_13_the_same_pair_always_has_the_same_identifier() -> None:
    """SQS-13: at most one mapping per queue and function, so the pair is its name."""
    pairs = [("q1", "f1"), ("q1", "f2"), ("q2", "f1")]

    assert len({mapping_uuid(*pair) for pair in pairs}) == 3
    assert mapping_uuid("q1", "f1") == mapping_uuid("q1", "f1")
    assert str(uuid.UUID(mapping_uuid("q1", "f1"))) == mapping_uuid("q1", "f1")


def test_sqs_13_a_duplicate_is_refused_in_aws_words() -> None:
    """SQS-13: with the odd spaces around the ARN and the name."""
    assert already_exists(ARN, "pay") == (
        f'An event source mapping with SQS arn (" {ARN} ") and function (" pay ") already exists. '
        f"Please update or delete the existing mapping with UUID {mapping_uuid(ARN, 'pay')}"
    )


def test_sqs_17_a_mapping_of_defaults_has_exactly_these_members() -> None:
    """SQS-17, FIL-04: no LastProcessingResult, no FilterCriteria, no ScalingConfig."""
    identifier = mapping_uuid(ARN, "pay")

    assert shown() == {
        "UUID": identifier,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": ARN,
        "EventSourceMappingArn": f"arn:aws-cn:lambda:cn-north-1:123456789012:event-source-mapping:{identifier}",
        "FunctionArn": "arn:aws-cn:lambda:cn-north-1:123456789012:function:pay",
        "FunctionResponseTypes": [],
        "LastModified": NOW.timestamp(),
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }


def test_sqs_17_fil_01_04_what_was_set_is_shown() -> None:
    """SQS-17, FIL-01: patterns as JSON text, whether they were given as text or as an object; none when empty."""
    patterns = [{"Pattern": '{"body": {"a": [1]}}'}, {"Pattern": {"body": ["x"]}}]

    answer = shown(
        filter_criteria={"Filters": patterns},
        maximum_concurrency=2,
        function_response_types=["ReportBatchItemFailures"],
        batch_size=100,
        maximum_batching_window_in_seconds=5,
    )

    assert answer["FilterCriteria"] == {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}, {"Pattern": '{"body":["x"]}'}]}
    assert answer["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert answer["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (answer["BatchSize"], answer["MaximumBatchingWindowInSeconds"]) == (100, 5)
    assert "FilterCriteria" not in shown(filter_criteria={"Filters": []})
    assert re.fullmatch(r"[0-9a-f-]{36}", answer["UUID"])

"""How AWS' API shows and refuses a stream's mapping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from eventmap.rules.configuration import created_stream, mapping_uuid, stream_already_exists, stream_not_found
from eventmap.stream_mapping import StreamMapping

KINESIS = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
TABLE = "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/orders/stream/2023-06-10T19:26:16.525"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shown(arn: str = KINESIS, **settings: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"event_source": "kinesis", "starting_position": "TRIM_HORIZON"}
    mapping = StreamMapping(event_source_arn="clicks", function_name="count", **(usual | settings))
    return created_stream(mapping, arn, "count", NOW)


def test_str_15_a_mapping_of_defaults_has_exactly_these_members() -> None:
    """STR-14, 15: every default spelled out, in the order of AWS' API."""
    identifier = mapping_uuid(KINESIS, "count")

    assert list(shown().items()) == [
        ("UUID", identifier),
        ("StartingPosition", "TRIM_HORIZON"),
        ("BatchSize", 100),
        ("MaximumBatchingWindowInSeconds", 0),
        ("ParallelizationFactor", 1),
        ("EventSourceArn", KINESIS),
        ("FunctionArn", "arn:aws:lambda:us-east-1:123456789012:function:count"),
        ("LastModified", NOW.timestamp()),
        ("LastProcessingResult", "No records processed"),
        ("State", "Creating"),
        ("StateTransitionReason", "User action"),
        ("DestinationConfig", {"OnFailure": {}}),
        ("MaximumRecordAgeInSeconds", -1),
        ("BisectBatchOnFunctionError", False),
        ("MaximumRetryAttempts", -1),
        ("TumblingWindowInSeconds", 0),
        ("FunctionResponseTypes", []),
        ("EventSourceMappingArn", f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{identifier}"),
    ]


@pytest.mark.parametrize(
    ("settings", "member", "expected"),
    [
        ({"starting_position": "LATEST"}, "StartingPosition", "LATEST"),
        (
            {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": 1545084650.5},
            "StartingPositionTimestamp",
            1545084650.5,
        ),
        ({"batch_size": 500}, "BatchSize", 500),
        ({"maximum_batching_window_in_seconds": 5}, "MaximumBatchingWindowInSeconds", 5),
        ({"parallelization_factor": 2}, "ParallelizationFactor", 2),
        ({"maximum_retry_attempts": 0}, "MaximumRetryAttempts", 0),
        ({"maximum_record_age_in_seconds": 60}, "MaximumRecordAgeInSeconds", 60),
        ({"bisect_batch_on_function_error": True}, "BisectBatchOnFunctionError", True),
        ({"tumbling_window_in_seconds": 30}, "TumblingWindowInSeconds", 30),
        (
            {"function_response_types": ("ReportBatchItemFailures",)},
            "FunctionResponseTypes",
            ["ReportBatchItemFailures"],
        ),
        (
            {"destination_config": {"OnFailure": {"Destination": QUEUE}}},
            "DestinationConfig",
            {"OnFailure": {"Destination": QUEUE}},
        ),
        (
            {"filter_criteria": {"Filters": [{"Pattern": '{"data": {"a": [1]}}'}, {"Pattern": {"data": {"a": [2]}}}]}},
            "FilterCriteria",
            {"Filters": [{"Pattern": '{"data": {"a": [1]}}'}, {"Pattern": '{"data":{"a":[2]}}'}]},
        ),
    ],
)
def test_str_15_fil_01_what_was_set_is_shown(settings: dict[str, Any], member: str, expected: object) -> None:
    """STR-15, FIL-01: patterns as JSON text, whether they were given as text or as an object."""
    assert shown(**settings)[member] == expected


def test_str_15_fil_04_what_was_not_set_and_has_no_default_is_not_shown() -> None:
    """STR-15, FIL-04: no empty criteria, no timestamp without AT_TIMESTAMP."""
    answer = shown(filter_criteria={"Filters": []})

    assert not {"FilterCriteria", "StartingPositionTimestamp"} & answer.keys()


def test_str_15_a_stream_arn_with_colons_in_its_label_is_read_right() -> None:
    """STR-15: the label of a table's stream is a time; partition, region and account come before it."""
    answer = shown(TABLE, event_source="dynamodb")

    assert answer["FunctionArn"] == "arn:aws-cn:lambda:cn-north-1:123456789012:function:count"
    assert answer["EventSourceArn"] == TABLE


def test_str_17_a_duplicate_is_refused_in_aws_words() -> None:
    """STR-17: with the odd spaces around the ARN and the name, and the identifier of the one there is."""
    assert stream_already_exists(KINESIS, "count") == (
        f'The event source arn (" {KINESIS} ") and function (" count ") provided mapping already exists. '
        f"Please update or delete the existing mapping with UUID {shown()['UUID']}"
    )


def test_str_17_a_missing_stream_is_refused_in_aws_words() -> None:
    """STR-17: by its ARN."""
    assert stream_not_found(KINESIS) == f"Stream not found: {KINESIS}"

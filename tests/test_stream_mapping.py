"""What AWS accepts and refuses in a stream's mapping, in its own words where they are known."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap.clock import wall_time_s
from eventmap.errors import InvalidParameterValue
from eventmap.mapping import NOT_HONOURED
from eventmap.stream_mapping import NOT_FOR_STREAMS, StreamMapping, stream_mapping_of

PATTERN = {"Pattern": '{"data":{"a":[1]}}'}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"
TOPIC = "arn:aws:sns:us-east-1:123456789012:failed"
BUCKET = "arn:aws:s3:::failed"
USUAL: dict[str, Any] = {
    "event_source": "kinesis",
    "event_source_arn": "clicks",
    "function_name": "count",
    "starting_position": "TRIM_HORIZON",
}


def mapping(**settings: Any) -> StreamMapping:
    return StreamMapping(**(USUAL | settings))


def refusal(**settings: Any) -> str:
    with pytest.raises(InvalidParameterValue) as refused:
        mapping(**settings)
    return str(refused.value)


def violation(value: object, name: str, constraint: str) -> str:
    return f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"


def at_least(value: int, name: str, low: int) -> str:
    return violation(value, name, f"Member must have value greater than or equal to {low}")


def at_most(value: int, name: str, high: int) -> str:
    return violation(value, name, f"Member must have value less than or equal to {high}")


def test_str_01_to_14_the_defaults_are_aws() -> None:
    """STR-01, 02, 05..14: hundred records, no window, in turn, for ever, and nothing else."""
    plain = mapping()

    assert (plain.batch_size, plain.maximum_batching_window_in_seconds, plain.parallelization_factor) == (100, 0, 1)
    assert (plain.maximum_retry_attempts, plain.maximum_record_age_in_seconds) == (-1, -1)
    assert (plain.bisect_batch_on_function_error, plain.tumbling_window_in_seconds, plain.enabled) == (False, 0, True)
    assert (plain.reports_item_failures, plain.on_failure, plain.patterns) == (False, None, ())
    assert plain.starting_position_timestamp is None


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 1},
        {"batch_size": 10_000},
        {"maximum_batching_window_in_seconds": 300},
        {"parallelization_factor": 10},
        {"maximum_retry_attempts": 0},
        {"maximum_retry_attempts": 10_000},
        {"maximum_record_age_in_seconds": 60},
        {"maximum_record_age_in_seconds": 604_800},
        {"bisect_batch_on_function_error": True, "enabled": False},
        {"tumbling_window_in_seconds": 900},
        {"function_response_types": ["ReportBatchItemFailures"]},
        {"filter_criteria": {"Filters": [PATTERN] * 5}},
        {"filter_criteria": {"Filters": [PATTERN] * 10}, "filter_quota": 10},
        {"starting_position": "LATEST"},
        {"starting_position": "LATEST", "event_source": "dynamodb"},
        {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": 0},
        {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": 1545084650.5},
    ],
)
def test_str_01_to_13_what_is_accepted(settings: dict[str, Any]) -> None:
    """STR-01..13, FIL-03: every value at the end of its range; a batch of 101 and more needs no window."""
    assert all(getattr(mapping(**settings), name) == value for name, value in settings.items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, at_least(0, "batchSize", 1)),
        ({"batch_size": 10_001}, at_most(10_001, "batchSize", 10_000)),
        ({"maximum_batching_window_in_seconds": -1}, at_least(-1, "maximumBatchingWindowInSeconds", 0)),
        ({"maximum_batching_window_in_seconds": 301}, at_most(301, "maximumBatchingWindowInSeconds", 300)),
        ({"parallelization_factor": 0}, at_least(0, "parallelizationFactor", 1)),
        ({"parallelization_factor": 11}, at_most(11, "parallelizationFactor", 10)),
        ({"maximum_retry_attempts": -2}, at_least(-2, "maximumRetryAttempts", -1)),
        ({"maximum_retry_attempts": 10_001}, at_most(10_001, "maximumRetryAttempts", 10_000)),
        ({"maximum_record_age_in_seconds": -2}, at_least(-2, "maximumRecordAgeInSeconds", 60)),
        ({"maximum_record_age_in_seconds": 0}, at_least(0, "maximumRecordAgeInSeconds", 60)),
        ({"maximum_record_age_in_seconds": 59}, at_least(59, "maximumRecordAgeInSeconds", 60)),
        ({"maximum_record_age_in_seconds": 604_801}, at_most(604_801, "maximumRecordAgeInSeconds", 604_800)),
        ({"tumbling_window_in_seconds": -1}, at_least(-1, "tumblingWindowInSeconds", 0)),
        ({"tumbling_window_in_seconds": 901}, at_most(901, "tumblingWindowInSeconds", 900)),
        ({"filter_quota": 4}, at_least(4, "filterQuota", 5)),
        ({"filter_quota": 11}, at_most(11, "filterQuota", 10)),
    ],
)
def test_str_01_02_05_06_07_09_what_is_out_of_range_is_refused(settings: dict[str, Any], words: str) -> None:
    """STR-01, 02, 05, 06, 07, 09, FIL-03: in the words of AWS' own validation."""
    assert refusal(**settings) == words


@pytest.mark.parametrize(
    "name",
    [
        "batch_size",
        "maximum_batching_window_in_seconds",
        "parallelization_factor",
        "maximum_retry_attempts",
        "maximum_record_age_in_seconds",
        "tumbling_window_in_seconds",
    ],
)
@pytest.mark.parametrize("value", ["5", 61.5, True, None])
def test_str_01_02_05_06_07_09_numbers_are_whole_numbers(name: str, value: Any) -> None:
    """STR-01, 02, 05, 06, 07, 09: not text, not fractions, not booleans; the message shows what was given."""
    assert repr(value) in refusal(**{name: value})


@pytest.mark.parametrize("name", ["bisect_batch_on_function_error", "enabled"])
@pytest.mark.parametrize("value", [1, "true", None])
def test_str_08_13_switches_are_booleans(name: str, value: Any) -> None:
    """STR-08, 13: 1 and "true" are neither."""
    assert name in refusal(**{name: value})


def test_str_16_a_starting_position_is_required() -> None:
    """STR-03, 16: AWS' own sentence."""
    assert refusal(starting_position=None) == (
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
        "Member must not be null."
    )


@pytest.mark.parametrize("position", ["invalid", "latest", 5, ["LATEST"]])
def test_str_16_an_unknown_starting_position_is_refused(position: Any) -> None:
    """STR-16: with the set of those there are, in AWS' order."""
    assert refusal(starting_position=position) == violation(
        position, "startingPosition", "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
    )


@pytest.mark.parametrize("timestamp", [None, 1545084650.0])
def test_str_03_16_20_a_table_has_no_at_timestamp(timestamp: float | None) -> None:
    """STR-03, 16, 20: AWS' own sentence, with a timestamp or without."""
    assert (
        refusal(
            event_source="dynamodb",
            event_source_arn="orders",
            starting_position="AT_TIMESTAMP",
            starting_position_timestamp=timestamp,
        )
        == "Unsupported starting position for arn type: orders"
    )


@pytest.mark.parametrize(
    ("position", "timestamp"),
    [("AT_TIMESTAMP", None), ("LATEST", 1545084650.0), ("TRIM_HORIZON", 0)],
)
def test_str_04_timestamp_and_at_timestamp_belong_together(position: str, timestamp: float | None) -> None:
    """STR-04: neither without the other."""
    assert "STR-04" in refusal(starting_position=position, starting_position_timestamp=timestamp)


@pytest.mark.parametrize("timestamp", ["2026-01-01", True, -1, float("nan"), 1_545_084_650_987_654])
def test_str_04_a_timestamp_is_epoch_seconds(timestamp: Any) -> None:
    """STR-04: no text, no milliseconds by mistake."""
    words = refusal(starting_position="AT_TIMESTAMP", starting_position_timestamp=timestamp)

    assert "must be epoch seconds" in words


def test_str_04_a_timestamp_is_not_in_the_future() -> None:
    """STR-04: up to now, and not a minute later."""
    now = wall_time_s()

    assert mapping(starting_position="AT_TIMESTAMP", starting_position_timestamp=now).starting_position_timestamp == now
    assert "future" in refusal(starting_position="AT_TIMESTAMP", starting_position_timestamp=now + 60)


@pytest.mark.parametrize("types", ["ReportBatchItemFailures", ["Nope"], ["ReportBatchItemFailures"] * 2, None])
def test_str_10_response_types_are_a_list_of_at_most_one(types: Any) -> None:
    """STR-10: nothing, or the one type there is."""
    assert "functionResponseTypes" in refusal(function_response_types=types)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUCKET])
def test_str_11_a_destination_is_a_queue_a_topic_or_a_bucket(arn: str) -> None:
    """STR-11: by its ARN."""
    assert mapping(destination_config={"OnFailure": {"Destination": arn}}).on_failure == arn


@pytest.mark.parametrize("config", [None, {}, {"OnFailure": {}}])
def test_str_11_no_destination_is_none(config: Any) -> None:
    """STR-11: missing, empty, or AWS' own default."""
    assert mapping(destination_config=config).on_failure is None


@pytest.mark.parametrize(
    "config",
    [
        {"OnSuccess": {"Destination": QUEUE}},
        {"OnFailure": {"Destination": QUEUE}, "OnSuccess": {"Destination": QUEUE}},
        {"OnFailure": {"Destination": "failed"}},
        {"OnFailure": {"Destination": "kafka://topic"}},
        {"OnFailure": {"Destination": "arn:aws:lambda:us-east-1:123456789012:function:f"}},
        {"OnFailure": {"Destination": ""}},
        {"OnFailure": {"Destination": None}},
        {"OnFailure": {"Destination": QUEUE, "Type": "SQS"}},
        {"OnFailure": {"Destination": f"{QUEUE}{'x' * 350}"}},
        {"OnFailure": QUEUE},
        {"onFailure": {"Destination": QUEUE}},
        [QUEUE],
        QUEUE,
    ],
)
def test_str_11_another_destination_is_refused(config: Any) -> None:
    """STR-11: `OnSuccess`, other services, more than 350 characters, and every other shape."""
    assert "STR-11" in refusal(destination_config=config)


@pytest.mark.parametrize("arn", [f"{QUEUE}.fifo", f"{TOPIC}.fifo"])
def test_str_102_fifo_destinations_are_refused(arn: str) -> None:
    """STR-102: queues and topics; a bucket may be called anything."""
    assert "STR-102" in refusal(destination_config={"OnFailure": {"Destination": arn}})
    assert mapping(destination_config={"OnFailure": {"Destination": f"{BUCKET}.fifo"}}).on_failure == f"{BUCKET}.fifo"


@pytest.mark.parametrize("criteria", [{"Filters": [PATTERN] * 6}, {"Filters": PATTERN}, {"filters": [PATTERN]}, ["x"]])
def test_str_12_fil_01_03_filter_criteria_have_one_shape(criteria: Any) -> None:
    """STR-12, FIL-01, 03: five filters of one pattern each, and nothing beside them."""
    assert "ilter" in refusal(filter_criteria=criteria)


@pytest.mark.parametrize(
    "settings",
    [{"parallelization_factor": 2}, {"filter_criteria": {"Filters": [PATTERN]}}],
)
def test_str_88_tumbling_windows_go_with_neither_parallel_batches_nor_filters(settings: dict[str, Any]) -> None:
    """STR-88: an empty filter container, and either without a window, are fine."""
    assert "STR-88" in refusal(tumbling_window_in_seconds=60, **settings)
    assert mapping(tumbling_window_in_seconds=60, filter_criteria={"Filters": []}).tumbling_window_in_seconds == 60
    assert mapping(**settings).tumbling_window_in_seconds == 0


@pytest.mark.parametrize("source", ["sqs", "", None, "Kinesis"])
def test_a_stream_mapping_is_of_kinesis_or_dynamodb(source: Any) -> None:
    """No third kind of stream is read as one of the two."""
    assert "must be kinesis or dynamodb" in refusal(event_source=source)


@pytest.mark.parametrize("arn", ["", None, 5])
def test_a_stream_mapping_names_a_stream(arn: Any) -> None:
    """Nothing can be polled without one."""
    assert "eventSourceArn" in refusal(event_source_arn=arn)


@pytest.mark.parametrize("name", sorted(NOT_FOR_STREAMS))
def test_what_belongs_to_other_sources_is_refused_with_the_reason(name: str) -> None:
    """Never ignored: a queue's settings mean nothing to a stream."""
    with pytest.raises(InvalidParameterValue, match=f"{name} is not supported for streams: .+"):
        stream_mapping_of({**USUAL, name: 1})


@pytest.mark.parametrize("name", sorted(NOT_HONOURED.keys() - NOT_FOR_STREAMS.keys()))
def test_what_is_not_honoured_is_refused_with_the_reason(name: str) -> None:
    """No silent parameter: provisioned pollers, metrics, KMS."""
    with pytest.raises(InvalidParameterValue, match=f"{name} is not honoured, so it is refused: .+"):
        stream_mapping_of({**USUAL, name: {}})


def test_an_unknown_setting_is_refused_with_those_there_are() -> None:
    """No silent parameter: a misspelt one is named."""
    with pytest.raises(InvalidParameterValue, match="batchsize is not a setting of a stream mapping; known are batch"):
        stream_mapping_of({**USUAL, "batchsize": 5})
    assert stream_mapping_of(USUAL) == mapping()

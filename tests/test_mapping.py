"""What AWS accepts and refuses in a mapping, in its own words where they are known."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap import EventSourceMapping
from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.mapping import NOT_FOR_SQS, NOT_HONOURED, mapping_of

PATTERN = {"Pattern": '{"body":{"a":[1]}}'}


def mapping(queue: str = "orders", /, **settings: Any) -> EventSourceMapping:
    return EventSourceMapping(event_source_arn=queue, function_name="work", **settings)


def refusal(queue: Any = "orders", /, **settings: Any) -> str:
    with pytest.raises(InvalidParameterValue) as refused:
        mapping(queue, **settings)
    return str(refused.value)


def violation(value: object, name: str, constraint: str) -> str:
    return f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"


def at_least(value: int, name: str, low: int) -> str:
    return violation(value, name, f"Member must have value greater than or equal to {low}")


def at_most(value: int, name: str, high: int) -> str:
    return violation(value, name, f"Member must have value less than or equal to {high}")


def test_sqs_01_02_06_07_08_the_defaults_are_aws() -> None:
    """SQS-01, 02, 03, 06, 07, 08: batches of ten, no window, no cap, no response types, no filters, enabled."""
    plain = mapping()

    assert (plain.batch_size, plain.maximum_batching_window_in_seconds, plain.enabled) == (10, 0, True)
    assert (plain.maximum_concurrency, plain.reports_item_failures, plain.patterns) == (None, False, ())


@pytest.mark.parametrize(
    ("queue", "settings"),
    [
        ("orders", {"batch_size": 1}),
        ("orders", {"batch_size": 10_000, "maximum_batching_window_in_seconds": 1}),
        ("orders.fifo", {"batch_size": 10}),
        ("orders", {"maximum_batching_window_in_seconds": 300}),
        ("orders", {"maximum_concurrency": 1}),
        ("orders", {"maximum_concurrency": 1000}),
        ("orders.fifo", {"maximum_concurrency": 2}),
        ("orders", {"function_response_types": ["ReportBatchItemFailures"]}),
        ("orders", {"function_response_types": ()}),
        ("orders", {"filter_criteria": {"Filters": [PATTERN] * 5}}),
        ("orders", {"filter_criteria": {"Filters": [PATTERN] * 10}, "filter_quota": 10}),
        ("orders", {"retry_backoff_s": [0, 43_200]}),
        ("orders", {"enabled": False, "heartbeat": False, "lenient_empty_entry": True}),
    ],
)
def test_sqs_01_02_03_06_07_08_what_is_accepted(queue: str, settings: dict[str, Any]) -> None:
    """SQS-01, 02, 03, 06, 07, 08, FIL-03: every value at the end of its range; a concurrency of 1 is ours."""
    assert all(getattr(mapping(queue, **settings), name) == value for name, value in settings.items())


@pytest.mark.parametrize(
    ("queue", "settings", "words"),
    [
        ("orders", {"batch_size": 0}, at_least(0, "batchSize", 1)),
        ("orders", {"batch_size": 10_001}, at_most(10_001, "batchSize", 10_000)),
        ("orders.fifo", {"batch_size": 11}, at_most(11, "batchSize", 10)),
        (
            "orders",
            {"maximum_batching_window_in_seconds": -1},
            at_least(-1, "maximumBatchingWindowInSeconds", 0),
        ),
        (
            "orders",
            {"maximum_batching_window_in_seconds": 301},
            at_most(301, "maximumBatchingWindowInSeconds", 300),
        ),
        ("orders", {"maximum_concurrency": 0}, at_least(0, "scalingConfig.maximumConcurrency", 1)),
        ("orders", {"maximum_concurrency": 1001}, at_most(1001, "scalingConfig.maximumConcurrency", 1000)),
    ],
)
def test_sqs_01_02_03_what_is_out_of_range_is_refused(queue: str, settings: dict[str, Any], words: str) -> None:
    """SQS-01, 02, 03: in the words of AWS' own validation."""
    assert refusal(queue, **settings) == words


@pytest.mark.parametrize("name", ["batch_size", "maximum_batching_window_in_seconds", "maximum_concurrency"])
@pytest.mark.parametrize("value", ["5", 1.5, True, [1]])
def test_sqs_02_numbers_are_whole_numbers(name: str, value: Any) -> None:
    """SQS-02: not text, not fractions, not booleans; the message shows what was given."""
    assert repr(value) in refusal(**{name: value})


def test_sqs_14_a_large_batch_needs_a_window() -> None:
    """SQS-14: AWS' own sentence."""
    assert refusal(batch_size=11) == (
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    )
    assert mapping(batch_size=11, maximum_batching_window_in_seconds=1).batch_size == 11


def test_sqs_51_a_fifo_queue_has_no_window() -> None:
    """SQS-51: refused by name, ARN and URL alike."""
    for queue in ("o.fifo", "arn:aws:sqs:us-east-1:123456789012:o.fifo", "https://sqs.example/123456789012/o.fifo"):
        assert "FIFO" in refusal(queue, maximum_batching_window_in_seconds=1)


@pytest.mark.parametrize("types", ["ReportBatchItemFailures", ["Nope"], ["ReportBatchItemFailures"] * 2, None, 5])
def test_sqs_06_response_types_are_a_list_of_at_most_one(types: Any) -> None:
    """SQS-06: nothing, or the one type there is."""
    assert "functionResponseTypes" in refusal(function_response_types=types)


@pytest.mark.parametrize(
    "criteria",
    [
        {"Filters": [PATTERN] * 6},
        {"Filters": PATTERN},
        {"filters": [PATTERN]},
        {"Filters": [PATTERN], "More": 1},
        {"Filters": ['{"body":["x"]}']},
        {"Filters": [PATTERN | {"Name": "x"}]},
        ["x"],
    ],
)
def test_sqs_07_fil_01_03_filter_criteria_have_one_shape(criteria: Any) -> None:
    """SQS-07, FIL-01, FIL-03: five filters of one pattern each, and nothing beside them."""
    assert "ilter" in refusal(filter_criteria=criteria)


@pytest.mark.parametrize("criteria", [None, {}, {"Filters": []}])
def test_fil_04_no_filters_are_no_filtering(criteria: Any) -> None:
    """FIL-04: missing, empty, or an empty list."""
    assert mapping(filter_criteria=criteria).patterns == ()


@pytest.mark.parametrize("name", ["enabled", "heartbeat", "lenient_empty_entry"])
def test_sqs_08_switches_are_booleans(name: str) -> None:
    """SQS-08: 1 and "true" are neither."""
    wrong: tuple[Any, ...] = (1, "true", None)
    for value in wrong:
        assert name in refusal(**{name: value})


@pytest.mark.parametrize("waits", [[-1], [43_201], ["5"], "5", 5])
def test_sqs_66_backoff_is_a_list_of_seconds(waits: Any) -> None:
    """Our own setting, within what SQS-66 allows."""
    assert "retry_backoff_s" in refusal(retry_backoff_s=waits)


@pytest.mark.parametrize("quota", [4, 11])
def test_fil_03_the_quota_is_five_to_ten(quota: int) -> None:
    """FIL-03: AWS' default, and what it can be raised to."""
    assert "filterQuota" in refusal(filter_quota=quota)


@pytest.mark.parametrize("queue", ["", None, 5])
def test_a_mapping_names_a_queue(queue: Any) -> None:
    """Nothing can be polled without one."""
    assert "eventSourceArn" in refusal(queue)


@pytest.mark.parametrize("name", sorted(NOT_FOR_SQS))
def test_sqs_11_what_belongs_to_other_sources_is_refused_with_the_reason(name: str) -> None:
    """SQS-11: never ignored."""
    with pytest.raises(InvalidParameterValue, match=f"{name} is not supported for the event source aws:sqs: .+SQS-11"):
        mapping_of({"event_source_arn": "orders", "function_name": "work", name: 1})


@pytest.mark.parametrize("name", sorted(NOT_HONOURED))
def test_sqs_04_05_09_10_12_what_is_not_honoured_is_refused_with_the_reason(name: str) -> None:
    """SQS-04, 05, 09, 10, 12: provisioned pollers, metrics, KMS and the shape of ScalingConfig; no silent parameter."""
    with pytest.raises(InvalidParameterValue, match=f"{name} is not honoured, so it is refused: .+"):
        mapping_of({"event_source_arn": "orders", "function_name": "work", name: {}})


def test_an_unknown_setting_is_refused_with_those_there_are() -> None:
    """No silent parameter: a misspelt one is named."""
    with pytest.raises(
        InvalidParameterValue, match="batchsize is not a setting of a queue mapping; known are batch_size"
    ):
        mapping_of({"event_source_arn": "orders", "function_name": "work", "batchsize": 5})


def test_a_refusal_is_a_value_error_and_a_configuration_error() -> None:
    """`except ValueError` is enough for who validates input."""
    with pytest.raises(ConfigurationError):
        mapping(batch_size=0)
    with pytest.raises(ValueError):
        mapping(batch_size=0)

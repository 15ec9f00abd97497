"""EventRule: what a rule in code may say, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap.errors import InvalidParameterValue, InvalidPattern
from eventmap.event_rule import EventRule, event_rule_of
from eventmap.subscription import EVENT_FAMILIES

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
PATTERN = {"source": ["shop"]}


def test_src_45_a_rule_has_aws_defaults() -> None:
    """The default bus, 185 attempts, a day."""
    rule = EventRule(event_pattern=PATTERN, function_name="orders")
    target = rule.target(ARN)

    assert (rule.event_bus_name, rule.enabled, rule.pattern_text) == ("default", True, '{"source": ["shop"]}')
    assert (target.arn, target.retry_attempts, target.event_age_s, target.dead_letter_arn) == (ARN, 185, 86_400, None)


def test_src_44_46_settings_reach_the_target() -> None:
    """Each of them."""
    transformer = {"InputPathsMap": {"a": "$.b"}, "InputTemplate": '"<a>"'}
    queue = "arn:aws:sqs:eu-west-1:123456789012:dead"
    rule = event_rule_of(
        {
            "event_pattern": '{"a":[1]}',
            "function_name": "orders",
            "name": "r",
            "event_bus_name": "b",
            "input_transformer": transformer,
            "maximum_retry_attempts": 0,
            "maximum_event_age_in_seconds": 60,
            "dead_letter_arn": queue,
            "enabled": False,
        }
    )
    target = rule.target(ARN)

    assert (rule.rule_name, rule.event_bus_name, rule.pattern_text, rule.enabled) == ("r", "b", '{"a":[1]}', False)
    assert (target.input_template, target.input_paths_map) == ('"<a>"', {"a": "$.b"})
    assert (target.retry_attempts, target.event_age_s, target.dead_letter_arn) == (0, 60, queue)


@pytest.mark.parametrize(
    ("value", "text"),
    [({"a": [1]}, '{"a": [1]}'), (7, "7"), ('{"a":1}', '{"a":1}'), ('"text"', '"text"'), (False, "false")],
)
def test_src_44_an_input_is_any_json_value(value: object, text: str) -> None:
    """Text is JSON text already."""
    rule = EventRule(event_pattern=PATTERN, function_name="orders", input=value)

    assert rule.target(ARN).input == text
    assert EventRule(event_pattern=PATTERN, function_name="orders", input_path="$.a").target(ARN).input_path == "$.a"


def test_a_rule_without_a_name_has_always_the_same() -> None:
    """Another pattern, function or bus makes another; no name is too long."""

    def named(**settings: Any) -> str:
        return EventRule(**({"event_pattern": PATTERN, "function_name": "orders"} | settings)).rule_name

    names = [
        named(),
        named(event_pattern={"source": ["x"]}),
        named(function_name="other"),
        named(event_bus_name="b"),
        named(function_name="f" * 140),
    ]
    assert named() == named() == names[0]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) == 64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"function_name": ""}, "functionName must name a function"),
        ({"event_pattern": 7}, "eventPattern must be an object or JSON text"),
        ({"event_pattern": {"a": [object()]}}, "eventPattern must be what JSON can say"),
        ({"input": {1, 2}}, "input must be what JSON can say"),
        ({"name": "a b"}, "name must be 1 to 64 letters"),
        ({"name": "x" * 65}, "name must be 1 to 64 letters"),
        ({"event_bus_name": "a/b"}, "eventBusName must be 1 to 256 letters"),
        ({"maximum_retry_attempts": 186}, "less than or equal to 185"),
        ({"maximum_event_age_in_seconds": 59}, "greater than or equal to 60"),
        ({"maximum_retry_attempts": True}, "must be a whole number"),
        ({"enabled": 1}, "enabled must be true or false"),
        ({"input": "no json"}, "JSON syntax error in input for target function"),
        ({"input": 1, "input_path": "$"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"input_path": "a"}, "Invalid InputPath"),
        ({"input_transformer": {"InputTemplate": '"<x>"'}}, "contains invalid placeholder x"),
        ({"input_transformer": {"InputPathsMap": {}}}, "InputTransformer"),
        ({"input_transformer": 7}, "InputTransformer"),
        ({"input_path": 7}, "InputPath"),
        ({"dead_letter_arn": "arn:aws:sns:eu-west-1:123456789012:t"}, "is not a standard SQS queue"),
        ({"surprise": 1}, "surprise is not a setting of a rule; known are "),
    ],
)
def test_what_is_wrong_is_refused_at_once(settings: dict[str, Any], message: str) -> None:
    """With the setting and what to write."""
    with pytest.raises(InvalidParameterValue) as refused:
        event_rule_of({"event_pattern": PATTERN, "function_name": "orders", **settings})

    assert message.lower() in str(refused.value).lower()


def test_src_43_a_pattern_aws_would_refuse_is_refused() -> None:
    """With event-ruler's reason."""
    with pytest.raises(InvalidPattern, match="Empty arrays are not allowed"):
        EventRule(event_pattern={"a": []}, function_name="orders")


def test_src_25_31_a_bucket_is_to_tell_all_that_buses_are_told_of() -> None:
    """Named or by ARN; families that S3 tells no bus of are left out."""
    rule = EventRule(event_pattern=PATTERN, function_name="orders", buckets=["arn:aws:s3:::photos", "videos"])

    assert [told.bucket_name for told in rule.notifications] == ["photos", "videos"]
    assert {event.split(":")[1] for event in rule.notifications[0].events} == EVENT_FAMILIES - {
        "Replication",
        "ReducedRedundancyLostObject",
    }


@pytest.mark.parametrize(
    ("buckets", "said"),
    [
        ("photos", "must be a list such as"),
        ([""], "must name a bucket"),
        ([7], "must name a bucket"),
        (["arn:aws:s3:::"], "must name a bucket"),
    ],
)
def test_what_names_no_buckets_is_refused(buckets: Any, said: str) -> None:
    with pytest.raises(InvalidParameterValue, match=said):
        EventRule(event_pattern=PATTERN, function_name="orders", buckets=buckets)

"""What ties a topic or a bucket to a function: AWS' refusals where they are known, and ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eventmap import S3Notification, SnsSubscription
from eventmap.errors import InvalidParameterValue
from eventmap.subscription import EVENT_FAMILIES, NOT_FOR_FUNCTIONS, notification_of, subscription_of

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"


def subscription(**settings: Any) -> SnsSubscription:
    return SnsSubscription(**{"topic_arn": "orders", "function_name": "bill", **settings})


def notification(**settings: Any) -> S3Notification:
    return S3Notification(**{"bucket": "photos", "function_name": "resize", **settings})


def test_sns_75_76_the_defaults_let_everything_through() -> None:
    """SNS-75, SNS-76: no policy; if there is one, it looks at the attributes."""
    plain = subscription()

    assert (plain.filter_policy, plain.policy_text, plain.filter_policy_scope) == (None, None, "MessageAttributes")


@pytest.mark.parametrize("policy", [{"total": [{"numeric": [">", 100]}]}, '{"total": [{"numeric": [">", 100]}]}'])
def test_sns_75_a_policy_is_an_object_or_its_text(policy: Any) -> None:
    """SNS-75: SNS takes text; a program has objects."""
    given = subscription(filter_policy=policy, filter_policy_scope="MessageBody")

    assert json.loads(given.policy_text or "") == {"total": [{"numeric": [">", 100]}]}


@pytest.mark.parametrize("topic", ["orders.fifo", f"{TOPIC}.fifo"])
def test_sns_125_a_fifo_topic_cannot_invoke_a_function(topic: str) -> None:
    """SNS-125: refused with the way that there is."""
    with pytest.raises(InvalidParameterValue, match=r"subscribe a FIFO queue to it and map that \(SNS-125\)"):
        subscription(topic_arn=topic)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"topic_arn": ""}, "topicArn must name a topic, not ''"),
        ({"topic_arn": None}, "topicArn must name a topic, not None"),
        ({"filter_policy_scope": "Body"}, "filterPolicyScope may be MessageAttributes or MessageBody, not 'Body'"),
        ({"filter_policy": 5}, "filterPolicy must be an object or JSON text, not 5"),
    ],
)
def test_sns_75_a_wrong_subscription_is_refused(settings: dict[str, Any], words: str) -> None:
    """SNS-75: naming the field."""
    with pytest.raises(InvalidParameterValue) as refused:
        subscription(**settings)

    assert str(refused.value) == words


@pytest.mark.parametrize("name", sorted(NOT_FOR_FUNCTIONS))
def test_sns_59_120_what_is_not_honoured_is_refused_with_its_reason(name: str) -> None:
    """SNS-59, SNS-120: raw delivery is not for functions, nor a dead-letter queue of SNS' own."""
    with pytest.raises(InvalidParameterValue, match=f"{name} is not honoured, so it is refused: "):
        subscription_of({"topic_arn": "orders", "function_name": "bill", name: {}})


def test_an_unknown_setting_is_refused_with_those_that_are_known() -> None:
    """Of a topic as of a bucket."""
    with pytest.raises(
        InvalidParameterValue, match="topic is not a setting of a subscription; known are filter_policy"
    ):
        subscription_of({"topic": "orders", "function_name": "bill"})
    with pytest.raises(InvalidParameterValue, match="key is not a setting of a bucket notification; known are bucket"):
        notification_of({"bucket": "photos", "function_name": "resize", "key": "x"})


def test_src_25_26_the_defaults_are_every_object_created() -> None:
    """SRC-25, SRC-26: whatever its key."""
    plain = notification()

    assert (plain.events, plain.prefix, plain.suffix) == (("s3:ObjectCreated:*",), "", "")


@pytest.mark.parametrize("family", sorted(EVENT_FAMILIES))
def test_src_25_every_family_may_be_asked_for(family: str) -> None:
    """SRC-25: as a whole, or one kind of it."""
    assert notification(events=[f"s3:{family}:*", f"s3:{family}"]).events == [f"s3:{family}:*", f"s3:{family}"]


@pytest.mark.parametrize(
    "events", [["ObjectCreated:Put"], ["s3:Created:*"], ["s3:"], ["s3:ObjectCreated:Put:x"], [5], [""]]
)
def test_src_21_25_what_is_no_event_of_s3_is_refused(events: Any) -> None:
    """SRC-21, SRC-25: with the `s3:` in front that the event's own name lacks."""
    with pytest.raises(InvalidParameterValue, match=r"is no event of S3; it looks like s3:ObjectCreated:\*"):
        notification(events=events)


@pytest.mark.parametrize("events", [[], (), "s3:ObjectCreated:*", None])
def test_src_25_events_are_a_list(events: Any) -> None:
    """SRC-25: of at least one."""
    with pytest.raises(InvalidParameterValue, match="events must be a list such as"):
        notification(events=events)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bucket": ""}, "bucket must name a bucket, not ''"),
        ({"bucket": "arn:aws:s3:::"}, "bucket must name a bucket, not 'arn:aws:s3:::'"),
        ({"bucket": None}, "bucket must name a bucket, not None"),
        ({"prefix": None}, "prefix must be text, not None"),
        ({"suffix": 5}, "suffix must be text, not 5"),
    ],
)
def test_src_26_a_wrong_notification_is_refused(settings: dict[str, Any], words: str) -> None:
    """SRC-26: naming the field."""
    with pytest.raises(InvalidParameterValue) as refused:
        notification(**settings)

    assert str(refused.value) == words


def test_a_bucket_may_be_named_by_its_arn() -> None:
    """Which has neither region nor account."""
    assert notification(bucket="arn:aws:s3:::photos").bucket_name == "photos"

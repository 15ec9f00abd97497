"""Mappings of every kind of source, where a command does not care which kind it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

from eventmap.app import AnyMapping
from eventmap.aws.arn import parse_queue, parse_stream
from eventmap.errors import InvalidParameterValue
from eventmap.event_rule import EventRule, event_rule_of
from eventmap.http_route import HttpRoute, http_route_of
from eventmap.mapping import EventSourceMapping, mapping_of
from eventmap.rules.filter_policy import ON_SUBSCRIBE, FilterPolicy
from eventmap.schedule import Schedule, schedule_of
from eventmap.stream_mapping import EventSource, StreamMapping, stream_mapping_of
from eventmap.subscription import S3Notification, SnsSubscription, notification_of, subscription_of

Kind = Literal["sqs", "kinesis", "dynamodb", "sns", "s3", "schedule", "event", "http"]
Push = SnsSubscription | S3Notification
Filled = EventSourceMapping | StreamMapping | Push
"""What messages, records and objects can be sent to."""

EVENT_KINDS: Final[tuple[Kind, ...]] = ("sns", "s3", "schedule", "event")
"""What comes as asynchronous events."""

POLLED_KINDS: Final[tuple[Kind, ...]] = ("sqs", "kinesis", "dynamodb")
STREAM_KINDS: Final[tuple[EventSource, ...]] = get_args(EventSource)
SOURCE_FIELDS: Final[Mapping[Kind, str]] = {
    "sqs": "event_source_arn",
    "kinesis": "event_source_arn",
    "dynamodb": "event_source_arn",
    "sns": "topic_arn",
    "s3": "bucket",
    "schedule": "schedule_expression",
    "event": "event_pattern",
    "http": "route",
}
"""The field that names the source, of each kind's mapping."""
_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_TOPIC_ARN: Final = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:([^:]+)", re.ASCII)
_BUCKET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def build_mapping(kind: Kind, settings: Mapping[str, Any]) -> AnyMapping:
    """A mapping of a source of this kind. Raises: InvalidParameterValue, also for what names no such source."""
    match kind:
        case "sqs":
            queue = mapping_of(settings)
            parse_queue(queue.event_source_arn)
            return queue
        case "sns":
            subscription = subscription_of(settings)
            topic_name(subscription.topic_arn)
            if subscription.policy_text is not None:
                FilterPolicy(subscription.policy_text, subscription.filter_policy_scope, prefix=ON_SUBSCRIBE)
            return subscription
        case "s3":
            notification = notification_of(settings)
            _check_bucket(notification)
            return notification
        case "schedule":
            return schedule_of(settings)
        case "event":
            rule = event_rule_of(settings)
            for told in rule.notifications:
                _check_bucket(told)
            return rule
        case "http":
            return http_route_of(settings)
        case "kinesis" | "dynamodb":
            return build_stream(kind, settings)


def build_stream(kind: EventSource, settings: Mapping[str, Any]) -> StreamMapping:
    """The same of a stream."""
    stream = stream_mapping_of({"event_source": kind, **settings})
    parse_stream(stream.event_source_arn, kind)
    return stream


def kind_of(mapping: AnyMapping) -> Kind:
    match mapping:
        case EventSourceMapping():
            return "sqs"
        case StreamMapping():
            return mapping.event_source
        case SnsSubscription():
            return "sns"
        case S3Notification():
            return "s3"
        case Schedule():
            return "schedule"
        case EventRule():
            return "event"
        case HttpRoute():
            return "http"


def source_name(mapping: AnyMapping) -> str:
    """The name of the queue, Kinesis stream, table, topic, bucket, schedule or rule; of a request its route."""
    match mapping:
        case EventSourceMapping():
            return parse_queue(mapping.event_source_arn).name
        case StreamMapping():
            return parse_stream(mapping.event_source_arn, mapping.event_source).name
        case SnsSubscription():
            return topic_name(mapping.topic_arn)
        case S3Notification():
            return mapping.bucket_name
        case Schedule():
            return mapping.schedule_name
        case EventRule():
            return mapping.rule_name
        case HttpRoute():
            return mapping.route


def names_of(kind: Kind, mappings: Iterable[AnyMapping]) -> list[str]:
    """The name of each source of that kind once, in alphabetical order."""
    return sorted({source_name(mapping) for mapping in mappings if kind_of(mapping) == kind})


def topic_name(topic: str) -> str:
    """The name of a topic given by name or ARN. Raises: InvalidParameterValue for what names none (SNS-09)."""
    found = _TOPIC_ARN.fullmatch(topic)
    name = found[1] if found else topic
    if not _TOPIC_NAME.fullmatch(name.removesuffix(".fifo")):
        raise InvalidParameterValue(
            f"{topic!r} names no topic: a topic name has 1 to 256 letters, digits, hyphens and underscores; "
            "give NAME or an ARN"
        )
    return name


def region_of_topic(topic: str) -> str | None:
    """None = a name says nothing about it."""
    return topic.split(":")[3] if topic.startswith("arn:") else None


def name_of_arn(arn: str) -> str:
    """The name in a source's full ARN."""
    resource = arn.split(":", 5)[5]
    return resource.split("/")[1] if "/" in resource else resource


def is_queue(arn: str) -> bool:
    return arn.split(":")[2] == "sqs"


def is_stream(arn: str) -> bool:
    return arn.split(":")[2] in ("kinesis", "dynamodb")


def _check_bucket(notification: S3Notification) -> None:
    if not _BUCKET_NAME.fullmatch(notification.bucket_name):
        raise InvalidParameterValue(
            f"{notification.bucket!r} names no bucket: a bucket name has 3 to 63 lower-case letters, digits, hyphens "
            "and dots; give NAME or an ARN"
        )

"""What kind of event a function was given: each source's events are told by a few of their members (SRC-01..17).

The table is in the order of the rules: the first kind that matches is it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventKind:
    """One shape of events."""

    name: str  #: as `eventmap event` takes it; with underscores a builder of `eventmap.testing.events`
    source: str
    rules: str  #: of how it is told, and where its shape begins
    recognised_by: str  #: in words, members and values between backticks
    is_synchronous: bool  #: whether the source waits for what the function answers; the others invoke asynchronously
    matches: Callable[[Document], bool]


def kind_of(event: object) -> str | None:
    """The name of an event's kind; None = of no source that is known here, as a direct invocation's (SRC-17).

    `event` is any parsed JSON document.
    """
    if not isinstance(event, dict):
        return None
    return next((kind.name for kind in KINDS if kind.matches(event)), None)


def _records(source: str, member: str = "eventSource") -> Callable[[Document], bool]:
    def matches(event: Document) -> bool:
        records = event.get("Records")
        first = records[0] if isinstance(records, list) and records else None
        return isinstance(first, dict) and first.get(member) == source

    return matches


def _event_source(source: str, content: str) -> Callable[[Document], bool]:
    return lambda event: event.get("eventSource") == source and content in event


def _is_s3_test(event: Document) -> bool:
    return event.get("Event") == "s3:TestEvent" and event.get("Service") == "Amazon S3"


def _is_from_bus(event: Document) -> bool:
    return all(name in event for name in ("source", "detail-type", "detail"))


def _is_scheduled(event: Document) -> bool:
    return (
        _is_from_bus(event)
        and event["detail-type"] == "Scheduled Event"
        and event["source"] in ("aws.events", "aws.scheduler")
    )


def _context(event: Document) -> Document:
    context = event.get("requestContext")
    return context if isinstance(context, dict) else {}


def _is_http_v2(event: Document) -> bool:
    return event.get("version") == "2.0" and "http" in _context(event)


def _is_function_url(event: Document) -> bool:
    return _is_http_v2(event) and ".lambda-url." in str(_context(event).get("domainName"))


def _is_http_v1(event: Document) -> bool:
    return "requestContext" in event and "httpMethod" in event and "resource" in event


def _is_websocket(event: Document) -> bool:
    context = _context(event)
    return "routeKey" in context and "connectionId" in context


def _is_logs(event: Document) -> bool:
    logs = event.get("awslogs")
    return isinstance(logs, dict) and "data" in logs


KINDS: Final[tuple[EventKind, ...]] = (
    EventKind(
        "sqs", "Amazon SQS", "SRC-01, SQS-110", "`Records[0].eventSource` is `aws:sqs`", True, _records("aws:sqs")
    ),
    EventKind(
        "sns",
        "Amazon SNS",
        "SRC-02, SNS-50",
        "`Records[0].EventSource` is `aws:sns`",
        False,
        _records("aws:sns", "EventSource"),
    ),
    EventKind(
        "dynamodb",
        "DynamoDB Streams",
        "SRC-03, STR-120",
        "`Records[0].eventSource` is `aws:dynamodb`",
        True,
        _records("aws:dynamodb"),
    ),
    EventKind(
        "kinesis",
        "Kinesis Data Streams",
        "SRC-04, STR-110",
        "`Records[0].eventSource` is `aws:kinesis`",
        True,
        _records("aws:kinesis"),
    ),
    EventKind("s3", "Amazon S3", "SRC-05, SRC-20", "`Records[0].eventSource` is `aws:s3`", False, _records("aws:s3")),
    EventKind(
        "s3-test",
        "Amazon S3, the message that tries a configuration",
        "SRC-06, SRC-29",
        "`Event` is `s3:TestEvent` and `Service` is `Amazon S3`",
        False,
        _is_s3_test,
    ),
    EventKind(
        "schedule",
        "EventBridge, a schedule",
        "SRC-07, SRC-78",
        "as `event-bridge`, with the source `aws.events` or `aws.scheduler` and the detail type `Scheduled Event`",
        False,
        _is_scheduled,
    ),
    EventKind(
        "event-bridge",
        "EventBridge",
        "SRC-07, SRC-40",
        "`source`, `detail-type` and `detail` are there",
        False,
        _is_from_bus,
    ),
    EventKind(
        "alb",
        "Application Load Balancer",
        "SRC-08, SRC-103",
        "`requestContext.elb` is there",
        True,
        lambda event: "elb" in _context(event),
    ),
    EventKind(
        "function-url",
        "Function URL",
        "SRC-09, SRC-100",
        "as `http-v2`, with `.lambda-url.` in `requestContext.domainName`",
        True,
        _is_function_url,
    ),
    EventKind(
        "http-v2",
        "API Gateway, HTTP API (payload 2.0)",
        "SRC-09, SRC-95",
        "`version` is `2.0` and `requestContext.http` is there",
        True,
        _is_http_v2,
    ),
    EventKind(
        "http-v1",
        "API Gateway, REST API (payload 1.0)",
        "SRC-10, SRC-90",
        "`requestContext`, `httpMethod` and `resource` are there",
        True,
        _is_http_v1,
    ),
    EventKind(
        "websocket",
        "API Gateway, WebSocket API",
        "SRC-11",
        "`requestContext.routeKey` and `requestContext.connectionId` are there",
        True,
        _is_websocket,
    ),
    EventKind(
        "cognito",
        "Cognito user pool",
        "SRC-12, SRC-110",
        "`triggerSource` and `userPoolId` are there",
        True,
        lambda event: "triggerSource" in event and "userPoolId" in event,
    ),
    EventKind("logs", "CloudWatch Logs", "SRC-13, SRC-130", "`awslogs.data` is there", False, _is_logs),
    EventKind(
        "kafka",
        "Amazon MSK",
        "SRC-14, SRC-140",
        "`eventSource` is `aws:kafka` and `records` is there",
        True,
        _event_source("aws:kafka", "records"),
    ),
    EventKind(
        "self-managed-kafka",
        "Self-managed Apache Kafka",
        "SRC-14, SRC-140",
        "`eventSource` is `SelfManagedKafka` and `records` is there",
        True,
        _event_source("SelfManagedKafka", "records"),
    ),
    EventKind(
        "active-mq",
        "Amazon MQ, ActiveMQ",
        "SRC-15, SRC-143",
        "`eventSource` is `aws:amq`",
        True,
        lambda event: event.get("eventSource") == "aws:amq",
    ),
    EventKind(
        "rabbit-mq",
        "Amazon MQ, RabbitMQ",
        "SRC-15, SRC-144",
        "`eventSource` is `aws:rmq`",
        True,
        lambda event: event.get("eventSource") == "aws:rmq",
    ),
    EventKind(
        "documentdb",
        "Amazon DocumentDB",
        "SRC-16, SRC-146",
        "`eventSource` is `aws:docdb` and `events` is there",
        True,
        _event_source("aws:docdb", "events"),
    ),
)

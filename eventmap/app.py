"""App: what a user declares — functions, and what invokes them: queues, streams, topics, schedules, requests."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Container, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, Unpack

from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.event_rule import EventRule, event_rule_of
from eventmap.function import Function, Handler, Isolation
from eventmap.http_route import HttpRoute, http_route_of
from eventmap.mapping import EventSourceMapping, mapping_of
from eventmap.records import RESPONSE_TYPES_MARK
from eventmap.schedule import Schedule, schedule_of
from eventmap.stream_mapping import StreamMapping, stream_mapping_of
from eventmap.subscription import S3Notification, SnsSubscription, notification_of, subscription_of

if TYPE_CHECKING:
    from pathlib import Path

    from eventmap.runtime.report import InvocationLog
    from eventmap.service import Running, Settings
    from eventmap.service.settings import HttpApiSettings, HttpSettings
    from eventmap.sources.dynamodb import DynamoDbStreamsApi
    from eventmap.sources.kinesis import KinesisApi
    from eventmap.sources.sqs import QueueApi

NO_PARTIAL_ANSWER: Final = "which reports failed records, and this event fails or not as a whole"

H = TypeVar("H", bound=Handler)
Polled = EventSourceMapping | StreamMapping
AnyMapping = Polled | SnsSubscription | S3Notification | Schedule | EventRule | HttpRoute
Builder = Callable[[Mapping[str, Any]], AnyMapping]

_FUNCTION_SETTINGS = {field.name for field in fields(Function)} - {"handler"}
_NOT_OF_PUSHES = _FUNCTION_SETTINGS - {"function_name"}
# The mapping of a stream has retries and a destination of its own.
_NOT_OF_RULES = _FUNCTION_SETTINGS - {field.name for field in fields(EventRule)}
_NOT_OF_POLLED = _FUNCTION_SETTINGS - {field.name for field in fields(StreamMapping)}


class RunSettings(TypedDict, total=False):
    """How an app is run; what is left out has the default said here. None is the same as left out."""

    endpoint_url: str | None
    """Of another server that speaks for AWS; this and the next two default to AWS' environment and config files."""
    region: str | None
    profile: str | None
    queue_api: QueueApi | None
    """Replaces SQS altogether, as the next two do Kinesis and DynamoDB: the ones of `eventmap.testing`, say."""
    kinesis_api: KinesisApi | None
    dynamodb_api: DynamoDbStreamsApi | None
    leases: str
    """Where checkpoints of streams are: "sqlite" (the default), "dynamodb:TABLE", "memory" for none that last."""
    state: Path | None
    """The SQLite file of leases; .eventmap/state.sqlite."""
    failover_s: float
    """For how long a silent worker keeps its shards, at least 1; 10."""
    http: HttpSettings | None
    """The server of Lambda's and EventBridge's API, and of the endpoints of topics; none."""
    http_api: HttpApiSettings | None
    """Where HTTP routes are served; on a free port, and on virtual time nowhere."""
    events: Path | str | None
    """Where accepted events are until they end: a SQLite file, .eventmap/events.sqlite; "sqs:QUEUE"; "memory", and then
    nothing of the next three is kept either."""
    schedules: Path | str | None
    """Where it is noted which has run when: a SQLite file, .eventmap/schedules.sqlite; "dynamodb:TABLE" for a fleet,
    where each run happens once; "memory"."""
    buses: Path | None
    """The SQLite file of event buses; .eventmap/buses.sqlite."""
    control: Path | None
    """The SQLite file of mappings and functions made by API; .eventmap/control.sqlite."""
    keep_subscriptions: bool
    """Leave subscriptions and their queues in place at the end; False."""
    log: InvocationLog | None
    """Is given START, END and REPORT lines; none are made."""
    drain_budget_s: float | None
    """How long running invocations may take to end; the longest function timeout and 5 s."""


class App:
    """Functions and their event source mappings, declared with decorators or added as plain values."""

    def __init__(self) -> None:
        self._handlers: dict[Handler, dict[str, Any]] = {}
        self._functions: list[Function] = []
        self._mappings: list[tuple[Handler | str, Builder, dict[str, Any]] | AnyMapping] = []

    def function(self, **settings: Any) -> Callable[[H], H]:
        """Give a handler its function settings: `@app.function(timeout=30)`, above or below `@app.sqs(…)`.

        `settings`: any field of `Function` but `handler`. Raises: InvalidParameterValue for any other.
        """
        for name in settings:
            if name not in _FUNCTION_SETTINGS:
                raise InvalidParameterValue(
                    f"{name} is not a setting of a function; known are {', '.join(sorted(_FUNCTION_SETTINGS))}"
                )

        def declare(handler: H) -> H:
            self._handlers.setdefault(handler, {}).update(settings)
            self._check(handler)
            return handler

        return declare

    def sqs(self, queue: str, /, **settings: Any) -> Callable[[H], H]:
        """Map a queue, by name, URL or ARN, to the decorated handler, which is returned unchanged.

        `settings`: any field of `EventSourceMapping` but `event_source_arn`; `function_name` names the function.
        Raises: InvalidParameterValue in AWS' words.
        """
        return self._mapped(mapping_of, {"event_source_arn": queue, **settings})

    def kinesis(self, stream: str, /, **settings: Any) -> Callable[[H], H]:
        """Map a Kinesis stream, by name or ARN, to the decorated handler, which is returned unchanged.

        `settings`: any field of `StreamMapping` but the first two; `starting_position` is required, as in AWS.
        Raises: InvalidParameterValue in AWS' words.
        """
        return self._mapped(stream_mapping_of, {"event_source": "kinesis", "event_source_arn": stream, **settings})

    def dynamodb(self, table: str, /, **settings: Any) -> Callable[[H], H]:
        """Map a table's stream, by the table's name or ARN or the stream's ARN, to the decorated handler.

        `settings` and errors as for `kinesis`.
        """
        return self._mapped(stream_mapping_of, {"event_source": "dynamodb", "event_source_arn": table, **settings})

    def sns(self, topic: str, /, **settings: Any) -> Callable[[H], H]:
        """Subscribe the decorated handler, which is returned unchanged, to a topic, by name or ARN.

        `settings`: any field of `SnsSubscription` but `topic_arn`. Raises: InvalidParameterValue in AWS' words.
        """
        return self._mapped(subscription_of, {"topic_arn": topic, **settings}, _NOT_OF_PUSHES)

    def s3(self, bucket: str, /, **settings: Any) -> Callable[[H], H]:
        """Let a bucket, by name or ARN, notify the decorated handler, which is returned unchanged.

        `settings`: any field of `S3Notification` but `bucket`. Raises: InvalidParameterValue in AWS' words.
        """
        return self._mapped(notification_of, {"bucket": bucket, **settings}, _NOT_OF_PUSHES)

    def schedule(self, expression: str, /, **settings: Any) -> Callable[[H], H]:
        """Invoke the decorated handler, which is returned unchanged, at times: `rate(5 minutes)`, `cron(0 3 * * ? *)`.

        `settings`: any field of `Schedule` but `schedule_expression`. Raises: InvalidParameterValue in AWS' words.
        """
        return self._mapped(schedule_of, {"schedule_expression": expression, **settings}, _NOT_OF_PUSHES)

    def event(self, pattern: Mapping[str, Any] | str, /, **settings: Any) -> Callable[[H], H]:
        """Invoke the decorated handler, which is returned unchanged, with the events of a bus that match the pattern.

        `settings`: any field of `EventRule` but `event_pattern`. Raises: InvalidPattern, InvalidParameterValue.
        """
        return self._mapped(event_rule_of, {"event_pattern": pattern, **settings}, _NOT_OF_RULES)

    def http(self, route: str, /, **settings: Any) -> Callable[[H], H]:
        """Let the decorated handler, which is returned unchanged, answer requests: `GET /orders/{id}`, `$default`.

        `settings`: any field of `HttpRoute` but `route`. Raises: InvalidParameterValue.
        """
        return self._mapped(http_route_of, {"route": route, **settings}, _NOT_OF_PUSHES)

    def _mapped(
        self, build: Builder, settings: dict[str, Any], of_functions: Container[str] = _NOT_OF_POLLED
    ) -> Callable[[H], H]:
        for name in settings:
            if name in of_functions:
                raise InvalidParameterValue(f"{name} is a setting of the function: write @app.function({name}=…)")
        built = build({"function_name": "checked-later", **settings})

        def declare(handler: H) -> H:
            declared = self._handlers.setdefault(handler, {})
            if "function_name" in settings:
                declared["function_name"] = settings["function_name"]
            self._check(handler)
            reporting = _response_types(handler)
            if reporting and not isinstance(built, Polled):
                raise InvalidParameterValue(f"{default_name(handler)} is made with @each_record, {NO_PARTIAL_ANSWER}")
            self._mappings.append((handler, build, {**reporting, **settings}))
            return handler

        return declare

    def add(self, function: Function, *mappings: AnyMapping) -> None:
        """Add plain values. Raises: ConfigurationError if a mapping names another function."""
        for mapping in mappings:
            if mapping.function_name != function.function_name:
                raise ConfigurationError(
                    f"mapping of {source_of(mapping)!r} is for function {mapping.function_name!r}, "
                    f"not {function.function_name!r}"
                )
        self._functions.append(function)
        self._mappings.extend(mappings)

    def functions(self, *, isolation: Isolation = "inline", **overrides: Any) -> tuple[Function, ...]:
        """What was declared. `isolation` is for functions that do not name one; `overrides` replace any other field."""
        declared = [
            _function(handler, {"isolation": isolation, **settings, **overrides})
            for handler, settings in self._handlers.items()
        ]
        return (*declared, *self._functions)

    def mappings(self) -> tuple[AnyMapping, ...]:
        """What was declared, in that order."""
        mappings = []
        for declared in self._mappings:
            if isinstance(declared, tuple):
                handler, build, settings = declared
                declared = build({**settings, "function_name": self._name_of(handler)})
            mappings.append(declared)
        return tuple(mappings)

    @asynccontextmanager
    async def running(self, **settings: Unpack[RunSettings]) -> AsyncIterator[Running]:
        """Poll, serve and invoke for the length of the block, then drain. Takes over no signal handler and no logging.

        Raises: ConfigurationError, SourceError and StateError before anything is received.
        """
        from eventmap import service

        async with service.running(self.functions(), self.mappings(), _service_settings(settings)) as running:
            yield running

    def _check(self, handler: Handler) -> None:
        """Refuse wrong settings where they are written, not where the app is started."""
        settings = self._handlers[handler]
        name = _function(handler, settings | {"isolation": settings.get("isolation", "process")}).function_name
        for other in self._handlers:
            if other is not handler and self._name_of(other) == name:
                raise ConfigurationError(f"two handlers are called {name!r}: give one a function_name of its own")

    def _name_of(self, handler: Handler | str) -> str:
        if isinstance(handler, str):
            return handler
        return str(self._handlers[handler].get("function_name") or default_name(handler))


def _service_settings(given: RunSettings) -> Settings:
    from eventmap import service
    from eventmap.aws.session import AwsSettings
    from eventmap.rules.leases import FAILOVER_S, LeaseSettings

    return service.Settings(
        aws=AwsSettings(given.get("endpoint_url"), given.get("region"), given.get("profile")),
        queue_api=given.get("queue_api"),
        kinesis_api=given.get("kinesis_api"),
        dynamodb_api=given.get("dynamodb_api"),
        leases=given.get("leases", "sqlite"),
        state=given.get("state"),
        lease_settings=LeaseSettings(given.get("failover_s", FAILOVER_S)),
        http=given.get("http"),
        http_api=given.get("http_api"),
        **_kept("events", given.get("events")),
        **_kept("schedules", given.get("schedules")),
        buses_file=given.get("buses"),
        control_file=given.get("control"),
        keep_subscriptions=given.get("keep_subscriptions", False),
        log=given.get("log") or service.Silent(),
        drain_budget_s=given.get("drain_budget_s"),
    )


def _kept(name: str, where: Path | str | None) -> dict[str, Any]:
    """Of the settings: text says in what kind of place something is, a path in which file."""
    return {name: where} if isinstance(where, str) else {f"{name}_file": where}


def source_of(mapping: AnyMapping) -> str:
    """What a mapping is of, as the user wrote it."""
    match mapping:
        case EventSourceMapping() | StreamMapping():
            return mapping.event_source_arn
        case SnsSubscription():
            return mapping.topic_arn
        case S3Notification():
            return mapping.bucket
        case Schedule():
            return mapping.schedule_expression
        case EventRule():
            return mapping.rule_name
        case HttpRoute():
            return mapping.route


def _response_types(handler: Handler) -> dict[str, Any]:
    """What a handler made by `each_record` wants of its mapping; a setting given to `sqs` goes before it."""
    marked = getattr(handler, RESPONSE_TYPES_MARK, None)
    return {} if marked is None else {"function_response_types": marked}


def _function(handler: Handler, settings: Mapping[str, Any]) -> Function:
    return Function(**{"function_name": default_name(handler), **settings, "handler": handler})


def default_name(handler: Handler) -> str:
    """The function name of a handler that was given none: its own, made fit for AWS (INV-87)."""
    name = getattr(handler, "__name__", type(handler).__name__)
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", name).strip("-")[:64] or "function"

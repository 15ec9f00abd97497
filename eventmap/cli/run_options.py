"""What `eventmap run` was asked for, as one plain value that also travels to its workers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventmap.cli.failure import Misuse
from eventmap.cli.instant import epoch_seconds
from eventmap.cli.mappings import Kind
from eventmap.function import Isolation
from eventmap.http_route import DEFAULT as EVERY_REQUEST
from eventmap.shard import TRIM_HORIZON

OPTIONS_OF: Final[Mapping[Kind, str]] = {
    "sqs": "sqs",
    "kinesis": "kinesis",
    "dynamodb": "dynamodb",
    "sns": "sns",
    "s3": "s3",
    "schedule": "schedule",
    "event": "event_pattern",
}
"""The option that names sources of each kind; a route of --http-api has none."""

SOURCES: Final = tuple(OPTIONS_OF.values())
SHARED_SETTINGS: Final = ("batch_size", "maximum_batching_window_in_seconds")
QUEUE_SETTINGS: Final = ("maximum_concurrency",)
STREAM_SETTINGS: Final = (
    "starting_position",
    "starting_position_timestamp",
    "parallelization_factor",
    "maximum_record_age_in_seconds",
    "bisect_batch_on_function_error",
    "tumbling_window_in_seconds",
)
TOPIC_SETTINGS: Final = ("filter_policy", "filter_policy_scope")
BUCKET_SETTINGS: Final = ("s3_events", "s3_prefix", "s3_suffix")
FAILURE_SETTINGS: Final = ("maximum_retry_attempts", "on_failure")  # of streams and of asynchronous events
EVENT_SETTINGS: Final = ("maximum_event_age_in_seconds", "on_success", "dead_letter")
SCHEDULE_SETTINGS: Final = ("schedule_timezone",)
RULE_SETTINGS: Final = ("bus", "bus_bucket")
HTTP_SETTINGS: Final = ("http_format",)
LISTENER_SETTINGS: Final = ("host", "public_url")
SERVER_SETTINGS: Final = ("allow_anonymous",)
_REPEATABLE: Final = ("targets", *SOURCES, "filter", "s3_events", "bus_bucket")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options, by their names on the command line; None and () = not given."""

    targets: tuple[str, ...] = ()
    sqs: tuple[str, ...] = ()
    kinesis: tuple[str, ...] = ()
    dynamodb: tuple[str, ...] = ()
    sns: tuple[str, ...] = ()
    s3: tuple[str, ...] = ()
    schedule: tuple[str, ...] = ()
    event_pattern: tuple[str, ...] = ()
    http_api: int | None = None  #: the port of HTTP routes
    batch_size: int | None = None
    maximum_batching_window_in_seconds: int | None = None
    maximum_concurrency: int | None = None
    filter: tuple[str, ...] = ()
    report_batch_item_failures: bool | None = None
    starting_position: str | None = None
    starting_position_timestamp: float | None = None  #: epoch seconds
    parallelization_factor: int | None = None
    maximum_retry_attempts: int | None = None
    maximum_record_age_in_seconds: int | None = None
    bisect_batch_on_function_error: bool | None = None
    tumbling_window_in_seconds: int | None = None
    filter_policy: str | None = None
    filter_policy_scope: str | None = None
    s3_events: tuple[str, ...] = ()
    s3_prefix: str | None = None
    s3_suffix: str | None = None
    schedule_timezone: str | None = None
    bus: str | None = None
    bus_bucket: tuple[str, ...] = ()
    http_format: str | None = None
    keep_subscriptions: bool = False
    maximum_event_age_in_seconds: int | None = None
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter: str | None = None
    timeout: int | None = None
    memory_size: int | None = None
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    isolation: Isolation | None = None
    http: int | None = None  #: the port to serve on
    serves: bool = False  #: it is `eventmap serve`, which needs no sources
    host: str | None = None
    public_url: str | None = None
    allow_anonymous: bool = False
    access_keys: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)  #: never typed
    local: bool = False
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    config: str | None = None
    until_empty: bool = False
    until_caught_up: bool = False
    leases: str | None = None
    state: str | None = None
    failover_seconds: float | None = None
    events: str | None = None
    schedule_state: str | None = None
    buses: str | None = None
    control: str | None = None
    send: str | None = None
    workers: int = 1
    watch: bool = False
    drain_seconds: float | None = None
    log_format: str = "auto"
    verbose: bool = False
    emulator_url: str | None = None  #: set by the supervisor: the embedded emulator it already runs, queues and all
    replay_from: str | None = None  #: set by `eventmap replay`: feed history from here, checkpoints left alone
    replay_shard: str | None = None

    @classmethod
    def given(cls, **typed: Any) -> RunOptions:
        """From what typer read. Raises: Misuse."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in typed.items()
        }
        for name in _REPEATABLE:
            plain[name] = plain.get(name) or ()
        plain["env"] = variables(plain["env"] or ())
        for name in ("isolation", "log_format", "starting_position", "filter_policy_scope", "http_format"):
            plain[name] = None if plain.get(name) is None else str(plain[name])
        plain["log_format"] = plain["log_format"] or "auto"
        timestamp = plain.get("starting_position_timestamp")
        if timestamp is not None:
            plain["starting_position_timestamp"] = epoch_seconds(timestamp, "--starting-position-timestamp")
        return cls(**plain)

    @property
    def named_targets(self) -> tuple[tuple[str | None, str], ...]:
        """(name or None, target) of each, from `[NAME=]TARGET`."""
        return tuple(_split_target(text) for text in self.targets)

    @property
    def sources(self) -> tuple[tuple[Kind, str], ...]:
        """(kind, what names it) of each source given; of --http-api every request there is."""
        given: list[tuple[Kind, str]] = [
            (kind, each) for kind, option in OPTIONS_OF.items() for each in getattr(self, option)
        ]
        if self.http_api is not None:
            given.append(("http", EVERY_REQUEST))
        return tuple(given)

    def settings_of(self, kind: Kind) -> dict[str, Any]:
        """The settings of each mapping of that kind that were given, by their names in the mapping; its source not.

        Where a stream's shard is begun is settled with `--local`: the emulator's streams begin with the run.
        """
        match kind:
            case "sqs":
                return self._polled_settings | self._given(QUEUE_SETTINGS)
            case "sns":
                return self._given(TOPIC_SETTINGS)
            case "s3":
                given = self._given(BUCKET_SETTINGS)
                return {name.removeprefix("s3_"): value for name, value in given.items()}
            case "schedule":
                return _renamed(self._given(SCHEDULE_SETTINGS), "schedule_timezone", "schedule_expression_timezone")
            case "event":
                rule = _renamed(self._given(RULE_SETTINGS), "bus", "event_bus_name")
                return _renamed(rule, "bus_bucket", "buckets")
            case "http":
                return _renamed(self._given(HTTP_SETTINGS), "http_format", "payload_format")
            case "kinesis" | "dynamodb":
                settings = self._polled_settings | self._given((*STREAM_SETTINGS, "maximum_retry_attempts"))
                if self.on_failure is not None:
                    settings["destination_config"] = {"OnFailure": {"Destination": self.on_failure}}
                if self.local:
                    settings.setdefault("starting_position", TRIM_HORIZON)
                return settings

    @property
    def has_streams(self) -> bool:
        """Streams were given; an App or a file may have more."""
        return bool(self.kinesis or self.dynamodb)

    @property
    def has_pushes(self) -> bool:
        """What accepts asynchronous events was given; an App or a file may have more."""
        return self.http is not None or bool(self.sns or self.s3 or self.schedule or self.event_pattern)

    def given_among(self, names: Iterable[str]) -> list[str]:
        """Those of these options that were given, as they are typed."""
        return [f"--{name.replace('_', '-')}" for name in self._given(names)]

    def _given(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name)) != _DEFAULTS[name]}

    @property
    def _polled_settings(self) -> dict[str, Any]:
        settings = self._given(SHARED_SETTINGS)
        if self.filter:
            settings["filter_criteria"] = {"Filters": [{"Pattern": text} for text in self.filter]}
        if self.report_batch_item_failures is not None:
            settings["function_response_types"] = (
                ("ReportBatchItemFailures",) if self.report_batch_item_failures else ()
            )
        return settings

    def function_settings(self, *, takes_events: bool) -> dict[str, Any]:
        """The settings for every function that were given, by their names in `Function`; not its environment.

        What becomes of asynchronous events is left out for one that `takes_events` not.
        """
        settings = self._given(("timeout", "memory_size", "isolation"))
        if not takes_events:
            return settings
        settings |= self._given(("maximum_retry_attempts", "maximum_event_age_in_seconds"))
        outcomes = {"OnSuccess": self.on_success, "OnFailure": self.on_failure}
        if config := {outcome: {"Destination": arn} for outcome, arn in outcomes.items() if arn is not None}:
            settings["destination_config"] = config
        if self.dead_letter is not None:
            settings["dead_letter_config"] = {"TargetArn": self.dead_letter}
        return settings

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunOptions:
        """What `to_json` wrote."""
        document: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()
        }
        return cls(**document)


_DEFAULTS: Final = {field.name: field.default for field in dataclasses.fields(RunOptions)}


def _renamed(settings: dict[str, Any], option: str, field: str) -> dict[str, Any]:
    """With the name that a setting has in its mapping."""
    return {field if name == option else name: value for name, value in settings.items()}


def _split_target(text: str) -> tuple[str | None, str]:
    """A path may hold an equals sign: what is in front of it is a name unless it cannot be one."""
    name, equals, target = text.partition("=")
    return (name, target) if equals and not {":", "/", "."} & set(name) else (None, text)


def variables(given: tuple[str, ...] | list[str]) -> dict[str, str]:
    """`K=V` texts as a mapping; the value may hold more `=`. Raises: Misuse."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Misuse(f"--env {text!r} is not of the form NAME=VALUE")
        found[name] = value
    return found

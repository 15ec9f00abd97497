"""Where a service runs, what it asks, and how it stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from eventmap.aws.session import AwsSettings
from eventmap.delivery.stream.ports import LeaseStore, OnFailure
from eventmap.errors import ConfigurationError
from eventmap.rules.leases import LeaseSettings
from eventmap.runtime.report import InvocationLog
from eventmap.sources.dynamodb import DynamoDbStreamsApi
from eventmap.sources.kinesis import KinesisApi
from eventmap.sources.sqs import QueueApi

if TYPE_CHECKING:
    from eventmap.delivery.asynchronous.ends import Target
    from eventmap.delivery.asynchronous.ports import EventStore
    from eventmap.delivery.bus.ports import BusStore
    from eventmap.delivery.schedule.ports import Positions
    from eventmap.pointers import ObjectReader
    from eventmap.receivers.bucket_api import BucketApi
    from eventmap.receivers.topic_api import TopicApi

STATE_PATH: Final = Path(".eventmap", "state.sqlite")
EVENTS_PATH: Final = Path(".eventmap", "events.sqlite")
SCHEDULES_PATH: Final = Path(".eventmap", "schedules.sqlite")
BUSES_PATH: Final = Path(".eventmap", "buses.sqlite")
CONTROL_PATH: Final = Path(".eventmap", "control.sqlite")
LEASES_IN_TABLE: Final = "dynamodb:"
EVENTS_IN_SQS: Final = "sqs:"


class Silent:
    """The invocation log nobody reads."""

    enabled = False

    def line(self, function_name: str, request_id: str, text: str) -> None:
        """Never called while `enabled` is False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The server of the Lambda-compatible API and of the receivers. Raises: ConfigurationError."""

    host: str = "127.0.0.1"
    """The address it listens on. One beyond this machine needs `access_keys`, or `allow_anonymous`."""

    port: int = 0
    """0 = any that is free; `running.url` tells which."""

    public_url: str | None = None
    """How SNS reaches this server, such as `https://hooks.example.com`; None = it does not, unless both are local."""

    access_keys: Mapping[str, str] = field(default_factory=dict)
    """Secret access keys by access key id: callers of the API must sign with one; {} = nobody is asked to."""

    allow_anonymous: bool = False
    """Listen beyond this machine without asking callers of the API who they are."""

    def __post_init__(self) -> None:
        _check_port(self.port)
        if self.host not in ("127.0.0.1", "::1", "localhost") and not (self.access_keys or self.allow_anonymous):
            raise ConfigurationError(
                f"listening on {self.host} lets other machines invoke the functions: give access keys that callers "
                "must sign with, or allow anonymous callers in so many words"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApiSettings:
    """The listener of HTTP routes, beside the server of the Lambda API. Raises: ConfigurationError."""

    host: str = "127.0.0.1"
    """The address it listens on: whoever reaches that may send requests."""

    port: int = 0
    """0 = any that is free; `running.http_api_url` tells which."""

    public_hosts: frozenset[str] | None = frozenset()
    """Names, in lower case and without port, it is reached under besides `localhost` and addresses; None = any, which
    lets a web page reach a machine's own server under a name of the page's (DNS rebinding)."""

    def __post_init__(self) -> None:
        _check_port(self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything has a default."""

    aws: AwsSettings = field(default_factory=AwsSettings)
    queue_api: QueueApi | None = None
    """Ask this instead of AWS: the in-memory queue of `eventmap.testing`, or one of your own."""

    kinesis_api: KinesisApi | None = None
    """The same for Kinesis."""

    dynamodb_api: DynamoDbStreamsApi | None = None
    """The same for tables and their streams."""

    leases: str = "sqlite"
    """Where leases and checkpoints of streams are: "sqlite" (one machine), "dynamodb:TABLE" (many), "memory" (none)."""

    state: Path | None = None
    """The SQLite file; None = `.eventmap/state.sqlite` in the current folder."""

    lease_store: Callable[[str], LeaseStore] | None = None
    """Ask this instead, for each mapping's application by its name: the lease table of `eventmap.testing`."""

    on_failure: Callable[[str], OnFailure] | None = None
    """Send reports of discarded batches there instead of to the ARN given."""

    lease_settings: LeaseSettings = field(default_factory=LeaseSettings)
    """How soon a worker that says nothing loses its shards (STR-180)."""

    http: HttpSettings | None = None
    """The server for pushes and for callers of the API; None = none."""

    events: str = "sqlite"
    """Where accepted asynchronous events are: "sqlite" (a file), "sqs:QUEUE" (a fleet's), "memory" (none survives)."""

    events_file: Path | None = None
    """The SQLite file of the events; None = `.eventmap/events.sqlite` in the current folder."""

    event_store: EventStore | None = None
    """With events in memory: keep them here, so that a test can look at them and a second service find them."""

    schedules: str = "sqlite"
    """Where it is noted which schedule has run when: "sqlite" (a file), "dynamodb:TABLE" (a fleet's, where each run
    happens once), "memory" (a restart begins anew). With events in memory "sqlite" is in memory, too."""

    schedule_positions: Positions | None = None
    """Note it there instead: the positions of `eventmap.testing`, or a store that a second service finds again."""

    schedules_file: Path | None = None
    """The SQLite file of them; None = `.eventmap/schedules.sqlite` in the current folder."""

    bus_store: BusStore | None = None
    """Keep event buses there instead."""

    buses_file: Path | None = None
    """The SQLite file of event buses: rules, archives, and, in one beside it, what is still to be delivered; None =
    `.eventmap/buses.sqlite` in the current folder. With events in memory nothing is kept."""

    control_file: Path | None = None
    """The SQLite file of the mappings and functions made by API; None = `.eventmap/control.sqlite` in the current
    folder. With events in memory nothing is kept."""

    http_api: HttpApiSettings | None = None
    """The listener of HTTP routes; None = a free port, if any route is declared. On virtual time None = nobody
    listens, for an open socket would hold the clock."""

    targets: Callable[[str], Target] | None = None
    """Tell ends of asynchronous events there instead of at the ARN given."""

    topic_api: TopicApi | None = None
    """Ask this instead of SNS: the in-memory one of `eventmap.testing`."""

    bucket_api: BucketApi | None = None
    """The same for S3."""

    object_reader: ObjectReader | None = None
    """The same for the objects that pointers lead to."""

    pushes_over: Literal["auto", "queue"] = "auto"
    """How topics deliver: "auto" = over HTTP where they can reach the server, else over a queue of our own; "queue"."""

    keep_subscriptions: bool = False
    """Leave subscriptions and bucket notifications, and the queues they feed, in place at the end."""

    log: InvocationLog = field(default_factory=Silent)
    """Takes the START, END and REPORT lines, and what handlers print under process isolation."""

    drain_budget_s: float | None = None
    """How long running invocations may take to end at the stop; None = the longest function timeout + 5 s."""

    extra_environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for child processes, below the function's own."""

    warm: bool = False
    """Init an environment of each function before anything is received; raises FunctionNotInitialized."""

    def __post_init__(self) -> None:
        if self.events not in ("sqlite", "memory") and not self.events.removeprefix(EVENTS_IN_SQS).strip():
            raise ConfigurationError("events in SQS need a queue: write sqs:QUEUE")
        if self.events not in ("sqlite", "memory") and not self.events.startswith(EVENTS_IN_SQS):
            raise ConfigurationError(f"events can be in sqlite, memory or sqs:QUEUE, not {self.events!r}")
        if self.events_file is not None and self.events != "sqlite":
            raise ConfigurationError(f"an event file is for events in sqlite, and they are in {self.events}")
        if self.schedules not in ("sqlite", "memory") and not self.schedule_table:
            raise ConfigurationError(f"schedules can be in sqlite, memory or dynamodb:TABLE, not {self.schedules!r}")
        if self.schedules_file is not None and self.schedules != "sqlite":
            raise ConfigurationError(f"a schedule file is for schedules in sqlite, and they are in {self.schedules}")
        if self.leases not in ("sqlite", "memory") and not self.leases.removeprefix(LEASES_IN_TABLE).strip():
            raise ConfigurationError("leases in DynamoDB need a table: write dynamodb:TABLE")
        if self.leases not in ("sqlite", "memory") and not self.leases.startswith(LEASES_IN_TABLE):
            raise ConfigurationError(f"leases can be in sqlite or dynamodb:TABLE, not {self.leases!r}")
        if self.state is not None and self.leases != "sqlite":
            raise ConfigurationError(f"a state file is for leases in sqlite, and they are in {self.leases}")

    @property
    def event_queue(self) -> str | None:
        """The SQS queue of accepted events, by name, ARN or URL; None = they are on this machine."""
        return self.events.removeprefix(EVENTS_IN_SQS) if self.events.startswith(EVENTS_IN_SQS) else None

    @property
    def lease_table(self) -> str | None:
        """The DynamoDB table of the leases; None = they are on this machine."""
        return self.leases.removeprefix(LEASES_IN_TABLE) if self.leases.startswith(LEASES_IN_TABLE) else None

    @property
    def schedule_table(self) -> str | None:
        """The DynamoDB table of a fleet's schedules; None = each worker runs all of its own."""
        is_table = self.schedules.startswith(LEASES_IN_TABLE)
        return self.schedules.removeprefix(LEASES_IN_TABLE).strip() or None if is_table else None

    @property
    def is_forgetful(self) -> bool:
        """Whether what is accepted, scheduled, put on buses and made by API is in memory only."""
        return self.events == "memory"


def _check_port(port: int) -> None:
    if not 0 <= port <= 65_535:
        raise ConfigurationError(f"port must be 0 to 65535, not {port}")

"""A mapping of a stream, from its declaration to its loop: the stream, its leases, where its reports go."""

from __future__ import annotations

import json
import os
import random
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eventmap import telemetry
from eventmap.aws.arn import StreamReference, parse_stream
from eventmap.aws.on_failure import open_destination
from eventmap.clock import utc_now, wall_time_s
from eventmap.delivery.slots import FunctionSlots, MappingSlots
from eventmap.delivery.stream.loop import Application, StreamLoop
from eventmap.delivery.stream.ports import LeaseStore, OnFailure
from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.function import Function
from eventmap.model import JsonObject
from eventmap.rules import configuration
from eventmap.rules.filtering import RecordFilter, filter_for
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.service.addressed import addressed, addressed_arn
from eventmap.service.connections import Connections, patiently
from eventmap.service.settings import STATE_PATH, Settings
from eventmap.sources.dynamodb import DynamoDbSource, DynamoDbStreamsApi, TableStreamDescription, describe_dynamodb
from eventmap.sources.kinesis import KinesisSource, StreamDescription, describe_kinesis
from eventmap.state.dynamodb import DynamoDbLeases
from eventmap.state.sqlite import SqliteLeases
from eventmap.stream_mapping import StreamMapping

_log = telemetry.logger("eventmap.service")

FUNCTION_IN_TABLE_NAME = "{function}"
TABLE_CHECKPOINT_INTERVAL_S = 1.0  # each is a paid write; a crash repeats at most so much of a shard's work
TABLE_RETENTION_S = 86_400.0  # STR-144

Source = KinesisSource | DynamoDbSource
Description = StreamDescription | TableStreamDescription


@dataclass(frozen=True, slots=True)
class PreparedStream:
    """Checked against the stream itself and its leases; nothing has been read."""

    mapping: StreamMapping
    function: Function
    stream: Description
    application: Application
    filters: RecordFilter
    on_failure: OnFailure | None
    retention_s: float
    dice: random.Random

    @property
    def arn(self) -> str:
        return self.stream.arn

    @property
    def region(self) -> str:
        return self.stream.region

    @property
    def already_exists(self) -> str:
        """AWS' words for a second mapping of the same pair (STR-17)."""
        return configuration.stream_already_exists(self.arn, self.function.function_name)

    def running(self, runtime: FunctionRuntime, slots: Mapping[str, FunctionSlots]) -> RunningStream:
        share = slots[self.function.function_name].share()
        loop = StreamLoop(
            self.mapping,
            self.application,
            addressed(runtime, self.mapping.function_name),
            function_arn=addressed_arn(runtime, self.mapping.function_name),
            slots=share,
            passes=self.filters.passes if self.mapping.patterns else None,
            on_failure=self.on_failure,
            retention_s=self.retention_s,
            dice=self.dice,
        )
        return RunningStream(loop, self.stream, self.function, share)


@dataclass(frozen=True, slots=True)
class RunningStream:
    """A stream being read."""

    loop: StreamLoop
    stream: Description
    function: Function
    slots: MappingSlots  #: its share of the function's

    @property
    def arn(self) -> str:
        return self.stream.arn

    def configuration(self) -> JsonObject:
        return configuration.created_stream(self.loop.mapping, self.arn, self.function.function_name, utc_now())


class StreamPreparation:
    """What the mapped streams of one service share: connections, sources, the worker's name."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        stack: AsyncExitStack,
        mappings: Sequence[StreamMapping],
        *,
        create: bool = True,
    ) -> None:
        """`create` False = a state file or lease table that does not exist is not made."""
        self._settings = settings
        self._connections = connections
        self._stack = stack
        self._mappings = mappings
        self._create = create or settings.leases == "memory"  # whose file is always a new one
        # Never used again: another run may have the process id, and even the dice, but not the time as well.
        started_at = f"{round(wall_time_s() * 1000):x}-{random.getrandbits(32):08x}"
        self._worker = f"{socket.gethostname()}-{os.getpid()}-{started_at}"
        self._dice = random.Random(started_at)
        self._opened: Counter[str] = Counter()  # applications, by their name
        self._sources: dict[str, Source] = {}
        self._files: dict[str, SqliteLeases] = {}
        self._scratch: Path | None = None

    async def prepare(self, mapping: StreamMapping, function: Function) -> PreparedStream:
        """Raises: ConfigurationError, SourceError, StateError."""
        filters = _filters(mapping)
        if filters.unusual_keys:
            _log.warning(telemetry.FILTER_UNUSUAL, mapping=mapping.event_source_arn, keys=list(filters.unusual_keys))
        described, application = await self.open(mapping)
        on_failure = None
        if mapping.on_failure is not None:
            on_failure = await self._destination(mapping.on_failure, described, function)
        retention_s = TABLE_RETENTION_S
        if isinstance(described, StreamDescription):
            retention_s = described.retention_hours * 3600.0
        return PreparedStream(mapping, function, described, application, filters, on_failure, retention_s, self._dice)

    async def check(self, mapping: StreamMapping, function: Function) -> str:
        """The ARN of a stream that is mapped while the service runs, after what `prepare` would refuse.

        Its leases are not looked at. Raises: as `prepare`.
        """
        if self._settings.lease_table is not None:
            raise ConfigurationError(
                f"leases are in the table {self._settings.lease_table!r}, which serves streams mapped from the "
                "start: declare this mapping in code, or keep leases in sqlite"
            )
        _filters(mapping)
        described = await self._describe(mapping)
        if mapping.on_failure is not None:
            await self._destination(mapping.on_failure, described, function)
        return described.arn

    async def forget(self, mapping: StreamMapping) -> None:
        """Drop the leases of the mapping's application, which nobody works on now: its checkpoints are gone.

        Raises: ConfigurationError, SourceError, StateError.
        """
        described = await self._describe(mapping)
        prefix = self._prefix(mapping, described)
        store = await self._store(mapping, described)
        for lease in (await store.scan()).leases:
            if lease.key.startswith(prefix):
                await store.delete(lease)

    async def open(self, mapping: StreamMapping) -> tuple[Description, Application]:
        """The stream, and this worker's part in it. Raises: ConfigurationError, SourceError, StateError."""
        described = await self._describe(mapping)
        prefix = self._prefix(mapping, described)
        store = await self._store(mapping, described)
        if described.identity not in self._sources:
            region = _reference(mapping).region
            if isinstance(described, StreamDescription):
                api = await self._connections.for_kinesis(region)
                self._sources[described.identity] = KinesisSource(api, described)
            else:
                tables = await self._connections.for_dynamodb(region)
                async for attempt in patiently():
                    with attempt:
                        self._sources[described.identity] = await _table_source(tables, described, store, prefix)
        in_table = self._settings.lease_table is not None and self._settings.lease_store is None
        return described, Application(
            source=self._sources[described.identity],
            store=store,
            worker=self._worker_of(_application_name(mapping.function_name, described)),
            stream=described.identity,
            prefix=prefix,
            leases=self._settings.lease_settings,
            checkpoint_interval_s=TABLE_CHECKPOINT_INTERVAL_S if in_table else 0.0,
        )

    def _worker_of(self, application: str) -> str:
        """This process; but a mapping that was stopped and is started again is another worker."""
        self._opened[application] += 1
        times = self._opened[application]
        return self._worker if times == 1 else f"{self._worker}-{times}"

    async def functions(self, mapping: StreamMapping) -> tuple[str, ...]:
        """Those with leases on the mapping's stream in the state file, whatever function it names itself.

        Raises: ConfigurationError, SourceError, StateError.
        """
        suffix = _application_name("", await self._describe(mapping))
        store = await self._sqlite(suffix)
        return tuple(name.removesuffix(suffix) for name in await store.applications() if name.endswith(suffix))

    async def _describe(self, mapping: StreamMapping) -> Description:
        reference = _reference(mapping)
        described: Description
        async for attempt in patiently():
            with attempt:
                if mapping.event_source == "kinesis":
                    api = await self._connections.for_kinesis(reference.region)
                    described = await describe_kinesis(api, reference.stream_arn or reference.name)
                else:
                    tables = await self._connections.for_dynamodb(reference.region)
                    described = await describe_dynamodb(tables, reference.stream_arn or reference.name)
        return described

    async def _destination(self, arn: str, described: Description, function: Function) -> OnFailure:
        if self._settings.on_failure is not None:
            return self._settings.on_failure(arn)
        identifier = configuration.mapping_uuid(described.arn, function.function_name)
        destination = await self._stack.enter_async_context(
            open_destination(self._settings.aws, arn, mapping_uuid=identifier)
        )
        async for attempt in patiently():
            with attempt:
                await destination.check()
        return destination

    def _prefix(self, mapping: StreamMapping, described: Description) -> str:
        """In a table that several streams of one function share, leases carry the stream's name (STR-160)."""
        streams = [each for each in self._mappings if each.function_name == mapping.function_name]
        if self._settings.lease_table is None or len(streams) < 2:
            return ""
        if isinstance(described, StreamDescription):
            return f"{described.account}:{described.name}:{int(described.created_at)}:"
        return f"{described.account}:{described.table}:0:"

    async def _store(self, mapping: StreamMapping, described: Description) -> LeaseStore:
        settings = self._settings
        name = _application_name(mapping.function_name, described)
        if settings.lease_store is not None:
            return settings.lease_store(name)
        if settings.lease_table is not None:
            return await self._table(settings.lease_table, mapping, described)
        return await self._sqlite(name)

    async def _sqlite(self, name: str) -> SqliteLeases:
        if name in self._files:
            return self._files[name]
        self._files[name] = store = SqliteLeases(self._file(), name)
        self._stack.push_async_callback(store.aclose)
        await store.prepare(create=self._create)
        return store

    async def _table(self, table: str, mapping: StreamMapping, described: Description) -> DynamoDbLeases:
        if len({each.function_name for each in self._mappings}) > 1 and FUNCTION_IN_TABLE_NAME not in table:
            raise ConfigurationError(
                f"lease table {table!r} serves one function, and streams of several are mapped: "
                f"write dynamodb:{table}-{FUNCTION_IN_TABLE_NAME}, which makes one table for each"
            )
        tables = await self._connections.for_leases(described.region)
        store = DynamoDbLeases(tables, table.replace(FUNCTION_IN_TABLE_NAME, mapping.function_name))
        await store.prepare(create=self._create)
        return store

    def _file(self) -> Path:
        if self._settings.leases != "memory":
            return self._settings.state or STATE_PATH
        if self._scratch is None:
            self._scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="eventmap-")))
        return self._scratch / "state.sqlite"


@asynccontextmanager
async def open_application(
    settings: Settings, mapping: StreamMapping, *, create: bool = False
) -> AsyncIterator[tuple[Description, Application]]:
    """One mapping's stream and leases, to look at or to mend; nothing is read and nobody announced.

    `create` True = make the state file or lease table if there is none.
    Raises: ConfigurationError, SourceError, StateError; StateNotFound if there is none to open.
    """
    async with AsyncExitStack() as stack:
        preparation = StreamPreparation(settings, Connections(settings, stack), stack, [mapping], create=create)
        yield await preparation.open(mapping)


async def recorded_functions(settings: Settings, mapping: StreamMapping) -> tuple[str, ...]:
    """The functions that have leases on the mapping's stream in the state file; which one it names does not matter.

    For leases in sqlite: a lease table does not know whose it is.
    Raises: ConfigurationError, SourceError, StateError; StateNotFound if there is no such file.
    """
    async with AsyncExitStack() as stack:
        preparation = StreamPreparation(settings, Connections(settings, stack), stack, [mapping], create=False)
        return await preparation.functions(mapping)


def _filters(mapping: StreamMapping) -> RecordFilter:
    """Raises: InvalidParameterValue, for a pattern, or a beginning in the future (STR-04)."""
    at = mapping.starting_position_timestamp
    if at is not None and at > wall_time_s():
        raise InvalidParameterValue(f"startingPositionTimestamp {at} is in the future (STR-04)")
    return filter_for(
        mapping.event_source,
        [text if isinstance(text, str) else json.dumps(text) for text in mapping.patterns],
        maximum_filters=mapping.filter_quota,
    )


def _reference(mapping: StreamMapping) -> StreamReference:
    return parse_stream(mapping.event_source_arn, mapping.event_source)


def _application_name(function_name: str, described: Description) -> str:
    """Under which the function's leases on the stream are kept in a state file."""
    return f"{function_name} on {described.identity}"


async def _table_source(
    api: DynamoDbStreamsApi, described: TableStreamDescription, store: LeaseStore, prefix: str
) -> DynamoDbSource:
    """The source of a table's stream; with the table's older streams, if this application has read any of them.

    They may not be read out, and if they are, the newest is known to follow them only while they are listed.
    """
    if not described.follows_table or not any(lease.key.startswith(prefix) for lease in (await store.scan()).leases):
        return DynamoDbSource(api, described)
    return DynamoDbSource(api, described, older_streams=await api.list_streams(described.table))

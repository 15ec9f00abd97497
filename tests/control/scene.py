"""What the tests of mappings share: pollers that say what was asked of them, behind the API or by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from eventmap.control.mapping_routes import mapping_routes
from eventmap.control.mappings import ControlledMappings, DeclaredMapping
from eventmap.control.ports import ControlStore, PolledMapping
from eventmap.control.refused import refused_routes
from eventmap.control.tags import tag_routes
from eventmap.errors import InvalidParameterValue, StreamNotFound
from eventmap.rules.configuration import NO_RECORDS_PROCESSED, stream_not_found
from eventmap.server.app import ServerApp
from eventmap.server.lambda_api import LambdaApi
from eventmap.server.serving import bind, serving, url_of
from eventmap.server.settings import ServerLimits, ServerSettings
from eventmap.server.statistics import ServerStatistics
from eventmap.state.control_memory import MemoryControl
from tests.server.scene import ACCOUNT, REGION, Accepted, Scene

LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"
FIFO = f"{QUEUE}.fifo"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-01-01T00:00:00.000"
SOURCES = (QUEUE, FIFO, STREAM, TABLE)


@dataclass
class Pollers:
    """Polls nothing, and remembers; `errors` are raised by the calls of that name, one each, instead of an answer."""

    there: set[str] = field(default_factory=lambda: set(SOURCES))  #: the ARNs of sources that exist
    polling: dict[str, PolledMapping] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)  #: (what, key)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    holds: dict[str, anyio.Event] = field(default_factory=dict)  #: calls of that name wait for it
    troubles: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    started_at: list[float] = field(default_factory=list)  #: of the loop's clock

    async def resolve(self, mapping: PolledMapping) -> str:
        arn = mapping.event_source_arn
        await self._asked("resolve", arn)
        if arn in self.there:
            return arn
        if ":sqs:" in arn:
            raise InvalidParameterValue("Error occurred while ReceiveMessage. The specified queue does not exist.")
        raise StreamNotFound(stream_not_found(arn))

    async def start(self, key: str, mapping: PolledMapping) -> None:
        await self._asked("start", key)
        if mapping.event_source_arn not in self.there:
            raise InvalidParameterValue("Error occurred while ReceiveMessage. The specified queue does not exist.")
        pairs = [(each.event_source_arn, each.function_name) for each in self.polling.values()]
        assert key not in self.polling, "two pollers of one mapping"
        assert (mapping.event_source_arn, mapping.function_name) not in pairs, "two mappings of one pair"
        self.polling[key] = mapping
        self.started_at.append(anyio.current_time())

    async def stop(self, key: str) -> None:
        if key in self.polling:
            await self._asked("stop", key)
            del self.polling[key]

    async def forget(self, key: str, mapping: PolledMapping) -> None:
        await self.stop(key)
        await self._asked("forget", key)
        self.results.pop(key, None)

    def trouble(self, key: str) -> str | None:
        return self.troubles.get(key)

    def last_processing_result(self, key: str) -> str:
        return self.results.get(key, NO_RECORDS_PROCESSED)

    async def _asked(self, what: str, key: str) -> None:
        await anyio.lowlevel.checkpoint()
        if (hold := self.holds.get(what)) is not None:
            await hold.wait()
        if errors := self.errors.get(what):
            raise errors.pop(0)
        self.calls.append((what, key))


@dataclass
class Functions:
    """Names, and their aliases and versions: those of `ship` have code of their own."""

    qualifiers: dict[str, set[str]] = field(default_factory=lambda: {"pay": {"live", "7"}, "ship": {"1"}})
    broken: set[str] = field(default_factory=set)  #: names of those that do not run

    def arn(self, name: str) -> str:
        if name not in self.qualifiers or name in self.broken:
            raise KeyError(name)
        return self.arn_of_absent(name)

    def arn_of_absent(self, name: str) -> str:
        return f"{LAMBDA}:function:{name}"

    def runs(self, name: str, qualifier: str) -> str | None:
        if name not in self.qualifiers or qualifier not in {"", "$LATEST", *self.qualifiers[name]}:
            return None
        return f"{name}:{qualifier}" if name == "ship" and qualifier.isdigit() else name


@dataclass
class World:
    """Mappings under the API, over pollers that remember."""

    mappings: ControlledMappings
    pollers: Pollers
    functions: Functions
    store: ControlStore

    async def create(self, arn: str = QUEUE, function: str = "pay", **members: Any) -> str:
        """The UUID of a mapping that was asked for."""
        if ":sqs:" not in arn:
            members.setdefault("StartingPosition", "TRIM_HORIZON")
        answer = await self.mappings.create({"EventSourceArn": arn, "FunctionName": function, **members})
        return str(answer["UUID"])

    async def settled(self, uuid: str) -> str:
        """Its state, once it is one to stay in."""
        with anyio.fail_after(60):
            while True:
                state = str(self.mappings.get(uuid)["State"])
                if state in ("Enabled", "Disabled"):
                    await anyio.wait_all_tasks_blocked()
                    return str(self.mappings.get(uuid)["State"])
                await anyio.sleep(0.01)

    async def enabled(self, arn: str = QUEUE, function: str = "pay", **members: Any) -> str:
        """The UUID of a mapping that polls."""
        uuid = await self.create(arn, function, **members)
        assert await self.settled(uuid) == "Enabled"
        return uuid


@asynccontextmanager
async def world(
    store: ControlStore | None = None,
    *,
    pollers: Pollers | None = None,
    functions: Functions | None = None,
    declared: Sequence[DeclaredMapping] = (),
) -> AsyncIterator[World]:
    """Runs for the length of the block; a `store` that was used before is one that survived."""
    store, pollers, functions = store or MemoryControl(), pollers or Pollers(), functions or Functions()
    mappings = ControlledMappings(pollers, functions, store, declared=declared)
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda *, task_status: mappings.run(task_status=task_status))
        yield World(mappings, pollers, functions, store)
        await mappings.drain()


@dataclass
class ServedWorld(World):
    """The same on a port of its own."""

    scene: Scene

    @property
    def call(self) -> Callable[..., Awaitable[Any]]:
        """`await call("create_event_source_mapping", …)`, by boto3."""
        return self.scene.call


@asynccontextmanager
async def served(
    store: ControlStore | None = None, *, within_s: float = 60, **parts: Any
) -> AsyncIterator[ServedWorld]:
    """A server that serves the API of mappings, of tags, and refuses what it knows by name."""
    statistics, listener, limits = ServerStatistics(), bind("127.0.0.1", 0), ServerLimits()
    with anyio.fail_after(within_s):
        async with world(store, **parts) as inner:
            api = LambdaApi(
                mapping_routes(inner.mappings),
                tag_routes({"event-source-mapping": inner.mappings}),
                refused_routes(),
            )
            settings = ServerSettings(region=REGION, account_id=ACCOUNT, limits=limits)
            app = ServerApp({}, {}, settings, statistics, apis=[api])
            scene = Scene(app, Accepted(), statistics, url_of(listener))
            async with serving(app, listener, limits=limits, statistics=statistics, stop_budget_s=5):
                yield ServedWorld(inner.mappings, inner.pollers, inner.functions, inner.store, scene)

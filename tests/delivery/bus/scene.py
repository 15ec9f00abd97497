"""Event buses with targets in memory around them, for tests on virtual time."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson

from eventmap.clock import wall_time_s
from eventmap.delivery.bus.engine import BusEngine
from eventmap.delivery.bus.ports import BusStore
from eventmap.errors import EventmapError, SourceError
from eventmap.model import JsonObject
from eventmap.rules.bus.operations import OPERATIONS
from eventmap.rules.bus.region import Region
from eventmap.rules.bus.requests import REQUESTS
from eventmap.rules.bus.shapes import check
from eventmap.rules.parcel import Parcel
from eventmap.state.buses_memory import MemoryBuses
from eventmap.testing.virtual_time import START_WALL_TIME_S

REGION = Region("eu-west-1", "123456789012")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"
GONE = "arn:aws:sqs:eu-west-1:123456789012:gone"


class Endpoint:
    """A target: what it got and when; the next of `answers` is raised, or None = taken; at last all are taken."""

    def __init__(self) -> None:
        self.parcels: list[tuple[float, Parcel]] = []
        self.groups: list[str | None] = []
        self.attempts: list[float] = []
        self.answers: list[EventmapError | None] = []
        self.always: EventmapError | None = None
        self.takes_s = 0.0
        self.running = 0
        self.most_running = 0

    async def send(self, parcel: Parcel) -> None:
        self.attempts.append(since_start())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await anyio.sleep(self.takes_s)
        finally:
            self.running -= 1
        error = self.answers.pop(0) if self.answers else self.always
        if error is not None:
            raise error
        self.parcels.append((since_start(), parcel))

    @property
    def documents(self) -> list[Any]:
        return [orjson.loads(parcel.body) for _, parcel in self.parcels]

    @property
    def details(self) -> list[Any]:
        return [document["detail"] for document in self.documents]


class Scene:
    """Buses of one region; `endpoints` by ARN, each made as it is first named."""

    def __init__(self) -> None:
        self.endpoints: defaultdict[str, Endpoint] = defaultdict(Endpoint)
        self.store: BusStore = MemoryBuses()
        self.seed = 1
        self.engine: BusEngine

    async def open_target(self, arn: str, *, message_group_id: str | None) -> Endpoint:
        if arn == GONE:
            raise SourceError(f"{arn} does not exist", code="ResourceNotFoundException")
        endpoint = self.endpoints[arn]
        endpoint.groups.append(message_group_id)
        return endpoint

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[BusEngine]:
        """Buses that deliver nothing yet."""
        self.engine = BusEngine(self.store, REGION, self.open_target, dice=random.Random(self.seed))
        await self.engine.prepare()
        yield self.engine

    @asynccontextmanager
    async def running(self) -> AsyncIterator[BusEngine]:
        """Buses at work; cut off at the end of the block, as by the end of the process."""
        async with self.prepared() as engine, anyio.create_task_group() as tasks:
            await tasks.start(engine.run)
            yield engine
            tasks.cancel_scope.cancel()

    def restart(self) -> None:
        """The process has ended; the next one finds what it left."""
        assert isinstance(self.store, MemoryBuses)
        self.store = self.store.restarted()

    async def call(self, operation: str, **request: Any) -> Any:
        """An operation of the API, without the API."""
        check(REQUESTS[operation], request)
        return await self.engine.change(lambda definitions, now: OPERATIONS[operation](definitions, request, now))

    async def rule(self, *targets: str | Mapping[str, Any], name: str = "r", bus: str = "default", **rule: Any) -> str:
        """A rule for the source `shop`, or as `rule` says, with these targets; returns its ARN."""
        pattern = {} if "ScheduleExpression" in rule else {"EventPattern": '{"source":["shop"]}'}
        arn: str = (await self.call("PutRule", Name=name, EventBusName=bus, **{**pattern, **rule}))["RuleArn"]
        given = [
            {"Id": f"t{number}", **({"Arn": target} if isinstance(target, str) else target)}
            for number, target in enumerate(targets)
        ]
        await self.call("PutTargets", Rule=name, EventBusName=bus, Targets=given)
        return arn

    async def put(self, *details: object, bus: str = "default", **entry: Any) -> JsonObject:
        """An event for each detail."""
        entries = [
            {
                "Source": "shop",
                "DetailType": "order",
                "Detail": orjson.dumps(detail).decode(),
                "EventBusName": bus,
                **entry,
            }
            for detail in details
        ]
        return await self.engine.put_events(entries)


def since_start() -> float:
    return round(wall_time_s() - START_WALL_TIME_S, 3)

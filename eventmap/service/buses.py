"""The event buses of a service: what puts events there, and whom they reach."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio
import orjson
from anyio.abc import TaskStatus

from eventmap import telemetry
from eventmap.aws.targets import QueueTarget
from eventmap.clock import utc_now
from eventmap.delivery.asynchronous.ends import Target
from eventmap.delivery.bus.engine import BusEngine
from eventmap.delivery.bus.ports import BusStore
from eventmap.delivery.schedule.clockwork import Clockwork
from eventmap.delivery.schedule.timed import Timed
from eventmap.errors import BusRefusal, ConfigurationError, EventmapError, SourceError
from eventmap.event_rule import EventRule
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import BusRule, Definitions
from eventmap.rules.bus.region import Region
from eventmap.rules.parcel import Parcel
from eventmap.rules.schedule.event import Origin, Run, scheduled_event
from eventmap.rules.schedule.expression import parse_expression
from eventmap.rules.schedule.timetable import Timetable
from eventmap.service.asynchronous import AsynchronousQueues, Here
from eventmap.service.bus_buckets import BusBucket, prepare_bus_buckets
from eventmap.service.declared import declared_function
from eventmap.service.settings import BUSES_PATH
from eventmap.service.when_needed import BusesWhenNeeded
from eventmap.state.buses_memory import MemoryBuses

_SCHEDULE_AGAIN_S = 5.0

_log = telemetry.logger("eventmap.service")


class EventBuses:
    """A `Part`. `clockwork` runs the rules that have a schedule, and is started before.

    `buckets` are connected and disconnected by whoever has the sources of the service.
    """

    def __init__(self, engine: BusEngine, clockwork: Clockwork, buckets: Sequence[BusBucket]) -> None:
        self.engine: BusEngine = engine
        self.buckets: tuple[BusBucket, ...] = tuple(buckets)
        self._clockwork = clockwork
        self._timed: dict[str, BusRule] = {}  # by ARN: what the clockwork has

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_time)
            await self.engine.run(task_status=task_status)
            tasks.cancel_scope.cancel()

    async def drain(self, budget_s: float) -> int:
        return await self.engine.drain(budget_s)

    def troubles(self) -> Sequence[str]:
        return [] if self.engine.trouble is None else [f"event buses: {self.engine.trouble}"]

    async def put_events(self, entries: Sequence[Mapping[str, Any]]) -> JsonObject:
        """As PutEvents answers. Raises: ConfigurationError for the request as a whole; StateError, SourceError."""
        try:
            return await self.engine.put_events(entries)
        except BusRefusal as error:
            raise ConfigurationError(f"{error.error_type}: {error}") from None

    async def _keep_time(self) -> None:
        """Whatever rules there are by now: those with a schedule are begun by the clockwork."""
        known: Definitions | None = None
        while True:
            definitions = self.engine.definitions
            if definitions is known:
                definitions = await self.engine.changed(definitions)
            known = definitions
            if not await self._follow(definitions):
                known = None
                await anyio.sleep(_SCHEDULE_AGAIN_S)

    async def _follow(self, definitions: Definitions) -> bool:
        wanted = {
            definitions.rule_arn(rule): rule
            for rule in definitions.rules.values()
            if rule.schedule_expression and rule.is_enabled
        }
        try:
            for arn, rule in [*self._timed.items()]:
                if arn not in wanted or wanted[arn].schedule_expression != rule.schedule_expression:
                    await self._clockwork.remove(arn)
                    del self._timed[arn]
            for arn, rule in wanted.items():
                if arn not in self._timed:
                    await self._clockwork.add(self._timed_rule(arn, rule))
                    self._timed[arn] = rule
        except EventmapError as error:
            _log.error(telemetry.SCHEDULES_UNREACHABLE, error=str(error), retry_in_s=_SCHEDULE_AGAIN_S)
            return False
        return True

    def _timed_rule(self, arn: str, rule: BusRule) -> Timed:
        region = self.engine.region
        origin = Origin(rule.name, region.name, region.account_id, False)
        assert rule.schedule_expression is not None

        async def fire(run: Run) -> bool:
            return await self.engine.fire(arn, scheduled_event(run, origin))

        return Timed(
            name=arn,
            key=f"{arn} {rule.schedule_expression}",
            timetable=Timetable(parse_expression(rule.schedule_expression)),
            fire=fire,
            # A rule of EventBridge's makes up for nothing.
            misfire="skip",
        )


class _BusHere:
    """A bus of this service as a target: the parcel is an entry of PutEvents (INV-58)."""

    def __init__(self, engine: BusEngine) -> None:
        self._engine = engine

    async def send(self, parcel: Parcel) -> None:
        """Raises: SourceError, StateError."""
        answer: Any = await self._engine.put_events([orjson.loads(parcel.body)])
        [entry] = answer["Entries"]
        if "ErrorCode" in entry:
            raise SourceError(f"{entry['ErrorCode']}: {entry['ErrorMessage']}", code=entry["ErrorCode"])


async def open_buses(
    here: Here, rules: Sequence[EventRule], queues: AsynchronousQueues, clockwork: Clockwork, stack: AsyncExitStack
) -> EventBuses:
    """The buses there are, with the rules that are declared; ends of events that name a bus here find it from now on.

    Raises: ConfigurationError, StateError, SourceError for a bucket.
    """
    region = Region(here.region, here.account_id)

    async def open_target(arn: str, *, message_group_id: str | None) -> Target:
        try:
            target = await queues.target(arn)
        except ConfigurationError as error:
            raise SourceError(str(error), code="ResourceNotFoundException") from error
        return target if message_group_id is None else _in_group(target, message_group_id)

    store = _store(here, stack)
    engine = BusEngine(store, region, open_target, dice=random.Random())
    await engine.prepare()
    for rule in rules:
        declared_function(here.functions, rule.function_name, rule.rule_name)
    buckets = await prepare_bus_buckets(rules, engine, here.connections)
    managed = [_managed(here, rule) for rule in rules]
    now = utc_now().timestamp()
    await engine.change(lambda definitions, _: (definitions.with_managed(managed, now), None))
    if isinstance(store, BusesWhenNeeded):
        store.begin()
    queues.bus_here = lambda arn: None if region.local_bus(arn) is None else _BusHere(engine)
    return EventBuses(engine, clockwork, buckets)


def _store(here: Here, stack: AsyncExitStack) -> BusStore:
    if here.settings.bus_store is not None:
        return here.settings.bus_store
    if here.settings.is_forgetful:
        return MemoryBuses()
    return BusesWhenNeeded(here.settings.buses_file or BUSES_PATH, stack)


def _managed(here: Here, rule: EventRule) -> BusRule:
    return BusRule(
        name=rule.rule_name,
        bus=rule.event_bus_name,
        event_pattern=rule.pattern_text,
        state="ENABLED" if rule.enabled else "DISABLED",
        targets=(rule.target(here.arn(rule.function_name)),),
    )


def _in_group(target: Target, message_group_id: str) -> Target:
    if not isinstance(target, QueueTarget):
        raise SourceError("a message group is of a FIFO queue, and this target is none", code="InvalidParameterValue")
    return target.in_group(message_group_id)

"""BusEngine: event buses at work: events are taken, kept, and delivered; definitions are changed (SRC-40..47).

PutEvents ─▶ matched ─▶ owed, on the disk ─▶ answered        Dispatch: owed ─▶ target, retries, dead letters
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import anyio
from anyio.abc import TaskStatus

from eventmap import telemetry
from eventmap.clock import wall_time_s
from eventmap.delivery.bus.buses import Buses
from eventmap.delivery.bus.dispatch import Dispatch
from eventmap.delivery.bus.patience import Patience
from eventmap.delivery.bus.ports import BusStore, OpenTarget
from eventmap.delivery.bus.replaying import Replaying
from eventmap.delivery.bus.statistics import BusStatistics
from eventmap.errors import StateError
from eventmap.model import JsonObject, JsonValue
from eventmap.rules.bus.definitions import UNFINISHED, Definitions
from eventmap.rules.bus.documents import changes, definitions_of
from eventmap.rules.bus.entry import EntryError, check_size, read_entry
from eventmap.rules.bus.event import BusEvent, event_of
from eventmap.rules.bus.region import DEFAULT_BUS, Region
from eventmap.rules.bus.requests import REQUESTS
from eventmap.rules.bus.shapes import check
from eventmap.rules.bus.taken import Taken, together

T = TypeVar("T")

FORGET_INTERVAL_S: Final = 3600.0
FORGET_STEP: Final = 1_000
_DAY_S: Final = 86_400.0


class BusEngine:
    """All buses of one region in one process.

    `await prepare()` before anything else; events may be put before `run` and after `drain`: they are owed.
    """

    def __init__(self, store: BusStore, region: Region, open_target: OpenTarget, *, dice: random.Random) -> None:
        self.region: Region = region
        self.statistics: BusStatistics = BusStatistics()
        self._store = store
        self._dice = dice
        self._log = telemetry.logger("eventmap.delivery")
        self._patiently = Patience(self.statistics, dice)
        self._buses = Buses(Definitions(region=region))
        self._changing = anyio.Lock()
        self._changed = anyio.Event()
        self._dispatch = Dispatch(
            store,
            open_target,
            self._buses.forward,
            statistics=self.statistics,
            patiently=self._patiently,
            dice=dice,
        )
        self._replaying = Replaying(self._buses, store, self._dispatch, self._commit, self.statistics, self._patiently)

    @property
    def definitions(self) -> Definitions:
        """As they are now."""
        return self._buses.definitions

    @property
    def trouble(self) -> str | None:
        """What stands still now, in words; None = nothing does."""
        return "the store of event buses does not do what it is asked" if self._patiently.waiting else None

    async def prepare(self) -> None:
        """Read the definitions; make the default bus if there is none yet. Raises: StateError, TransientSourceError."""
        await self._store.prepare()
        try:
            kept = definitions_of(await self._store.documents(), self.region)
        except (TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"the store of event buses holds a definition that cannot be read ({error!r}): restore it from a backup"
            ) from error
        self._adopt(kept)
        await self.change(lambda definitions, now: (definitions.with_default_bus(now), None))

    async def change(self, change: Callable[[Definitions, float], tuple[Definitions, T]]) -> T:
        """Make other definitions of those there are, at the time now; durable, and in force, when it returns.

        Returns what `change` answers beside them. Raises: StateError, TransientSourceError: nothing was changed then;
        and whatever `change` raises.
        """
        async with self._changing:
            after, answer = change(self.definitions, wall_time_s())
            await self._keep(after, self._store.change)
        return answer

    async def changed(self, since: Definitions) -> Definitions:
        """Wait until the definitions are others than `since`."""
        while self.definitions is since:
            await self._changed.wait()
        return self.definitions

    async def put_events(self, entries: Sequence[Mapping[str, Any]]) -> JsonObject:
        """As PutEvents answers: each entry taken, or refused by itself. Those taken are owed, and durable.

        Raises: BusRefusal for the request as a whole; StateError, TransientSourceError: nothing was taken.
        """
        check(REQUESTS["PutEvents"], {"Entries": list(entries)})
        check_size(entries)
        now = wall_time_s()
        taken: list[Taken] = []
        answers: list[JsonValue] = []
        for entry in entries:
            result = self._read(entry, now)
            if isinstance(result, EntryError):
                answers.append({"ErrorCode": result.code, "ErrorMessage": result.message})
            else:
                bus, event = result
                taken.append(self._buses.take(bus, event))
                answers.append({"EventId": event.event_id})
        await self._take(taken)
        refused = len(entries) - len(taken)
        self.statistics.entries_refused += refused
        return {"FailedEntryCount": refused, "Entries": answers}

    async def publish(self, event: BusEvent, bus: str = DEFAULT_BUS) -> None:
        """Take an event of a service, such as S3's. Raises: BusRefusal if there is no such bus; as `put_events`."""
        self.definitions.bus(bus)
        await self._take([self._buses.take(bus, event)])

    async def fire(self, rule_arn: str, event: bytes) -> bool:
        """One run of a rule that has a schedule: its targets get the event, which is JSON text as SRC-78 has it.

        False: there is no such rule any more, or it is disabled. The same event again is the same delivery.
        Raises: StateError, TransientSourceError: nothing was taken.
        """
        rules = self.definitions.rules.values()
        rule = next((rule for rule in rules if self.definitions.rule_arn(rule) == rule_arn and rule.is_enabled), None)
        if rule is None:
            return False
        await self._take([Taken(self._buses.deliveries(rule, event_of(event, wall_time_s())))])
        return True

    async def archive_sizes(self) -> Mapping[str, tuple[int, int]]:
        """(events, bytes) of archives that hold any. Raises: StateError, TransientSourceError."""
        return await self._store.archive_sizes()

    async def owed(self) -> bool:
        """Whether anything is to be delivered or replayed. Raises: StateError, TransientSourceError."""
        if any(replay.state in UNFINISHED for replay in self.definitions.replays.values()):
            return True
        return bool(self._dispatch.under_way or await self._store.owed(1))

    async def idle(self) -> None:
        """Wait until nothing is owed, retries that wait for hours included. Raises: as `owed`."""
        while True:
            settled, changed = self._dispatch.settled, self._changed
            if not await self.owed():
                return
            await _either(settled, changed)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Deliver what is owed until `drain` has ended, or cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._forget)
            tasks.start_soon(self._replaying.run, self.changed)
            task_status.started()
            await self._dispatch.run()
            tasks.cancel_scope.cancel()

    async def drain(self, budget_s: float) -> int:
        """Begin no further attempt, let those under way end within `budget_s` seconds.

        Returns how many were left; they, and everything that waits, are delivered when the engine is next started.
        Only while `run` runs; draining twice is fine.
        """
        self._replaying.stop()
        left = await self._dispatch.drain(budget_s)
        self._log.info(telemetry.BUSES_DRAINED, left=left, delivered=self.statistics.delivered)
        return left

    def _read(self, entry: Mapping[str, Any], now: float) -> tuple[str, BusEvent] | EntryError:
        event_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        event = read_entry(entry, self.region, event_id=event_id, now=now)
        if isinstance(event, EntryError):
            return event
        # AWS takes an entry for a bus that is not there, and drops it. Here its sender is told.
        name = entry.get("EventBusName") or DEFAULT_BUS
        bus = self.region.local_bus(name) if name.startswith("arn:") else name
        if bus not in self.definitions.buses:
            return EntryError("ResourceNotFoundException", f"Event bus {name} does not exist.")
        assert bus is not None
        return bus, event

    async def _take(self, taken: Sequence[Taken]) -> None:
        if not taken:
            return
        whole = together(taken)
        if whole.deliveries or whole.archived:
            # Cut short it would be owed all the same, and nobody would look for it; a store answers within seconds.
            with anyio.CancelScope(shield=True):
                await self._store.take(whole)
        self.statistics.events += len(taken)
        self._count(whole)

    def _count(self, taken: Taken) -> None:
        self.statistics.matched += len(taken.deliveries)
        self.statistics.archived += len(taken.archived)
        self._dispatch.wake()

    async def _commit(self, change: Callable[[Definitions, float], tuple[Definitions, Taken]]) -> None:
        """What a replay has come to, with what it makes owed."""
        async with self._changing:
            after, taken = change(self.definitions, wall_time_s())
            await self._keep(after, lambda changed: self._store.take(Taken(taken.deliveries, changes=changed)))
            self._count(taken)

    async def _keep(self, after: Definitions, keep: Callable[[Any], Awaitable[None]]) -> None:
        before = self.definitions
        if after is before:
            return
        if changed := changes(before, after):
            with anyio.CancelScope(shield=True):  # as for events
                await keep(changed)
        self._adopt(after)

    def _adopt(self, definitions: Definitions) -> None:
        self._buses.adopt(definitions)
        self._changed.set()
        self._changed = anyio.Event()

    async def _forget(self) -> None:
        """Archived events whose retention is over, a little at a time."""
        while True:
            now = wall_time_s()
            archives = self.definitions.archives.values()
            before = {each.name: now - each.retention_days * _DAY_S for each in archives if each.retention_days}
            while before and await self._patiently(lambda: self._store.forget(before, FORGET_STEP)) == FORGET_STEP:  # noqa: B023
                pass
            with anyio.move_on_after(FORGET_INTERVAL_S):
                await self._changed.wait()


async def _either(*events: anyio.Event) -> None:
    """Wait until one of them is set."""
    async with anyio.create_task_group() as tasks:

        async def wait(event: anyio.Event) -> None:
            await event.wait()
            tasks.cancel_scope.cancel()

        for event in events:
            tasks.start_soon(wait, event)

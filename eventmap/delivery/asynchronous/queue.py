"""AsynchronousQueue: the accepted events of one function, each attempted until its end is recorded (INV-40..49).

accept ─▶ owed ──due, and a slot is free──▶ attempt ──▶ again: owed, due later
                                               └──────▶ ended: destinations are told ─▶ its end is recorded
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap import telemetry
from eventmap.clock import look_again_s, wall_time_s
from eventmap.delivery.asynchronous.attempt import attempted
from eventmap.delivery.asynchronous.ending import note_end
from eventmap.delivery.asynchronous.ports import EndDestinations, EventStore, InvokeQueued
from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
from eventmap.delivery.slots import MappingSlots, Reservation
from eventmap.errors import SourceError, StateError
from eventmap.function import Function
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.rules.asynchronous import Again, Ended, before_attempt, is_gone, next_step

T = TypeVar("T")

TAKEN_AT_ONCE: Final = 32
"""Events asked for in one call."""

ENDING_LIMIT: Final = 64
"""Events, beside those running, whose destinations are being told or whose state is being written."""

_STORE_PATIENCE_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # the last one repeats


class AsynchronousQueue:
    """One function's queue. `accept` is an `Accept`; it may be called before `run` and after `drain`.

    Slots are asked for only when something is due. With a reserved concurrency of 0 none is needed: nothing runs.
    """

    def __init__(
        self,
        function: Function,
        store: EventStore,
        invoke: InvokeQueued,
        destinations: EndDestinations,
        *,
        slots: MappingSlots,
        dice: random.Random,
    ) -> None:
        self.statistics: AsynchronousStatistics = AsynchronousStatistics()
        self._function = function
        self._name = function.function_name
        self._store = store
        self._invoke = invoke
        self._destinations = destinations
        self._slots = slots
        self._dice = dice
        self._log = telemetry.logger("eventmap.delivery").bind(function=self._name)
        self._waiting_for_store = 0  # calls that have failed and are tried again
        self._in_flight = 0  # taken from the store, and not yet back in it
        self._room = anyio.Semaphore(ENDING_LIMIT + max(1, slots.capacity))
        self._woken = anyio.Event()
        self._settled = anyio.Event()
        self._taking = anyio.CancelScope()
        self._taken = anyio.Event()
        self._drained = anyio.Event()

    async def accept(self, payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        """See `Accept`."""
        now = wall_time_s()
        event = QueuedEvent(
            request_id=request_id,
            function_name=self._name,
            payload=payload,
            accepted_at=now,
            due_at=now,
            qualifier=qualifier,
            trace_id=trace_id,
        )
        # Cut short it would be owed all the same, and nobody would look for it; a store answers within seconds.
        with anyio.CancelScope(shield=True):
            is_new = await self._store.accept(event)
        if is_new:
            self.statistics.received += 1
            self._woken.set()
        else:
            self.statistics.repeated += 1
        return is_new

    def replace(self, function: Function, destinations: EndDestinations) -> None:
        """The function of that name has another configuration from now on, for attempts under way too."""
        self._function = function
        self._destinations = destinations

    @property
    def trouble(self) -> str | None:
        """What stands still now, in words; None = nothing does."""
        return "the store of events does not do what it is asked" if self._waiting_for_store else None

    @property
    def quiet(self) -> bool:
        """No event is being attempted, nor its end told or recorded."""
        return not self._in_flight

    async def owed(self) -> bool:
        """Whether any event has not ended yet: being attempted, due, or waiting for its time.

        Raises: StateError, TransientSourceError.
        """
        # Quiet before and after: what is taken, or given back, while the store is asked is in neither answer.
        was_quiet = self.quiet
        return await self._store.next_due(self._name) is not None or not (was_quiet and self.quiet)

    async def idle(self) -> None:
        """Wait until no event is owed, those included that wait minutes for a retry. Raises: as `owed`."""
        while True:
            settled = self._settled
            if not await self.owed():
                return
            await settled.wait()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Attempt what is due until `drain` has ended, or cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            task_status.started()
            try:
                with self._taking:
                    while True:
                        await self._take_due(tasks)
            finally:
                self._taken.set()
            await self._drained.wait()
            tasks.cancel_scope.cancel()

    async def drain(self, budget_s: float) -> int:
        """Begin no further attempt, let those under way end within `budget_s` seconds.

        Returns how many were left: they are owed, and run again when the queue is next started. So is everything that
        waits; nothing is given up. Only while `run` runs; draining twice is fine.
        """
        self._taking.cancel()
        await self._taken.wait()
        with anyio.move_on_after(budget_s):
            while not self.quiet:
                await self._settled.wait()
        left = self._in_flight
        self._log.info(telemetry.EVENTS_DRAINED, left=left, done=self.statistics.done)
        self._drained.set()
        return left

    async def _watch(self) -> None:
        """Look again whenever somebody else has been at the store: what is due, and what is owed, may be another."""
        while True:
            await self._patiently(self._store.changed)
            self._woken.set()
            self._tell_settled()

    async def _take_due(self, tasks: TaskGroup) -> None:
        """Wait until something is due, then begin as many attempts as there are slots for."""
        self._woken = woken = anyio.Event()  # before the look: nothing that comes after it is slept through
        due_at = await self._patiently(lambda: self._store.next_due(self._name))
        wait_s = look_again_s() if due_at is None else min(due_at - wall_time_s(), look_again_s())
        if wait_s > 0:
            with anyio.move_on_after(wait_s):
                await woken.wait()
            return
        is_more = True
        while is_more:
            is_more = await self._take(tasks)

    async def _take(self, tasks: TaskGroup) -> bool:
        """Begin attempts of what is due; False = there was less than could have begun."""
        await self._room.acquire()
        room = 1
        reserved: Reservation | None = None
        try:
            if self._function.reserved_concurrent_executions != 0:
                reserved = await self._slots.reserve(TAKEN_AT_ONCE)
            count = TAKEN_AT_ONCE if reserved is None else reserved.count
            while room < count and self._room.value:
                self._room.acquire_nowait()
                room += 1
            events = await self._patiently(lambda: self._store.due(self._name, wall_time_s(), room))
            is_more = len(events) == room
            for event in events:
                room -= 1
                has_slot = reserved is not None and reserved.take()
                self._in_flight += 1
                tasks.start_soon(self._attempt, event, has_slot)
            return is_more
        finally:
            if reserved is not None:
                reserved.give_back()
            for _ in range(room):
                self._room.release()

    async def _attempt(self, event: QueuedEvent, has_slot: bool) -> None:
        """One attempt and what follows from it, carried out; `has_slot` is given back as soon as the code has ended."""
        try:
            step = await self._step(event, has_slot)
            match step:
                case Again(later):
                    if later.failures > event.failures:
                        self.statistics.retried += 1
                    await self._patiently(lambda: self._store.again(later))
                    self._woken.set()
                case Ended(end):
                    await self._end(event, end)
        finally:
            self._in_flight -= 1
            self._room.release()
            self._tell_settled()

    async def _step(self, event: QueuedEvent, has_slot: bool) -> Again | Ended:
        try:
            now = wall_time_s()
            if (ended := before_attempt(self._function, event, now)) is not None:
                return ended
            self.statistics.age_s = max(0.0, now - event.accepted_at)
            response = None if is_gone(self._function, event) else await attempted(self._invoke, event, self.statistics)
        finally:
            if has_slot:
                self._slots.release()
        return next_step(self._function, event, response, wall_time_s(), self._dice.random())

    async def _end(self, event: QueuedEvent, end: EventEnd) -> None:
        # Destinations first: a crash between the two tells them twice, the other way round it would tell them never.
        undelivered = await self._destinations.deliver(event, end)
        await self._patiently(lambda: self._store.end(event, end, undelivered))
        note_end(event, end, undelivered, statistics=self.statistics, log=self._log)

    def _tell_settled(self) -> None:
        self._settled.set()
        self._settled = anyio.Event()

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` answers, as soon as the store can: its errors are told, waited out, and end nothing."""
        failures = 0
        while True:
            try:
                answer = await call()
                self._waiting_for_store -= failures > 0
                return answer
            except (StateError, SourceError) as error:
                wait_s = _STORE_PATIENCE_S[min(failures, len(_STORE_PATIENCE_S) - 1)] * (1 - self._dice.random() / 4)
                self._waiting_for_store += failures == 0
                failures += 1
                self.statistics.store_errors += 1
                self._log.error(telemetry.EVENTS_UNREACHABLE, error=str(error), retry_in_s=round(wait_s, 3))
            await anyio.sleep(wait_s)

"""A function's asynchronous queue with everything around it, for tests on virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio

from eventmap.clock import wall_time_s
from eventmap.delivery.asynchronous.ports import EventStore
from eventmap.delivery.asynchronous.queue import AsynchronousQueue
from eventmap.delivery.slots import FunctionSlots
from eventmap.function import Function
from eventmap.model import FunctionError, Refused, Response, Returned
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state.events_memory import MemoryEvents
from eventmap.testing.fault_dice import FaultDice
from eventmap.testing.virtual_time import START_WALL_TIME_S

T = TypeVar("T")

BOOM = FunctionError(b'{"errorMessage":"boom","errorType":"ValueError"}', "ValueError")
DONE = Returned(b'"done"')
THROTTLED = Refused("ReservedFunctionConcurrentInvocationLimitExceeded")
BROKEN = Refused("ServiceException")

Answer = Callable[[QueuedEvent], Awaitable[Response]]


class Scene:
    """What the function answers, and when it was asked; `answers` are given in turn, the last one for ever."""

    def __init__(self, *answers: Response, takes_s: float = 0.0) -> None:
        self.attempts: list[tuple[float, QueuedEvent]] = []  #: (seconds since the start, event)
        self.delivered: list[tuple[str, EventEnd]] = []
        self.undeliverable: Sequence[str] = ()
        self.deliver_s = 0.0
        self.slots: FunctionSlots | None = None  #: those of the queue at work
        self.running = 0
        self.most_running = 0
        self.answers = list(answers) or [DONE]
        self.takes_s = takes_s

    async def invoke(self, event: QueuedEvent) -> Response:
        self.attempts.append((since_start(), event))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await anyio.sleep(self.takes_s)
        finally:
            self.running -= 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def deliver(self, event: QueuedEvent, end: EventEnd) -> Sequence[str]:
        await anyio.sleep(self.deliver_s)
        self.delivered.append((event.request_id, end))
        return self.undeliverable

    @property
    def started_at(self) -> list[float]:
        """When attempts began, whole seconds since the start."""
        return [round(at, 3) for at, _ in self.attempts]

    @asynccontextmanager
    async def queue(
        self, store: EventStore | None = None, *, concurrency: int = 10, seed: int = 1, **settings: Any
    ) -> AsyncIterator[AsynchronousQueue]:
        """A queue at work; cut off at the end of the block, as by the end of the process."""
        function = Function(handler=lambda _event, _context: None, function_name="orders", **settings)
        self.slots = FunctionSlots(settings.get("reserved_concurrent_executions", concurrency))
        queue = AsynchronousQueue(
            function,
            store or MemoryEvents(),
            self.invoke,
            self,
            slots=self.slots.share(),
            dice=random.Random(seed),
        )
        async with anyio.create_task_group() as tasks:
            await tasks.start(queue.run)
            yield queue
            tasks.cancel_scope.cancel()


def since_start() -> float:
    return wall_time_s() - START_WALL_TIME_S


class FaultyEvents:
    """A store whose calls go wrong by a dice: refused, cut off before or after they take effect, or slow."""

    def __init__(self, store: EventStore, seed: int, **rates: float) -> None:
        usual: dict[str, Any] = {"throttle": 0.0, "lost_answers": 0.0, "resets": 0.0, "slow": 0.0, "slow_s": 1.0}
        # The answer of `due` is not lost: a store that holds what nobody was given would hold it for ever.
        calls = ["accept", "next_due", "again", "end"]
        self.dice = FaultDice(seed, **(usual | rates), calls=calls)
        self._store = store

    async def accept(self, event: QueuedEvent) -> bool:
        return await self.dice.disturbed("accept", lambda: self._store.accept(event))

    async def due(self, function_name: str, now: float, limit: int) -> Sequence[QueuedEvent]:
        return await self._store.due(function_name, now, limit)

    async def next_due(self, function_name: str) -> float | None:
        return await self.dice.disturbed("next_due", lambda: self._store.next_due(function_name))

    async def again(self, event: QueuedEvent) -> None:
        await self.dice.disturbed("again", lambda: self._store.again(event))

    async def end(self, event: QueuedEvent, end: EventEnd, undelivered: Sequence[str]) -> None:
        await self.dice.disturbed("end", lambda: self._store.end(event, end, undelivered))

    async def changed(self) -> None:
        await self._store.changed()


def conditions(store: MemoryEvents) -> Mapping[str, str]:
    """How each event ended, by request id."""
    return {request_id: kept.condition for request_id, kept in store.ended.items()}

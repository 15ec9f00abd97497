"""A fleet on one event queue: workers that can be started, stopped and killed, and the function they share."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from eventmap import Function
from eventmap.clock import elapsed_s
from eventmap.delivery.asynchronous.in_sqs import AsynchronousQueueInSqs
from eventmap.delivery.slots import FunctionSlots
from eventmap.model import FunctionError, Refused, Response, Returned
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.sources.event_queue import EventQueueApi, EventSender, prepare_event_queue
from eventmap.sources.sqs import SqsSource

QUEUE = "events"
BOOM = FunctionError(b'{"errorMessage":"boom","errorType":"ValueError"}', "ValueError")
OK = Returned(b'"ok"')
BUSY = Refused("ReservedFunctionConcurrentInvocationLimitExceeded")


class Code:
    """The function: each run takes `seconds` and ends as the next of `answers` says, the last one repeating."""

    def __init__(self, *answers: Response, seconds: float = 0.0) -> None:
        self.answers = list(answers) or [OK]
        self.seconds = seconds
        self.runs: list[tuple[float, QueuedEvent]] = []
        self.running = 0
        self.most_running = 0

    async def __call__(self, event: QueuedEvent) -> Response:
        self.runs.append((elapsed_s(), event))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await anyio.sleep(self.seconds)
        finally:
            self.running -= 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.runs]

    @property
    def request_ids(self) -> Counter[str]:
        """How often each event was run."""
        return Counter(event.request_id for _, event in self.runs)


@dataclass
class EndsSeen:
    """In place of destinations: every end it is told of; each telling takes `seconds`."""

    seconds: float = 0.0
    ends: list[tuple[float, str, EventEnd]] = field(default_factory=list)
    undelivered: Sequence[str] = ()

    async def deliver(self, event: QueuedEvent, end: EventEnd) -> Sequence[str]:
        await anyio.sleep(self.seconds)
        self.ends.append((elapsed_s(), event.request_id, end))
        return self.undelivered

    @property
    def conditions(self) -> list[str]:
        return [end.condition for _, _, end in self.ends]

    @property
    def request_ids(self) -> Counter[str]:
        return Counter(request_id for _, request_id, _ in self.ends)


def function_of(**settings: Any) -> Function:
    return Function(handler=lambda event, context: None, function_name="work", **settings)


async def worker_of(
    api: EventQueueApi,
    invoke: Callable[[QueuedEvent], Any],
    ends: EndsSeen,
    function: Function | None = None,
    *,
    name: str = QUEUE,
) -> AsynchronousQueueInSqs:
    """A worker that is not running yet; the queue is made if there is none."""
    function = function or function_of()
    described = await prepare_event_queue(api, name, function.timeout)
    return AsynchronousQueueInSqs(
        function,
        SqsSource(api, described),
        described,
        EventSender(api, described),
        invoke,
        ends,
        slots=FunctionSlots(function.concurrency).share(),
        dice=random.Random(7),
    )


@asynccontextmanager
async def at_work(queue: AsynchronousQueueInSqs) -> AsyncIterator[anyio.CancelScope]:
    """The worker runs until the block ends, then drains for a minute; cancelling the scope is its sudden death."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(queue.run)
        yield tasks.cancel_scope
        if not tasks.cancel_scope.cancel_called:
            await queue.drain(60.0)

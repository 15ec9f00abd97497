"""A fleet's asynchronous queue: events wait in SQS, and whichever worker has room makes the next attempt.

    accept ──send──▶ SQS ──receive──▶ attempt ─┬─ again ──▶ send its new state, delayed ──▶ delete the old message
                      ▲                        │                      │
                      └────────────────────────┼──────────────────────┘
                                               └─ ended ──▶ tell the destinations ─────▶ delete

A worker that dies holds nothing: its messages become visible again. What is done before a deletion may be done twice.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any, Final, Protocol, assert_never

import anyio
from anyio.abc import TaskStatus
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventmap import telemetry
from eventmap.clock import wall_time_s
from eventmap.delivery.asynchronous.attempt import attempted
from eventmap.delivery.asynchronous.ending import note_end
from eventmap.delivery.asynchronous.ports import EndDestinations, InvokeQueued
from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
from eventmap.delivery.loop import MappingLoop, Source
from eventmap.delivery.slots import FunctionSlots, MappingSlots
from eventmap.errors import SourceError, TransientSourceError
from eventmap.function import Function
from eventmap.mapping import EventSourceMapping
from eventmap.model import Event, FunctionError, Response, Returned
from eventmap.queued_event import QueuedEvent
from eventmap.rules.asynchronous import Again, Ended, before_attempt, is_gone, next_step
from eventmap.rules.queued_message import excess_bytes, from_message, to_message

_SEND_ATTEMPTS: Final = 6
_UNINVOKED_AT_ONCE: Final = 10  # events of a function that may never run, on their way to where failures go
_DELETE: Final = Returned(b"null")
_LEAVE: Final = FunctionError(b"{}", "NotSettled")  # the message comes back when its visibility ends


_LOOK_AGAIN_S: Final = 1.0
_EMPTY_LOOKS: Final = 2  # in a row: a queue's own figures are approximate


class Backlog(Protocol):
    """What the queue says it holds."""

    @property
    def total(self) -> int: ...


class EventSource(Source, Protocol):
    """The queue as it is received from."""

    async def backlog(self) -> Backlog: ...


class Queue(Protocol):
    """What is known of the queue in SQS."""

    @property
    def arn(self) -> str: ...
    @property
    def fifo(self) -> bool: ...
    @property
    def visibility_timeout_s(self) -> int: ...
    @property
    def maximum_receive_count(self) -> int | None: ...


class Send(Protocol):
    """Sends one message; durable when it returns. Raises: SourceError and its kinds."""

    async def __call__(self, body: str, attributes: Mapping[str, tuple[str, str]], *, delay_s: int) -> None: ...


class AsynchronousQueueInSqs:
    """One function's asynchronous queue, shared by a fleet; the outside is that of `AsynchronousQueue`.

    At least once, as in AWS (INV-40): an event may run, and be told of, more than once, after a crash or a lost answer
    of SQS. A repetition of a request id cannot be known across a fleet, so `accept` takes it as another event.
    """

    def __init__(
        self,
        function: Function,
        source: EventSource,
        queue: Queue,
        send: Send,
        invoke: InvokeQueued,
        destinations: EndDestinations,
        *,
        slots: MappingSlots,
        dice: random.Random,
    ) -> None:
        """`source` receives from `queue` and `send` sends to it; `slots` are a share of the function's."""
        self._function = function
        self._source = source
        self._send = send
        self._invoke = invoke
        self._destinations = destinations
        self._dice = dice
        self._log = telemetry.logger("eventmap.delivery").bind(function=function.function_name, queue=queue.arn)
        self.statistics: AsynchronousStatistics = AsynchronousStatistics()
        self._loop = MappingLoop(
            EventSourceMapping(event_source_arn=queue.arn, function_name=function.function_name, batch_size=1),
            source,
            queue,
            self._attempt,
            # An event of a function that may never run has an end all the same (INV-46).
            slots=slots if slots.capacity else FunctionSlots(_UNINVOKED_AT_ONCE).share(),
            visibility_timeout_s=queue.visibility_timeout_s,
            function_timeout_s=function.timeout,
            passes=None,
        )

    async def accept(self, payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        """As `eventmap.queued_event.Accept`; always True.

        Raises: SourceError for an event too large for SQS; TransientSourceError if it may be sent again.
        """
        now = wall_time_s()
        event = QueuedEvent(
            request_id=request_id,
            function_name=self._function.function_name,
            payload=payload,
            accepted_at=now,
            due_at=now,
            qualifier=qualifier,
            trace_id=trace_id,
        )
        if excess := excess_bytes(event):
            raise SourceError(
                f"the event of {len(payload)} bytes is {excess} bytes too large to be queued in SQS, "
                "where a message has 1 MiB with what is noted about the event",
                code="EventTooLarge",
            )
        await self._send(*to_message(event), delay_s=0)
        self.statistics.received += 1
        return True

    def replace(self, function: Function, destinations: EndDestinations) -> None:
        """The function of that name has another configuration from now on, for attempts under way too."""
        self._function = function
        self._destinations = destinations

    @property
    def trouble(self) -> str | None:
        """What stands still now, in words; None = nothing does."""
        return self._loop.trouble

    @property
    def quiet(self) -> bool:
        """Nothing is under way here; events may wait in SQS."""
        return self._loop.quiet

    async def owed(self) -> bool:
        """Whether any event of the fleet has not ended yet, as far as SQS knows. Raises: SourceError."""
        return not self.quiet or (await self._source.backlog()).total > 0

    async def idle(self) -> None:
        """Wait until no event is owed, those included that wait minutes for a retry. Raises: SourceError."""
        empty = 0
        while empty < _EMPTY_LOOKS:
            await anyio.sleep(_LOOK_AGAIN_S)
            empty = 0 if await self.owed() else empty + 1

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until `drain` has ended, or cancelled."""
        await self._loop.run(task_status=task_status)

    async def drain(self, budget_s: float) -> int:
        """Begin no attempt any more, and let those under way end within `budget_s` seconds; see `MappingLoop.drain`.

        Returns how many events were left in the middle: they come back when their visibility ends.
        """
        return await self._loop.drain(budget_s)

    async def _attempt(self, event: Event) -> Response:
        """One message: an attempt and what follows from it. What is returned says whether the message is deleted."""
        record = _record_of(event)
        try:
            queued = from_message(record["body"], _texts(record["messageAttributes"]))
            if queued.function_name != self._function.function_name:
                raise ValueError(f"it is an event of function {queued.function_name!r}")
        except ValueError as error:
            # Not ours to delete: whoever looks into the queue finds it.
            self._log.error(telemetry.RECORD_REFUSED, message_id=record["messageId"], reason=str(error))
            return _LEAVE
        step = await self._step(queued)
        match step:
            case Again(waiting):
                return await self._queue_again(queued, waiting)
            case Ended(end):
                # Before the deletion: a crash between the two tells them twice, the other way round never.
                undelivered = await self._destinations.deliver(queued, end)
                note_end(queued, end, undelivered, statistics=self.statistics, log=self._log)
                return _DELETE
            case _:
                assert_never(step)

    async def _step(self, event: QueuedEvent) -> Again | Ended:
        now = wall_time_s()
        if (ended := before_attempt(self._function, event, now)) is not None:
            return ended
        self.statistics.age_s = max(0.0, now - event.accepted_at)
        # The function may have lost the alias meanwhile: it is looked up for each attempt (INV-64a).
        response = None if is_gone(self._function, event) else await attempted(self._invoke, event, self.statistics)
        return next_step(self._function, event, response, wall_time_s(), self._dice.random())

    async def _queue_again(self, event: QueuedEvent, later: QueuedEvent) -> Response:
        """Send the event's new state; its old message may be deleted only then."""
        delay_s = max(0, math.ceil(later.due_at - wall_time_s()))  # five minutes at most; SQS could wait fifteen
        try:
            async for attempt in _patiently():
                with attempt:
                    await self._send(*to_message(later), delay_s=delay_s)
        except SourceError as error:
            self.statistics.store_errors += 1
            self._log.error(telemetry.EVENTS_UNREACHABLE, error=str(error), request_id=event.request_id)
            return _LEAVE
        if later.failures > event.failures:
            self.statistics.retried += 1
        return _DELETE


def _record_of(event: Event) -> dict[str, Any]:
    """The only record of a batch of one."""
    document: Any = event.document
    record: dict[str, Any] = document["Records"][0]
    return record


def _texts(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Message attributes as the source shapes them, by name."""
    return {name: value["stringValue"] for name, value in attributes.items() if "stringValue" in value}


def _patiently() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(TransientSourceError),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop_after_attempt(_SEND_ATTEMPTS),
        sleep=anyio.sleep,
        reraise=True,
    )

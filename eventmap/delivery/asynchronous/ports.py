"""What the asynchronous queue asks of its neighbours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from eventmap.model import Response
from eventmap.queued_event import EventEnd, QueuedEvent

InvokeQueued = Callable[[QueuedEvent], Awaitable[Response]]
"""Runs the function once on the event's payload, under its request id. Never raises."""


class EventStore(Protocol):
    """Where accepted events are until their end is recorded. Raises, from every call: StateError, TransientSourceError.

    What `due` returned is held by this process until `again` or `end` names it; a process that dies holds nothing.
    """

    async def accept(self, event: QueuedEvent) -> bool:
        """Keep it; durable when this returns. False: an event of that request id is known already, and stays as it is.

        Ended ones are known for a day at least.
        """

    async def due(self, function_name: str, now: float, limit: int) -> Sequence[QueuedEvent]:
        """Up to `limit` owed events whose `due_at` has come and that nobody holds, the longest due first."""

    async def next_due(self, function_name: str) -> float | None:
        """When the next event that nobody holds is due, epoch seconds; None = there is none."""

    async def again(self, event: QueuedEvent) -> None:
        """Keep its new state and let go of it."""

    async def end(self, event: QueuedEvent, end: EventEnd, undelivered: Sequence[str]) -> None:
        """Record its end, once; `undelivered` says, for people, which destinations could not be told, and why."""

    async def changed(self) -> None:
        """Return when something other than this object may have changed what is due: an operator's retry, say."""


class EndDestinations(Protocol):
    """Where ends are reported: OnSuccess, OnFailure, the dead-letter queue."""

    async def deliver(self, event: QueuedEvent, end: EventEnd) -> Sequence[str]:
        """Tell all that are to be told, trying again for a while; returns what could not, in words. Never raises."""

"""Asynchronous events in memory: for tests, and for who chooses to lose them with the process."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import anyio
import anyio.lowlevel

from eventmap.clock import wall_time_s
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state.event_row import DROPPED, FAILURE_KEPT_S, SUCCESS_KEPT_S
from eventmap.state.events_view import Dropped, EventRow, EventState, Retried, error_type, state_of


@dataclass(frozen=True, slots=True)
class KeptEnd:
    """An end as it was recorded; `condition` may be "Dropped" too."""

    event: QueuedEvent
    condition: str
    ended_at: float  #: epoch seconds
    invoke_count: int
    response: bytes | None
    undelivered: tuple[str, ...]

    @property
    def kept_until(self) -> float:
        """Epoch seconds; then it is forgotten."""
        return self.ended_at + (SUCCESS_KEPT_S if self.condition == "Success" else FAILURE_KEPT_S)


class MemoryEvents:
    """An EventStore that keeps its events as long as it lives itself; what has ended, as long as a file would.

    `owed` is by request id. `restarted()` is what a process finds that comes after this one.
    """

    def __init__(self) -> None:
        self.owed: dict[str, QueuedEvent] = {}
        self._succeeded: dict[str, KeptEnd] = {}  # in the order of their ends, as are the others
        self._given_up: dict[str, KeptEnd] = {}
        self._held: set[str] = set()
        # By function: (due, tie, request id). An entry counts if its event is owed, due then, and nobody holds it.
        self._schedule: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
        self._ties = itertools.count()
        self._changed = anyio.Event()

    @property
    def ended(self) -> Mapping[str, KeptEnd]:
        """By request id, those not yet forgotten."""
        return self._succeeded | self._given_up

    def restarted(self) -> MemoryEvents:
        """The same events, held by nobody. This one must not be used any more."""
        after = MemoryEvents()
        after._succeeded, after._given_up = self._succeeded, self._given_up
        for event in self.owed.values():
            after._owe(event)
        return after

    async def accept(self, event: QueuedEvent) -> bool:
        await anyio.lowlevel.checkpoint()
        self._forget(wall_time_s())
        if event.request_id in self.owed or self._end_of(event.request_id) is not None:
            return False
        self._owe(event)
        return True

    async def due(self, function_name: str, now: float, limit: int) -> Sequence[QueuedEvent]:
        await anyio.lowlevel.checkpoint()
        found: list[QueuedEvent] = []
        while len(found) < limit and (event := self._next(function_name)) is not None and event.due_at <= now:
            heapq.heappop(self._schedule[function_name])
            self._held.add(event.request_id)
            found.append(event)
        return found

    async def next_due(self, function_name: str) -> float | None:
        await anyio.lowlevel.checkpoint()
        event = self._next(function_name)
        return None if event is None else event.due_at

    async def again(self, event: QueuedEvent) -> None:
        await anyio.lowlevel.checkpoint()
        self._held.discard(event.request_id)
        if event.request_id in self.owed:
            self._owe(event)

    async def end(self, event: QueuedEvent, end: EventEnd, undelivered: Sequence[str]) -> None:
        await anyio.lowlevel.checkpoint()
        if self.owed.pop(event.request_id, None) is not None:
            self._keep(event, end.condition, end.ended_at, end.invoke_count, end.response, tuple(undelivered))
        self._held.discard(event.request_id)

    async def changed(self) -> None:
        await self._changed.wait()

    async def functions(self) -> Mapping[str, int]:
        """How many events are owed, by the function's name."""
        await anyio.lowlevel.checkpoint()
        return Counter(event.function_name for event in self.owed.values())

    def list_events(self, *, state: EventState | None = None, function: str | None = None) -> Sequence[EventRow]:
        """As `events_view.list_events`."""
        now = wall_time_s()
        self._forget(now)
        ended = sorted(self.ended.values(), key=lambda kept: kept.ended_at, reverse=True)
        rows = [_owed_row(event, now) for event in sorted(self.owed.values(), key=_due_at)] + list(
            map(_ended_row, ended)
        )
        return [row for row in rows if state in (None, row.state) and function in (None, row.function)]

    def retry(self, request_ids: Sequence[str]) -> dict[str, Retried]:
        """As `events_view.retry`."""
        return {request_id: self._retry(request_id, wall_time_s()) for request_id in request_ids}

    def drop(self, request_ids: Sequence[str]) -> dict[str, Dropped]:
        """As `events_view.drop`."""
        return {request_id: self._drop(request_id, wall_time_s()) for request_id in request_ids}

    def _retry(self, request_id: str, now: float) -> Retried:
        if event := self.owed.get(request_id):
            self._owe(replace(event, due_at=now))
            self._tell()
            return "due now"
        if request_id in self._succeeded:
            return "succeeded"
        kept = self._given_up.pop(request_id, None)
        if kept is None:
            return "unknown"
        self._owe(replace(kept.event, accepted_at=now, due_at=now, failures=0, refusals=0, last_error=None))
        self._tell()
        return "owed anew"

    def _drop(self, request_id: str, now: float) -> Dropped:
        event = self.owed.pop(request_id, None)
        if event is None:
            return "unknown" if self._end_of(request_id) is None else "ended"
        self._keep(event, DROPPED, now, event.failures, event.last_error, ())
        self._tell()
        return "dropped"

    def _keep(
        self,
        event: QueuedEvent,
        condition: str,
        ended_at: float,
        invoke_count: int,
        response: bytes | None,
        undelivered: tuple[str, ...],
    ) -> None:
        if condition == "Success":
            event, response = replace(event, payload=b""), None
        ends = self._succeeded if condition == "Success" else self._given_up
        ends[event.request_id] = KeptEnd(event, condition, ended_at, invoke_count, response, undelivered)

    def _owe(self, event: QueuedEvent) -> None:
        self.owed[event.request_id] = event
        heapq.heappush(self._schedule[event.function_name], (event.due_at, next(self._ties), event.request_id))

    def _next(self, function_name: str) -> QueuedEvent | None:
        """Of those nobody holds the one that is due first; its entry is in front of the schedule then."""
        schedule = self._schedule[function_name]
        while schedule:
            due_at, _, request_id = schedule[0]
            event = self.owed.get(request_id)
            if event is not None and event.due_at == due_at and request_id not in self._held:
                return event
            heapq.heappop(schedule)
        return None

    def _end_of(self, request_id: str) -> KeptEnd | None:
        return self._succeeded.get(request_id) or self._given_up.get(request_id)

    def _forget(self, now: float) -> None:
        for ends in (self._succeeded, self._given_up):
            while ends and (first := next(iter(ends.values()))).kept_until <= now:
                del ends[first.event.request_id]

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _due_at(event: QueuedEvent) -> float:
    return event.due_at


def _owed_row(event: QueuedEvent, now: float) -> EventRow:
    return EventRow(
        request_id=event.request_id,
        function=event.function_name,
        qualifier=event.qualifier,
        state="queued" if event.due_at <= now else "waiting",
        age_s=max(0.0, now - event.accepted_at),
        attempts=event.failures,
        refusals=event.refusals,
        due_at=event.due_at,
        error_type=error_type(event.last_error),
    )


def _ended_row(kept: KeptEnd) -> EventRow:
    return EventRow(
        request_id=kept.event.request_id,
        function=kept.event.function_name,
        qualifier=kept.event.qualifier,
        state=state_of(kept.condition),
        age_s=max(0.0, kept.ended_at - kept.event.accepted_at),
        attempts=kept.invoke_count,
        ended_at=kept.ended_at,
        condition=kept.condition,
        undelivered=kept.undelivered,
        error_type=error_type(kept.response),
    )

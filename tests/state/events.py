"""Events for the tests of their stores, and the operators' view of both kinds of store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state import events_view
from eventmap.state.events_memory import MemoryEvents
from eventmap.state.events_sqlite import SqliteEvents
from eventmap.state.events_view import Dropped, EventRow, EventState, Retried

NOW = 1_767_225_600.0  #: when virtual time begins
ERROR = b'{"errorMessage":"boom","errorType":"ValueError"}'

AnyEvents = MemoryEvents | SqliteEvents


def event(request_id: str = "id-1", **changes: Any) -> QueuedEvent:
    usual: dict[str, Any] = {
        "function_name": "orders",
        "payload": b'{"n": 1}',
        "accepted_at": NOW,
        "due_at": NOW,
    }
    return QueuedEvent(request_id=request_id, **(usual | changes))


def success(**changes: Any) -> EventEnd:
    usual: dict[str, Any] = {"condition": "Success", "ended_at": NOW, "invoke_count": 1, "response": b"null"}
    return EventEnd(**(usual | changes))


def failure(**changes: Any) -> EventEnd:
    usual: dict[str, Any] = {"condition": "RetriesExhausted", "invoke_count": 3, "response": ERROR}
    return success(**(usual | {"function_error": "Unhandled"} | changes))


def listed(store: AnyEvents, state: EventState | None = None, function: str | None = None) -> Sequence[EventRow]:
    if isinstance(store, MemoryEvents):
        return store.list_events(state=state, function=function)
    return events_view.list_events(store.path, state=state, function=function)


def retried(store: AnyEvents, *request_ids: str) -> dict[str, Retried]:
    if isinstance(store, MemoryEvents):
        return store.retry(request_ids)
    return events_view.retry(store.path, request_ids)


def dropped(store: AnyEvents, *request_ids: str) -> dict[str, Dropped]:
    if isinstance(store, MemoryEvents):
        return store.drop(request_ids)
    return events_view.drop(store.path, request_ids)


async def reopened(store: AnyEvents) -> AnyEvents:
    """What the next process finds, after this one was killed."""
    if isinstance(store, MemoryEvents):
        return store.restarted()
    await store.aclose()
    after = SqliteEvents(store.path)
    await after.prepare()
    return after


async def opened(path: Path) -> SqliteEvents:
    store = SqliteEvents(path)
    await store.prepare()
    return store

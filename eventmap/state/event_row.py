"""Accepted events and their ends as rows of the event file: the statements over them, and values in and out.

events  whole, as long as they are owed          ── end ──▶  ends  a success for a day, without its payload;
  ▲                                                            │   anything else for 14 days, with it
  └──────────────────────── an operator's retry ───────────────┘
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import orjson

from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.sqlite_file import FileKind

SUCCESS_KEPT_S: Final = 24 * 3600.0
"""How long an event that succeeded is known, so that its repetition is told from a new one."""

FAILURE_KEPT_S: Final = 14 * 24 * 3600.0
"""How long an event that was given up or dropped can be retried by hand."""

DROPPED: Final = "Dropped"
"""The condition of an event an operator gave up; of ours alone, so no destination is ever told of it."""

_EVENTS: Final = """
    CREATE TABLE events (
        request_id TEXT NOT NULL UNIQUE,
        function_name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        payload BLOB NOT NULL,
        accepted_at REAL NOT NULL,
        due_at REAL NOT NULL,
        failures INTEGER NOT NULL,
        refusals INTEGER NOT NULL,
        last_error BLOB
    )"""

_ENDS: Final = """
    CREATE TABLE ends (
        request_id TEXT NOT NULL UNIQUE,
        function_name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        payload BLOB,
        accepted_at REAL NOT NULL,
        ended_at REAL NOT NULL,
        kept_until REAL NOT NULL,
        condition TEXT NOT NULL,
        invoke_count INTEGER NOT NULL,
        status_code INTEGER NOT NULL,
        function_error TEXT,
        response BLOB,
        undelivered TEXT NOT NULL
    )"""

EVENT_FILE: Final = FileKind(
    noun="event file",
    option="--events",
    without="the events in it",
    application_id=0x65766D65,  # evme
    version=1,
    statements=(
        _EVENTS,
        # The request id lets those that are held be passed over without a look at their rows.
        "CREATE INDEX events_by_due ON events (function_name, due_at, request_id)",
        _ENDS,
        "CREATE INDEX ends_by_age ON ends (kept_until)",
    ),
    synchronous="FULL",
    for_a_fleet="share a queue with --events sqs:QUEUE",
)

_INSERT_EVENT: Final = """
    INSERT INTO events
    SELECT :request_id, :function_name, :qualifier, :trace_id, :payload, :accepted_at, :due_at, :failures, :refusals,
        :last_error
    WHERE NOT EXISTS (SELECT 1 FROM ends WHERE request_id = :request_id)
    ON CONFLICT (request_id) DO NOTHING"""

_UPDATE_EVENT: Final = """
    UPDATE events SET due_at = :due_at, failures = :failures, refusals = :refusals, last_error = :last_error
    WHERE request_id = :request_id"""

_INSERT_END: Final = """
    INSERT INTO ends VALUES (:request_id, :function_name, :qualifier, :trace_id, :payload, :accepted_at, :ended_at,
        :kept_until, :condition, :invoke_count, :status_code, :function_error, :response, :undelivered)"""

DELETE_EVENT: Final = "DELETE FROM events WHERE request_id = ?"

SELECT_IDS: Final = "SELECT request_id, due_at FROM events WHERE function_name = ? AND due_at <= ? ORDER BY due_at"

SELECT_EVENT: Final = """
    SELECT request_id, function_name, qualifier, trace_id, payload, accepted_at, due_at, failures, refusals, last_error
    FROM events WHERE request_id = ?"""

_PRUNE: Final = "DELETE FROM ends WHERE rowid IN (SELECT rowid FROM ends WHERE kept_until <= ? LIMIT ?)"


def insert_event(connection: sqlite3.Connection, event: QueuedEvent) -> bool:
    """False: an event of that request id is owed, or its end is still known."""
    return connection.execute(_INSERT_EVENT, _values(event)).rowcount == 1


def update_event(connection: sqlite3.Connection, event: QueuedEvent) -> None:
    """An event that is not owed any more stays so."""
    connection.execute(_UPDATE_EVENT, _values(event))


def end_event(connection: sqlite3.Connection, event: QueuedEvent, end: EventEnd, undelivered: Sequence[str]) -> None:
    """Move it to the ends, once: of an event that is not owed any more, no second end is recorded."""
    if connection.execute(DELETE_EVENT, (event.request_id,)).rowcount != 1:
        return
    succeeded = end.condition == "Success"
    connection.execute(
        _INSERT_END,
        {
            **_values(event),
            "payload": None if succeeded else event.payload,
            "ended_at": end.ended_at,
            "kept_until": end.ended_at + (SUCCESS_KEPT_S if succeeded else FAILURE_KEPT_S),
            "condition": end.condition,
            "invoke_count": end.invoke_count,
            "status_code": end.status_code,
            "function_error": end.function_error,
            "response": None if succeeded else end.response,
            "undelivered": orjson.dumps(list(undelivered)).decode(),
        },
    )


def prune(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Forget up to `limit` ends whose time is over; returns how many."""
    return connection.execute(_PRUNE, (now, limit)).rowcount


def from_row(row: Sequence[Any]) -> QueuedEvent:
    """Raises: TypeError, ValueError if somebody else wrote it."""
    request_id, function_name, qualifier, trace_id, payload, accepted_at, due_at, failures, refusals, last_error = row
    if not isinstance(payload, bytes):
        raise TypeError("its payload is not a blob")
    return QueuedEvent(
        request_id=request_id,
        function_name=function_name,
        qualifier=qualifier,
        trace_id=trace_id,
        payload=payload,
        accepted_at=float(accepted_at),
        due_at=float(due_at),
        failures=int(failures),
        refusals=int(refusals),
        last_error=last_error,
    )


def _values(event: QueuedEvent) -> dict[str, Any]:
    return {
        "request_id": event.request_id,
        "function_name": event.function_name,
        "qualifier": event.qualifier,
        "trace_id": event.trace_id,
        "payload": event.payload,
        "accepted_at": event.accepted_at,
        "due_at": event.due_at,
        "failures": event.failures,
        "refusals": event.refusals,
        "last_error": event.last_error,
    }

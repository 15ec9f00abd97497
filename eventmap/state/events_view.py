"""What an operator sees of an event file and does to it, whether or not a process is working on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from eventmap.clock import wall_time_s
from eventmap.errors import StateError
from eventmap.sqlite_file import open_file, reported, transaction
from eventmap.state.event_row import DELETE_EVENT, DROPPED, EVENT_FILE, FAILURE_KEPT_S

EventState = Literal["queued", "waiting", "failed", "succeeded", "dropped"]
"""`queued` = an attempt is due, or under way; `waiting` = for its next attempt; the others have ended."""

Retried = Literal["owed anew", "due now", "succeeded", "unknown"]
"""What became of a request to retry; the last two changed nothing."""

Dropped = Literal["dropped", "ended", "unknown"]
"""What became of a request to drop; the last two changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event as an operator sees it."""

    request_id: str
    function: str
    qualifier: str  #: "" = it was addressed without one
    state: EventState
    age_s: float  #: since it was accepted, seconds; of one that has ended, until its end
    attempts: int  #: runs of the code so far, or in all
    refusals: int = 0  #: in a row, up to now; of an event that is owed
    due_at: float | None = None  #: epoch seconds, of an event that is owed
    ended_at: float | None = None  #: epoch seconds, of an event that has ended
    condition: str = ""  #: of its end, in AWS' words, or "Dropped"; "" = it is owed
    undelivered: tuple[str, ...] = ()  #: which destinations could not be told of its end, and why
    error_type: str = ""  #: of the last failure; "" = none


_OWED: Final = """
    SELECT request_id, function_name, qualifier, accepted_at, due_at, failures, refusals, last_error FROM events
    WHERE due_at BETWEEN :due_from AND :due_to AND (:function IS NULL OR function_name = :function)
    ORDER BY due_at"""

_ENDED: Final = """
    SELECT request_id, function_name, qualifier, accepted_at, ended_at, condition, invoke_count, undelivered, response
    FROM ends WHERE (:function IS NULL OR function_name = :function)
    ORDER BY ended_at DESC"""

_OWED_ANEW: Final = """
    INSERT INTO events
    SELECT request_id, function_name, qualifier, trace_id, payload, :now, :now, 0, 0, NULL
    FROM ends WHERE request_id = :request_id AND payload IS NOT NULL"""

_DROP: Final = """
    INSERT INTO ends
    SELECT request_id, function_name, qualifier, trace_id, payload, accepted_at, :now, :kept_until, :condition,
        failures, 0, NULL, last_error, '[]'
    FROM events WHERE request_id = :request_id"""


def list_events(
    path: Path, *, state: EventState | None = None, function: str | None = None, limit: int | None = None
) -> Sequence[EventRow]:
    """Those in `state`, or all: what is owed first, the longest due in front, then what has ended, the last in front.

    `limit` is how many at most; None = all of them.
    Raises: StateError; StateNotFound if there is no such file; TransientSourceError.
    """
    rows: list[EventRow] = []
    with _opened(path) as connection:
        for row in _rows(connection, path, state, function):
            if len(rows) == limit:
                break
            rows.append(row)
    return rows


def retry(path: Path, request_ids: Sequence[str]) -> dict[str, Retried]:
    """Let events be tried now, each on its own. An owner at work notices within a second.

    One that waits is due now, its attempts counted on. One that was given up or dropped is owed anew: same request id,
    no attempts, its age counted from now; its recorded end is forgotten, and another will be recorded.
    Raises: as `list_events`.
    """
    with _opened(path) as connection, transaction(connection, "IMMEDIATE"):
        return {request_id: _retry(connection, request_id, wall_time_s()) for request_id in request_ids}


def drop(path: Path, request_ids: Sequence[str]) -> dict[str, Dropped]:
    """Give up events that are owed; no destination is told. An attempt under way is not cut off, its end not recorded.

    Raises: as `list_events`.
    """
    with _opened(path) as connection, transaction(connection, "IMMEDIATE"):
        return {request_id: _drop(connection, request_id, wall_time_s()) for request_id in request_ids}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    path = path.absolute()
    with closing(open_file(path, EVENT_FILE, create=False, inspect=False)) as connection, reported(path, EVENT_FILE):
        yield connection


def _rows(
    connection: sqlite3.Connection, path: Path, state: EventState | None, function: str | None
) -> Iterator[EventRow]:
    now = wall_time_s()
    if state in (None, "queued", "waiting"):
        due = {
            "due_from": now if state == "waiting" else float("-inf"),
            "due_to": now if state == "queued" else float("inf"),
        }
        for row in connection.execute(_OWED, {"function": function, **due}):
            owed = _owed(row, now)
            if state in (None, owed.state):
                yield owed
    if state in (None, "failed", "succeeded", "dropped"):
        for row in connection.execute(_ENDED, {"function": function}):
            ended = _ended(row, path)
            if state in (None, ended.state):
                yield ended


def _owed(row: Sequence[Any], now: float) -> EventRow:
    request_id, function, qualifier, accepted_at, due_at, failures, refusals, last_error = row
    return EventRow(
        request_id=request_id,
        function=function,
        qualifier=qualifier,
        state="queued" if due_at <= now else "waiting",
        age_s=max(0.0, now - accepted_at),
        attempts=failures,
        refusals=refusals,
        due_at=due_at,
        error_type=error_type(last_error),
    )


def _ended(row: Sequence[Any], path: Path) -> EventRow:
    request_id, function, qualifier, accepted_at, ended_at, condition, invoke_count, undelivered, response = row
    try:
        untold = tuple(orjson.loads(undelivered))
    except (orjson.JSONDecodeError, TypeError) as error:
        raise StateError(
            f"event file {path} holds an end that cannot be read, {request_id!r} ({error}): "
            "restore the file from a backup"
        ) from error
    return EventRow(
        request_id=request_id,
        function=function,
        qualifier=qualifier,
        state=state_of(condition),
        age_s=max(0.0, ended_at - accepted_at),
        attempts=invoke_count,
        ended_at=ended_at,
        condition=condition,
        undelivered=untold,
        error_type=error_type(response),
    )


def state_of(condition: str) -> EventState:
    """What an end of that condition is called."""
    match condition:
        case "Success":
            return "succeeded"
        case "Dropped":
            return "dropped"
        case _:
            return "failed"


def error_type(error: bytes | None) -> str:
    """The `errorType` of an error object; "" where there is none."""
    try:
        document = orjson.loads(error or b"null")
    except orjson.JSONDecodeError:
        return ""
    return str(document.get("errorType", "")) if isinstance(document, dict) else ""


def _retry(connection: sqlite3.Connection, request_id: str, now: float) -> Retried:
    values = {"request_id": request_id, "now": now}
    hastened = connection.execute("UPDATE events SET due_at = :now WHERE request_id = :request_id", values)
    if hastened.rowcount == 1:
        return "due now"
    if connection.execute(_OWED_ANEW, values).rowcount == 1:
        connection.execute("DELETE FROM ends WHERE request_id = ?", (request_id,))
        return "owed anew"
    return "succeeded" if _has_ended(connection, request_id) else "unknown"


def _drop(connection: sqlite3.Connection, request_id: str, now: float) -> Dropped:
    kept_until = now + FAILURE_KEPT_S
    values = {"request_id": request_id, "now": now, "kept_until": kept_until, "condition": DROPPED}
    if connection.execute(_DROP, values).rowcount == 1:
        connection.execute(DELETE_EVENT, (request_id,))
        return "dropped"
    return "ended" if _has_ended(connection, request_id) else "unknown"


def _has_ended(connection: sqlite3.Connection, request_id: str) -> bool:
    return connection.execute("SELECT 1 FROM ends WHERE request_id = ?", (request_id,)).fetchone() is not None

"""Asynchronous events in a SQLite file: durable before they are answered for; one process at a time works on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio

from eventmap.clock import elapsed_s
from eventmap.errors import StateError
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state.event_row import (
    EVENT_FILE,
    SELECT_EVENT,
    SELECT_IDS,
    end_event,
    from_row,
    insert_event,
    prune,
    update_event,
)
from eventmap.state.owned_file import OwnedFile

LOOK_INTERVAL_S: Final = 0.5
"""How often `changed` looks whether an operator has been at the file."""

PRUNE_INTERVAL_S: Final = 60.0
PRUNE_STEP: Final = 200  # rows, so that nobody waits for it


class SqliteEvents:
    """An EventStore in the file at `path`, which must be on a local disk. Operators look and reach into it meanwhile.

    An event is on the disk when `accept` returns. What was given up, and what succeeded, is kept as `event_row` says,
    then forgotten a little at a time; the file does not shrink, its free space is used again.

    `await prepare()` before anything else, `await aclose()` after all.
    Raises: StateError (damaged, full, read-only, removed, in use, a newer version's), TransientSourceError (locked too
    long). A call that is cut short may still take effect.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = OwnedFile(path, EVENT_FILE)
        self.path: Path = self._file.path
        self._held: set[str] = set()  # request ids
        self._version = 0  # of the file, as SQLite counts the commits of others
        self._looked_at_s = 0.0
        self._pruned_at = 0.0

    async def prepare(self) -> None:
        """Open the file, or make it, and be its only owner. May be called again."""
        if await self._file.open():
            self._version = await self._file.write(_version)
            self._looked_at_s = elapsed_s()

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it."""
        await self._file.aclose()

    async def accept(self, event: QueuedEvent) -> bool:
        return await self._file.write(lambda connection: insert_event(connection, event))

    async def due(self, function_name: str, now: float, limit: int) -> Sequence[QueuedEvent]:
        held = frozenset(self._held)  # before the look: what is let go of later may be seen as it was before

        def due(connection: sqlite3.Connection) -> list[QueuedEvent]:
            ids = self._ids(connection, function_name, now, held, limit)
            rows = [connection.execute(SELECT_EVENT, (request_id,)).fetchone() for request_id, _ in ids]
            return [self._event(row) for row in rows if row is not None]

        found = [event for event in await self._file.read(due) if event.request_id not in self._held]
        self._held.update(event.request_id for event in found)
        return found

    async def next_due(self, function_name: str) -> float | None:
        held = frozenset(self._held)
        found = await self._file.read(lambda connection: self._ids(connection, function_name, float("inf"), held, 1))
        return found[0][1] if found else None

    async def again(self, event: QueuedEvent) -> None:
        await self._file.write(lambda connection: update_event(connection, event))
        self._held.discard(event.request_id)

    async def end(self, event: QueuedEvent, end: EventEnd, undelivered: Sequence[str]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            end_event(connection, event, end, undelivered)
            self._prune_in_time(connection, end.ended_at)

        await self._file.write(write)
        self._held.discard(event.request_id)

    async def changed(self) -> None:
        seen = self._version
        while self._version == seen:
            await anyio.sleep(LOOK_INTERVAL_S)
            if elapsed_s() - self._looked_at_s >= LOOK_INTERVAL_S:  # another's look, a moment ago, serves as well
                self._looked_at_s = elapsed_s()
                self._version = await self._file.write(_version)

    async def functions(self) -> Mapping[str, int]:
        """How many events are owed, by the function's name; reads through all of them."""
        counts = "SELECT function_name, count(*) FROM events GROUP BY function_name"
        return await self._file.read(lambda connection: dict(connection.execute(counts).fetchall()))

    # What follows runs in one of the two threads.

    @staticmethod
    def _ids(
        connection: sqlite3.Connection, function_name: str, until: float, held: frozenset[str], limit: int
    ) -> list[tuple[str, float]]:
        """Of events that nobody holds, with when each is due; not their rows, which may be a megabyte each."""
        found: list[tuple[str, float]] = []
        for request_id, due_at in connection.execute(SELECT_IDS, (function_name, until)):
            if request_id not in held:
                found.append((request_id, due_at))
            if len(found) == limit:
                break
        return found

    def _event(self, row: Sequence[object]) -> QueuedEvent:
        try:
            return from_row(row)
        except (TypeError, ValueError) as error:
            raise StateError(
                f"event file {self.path} holds an event that cannot be read, {row[0]!r} ({error}): "
                "drop it, or restore the file from a backup"
            ) from error

    def _prune_in_time(self, connection: sqlite3.Connection, now: float) -> None:
        if now - self._pruned_at >= PRUNE_INTERVAL_S and prune(connection, now, PRUNE_STEP) < PRUNE_STEP:
            self._pruned_at = now


def _version(connection: sqlite3.Connection) -> int:
    """Another number after a commit of anybody but the writer itself."""
    ((version,),) = connection.execute("PRAGMA data_version")
    return int(version)

"""Asynchronous events in a SQLite file: durable before they are answered for; one process at a time works on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import anyio

from eventmap.clock import elapsed_s
from eventmap.errors import StateError
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.sqlite_file import identity, open_file, reported, transaction
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
from eventmap.state.group_commit import GroupCommit, Write
from eventmap.state.owner_lock import OwnerLock

T = TypeVar("T")

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
        self.path: Path = Path(path).absolute()
        self._owner = OwnerLock(self.path, EVENT_FILE)
        # Reads have a connection and a thread of their own: they never wait for the disk to sync.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventmap-events-read")
        self._reader: sqlite3.Connection | None = None
        self._writer: GroupCommit | None = None
        self._is_closed = False
        self._held: set[str] = set()  # request ids
        self._version = 0  # of the file, as SQLite counts the commits of others
        self._looked_at_s = 0.0
        self._pruned_at = 0.0

    async def prepare(self) -> None:
        """Open the file, or make it, and be its only owner. May be called again."""
        if self._writer is None:
            self._writer, self._reader = await self._in_thread(self._open)
            self._version = await self._write(_version)
            self._looked_at_s = elapsed_s()

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it."""
        if self._is_closed:
            return
        with anyio.CancelScope(shield=True):  # bounded by the calls before it
            if self._writer is not None:
                await self._writer.aclose()
            await self._in_thread(self._close)
        self._is_closed = True
        self._thread.shutdown(wait=False)

    async def accept(self, event: QueuedEvent) -> bool:
        return await self._write(lambda connection: insert_event(connection, event))

    async def due(self, function_name: str, now: float, limit: int) -> Sequence[QueuedEvent]:
        held = frozenset(self._held)  # before the look: what is let go of later may be seen as it was before

        def due(connection: sqlite3.Connection) -> list[QueuedEvent]:
            ids = self._ids(connection, function_name, now, held, limit)
            rows = [connection.execute(SELECT_EVENT, (request_id,)).fetchone() for request_id, _ in ids]
            return [self._event(row) for row in rows if row is not None]

        found = [event for event in await self._read(due) if event.request_id not in self._held]
        self._held.update(event.request_id for event in found)
        return found

    async def next_due(self, function_name: str) -> float | None:
        held = frozenset(self._held)
        found = await self._read(lambda connection: self._ids(connection, function_name, float("inf"), held, 1))
        return found[0][1] if found else None

    async def again(self, event: QueuedEvent) -> None:
        await self._write(lambda connection: update_event(connection, event))
        self._held.discard(event.request_id)

    async def end(self, event: QueuedEvent, end: EventEnd, undelivered: Sequence[str]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            end_event(connection, event, end, undelivered)
            self._prune_in_time(connection, end.ended_at)

        await self._write(write)
        self._held.discard(event.request_id)

    async def changed(self) -> None:
        seen = self._version
        while self._version == seen:
            await anyio.sleep(LOOK_INTERVAL_S)
            if elapsed_s() - self._looked_at_s >= LOOK_INTERVAL_S:  # another's look, a moment ago, serves as well
                self._looked_at_s = elapsed_s()
                self._version = await self._write(_version)

    async def functions(self) -> Mapping[str, int]:
        """How many events are owed, by the function's name; reads through all of them."""
        counts = "SELECT function_name, count(*) FROM events GROUP BY function_name"
        return await self._read(lambda connection: dict(connection.execute(counts).fetchall()))

    # What follows runs in one of the two threads.

    def _open(self) -> tuple[GroupCommit, sqlite3.Connection]:
        writing = open_file(self.path, EVENT_FILE)
        try:
            self._owner.hold()
            reading = open_file(self.path, EVENT_FILE, inspect=False)
        except BaseException:
            writing.close()
            self._owner.drop()
            raise
        return GroupCommit(writing, self.path, EVENT_FILE, identity(self.path)), reading

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._owner.drop()

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

    # And what does not.

    async def _write(self, write: Write[T]) -> T:
        if self._writer is None or self._is_closed:
            raise self._not_open()
        return await self._writer.write(write)

    async def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        def reported_read() -> T:
            if self._reader is None:
                raise self._not_open()
            with reported(self.path, EVENT_FILE), transaction(self._reader, "DEFERRED"):
                return read(self._reader)

        return await self._in_thread(reported_read)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if self._is_closed:
            raise self._not_open()
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _not_open(self) -> StateError:
        return StateError(f"event file {self.path} is not open: prepare() comes first, aclose() last")


def _version(connection: sqlite3.Connection) -> int:
    """Another number after a commit of anybody but the writer itself."""
    ((version,),) = connection.execute("PRAGMA data_version")
    return int(version)

"""Event buses in a SQLite file: definitions, what is owed, and archives; one process at a time works on it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import orjson

from eventmap.errors import StateError
from eventmap.model import JsonObject
from eventmap.rules.bus.delivery import Delivery
from eventmap.rules.bus.documents import Changes, DocumentKey
from eventmap.rules.bus.event import unpacked
from eventmap.rules.bus.taken import NOTHING, ArchivedEvent, Taken
from eventmap.state import bus_rows
from eventmap.state.bus_rows import BUS_FILE
from eventmap.state.owned_file import OwnedFile

T = TypeVar("T")


class SqliteBuses:
    """A BusStore in the file at `path`, which must be on a local disk.

    `await prepare()` before anything else, `await aclose()` after all.
    Raises: StateError (damaged, full, read-only, removed, in use, a newer version's), TransientSourceError (locked too
    long). A call that is cut short may still take effect.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = OwnedFile(path, BUS_FILE)
        self.path: Path = self._file.path
        self._held: set[str] = set()  # delivery ids

    async def prepare(self) -> None:
        """Open the file, or make it, and be its only owner. May be called again."""
        await self._file.open()

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it. Twice is fine."""
        await self._file.aclose()

    async def documents(self) -> Mapping[DocumentKey, JsonObject]:
        rows = await self._file.read(bus_rows.select_documents)
        return {(kind, key): self._checked(f"{kind} {key!r}", orjson.loads, text) for kind, key, text in rows}

    async def change(self, changes: Changes) -> None:
        await self._file.write(lambda connection: bus_rows.change_documents(connection, changes))

    async def take(self, taken: Taken) -> None:
        await self._file.write(lambda connection: _take(connection, taken))

    async def due(self, now: float, limit: int, *, without: Collection[str] = ()) -> Sequence[Delivery]:
        held = frozenset(self._held)  # before the look: what is let go of later may be seen as it was before

        def due(connection: sqlite3.Connection) -> list[Sequence[object]]:
            ids = itertools.islice(bus_rows.ids_due(connection, now, held, without), limit)
            rows = [bus_rows.select_delivery(connection, delivery_id) for delivery_id, _ in list(ids)]
            return [row for row in rows if row is not None]

        rows = await self._file.read(due)
        found = [self._checked(f"delivery {row[0]!r}", bus_rows.delivery_of, row) for row in rows]
        found = [delivery for delivery in found if delivery.delivery_id not in self._held]
        self._held.update(delivery.delivery_id for delivery in found)
        return found

    async def next_due(self, *, without: Collection[str] = ()) -> float | None:
        held = frozenset(self._held)

        def first(connection: sqlite3.Connection) -> float | None:
            return next((at for _, at in bus_rows.ids_due(connection, float("inf"), held, without)), None)

        return await self._file.read(first)

    async def again(self, delivery: Delivery) -> None:
        await self._file.write(lambda connection: bus_rows.update_delivery(connection, delivery))
        self._held.discard(delivery.delivery_id)

    async def done(self, delivery: Delivery, taken: Taken = NOTHING) -> None:
        def write(connection: sqlite3.Connection) -> None:
            bus_rows.delete_delivery(connection, delivery.delivery_id)
            _take(connection, taken)

        await self._file.write(write)
        self._held.discard(delivery.delivery_id)

    async def owed(self, limit: int, *, due_by: float = float("inf")) -> int:
        return await self._file.read(lambda connection: bus_rows.count_owed(connection, due_by, limit))

    async def archived(self, archive: str, after: int, limit: int) -> Sequence[ArchivedEvent]:
        rows = await self._file.read(lambda connection: bus_rows.select_archived(connection, archive, after, limit))
        what = f"event of archive {archive!r}"
        return [ArchivedEvent(position, self._checked(what, unpacked, text)) for position, text in rows]

    async def archive_sizes(self) -> Mapping[str, tuple[int, int]]:
        return await self._file.read(bus_rows.select_sizes)

    async def forget(self, before: Mapping[str, float], limit: int) -> int:
        return await self._file.write(lambda connection: bus_rows.forget(connection, before, limit))

    def _checked(self, what: str, read: Callable[..., T], written: object) -> T:
        try:
            return read(written)
        except (TypeError, ValueError, KeyError) as error:
            raise StateError(
                f"bus file {self.path} holds what cannot be read, {what} ({error}): restore it from a backup, or move "
                f"it away to begin without {BUS_FILE.without}"
            ) from error


def _take(connection: sqlite3.Connection, taken: Taken) -> None:
    bus_rows.change_documents(connection, taken.changes)
    for delivery in taken.deliveries:
        bus_rows.insert_delivery(connection, delivery)
    for archive, event in taken.archived:
        bus_rows.insert_archived(connection, archive, event)

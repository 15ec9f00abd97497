"""Files that are made when there is something to keep: a server that is only called leaves none behind.

Each is opened at once where there is one already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import anyio

from eventmap.delivery.bus.ports import BusStore
from eventmap.model import JsonObject
from eventmap.rules.bus.delivery import Delivery
from eventmap.rules.bus.documents import Changes, Documents
from eventmap.rules.bus.taken import NOTHING, ArchivedEvent, Taken
from eventmap.rules.schedule.position import Claim
from eventmap.state.buses_sqlite import SqliteBuses
from eventmap.state.control_sqlite import SqliteControl
from eventmap.state.positions_sqlite import SqlitePositions


class PositionsWhenNeeded:
    """`Positions` in a file that is opened for the first schedule."""

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        """`stack` closes it."""
        self._positions = SqlitePositions(path)
        self._opening = anyio.Lock()
        stack.push_async_callback(self._positions.aclose)

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        if not keys:
            return {}
        await self._open()
        return await self._positions.load(keys)

    async def claim(self, key: str, time: int) -> Claim:
        return await self._positions.claim(key, time)

    async def record(self, key: str, position: int) -> None:
        await self._positions.record(key, position)

    async def release(self, key: str) -> None:
        await self._positions.release(key)

    async def forget(self, keys: Sequence[str]) -> None:
        if keys:
            await self._open()
            await self._positions.forget(keys)

    async def _open(self) -> None:
        async with self._opening:  # declared schedules and those of rules are loaded side by side
            await self._positions.prepare()


class ControlWhenNeeded:
    """A `ControlStore` in a file that is made for the first mapping or function."""

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        """`stack` closes it."""
        self._store = SqliteControl(path)
        self._path = path
        stack.push_async_callback(self._store.aclose)

    async def prepare(self) -> None:
        """Open the file there is. Raises: StateError."""
        if self._path.exists():
            await self._store.prepare()

    async def read(self, kind: str) -> dict[str, JsonObject]:
        return await self._store.read(kind) if self._path.exists() else {}

    async def write(self, changes: Mapping[tuple[str, str], JsonObject | None]) -> None:
        await self._store.prepare()
        await self._store.write(changes)


class BusesWhenNeeded:
    """A `BusStore` in a file that is made for the first event, or the first change after `begin`.

    What is changed before is declared anew with every start, so it has nobody to be kept for yet.
    """

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        """`stack` closes it."""
        self._path = path
        self._file = SqliteBuses(path)
        self._store: BusStore | None = None  # the file, once it is open
        self._declared: dict[tuple[str, str], JsonObject | None] = {}
        self._has_begun = False
        self._opening = anyio.Lock()
        stack.push_async_callback(self._file.aclose)

    def begin(self) -> None:
        """What is changed from now on is kept."""
        self._has_begun = True

    async def prepare(self) -> None:
        if self._store is None and self._path.exists():
            await self._file.prepare()
            self._store = self._file

    async def documents(self) -> Documents:
        return {} if self._store is None else await self._store.documents()

    async def change(self, changes: Changes) -> None:
        if self._store is None and not self._has_begun:
            self._declared.update(changes)
            return
        await (await self._opened()).change(changes)

    async def take(self, taken: Taken) -> None:
        await (await self._opened()).take(taken)

    async def due(self, now: float, limit: int, *, without: Collection[str] = ()) -> Sequence[Delivery]:
        return () if self._store is None else await self._store.due(now, limit, without=without)

    async def next_due(self, *, without: Collection[str] = ()) -> float | None:
        return None if self._store is None else await self._store.next_due(without=without)

    async def again(self, delivery: Delivery) -> None:
        await (await self._opened()).again(delivery)

    async def done(self, delivery: Delivery, taken: Taken = NOTHING) -> None:
        await (await self._opened()).done(delivery, taken)

    async def owed(self, limit: int, *, due_by: float = float("inf")) -> int:
        return 0 if self._store is None else await self._store.owed(limit, due_by=due_by)

    async def archived(self, archive: str, after: int, limit: int) -> Sequence[ArchivedEvent]:
        return () if self._store is None else await self._store.archived(archive, after, limit)

    async def archive_sizes(self) -> Mapping[str, tuple[int, int]]:
        return {} if self._store is None else await self._store.archive_sizes()

    async def forget(self, before: Mapping[str, float], limit: int) -> int:
        return 0 if self._store is None else await self._store.forget(before, limit)

    async def _opened(self) -> BusStore:
        async with self._opening:
            if self._store is None:
                await self._file.prepare()
                if self._declared:
                    await self._file.change(self._declared)
                self._store = self._file
        return self._store

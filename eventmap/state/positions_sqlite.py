"""Positions of schedules in a SQLite file: one process at a time works on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import anyio

from eventmap.errors import StateError
from eventmap.rules.schedule.position import Claim
from eventmap.sqlite_file import FileKind, identity, open_file
from eventmap.state.group_commit import GroupCommit, Write
from eventmap.state.owner_lock import OwnerLock
from eventmap.state.positions_memory import MemoryPositions

T = TypeVar("T")

POSITION_FILE: Final = FileKind(
    noun="schedule file",
    option="--schedule-state",
    without="knowing which runs were missed",
    application_id=0x65766D73,  # evms
    version=1,
    statements=(
        """CREATE TABLE positions (
            key TEXT NOT NULL PRIMARY KEY,
            position INTEGER NOT NULL
        ) WITHOUT ROWID""",
    ),
    synchronous="NORMAL",  # after a power failure the last runs are begun again, under request ids that are known
    for_a_fleet="share a table with --schedule-state dynamodb:TABLE",
)


class SqlitePositions:
    """Positions in the file at `path`, which must be on a local disk; those that are loaded are known in memory too.

    `await prepare()` before anything else, `await aclose()` after all.
    Raises: StateError (damaged, full, read-only, removed, in use, a newer version's), TransientSourceError (locked too
    long). A write that is cut short may still take effect.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path).absolute()
        self._owner = OwnerLock(self.path, POSITION_FILE)
        self._writer: GroupCommit | None = None
        self._loaded = MemoryPositions()

    async def prepare(self) -> None:
        """Open the file, or make it, and be its only owner. May be called again."""
        if self._writer is None:
            self._writer = await asyncio.get_running_loop().run_in_executor(None, self._open)
            rows = await self._write(
                lambda connection: connection.execute("SELECT key, position FROM positions").fetchall()
            )
            self._loaded = MemoryPositions(dict(rows))

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it. Twice is fine."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with anyio.CancelScope(shield=True):  # bounded by the writes before it
                await writer.aclose()
            self._owner.drop()

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        """The position of each; one that is not known yet begins now, and is in the file when this returns."""
        new = self._loaded.begin(keys)
        rows = [(key, self._loaded.known[key]) for key in new]
        try:
            await self._write(
                lambda connection: connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", rows)
            )
        except BaseException:
            await self._loaded.forget(new)
            raise
        return await self._loaded.load(keys)

    async def claim(self, key: str, time: int) -> Claim:
        """Always to be had: there is nobody else."""
        return await self._loaded.claim(key, time)

    async def record(self, key: str, position: int) -> None:
        """Done up to there, unless it was forgotten meanwhile."""
        await self._write(
            lambda connection: connection.execute("UPDATE positions SET position = ? WHERE key = ?", (position, key))
        )
        await self._loaded.record(key, position)

    async def release(self, key: str) -> None:
        """Nothing to do."""

    async def forget(self, keys: Sequence[str]) -> None:
        """They begin anew when they are next loaded."""
        rows = [(key,) for key in keys if key in self._loaded.known]
        await self._write(lambda connection: connection.executemany("DELETE FROM positions WHERE key = ?", rows))
        await self._loaded.forget(keys)

    async def _write(self, write: Write[T]) -> T:
        if self._writer is None:
            raise StateError(f"schedule file {self.path} is not open: prepare() comes first, aclose() last")
        return await self._writer.write(write)

    def _open(self) -> GroupCommit:
        connection = open_file(self.path, POSITION_FILE)
        try:
            self._owner.hold()
        except BaseException:
            connection.close()
            raise
        return GroupCommit(connection, self.path, POSITION_FILE, identity(self.path))

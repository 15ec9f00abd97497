"""Positions of schedules in a SQLite file: one process at a time works on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from eventmap.rules.schedule.position import Claim
from eventmap.sqlite_file import FileKind
from eventmap.state.positions_memory import MemoryPositions
from eventmap.state.written_file import WrittenFile

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
        self._file = WrittenFile(path, POSITION_FILE)
        self.path: Path = self._file.path
        self._loaded = MemoryPositions()

    async def prepare(self) -> None:
        """Open the file, or make it, and be its only owner. May be called again."""
        if await self._file.open():
            rows = await self._file.write(
                lambda connection: connection.execute("SELECT key, position FROM positions").fetchall()
            )
            self._loaded = MemoryPositions(dict(rows))

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it. Twice is fine."""
        await self._file.aclose()

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        """The position of each; one that is not known yet begins now, and is in the file when this returns."""
        new = self._loaded.begin(keys)
        rows = [(key, self._loaded.known[key]) for key in new]
        try:
            await self._file.write(
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
        await self._file.write(
            lambda connection: connection.execute("UPDATE positions SET position = ? WHERE key = ?", (position, key))
        )
        await self._loaded.record(key, position)

    async def release(self, key: str) -> None:
        """Nothing to do."""

    async def forget(self, keys: Sequence[str]) -> None:
        """They begin anew when they are next loaded."""
        rows = [(key,) for key in keys if key in self._loaded.known]
        await self._file.write(lambda connection: connection.executemany("DELETE FROM positions WHERE key = ?", rows))
        await self._loaded.forget(keys)

"""WrittenFile: a small SQLite file that one process at a time works on; its few reads go the way of its writes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

import anyio

from eventmap.errors import StateError
from eventmap.sqlite_file import FileKind, identity, open_file
from eventmap.state.group_commit import GroupCommit, Write
from eventmap.state.owner_lock import OwnerLock

T = TypeVar("T")


class WrittenFile:
    """The file of that kind at `path`, on a local disk. `await open()` first, `await aclose()` last.

    Raises: StateError (damaged, full, read-only, removed, in use, a newer version's), TransientSourceError (locked too
    long). A write that is cut short may still take effect.
    """

    def __init__(self, path: str | Path, kind: FileKind) -> None:
        self.path: Path = Path(path).absolute()
        self._kind = kind
        self._owner = OwnerLock(self.path, kind)
        self._writer: GroupCommit | None = None
        self._opening = anyio.Lock()

    async def open(self) -> bool:
        """Open the file, or make it, and be its only owner. May be called again: False = it was open already."""
        async with self._opening:
            if self._writer is not None:
                return False
            self._writer = await asyncio.get_running_loop().run_in_executor(None, self._open)
        return True

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it. Twice is fine."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with anyio.CancelScope(shield=True):  # bounded by the writes before it
                await writer.aclose()
            self._owner.drop()

    async def write(self, write: Write[T]) -> T:
        """See `GroupCommit.write`."""
        if self._writer is None:
            raise StateError(f"{self._kind.noun} {self.path} is not open: prepare() comes first, aclose() last")
        return await self._writer.write(write)

    def _open(self) -> GroupCommit:
        connection = open_file(self.path, self._kind)
        try:
            self._owner.hold()
        except BaseException:
            connection.close()
            raise
        return GroupCommit(connection, self.path, self._kind, identity(self.path))

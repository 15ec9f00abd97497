"""OwnedFile: a SQLite file that one process at a time works on: writes in groups, and reads beside them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import anyio

from eventmap.errors import StateError
from eventmap.sqlite_file import FileKind, identity, open_file, reported, transaction
from eventmap.state.group_commit import GroupCommit, Write
from eventmap.state.owner_lock import OwnerLock

T = TypeVar("T")


class OwnedFile:
    """The file of that kind at `path`, on a local disk. `await open()` first, `await aclose()` last.

    Raises: StateError (damaged, full, read-only, removed, in use, a newer version's), TransientSourceError (locked too
    long). A call that is cut short may still take effect.
    """

    def __init__(self, path: str | Path, kind: FileKind) -> None:
        self.path: Path = Path(path).absolute()
        self._kind = kind
        self._owner = OwnerLock(self.path, kind)
        # Reads have a connection and a thread of their own: they never wait for the disk to sync.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventmap-read")
        self._reader: sqlite3.Connection | None = None
        self._writer: GroupCommit | None = None
        self._is_closed = False

    async def open(self) -> bool:
        """Open the file, or make it, and be its only owner. May be called again: False = it was open already."""
        if self._writer is not None:
            return False
        self._writer, self._reader = await self._in_thread(self._open)
        return True

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it. Twice is fine."""
        if self._is_closed:
            return
        with anyio.CancelScope(shield=True):  # bounded by the calls before it
            if self._writer is not None:
                await self._writer.aclose()
            await self._in_thread(self._close)
        self._is_closed = True
        self._thread.shutdown(wait=False)

    async def write(self, write: Write[T]) -> T:
        """See `GroupCommit.write`."""
        if self._writer is None or self._is_closed:
            raise self._not_open()
        return await self._writer.write(write)

    async def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """In one transaction."""

        def reported_read() -> T:
            if self._reader is None:
                raise self._not_open()
            with reported(self.path, self._kind), transaction(self._reader, "DEFERRED"):
                return read(self._reader)

        return await self._in_thread(reported_read)

    def _open(self) -> tuple[GroupCommit, sqlite3.Connection]:
        writing = open_file(self.path, self._kind)
        try:
            self._owner.hold()
            reading = open_file(self.path, self._kind, inspect=False)
        except BaseException:
            writing.close()
            self._owner.drop()
            raise
        return GroupCommit(writing, self.path, self._kind, identity(self.path)), reading

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._owner.drop()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if self._is_closed:
            raise self._not_open()
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _not_open(self) -> StateError:
        return StateError(f"{self._kind.noun} {self.path} is not open: prepare() comes first, aclose() last")

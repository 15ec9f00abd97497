"""Leases in a SQLite file: any number of processes of one machine share it (STR-162..172, STR-197..202)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio

from eventmap.errors import StateError
from eventmap.lease import Lease, Presence, Snapshot
from eventmap.model import JsonObject
from eventmap.sqlite_file import check_identity, identity, open_file, reported, transaction
from eventmap.state.lease_row import (
    DELETE,
    INSERT,
    SELECT_ALL,
    SELECT_ONE,
    STATE_FILE,
    UPDATE,
    fence,
    from_row,
    to_row,
)
from eventmap.state.transitions import checkpointed, finished, released, renewed, taken
from eventmap.state.worker_lock import WorkerLock

T = TypeVar("T")

# A worker that has gone is remembered for as long as a lease names it, so that every other may learn of it.
_FORGET_GONE: Final = """DELETE FROM workers WHERE application = :application AND is_gone AND worker NOT IN (
    SELECT owner FROM leases WHERE application = :application AND owner IS NOT NULL
    UNION SELECT checkpoint_owner FROM leases WHERE application = :application AND checkpoint_owner IS NOT NULL)"""


class SqliteLeases:
    """A LeaseStore in the file at `path`, for one application: one mapping of one stream, named as you like.

    Several applications, and several processes of each, may share a file; it must be on a local disk. A worker that
    announces itself locks a file beside it, `PATH.….lock`, so that its end is noticed at once, however it came.

    `await prepare()` before anything else, `await aclose()` after all. Calls wait in a thread of their own, at most
    5 s each; a call that is cancelled may still take effect.
    Raises: StateError (damaged, full, read-only, removed, a newer version's), TransientSourceError (locked too long).
    """

    def __init__(self, path: str | Path, application: str) -> None:
        self.path: Path = Path(path).absolute()
        self._application = application
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventmap-state")
        self._is_closed = False
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # device and inode of what was opened
        self._locks: dict[str, WorkerLock] = {}

    async def prepare(self, *, create: bool = True) -> None:
        """Open the file, or make it. May be called again.

        `create` False = make none. Raises also: StateNotFound, if there is none then, or an empty one.
        """
        await self._run(lambda: self._open(create))

    async def aclose(self) -> None:
        """Close the file; a worker announced through here and not withdrawn is then seen to have died."""
        if self._is_closed:
            return
        with anyio.CancelScope(shield=True):  # bounded by the call before it
            await self._run(self._close)
        self._is_closed = True
        self._thread.shutdown(wait=False)

    async def scan(self) -> Snapshot:
        return await self._run(self._scan)

    async def applications(self) -> tuple[str, ...]:
        """All the applications that have leases in the file, this one and others."""
        names = "SELECT DISTINCT application FROM leases ORDER BY application"
        return await self._run(lambda: tuple(name for (name,) in self._rows(names)))

    async def get(self, key: str) -> Lease | None:
        def get() -> Lease | None:
            rows = self._rows(SELECT_ONE, {"key": key})
            return self._lease(rows[0]) if rows else None

        return await self._run(get)

    async def create(self, leases: Sequence[Lease]) -> None:
        """All of them or, if it fails, none."""

        def create() -> None:
            with reported(self.path, STATE_FILE), transaction(self._open_connection(), "IMMEDIATE"):
                for lease in leases:
                    self._execute(INSERT, to_row(lease))

        await self._run(create)

    async def take(self, lease: Lease, owner: str, *, hand_over: bool = False) -> Lease | None:
        return await self._change(lease, taken(lease, owner, hand_over=hand_over))

    async def renew(self, lease: Lease) -> Lease | None:
        return await self._change(lease, renewed(lease))

    async def checkpoint(self, lease: Lease, checkpoint: str, window: JsonObject | None = None) -> Lease | None:
        return await self._change(lease, checkpointed(lease, checkpoint, window))

    async def finish(self, lease: Lease, children: Sequence[str]) -> Lease | None:
        return await self._change(lease, finished(lease, children))

    async def release(self, lease: Lease) -> Lease | None:
        return await self._change(lease, released(lease))

    async def delete(self, lease: Lease) -> bool:
        return await self._run(lambda: self._execute(DELETE, fence(lease)) == 1)

    async def announce(self, worker: str, beat: int) -> None:
        def announce() -> None:
            lock = self._locks.setdefault(worker, self._lock(worker))
            try:
                lock.hold()  # before it is told, or somebody would find it unlocked
            except OSError as error:
                raise StateError(
                    f"the lock file {lock.path} beside the state file cannot be made ({error.strerror}): "
                    "make its folder writable, or name another file with --state"
                ) from error
            self._execute(
                "INSERT OR REPLACE INTO workers VALUES (:application, :worker, :beat, 0)",
                {"worker": worker, "beat": beat},
            )
            self._execute(_FORGET_GONE)

        await self._run(announce)

    async def withdraw(self, worker: str) -> None:
        def withdraw() -> None:
            self._mark_gone(worker)
            if lock := self._locks.pop(worker, None):
                lock.drop()
                lock.is_abandoned()  # removes the file

        await self._run(withdraw)

    async def is_dead(self, worker: str) -> bool:
        """Whether it withdrew, or its process has ended. False for one that never announced itself."""

        def is_dead() -> bool:
            rows = self._rows(
                "SELECT is_gone FROM workers WHERE application = :application AND worker = :worker", {"worker": worker}
            )
            return bool(rows) and (rows[0][0] == 1 or self._has_died(worker))

        return await self._run(is_dead)

    # What follows runs in the store's thread.

    def _open(self, create: bool) -> None:
        if self._connection is None:
            self._connection = open_file(self.path, STATE_FILE, create=create)
            self._file = identity(self.path)

    def _close(self) -> None:
        for lock in self._locks.values():
            lock.drop()
        self._locks.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _scan(self) -> Snapshot:
        check_identity(self.path, STATE_FILE, self._file)
        beats = self._rows("SELECT worker, beat FROM workers WHERE application = :application AND NOT is_gone")
        present = tuple(Presence(worker, beat) for worker, beat in beats if not self._has_died(worker))
        return Snapshot(tuple(self._lease(row) for row in self._rows(SELECT_ALL)), present)

    def _has_died(self, worker: str) -> bool:
        """And if so, let the others know."""
        if worker in self._locks or not self._lock(worker).is_abandoned():
            return False
        self._mark_gone(worker)
        return True

    def _mark_gone(self, worker: str) -> None:
        self._execute(
            "UPDATE workers SET is_gone = 1 WHERE application = :application AND worker = :worker", {"worker": worker}
        )
        self._execute(_FORGET_GONE)

    def _lock(self, worker: str) -> WorkerLock:
        return WorkerLock(self.path, self._application, worker)

    def _lease(self, row: Sequence[Any]) -> Lease:
        try:
            return from_row(row)
        except (ValueError, TypeError) as error:
            raise StateError(
                f"state file {self.path} holds a lease that cannot be read, {row[0]!r} ({error}): "
                "restore the file from a backup, or move it away to begin without checkpoints"
            ) from error

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise self._not_open()
        return self._connection

    def _not_open(self) -> StateError:
        return StateError(f"state file {self.path} is not open: prepare() comes first, aclose() last")

    def _execute(self, statement: str, values: Mapping[str, Any] | None = None) -> int:
        """How many rows it changed."""
        with reported(self.path, STATE_FILE):
            return self._open_connection().execute(statement, self._with_application(values)).rowcount

    def _rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with reported(self.path, STATE_FILE):
            return self._open_connection().execute(statement, self._with_application(values)).fetchall()

    def _with_application(self, values: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"application": self._application, **(values or {})}

    # And what does not.

    async def _change(self, old: Lease, new: Lease) -> Lease | None:
        """Whatever is unchanged in counter and rights is unchanged altogether: every write changes one of them."""
        values = fence(old) | to_row(new)
        return await self._run(lambda: new if self._execute(UPDATE, values) == 1 else None)

    async def _run(self, call: Callable[[], T]) -> T:
        if self._is_closed:
            raise self._not_open()
        # Not anyio's threads: others may keep all of them busy, and a lease not renewed in time is lost.
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

"""Entries in a SQLite file: the threads and processes of one machine share it."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eventmap.rules.idempotency import Claimed, Done, Entry, claimed, committed, is_committed, kept_until_s, released
from eventmap.sqlite_file import FileKind, check_identity, identity, open_file, reported, transaction

FORGOTTEN_AT_ONCE: Final = 8
"""How many entries that have expired a claim removes: more than it adds, and few enough that nobody notices."""

IDEMPOTENCY_FILE: Final = FileKind(
    noun="idempotency file",
    option="SqliteStore(PATH)",
    without="the results of earlier runs",
    application_id=0x65766D69,  # evmi
    version=1,
    statements=(
        """CREATE TABLE entries (
            key TEXT NOT NULL PRIMARY KEY,
            token TEXT NOT NULL,
            until_s REAL NOT NULL,
            kept_until_s REAL NOT NULL,
            checksum TEXT NOT NULL,
            result TEXT
        ) WITHOUT ROWID""",
        "CREATE INDEX entries_by_end ON entries (kept_until_s)",
    ),
    synchronous="NORMAL",  # FULL would cost each run two waits for the disk, against power failures alone
)

_SELECT: Final = "SELECT token, until_s, checksum, result FROM entries WHERE key = ?"
_PUT: Final = """INSERT OR REPLACE INTO entries (key, token, until_s, kept_until_s, checksum, result)
    VALUES (?, ?, ?, ?, ?, ?)"""
_DELETE: Final = "DELETE FROM entries WHERE key = ?"
_FORGET: Final = """DELETE FROM entries WHERE key IN (
    SELECT key FROM entries WHERE kept_until_s <= ? ORDER BY kept_until_s LIMIT ?)"""


class SqliteStore:
    """A Store in the file at `path`, on a local disk; opened, or made, with the first call, and left to the end of the
    process unless closed. One connection per process; it may be used before and after a fork.

    A run that committed is known after the end of any process; a power failure may forget the last ones.
    Raises: StateError (damaged, full, read-only, removed, another program's), TransientSourceError (locked too long).
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path).absolute()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._closer: weakref.finalize[[], SqliteStore] | None = None
        if hasattr(os, "register_at_fork"):
            itself = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _begin_anew(itself()))

    def claim(self, key: str, claim: Claimed, now: float) -> Entry:
        with self._opened() as connection:
            before = _read(connection, key)
            if before is not None and claimed(before, claim, now) is before:
                return before  # nothing to write, so no need to wait for those who do
            with transaction(connection, "IMMEDIATE"):
                before = _read(connection, key)
                after = claimed(before, claim, now)
                if after is not before:
                    _write(connection, key, after)
                    connection.execute(_FORGET, (now, FORGOTTEN_AT_ONCE))
            return after

    def commit(self, key: str, done: Done) -> bool:
        with self._opened() as connection, transaction(connection, "IMMEDIATE"):
            before = _read(connection, key)
            after = committed(before, done)
            if after is not before:
                _write(connection, key, after)
            return is_committed(after, done)

    def release(self, key: str, token: str) -> None:
        with self._opened() as connection, transaction(connection, "IMMEDIATE"):
            before = _read(connection, key)
            after = released(before, token)
            if after is not before:
                _write(connection, key, after)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._closer is not None:
                self._closer()
            self._connection = self._closer = None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone. Threads of one process wait here: SQLite itself looks again in steps
        that grow to a tenth of a second."""
        with self._lock, reported(self.path, IDEMPOTENCY_FILE):
            if self._connection is None:
                # A look at the whole file would be a large part of a short process; damage shows where it is met.
                self._connection = open_file(self.path, IDEMPOTENCY_FILE, inspect=False)
                self._file = identity(self.path)
                self._closer = weakref.finalize(self, self._connection.close)
            # Two files would let a key run in each.
            check_identity(self.path, IDEMPOTENCY_FILE, self._file)
            yield self._connection

    def begin_anew(self) -> None:
        """After a fork: the parent's connection must be neither used nor closed here, and its lock may be held."""
        if self._closer is not None:
            self._closer.detach()
            _ABANDONED.append(self._connection)
        self._lock = threading.Lock()
        self._connection = self._closer = None


_ABANDONED: Final[list[object]] = []  # kept, so that the garbage collector does not close them


def _begin_anew(store: SqliteStore | None) -> None:
    if store is not None:
        store.begin_anew()


def _read(connection: sqlite3.Connection, key: str) -> Entry | None:
    row = connection.execute(_SELECT, (key,)).fetchone()
    if row is None:
        return None
    token, until_s, checksum, result = row
    return Claimed(token, until_s, checksum) if result is None else Done(token, until_s, result, checksum)


def _write(connection: sqlite3.Connection, key: str, entry: Entry | None) -> None:
    if entry is None:
        connection.execute(_DELETE, (key,))
        return
    result = entry.result if isinstance(entry, Done) else None
    connection.execute(_PUT, (key, entry.token, entry.until_s, kept_until_s(entry), entry.checksum, result))

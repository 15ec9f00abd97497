"""A SQLite file of eventmap's: found or made, checked, never overwritten; and what SQLite's errors mean to a user."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from eventmap.errors import StateError, StateNotFound, TransientSourceError

BUSY_TIMEOUT_S: Final = 5.0
"""How long a call waits for another process' write, seconds; writes take less than a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """What one kind of file holds, and how messages speak of it."""

    noun: str  #: such as `state file`
    option: str  #: of the command line, that names another
    without: str  #: what one does without who moves it away
    application_id: int  #: marks the file as of this kind
    version: int  #: of its tables
    statements: tuple[str, ...]  #: that make them
    synchronous: Literal["NORMAL", "FULL"]
    """FULL = a commit is on the disk when it returns; NORMAL = it survives the end of the process, but the last ones
    before a power failure may be lost."""

    for_a_fleet: str = ""  #: what else one does whose workers would share a file, such as `share a queue with …`


_ADVICE: Final = {
    "SQLITE_NOTADB": "is not a SQLite database: name another file with {option}",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup, or move it away to begin without {without}",
    "SQLITE_FULL": "cannot grow: the disk is full; free some space",
    "SQLITE_READONLY": "cannot be written: make the file and its folder writable, or name another with {option}",
    "SQLITE_CANTOPEN": "cannot be opened: make sure its folder exists and is writable, or name another with {option}",
    "SQLITE_PERM": "may not be accessed: check its permissions, or name another with {option}",
    "SQLITE_AUTH": "may not be accessed: check its permissions, or name another with {option}",
    "SQLITE_IOERR": "cannot be read or written: check the disk, its free space and its quota",
}
_UNKNOWN: Final = "cannot be used: check it, or name another file with {option}"


def open_file(path: Path, kind: FileKind, *, create: bool = True, inspect: bool = True) -> sqlite3.Connection:
    """An open connection in autocommit mode, for one thread at a time. Makes the file, and its folder, if absent.
    `create` False = leaves what is absent, or empty, as it is.

    What is there is checked first, and refused as it is unless it is eventmap's own, and of this kind. `inspect` False
    leaves out what reads the whole file: for a second connection, or a look.
    Raises: StateError; StateNotFound; TransientSourceError while another process has it locked.
    """
    if create:
        _make_folder(path, kind)
    elif _is_absent(path):
        raise _not_found(path, kind)
    with reported(path, kind):
        return _when_free()(_open, path, kind, create, inspect)


def _open(path: Path, kind: FileKind, create: bool, inspect: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if _is_new(connection, path, kind):
            if not create:
                raise _not_found(path, kind)
            _create(connection, path, kind)
        # Kept in the file. Readers and the one writer do not wait for each other.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {kind.synchronous}")
        if kind.synchronous == "FULL":
            connection.execute("PRAGMA fullfsync = ON")  # without it macOS leaves a commit in the drive's own memory
        if inspect:
            _check(connection, path, kind)
    except BaseException:
        connection.close()
        raise
    return connection


def _when_free() -> Retrying:
    """Of several processes that turn the journal mode at once, SQLite refuses some without waiting: they try again."""
    return Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(BUSY_TIMEOUT_S),
        wait=wait_random(0.001, 0.02),
        reraise=True,
    )


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and _kind(error) in ("SQLITE_BUSY", "SQLITE_LOCKED")


def _kind(error: sqlite3.Error) -> str:
    """Such as SQLITE_IOERR of SQLITE_IOERR_WRITE."""
    return "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])


@contextmanager
def reported(path: Path, kind: FileKind) -> Iterator[None]:
    """Let SQLite's errors about `path` out as eventmap's.

    Raises: StateError; TransientSourceError for a lock held too long, in which case nothing was written.
    """
    try:
        yield
    except sqlite3.Error as error:
        if _is_busy(error):
            raise TransientSourceError(
                f"{kind.noun} {path} is locked by another process for more than {BUSY_TIMEOUT_S:.0f} s",
                code=error.sqlite_errorname,
            ) from error
        raise StateError(f"{kind.noun} {path} {_advice(_kind(error), kind)} ({error})") from error


def _advice(name: str, kind: FileKind) -> str:
    return _ADVICE.get(name, _UNKNOWN).format(option=kind.option, without=kind.without)


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at `path`, so that a later look can tell whether it still is; None = none that can be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_identity(path: Path, kind: FileKind, opened: tuple[int, int] | None) -> None:
    """SQLite itself goes on for ever with a file that nobody else can see any more.

    Raises: StateError if what is at `path` is not what was `opened`.
    """
    if identity(path) != opened:
        raise StateError(f"{kind.noun} {path} was removed or replaced while in use: restart the worker")


@contextmanager
def transaction(connection: sqlite3.Connection, mode: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """Commits at the end of the block; an exception out of it leaves nothing of the block behind."""
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _make_folder(path: Path, kind: FileKind) -> None:
    """Raises: StateError."""
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StateError(
            f"{kind.noun} {path} cannot be made: its folder {path.parent} cannot be created ({error.strerror}); "
            f"create it, or name another file with {kind.option}"
        ) from error


def _is_absent(path: Path) -> bool:
    """False for what may not be looked at: opening it says what is wrong."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def _not_found(path: Path, kind: FileKind) -> StateNotFound:
    return StateNotFound(f"{kind.noun} {path}", kind.option)


def _is_new(connection: sqlite3.Connection, path: Path, kind: FileKind) -> bool:
    """Whether the file is empty; reads only.

    Raises: StateError if it is someone else's, or of a version this eventmap does not know.
    """
    # In one transaction: between two of them another process may make the tables.
    with transaction(connection, "DEFERRED"):
        return _looks_new(connection, path, kind)


def _looks_new(connection: sqlite3.Connection, path: Path, kind: FileKind) -> bool:
    ((application_id,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    ((objects,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    if (application_id, version, objects) == (0, 0, 0):
        return True
    if application_id != kind.application_id:
        raise StateError(
            f"{path} is another program's SQLite database, so it is left alone: name another file with {kind.option}"
        )
    if version != kind.version:
        raise StateError(
            f"{kind.noun} {path} has version {version}, this eventmap knows version {kind.version}: "
            f"use the eventmap that wrote it, or a newer one, or name another file with {kind.option}"
        )
    return False


def _create(connection: sqlite3.Connection, path: Path, kind: FileKind) -> None:
    """Make the tables; of several processes that start at once, one does."""
    with transaction(connection, "IMMEDIATE"):
        if _looks_new(connection, path, kind):
            for statement in kind.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {kind.application_id}")
            connection.execute(f"PRAGMA user_version = {kind.version}")


def _check(connection: sqlite3.Connection, path: Path, kind: FileKind) -> None:
    """Find out before anything is built on it; reads the whole file, a few milliseconds for ten thousand leases.

    Raises: StateError for damage; sqlite3.Error if it may not be written.
    """
    ((said,),) = connection.execute("PRAGMA quick_check(1)")
    if said != "ok":
        raise StateError(f"{kind.noun} {path} {_advice('SQLITE_CORRUPT', kind)} ({said})")
    # Opening a read-only file is no error, nor is beginning a transaction: only a write is.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA user_version = {kind.version}")
    connection.execute("ROLLBACK")

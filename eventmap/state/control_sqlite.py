"""What the control APIs were told, in a SQLite file: mappings and functions, as JSON documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from eventmap.errors import StateError
from eventmap.model import JsonObject
from eventmap.sqlite_file import FileKind
from eventmap.state.written_file import WrittenFile

CONTROL_FILE: Final = FileKind(
    noun="control file",
    option="--control",
    without="the mappings and functions that were made by the API",
    application_id=0x65766D63,  # evmc
    version=1,
    statements=(
        """CREATE TABLE documents (
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            document BLOB NOT NULL,
            PRIMARY KEY (kind, key)
        ) WITHOUT ROWID""",
    ),
    synchronous="FULL",
)

Changes = Mapping[tuple[str, str], JsonObject | None]
"""By (kind, key): a document to be kept in place of the one there, or None = none any more."""


class SqliteControl:
    """A ControlStore in the file at `path`, on a local disk; one process at a time works on it.

    `await prepare()` before anything else, `await aclose()` after all.
    Raises: StateError (damaged, full, read-only, removed, in use, a newer version's), TransientSourceError (locked too
    long). A write that is cut short may still take effect.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = WrittenFile(path, CONTROL_FILE)
        self.path: Path = self._file.path

    async def prepare(self) -> None:
        """Open the file, or make it, and be its only owner. May be called again."""
        await self._file.open()

    async def aclose(self) -> None:
        """Finish what is being written, close the file, and let another process own it. Twice is fine."""
        await self._file.aclose()

    async def read(self, kind: str) -> dict[str, JsonObject]:
        """The documents of one kind, by key."""

        def select(connection: sqlite3.Connection) -> list[tuple[str, bytes]]:
            statement = "SELECT key, document FROM documents WHERE kind = ? ORDER BY key"
            return connection.execute(statement, (kind,)).fetchall()

        return {key: self._document(kind, key, text) for key, text in await self._file.write(select)}

    async def write(self, changes: Changes) -> None:
        """All of them or none; on the disk when it returns."""
        rows = [
            (kind, key, orjson.dumps(document)) for (kind, key), document in changes.items() if document is not None
        ]
        gone = [at for at, document in changes.items() if document is None]

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO documents (kind, key, document) VALUES (?, ?, ?)", rows)
            connection.executemany("DELETE FROM documents WHERE kind = ? AND key = ?", gone)

        await self._file.write(change)

    def _document(self, kind: str, key: str, text: bytes) -> JsonObject:
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise self._unreadable(kind, key, str(error)) from error
        if not isinstance(document, dict):
            raise self._unreadable(kind, key, "not an object")
        return document

    def _unreadable(self, kind: str, key: str, why: str) -> StateError:
        return StateError(
            f"control file {self.path} holds a {kind} that cannot be read, {key!r} ({why}): restore the file from a "
            "backup, or move it away to begin without what was made by the API"
        )

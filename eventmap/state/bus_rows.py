"""Event buses as rows of a SQLite file: the statements over them, and values in and out."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from eventmap.model import JsonObject
from eventmap.rules.bus.delivery import AttemptError, Delivery, GivenUp
from eventmap.rules.bus.documents import ARCHIVE, DocumentKey
from eventmap.rules.bus.event import BusEvent, unpacked
from eventmap.rules.bus.target import BusTarget
from eventmap.sqlite_file import FileKind

BUS_FILE: Final = FileKind(
    noun="bus file",
    option="--buses",
    without="the rules, archives and undelivered events in it",
    application_id=0x65766D62,  # evmb
    version=1,
    statements=(
        """CREATE TABLE documents (
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            document BLOB NOT NULL,
            PRIMARY KEY (kind, key)
        ) WITHOUT ROWID""",
        """CREATE TABLE deliveries (
            position INTEGER PRIMARY KEY,
            delivery_id TEXT NOT NULL UNIQUE,
            addressee TEXT NOT NULL,
            due_at REAL NOT NULL,
            rule_arn TEXT NOT NULL,
            target BLOB NOT NULL,
            event BLOB NOT NULL,
            progress BLOB NOT NULL
        )""",
        "CREATE INDEX deliveries_by_due ON deliveries (due_at)",
        # Those of an addressee that is busy, which may be many, are never looked at; those that are held, not whole.
        "CREATE INDEX deliveries_by_addressee ON deliveries (addressee, due_at, position, delivery_id)",
        """CREATE TABLE archived (
            position INTEGER PRIMARY KEY AUTOINCREMENT,
            archive TEXT NOT NULL,
            ingested_at REAL NOT NULL,
            size INTEGER NOT NULL,
            event BLOB NOT NULL
        )""",
        "CREATE INDEX archived_by_archive ON archived (archive, position, size)",
        "CREATE INDEX archived_by_age ON archived (archive, ingested_at)",
    ),
    synchronous="FULL",
)

_INSERT_DELIVERY: Final = """
    INSERT OR IGNORE INTO deliveries (delivery_id, addressee, due_at, rule_arn, target, event, progress)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_UPDATE_DELIVERY: Final = "UPDATE deliveries SET addressee = ?, due_at = ?, progress = ? WHERE delivery_id = ?"
_DELETE_DELIVERY: Final = "DELETE FROM deliveries WHERE delivery_id = ?"
_SELECT_DELIVERY: Final = """
    SELECT delivery_id, due_at, rule_arn, target, event, progress FROM deliveries WHERE delivery_id = ?"""
_NEXT_ADDRESSEE: Final = "SELECT min(addressee) FROM deliveries WHERE addressee > ?"
_SELECT_IDS: Final = """
    SELECT due_at, position, delivery_id FROM deliveries
    WHERE addressee = ? AND due_at <= ? ORDER BY due_at, position"""
_COUNT_OWED: Final = "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE due_at <= ? LIMIT ?)"

_INSERT_ARCHIVED: Final = "INSERT INTO archived (archive, ingested_at, size, event) VALUES (?, ?, ?, ?)"
_SELECT_ARCHIVED: Final = """
    SELECT position, event FROM archived WHERE archive = ? AND position > ? ORDER BY position LIMIT ?"""
_SELECT_SIZES: Final = "SELECT archive, count(*), sum(size) FROM archived GROUP BY archive"
_FORGET: Final = """
    DELETE FROM archived WHERE position IN
        (SELECT position FROM archived WHERE archive = ? AND ingested_at < ? LIMIT ?)"""


def select_documents(connection: sqlite3.Connection) -> list[tuple[str, str, bytes]]:
    return connection.execute("SELECT kind, key, document FROM documents").fetchall()


def change_documents(connection: sqlite3.Connection, changes: Mapping[DocumentKey, JsonObject | None]) -> None:
    """An archive that is dropped loses its events."""
    for (kind, key), document in changes.items():
        if document is not None:
            values = (kind, key, orjson.dumps(document))
            connection.execute("INSERT OR REPLACE INTO documents (kind, key, document) VALUES (?, ?, ?)", values)
            continue
        connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))
        if kind == ARCHIVE:
            connection.execute("DELETE FROM archived WHERE archive = ?", (key,))


def insert_delivery(connection: sqlite3.Connection, delivery: Delivery) -> None:
    """One of an id that is owed stays as it is."""
    values = (
        delivery.delivery_id,
        delivery.addressee,
        delivery.due_at,
        delivery.rule_arn,
        orjson.dumps(delivery.target),
        delivery.event.packed(),
        _progress(delivery),
    )
    connection.execute(_INSERT_DELIVERY, values)


def update_delivery(connection: sqlite3.Connection, delivery: Delivery) -> None:
    values = (delivery.addressee, delivery.due_at, _progress(delivery), delivery.delivery_id)
    connection.execute(_UPDATE_DELIVERY, values)


def delete_delivery(connection: sqlite3.Connection, delivery_id: str) -> None:
    connection.execute(_DELETE_DELIVERY, (delivery_id,))


def select_delivery(connection: sqlite3.Connection, delivery_id: str) -> Sequence[Any] | None:
    row: Sequence[Any] | None = connection.execute(_SELECT_DELIVERY, (delivery_id,)).fetchone()
    return row


def ids_due(
    connection: sqlite3.Connection, until: float, held: Collection[str], without: Collection[str]
) -> Iterator[tuple[str, float]]:
    """With when each is due, the longest due first; passing over those that are held, and those addressees."""
    each = [
        connection.execute(_SELECT_IDS, (addressee, until))
        for addressee in _addressees(connection)
        if addressee not in without
    ]
    for due_at, _, delivery_id in heapq.merge(*each):
        if delivery_id not in held:
            yield delivery_id, due_at


def _addressees(connection: sqlite3.Connection) -> Iterator[str]:
    """Each once; a step in an index for each, however many deliveries it has."""
    last = ""
    while (addressee := connection.execute(_NEXT_ADDRESSEE, (last,)).fetchone()[0]) is not None:
        yield addressee
        last = addressee


def count_owed(connection: sqlite3.Connection, due_by: float, limit: int) -> int:
    ((count,),) = connection.execute(_COUNT_OWED, (due_by, limit))
    return int(count)


def insert_archived(connection: sqlite3.Connection, archive: str, event: BusEvent) -> None:
    connection.execute(_INSERT_ARCHIVED, (archive, event.ingested_at, len(event.text()), event.packed()))


def select_archived(connection: sqlite3.Connection, archive: str, after: int, limit: int) -> list[tuple[int, bytes]]:
    return connection.execute(_SELECT_ARCHIVED, (archive, after, limit)).fetchall()


def select_sizes(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    return {archive: (count, size) for archive, count, size in connection.execute(_SELECT_SIZES)}


def forget(connection: sqlite3.Connection, before: Mapping[str, float], limit: int) -> int:
    """Up to `limit` events of each archive that were taken before then; returns how many."""
    return sum(connection.execute(_FORGET, (archive, at, limit)).rowcount for archive, at in before.items())


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Raises: TypeError, ValueError, KeyError if somebody else wrote it."""
    delivery_id, due_at, rule_arn, target, event, progress = row
    state = orjson.loads(progress)
    return Delivery(
        delivery_id=delivery_id,
        event=unpacked(event),
        target=BusTarget(**orjson.loads(target)),
        rule_arn=rule_arn,
        due_at=float(due_at),
        attempts=state["attempts"],
        error=None if state["error"] is None else AttemptError(**state["error"]),
        given_up=None if state["given_up"] is None else GivenUp(**state["given_up"]),
        dead_letter_attempts=state["dead_letter_attempts"],
    )


def _progress(delivery: Delivery) -> bytes:
    return orjson.dumps(
        {
            "attempts": delivery.attempts,
            "error": delivery.error,
            "given_up": delivery.given_up,
            "dead_letter_attempts": delivery.dead_letter_attempts,
        }
    )

"""A lease as a row of the state file: the statements over it, and its values in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from eventmap.lease import Lease
from eventmap.sqlite_file import FileKind

_LEASES: Final = """
    CREATE TABLE leases (
        application TEXT NOT NULL,
        key TEXT NOT NULL,
        checkpoint TEXT NOT NULL,
        owner TEXT,
        counter INTEGER NOT NULL,
        checkpoint_owner TEXT,
        owner_switches INTEGER NOT NULL,
        sub_sequence INTEGER NOT NULL,
        parents TEXT NOT NULL,
        children TEXT NOT NULL,
        hash_range TEXT,
        stream TEXT NOT NULL,
        tumbling_window TEXT,
        PRIMARY KEY (application, key)
    ) WITHOUT ROWID"""

_WORKERS: Final = """
    CREATE TABLE workers (
        application TEXT NOT NULL,
        worker TEXT NOT NULL,
        beat INTEGER NOT NULL,
        is_gone INTEGER NOT NULL,
        PRIMARY KEY (application, worker)
    ) WITHOUT ROWID"""

STATE_FILE: Final = FileKind(
    noun="state file",
    option="--state",
    without="checkpoints",
    application_id=0x65766D70,  # evmp
    version=1,
    statements=(_LEASES, _WORKERS),
    synchronous="NORMAL",  # what a power failure takes is delivered again (STR-201)
)

SELECT_ALL: Final = """
    SELECT key, checkpoint, owner, counter, checkpoint_owner, owner_switches, sub_sequence, parents, children,
        hash_range, stream, tumbling_window
    FROM leases WHERE application = :application"""

SELECT_ONE: Final = SELECT_ALL + " AND key = :key"

INSERT: Final = """
    INSERT OR IGNORE INTO leases VALUES (
        :application, :key, :checkpoint, :owner, :counter, :checkpoint_owner, :owner_switches, :sub_sequence, :parents,
        :children, :hash_range, :stream, :tumbling_window)"""

UPDATE: Final = """
    UPDATE leases SET checkpoint = :checkpoint, owner = :owner, counter = :counter,
        checkpoint_owner = :checkpoint_owner, owner_switches = :owner_switches, sub_sequence = :sub_sequence,
        parents = :parents, children = :children, hash_range = :hash_range, stream = :stream,
        tumbling_window = :tumbling_window
    WHERE application = :application AND key = :key AND counter = :old_counter
        AND owner IS :old_owner AND checkpoint_owner IS :old_checkpoint_owner"""

DELETE: Final = """
    DELETE FROM leases
    WHERE application = :application AND key = :key AND counter = :old_counter
        AND owner IS :old_owner AND checkpoint_owner IS :old_checkpoint_owner"""


def fence(lease: Lease) -> dict[str, Any]:
    """What must still stand for `lease` to be changed (STR-197..199)."""
    return {
        "key": lease.key,
        "old_counter": lease.counter,
        "old_owner": lease.owner,
        "old_checkpoint_owner": lease.checkpoint_owner,
    }


def to_row(lease: Lease) -> dict[str, Any]:
    """The values of INSERT, and with those of `fence` of UPDATE."""
    return {
        "key": lease.key,
        "checkpoint": lease.checkpoint,
        "owner": lease.owner,
        "counter": lease.counter,
        "checkpoint_owner": lease.checkpoint_owner,
        "owner_switches": lease.owner_switches,
        "sub_sequence": lease.sub_sequence,
        "parents": _text(lease.parents),
        "children": _text(lease.children),
        "hash_range": None if lease.hash_range is None else _text(lease.hash_range),
        "stream": lease.stream,
        "tumbling_window": None if lease.window is None else _text(lease.window),
    }


def from_row(row: Sequence[Any]) -> Lease:
    """Of a row of SELECT. Raises: ValueError, TypeError for what is not the JSON it should be."""
    key, checkpoint, owner, counter, checkpoint_owner, switches, sub, parents, children, hashes, stream, window = row
    first_last = None if hashes is None else orjson.loads(hashes)
    return Lease(
        key=key,
        checkpoint=checkpoint,
        owner=owner,
        counter=counter,
        checkpoint_owner=checkpoint_owner,
        owner_switches=switches,
        sub_sequence=sub,
        parents=tuple(orjson.loads(parents)),
        children=tuple(orjson.loads(children)),
        hash_range=None if first_last is None else (first_last[0], first_last[1]),
        stream=stream,
        window=None if window is None else orjson.loads(window),
    )


def _text(value: object) -> str:
    return orjson.dumps(value).decode()

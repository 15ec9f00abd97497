"""A lease, and a worker's presence, as items of the KCL's table, in the shapes of the JSON wire (STR-160..172, KCL-03).

What is ours in an item is named `eventmap…`; the KCL keeps it, as eventmap keeps what it does not know.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from eventmap.lease import Lease, Presence
from eventmap.model import JsonObject

Attribute = dict[str, Any]  # {"S": …}, {"N": "…"}, …
Item = dict[str, Attribute]

KEY: Final = "leaseKey"
OWNER: Final = "leaseOwner"
COUNTER: Final = "leaseCounter"
CHECKPOINT_OWNER: Final = "checkpointOwner"
ENTITY_TYPE: Final = "entityType"
UPDATED: Final = "lut"
WINDOW: Final = "eventmapWindow"
BEAT: Final = "eventmapBeat"

LEASE: Final = "LEASE"
WORKER: Final = "WORKER_METRIC_STATS"

_CHECKPOINT: Final = "checkpoint"
_SUB_SEQUENCE: Final = "checkpointSubSequenceNumber"
_OWNER_SWITCHES: Final = "ownerSwitchesSinceCheckpoint"
_PARENTS: Final = "parentShardId"
_CHILDREN: Final = "childShardIds"
_FIRST_HASH: Final = "startingHashKey"
_LAST_HASH: Final = "endingHashKey"
_STREAM: Final = "eventmapStream"

# An item holds 400 KB, a window's state up to 1 MB (STR-84): long ones are compressed, short ones left readable.
_COMPRESSED_ABOVE_BYTES: Final = 64 * 1024
WINDOW_LIMIT_BYTES: Final = 350_000

_CPU: Final = "C"
_CPU_TARGET_PERCENT: Final = 80  # the KCL's own


def entity_type(item: Mapping[str, Attribute]) -> str:
    """`LEASE` for a lease, one without the marker too (KCL-03)."""
    return str(item.get(ENTITY_TYPE, {}).get("S", LEASE))


def to_item(lease: Lease) -> Item:
    """The attributes that are the lease's own; absent where a lease has none (KCL-10)."""
    item: Item = {
        KEY: {"S": lease.key},
        _CHECKPOINT: {"S": lease.checkpoint},
        _SUB_SEQUENCE: {"N": str(lease.sub_sequence)},
        COUNTER: {"N": str(lease.counter)},
        _OWNER_SWITCHES: {"N": str(lease.owner_switches)},
    }
    texts = {OWNER: lease.owner, CHECKPOINT_OWNER: lease.checkpoint_owner, _STREAM: lease.stream or None}
    if lease.hash_range is not None:
        texts[_FIRST_HASH], texts[_LAST_HASH] = lease.hash_range
    item |= {name: {"S": text} for name, text in texts.items() if text is not None}
    sets = {_PARENTS: lease.parents, _CHILDREN: lease.children}
    item |= {name: {"SS": sorted(set(ids))} for name, ids in sets.items() if ids}
    if lease.window is not None:
        item[WINDOW] = _packed(lease.window)
    return item


def from_item(item: Mapping[str, Attribute]) -> Lease:
    """The lease in an item of type LEASE.

    Raises: ValueError if it is none: no key, counter or checkpoint, or something of another type than the KCL writes.
    """
    try:
        first, last = _text(item, _FIRST_HASH), _text(item, _LAST_HASH)
        return Lease(
            key=item[KEY]["S"],
            checkpoint=item[_CHECKPOINT]["S"],
            owner=_text(item, OWNER),
            counter=int(item[COUNTER]["N"]),
            checkpoint_owner=_text(item, CHECKPOINT_OWNER),
            owner_switches=_number(item, _OWNER_SWITCHES),
            sub_sequence=_number(item, _SUB_SEQUENCE),
            parents=_texts(item, _PARENTS),
            children=_texts(item, _CHILDREN),
            hash_range=None if first is None or last is None else (first, last),
            stream=_text(item, _STREAM) or "",
            window=_unpacked(item[WINDOW]) if WINDOW in item else None,
        )
    except (KeyError, TypeError, zlib.error) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def to_presence(beat: int, now_s: float, loads_percent: Sequence[float]) -> Item:
    """What a worker tells the others; a KCL leader that finds it gives the worker leases, by its load (KCL-21, 23).

    `now_s`: seconds since the epoch. `loads_percent`: CPU, the last ten at most, the oldest first; () = not known.
    """
    now = {"N": str(int(now_s))}
    loads = [{"N": str(round(load, 2))} for load in loads_percent]
    return {
        ENTITY_TYPE: {"S": WORKER},
        UPDATED: now,
        # Able to follow a table's migration, and since when that is known: without these the leader takes the worker
        # for one that is not.
        "sup": {"N": "1"},
        "slu": now,
        "sts": {"M": {_CPU: {"L": loads}} if loads else {}},
        "opr": {"M": {_CPU: {"L": [{"N": str(_CPU_TARGET_PERCENT)}]}} if loads else {}},
        BEAT: {"N": str(beat)},
    }


def from_presence(item: Mapping[str, Attribute]) -> Presence | None:
    """The worker in an item of type WORKER_METRIC_STATS; a KCL worker's beat is the second it last wrote.

    None if it says neither.
    """
    beat = item.get(BEAT) or item.get(UPDATED) or {}
    return Presence(item[KEY]["S"], int(beat["N"])) if "N" in beat else None


def _packed(window: JsonObject) -> Attribute:
    """Raises: ValueError if it is too long for an item."""
    text = orjson.dumps(window)
    if len(text) <= _COMPRESSED_ABOVE_BYTES:
        return {"S": text.decode()}
    packed = zlib.compress(text, 1)
    if len(packed) > WINDOW_LIMIT_BYTES:
        raise ValueError(f"{len(text)} bytes, compressed {len(packed)}, are more than an item can hold")
    return {"B": base64.b64encode(packed).decode()}


def _unpacked(attribute: Attribute) -> JsonObject:
    text = attribute["S"] if "S" in attribute else zlib.decompress(base64.b64decode(attribute["B"]))
    window = orjson.loads(text)
    if not isinstance(window, dict):
        raise TypeError(f"{WINDOW} is not an object")
    return window


def _text(item: Mapping[str, Attribute], name: str) -> str | None:
    return str(item[name]["S"]) if name in item else None


def _texts(item: Mapping[str, Attribute], name: str) -> tuple[str, ...]:
    found: Iterable[str] = item[name]["SS"] if name in item else ()
    return tuple(sorted(found))


def _number(item: Mapping[str, Attribute], name: str) -> int:
    return int(item[name]["N"]) if name in item else 0

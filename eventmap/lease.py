"""Lease: the right of one worker to read one shard, with its checkpoint. The attributes are KCL's (STR-160..172)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eventmap.model import JsonObject
from eventmap.shard import AT_TIMESTAMP, LATEST, TRIM_HORIZON

SHARD_END: Final = "SHARD_END"
_SENTINELS: Final = {AT_TIMESTAMP: -3, TRIM_HORIZON: -2, LATEST: -1}


@dataclass(frozen=True, slots=True)
class Lease:
    """One lease as it stood in its store when it was read or last written. Never changed in place."""

    key: str  #: the shard id, or KCL's multi-stream form ending in it (STR-160)
    checkpoint: str  #: a sequence number, done up to and including it, or a sentinel (STR-163)
    owner: str | None = None  #: worker id; None = nobody's
    counter: int = 0  #: the fence: every take, renewal and hand-over raises it (STR-162)
    checkpoint_owner: str | None = None  #: during a hand-over: who may still checkpoint (KCL-12)
    owner_switches: int = 0  #: since the last checkpoint
    sub_sequence: int = 0  #: above 0: the KCL stopped within the record at `checkpoint`; read that one again
    parents: tuple[str, ...] = ()  #: shard ids
    children: tuple[str, ...] = ()  #: shard ids, written with SHARD_END
    hash_range: tuple[str, str] | None = None
    stream: str = ""  #: ours: the stream it belongs to; "" on a lease the KCL made
    window: JsonObject | None = None  #: ours: the tumbling window under way, saved with the checkpoint (STR-202)

    @property
    def shard_id(self) -> str:
        return self.key.rpartition(":")[2]

    @property
    def is_finished(self) -> bool:
        return self.checkpoint == SHARD_END


@dataclass(frozen=True, slots=True)
class Presence:
    """A worker as it announces itself to the others (KCL-21); `beat` changes while it lives."""

    worker: str
    beat: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All a store holds for one application, as one scan saw it."""

    leases: tuple[Lease, ...]
    workers: tuple[Presence, ...] = ()


def checkpoint_rank(checkpoint: str) -> tuple[int, int]:
    """An order of checkpoints of one shard: sentinels below all numbers, SHARD_END above (STR-163).

    Raises: ValueError for what is neither a sentinel nor a number.
    """
    if checkpoint == SHARD_END:
        return 1, 0
    return 0, _SENTINELS[checkpoint] if checkpoint in _SENTINELS else int(checkpoint)

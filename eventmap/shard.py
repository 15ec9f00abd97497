"""What a stream is made of, for both kinds of stream: shards, places in them, and what one read returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from eventmap.model import StreamRecord

TRIM_HORIZON: Final = "TRIM_HORIZON"
LATEST: Final = "LATEST"
AT_TIMESTAMP: Final = "AT_TIMESTAMP"

IteratorType = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"]


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as its stream lists it (STR-140, 147)."""

    shard_id: str
    parents: tuple[str, ...] = ()  #: shard ids; two after a merge; a parent need not be listed any more (STR-152)
    is_open: bool = True  #: False = no record will ever be added; there may be many still to read
    hash_range: tuple[str, str] | None = None  #: (first, last) hash key as decimal text; None on DynamoDB
    stream_arn: str = ""  #: the stream it belongs to: a table that got a new stream has shards of two (STR-150)


@dataclass(frozen=True, slots=True)
class Position:
    """Where the reading of a shard begins."""

    type: IteratorType
    sequence: str | None = None  #: for the two sequence types
    timestamp: float | None = None  #: epoch seconds, for AT_TIMESTAMP


@dataclass(frozen=True, slots=True)
class Page:
    """What one read of a shard returned."""

    records: tuple[StreamRecord, ...]  #: in order; may be empty though more will come (STR-153)
    ended: bool  #: the shard is closed and these were its last records (STR-146)
    behind_s: float | None = None  #: how far the page is behind the tip; None = the source does not say
    size_bytes: int = 0  #: of the answer, for pacing (STR-143); 0 = not known

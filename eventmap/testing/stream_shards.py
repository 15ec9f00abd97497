"""The shards of one stream in memory, for both kinds of stream: records in order, hash ranges, lineage, retention."""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from eventmap.errors import ShardGone

HASHES: Final = 2**128
_MARKS: Final = 10**10

HashRange = tuple[int, int]
"""First and last hash, both included."""


class Placed(NamedTuple):
    """Where a record went."""

    shard_id: str
    sequence: str  #: decimal text


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as one shard keeps it."""

    sequence: int
    wire: dict[str, Any]  #: as GetRecords returns it
    size_bytes: int  #: what counts against the limits of a read
    arrived_s: float  #: seconds on the service's clock: retention counts from here
    arrived_at: float  #: epoch seconds


class SequenceNumbers:
    """The numbers of one shard. They grow in random steps, gain a digit early on, and no other shard uses them.

    So they compare as integers only, and a number says which shard it is of (STR-157).
    """

    def __init__(self, mark: int, scale: int, dice: random.Random) -> None:
        """`mark` is the shard's own, below 10 ** 10; `scale` is the power of ten that the numbers soon pass."""
        self._mark = mark
        self._dice = dice
        self.first: int = (scale - dice.randint(1, 5_000)) * _MARKS + mark
        self.last: int = self.first  #: the highest one given away

    def next(self) -> int:
        self.last += self._dice.randint(1, 1_000) * _MARKS
        return self.last

    def holds(self, number: int) -> bool:
        """Whether it was given away by this shard, or lies between two that were."""
        return self.first <= number <= self.last and number % _MARKS == self._mark


class StoredShard:
    """One shard and its records.

    A *place* counts from the shard's very first record, those already trimmed included: it stays true as records go.
    """

    __slots__ = (
        "_records",
        "_trimmed",
        "children",
        "closed_s",
        "hashes",
        "last_trimmed",
        "numbers",
        "opened_s",
        "parents",
        "shard_id",
    )

    def __init__(
        self, shard_id: str, hashes: HashRange, parents: Sequence[str], opened_s: float, numbers: SequenceNumbers
    ) -> None:
        self.shard_id: str = shard_id
        self.hashes: HashRange = hashes
        self.parents: tuple[str, ...] = tuple(parents)
        self.opened_s: float = opened_s
        self.closed_s: float | None = None  #: None = still open
        self.children: tuple[StoredShard, ...] = ()
        self.numbers: SequenceNumbers = numbers
        self.last_trimmed: int = 0  #: the highest sequence number that is gone; 0 = none is
        self._records: list[StoredRecord] = []
        self._trimmed = 0

    @property
    def first_place(self) -> int:
        """The oldest record kept."""
        return self._trimmed

    @property
    def end_place(self) -> int:
        """Behind the newest record."""
        return self._trimmed + len(self._records)

    @property
    def records(self) -> Sequence[StoredRecord]:
        return self._records

    def append(self, record: StoredRecord) -> None:
        self._records.append(record)

    def trim(self, until_s: float) -> None:
        """Forget the records that arrived at or before this instant of the service's clock."""
        if self._records and self._records[0].arrived_s <= until_s:
            self._forget(bisect_right(self._records, until_s, key=_arrived_s))

    def trim_to(self, keep: int) -> None:
        """Forget all but the newest `keep` records."""
        self._forget(max(0, len(self._records) - keep))

    def record_at(self, place: int) -> StoredRecord:
        return self._records[place - self._trimmed]

    def page(self, place: int, limit: int, size_limit: int) -> list[StoredRecord]:
        """At most `limit` records of at most `size_limit` bytes in all, but always the first one."""
        start = place - self._trimmed
        page = self._records[start : start + limit]
        size = 0
        for count, record in enumerate(page):
            size += record.size_bytes
            if size > size_limit and count:
                return page[:count]
        return page

    def place_of(self, sequence: int, *, after: bool) -> int:
        """Where to read on from a number this shard gave away; the oldest record kept, if it is gone."""
        find = bisect_right if after else bisect_left
        return self._trimmed + find(self._records, sequence, key=_sequence)

    def place_at(self, timestamp: float) -> int:
        """The first record that arrived at or after an instant, in epoch seconds (STR-20)."""
        return self._trimmed + bisect_left(self._records, timestamp, key=_arrived_at)

    def _forget(self, count: int) -> None:
        if count:
            self.last_trimmed = self._records[count - 1].sequence
            self._trimmed += count
            del self._records[:count]


class ShardTree:
    """All shards of one stream: the open ones share out the hashes; closed ones stay until their records are trimmed.

    A listing shows a reshard `listing_lag_s` seconds late.
    """

    def __init__(
        self,
        count: int,
        now_s: float,
        *,
        stream_number: int,
        scale: int,
        name_shard: Callable[[int], str],
        dice: random.Random,
        listing_lag_s: float,
    ) -> None:
        """`scale` is that of SequenceNumbers; `stream_number` is below 10,000; `name_shard` names the n-th shard."""
        self._stream_number = stream_number
        self._scale = scale
        self._name_shard = name_shard
        self._dice = dice
        self._listing_lag_s = listing_lag_s
        self._made = 0
        self._shards: dict[str, StoredShard] = {}
        self._closed: deque[StoredShard] = deque()  # in the order they were closed
        self._open: list[StoredShard] = []  # by hash range
        self.replace([], [(HASHES * n // count, HASHES * (n + 1) // count - 1) for n in range(count)], now_s)

    @property
    def open(self) -> Sequence[StoredShard]:
        """By hash range."""
        return self._open

    def __getitem__(self, shard_id: str) -> StoredShard:
        """Raises: ShardGone."""
        shard = self._shards.get(shard_id)
        if shard is None:
            raise ShardGone(f"shard {shard_id} does not exist", code="ResourceNotFoundException")
        return shard

    def holder(self, hash_key: int) -> StoredShard:
        """The open shard that takes records of this hash."""
        return self._open[bisect_right(self._open, hash_key, key=_first_hash) - 1]

    def replace(self, parents: Sequence[StoredShard], ranges: Sequence[HashRange], now_s: float) -> list[StoredShard]:
        """Close the parents and open children for these hash ranges: a split, a merge, a roll-over, or just the end."""
        children = []
        for hashes in ranges:
            mark = self._stream_number * 10**6 + self._made
            numbers = SequenceNumbers(mark, self._scale, self._dice)
            names = [parent.shard_id for parent in parents]
            child = StoredShard(self._name_shard(self._made), hashes, names, now_s, numbers)
            self._made += 1
            self._shards[child.shard_id] = child
            children.append(child)
        for parent in parents:
            parent.closed_s = now_s
            parent.numbers.next()  # its ending number is above all its records'
            parent.children = tuple(children)
            self._closed.append(parent)
            self._open.remove(parent)
        self._open = sorted((*self._open, *children), key=_first_hash)
        return children

    def forget(self, closed_until_s: float) -> None:
        """Drop the shards that were closed at or before this instant: nothing of them is kept any more (STR-152)."""
        while self._closed and (self._closed[0].closed_s or 0.0) <= closed_until_s:
            del self._shards[self._closed.popleft().shard_id]

    def listed(self, now_s: float, *, after: str = "") -> list[tuple[StoredShard, bool]]:
        """The shards a listing shows, and whether it shows them as closed; by id, from behind `after` on."""
        seen_s = now_s - self._listing_lag_s
        return [
            (shard, shard.closed_s is not None and shard.closed_s <= seen_s)
            for shard_id, shard in sorted(self._shards.items())
            if shard_id > after and (shard.opened_s <= seen_s or not shard.parents)
        ]


def hash_of(key: bytes) -> int:
    """Which hash a key has: its MD5 as a number, as Kinesis does it."""
    return int.from_bytes(hashlib.md5(key, usedforsecurity=False).digest(), "big")


def _sequence(record: StoredRecord) -> int:
    return record.sequence


def _arrived_s(record: StoredRecord) -> float:
    return record.arrived_s


def _arrived_at(record: StoredRecord) -> float:
    return record.arrived_at


def _first_hash(shard: StoredShard) -> int:
    return shard.hashes[0]

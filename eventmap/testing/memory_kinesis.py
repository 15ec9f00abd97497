"""Amazon Kinesis Data Streams in memory: streams that keep Kinesis' rules on whatever clock the running loop has."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio.lowlevel

from eventmap.errors import SourceError, StreamNotFound, TransientSourceError
from eventmap.testing.journal import Journal
from eventmap.testing.kinesis_limits import ReadAllowance
from eventmap.testing.kinesis_stream import INVALID, KinesisStream, child_shard, listed_shard
from eventmap.testing.sqs_clock import QueueClock
from eventmap.testing.stream_iterators import ShardIterator, read_iterator
from eventmap.testing.stream_shards import HASHES, Placed, StoredRecord, StoredShard, hash_of

PAGE_RECORDS: Final = 10_000
PAGE_BYTES: Final = 10 * 1_048_576
RECORD_BYTES: Final = 10 * 1_048_576
LISTING_TOKEN_LIFETIME_S: Final = 300.0
_STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_THROTTLED: Final = "ProvisionedThroughputExceededException"


class MemoryKinesis:
    """Kinesis' reading calls, served from memory; a stream is named by its name or its ARN.

    Every call lets other tasks run once, before it takes effect. Nothing else takes time.

    `seed` decides everything random, sequence numbers included. `shard_limit_calls_per_s` is for GetRecords; None lifts
    that limit and the 2 MB/s with it (STR-143). `retention_s` is at least a day in AWS, here as you like. `page_limit`
    makes pages of records smaller than asked for, `shard_page` is how many shards a listing shows at once, and
    `listing_lag_s` how late it shows a reshard. `empty_pages`, 0..1, is how often a read comes back empty-handed though
    there is more (STR-153).

    `journal` counts the calls that took effect, and the throttled ones under their error code.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        shard_limit_calls_per_s: int | None = 5,
        retention_s: float = 86_400.0,
        iterator_lifetime_s: float = 300.0,
        page_limit: int = PAGE_RECORDS,
        shard_page: int = 1_000,
        listing_lag_s: float = 0.0,
        empty_pages: float = 0.0,
    ) -> None:
        self.journal: Journal = Journal(keeps_log=False)
        self._seed = seed
        self._dice = random.Random(seed)
        self._calls_per_s = shard_limit_calls_per_s
        self._retention_s = retention_s
        self._iterator_lifetime_s = iterator_lifetime_s
        self._page_limit = page_limit
        self._shard_page = shard_page
        self._listing_lag_s = listing_lag_s
        self._empty_pages = empty_pages
        self._clock = QueueClock()
        self._streams: dict[str, KinesisStream] = {}  # by name, and by ARN
        self._made = 0
        self._readers = 0

    # The port.

    async def describe_stream_summary(self, stream: str) -> dict[str, Any]:
        """Raises: StreamNotFound."""
        await anyio.lowlevel.checkpoint()
        found, _ = self._current(stream)
        self.journal.note("DescribeStreamSummary", 0)
        return found.summary(self._retention_s)

    async def list_shards(self, stream: str, *, next_token: str | None = None) -> dict[str, Any]:
        """Open shards, and closed ones as long as something of them is kept; `NextToken` only if there are more.

        Raises: StreamNotFound; TransientSourceError `ExpiredNextTokenException` after 300 s; SourceError
        `InvalidArgumentException` (STR-140).
        """
        await anyio.lowlevel.checkpoint()
        found, now = self._current(stream)
        after = "" if next_token is None else _after(next_token, found, now)
        shards = found.shards.listed(now, after=after)
        page = shards[: self._shard_page]
        self.journal.note("ListShards", len(page))
        answer: dict[str, Any] = {"Shards": [listed_shard(shard, is_closed=closed) for shard, closed in page]}
        if len(shards) > len(page):
            answer["NextToken"] = f"{found.number}/{page[-1][0].shard_id}/{now!r}"
        return answer

    async def get_shard_iterator(
        self,
        stream: str,
        shard_id: str,
        iterator_type: str,
        *,
        sequence: str | None = None,
        timestamp: float | None = None,
    ) -> str:
        """A position that has been trimmed is the oldest record's (STR-20, STR-141, STR-145).

        Raises: StreamNotFound; ShardGone; SourceError `InvalidArgumentException`, also for another shard's number.
        """
        await anyio.lowlevel.checkpoint()
        found, now = self._current(stream)
        shard = found.shards[shard_id]
        shard.trim(now - self._retention_s)
        match iterator_type:
            case "TRIM_HORIZON":
                place = shard.first_place
            case "LATEST":
                place = shard.end_place
            case "AT_TIMESTAMP":
                place = shard.place_at(self._past(timestamp))
            case "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER":
                after = iterator_type == "AFTER_SEQUENCE_NUMBER"
                place = shard.place_of(_number_of(shard, sequence), after=after)
            case _:
                raise SourceError(f"{iterator_type} is not a shard iterator type", code=INVALID)
        self.journal.note("GetShardIterator", 0)
        self._readers += 1
        return ShardIterator(found.number, shard_id, place, self._readers, now).text()

    async def get_records(self, stream: str, iterator: str, *, limit: int) -> dict[str, Any]:
        """`ChildShards` comes with the null `NextShardIterator` that ends a closed shard (STR-146).

        Raises: StreamNotFound; ShardGone; IteratorExpired; TransientSourceError
        `ProvisionedThroughputExceededException`; SourceError `InvalidArgumentException`.
        """
        await anyio.lowlevel.checkpoint()
        found, now = self._current(stream)
        position = read_iterator(iterator, found.number, now, self._iterator_lifetime_s, INVALID)
        shard = found.shards[position.shard_id]
        if not 1 <= limit <= PAGE_RECORDS:
            raise SourceError(f"Limit is 1 to {PAGE_RECORDS}, not {limit}", code=INVALID)
        found.reads[shard.shard_id] += 1
        allowance = self._admit(found, shard, now)
        shard.trim(now - self._retention_s)
        place = max(position.place, shard.first_place)
        records: list[StoredRecord] = []
        if place < shard.end_place and not self._is_empty_handed():
            records = shard.page(place, min(limit, self._page_limit), PAGE_BYTES)
            place += len(records)
            if allowance is not None:
                allowance.took(sum(record.size_bytes for record in records))
        self.journal.note("GetRecords", len(records))
        answer: dict[str, Any] = {
            "Records": [dict(record.wire) for record in records],
            "MillisBehindLatest": _behind_ms(shard, place, records, now),
        }
        if shard.closed_s is not None and place == shard.end_place and not self._is_empty_handed():
            answer["NextShardIterator"] = None
            answer["ChildShards"] = [child_shard(child) for child in shard.children]
        else:
            answer["NextShardIterator"] = ShardIterator(
                found.number, shard.shard_id, place, position.reader, now
            ).text()
        return answer

    # For tests: synchronous, and usable before and after the loop runs.

    def create_stream(self, name: str, shard_count: int = 1) -> str:
        """Create it, at once ACTIVE, with equal hash ranges; returns its ARN.

        Raises: SourceError, `InvalidArgumentException` for a bad name or count, `ResourceInUseException` if it exists.
        """
        if not _STREAM_NAME.fullmatch(name) or shard_count < 1:
            raise SourceError(f'a stream needs 1 to 128 of A-Z a-z 0-9 _ . -, and a shard: "{name}"', code=INVALID)
        if name in self._streams:
            raise SourceError(f'stream "{name}" already exists', code="ResourceInUseException")
        self._made += 1
        made = KinesisStream(
            name,
            self._made,
            shard_count,
            seed=self._seed,
            listing_lag_s=self._listing_lag_s,
            now_s=self._clock.now_s(),
            wall_s=self._clock.wall_s(),
        )
        self._streams[name] = self._streams[made.arn] = made
        return made.arn

    def delete_stream(self, stream: str) -> None:
        """Forget it with its records; one made anew under its name is another stream. Raises: StreamNotFound."""
        found = self._stream(stream)
        del self._streams[found.name], self._streams[found.arn]

    def set_status(self, stream: str, status: str) -> None:
        """What DescribeStreamSummary shows from now on, such as UPDATING; nothing else changes (STR-150)."""
        self._stream(stream).status = status

    def put_record(
        self, stream: str, data: bytes, partition_key: str, *, explicit_hash_key: int | None = None
    ) -> Placed:
        """Add a record and say where it went: (shard id, sequence number).

        Raises: StreamNotFound; SourceError `ValidationException` for a key or record of a wrong size (STR-149).
        """
        found, now = self._current(stream)
        size = len(data) + len(partition_key.encode())
        if not 1 <= len(partition_key) <= 256 or size > RECORD_BYTES:
            reason = f"a partition key has 1 to 256 characters, a record at most {RECORD_BYTES} bytes"
            raise SourceError(reason, code="ValidationException")
        hash_key = hash_of(partition_key.encode()) if explicit_hash_key is None else explicit_hash_key
        if not 0 <= hash_key < HASHES:
            raise SourceError(f"an explicit hash key is 0 to {HASHES - 1}", code=INVALID)
        shard = found.shards.holder(hash_key)
        sequence = shard.numbers.next()
        arrived_at = round(self._clock.wall_s(), 3)
        wire = {
            "SequenceNumber": str(sequence),
            "ApproximateArrivalTimestamp": arrived_at,
            "Data": base64.b64encode(data).decode(),
            "PartitionKey": partition_key,
        }
        shard.append(StoredRecord(sequence, wire, size, now, arrived_at))
        return Placed(shard.shard_id, str(sequence))

    def split_shard(self, stream: str, shard_id: str, at: int | None = None) -> tuple[str, str]:
        """Close it and open two; `at` is the first hash of the second one, None = the middle. Returns their ids.

        Raises: StreamNotFound; ShardGone; SourceError `InvalidArgumentException`.
        """
        found, now = self._current(stream)
        return found.split(shard_id, at, now)

    def merge_shards(self, stream: str, shard_id: str, adjacent_shard_id: str) -> str:
        """Close two neighbours and open one; returns its id. Raises: as `split_shard`."""
        found, now = self._current(stream)
        return found.merge(shard_id, adjacent_shard_id, now)

    def update_shard_count(self, stream: str, count: int) -> None:
        """Split and merge until `count` shards have equal shares (STR-158). Raises: as `split_shard`."""
        if count < 1:
            raise SourceError("a stream has one shard at least", code=INVALID)
        found, now = self._current(stream)
        found.rescale(count, now)

    def trim(self, stream: str, shard_id: str, *, keep: int = 0) -> None:
        """Drop all but the newest `keep` records of a shard, as if they had outlived the retention."""
        self._current(stream)[0].shards[shard_id].trim_to(keep)

    def open_shards(self, stream: str) -> tuple[str, ...]:
        """The ids, by hash range."""
        return tuple(shard.shard_id for shard in self._current(stream)[0].shards.open)

    def records(self, stream: str, shard_id: str) -> list[dict[str, Any]]:
        """What a shard keeps, as GetRecords would return it. Raises: StreamNotFound; ShardGone."""
        found, now = self._current(stream)
        shard = found.shards[shard_id]
        shard.trim(now - self._retention_s)
        return [dict(record.wire) for record in shard.records]

    def reads(self, stream: str) -> Mapping[str, int]:
        """GetRecords calls per shard id so far, throttled ones included. Raises: StreamNotFound."""
        return self._stream(stream).reads.copy()

    # Steps of the above.

    def _stream(self, stream: str) -> KinesisStream:
        found = self._streams.get(stream)
        if found is None:
            raise StreamNotFound(f'stream "{stream}" does not exist', code="ResourceNotFoundException")
        return found

    def _current(self, stream: str) -> tuple[KinesisStream, float]:
        found = self._stream(stream)
        now = self._clock.now_s()
        found.shards.forget(now - self._retention_s)
        return found, now

    def _admit(self, found: KinesisStream, shard: StoredShard, now: float) -> ReadAllowance | None:
        if self._calls_per_s is None:
            return None
        allowance = found.allowances.get(shard.shard_id)
        if allowance is None:
            allowance = found.allowances[shard.shard_id] = ReadAllowance(self._calls_per_s)
        if not allowance.admits(now):
            self.journal.note(_THROTTLED, 0)
            raise TransientSourceError(f"rate exceeded for shard {shard.shard_id}", code=_THROTTLED)
        return allowance

    def _is_empty_handed(self) -> bool:
        return self._empty_pages > 0 and self._dice.random() < self._empty_pages

    def _past(self, timestamp: float | None) -> float:
        if timestamp is None or timestamp > self._clock.wall_s():
            raise SourceError("AT_TIMESTAMP needs a timestamp that is not in the future", code=INVALID)
        return timestamp


def _after(token: str, stream: KinesisStream, now_s: float) -> str:
    number, _, rest = token.partition("/")
    shard_id, _, issued = rest.partition("/")
    try:
        age_s = now_s - float(issued)
    except ValueError:
        raise SourceError("this is not a token of a listing", code=INVALID) from None
    if number != str(stream.number):
        raise SourceError("the token is of another stream's listing", code=INVALID)
    if age_s >= LISTING_TOKEN_LIFETIME_S:
        raise TransientSourceError("the token is older than 300 s: list anew", code="ExpiredNextTokenException")
    return shard_id


def _number_of(shard: StoredShard, sequence: str | None) -> int:
    if sequence is None or not sequence.isdecimal() or not shard.numbers.holds(int(sequence)):
        raise SourceError(f"sequence number {sequence} did not come from {shard.shard_id}", code=INVALID)
    return int(sequence)


def _behind_ms(shard: StoredShard, next_place: int, records: Sequence[StoredRecord], now_s: float) -> int:
    """From the tip of the shard; 0 only where nothing is left to read."""
    if next_place == shard.end_place:
        return 0
    reference = records[-1] if records else shard.record_at(next_place)
    return max(1, round((now_s - reference.arrived_s) * 1_000))

"""DynamoDB tables with their streams in memory, keeping AWS' rules on whatever clock the running loop has."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, Final, get_args

import anyio.lowlevel
import orjson

from eventmap.errors import RecordsTrimmed, SourceError, StreamNotFound, TransientSourceError
from eventmap.testing.dynamodb_items import VALIDATION, Item
from eventmap.testing.dynamodb_stream import RETENTION_S, TableStream, stream_label
from eventmap.testing.dynamodb_table import Change, Table, ViewType
from eventmap.testing.journal import Journal
from eventmap.testing.sqs_clock import QueueClock
from eventmap.testing.stream_iterators import ShardIterator, read_iterator
from eventmap.testing.stream_shards import Placed, StoredRecord, StoredShard

PAGE_RECORDS: Final = 1_000
PAGE_BYTES: Final = 1_048_576
_TABLE_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_THROTTLED: Final = "LimitExceededException"
_TRIMMED: Final = "TrimmedDataAccessException"
_NOT_FOUND: Final = "ResourceNotFoundException"
_READER_GONE_AFTER_S: Final = 1.0


class MemoryDynamoDb:
    """The reading calls of DynamoDB Streams, served from memory, and tables to write to; a table is named by its name
    or its ARN, a stream by its ARN.

    Every call lets other tasks run once, before it takes effect. Nothing else takes time. Records live for 24 hours
    (STR-144), as does a stream that was disabled (STR-150).

    `seed` decides everything random, sequence numbers included. `shard_lifetime_s` is when a shard rolls over (STR-148;
    None = never). `page_limit` makes pages of records smaller than asked for, `shard_page` is how many shards a listing
    shows at once, and `listing_lag_s` how late it shows new shards. `empty_pages`, 0..1, is how often a read comes back
    empty-handed though there is more (STR-153). `readers_limit`, in AWS 2, throttles whoever reads a shard that so many
    others have read within the last second (STR-143; None = nobody).

    `journal` counts the calls that took effect, and the throttled ones under their error code.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        iterator_lifetime_s: float = 900.0,
        shard_lifetime_s: float | None = 14_400.0,
        page_limit: int = PAGE_RECORDS,
        shard_page: int = 100,
        listing_lag_s: float = 0.0,
        empty_pages: float = 0.0,
        readers_limit: int | None = None,
    ) -> None:
        self.journal: Journal = Journal(keeps_log=False)
        self._seed = seed
        self._dice = random.Random(seed)
        self._iterator_lifetime_s = iterator_lifetime_s
        self._shard_lifetime_s = shard_lifetime_s
        self._page_limit = page_limit
        self._shard_page = shard_page
        self._listing_lag_s = listing_lag_s
        self._empty_pages = empty_pages
        self._readers_limit = readers_limit
        self._clock = QueueClock()
        self._tables: dict[str, Table] = {}  # by name, and by ARN
        self._streams: dict[str, TableStream] = {}  # by ARN
        self._latest: dict[str, TableStream] = {}  # by table name
        self._made = 0
        self._readers = 0
        self._read_at: dict[tuple[int, str], dict[int, float]] = {}  # (stream, shard id) -> reader -> when

    # The port.

    async def describe_table(self, table: str) -> dict[str, Any]:
        """The latest stream is named even after it was disabled, and gone. Raises: StreamNotFound."""
        await anyio.lowlevel.checkpoint()
        found = self._table(table)
        self.journal.note("DescribeTable", 0)
        described: dict[str, Any] = {
            "TableName": found.name,
            "TableArn": found.arn,
            "TableStatus": "ACTIVE",
            "CreationDateTime": found.created_at,
            "KeySchema": found.key_schema,
            "AttributeDefinitions": found.attribute_definitions,
            "ItemCount": len(found.items),
        }
        latest = self._latest.get(found.name)
        if latest is not None:
            described |= {"LatestStreamArn": latest.arn, "LatestStreamLabel": latest.label}
            if latest.disabled_s is None:
                described["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": latest.view_type}
        return described

    async def list_streams(self, table: str) -> list[str]:
        """Of a table given by name, whether or not it is still there; the oldest first."""
        await anyio.lowlevel.checkpoint()
        now = self._clock.now_s()
        arns = [arn for arn, stream in self._streams.items() if stream.table.name == table and not stream.is_gone(now)]
        self.journal.note("ListStreams", len(arns))
        return arns

    async def describe_stream(self, stream_arn: str, *, start_shard_id: str | None = None) -> dict[str, Any]:
        """The shards behind `start_shard_id`, by id; `LastEvaluatedShardId` only if there are more (STR-140).

        Raises: StreamNotFound.
        """
        await anyio.lowlevel.checkpoint()
        stream, now = self._current(stream_arn)
        shards = stream.shards.listed(now, after=start_shard_id or "")
        page = shards[: self._shard_page]
        self.journal.note("DescribeStream", len(page))
        description = stream.description(page)
        if len(shards) > len(page):
            description["LastEvaluatedShardId"] = page[-1][0].shard_id
        return description

    async def get_shard_iterator(
        self, stream_arn: str, shard_id: str, iterator_type: str, *, sequence: str | None = None
    ) -> str:
        """Raises: StreamNotFound; ShardGone; RecordsTrimmed; SourceError `ValidationException` (STR-141, STR-145)."""
        await anyio.lowlevel.checkpoint()
        stream, now = self._current(stream_arn)
        shard = stream.shards[shard_id]
        shard.trim(now - RETENTION_S)
        match iterator_type:
            case "TRIM_HORIZON":
                place = shard.first_place
            case "LATEST":
                place = shard.end_place
            case "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER":
                after = iterator_type == "AFTER_SEQUENCE_NUMBER"
                place = shard.place_of(_number_of(shard, sequence), after=after)
            case _:
                raise SourceError(f"{iterator_type} is not a shard iterator type", code=VALIDATION)
        self.journal.note("GetShardIterator", 0)
        self._readers += 1
        return ShardIterator(stream.number, shard_id, place, self._readers, now).text()

    async def get_records(self, stream_arn: str, iterator: str, *, limit: int) -> dict[str, Any]:
        """`NextShardIterator` is None at the end of a closed shard (STR-146).

        Raises: StreamNotFound; ShardGone; IteratorExpired; RecordsTrimmed; TransientSourceError
        `LimitExceededException`; SourceError `ValidationException`.
        """
        await anyio.lowlevel.checkpoint()
        stream, now = self._current(stream_arn)
        position = read_iterator(iterator, stream.number, now, self._iterator_lifetime_s, VALIDATION)
        shard = stream.shards[position.shard_id]
        if not 1 <= limit <= PAGE_RECORDS:
            raise SourceError(f"Limit is 1 to {PAGE_RECORDS}, not {limit}", code=VALIDATION)
        stream.reads[shard.shard_id] += 1
        if self._readers_limit is not None:
            self._admit(position, now, self._readers_limit)
        shard.trim(now - RETENTION_S)
        place = position.place
        if place < shard.first_place:
            raise _trimmed(shard)
        records: list[StoredRecord] = []
        if place < shard.end_place and not self._is_empty_handed():
            records = shard.page(place, min(limit, self._page_limit), PAGE_BYTES)
            place += len(records)
        self.journal.note("GetRecords", len(records))
        next_iterator: str | None = ShardIterator(stream.number, shard.shard_id, place, position.reader, now).text()
        if shard.closed_s is not None and place == shard.end_place and not self._is_empty_handed():
            next_iterator = None
        return {
            # Each reader gets objects of its own, as from a wire: handlers may change what they are given.
            "Records": [orjson.loads(orjson.dumps(record.wire)) for record in records],
            "NextShardIterator": next_iterator,
        }

    # For tests: synchronous, and usable before and after the loop runs.

    def create_table(
        self,
        name: str,
        key: str = "id",
        sort_key: str | None = None,
        view_type: ViewType | None = "NEW_AND_OLD_IMAGES",
        shards: int = 1,
    ) -> str:
        """Create a table and return its stream's ARN; `view_type` None means without a stream, and "" is returned.

        Raises: SourceError, `ValidationException` for a bad name, `ResourceInUseException` if it exists.
        """
        if not _TABLE_NAME.fullmatch(name):
            raise SourceError(f'a table\'s name is 3 to 255 of A-Z a-z 0-9 _ . -, not "{name}"', code=VALIDATION)
        if name in self._tables:
            raise SourceError(f'table "{name}" already exists', code="ResourceInUseException")
        table = Table(name, key, sort_key, round(self._clock.wall_s(), 3))
        self._tables[name] = self._tables[table.arn] = table
        return "" if view_type is None else self.enable_stream(name, view_type, shards)

    def delete_table(self, table: str) -> None:
        """Forget it and its items; its stream is disabled and stays readable. Raises: StreamNotFound."""
        found = self._table(table)
        latest = self._latest.pop(found.name, None)
        if latest is not None and latest.disabled_s is None:
            latest.disable(self._advanced(latest))
        del self._tables[found.name], self._tables[found.arn]

    def enable_stream(self, table: str, view_type: ViewType = "NEW_AND_OLD_IMAGES", shards: int = 1) -> str:
        """Give the table a new stream and return its ARN.

        Raises: StreamNotFound; SourceError `ValidationException` if it has one, or for a bad view type or count.
        """
        found = self._table(table)
        latest = self._latest.get(found.name)
        if latest is not None and latest.disabled_s is None:
            raise SourceError(f'table "{found.name}" already has an enabled stream: {latest.arn}', code=VALIDATION)
        if view_type not in get_args(ViewType) or shards < 1:
            raise SourceError(f"a stream needs a view type of {get_args(ViewType)} and a shard", code=VALIDATION)
        wall = self._clock.wall_s()
        label = stream_label(wall)
        later_ms = 0
        while f"{found.arn}/stream/{label}" in self._streams:  # enabled anew within the same millisecond
            later_ms += 1
            label = stream_label(wall + later_ms / 1_000)
        self._made += 1
        made = TableStream(
            found,
            self._made,
            label,
            view_type,
            shards,
            seed=self._seed,
            shard_lifetime_s=self._shard_lifetime_s,
            listing_lag_s=self._listing_lag_s,
            now_s=self._clock.now_s(),
            wall_s=wall,
        )
        self._streams[made.arn] = self._latest[found.name] = made
        return made.arn

    def disable_stream(self, table: str) -> None:
        """Close all its shards; what they hold can be read for 24 hours. Raises: StreamNotFound."""
        stream = self._enabled(table)
        stream.disable(self._advanced(stream))

    def put_item(self, table: str, item: Mapping[str, Mapping[str, Any]]) -> Placed | None:
        """Write a whole item in DynamoDB's JSON; bytes may stand for base64 text.

        Returns where the record went; None if nothing changed (STR-132) or the table has no stream.
        Raises: StreamNotFound; SourceError `ValidationException`.
        """
        found = self._table(table)
        return self._record(found, found.put(item))

    def update_item(
        self, table: str, key: Mapping[str, Mapping[str, Any]], attributes: Mapping[str, Mapping[str, Any]]
    ) -> Placed | None:
        """Set these attributes of an item, which is created if it is not there. Returns and raises as `put_item`."""
        found = self._table(table)
        return self._record(found, found.update(key, attributes))

    def delete_item(self, table: str, key: Mapping[str, Mapping[str, Any]]) -> Placed | None:
        """Returns and raises as `put_item`."""
        found = self._table(table)
        return self._record(found, found.delete(key))

    def expire_item(self, table: str, key: Mapping[str, Mapping[str, Any]]) -> Placed | None:
        """Delete it as the time-to-live process does, with a `userIdentity` (STR-129). As `put_item`."""
        found = self._table(table)
        return self._record(found, found.delete(key), expired=True)

    def items(self, table: str) -> tuple[Item, ...]:
        """In order of their first writing. Raises: StreamNotFound."""
        return self._table(table).items

    def roll(self, table: str, shard_id: str | None = None) -> tuple[str, ...]:
        """Let a shard of the enabled stream roll over now, None = all open ones. Returns the ids of the new ones.

        Raises: StreamNotFound; ShardGone; SourceError `ValidationException` if it is closed.
        """
        stream = self._enabled(table)
        now = self._advanced(stream)
        shard_ids = self.open_shards(table) if shard_id is None else (shard_id,)
        return tuple(stream.roll(each, now) for each in shard_ids)

    def split(self, table: str, shard_id: str) -> tuple[str, str]:
        """Close a shard and open two, as when a table grows (STR-148). Raises: as `roll`."""
        stream = self._enabled(table)
        return stream.split(shard_id, self._advanced(stream))

    def trim(self, stream_arn: str, shard_id: str, *, keep: int = 0) -> None:
        """Drop all but the newest `keep` records of a shard, as if they were older than 24 hours."""
        self._current(stream_arn)[0].shards[shard_id].trim_to(keep)

    def open_shards(self, table: str) -> tuple[str, ...]:
        """The ids, by hash range. Raises: StreamNotFound."""
        stream = self._enabled(table)
        self._advanced(stream)
        return tuple(shard.shard_id for shard in stream.shards.open)

    def records(self, stream_arn: str, shard_id: str) -> list[dict[str, Any]]:
        """What a shard keeps, as GetRecords would return it. Raises: StreamNotFound; ShardGone."""
        stream, now = self._current(stream_arn)
        shard = stream.shards[shard_id]
        shard.trim(now - RETENTION_S)
        return [orjson.loads(orjson.dumps(record.wire)) for record in shard.records]

    def reads(self, stream_arn: str) -> Mapping[str, int]:
        """GetRecords calls per shard id so far, throttled ones included. Raises: StreamNotFound."""
        return self._current(stream_arn)[0].reads.copy()

    # Steps of the above.

    def _table(self, table: str) -> Table:
        found = self._tables.get(table)
        if found is None:
            raise StreamNotFound(f'table "{table}" does not exist', code=_NOT_FOUND)
        return found

    def _enabled(self, table: str) -> TableStream:
        stream = self._latest.get(self._table(table).name)
        if stream is None or stream.disabled_s is not None:
            raise StreamNotFound(f'table "{table}" has no enabled stream', code=_NOT_FOUND)
        return stream

    def _current(self, stream_arn: str) -> tuple[TableStream, float]:
        stream = self._streams.get(stream_arn)
        if stream is None:
            raise StreamNotFound(f"stream {stream_arn} does not exist", code=_NOT_FOUND)
        now = self._advanced(stream)
        if stream.is_gone(now):
            del self._streams[stream_arn]
            raise StreamNotFound(f"stream {stream_arn} was disabled 24 hours ago and is gone", code=_NOT_FOUND)
        return stream, now

    def _advanced(self, stream: TableStream) -> float:
        now = self._clock.now_s()
        stream.advance(now)
        return now

    def _record(self, table: Table, change: Change | None, *, expired: bool = False) -> Placed | None:
        stream = self._latest.get(table.name)
        if change is None or stream is None or stream.disabled_s is not None:
            return None
        return stream.add(change, self._advanced(stream), self._clock.wall_s(), expired=expired)

    def _admit(self, position: ShardIterator, now: float, limit: int) -> None:
        read_at = self._read_at.setdefault((position.stream, position.shard_id), {})
        for reader in [reader for reader, at in read_at.items() if at + _READER_GONE_AFTER_S <= now]:
            del read_at[reader]
        if position.reader not in read_at and len(read_at) >= limit:
            self.journal.note(_THROTTLED, 0)
            raise TransientSourceError(f"more than {limit} read {position.shard_id} at once", code=_THROTTLED)
        read_at[position.reader] = now

    def _is_empty_handed(self) -> bool:
        return self._empty_pages > 0 and self._dice.random() < self._empty_pages


def _number_of(shard: StoredShard, sequence: str | None) -> int:
    if sequence is None or not sequence.isdecimal() or not shard.numbers.holds(int(sequence)):
        raise SourceError(f"sequence number {sequence} is not one of {shard.shard_id}", code=VALIDATION)
    if int(sequence) <= shard.last_trimmed:
        raise _trimmed(shard)
    return int(sequence)


def _trimmed(shard: StoredShard) -> RecordsTrimmed:
    return RecordsTrimmed(f"{shard.shard_id} does not keep records that are 24 hours old", code=_TRIMMED)

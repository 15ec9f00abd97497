"""DynamoDB Streams as a source: raw records in, stream records out (STR-120..133).

A mapping of a table outlives its streams: disabled and enabled again, a table has a new stream, and goes on in it:

    old stream   ──▶ shard ──▶ last shard ─┐ read to its end first
    new stream                             └──▶ first shard ──▶ …
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import orjson

from eventmap import telemetry
from eventmap.errors import ConfigurationError, InvalidParameterValue, ShardGone, StreamNotFound
from eventmap.model import StreamRecord
from eventmap.rules.configuration import stream_not_found
from eventmap.rules.events.records import dynamodb_record
from eventmap.shard import AT_TIMESTAMP, TRIM_HORIZON, Page, Position, Shard
from eventmap.sources._shards import IteratorReader, ShardDirectory, records_of
from eventmap.telemetry import Logger

RECORDS_PER_READ: Final = 1_000  #: the most GetRecords returns (STR-143)
_ENABLED = frozenset({"ENABLED", "ENABLING"})


class DynamoDbStreamsApi(Protocol):
    """The calls of the loop, in the shapes of the JSON wire: binary values are base64 text, times epoch seconds.

    Raises: StreamNotFound, ShardGone, IteratorExpired, RecordsTrimmed, AccessRefused, TransientSourceError (throttled
    too), SourceError.
    """

    async def describe_table(self, table: str) -> dict[str, Any]:
        """`Table` of a table given by name or ARN."""
        ...

    async def list_streams(self, table: str) -> list[str]:
        """The ARNs of all streams of a table, given by name, that can still be read (STR-150)."""
        ...

    async def describe_stream(self, stream_arn: str, *, start_shard_id: str | None = None) -> dict[str, Any]:
        """One page of `StreamDescription`, with `LastEvaluatedShardId` if there are more shards (STR-140)."""
        ...

    async def get_shard_iterator(
        self, stream_arn: str, shard_id: str, iterator_type: str, *, sequence: str | None = None
    ) -> str: ...

    async def get_records(self, stream_arn: str, iterator: str, *, limit: int) -> dict[str, Any]:
        """`{"Records": […], "NextShardIterator": …}`."""
        ...


@dataclass(frozen=True, slots=True)
class TableStreamDescription:
    """A table's stream as it was when the mapping started."""

    arn: str  #: the stream's
    table: str  #: the table's name
    region: str
    account: str
    view_type: str
    hash_key: str | None  #: the attribute items are partitioned by; None = the server does not say
    enabled: bool  #: False = disabled: readable for 24 hours, nothing is added (STR-150)
    follows_table: bool  #: mapped by the table: whatever stream the table has next is read, too

    @property
    def table_arn(self) -> str:
        return self.arn.partition("/stream/")[0]

    @property
    def identity(self) -> str:
        """What its checkpoints belong to: the table, or this one stream of it."""
        return self.table_arn if self.follows_table else self.arn


async def describe_dynamodb(api: DynamoDbStreamsApi, reference: str) -> TableStreamDescription:
    """Ask for the stream of a table given by name or ARN, or for a stream given by its own ARN.

    Raises: InvalidParameterValue in AWS' words if there is no such table or stream (STR-17); ConfigurationError if the
    table has none, or has it disabled; SourceError.
    """
    try:
        if "/stream/" in reference:
            stream = await api.describe_stream(reference)
            return _description(reference, stream, stream.get("StreamStatus") in _ENABLED, follows_table=False)
        table = await api.describe_table(reference)
    except StreamNotFound as error:
        raise InvalidParameterValue(f"{stream_not_found(reference)} ({error})") from error
    arn = table.get("LatestStreamArn")
    settings = table.get("StreamSpecification") or {}
    if not arn or not settings.get("StreamEnabled"):
        name = table["TableName"]
        lacks = f"has its stream disabled (what {arn} still holds can be read by that ARN)" if arn else "has no stream"
        raise ConfigurationError(
            f'table "{name}" {lacks}; enable one: aws dynamodb update-table --table-name {name} '
            "--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
        )
    return _description(arn, {**settings, **table}, enabled=True, follows_table=True)


def _description(arn: str, told: dict[str, Any], enabled: bool, *, follows_table: bool) -> TableStreamDescription:
    _, _, _, region, account, resource = arn.split(":", 5)
    keys = {key["KeyType"]: key["AttributeName"] for key in told.get("KeySchema", ())}
    return TableStreamDescription(
        arn=arn,
        table=resource.split("/")[1],
        region=region,
        account=account,
        view_type=told.get("StreamViewType", ""),
        hash_key=keys.get("HASH"),
        enabled=enabled,
        follows_table=follows_table,
    )


class DynamoDbSource:
    """A table's stream, and those that follow it, for all its mappings: share the source between them.

    `older_streams`: ARNs of earlier streams of the same table that may not have been read to their end, in any order.
    """

    idle_interval_s: Final = 0.25  #: Lambda's rate for a shard that brings nothing (STR-23)
    busy_interval_s: Final = 0.0  #: while records come, reading goes on without a pause (STR-23)
    bytes_per_s: Final = math.inf  #: a read returns 1 MB at most, as often as it is asked (STR-143)

    def __init__(
        self, api: DynamoDbStreamsApi, stream: TableStreamDescription, *, older_streams: Sequence[str] = ()
    ) -> None:
        self._stream = stream
        self._log = telemetry.logger("eventmap.sources").bind(stream=stream.identity)
        self._chain = _StreamChain(api, stream, older_streams, self._log)
        self._directory = ShardDirectory(self._chain.list_shards)
        if not stream.enabled:
            self._log.warning(telemetry.STREAM_DISABLED, readable="for 24 hours after it was disabled (STR-150)")

    @property
    def arn(self) -> str:
        """The newest stream's."""
        return self._chain.newest

    @property
    def identity(self) -> str:
        return self._stream.identity

    async def shards(self, *, fresh: bool = False) -> tuple[Shard, ...]:
        """All shards now listed, of every stream that is still read, closed ones too (STR-140, 156).

        At most 60 seconds old, unless `fresh`. The first shards of a stream have the last ones of the stream before it
        as their parents, so that those are read to their end first.
        Raises: StreamNotFound, AccessRefused, TransientSourceError, SourceError.
        """
        return await self._directory.shards(fresh=fresh)

    def reader(self, shard_id: str, position: Position) -> IteratorReader:
        return IteratorReader(_DynamoDbShard(self._chain, self._stream, shard_id), shard_id, position, self._log)


@dataclass(slots=True)
class _Stream:
    """One stream of the table, and the shards it ends in."""

    arn: str
    leaves: tuple[str, ...] = ()
    gone: bool = False


class _StreamChain:
    """The streams of one table that are still read, oldest first. Only the last one's absence is an error."""

    def __init__(
        self, api: DynamoDbStreamsApi, stream: TableStreamDescription, older_streams: Sequence[str], log: Logger
    ) -> None:
        self._api = api
        self._table = stream
        # An ARN ends in the time the stream was made: the order of the ARNs is theirs.
        self._streams = [_Stream(arn) for arn in sorted({*older_streams, stream.arn})]
        self._stream_of: dict[str, str] = {}  # shard id -> ARN, as last listed
        self._log = log

    @property
    def newest(self) -> str:
        return self._streams[-1].arn

    async def list_shards(self) -> tuple[Shard, ...]:
        """Raises: StreamNotFound if the newest stream does not exist; SourceError."""
        if self._table.follows_table:
            await self._look_for_new_streams()
        shards: list[Shard] = []
        before: tuple[str, ...] = ()
        for stream in self._streams:
            own = await self._shards_of(stream)
            shards += [shard if shard.parents else replace(shard, parents=before) for shard in own]
            before = stream.leaves or before
        self._stream_of = {shard.shard_id: shard.stream_arn for shard in shards}
        return tuple(shards)

    async def open(self, shard_id: str, iterator_type: str, sequence: str | None) -> tuple[str, str]:
        """(ARN of the shard's stream, iterator). Raises: ShardGone if no stream has the shard; SourceError."""
        listed = self._stream_of.get(shard_id)
        # One that is not listed may be too new, or too old: only the streams themselves can say.
        for arn in [listed] if listed else [stream.arn for stream in reversed(self._streams) if not stream.gone]:
            try:
                return arn, await self._api.get_shard_iterator(arn, shard_id, iterator_type, sequence=sequence)
            except ShardGone:
                continue
            except StreamNotFound:
                if arn == self.newest:
                    raise
        raise ShardGone(f"shard {shard_id} does not exist any more")

    async def read(self, arn: str, iterator: str) -> dict[str, Any]:
        """Raises: ShardGone, also if an older stream has gone as a whole; SourceError."""
        try:
            return await self._api.get_records(arn, iterator, limit=RECORDS_PER_READ)
        except StreamNotFound as error:
            if arn == self.newest:
                raise
            raise ShardGone(str(error), code=error.code) from error

    async def _look_for_new_streams(self) -> None:
        try:
            table = await self._api.describe_table(self._table.table_arn)
        except StreamNotFound:
            return  # the table has been deleted; its stream outlives it by 24 hours
        latest = table.get("LatestStreamArn")
        if not latest or latest in {stream.arn for stream in self._streams}:
            return
        # It may have been switched off and on more than once since the last listing.
        missed = sorted(arn for arn in await self._api.list_streams(self._table.table) if self.newest < arn < latest)
        for arn in (*missed, latest):
            self._log.info(telemetry.STREAM_REPLACED, before=self.newest, now=arn)
            self._streams.append(_Stream(arn))

    async def _shards_of(self, stream: _Stream) -> list[Shard]:
        """List one stream and note its leaves. One that is gone has no shards, but keeps its leaves."""
        shards: list[Shard] = []
        start: str | None = None
        while not stream.gone:
            try:
                page = await self._api.describe_stream(stream.arn, start_shard_id=start)
            except StreamNotFound:
                if stream.arn == self.newest:
                    raise
                stream.gone = True
                return []
            shards += [_shard(raw, stream.arn) for raw in page["Shards"]]
            start = page.get("LastEvaluatedShardId")
            if not start:
                break
        if shards:
            inner = {parent for shard in shards for parent in shard.parents}
            stream.leaves = tuple(shard.shard_id for shard in shards if shard.shard_id not in inner)
        return shards


class _DynamoDbShard:
    def __init__(self, chain: _StreamChain, stream: TableStreamDescription, shard_id: str) -> None:
        self._chain = chain
        self._stream = stream
        self._shard_id = shard_id
        self._arn = ""
        self._since: int | None = None  # epoch seconds; records made before are not delivered; None = all are

    async def open(self, position: Position) -> str:
        if position.type == AT_TIMESTAMP:
            # Not every server opens a shard by time: read it from its beginning, and skip. Records carry whole seconds.
            since, iterator_type = math.floor(position.timestamp or 0), TRIM_HORIZON
        else:
            since, iterator_type = None, position.type
        self._arn, iterator = await self._chain.open(self._shard_id, iterator_type, position.sequence)
        self._since = since
        return iterator

    async def read(self, iterator: str) -> tuple[Page, str | None]:
        answer = await self._chain.read(self._arn, iterator)
        records = records_of(answer, self._record)
        if self._since is not None:
            first = next((i for i, record in enumerate(records) if record.arrived_at >= self._since), len(records))
            records = records[first:]
            if records:
                self._since = None
        following: str | None = answer.get("NextShardIterator")
        return Page(records, ended=following is None), following

    def _record(self, raw: dict[str, Any]) -> StreamRecord:
        return record_of(raw, self._arn, self._stream.region, self._stream.hash_key)


def record_of(raw: dict[str, Any], stream_arn: str, region: str, hash_key: str | None) -> StreamRecord:
    """The element of `Records` a raw record becomes, in the documented order of keys (STR-120..131)."""
    change: dict[str, Any] = raw["dynamodb"]
    number: str = change["SequenceNumber"]
    arrived_at: float = change["ApproximateCreationDateTime"]
    keys: dict[str, Any] = change["Keys"]
    body = dynamodb_record(raw, stream_arn, region)
    # Items with one partition key value are kept in order. A key the schema does not have: the table was made anew.
    ordered_by = keys.get(hash_key, keys) if hash_key else keys
    return StreamRecord(
        item_id=number,
        body=body,
        sequence=int(number),
        key=orjson.dumps(ordered_by, option=orjson.OPT_SORT_KEYS).decode(),
        arrived_at=arrived_at,
        # Written, not added up: `SizeBytes` counts by DynamoDB's own rules. A character of two bytes may take six.
        size_bound=len(orjson.dumps(body)) * 3,
    )


def _shard(raw: dict[str, Any], stream_arn: str) -> Shard:
    parent: str | None = raw.get("ParentShardId")
    return Shard(
        shard_id=raw["ShardId"],
        parents=(parent,) if parent else (),
        is_open=raw["SequenceNumberRange"].get("EndingSequenceNumber") is None,
        stream_arn=stream_arn,
    )

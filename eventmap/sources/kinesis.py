"""Kinesis as a source: raw records in, stream records out (STR-110..119)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from eventmap import telemetry
from eventmap.errors import ConfigurationError, InvalidParameterValue, StreamNotFound
from eventmap.model import StreamRecord
from eventmap.rules.configuration import stream_not_found
from eventmap.rules.events.records import kinesis_record
from eventmap.shard import Page, Position, Shard
from eventmap.sources._shards import IteratorReader, ShardDirectory, records_of

RECORDS_PER_READ: Final = 10_000  #: the most GetRecords returns (STR-143)
_READABLE = frozenset({"ACTIVE", "UPDATING"})


class KinesisApi(Protocol):
    """The calls of the loop, in the shapes of Kinesis' JSON wire: blobs are base64 text, times epoch seconds.

    Raises: StreamNotFound, ShardGone, IteratorExpired, AccessRefused, TransientSourceError (throttled, too), and any
    other SourceError.
    """

    async def describe_stream_summary(self, stream: str) -> dict[str, Any]:
        """`StreamDescriptionSummary` of a stream given by name or ARN."""
        ...

    async def list_shards(self, stream: str, *, next_token: str | None = None) -> dict[str, Any]:
        """One page: `{"Shards": […], "NextToken": …}` (STR-140)."""
        ...

    async def get_shard_iterator(
        self,
        stream: str,
        shard_id: str,
        iterator_type: str,
        *,
        sequence: str | None = None,
        timestamp: float | None = None,
    ) -> str: ...

    async def get_records(self, stream: str, iterator: str, *, limit: int) -> dict[str, Any]:
        """`{"Records": […], "NextShardIterator": …, "MillisBehindLatest": …, "ChildShards": […]}`."""
        ...


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """A Kinesis stream as it was when the mapping started."""

    arn: str
    name: str
    region: str
    account: str
    status: str
    created_at: float  #: epoch seconds; 0 = the server does not say
    retention_hours: int

    @property
    def identity(self) -> str:
        """What its checkpoints belong to: a stream made anew under the same name is another one."""
        return f"{self.arn}:{int(self.created_at)}"


async def describe_kinesis(api: KinesisApi, stream: str) -> StreamDescription:
    """Ask for the settings of a stream given by name or ARN.

    Raises: InvalidParameterValue in AWS' words if there is none (STR-17); ConfigurationError if it cannot be read in
    the state it is in (STR-150); SourceError.
    """
    try:
        summary = await api.describe_stream_summary(stream)
    except StreamNotFound as error:
        raise InvalidParameterValue(f"{stream_not_found(stream)} ({error})") from error
    arn: str = summary["StreamARN"]
    status: str = summary["StreamStatus"]
    if status not in _READABLE:
        raise ConfigurationError(
            f'stream "{stream}" is {status}, and only an ACTIVE or UPDATING one can be read: '
            "wait until it is active, or name another stream (STR-150)"
        )
    _, _, _, region, account, resource = arn.split(":", 5)
    return StreamDescription(
        arn=arn,
        name=resource.removeprefix("stream/"),
        region=region,
        account=account,
        status=status,
        created_at=float(summary.get("StreamCreationTimestamp", 0)),
        retention_hours=int(summary.get("RetentionPeriodHours", 24)),
    )


class KinesisSource:
    """One stream, for all its mappings: share the source, and the shards are listed once for all of them."""

    idle_interval_s: Final = 1.0  #: Lambda's rate for a shard that brings nothing (STR-23)
    busy_interval_s: Final = 0.2  #: five calls a second per shard, by whomever (STR-143)
    bytes_per_s: Final = 2.0 * 1024 * 1024  #: per shard, by whomever (STR-143)

    def __init__(self, api: KinesisApi, stream: StreamDescription) -> None:
        self._api = api
        self._stream = stream
        self._directory = ShardDirectory(self._list_shards)
        self._log = telemetry.logger("eventmap.sources").bind(stream=stream.arn)

    @property
    def arn(self) -> str:
        return self._stream.arn

    @property
    def identity(self) -> str:
        return self._stream.identity

    async def shards(self, *, fresh: bool = False) -> tuple[Shard, ...]:
        """All shards now listed, closed ones too; at most 60 seconds old, unless `fresh` (STR-140, 156).

        Raises: StreamNotFound, AccessRefused, TransientSourceError, SourceError.
        """
        return await self._directory.shards(fresh=fresh)

    def reader(self, shard_id: str, position: Position) -> IteratorReader:
        return IteratorReader(_KinesisShard(self._api, self._stream, shard_id), shard_id, position, self._log)

    async def _list_shards(self) -> tuple[Shard, ...]:
        shards: list[Shard] = []
        token: str | None = None
        while True:
            answer = await self._api.list_shards(self._stream.arn, next_token=token)
            shards += [_shard(raw, self._stream.arn) for raw in answer["Shards"]]
            token = answer.get("NextToken")
            if not token:
                return tuple(shards)


class _KinesisShard:
    def __init__(self, api: KinesisApi, stream: StreamDescription, shard_id: str) -> None:
        self._api = api
        self._stream = stream
        self._shard_id = shard_id

    async def open(self, position: Position) -> str:
        return await self._api.get_shard_iterator(
            self._stream.arn,
            self._shard_id,
            position.type,
            sequence=position.sequence,
            timestamp=position.timestamp,
        )

    async def read(self, iterator: str) -> tuple[Page, str | None]:
        answer = await self._api.get_records(self._stream.arn, iterator, limit=RECORDS_PER_READ)
        records = records_of(answer, lambda raw: record_of(raw, self._shard_id, self._stream))
        following: str | None = answer.get("NextShardIterator")
        behind_ms = answer.get("MillisBehindLatest")
        page = Page(
            records=records,
            ended=following is None,
            behind_s=None if behind_ms is None else behind_ms / 1_000,
            size_bytes=sum(
                len(raw["Data"]) * 3 // 4 + len(raw.get("PartitionKey", "").encode()) for raw in answer["Records"]
            ),
        )
        return page, following


def record_of(raw: dict[str, Any], shard_id: str, stream: StreamDescription) -> StreamRecord:
    """The element of `Records` a raw record becomes, in the documented order of keys (STR-110..119)."""
    number: str = raw["SequenceNumber"]
    data: str = raw["Data"]
    arrived_at: float = raw["ApproximateArrivalTimestamp"]
    key: str | None = raw.get("PartitionKey")
    return StreamRecord(
        item_id=number,
        body=kinesis_record(raw, shard_id, stream.arn, stream.account, stream.region),
        sequence=int(number),
        # Without a partition key there is no order to keep (STR-111): every such record may go its own way.
        key=number if key is None else key,
        arrived_at=arrived_at,
        # A character takes two escapes of six bytes at most, base64 needs none; all the rest fits into 2,048.
        size_bound=len(data) + len(key or "") * 12 + 2_048,
    )


def _shard(raw: dict[str, Any], stream_arn: str) -> Shard:
    parents = (raw.get("ParentShardId"), raw.get("AdjacentParentShardId"))
    hashes = raw["HashKeyRange"]
    return Shard(
        shard_id=raw["ShardId"],
        parents=tuple(parent for parent in parents if parent),
        is_open=raw["SequenceNumberRange"].get("EndingSequenceNumber") is None,
        hash_range=(hashes["StartingHashKey"], hashes["EndingHashKey"]),
        stream_arn=stream_arn,
    )

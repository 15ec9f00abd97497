"""Short words for what the tests of the in-memory streams do over and over."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from eventmap.testing import MemoryDynamoDb, MemoryKinesis

RawRecord = dict[str, Any]
RawShard = dict[str, Any]


def kinesis(**options: Any) -> MemoryKinesis:
    """Without the limit of five reads a second, unless one is given."""
    return MemoryKinesis(**{"shard_limit_calls_per_s": None, **options})


def put_all(api: MemoryKinesis, stream: str, *texts: str, key: str = "k") -> list[str]:
    """Sequence numbers of records with these texts."""
    return [api.put_record(stream, text.encode(), key).sequence for text in texts]


def texts(answer: dict[str, Any] | list[RawRecord]) -> list[str]:
    """The data of Kinesis records."""
    records = answer["Records"] if isinstance(answer, dict) else answer
    return [base64.b64decode(record["Data"]).decode() for record in records]


async def listed(api: MemoryKinesis | MemoryDynamoDb, stream: str) -> dict[str, RawShard]:
    """All pages of a listing, by shard id."""
    shards: list[RawShard] = []
    token = None
    while True:
        if isinstance(api, MemoryKinesis):
            page = await api.list_shards(stream, next_token=token)
            token = page.get("NextToken")
        else:
            page = await api.describe_stream(stream, start_shard_id=token)
            token = page.get("LastEvaluatedShardId")
        shards += page["Shards"]
        if token is None:
            return {shard["ShardId"]: shard for shard in shards}


async def read_to_end(api: MemoryKinesis | MemoryDynamoDb, stream: str, shard_id: str) -> list[RawRecord]:
    """Everything a closed shard holds; an open shard has no end."""
    records: list[RawRecord] = []
    iterator = await api.get_shard_iterator(stream, shard_id, "TRIM_HORIZON")
    for _ in range(10_000):
        answer = await api.get_records(stream, iterator, limit=1_000)
        records += answer["Records"]
        iterator = answer["NextShardIterator"]
        if iterator is None:
            return records
    raise AssertionError(f"{shard_id} does not end")


def closed(shards: dict[str, RawShard]) -> dict[str, RawShard]:
    return {name: shard for name, shard in shards.items() if "EndingSequenceNumber" in shard["SequenceNumberRange"]}


def parents_first(shards: dict[str, RawShard]) -> Iterator[str]:
    """Shard ids, each behind all of its parents that are listed (STR-151)."""
    waiting = dict(shards)
    while waiting:
        ready = [shard_id for shard_id, shard in waiting.items() if not parents_of(shard) & waiting.keys()]
        assert ready, f"a circle of parents among {sorted(waiting)}"
        for shard_id in ready:
            del waiting[shard_id]
            yield shard_id


def parents_of(shard: RawShard) -> set[str]:
    return {shard[name] for name in ("ParentShardId", "AdjacentParentShardId") if name in shard}

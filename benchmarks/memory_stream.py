"""Streams that cost nothing to read: endless pages of one shard, or many shards in which nothing happens."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel

STREAM_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/measured/stream/2026-01-01T00:00:00.000"
PAGE_RECORDS = 1_000  # the most one read of a table's stream returns (STR-143)
CREATED_AT = 1_767_225_600


class StubTableStream:
    """A table's stream as `DynamoDbStreamsApi` shows it: `pages` full ones in the first shard, the others idle."""

    def __init__(self, *, shards: int = 1, pages: int = 0) -> None:
        self._shards = [{"ShardId": f"shardId-{number:020}"} for number in range(shards)]
        self._pages = [[_record(page * PAGE_RECORDS + place) for place in range(PAGE_RECORDS)] for page in range(pages)]
        self.reads = 0

    async def describe_table(self, table: str) -> dict[str, Any]:
        raise AssertionError("it is mapped by the ARN of its stream")

    async def list_streams(self, table: str) -> list[str]:
        return [STREAM_ARN]

    async def describe_stream(self, stream_arn: str, *, start_shard_id: str | None = None) -> dict[str, Any]:
        shards = [{**shard, "SequenceNumberRange": {"StartingSequenceNumber": "1"}} for shard in self._shards]
        return {
            "StreamArn": stream_arn,
            "StreamStatus": "ENABLED",
            "StreamViewType": "NEW_IMAGE",
            "TableName": "measured",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "Shards": shards,
        }

    async def get_shard_iterator(
        self, stream_arn: str, shard_id: str, iterator_type: str, *, sequence: str | None = None
    ) -> str:
        return "0" if shard_id == self._shards[0]["ShardId"] else "idle"

    async def get_records(self, stream_arn: str, iterator: str, *, limit: int) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        self.reads += 1
        if iterator == "idle" or int(iterator) >= len(self._pages):
            return {"Records": [], "NextShardIterator": iterator}
        return {"Records": self._pages[int(iterator)], "NextShardIterator": str(int(iterator) + 1)}


def _record(number: int) -> dict[str, Any]:
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": CREATED_AT,
            "Keys": {"id": {"S": f"order-{number}"}},
            "NewImage": {"id": {"S": f"order-{number}"}, "customer": {"S": "Ada"}, "total": {"N": "17.95"}},
            "SequenceNumber": str(100_000_000_000_000_000_000 + number),
            "SizeBytes": 64,
            "StreamViewType": "NEW_IMAGE",
        },
    }

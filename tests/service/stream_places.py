"""Where the scenarios of streams happen: in memory, or on a server nobody of us wrote, asked by plain boto3."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import anyio
import anyio.to_thread

from eventmap import App
from eventmap.service import Running
from eventmap.testing import MemoryDynamoDb, MemoryKinesis
from tests.servers.process import Server

Entry = tuple[str, bytes]
"""Partition key and data of a Kinesis record."""

PUT_AT_ONCE = 500
DEADLINE_S = 25
TEXT = "text"
"""The attribute of an item that a scenario changes; its key is `id`."""


class StreamPlace(Protocol):
    """One Kinesis, and one DynamoDB where the place has it."""

    name: str

    async def create_stream(self, name: str, shards: int = 1) -> None: ...

    async def put(self, stream: str, *entries: Entry) -> None: ...

    async def open_shards(self, stream: str) -> list[str]:
        """By hash range."""

    async def split(self, stream: str, shard_id: str) -> None: ...

    async def merge(self, stream: str, shard_id: str, adjacent: str) -> None: ...

    async def create_table(self, name: str, view_type: str | None = "NEW_AND_OLD_IMAGES") -> None: ...

    async def write(self, table: str, key: str, text: str) -> None: ...

    async def delete(self, table: str, key: str) -> None: ...

    def where(self) -> dict[str, Any]:
        """Arguments of `App.running`."""


class InMemory:
    """The streams of the test kit."""

    name = "memory"

    def __init__(self) -> None:
        self.kinesis = MemoryKinesis()
        self.dynamodb = MemoryDynamoDb()

    async def create_stream(self, name: str, shards: int = 1) -> None:
        self.kinesis.create_stream(name, shards)

    async def put(self, stream: str, *entries: Entry) -> None:
        for key, data in entries:
            self.kinesis.put_record(stream, data, key)

    async def open_shards(self, stream: str) -> list[str]:
        return list(self.kinesis.open_shards(stream))

    async def split(self, stream: str, shard_id: str) -> None:
        self.kinesis.split_shard(stream, shard_id)

    async def merge(self, stream: str, shard_id: str, adjacent: str) -> None:
        self.kinesis.merge_shards(stream, shard_id, adjacent)

    async def create_table(self, name: str, view_type: str | None = "NEW_AND_OLD_IMAGES") -> None:
        self.dynamodb.create_table(name, view_type=view_type)  # type: ignore[arg-type]  # the tests' own view types

    async def write(self, table: str, key: str, text: str) -> None:
        self.dynamodb.put_item(table, item(key, text))

    async def delete(self, table: str, key: str) -> None:
        self.dynamodb.delete_item(table, {"id": {"S": key}})

    def where(self) -> dict[str, Any]:
        return {"kinesis_api": self.kinesis, "dynamodb_api": self.dynamodb}


class OnAServer:
    """A real server; boto3 runs in threads, so that the engine goes on meanwhile."""

    def __init__(self, server: Server) -> None:
        self.name = server.name
        self.server = server
        self._clients: dict[str, Any] = {}

    async def create_stream(self, name: str, shards: int = 1) -> None:
        await self.ask("kinesis", "create_stream", StreamName=name, ShardCount=shards)
        await self._active(name)

    async def put(self, stream: str, *entries: Entry) -> None:
        for start in range(0, len(entries), PUT_AT_ONCE):
            records = [{"PartitionKey": key, "Data": data} for key, data in entries[start : start + PUT_AT_ONCE]]
            answer = await self.ask("kinesis", "put_records", StreamName=stream, Records=records)
            assert not answer["FailedRecordCount"], answer

    async def open_shards(self, stream: str) -> list[str]:
        shards = (await self.ask("kinesis", "list_shards", StreamName=stream))["Shards"]
        still_open = [each for each in shards if "EndingSequenceNumber" not in each["SequenceNumberRange"]]
        return [each["ShardId"] for each in sorted(still_open, key=lambda each: _hashes(each)[0])]

    async def split(self, stream: str, shard_id: str) -> None:
        shards = (await self.ask("kinesis", "list_shards", StreamName=stream))["Shards"]
        [(first, last)] = [_hashes(each) for each in shards if each["ShardId"] == shard_id]
        middle = str((first + last) // 2)
        await self.ask("kinesis", "split_shard", StreamName=stream, ShardToSplit=shard_id, NewStartingHashKey=middle)
        await self._active(stream)

    async def merge(self, stream: str, shard_id: str, adjacent: str) -> None:
        await self.ask(
            "kinesis", "merge_shards", StreamName=stream, ShardToMerge=shard_id, AdjacentShardToMerge=adjacent
        )
        await self._active(stream)

    async def create_table(self, name: str, view_type: str | None = "NEW_AND_OLD_IMAGES") -> None:
        streams = {"StreamEnabled": True, "StreamViewType": view_type} if view_type else {"StreamEnabled": False}
        await self.ask(
            "dynamodb",
            "create_table",
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=streams,
        )

    async def write(self, table: str, key: str, text: str) -> None:
        await self.ask("dynamodb", "put_item", TableName=table, Item=item(key, text))

    async def delete(self, table: str, key: str) -> None:
        await self.ask("dynamodb", "delete_item", TableName=table, Key={"id": {"S": key}})

    def where(self) -> dict[str, Any]:
        return {"endpoint_url": self.server.endpoint_url, "region": self.server.region}

    async def ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Any call of any service of the server."""
        if service not in self._clients:
            self._clients[service] = self.server.client(service)
        call: Callable[[], dict[str, Any]] = functools.partial(getattr(self._clients[service], operation), **arguments)
        return await anyio.to_thread.run_sync(call)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    async def _active(self, stream: str) -> None:
        while True:
            answer = await self.ask("kinesis", "describe_stream_summary", StreamName=stream)
            if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
                return
            await anyio.sleep(0.02)


@contextmanager
def opened(name: str, start: Callable[[str], Server]) -> Iterator[StreamPlace]:
    """The place of that name; `start` starts servers."""
    if name == "memory":
        yield InMemory()
        return
    place = OnAServer(start(name))
    yield place
    place.close()


@asynccontextmanager
async def at_work(
    place: StreamPlace,
    source: str,
    handler: Callable[[Any, Any], object],
    *,
    kind: str = "kinesis",
    function_name: str = "work",
    running: dict[str, Any] | None = None,
    **mapping: Any,
) -> AsyncIterator[Running]:
    """`handler` at work on one stream of `place`, from its beginning, with leases that end with it.

    `running` are more arguments of `App.running`, `mapping` settings of the mapping.
    """
    app = App()
    declare = app.kinesis if kind == "kinesis" else app.dynamodb
    settings = {"starting_position": "TRIM_HORIZON", "function_name": function_name, **mapping}
    declare(source, **settings)(handler)
    async with app.running(**place.where(), **{"leases": "memory", **(running or {})}) as service:
        yield service


def item(key: str, text: str) -> dict[str, Any]:
    return {"id": {"S": key}, TEXT: {"S": text}}


def keyed(keys: str, count: int) -> list[Entry]:
    """a0, b0, …, a1, b1, …: `count` records of each key."""
    return [(key, f"{key}{number}".encode()) for number in range(count) for key in keys]


def _hashes(shard: dict[str, Any]) -> tuple[int, int]:
    hashes = shard["HashKeyRange"]
    return int(hashes["StartingHashKey"]), int(hashes["EndingHashKey"])


@asynccontextmanager
async def deadline() -> AsyncIterator[None]:
    """What takes longer than this has stalled."""
    with anyio.fail_after(DEADLINE_S):
        yield


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await anyio.sleep(0.02)


def by_key(texts: Iterable[str]) -> dict[str, list[str]]:
    """What was handled of each key, which is a text's first character, in order."""
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(text[0], []).append(text)
    return dict(sorted(found.items()))


def in_order(keys: str, count: int, start: int = 0) -> dict[str, list[str]]:
    """What `by_key` should find of `keyed` records."""
    return {key: [f"{key}{number}" for number in range(start, start + count)] for key in keys}

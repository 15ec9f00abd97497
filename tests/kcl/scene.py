"""One application on one stream, its lease table, and all that its workers handled, whosever they are."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio

from eventmap import service
from eventmap.function import Function
from eventmap.model import JsonObject
from eventmap.rules.leases import LeaseSettings
from eventmap.stream_mapping import StreamMapping
from tests.servers.process import Server

from .worker import KclWorker, kcl_worker

FAILOVER_S: Final = 4.0  # the KCL worker's, too
KEYS: Final = 16
LOOK_AGAIN_S: Final = 0.1

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record, handled once."""

    worker: str
    shard: str
    sequence: int
    key: str
    number: int  #: its place among all records put, from 0


@dataclass
class Scene:
    """`stream` has been made; the lease table, named as the application is, has not."""

    kinesis_server: Server
    dynamodb_server: Server
    kinesis: Any
    dynamodb: Any
    stream: str
    shards: int
    application: str
    folder: Path
    put_so_far: int = 0
    deliveries: list[Delivery] = field(default_factory=list)  #: in the order in which they were handled

    async def put(self, count: int) -> None:
        """So many records, one after the other, over all keys in turn."""
        for _ in range(count):
            await anyio.to_thread.run_sync(self._put_next)

    def _put_next(self) -> None:
        number, self.put_so_far = self.put_so_far, self.put_so_far + 1
        self.kinesis.put_record(StreamName=self.stream, PartitionKey=f"k{number % KEYS}", Data=str(number).encode())

    @contextmanager
    def kcl(self, name: str) -> Iterator[KclWorker]:
        """A KCL worker of the application."""

        def handled(shard: str, sequence: str, key: str, data: str) -> None:
            self.deliveries.append(Delivery(name, shard, int(sequence), key, int(data)))

        endpoints = [self.kinesis_server.endpoint_url, self.dynamodb_server.endpoint_url]
        arguments = [*endpoints, self.stream, self.application]
        with kcl_worker(name, arguments, handled, self.folder / f"{name}.log") as worker:
            yield worker

    @asynccontextmanager
    async def eventmap(self, name: str) -> AsyncIterator[None]:
        """A worker of ours; `name` stands in the deliveries, in the table it has one of its own."""

        def handler(event: JsonObject, _context: object) -> None:
            for record in event["Records"]:
                shard, sequence = record["eventID"].split(":")
                number = int(base64.b64decode(record["kinesis"]["data"]))
                self.deliveries.append(Delivery(name, shard, int(sequence), record["kinesis"]["partitionKey"], number))

        mapping = StreamMapping(
            event_source="kinesis",
            event_source_arn=self.stream,
            function_name="work",
            starting_position="TRIM_HORIZON",
            batch_size=5,
        )
        settings = service.Settings(
            leases=f"dynamodb:{self.application}", lease_settings=LeaseSettings(failover_s=FAILOVER_S)
        )
        async with service.running([Function(handler=handler, function_name="work")], [mapping], settings):
            yield

    async def items(self) -> dict[str, Item]:
        """All items of the table, by key."""
        answer = await anyio.to_thread.run_sync(
            lambda: self.dynamodb.scan(TableName=self.application, ConsistentRead=True)
        )
        return {item["leaseKey"]["S"]: item for item in answer["Items"]}

    async def leases(self) -> dict[str, Item]:
        """Those of the leases, by shard id; none as long as there is no table."""
        tables = await anyio.to_thread.run_sync(self.dynamodb.list_tables)
        items = await self.items() if self.application in tables["TableNames"] else {}
        return {key: item for key, item in items.items() if key.startswith("shardId-")}

    async def owners(self) -> dict[str, str | None]:
        """Of the leases that are not being handed over, by shard id."""
        leases = await self.leases()
        return {
            shard: item.get("leaseOwner", {}).get("S")
            for shard, item in leases.items()
            if "checkpointOwner" not in item
        }

    async def checkpoints(self) -> dict[str, int]:
        """Of the leases that have a number, by shard id."""
        texts = {shard: item["checkpoint"]["S"] for shard, item in (await self.leases()).items()}
        return {shard: int(text) for shard, text in texts.items() if text.isdigit()}

    def by(self, worker: str) -> list[Delivery]:
        return [each for each in self.deliveries if each.worker == worker]

    async def until_all_handled(self, within_s: float) -> None:
        await until(lambda: len({each.number for each in self.deliveries}) == self.put_so_far, within_s)


async def until(holds: Callable[[], bool], within_s: float) -> None:
    """Raises: TimeoutError."""
    with anyio.fail_after(within_s):
        while not holds():
            await anyio.sleep(LOOK_AGAIN_S)


def first_deliveries(deliveries: list[Delivery]) -> list[Delivery]:
    seen: set[int] = set()
    first = []
    for each in deliveries:
        if each.number not in seen:
            first.append(each)
            seen.add(each.number)
    return first


def readers(deliveries: list[Delivery]) -> dict[str, list[str]]:
    """The workers of each shard in turn, each as often as it began to read anew."""
    turns: dict[str, list[str]] = {}
    for each in deliveries:
        workers = turns.setdefault(each.shard, [])
        if workers[-1:] != [each.worker]:
            workers.append(each.worker)
    return turns


def keys_out_of_order(deliveries: list[Delivery]) -> set[str]:
    """Keys whose records were first handled in another order than they were put in."""
    numbers: dict[str, list[int]] = {}
    for each in first_deliveries(deliveries):
        numbers.setdefault(each.key, []).append(each.number)
    return {key for key, handled in numbers.items() if handled != sorted(handled)}

"""Streams and tables of an emulator, and what they begin with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import anyio

from eventmap.errors import LocalEmulatorError, TransientSourceError
from eventmap.local.items import Item, TableKey
from eventmap.local.patience import patiently
from eventmap.local.stream_lines import StreamEntry

SHARDS: Final = 1  # what is sent is handled in the order of its file
BATCH_ENTRIES: Final = 500
BATCH_LIMIT_BYTES: Final = 5 * 1024 * 1024  # partition keys included
_ACTIVE_DEADLINE_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.05


class StreamSeedingWire(Protocol):
    """The part of the Kinesis wire that seeding needs."""

    async def create_stream(self, name: str, shard_count: int) -> None: ...

    async def describe_stream_summary(self, stream: str) -> dict[str, Any]: ...

    async def put_records(self, stream: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]: ...


class TableSeedingWire(Protocol):
    """The part of the DynamoDB wire that seeding needs."""

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]: ...


async def create_stream(wire: StreamSeedingWire, name: str) -> None:
    """Create a Kinesis stream of one shard and wait until it can be used. Raises: SourceError, LocalEmulatorError."""
    await wire.create_stream(name, SHARDS)

    async def is_active() -> bool:
        return (await wire.describe_stream_summary(name)).get("StreamStatus") == "ACTIVE"

    await _until(is_active, f"stream {name!r}")


async def create_table(wire: TableSeedingWire, name: str, key: TableKey) -> None:
    """Create a table whose stream shows items before and after each change, and wait until it can be used.

    Raises: SourceError, LocalEmulatorError.
    """
    parameters = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": key.name, "AttributeType": key.type}],
        "KeySchema": [{"AttributeName": key.name, "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    await wire.call("CreateTable", parameters)

    async def is_active() -> bool:
        table = (await wire.call("DescribeTable", {"TableName": name}))["Table"]
        return bool(table["TableStatus"] == "ACTIVE")

    await _until(is_active, f"table {name!r}")


async def put_records(wire: StreamSeedingWire, stream: str, entries: Sequence[StreamEntry]) -> None:
    """Put records into a stream, in order; one whose answer was lost may be there twice.

    Raises: SourceError if the stream goes on refusing.
    """
    for batch in _batches(entries):
        waiting = batch
        async for attempt in patiently():
            with attempt:
                failed = await wire.put_records(stream, [entry.encoded() for entry in waiting])
                waiting = [waiting[index] for index in sorted(failed)]
                if failed:
                    code = failed[min(failed)]
                    raise TransientSourceError(f"stream {stream!r} did not accept a record: {code}", code=code)


async def put_items(wire: TableSeedingWire, table: str, items: Sequence[Item]) -> None:
    """Put items into a table one after the other: of two with the same key the second one changes the first.

    Raises: SourceError.
    """
    for item in items:
        async for attempt in patiently():
            with attempt:
                await wire.call("PutItem", {"TableName": table, "Item": item})


async def _until(is_active: Callable[[], Awaitable[bool]], what: str) -> None:
    with anyio.move_on_after(_ACTIVE_DEADLINE_S):
        while True:
            if await is_active():
                return
            await anyio.sleep(_LOOK_EVERY_S)
    raise LocalEmulatorError(f"{what} did not become ACTIVE within {_ACTIVE_DEADLINE_S:.0f} s")


def _batches(entries: Sequence[StreamEntry]) -> Iterator[list[StreamEntry]]:
    batch: list[StreamEntry] = []
    batch_bytes = 0
    for entry in entries:
        size = len(entry.data) + len(entry.partition_key.encode())
        if batch and (len(batch) == BATCH_ENTRIES or batch_bytes + size > BATCH_LIMIT_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(entry)
        batch_bytes += size
    if batch:
        yield batch

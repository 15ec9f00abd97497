from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from eventmap.aws.session import AwsSettings, open_dynamodb, open_kinesis
from eventmap.aws.signing import Credentials
from eventmap.errors import TransientSourceError
from eventmap.local.items import TableKey, parse_item
from eventmap.local.stream_lines import StreamEntry
from eventmap.local.stream_seeding import BATCH_LIMIT_BYTES, create_stream, create_table, put_items, put_records
from tests.servers.process import Server

SERVERS = ["moto", "ministack"]


def settings(server: Server) -> AwsSettings:
    return AwsSettings(server.endpoint_url, "us-east-1", credentials=Credentials("test", "test"))


class RecordingStream:
    """An in-memory stream; each of `failures` is what one call answers, later calls succeed."""

    def __init__(self, *failures: dict[int, str]) -> None:
        self.failures = list(failures)
        self.calls: list[list[bytes]] = []

    async def create_stream(self, name: str, shard_count: int) -> None:
        return None

    async def describe_stream_summary(self, stream: str) -> dict[str, Any]:
        return {"StreamStatus": "ACTIVE"}

    async def put_records(self, stream: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        self.calls.append([base64.b64decode(entry["Data"]) for entry in entries])
        return self.failures.pop(0) if self.failures else {}


@pytest.mark.server
@pytest.mark.parametrize("name", SERVERS)
async def test_a_created_stream_takes_records_in_order(name: str, start_server: Callable[[str], Server]) -> None:
    """One shard, and what was put first is read first."""
    stream = f"s-{uuid.uuid4().hex[:12]}"
    async with open_kinesis(settings(start_server(name))) as wire:
        await create_stream(wire, stream)
        await put_records(wire, stream, [StreamEntry(f"{number}".encode(), "k") for number in range(20)])
        [shard] = (await wire.list_shards(stream))["Shards"]
        iterator = await wire.get_shard_iterator(stream, shard["ShardId"], "TRIM_HORIZON")
        answer = await wire.get_records(stream, iterator, limit=100)

    assert [base64.b64decode(record["Data"]).decode() for record in answer["Records"]] == [str(n) for n in range(20)]


@pytest.mark.server
@pytest.mark.parametrize("name", SERVERS)
async def test_a_created_table_shows_each_put_in_its_stream(name: str, start_server: Callable[[str], Server]) -> None:
    """A second item with the same key is a change, with both images."""
    table = f"t-{uuid.uuid4().hex[:12]}"
    items = [parse_item(line, 1) for line in ('{"id": 1, "n": 1}', '{"id": 2}', '{"id": 1, "n": 2}')]
    async with open_dynamodb(settings(start_server(name))) as wire:
        await create_table(wire.tables, table, TableKey("id", "N"))
        await put_items(wire.tables, table, items)
        arn = (await wire.describe_table(table))["LatestStreamArn"]
        [shard] = (await wire.describe_stream(arn))["Shards"]
        iterator = await wire.get_shard_iterator(arn, shard["ShardId"], "TRIM_HORIZON")
        records = (await wire.get_records(arn, iterator, limit=100))["Records"]

    assert [record["eventName"] for record in records] == ["INSERT", "INSERT", "MODIFY"]
    assert records[2]["dynamodb"]["OldImage"] == items[0]
    assert records[2]["dynamodb"]["NewImage"] == items[2]


async def test_batches_have_500_records_and_5_mib_at_most() -> None:
    """Records are put in order, in as few batches as the two limits allow."""
    stream = RecordingStream()
    large = b"x" * (1_000_000)

    await put_records(stream, "s", [StreamEntry(b"a", "k")] * 501 + [StreamEntry(large, "k")] * 6)

    assert [len(call) for call in stream.calls] == [500, 6, 1]
    assert all(sum(len(data) + 1 for data in call) <= BATCH_LIMIT_BYTES for call in stream.calls)


async def test_only_failed_records_are_put_again() -> None:
    """What the stream has taken is not put twice."""
    stream = RecordingStream({0: "InternalFailure", 2: "InternalFailure"}, {1: "InternalFailure"})

    await put_records(stream, "s", [StreamEntry(data, "k") for data in (b"a", b"b", b"c")])

    assert stream.calls == [[b"a", b"b", b"c"], [b"a", b"c"], [b"c"]]


async def test_a_stream_that_goes_on_refusing_is_an_error() -> None:
    """After the last attempt its code is told."""
    stream = RecordingStream(*[{0: "ProvisionedThroughputExceededException"}] * 9)

    with pytest.raises(TransientSourceError, match="ProvisionedThroughputExceededException"):
        await put_records(stream, "s", [StreamEntry(b"a", "k")])

    assert len(stream.calls) == 6

"""The wires of the streams against servers nobody of us wrote."""

from __future__ import annotations

import base64
from typing import Any

import anyio
import pytest

from eventmap.aws.dynamodb import DynamoDbStreamsWire
from eventmap.aws.kinesis import KinesisWire
from eventmap.errors import ShardGone, SourceError, StreamNotFound
from tests.servers.process import Server

from .hostile import dynamodb_at, kinesis_at


async def active(wire: KinesisWire, stream: str) -> dict[str, Any]:
    """The stream's summary, as soon as it can be used."""
    with anyio.fail_after(20):
        while (summary := await wire.describe_stream_summary(stream))["StreamStatus"] != "ACTIVE":
            await anyio.lowlevel.checkpoint()
    return summary


async def create_table(wire: DynamoDbStreamsWire, name: str) -> dict[str, Any]:
    await wire.tables.call(
        "CreateTable",
        {
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        },
    )
    return await wire.describe_table(name)


async def test_str_110_114_what_is_put_into_kinesis_is_read_from_it(aws_server: Server, name: str) -> None:
    """Data is base64 text, arrival epoch seconds; by name and by ARN."""
    blob = base64.b64encode(b"\x00\xff").decode()
    async with kinesis_at(aws_server.endpoint_url) as wire:
        await wire.create_stream(name, 1)
        arn = (await active(wire, name))["StreamARN"]
        assert await wire.put_records(name, [{"Data": blob, "PartitionKey": "ä"}]) == {}

        for stream in (name, arn):
            [shard] = (await wire.list_shards(stream))["Shards"]
            iterator = await wire.get_shard_iterator(stream, shard["ShardId"], "TRIM_HORIZON")
            page = await wire.get_records(stream, iterator, limit=10_000)

            [record] = page["Records"]
            assert (record["Data"], record["PartitionKey"]) == (blob, "ä")
            assert 1.6e9 < record["ApproximateArrivalTimestamp"] < 1e11
            assert page["NextShardIterator"]


async def test_str_154_an_iterator_opens_after_a_sequence_number(aws_server: Server, name: str) -> None:
    """What was read before stays read."""
    entries = [{"Data": base64.b64encode(b"%d" % n).decode(), "PartitionKey": "k"} for n in range(3)]
    async with kinesis_at(aws_server.endpoint_url) as wire:
        await wire.create_stream(name, 1)
        await active(wire, name)
        assert await wire.put_records(name, entries) == {}
        [shard] = (await wire.list_shards(name))["Shards"]
        first = await wire.get_shard_iterator(name, shard["ShardId"], "TRIM_HORIZON")
        [read] = (await wire.get_records(name, first, limit=1))["Records"]

        after = await wire.get_shard_iterator(
            name, shard["ShardId"], "AFTER_SEQUENCE_NUMBER", sequence=read["SequenceNumber"]
        )
        rest = (await wire.get_records(name, after, limit=10))["Records"]

    assert [entry["Data"] for entry in entries[1:]] == [record["Data"] for record in rest]


async def test_str_17_152_a_missing_stream_and_a_missing_shard_are_told_apart(aws_server: Server, name: str) -> None:
    """The stream is missing to every call, the shard to those that read one."""
    async with kinesis_at(aws_server.endpoint_url) as wire:
        for question in (wire.describe_stream_summary, wire.list_shards):
            with pytest.raises(StreamNotFound, match=name):
                await question(name)
        with pytest.raises(StreamNotFound, match=name):
            await wire.get_shard_iterator(name, "shardId-000000000000", "LATEST")

        await wire.create_stream(name, 1)
        await active(wire, name)
        with pytest.raises(ShardGone, match="shardId-000000000009"):
            await wire.get_shard_iterator(name, "shardId-000000000009", "LATEST")


async def test_str_120_131_what_is_put_into_a_table_is_read_from_its_stream(aws_server: Server, name: str) -> None:
    """Images have the attribute types of the wire, binary as base64."""
    item = {"id": {"S": "1"}, "blob": {"B": base64.b64encode(b"\x00\xff").decode()}, "n": {"N": "1.50"}}
    async with dynamodb_at(aws_server.endpoint_url) as wire:
        stream = (await create_table(wire, name))["LatestStreamArn"]
        await wire.tables.call("PutItem", {"TableName": name, "Item": item})

        assert await wire.list_streams(name) == [stream]
        description = await wire.describe_stream(stream)
        [shard] = description["Shards"]
        iterator = await wire.get_shard_iterator(stream, shard["ShardId"], "TRIM_HORIZON")
        page = await wire.get_records(stream, iterator, limit=1_000)

    [record] = page["Records"]
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["Keys"] == {"id": {"S": "1"}}
    assert record["dynamodb"]["NewImage"]["blob"] == item["blob"]
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], int | float)


async def test_str_17_152_a_missing_table_and_a_missing_stream_are_missing_streams(
    aws_server: Server, name: str
) -> None:
    """To every call, also to one that names a shard of it."""
    async with dynamodb_at(aws_server.endpoint_url) as wire:
        with pytest.raises(StreamNotFound, match=name):
            await wire.describe_table(name)
        arn = f"arn:aws:dynamodb:us-east-1:{aws_server.account_id}:table/{name}/stream/2024-06-10T19:26:16.525"
        with pytest.raises(StreamNotFound, match=name):
            await wire.describe_stream(arn)
        with pytest.raises(StreamNotFound, match=name):
            await wire.get_shard_iterator(arn, "shardId-00000001718047576525-7f1a2b3c", "LATEST")


async def test_str_197_a_failed_condition_is_told_by_its_code(aws_server: Server, name: str) -> None:
    """A conditional write to a table either happens or is refused with AWS' code."""
    write = {
        "TableName": name,
        "Item": {"id": {"S": "1"}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    async with dynamodb_at(aws_server.endpoint_url) as wire:
        await create_table(wire, name)
        await wire.tables.call("PutItem", write)

        with pytest.raises(SourceError) as failure:
            await wire.tables.call("PutItem", write)
        with pytest.raises(SourceError) as exists:
            await create_table(wire, name)

    assert failure.value.code == "ConditionalCheckFailedException"
    assert exists.value.code == "ResourceInUseException"

"""What the wires of the streams send, and what they make of answers of every kind."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import aioboto3
import anyio
import orjson
import pytest

from eventmap.aws.dynamodb import DynamoDbStreamsWire
from eventmap.aws.kinesis import KinesisWire
from eventmap.errors import (
    AccessRefused,
    IteratorExpired,
    RecordsTrimmed,
    ShardGone,
    SourceError,
    StreamNotFound,
    TransientSourceError,
)

from .hostile import Answer, HostileServer, dynamodb_at, endless, error, hostile_server, http, kinesis_at, raw, reset

KINESIS = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
TABLE_STREAM = f"{TABLE}/stream/2024-06-10T19:26:16.525"
SHARD = "shardId-00000001718047576525-7f1a2b3c"
PARTITION = base64.b64encode(b"data").decode()

FULL = http(
    200,
    b'{"StreamDescriptionSummary":{},"StreamDescription":{},"Table":{},"ShardIterator":"i","Shards":[],"Records":[]}',
)

KinesisCall = Callable[[KinesisWire], Awaitable[object]]
DynamoDbCall = Callable[[DynamoDbStreamsWire], Awaitable[object]]

KINESIS_CALLS: dict[str, tuple[KinesisCall, dict[str, Any]]] = {
    "describe_stream_summary": (lambda wire: wire.describe_stream_summary("clicks"), {"StreamName": "clicks"}),
    "list_shards": (lambda wire: wire.list_shards(KINESIS), {"StreamName": "clicks", "StreamARN": KINESIS}),
    "list_shards, next page": (lambda wire: wire.list_shards(KINESIS, next_token="t"), {"NextToken": "t"}),
    "get_shard_iterator": (
        lambda wire: wire.get_shard_iterator(KINESIS, SHARD, "AFTER_SEQUENCE_NUMBER", sequence="49"),
        {
            "StreamName": "clicks",
            "StreamARN": KINESIS,
            "ShardId": SHARD,
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "StartingSequenceNumber": "49",
        },
    ),
    "get_shard_iterator, at a time": (
        lambda wire: wire.get_shard_iterator("clicks", SHARD, "AT_TIMESTAMP", timestamp=1_700_000_000.0),
        {
            "StreamName": "clicks",
            "ShardId": SHARD,
            "ShardIteratorType": "AT_TIMESTAMP",
            "Timestamp": 1_700_000_000,
        },
    ),
    "get_records": (
        lambda wire: wire.get_records("clicks", "i", limit=10_000),
        {"ShardIterator": "i", "Limit": 10_000},
    ),
    "get_records, by ARN": (
        lambda wire: wire.get_records(KINESIS, "i", limit=1),
        {"ShardIterator": "i", "Limit": 1, "StreamARN": KINESIS},
    ),
    "create_stream": (lambda wire: wire.create_stream("clicks", 3), {"StreamName": "clicks", "ShardCount": 3}),
    "put_records": (
        lambda wire: wire.put_records("clicks", [{"Data": PARTITION, "PartitionKey": "k"}]),
        {"StreamName": "clicks", "Records": [{"Data": b"data", "PartitionKey": "k"}]},
    ),
}
STREAM_CALLS: dict[str, tuple[DynamoDbCall, dict[str, Any]]] = {
    "list_streams": (lambda wire: wire.list_streams("orders"), {"TableName": "orders"}),
    "describe_stream": (
        lambda wire: wire.describe_stream(TABLE_STREAM, start_shard_id=SHARD),
        {"StreamArn": TABLE_STREAM, "ExclusiveStartShardId": SHARD},
    ),
    "get_shard_iterator": (
        lambda wire: wire.get_shard_iterator(TABLE_STREAM, SHARD, "AT_SEQUENCE_NUMBER", sequence="7" * 21),
        {
            "StreamArn": TABLE_STREAM,
            "ShardId": SHARD,
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "SequenceNumber": "7" * 21,
        },
    ),
    "get_records": (
        lambda wire: wire.get_records(TABLE_STREAM, "i", limit=1_000),
        {"ShardIterator": "i", "Limit": 1_000},
    ),
}
TABLE_CALLS: dict[str, tuple[DynamoDbCall, dict[str, Any]]] = {
    "describe_table": (lambda wire: wire.describe_table(TABLE), {"TableName": TABLE}),
    "scan": (
        lambda wire: wire.tables.call("Scan", {"TableName": "leases", "ConsistentRead": True}),
        {"TableName": "leases", "ConsistentRead": True},
    ),
}


async def sent_by_the_client_library(
    server: HostileServer, service: str, name: str, parameters: dict[str, Any]
) -> tuple[dict[str, str], bytes]:
    """The same call as the AWS client library makes it."""
    operation = name.partition(",")[0]
    session = aioboto3.Session("test", "test", region_name="us-east-1")
    async with session.client(service, endpoint_url=server.endpoint_url) as client:
        await getattr(client, operation)(**parameters)
    return server.requests[-1]


def assert_same(ours: tuple[dict[str, str], bytes], theirs: tuple[dict[str, str], bytes]) -> None:
    (our_headers, our_body), (their_headers, their_body) = ours, theirs
    for name in ("x-amz-target", "content-type"):
        assert their_headers[name] == our_headers[name]
    assert scope_of(their_headers) == scope_of(our_headers)
    assert orjson.loads(their_body) == orjson.loads(our_body)
    assert "x-amzn-query-mode" not in our_headers


def scope_of(headers: dict[str, str]) -> list[str]:
    """Region and service of the signature."""
    return headers["authorization"].split("Credential=")[1].split(",")[0].split("/")[2:]


@pytest.mark.parametrize("name", KINESIS_CALLS)
async def test_a_call_of_kinesis_is_the_one_the_client_library_makes(name: str) -> None:
    """Target, content type, signature scope and parameters are the same."""
    call, parameters = KINESIS_CALLS[name]
    async with hostile_server(FULL) as server:
        async with kinesis_at(server.endpoint_url) as wire:
            await call(wire)

        assert_same(server.requests[0], await sent_by_the_client_library(server, "kinesis", name, parameters))


@pytest.mark.parametrize(
    ("service", "name"),
    [("dynamodbstreams", name) for name in STREAM_CALLS] + [("dynamodb", name) for name in TABLE_CALLS],
)
async def test_a_call_of_dynamodb_is_the_one_the_client_library_makes(service: str, name: str) -> None:
    """Streams and tables are two services under one signing name; a table is described by the latter."""
    call, parameters = (STREAM_CALLS if service == "dynamodbstreams" else TABLE_CALLS)[name]
    async with hostile_server(FULL) as server:
        async with dynamodb_at(server.endpoint_url) as wire:
            await call(wire)

        assert_same(server.requests[0], await sent_by_the_client_library(server, service, name, parameters))


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (reset, TransientSourceError, "ConnectionLost"),
        (raw(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"Records":['), TransientSourceError, "ConnectionLost"),
        (http(503, b"<html>busy</html>"), TransientSourceError, "503"),
        (
            error(400, "ProvisionedThroughputExceededException"),
            TransientSourceError,
            "ProvisionedThroughputExceededException",
        ),
        (error(400, "LimitExceededException"), TransientSourceError, "LimitExceededException"),
        (error(500, "InternalServerError"), TransientSourceError, "InternalServerError"),
        (error(400, "ExpiredIteratorException"), IteratorExpired, "ExpiredIteratorException"),
        (error(400, "TrimmedDataAccessException"), RecordsTrimmed, "TrimmedDataAccessException"),
        (error(400, "AccessDeniedException"), AccessRefused, "AccessDeniedException"),
        (error(400, "InvalidArgumentException"), SourceError, "InvalidArgumentException"),
        (http(200, b"\xd9\xd9\xf7\xa0"), SourceError, "NotJsonProtocol"),
        (http(200, b"[]"), SourceError, "NotJsonProtocol"),
        (endless, SourceError, "ResponseTooLarge"),
    ],
)
@pytest.mark.parametrize("service", ["kinesis", "dynamodb"])
async def test_a_bad_answer_to_a_read_is_one_error_with_a_code(
    service: str, answer: Answer, kind: type[SourceError], code: str
) -> None:
    """Whatever comes back, the reader sees a SourceError of the right kind, and nothing is tried again here."""
    async with hostile_server(answer) as server:
        with anyio.fail_after(25), pytest.raises(SourceError) as failure:
            await read(service, server)

    assert type(failure.value) is kind
    assert failure.value.code == code
    assert len(server.requests) == 1


async def read(service: str, server: HostileServer) -> dict[str, Any]:
    if service == "kinesis":
        async with kinesis_at(server.endpoint_url) as kinesis:
            return await kinesis.get_records("clicks", "i", limit=10_000)
    async with dynamodb_at(server.endpoint_url) as dynamodb:
        return await dynamodb.get_records(TABLE_STREAM, "i", limit=1_000)


@pytest.mark.parametrize("service", ["kinesis", "dynamodb"])
async def test_str_152_a_shard_is_gone_only_while_its_stream_is_there(service: str) -> None:
    """One code says that the shard or that the stream is missing, so the stream is asked for before one is given up."""
    missing = error(400, "ResourceNotFoundException")
    async with hostile_server(missing, FULL) as server:
        with pytest.raises(ShardGone):
            await read(service, server)
    async with hostile_server(missing, missing) as server:
        with pytest.raises(StreamNotFound):
            await read(service, server)
    async with hostile_server(missing, http(503, b"")) as server:
        with pytest.raises(TransientSourceError):
            await read(service, server)


async def test_str_20_a_time_is_asked_for_in_milliseconds_and_never_later() -> None:
    """Kinesis counts arrivals in milliseconds; what is finer is cut off, so that no record at that time is missed."""
    async with hostile_server(FULL) as server, kinesis_at(server.endpoint_url) as wire:
        await wire.get_shard_iterator("clicks", SHARD, "AT_TIMESTAMP", timestamp=1_700_000_000.2509)

    assert orjson.loads(server.requests[0][1])["Timestamp"] == 1_700_000_000.25


async def test_str_143_the_largest_page_is_read() -> None:
    """10 MB of records, as base64 and with their names, fit."""
    record = b'{"Data":"%s","PartitionKey":"k"}' % (b"A" * 1_400)
    page = b'{"Records":[' + b",".join([record] * 10_000) + b"]}"
    async with hostile_server(http(200, page)) as server:
        with anyio.fail_after(25):
            answer = await read("kinesis", server)

    assert len(answer["Records"]) == 10_000


@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        (b'{"FailedRecordCount":0,"Records":[{"ShardId":"s"},{"ShardId":"s"}]}', {}),
        (
            b'{"Records":[{"ErrorCode":"ProvisionedThroughputExceededException"},{"ShardId":"s"}]}',
            {0: "ProvisionedThroughputExceededException"},
        ),
        (b'{"Records":[{"ShardId":"s"}]}', {1: "NotConfirmed"}),
        (b"{}", {0: "NotConfirmed", 1: "NotConfirmed"}),
    ],
)
async def test_only_confirmed_entries_count_as_put(answer: bytes, failures: dict[int, str]) -> None:
    """An entry the answer does not confirm has failed, whether it says so or not."""
    entry = {"Data": "AA==", "PartitionKey": "k"}
    async with hostile_server(http(200, answer)) as server, kinesis_at(server.endpoint_url) as wire:
        assert await wire.put_records("clicks", [entry, entry]) == failures
        assert await wire.put_records("clicks", []) == {}

    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [b"{}", b'{"StreamDescriptionSummary":[],"ShardIterator":5}'])
async def test_an_answer_without_what_was_asked_for_is_an_error(answer: bytes) -> None:
    """A member that AWS always sends is missed by name."""
    async with hostile_server(http(200, answer)) as server, kinesis_at(server.endpoint_url) as wire:
        with pytest.raises(SourceError, match="StreamDescriptionSummary"):
            await wire.describe_stream_summary("clicks")
        with pytest.raises(SourceError, match="ShardIterator"):
            await wire.get_shard_iterator("clicks", SHARD, "LATEST")


async def test_str_150_every_page_of_a_tables_streams_is_listed() -> None:
    """Page after page, and not for ever if a server gives the same one again."""
    first, second = (f"{TABLE}/stream/{year}" for year in (2024, 2025))
    pages = [
        http(200, orjson.dumps({"Streams": [{"StreamArn": arn}], "LastEvaluatedStreamArn": arn}))
        for arn in (first, second, second)
    ]
    async with hostile_server(*pages) as server, dynamodb_at(server.endpoint_url) as wire:
        assert await wire.list_streams("orders") == [first, second, second]

    starts = [orjson.loads(body).get("ExclusiveStartStreamArn") for _, body in server.requests]
    assert starts == [None, first, second]


async def test_a_failed_condition_keeps_its_code() -> None:
    """A store of leases tells a lost race from a broken table by the code."""
    async with (
        hostile_server(error(400, "ConditionalCheckFailedException")) as server,
        dynamodb_at(server.endpoint_url) as wire,
    ):
        with pytest.raises(SourceError) as failure:
            await wire.tables.call("UpdateItem", {"TableName": "leases"})

    assert type(failure.value) is SourceError
    assert failure.value.code == "ConditionalCheckFailedException"
    assert 'table "leases"' in str(failure.value)

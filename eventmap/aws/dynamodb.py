"""DynamoDB and its streams as the engine needs them, over the lean wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Unpack

from eventmap.aws.services import DYNAMODB, DYNAMODB_STREAMS
from eventmap.aws.wire import JSON_1_0, JsonProtocol, JsonWire, ServiceWire, WireOptions, object_of, text_of
from eventmap.errors import ShardGone

TABLES_PROTOCOL: Final = JsonProtocol("dynamodb", "DynamoDB_20120810", JSON_1_0)
STREAMS_PROTOCOL: Final = JsonProtocol("dynamodb", "DynamoDBStreams_20120810", JSON_1_0)
LARGE_ANSWER_S: Final = 30  # images of 1 MB of items take several


class DynamoDbWire(ServiceWire):
    """DynamoDB at one endpoint. An async context manager; may be called from many tasks of one loop."""

    def __init__(self, endpoint_url: str, **options: Unpack[WireOptions]) -> None:
        super().__init__(JsonWire(endpoint_url, service=DYNAMODB, protocol=TABLES_PROTOCOL, **options))

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Any operation, in the shapes of the JSON wire.

        Raises: SourceError with AWS' code, such as ConditionalCheckFailedException; StreamNotFound for a table that
        does not exist, code ResourceNotFoundException; AccessRefused; TransientSourceError (throttled, too).
        """
        return await self._wire.call(operation, parameters.get("TableName", ""), parameters)


class DynamoDbStreamsWire(ServiceWire):
    """The streams of the tables at one endpoint, and `tables`, an open wire to the tables themselves.

    An async context manager with connections of its own, so that changes of a lease never wait behind reads.
    Raises, from every call: StreamNotFound, AccessRefused, TransientSourceError (throttled, too), SourceError.
    """

    def __init__(self, endpoint_url: str, *, tables: DynamoDbWire, **options: Unpack[WireOptions]) -> None:
        self.tables = tables
        super().__init__(JsonWire(endpoint_url, service=DYNAMODB_STREAMS, protocol=STREAMS_PROTOCOL, **options))

    async def describe_table(self, table: str) -> dict[str, Any]:
        """`Table` of a table given by name or ARN."""
        return object_of(await self.tables.call("DescribeTable", {"TableName": table}), "Table")

    async def list_streams(self, table: str) -> list[str]:
        """The ARNs of all streams of a table, given by name, that can still be read (STR-150)."""
        arns: list[str] = []
        parameters = {"TableName": table}
        while True:
            answer = await self._wire.call("ListStreams", table, parameters)
            arns += [text_of(stream, "StreamArn") for stream in answer.get("Streams") or ()]
            last = answer.get("LastEvaluatedStreamArn")
            if last is None or last == parameters.get("ExclusiveStartStreamArn"):
                return arns
            parameters["ExclusiveStartStreamArn"] = last

    async def describe_stream(self, stream_arn: str, *, start_shard_id: str | None = None) -> dict[str, Any]:
        """One page of `StreamDescription`: up to 100 shards after `start_shard_id`, None = from the first (STR-140)."""
        parameters = {"StreamArn": stream_arn}
        if start_shard_id is not None:
            parameters["ExclusiveStartShardId"] = start_shard_id
        return object_of(await self._wire.call("DescribeStream", stream_arn, parameters), "StreamDescription")

    async def get_shard_iterator(
        self, stream_arn: str, shard_id: str, iterator_type: str, *, sequence: str | None = None
    ) -> str:
        """`sequence` for the types that want one. Raises also: ShardGone, RecordsTrimmed."""
        parameters = {"StreamArn": stream_arn, "ShardId": shard_id, "ShardIteratorType": iterator_type}
        if sequence is not None:
            parameters["SequenceNumber"] = sequence
        answer = await self._shard_call("GetShardIterator", stream_arn, parameters)
        return text_of(answer, "ShardIterator")

    async def get_records(self, stream_arn: str, iterator: str, *, limit: int) -> dict[str, Any]:
        """Up to `limit` records, 1..1,000, or 1 MB (STR-143).

        `stream_arn` is for messages only. Raises also: ShardGone, IteratorExpired, RecordsTrimmed.
        """
        parameters = {"ShardIterator": iterator, "Limit": limit}
        return await self._shard_call("GetRecords", stream_arn, parameters, transfer_s=LARGE_ANSWER_S)

    async def _shard_call(
        self, operation: str, stream_arn: str, parameters: Mapping[str, Any], transfer_s: int = 0
    ) -> dict[str, Any]:
        try:
            return await self._wire.call(operation, stream_arn, parameters, transfer_s=transfer_s)
        except ShardGone:
            # Shard or stream, the code is the same; a shard taken for gone is never read again, so make sure.
            await self.describe_stream(stream_arn)
            raise

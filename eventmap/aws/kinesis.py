"""Kinesis as the engine needs it, over the lean wire."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from eventmap.aws.services import KINESIS
from eventmap.aws.wire import JSON_1_1, JsonProtocol, JsonWire, ServiceWire, WireOptions, object_of, text_of
from eventmap.errors import ShardGone

PROTOCOL: Final = JsonProtocol("kinesis", "Kinesis_20131202", JSON_1_1)
LARGE_ANSWER_S: Final = 30  # 10 MB of records over a line of a third of a megabyte a second


class KinesisWire(ServiceWire):
    """Kinesis at one endpoint; streams are given by name or ARN. An async context manager, for many tasks of one loop.

    Raises, from every call: StreamNotFound, AccessRefused, TransientSourceError (throttled, too), SourceError.
    """

    def __init__(self, endpoint_url: str, **options: Unpack[WireOptions]) -> None:
        super().__init__(JsonWire(endpoint_url, service=KINESIS, protocol=PROTOCOL, **options))

    async def describe_stream_summary(self, stream: str) -> dict[str, Any]:
        """Its `StreamDescriptionSummary`."""
        answer = await self._wire.call("DescribeStreamSummary", stream, _named(stream))
        return object_of(answer, "StreamDescriptionSummary")

    async def list_shards(self, stream: str, *, next_token: str | None = None) -> dict[str, Any]:
        """One page of up to 1,000 shards, with a NextToken if there are more (STR-140); None asks for the first.

        A token that has expired is a TransientSourceError: list again from the first page.
        """
        # AWS refuses a stream beside a token, which names it already.
        parameters = _named(stream) if next_token is None else {"NextToken": next_token}
        return await self._wire.call("ListShards", stream, parameters)

    async def get_shard_iterator(
        self,
        stream: str,
        shard_id: str,
        iterator_type: str,
        *,
        sequence: str | None = None,
        timestamp: float | None = None,
    ) -> str:
        """`sequence` and `timestamp` (epoch seconds) for the types that want one. Raises also: ShardGone."""
        parameters: dict[str, Any] = {**_named(stream), "ShardId": shard_id, "ShardIteratorType": iterator_type}
        if sequence is not None:
            parameters["StartingSequenceNumber"] = sequence
        if timestamp is not None:
            parameters["Timestamp"] = math.floor(timestamp * 1000) / 1000  # Kinesis counts in milliseconds
        answer = await self._shard_call("GetShardIterator", stream, parameters)
        return text_of(answer, "ShardIterator")

    async def get_records(self, stream: str, iterator: str, *, limit: int) -> dict[str, Any]:
        """Up to `limit` records, 1..10,000, or 10 MB (STR-143). Raises also: ShardGone, IteratorExpired."""
        parameters: dict[str, Any] = {"ShardIterator": iterator, "Limit": limit}
        if stream.startswith("arn:"):
            parameters["StreamARN"] = stream
        return await self._shard_call("GetRecords", stream, parameters, transfer_s=LARGE_ANSWER_S)

    async def create_stream(self, name: str, shard_count: int) -> None:
        """Begin to create a stream; it can be used once its status is ACTIVE.

        Raises also: SourceError with code ResourceInUseException if it exists.
        """
        await self._wire.call("CreateStream", name, {"StreamName": name, "ShardCount": shard_count})

    async def put_records(self, stream: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Put up to 500 entries in AWS' fields, Data as base64; returns index -> error code of failures."""
        if not entries:
            return {}
        answer = await self._wire.call("PutRecords", stream, {**_named(stream), "Records": list(entries)})
        results = answer.get("Records") or []
        # An entry the answer does not mention is not confirmed, so it counts as failed.
        codes = [result.get("ErrorCode") for result in results] + ["NotConfirmed"] * (len(entries) - len(results))
        return {index: code for index, code in enumerate(codes) if code}

    async def _shard_call(
        self, operation: str, stream: str, parameters: Mapping[str, Any], transfer_s: int = 0
    ) -> dict[str, Any]:
        try:
            return await self._wire.call(operation, stream, parameters, transfer_s=transfer_s)
        except ShardGone:
            # Shard or stream, the code is the same; a shard taken for gone is never read again, so make sure.
            await self.describe_stream_summary(stream)
            raise


def _named(stream: str) -> dict[str, str]:
    """A stream by its name, and by its ARN if that is known: AWS takes both, some servers know names only."""
    if not stream.startswith("arn:"):
        return {"StreamName": stream}
    return {"StreamName": stream.rpartition(":stream/")[2], "StreamARN": stream}

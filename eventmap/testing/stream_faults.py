"""The faults of a network and of a busy service, between a caller and a stream, Kinesis' or a table's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from eventmap.errors import IteratorExpired
from eventmap.sources.dynamodb import DynamoDbStreamsApi
from eventmap.sources.kinesis import KinesisApi
from eventmap.testing.fault_dice import FaultDice

READ_CALLS: Final = frozenset({"list_shards", "list_streams", "describe_stream", "get_shard_iterator", "get_records"})


class FaultyStream:
    """A stream whose calls go wrong at the given rates, each 0..1; the same `seed` and calls give the same faults.

    - `throttle`: refused before it takes effect, TransientSourceError `ProvisionedThroughputExceededException`
    - `resets`: the connection breaks before it takes effect, TransientSourceError without a code
    - `expiries`: GetRecords finds its iterator expired, IteratorExpired
    - `lost_answers`: it takes effect, then the connection breaks
    - `slow`: it takes `slow_s` seconds longer, before it takes effect

    Only the methods named in `calls` are hit. `injected` counts the faults by the names above. It has the calls of both
    kinds of stream; one that `api` does not have raises AttributeError.
    """

    def __init__(
        self,
        api: KinesisApi | DynamoDbStreamsApi,
        *,
        seed: int,
        throttle: float = 0.0,
        lost_answers: float = 0.0,
        resets: float = 0.0,
        expiries: float = 0.0,
        slow: float = 0.0,
        slow_s: float = 1.0,
        calls: Collection[str] = READ_CALLS,
    ) -> None:
        self.api: KinesisApi | DynamoDbStreamsApi = api
        self._expiries = expiries
        self._faults = FaultDice(
            seed,
            throttle=throttle,
            lost_answers=lost_answers,
            resets=resets,
            slow=slow,
            slow_s=slow_s,
            calls=calls,
            throttle_code="ProvisionedThroughputExceededException",
        )

    @property
    def injected(self) -> Counter[str]:
        return self._faults.injected

    async def describe_stream_summary(self, stream: str) -> dict[str, Any]:
        return await self._document("describe_stream_summary", stream)

    async def list_shards(self, stream: str, *, next_token: str | None = None) -> dict[str, Any]:
        return await self._document("list_shards", stream, next_token=next_token)

    async def describe_table(self, table: str) -> dict[str, Any]:
        return await self._document("describe_table", table)

    async def list_streams(self, table: str) -> list[str]:
        arns: list[str] = await self._call("list_streams", table)
        return arns

    async def describe_stream(self, stream_arn: str, *, start_shard_id: str | None = None) -> dict[str, Any]:
        return await self._document("describe_stream", stream_arn, start_shard_id=start_shard_id)

    async def get_shard_iterator(
        self,
        stream: str,
        shard_id: str,
        iterator_type: str,
        *,
        sequence: str | None = None,
        timestamp: float | None = None,
    ) -> str:
        given = {"sequence": sequence, "timestamp": timestamp}
        options = {name: value for name, value in given.items() if value is not None}  # tables' streams know one only
        iterator: str = await self._call("get_shard_iterator", stream, shard_id, iterator_type, **options)
        return iterator

    async def get_records(self, stream: str, iterator: str, *, limit: int) -> dict[str, Any]:
        if self._faults.hits("get_records", self._expiries):
            self.injected["expiries"] += 1
            raise IteratorExpired("the shard iterator is too old", code="ExpiredIteratorException")
        return await self._document("get_records", stream, iterator, limit=limit)

    async def _document(self, name: str, *arguments: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self._call(name, *arguments, **options)
        return answer

    async def _call(self, name: str, *arguments: str, **options: Any) -> Any:
        call = getattr(self.api, name)
        return await self._faults.disturbed(name, lambda: call(*arguments, **options))

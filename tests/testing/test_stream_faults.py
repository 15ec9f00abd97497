from __future__ import annotations

import pytest

from eventmap import clock
from eventmap.errors import IteratorExpired, SourceError, TransientSourceError
from eventmap.testing import FaultyStream, MemoryDynamoDb

from .streams import kinesis, put_all, texts

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("throttle", TransientSourceError, "ProvisionedThroughputExceededException"),
        ("resets", TransientSourceError, ""),
        ("expiries", IteratorExpired, "ExpiredIteratorException"),
    ],
)
async def test_a_refused_read_never_reaches_the_stream(fault: str, error: type[SourceError], code: str) -> None:
    """Throttles, resets and expiries strike before it takes effect."""
    api = kinesis()
    api.create_stream("s")
    iterator = await api.get_shard_iterator("s", "shardId-000000000000", "TRIM_HORIZON")
    faulty = FaultyStream(api, seed=1, **{fault: 1.0})  # type: ignore[arg-type]

    with pytest.raises(error) as refused:
        await faulty.get_records("s", iterator, limit=1)

    assert refused.value.code == code
    assert (faulty.injected, api.journal.calls["GetRecords"]) == ({fault: 1}, 0)


async def test_a_lost_answer_was_a_read() -> None:
    """It counts against the limits, though nobody has the records."""
    api = kinesis()
    api.create_stream("s")
    iterator = await api.get_shard_iterator("s", "shardId-000000000000", "TRIM_HORIZON")
    faulty = FaultyStream(api, seed=1, lost_answers=1.0)

    with pytest.raises(TransientSourceError, match="connection lost"):
        await faulty.get_records("s", iterator, limit=1)

    assert api.journal.calls["GetRecords"] == 1


async def test_the_seed_decides_a_streams_faults() -> None:
    """The same seed repeats them, another one does not; unharmed answers pass through, slow ones late."""

    async def story(seed: int) -> list[object]:
        api = kinesis()
        api.create_stream("s")
        put_all(api, "s", "a")
        iterator = await api.get_shard_iterator("s", "shardId-000000000000", "TRIM_HORIZON")
        faulty = FaultyStream(
            api, seed=seed, throttle=0.2, resets=0.2, lost_answers=0.2, expiries=0.2, slow=0.2, slow_s=3
        )
        told: list[object] = []
        for _ in range(40):
            try:
                told.append(texts(await faulty.get_records("s", iterator, limit=1)))
            except SourceError as error:
                told.append(str(error))
        assert faulty.injected.keys() == {"throttle", "resets", "lost_answers", "expiries", "slow"}
        return told

    started = clock.elapsed_s()
    told = await story(1)

    assert ["a"] in told
    assert clock.elapsed_s() - started > 0
    assert await story(1) == told != await story(2)


async def test_only_the_named_calls_of_a_stream_go_wrong() -> None:
    """By default those that describe a stream or table at the start are spared."""
    api = kinesis()
    arn = api.create_stream("s")
    faulty = FaultyStream(api, seed=1, throttle=1.0)
    spared = FaultyStream(api, seed=1, throttle=1.0, expiries=1.0, calls={"list_shards"})

    summary = await faulty.describe_stream_summary("s")
    iterator = await spared.get_shard_iterator(arn, "shardId-000000000000", "AT_TIMESTAMP", timestamp=0.0)
    await spared.get_records("s", iterator, limit=1)

    assert summary["StreamARN"] == arn
    for faulted in (faulty, spared):
        with pytest.raises(TransientSourceError):
            await faulted.list_shards("s")


async def test_a_tables_stream_can_be_faulty_too() -> None:
    """All calls of the port pass through."""
    api = MemoryDynamoDb()
    arn = api.create_table("orders")
    placed = api.put_item("orders", {"id": {"S": "a"}})
    assert placed is not None
    faulty = FaultyStream(api, seed=1)

    table = await faulty.describe_table("orders")
    stream = await faulty.describe_stream(arn, start_shard_id=None)
    iterator = await faulty.get_shard_iterator(arn, placed.shard_id, "AT_SEQUENCE_NUMBER", sequence=placed.sequence)
    answer = await faulty.get_records(arn, iterator, limit=1)

    assert await faulty.list_streams("orders") == [table["LatestStreamArn"]] == [stream["StreamArn"]]
    assert len(answer["Records"]) == 1

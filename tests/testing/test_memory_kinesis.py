from __future__ import annotations

import hashlib
from typing import Any

import anyio
import pytest

from eventmap import clock
from eventmap.errors import IteratorExpired, ShardGone, SourceError, StreamNotFound, TransientSourceError
from eventmap.testing import MemoryKinesis

from .streams import kinesis, listed, put_all, texts

pytestmark = pytest.mark.virtual_time

SHARD = "shardId-000000000000"
DAY_S = 86_400


async def begin(api: MemoryKinesis, iterator_type: str = "TRIM_HORIZON", shard_id: str = SHARD, **options: Any) -> str:
    return await api.get_shard_iterator("s", shard_id, iterator_type, **options)


async def read(api: MemoryKinesis, iterator: str, limit: int = 10_000) -> dict[str, Any]:
    return await api.get_records("s", iterator, limit=limit)


async def test_str_20_141_each_position_begins_where_it_says() -> None:
    """STR-20, STR-141: horizon, latest, an instant, at and after a sequence number."""
    api = kinesis()
    api.create_stream("s")
    put_all(api, "s", "a")
    await anyio.sleep(10)
    second_at = clock.wall_time_s()
    _, second, _ = put_all(api, "s", "b", "c", "d")

    async def found(iterator_type: str, **options: Any) -> list[str]:
        return texts(await read(api, await begin(api, iterator_type, **options)))

    assert await found("TRIM_HORIZON") == ["a", "b", "c", "d"]
    assert await found("LATEST") == []
    assert await found("AT_TIMESTAMP", timestamp=second_at) == ["b", "c", "d"]
    assert await found("AT_TIMESTAMP", timestamp=second_at - 5) == ["b", "c", "d"]
    assert await found("AT_TIMESTAMP", timestamp=0.0) == ["a", "b", "c", "d"]
    assert await found("AT_SEQUENCE_NUMBER", sequence=second) == ["c", "d"]
    assert await found("AFTER_SEQUENCE_NUMBER", sequence=second) == ["d"]


async def test_str_20_latest_sees_what_comes_after_the_iterator_was_made() -> None:
    """STR-20: the position is taken when the iterator is asked for, not when it is first used."""
    api = kinesis()
    api.create_stream("s")
    put_all(api, "s", "before")
    iterator = await begin(api, "LATEST")

    put_all(api, "s", "after")

    assert texts(await read(api, iterator)) == ["after"]


@pytest.mark.parametrize(
    ("iterator_type", "options"),
    [
        ("OLDEST", {}),
        ("AT_TIMESTAMP", {}),
        ("AT_TIMESTAMP", {"timestamp": 4e9}),
        ("AFTER_SEQUENCE_NUMBER", {}),
        ("AFTER_SEQUENCE_NUMBER", {"sequence": "LATEST"}),
        ("AFTER_SEQUENCE_NUMBER", {"sequence": "12"}),
    ],
)
async def test_str_141_what_is_no_position_is_refused(iterator_type: str, options: dict[str, Any]) -> None:
    """STR-141: unknown types, missing values, instants in the future, numbers nobody gave away."""
    api = kinesis()
    api.create_stream("s")

    with pytest.raises(SourceError) as refused:
        await begin(api, iterator_type, **options)

    assert refused.value.code == "InvalidArgumentException"


async def test_str_157_numbers_grow_as_integers_and_belong_to_one_shard() -> None:
    """STR-157: text order is not number order, and another shard's or stream's number is refused."""
    api = kinesis(seed=5)
    api.create_stream("s", 2)
    api.create_stream("t")
    first, second = api.open_shards("s")
    numbers = [api.put_record("s", b"", "k", explicit_hash_key=0).sequence for _ in range(50)]
    foreign = [api.put_record("s", b"", "k", explicit_hash_key=2**127).sequence, *put_all(api, "t", "x")]

    assert sorted(numbers, key=int) == numbers
    assert sorted(numbers) != numbers
    assert {len(number) for number in numbers} == {55, 56}
    for number in foreign:
        with pytest.raises(SourceError, match=f"did not come from {first}"):
            await begin(api, "AFTER_SEQUENCE_NUMBER", first, sequence=number)
    with pytest.raises(SourceError, match=f"did not come from {second}"):
        await begin(api, "AT_SEQUENCE_NUMBER", second, sequence=numbers[0])


async def test_str_142_154_an_iterator_expires_after_five_minutes() -> None:
    """STR-142, STR-154: a new one from the last number read goes on without a gap."""
    api = kinesis()
    api.create_stream("s")
    sequence, *_ = put_all(api, "s", "a", "b")
    iterator = (await read(api, await begin(api), limit=1))["NextShardIterator"]
    await anyio.sleep(299)
    await read(api, iterator)

    await anyio.sleep(1)
    with pytest.raises(IteratorExpired) as expired:
        await read(api, iterator)

    assert expired.value.code == "ExpiredIteratorException"
    assert texts(await read(api, await begin(api, "AFTER_SEQUENCE_NUMBER", sequence=sequence))) == ["b"]


async def test_str_143_five_calls_a_second_for_each_shard() -> None:
    """STR-143: the sixth is throttled until the second is over; other shards are not concerned."""
    api = MemoryKinesis()
    api.create_stream("s", 2)
    iterators = [await begin(api, shard_id=shard_id) for shard_id in api.open_shards("s")]
    for _ in range(5):
        await read(api, iterators[0])

    with pytest.raises(TransientSourceError) as throttled:
        await read(api, iterators[0])
    await read(api, iterators[1])
    await anyio.sleep(1)
    await read(api, iterators[0])

    assert throttled.value.code == "ProvisionedThroughputExceededException"
    assert list(api.reads("s").values()) == [7, 1]
    assert (api.journal.calls["GetRecords"], api.journal.calls[throttled.value.code]) == (7, 1)


async def test_str_143_a_reader_every_fifth_of_a_second_is_never_throttled() -> None:
    """STR-143: the rate itself is within the limit, however long it is kept up."""
    api = MemoryKinesis()
    api.create_stream("s")
    iterator = await begin(api)

    for _ in range(1_000):
        iterator = (await read(api, iterator))["NextShardIterator"]
        await anyio.sleep(0.2)

    assert api.journal.calls["ProvisionedThroughputExceededException"] == 0


async def test_str_143_a_large_page_blocks_the_seconds_after_it() -> None:
    """STR-143: 2 MB a second: what a page of 8 MB took is made up for in four seconds."""
    api = MemoryKinesis()
    api.create_stream("s")
    put_all(api, "s", *["x" * 1_048_575] * 8)
    iterator = (await read(api, await begin(api)))["NextShardIterator"]
    started = clock.elapsed_s()

    refused = 0
    while True:
        try:
            await read(api, iterator)
            break
        except TransientSourceError:
            refused += 1
            await anyio.sleep(0.5)

    assert (refused, clock.elapsed_s() - started) == (8, 4.0)


async def test_str_143_a_page_has_at_most_10_000_records_and_10_mb() -> None:
    """STR-143: the smaller of both limits, and of what the caller asked for; a larger record comes alone."""
    api = kinesis()
    api.create_stream("s")
    put_all(api, "s", *["y"] * 10_001, *["x" * 1_048_575] * 12)

    sizes = []
    iterator = await begin(api)
    for limit in (10_000, 3, 1, 10_000, 10_000):
        answer = await read(api, iterator, limit)
        sizes.append(len(answer["Records"]))
        iterator = answer["NextShardIterator"]

    assert sizes == [10_000, 3, 1, 9, 0]
    for limit in (0, 10_001):
        with pytest.raises(SourceError, match="Limit is 1 to 10000"):
            await read(api, iterator, limit)


async def test_str_143_page_limit_makes_smaller_pages() -> None:
    """The option stands for a service that returns less than it was asked for."""
    api = kinesis(page_limit=2)
    api.create_stream("s")
    put_all(api, "s", "a", "b", "c")

    assert texts(await read(api, await begin(api))) == ["a", "b"]


async def test_str_144_145_a_trimmed_position_is_the_oldest_record() -> None:
    """STR-144, STR-145: after 24 hours records are gone; iterators and numbers before them fall to what is left."""
    api = kinesis()
    api.create_stream("s")
    gone, *_ = put_all(api, "s", "a", "b")
    await anyio.sleep(DAY_S - 60)
    early = await begin(api)
    put_all(api, "s", "c")

    assert texts(await read(api, early)) == ["a", "b", "c"]
    await anyio.sleep(60)
    assert texts(await read(api, early)) == ["c"]
    assert texts(await read(api, await begin(api, "AFTER_SEQUENCE_NUMBER", sequence=gone))) == ["c"]
    assert texts(api.records("s", SHARD)) == ["c"]


async def test_str_145_trim_drops_records_before_their_time() -> None:
    """A test need not wait a day."""
    api = kinesis()
    api.create_stream("s")
    iterator = await begin(api)
    put_all(api, "s", "a", "b", "c")

    api.trim("s", SHARD, keep=1)

    assert texts(await read(api, iterator)) == ["c"]


async def test_str_149_a_record_has_ten_mebibytes_with_its_key() -> None:
    """STR-149: one byte more is refused, so is a key of no or of 257 characters."""
    api = kinesis()
    api.create_stream("s")
    api.put_record("s", b"x" * (10 * 1_048_576 - 1), "k")

    for data, key in [(b"x" * (10 * 1_048_576), "k"), (b"", ""), (b"", "k" * 257)]:
        with pytest.raises(SourceError) as refused:
            api.put_record("s", data, key)
        assert refused.value.code == "ValidationException"


async def test_str_150_a_stream_tells_its_name_state_and_age() -> None:
    """STR-150: by name or ARN; a stream made anew under the same name is younger."""
    api = kinesis(retention_s=2 * DAY_S)
    arn = api.create_stream("s", 3)
    await anyio.sleep(60)
    first = await api.describe_stream_summary(arn)
    api.delete_stream("s")
    api.create_stream("s")
    api.set_status("s", "UPDATING")

    second = await api.describe_stream_summary("s")

    assert (first["StreamARN"], first["StreamName"], first["StreamStatus"]) == (arn, "s", "ACTIVE")
    assert (first["OpenShardCount"], first["RetentionPeriodHours"]) == (3, 48)
    assert second["StreamStatus"] == "UPDATING"
    assert second["StreamCreationTimestamp"] - first["StreamCreationTimestamp"] == 60


async def test_str_153_empty_pages_are_sprinkled_and_lose_nothing() -> None:
    """STR-153: an empty page has a next iterator, and says how far it is behind; the seed decides where they are."""

    async def story(seed: int) -> list[list[str]]:
        api = kinesis(seed=seed, empty_pages=0.5, page_limit=1)
        api.create_stream("s")
        put_all(api, "s", *"abcdefgh")
        await anyio.sleep(5)
        pages = []
        iterator = await begin(api)
        behind = 1
        while behind:
            answer = await read(api, iterator)
            iterator, behind = answer["NextShardIterator"], answer["MillisBehindLatest"]
            pages.append(texts(answer))
        return pages

    pages = await story(1)

    assert [text for page in pages for text in page] == list("abcdefgh")
    assert [] in pages
    assert await story(1) == pages != await story(2)


async def test_millis_behind_latest_is_the_age_of_the_page_while_there_is_more() -> None:
    """It is 0 only where nothing is left to read."""
    api = kinesis()
    api.create_stream("s")
    put_all(api, "s", "a")
    await anyio.sleep(7)
    put_all(api, "s", "b")
    await anyio.sleep(3)

    first = await read(api, await begin(api), limit=1)
    second = await read(api, first["NextShardIterator"])

    assert (first["MillisBehindLatest"], second["MillisBehindLatest"]) == (10_000, 0)


async def test_str_111_to_114_a_record_looks_as_on_the_wire() -> None:
    """STR-111 to STR-114: base64 text, and an arrival time in seconds with milliseconds."""
    api = kinesis()
    api.create_stream("s")
    await anyio.sleep(0.98765)
    _, sequence = api.put_record("s", b"\x00\xff", "key")

    [record] = (await read(api, await begin(api)))["Records"]

    assert record == {
        "SequenceNumber": sequence,
        "ApproximateArrivalTimestamp": 1_767_225_600.988,
        "Data": "AP8=",
        "PartitionKey": "key",
    }


async def test_a_reader_may_change_what_it_was_given() -> None:
    """Records come as from a wire: every answer has its own."""
    api = kinesis()
    api.create_stream("s")
    put_all(api, "s", "a")
    iterator = await begin(api)

    (await read(api, iterator))["Records"][0].clear()

    assert texts(await read(api, iterator)) == ["a"]


async def test_a_key_goes_to_the_shard_that_has_its_md5() -> None:
    """Hash ranges share out all of 2 ** 128; an explicit hash key goes before the key's own."""
    api = kinesis()
    api.create_stream("s", 7)
    shards = await listed(api, "s")

    for number in range(50):
        placed = api.put_record("s", b"", f"key-{number}")
        held = shards[placed.shard_id]["HashKeyRange"]
        digest = int(hashlib.md5(f"key-{number}".encode()).hexdigest(), 16)
        assert int(held["StartingHashKey"]) <= digest <= int(held["EndingHashKey"])

    assert api.put_record("s", b"", "k", explicit_hash_key=2**128 - 1).shard_id == api.open_shards("s")[-1]
    with pytest.raises(SourceError, match="explicit hash key"):
        api.put_record("s", b"", "k", explicit_hash_key=2**128)


async def test_what_does_not_exist_is_not_found() -> None:
    """Streams, also deleted ones, and shards; an iterator of a deleted stream is none of its successor."""
    api = kinesis()
    api.create_stream("s")
    iterator = await begin(api)

    with pytest.raises(ShardGone):
        await begin(api, shard_id="shardId-000000000007")
    api.delete_stream("s")
    for call in (read(api, iterator), begin(api), api.list_shards("s"), api.describe_stream_summary("s")):
        with pytest.raises(StreamNotFound) as missing:
            await call
        assert missing.value.code == "ResourceNotFoundException"
    api.create_stream("s")
    for foreign in (iterator, "", "a/b/c/d/e"):
        with pytest.raises(SourceError) as refused:
            await read(api, foreign)
        assert refused.value.code == "InvalidArgumentException"


async def test_every_call_lets_others_run_before_it_takes_effect() -> None:
    """What another task does meanwhile is seen; a cancelled call has no effect."""
    api = kinesis()
    api.create_stream("s")
    iterator = await begin(api)
    seen: list[str] = []

    async def look() -> None:
        seen.extend(texts(await read(api, iterator)))

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        await anyio.lowlevel.checkpoint()
        put_all(api, "s", "a")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await read(api, iterator)

    assert seen == ["a"]
    assert api.journal.calls["GetRecords"] == 1


def test_a_stream_can_be_filled_before_any_loop_runs() -> None:
    """The calls for tests are synchronous."""
    api = kinesis()
    api.create_stream("s", 2)

    placed = api.put_record("s", b"early", "k")

    assert texts(api.records("s", placed.shard_id)) == ["early"]
    for name, count in [("s", 1), ("t", 0), ("no spaces", 1)]:
        with pytest.raises(SourceError):
            api.create_stream(name, count)

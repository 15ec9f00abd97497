"""Shards that split, merge, roll over and end, as the handler sees it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.testing import FaultyStream, MemoryDynamoDb, MemoryKinesis
from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import (
    STREAM,
    Handler,
    checkpoints,
    dynamodb,
    fail_for,
    fail_times,
    kinesis,
    numbered,
    put,
    statistics,
    working,
)

pytestmark = pytest.mark.virtual_time
both = pytest.mark.parametrize("make", [kinesis, dynamodb])


def divide(api: MemoryKinesis | MemoryDynamoDb) -> None:
    """Split the first open shard."""
    api.split(STREAM, first_shard(api)) if isinstance(api, MemoryDynamoDb) else api.split_shard(
        STREAM, first_shard(api)
    )


def first_shard(api: MemoryKinesis | MemoryDynamoDb) -> str:
    return api.open_shards(STREAM)[0]


@both
async def test_str_146_151_158_a_parent_is_done_before_its_children_begin(make: Any) -> None:
    """STR-146, 151, 158: closed with records in it, it is read to its end, retries included; then both children."""
    api = make(page_limit=2)
    put(api, *numbered(10, "p"), key="same")
    divide(api)
    put(api, *numbered(10, "c"), key="same")
    put(api, *numbered(10, "d"))
    handler = Handler(seconds=0.2, then=fail_times(5))

    async with working(api, handler, batch_size=3) as service:
        await anyio.sleep(90)
        counted = statistics(service)

    assert handler.texts.index("p9") < min(handler.texts.index("c0"), handler.texts.index("d0"))
    assert [text for text in dict.fromkeys(handler.texts) if text[0] in "pc"] == [
        *numbered(10, "p"),
        *numbered(10, "c"),
    ]
    assert set(numbered(10, "d")) <= set(handler.texts)
    assert (counted.shards_ended, counted.shards, counted.done) == (1, 0, 30)


async def test_str_147_151_158_a_merged_shard_waits_for_both_parents() -> None:
    """STR-147, 151: the slow one holds the child, the other one is done meanwhile."""
    api = kinesis(shards=2)
    one, two = api.open_shards(STREAM)
    api.put_record(STREAM, b"slow", "k", explicit_hash_key=0)
    api.put_record(STREAM, b"quick", "k", explicit_hash_key=2**128 - 1)
    api.merge_shards(STREAM, one, two)
    put(api, *numbered(10))
    left = iter(range(5))

    def then(records: list[dict[str, Any]]) -> None:
        if "slow" in handler.invocations[-1].texts and next(left, None) is not None:
            raise ValueError("boom")

    handler = Handler(then=then)
    async with working(api, handler):
        await anyio.sleep(20)
        assert set(handler.texts) == {"slow", "quick"}
        await anyio.sleep(60)

    assert set(handler.texts[:7]) == {"slow", "quick"}
    assert handler.texts[7:] == numbered(10)


@both
async def test_str_151_156_many_generations_while_nobody_looked(make: Any) -> None:
    """STR-151, 156: each generation is read in its turn, from its start; order per key holds through all of them."""
    api = make()
    expected = []
    for generation in range(6):
        put(api, str(generation), key="same")
        expected.append(str(generation))
        divide(api)
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(60)

    assert handler.texts == expected


async def test_str_148_203_a_tables_shards_roll_over_day_and_night() -> None:
    """STR-148: again and again; nothing is lost or repeated, one key stays in order."""
    api = dynamodb(shard_lifetime_s=160)
    handler = Handler()

    async with working(api, handler):
        for number in range(40):
            put(api, str(number), key="same")
            await anyio.sleep(10)
        await anyio.sleep(10)

    assert handler.texts == [str(number) for number in range(40)]


@both
async def test_str_152_a_parent_that_is_gone_counts_as_finished(make: Any) -> None:
    """STR-152: trimmed away before the worker started; the child is read."""
    api = make()
    put(api, "gone")
    divide(api)
    await anyio.sleep(90_000)
    put(api, "here")
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(30)

    assert handler.texts == ["here"]


async def test_str_44_152_a_shard_that_goes_while_it_is_read_has_ended() -> None:
    """STR-44, 152: blocked until the closed shard itself is gone; its children go on."""
    api = kinesis(retention_s=3600, page_limit=1)
    put(api, "poison", "lost", key="same")
    handler = Handler(then=fail_for("poison"))

    async with working(api, handler, batch_size=1):
        await anyio.sleep(5)
        divide(api)
        await anyio.sleep(3_000)
        put(api, "child", key="same")
        await anyio.sleep(1_000)

    assert set(handler.texts) == {"poison", "child"}


@both
async def test_str_146_finished_shards_are_not_read_again(make: Any) -> None:
    """STR-146, 200: no call for a shard that has ended, and a restart does not begin it again."""
    api, leases = make(), MemoryLeaseTable()
    put(api, "a", key="same")
    handler = Handler()

    async with working(api, handler, store=leases.store_for("a")):
        await anyio.sleep(5)
        parent = first_shard(api)
        divide(api)
        put(api, "b", key="same")
        await anyio.sleep(10)
        name = STREAM if isinstance(api, MemoryKinesis) else (await api.list_streams(STREAM))[0]
        before = api.reads(name)[parent]
        await anyio.sleep(300)
        assert api.reads(name)[parent] == before
    async with working(api, handler, store=leases.store_for("b")):
        await anyio.sleep(300)
        assert api.reads(name)[parent] == before

    assert handler.texts == ["a", "b"]


async def test_str_156_a_reshard_is_seen_at_once_by_whoever_reads_the_shard() -> None:
    """STR-156: the end of a shard lists anew; children do not wait for the next minute."""
    api = kinesis()
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(20)
        divide(api)
        put(api, "child")
        await anyio.sleep(3)

    assert handler.texts == ["child"]


async def test_str_156_a_listing_that_lags_behind_loses_no_child() -> None:
    """STR-156: the parent ends seconds before the listing knows its children."""
    api = kinesis(listing_lag_s=7)
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(20)
        divide(api)
        put(api, *numbered(10))
        await anyio.sleep(30)

    assert sorted(handler.texts) == sorted(numbered(10))


@both
async def test_str_142_143_154_faults_of_the_stream_cost_time_and_nothing_else(make: Any) -> None:
    """STR-142, 143, 154: throttled, reset, expired, lost answers of reads, through a split."""
    api = make(page_limit=3)
    faulty = FaultyStream(api, seed=7, throttle=0.2, resets=0.1, lost_answers=0.1, expiries=0.1)
    handler = Handler()

    async with working(faulty, handler):
        for number in range(60):
            put(api, f"r{number}", key=f"k{number % 3}")
            if number == 30:
                divide(api)
            await anyio.sleep(1)
        await anyio.sleep(300)

    assert sorted(handler.texts) == sorted(numbered(60))
    for key in range(3):
        mine = [int(text[1:]) for text in handler.texts if int(text[1:]) % 3 == key]
        assert mine == sorted(mine)
    assert min(faulty.injected[name] for name in ("throttle", "resets", "lost_answers", "expiries")) > 0


async def test_str_150_a_table_with_a_new_stream_is_followed() -> None:
    """STR-150: disabled and enabled again, the old stream is read to its end, then the new one."""
    api = dynamodb()
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(5)
        put(api, "old", key="same")
        api.disable_stream(STREAM)
        api.enable_stream(STREAM)
        put(api, "new", key="same")
        await anyio.sleep(120)

    assert handler.texts == ["old", "new"]


@both
async def test_str_160_leases_end_at_the_tip_or_finished(make: Any) -> None:
    """STR-160, 163: what the table says after all that is what was read."""
    api, leases = make(), MemoryLeaseTable()
    put(api, "a", key="same")
    divide(api)
    [last] = put(api, "b", key="same")

    async with working(api, Handler(), store=leases.store_for("a")):
        await anyio.sleep(20)

    assert sorted(checkpoints(leases)) == sorted(["SHARD_END", "TRIM_HORIZON", last])

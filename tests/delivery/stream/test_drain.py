"""Stopping, crashing and going on: what was saved, what comes again, and what nobody may begin any more."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import (
    STREAM,
    Handler,
    checkpoints,
    crashing,
    dynamodb,
    fail,
    fail_for,
    kinesis,
    numbered,
    put,
    statistics,
    working,
)

pytestmark = pytest.mark.virtual_time
both = pytest.mark.parametrize("make", [kinesis, dynamodb])


@both
async def test_str_213_a_drain_lets_the_batch_in_flight_end(make: Any) -> None:
    """STR-213: it ends, is saved, the lease is given up, and nothing else is begun."""
    api, leases = make(), MemoryLeaseTable()
    sequences = put(api, *numbered(10))
    handler = Handler(seconds=4)

    async with working(api, handler, store=leases.store_for("a"), batch_size=2, timeout=10) as service:
        await anyio.sleep(5)
        assert await service.drain() == 0
        drained_at = elapsed_s()
        await anyio.sleep(60)

    assert handler.batches == [numbered(10)[:2], numbered(10)[2:4]]
    assert [each.ended_at for each in handler.invocations] == [4, 8]
    assert drained_at < 8.1
    assert checkpoints(leases) == [sequences[3]]
    assert [lease.owner for lease in leases.leases.values()] == [None]
    assert leases.workers == {}


async def test_str_213_an_invocation_is_abandoned_when_the_budget_is_over() -> None:
    """STR-213: what was in flight is counted, not saved, and comes again."""
    api, leases = kinesis(), MemoryLeaseTable()
    put(api, *numbered(3))
    stuck, again = Handler(seconds=1000), Handler()

    async with working(api, stuck, store=leases.store_for("a"), timeout=900, drain_budget_s=5) as service:
        await anyio.sleep(5)
        left = await service.drain()
        assert elapsed_s() <= 13

    assert left == 3
    assert checkpoints(leases) == ["TRIM_HORIZON"]
    async with working(api, again, store=leases.store_for("b")):
        await anyio.sleep(1)
    assert again.batches == [numbered(3)]


async def test_str_213_210_a_drain_does_not_wait_for_a_retry() -> None:
    """STR-213: while a failed batch waits for its next attempt a drain is over at once, and the batch comes again."""
    api, leases = kinesis(), MemoryLeaseTable()
    put(api, "poison")
    handler, again = Handler(then=fail), Handler()

    async with working(api, handler, store=leases.store_for("a")) as service:
        await anyio.sleep(40)
        began = elapsed_s()
        await service.drain()
        assert elapsed_s() - began < 0.5
    async with working(api, again, store=leases.store_for("b")):
        await anyio.sleep(1)

    assert again.texts == ["poison"]


async def test_str_213_34_a_drain_does_not_wait_for_a_slot() -> None:
    """STR-213: a batch that waits for the function is not begun any more."""
    api, leases = kinesis(shards=2), MemoryLeaseTable()
    put(api, *numbered(20))
    handler = Handler(seconds=2)

    async with working(api, handler, store=leases.store_for("a"), concurrency=1) as service:
        await anyio.sleep(1)
        await service.drain()

    assert len(handler.invocations) == 1


async def test_str_213_a_drain_does_not_wait_for_a_window_or_for_its_records() -> None:
    """STR-213: records that are gathered for a batch are left to the next reader."""
    api, leases = kinesis(), MemoryLeaseTable()
    put(api, *numbered(3))
    handler, again = Handler(), Handler()

    async with working(api, handler, store=leases.store_for("a"), maximum_batching_window_in_seconds=300) as service:
        await anyio.sleep(5)
        began = elapsed_s()
        await service.drain()
        assert elapsed_s() - began < 0.5
    async with working(api, again, store=leases.store_for("b")):
        await anyio.sleep(1)

    assert (handler.texts, again.texts) == ([], numbered(3))


@both
async def test_str_36_199_what_was_disabled_resumes_at_its_checkpoint(make: Any) -> None:
    """STR-36, 199: stopped and started again, with the stream growing meanwhile."""
    api, leases, handler = make(), MemoryLeaseTable(), Handler()
    for life in range(4):
        put(api, *numbered(5, f"{life}-"))
        async with working(api, handler, store=leases.store_for(str(life))):
            await anyio.sleep(3)
        await anyio.sleep(1000)

    assert handler.texts == [text for life in range(4) for text in numbered(5, f"{life}-")]


async def test_str_13_a_disabled_mapping_is_not_read() -> None:
    """STR-13: declared, not polled."""
    api = kinesis()
    put(api, "a")
    handler = Handler()

    async with working(api, handler, enabled=False):
        await anyio.sleep(60)

    assert (handler.invocations, dict(api.reads(STREAM))) == ([], {})


@both
async def test_str_201_a_crash_repeats_what_was_not_saved_and_nothing_else(make: Any) -> None:
    """STR-201: done batches are saved while the next one runs; that one comes again, whole and in order."""
    api, leases = make(), MemoryLeaseTable()
    sequences = put(api, *numbered(9))
    slow, again = Handler(seconds=2), Handler()

    async with crashing(api, slow, leases=leases, batch_size=3, timeout=10):
        await anyio.sleep(5)
    assert checkpoints(leases) == [sequences[5]]
    assert [lease.owner is None for lease in leases.leases.values()] == [False]
    async with working(api, again, store=leases.store_for("b"), batch_size=3):
        await anyio.sleep(15)

    assert slow.batches == [numbered(9)[:3], numbered(9)[3:6], numbered(9)[6:]]
    assert again.batches == [numbered(9)[6:]]


@both
async def test_str_20_201_latest_means_the_moment_the_mapping_started(make: Any) -> None:
    """STR-20, 201: a crash before the first checkpoint loses nothing that arrived since the start."""
    api, leases = make(), MemoryLeaseTable()
    put(api, "before")
    await anyio.sleep(100)
    first, second, third = Handler(then=fail), Handler(then=fail), Handler()

    async with crashing(api, first, leases=leases, starting_position="LATEST"):
        await anyio.sleep(10)
        put(api, "a")
        await anyio.sleep(10)
    put(api, "b")
    async with crashing(api, second, leases=leases, starting_position="LATEST"):
        await anyio.sleep(20)
    put(api, "c")
    async with working(api, third, store=leases.store_for("c"), starting_position="LATEST"):
        await anyio.sleep(20)

    assert (set(first.texts), set(second.texts)) == ({"a"}, {"a", "b"})
    assert third.texts == ["a", "b", "c"]


@both
async def test_str_20_201_latest_holds_while_nothing_came(make: Any) -> None:
    """STR-20, 201: several restarts on an idle shard do not move the start."""
    api, leases = make(), MemoryLeaseTable()
    for _ in range(3):
        async with working(api, Handler(), store=leases.store_for("x"), starting_position="LATEST"):
            await anyio.sleep(10)
    put(api, "while nobody read")
    handler = Handler()

    async with working(api, handler, store=leases.store_for("y"), starting_position="LATEST"):
        await anyio.sleep(10)

    assert handler.texts == ["while nobody read"]


async def test_str_198_199_a_store_that_is_away_for_a_while_stops_nobody() -> None:
    """STR-199: batches do not wait for checkpoints; they are saved when the store is back."""
    api, leases = kinesis(), MemoryLeaseTable()
    store = leases.store_for("a")
    handler = Handler()

    async with working(api, handler, store=store):
        await anyio.sleep(5)
        store.is_reachable = False
        put(api, "a")
        await anyio.sleep(1)
        [last] = put(api, "b")
        await anyio.sleep(3)
        assert (handler.texts, checkpoints(leases)) == (["a", "b"], ["TRIM_HORIZON"])
        store.is_reachable = True
        await anyio.sleep(3)
        assert checkpoints(leases) == [last]

    assert handler.texts == ["a", "b"]


async def test_str_198_a_lease_that_cannot_be_renewed_ends_the_work_under_it() -> None:
    """STR-198: cut off for longer than it lives, the invocation is cancelled; nothing is begun until it is back."""
    api, leases = kinesis(), MemoryLeaseTable()
    put(api, *numbered(4))
    store = leases.store_for("a")
    handler = Handler(seconds=30)

    async with working(api, handler, store=store, batch_size=2, timeout=60) as service:
        await anyio.sleep(5)
        store.is_reachable = False
        await anyio.sleep(12)
        assert handler.running == 0
        counted = statistics(service)
        assert (counted.in_flight, counted.leases_lost, counted.abandoned) == (0, 1, 2)
        store.is_reachable = True
        handler.seconds = 0
        await anyio.sleep(20)

    assert handler.batches == [numbered(4)[:2], numbered(4)[:2], numbered(4)[2:]]


@both
async def test_str_201_a_second_worker_takes_over_what_a_dead_one_left(make: Any) -> None:
    """STR-201, 192: read again within 12 s of the crash; what the first one saved is not repeated."""
    api, leases = make(shards=4), MemoryLeaseTable()
    one, two = Handler(), Handler()

    async with working(api, two, store=leases.store_for("two")):
        async with crashing(api, one, leases=leases):
            await anyio.sleep(15)
            put(api, *numbered(40))
            await anyio.sleep(3)
            handled = {*one.texts, *two.texts}
            assert one.texts
            crashed_at = elapsed_s()
        put(api, *numbered(40, "s"))
        await anyio.sleep(20)

    assert handled == set(numbered(40))
    assert set(numbered(40, "s")) <= set(two.texts)
    assert max(two.times) <= crashed_at + 12
    assert len(two.texts) == len(set(two.texts))
    assert not set(one.texts) & set(two.texts)


async def test_str_213_a_worker_that_leaves_hands_its_shards_over_at_once() -> None:
    """STR-213: elsewhere within a second, without a record twice or left out."""
    api, leases = kinesis(shards=4), MemoryLeaseTable()
    one, two = Handler(), Handler()

    async with working(api, two, store=leases.store_for("two")):
        async with working(api, one, store=leases.store_for("one")):
            await anyio.sleep(15)
            put(api, *numbered(40))
            await anyio.sleep(3)
        put(api, *numbered(40, "s"))
        began = elapsed_s()
        await anyio.sleep(10)

    assert one.texts
    assert sorted([*one.texts, *two.texts]) == sorted([*numbered(40), *numbered(40, "s")])
    assert max(two.times) <= began + 2


async def test_several_mappings_of_one_service_do_not_disturb_each_other() -> None:
    """Two services on one stream, each with leases of its own, both see everything."""
    api = kinesis(shards=2)
    put(api, *numbered(20))
    good, bad = Handler(), Handler(then=fail_for("r3"))

    async with working(api, good), working(api, bad):
        await anyio.sleep(20)

    assert sorted(good.texts) == sorted(numbered(20))
    assert "r3" in bad.texts

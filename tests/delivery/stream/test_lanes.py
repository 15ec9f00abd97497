"""A parallelised shard: several batches at once, each key in order, one checkpoint."""

from __future__ import annotations

import itertools
from typing import Any

import anyio
import pytest

from eventmap.rules.stream import lane_of
from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import (
    REPORTS,
    Destination,
    Handler,
    checkpoints,
    crashing,
    dynamodb,
    fail_for,
    kinesis,
    numbered,
    put,
    report,
    statistics,
    working,
)

pytestmark = pytest.mark.virtual_time
both = pytest.mark.parametrize("make", [kinesis, dynamodb])


def keys_of_lanes(factor: int) -> list[str]:
    """One Kinesis partition key of each lane."""
    found: dict[int, str] = {}
    for number in itertools.count():
        found.setdefault(lane_of(f"k{number}", factor), f"k{number}")
        if len(found) == factor:
            return [found[lane] for lane in range(factor)]
    raise AssertionError


@both
@pytest.mark.parametrize("factor", [1, 2, 10])
async def test_str_30_so_many_batches_of_one_shard_run_at_once(make: Any, factor: int) -> None:
    """STR-30: up to the factor, and no more."""
    api = make()
    put(api, *numbered(200))
    handler = Handler(seconds=1)

    async with working(api, handler, parallelization_factor=factor, batch_size=5, concurrency=20):
        await anyio.sleep(100)

    assert sorted(handler.texts) == sorted(numbered(200))
    assert handler.most_running == factor


@both
async def test_str_30_one_key_keeps_its_order(make: Any) -> None:
    """STR-30: whatever else of the shard runs beside it."""
    api = make(page_limit=7)
    for number in range(300):
        put(api, f"{number}", key=f"k{number % 9}")
    handler = Handler(seconds=0.3)

    async with working(api, handler, parallelization_factor=5, batch_size=4, concurrency=20):
        await anyio.sleep(120)

    for key in range(9):
        mine = [int(text) for text in handler.texts if int(text) % 9 == key]
        assert mine == list(range(key, 300, 9))


async def test_str_31_a_blocked_lane_does_not_block_the_others() -> None:
    """STR-31: retries are a lane's own; the others go on for ten thousand records beyond it."""
    api = kinesis(shard_limit_calls_per_s=None)
    poison, free = keys_of_lanes(2)
    put(api, "poison", key=poison)
    for number in range(12_000):
        put(api, f"r{number}", key=free)
    handler = Handler(then=fail_for("poison"))

    async with working(api, handler, parallelization_factor=2, batch_size=1000) as service:
        await anyio.sleep(60)
        counted = statistics(service)

        assert 9_000 <= counted.done < 12_000
    assert handler.texts.count("poison") >= 6


@both
async def test_str_31_73_201_the_checkpoint_waits_for_the_slowest_lane(make: Any) -> None:
    """STR-31, 73, 201: it stands before the record in flight; after a crash all above it comes again, in order."""
    api, leases = make(), MemoryLeaseTable()
    sequences = put(api, *numbered(50))
    slow = Handler()

    async def handle(event: dict[str, Any], context: Any) -> object:
        await slow(event, context)
        if "r20" in slow.invocations[-1].texts:
            await anyio.sleep(500)
        return None

    async with crashing(
        api, handle, leases=leases, parallelization_factor=10, batch_size=1, timeout=900, concurrency=20
    ):
        await anyio.sleep(10)
        assert checkpoints(leases) == [sequences[19]]

    again = Handler()
    async with working(api, again, store=leases.store_for("b"), parallelization_factor=10):
        await anyio.sleep(30)

    assert sorted(again.texts) == sorted(numbered(50)[20:])
    assert checkpoints(leases) == [sequences[-1]]


@both
async def test_str_31_45_73_item_failures_hold_per_lane(make: Any) -> None:
    """STR-31, 45, 73: a lane retries from its own lowest failure; a record given up there holds nobody up."""
    api, leases, reports = make(), MemoryLeaseTable(), Destination()
    sequences = put(api, *numbered(60))
    handler = Handler(then=report("r7", "r31"))

    async with working(
        api,
        handler,
        store=leases.store_for("a"),
        reports=reports,
        parallelization_factor=4,
        maximum_retry_attempts=2,
        bisect_batch_on_function_error=True,
        **REPORTS,
    ) as service:
        await anyio.sleep(60)
        counted = statistics(service)

    assert set(handler.texts) == set(numbered(60))
    assert [batch for _, _, batch in reports.conditions] == [1, 1]
    assert (counted.done, counted.discarded, counted.in_flight) == (58, 2, 0)
    assert checkpoints(leases) == [sequences[-1]]


async def test_str_213_what_is_left_of_a_parallelised_shard_is_counted_once() -> None:
    """A drain that leaves a blocked lane behind counts just what is not done, and the counters end at nothing."""
    api = kinesis()
    poison, free = keys_of_lanes(2)
    put(api, "poison", key=poison)
    for number in range(10):
        put(api, f"r{number}", key=free)
    handler = Handler(then=fail_for("poison"))

    async with working(api, handler, parallelization_factor=2) as service:
        await anyio.sleep(2.5)
        counted = statistics(service)
        assert counted.in_flight == 1
        assert await service.drain() == 0

    assert (counted.in_flight, counted.running, counted.shards) == (0, 0, 0)


async def test_until_caught_up_waits_for_the_slowest_lane() -> None:
    """`until_caught_up`: a later record that is done says nothing of an earlier one that is not."""
    api = kinesis()
    slow_key, quick_key = keys_of_lanes(2)
    put(api, "slow", key=slow_key)

    async def handle(event: dict[str, Any], context: Any) -> object:
        await handler(event, context)
        if "slow" in handler.invocations[-1].texts:
            await anyio.sleep(50)
            ended.append(anyio.current_time())
        return None

    handler, ended = Handler(), list[float]()
    async with working(api, handle, parallelization_factor=2, timeout=100) as service:
        await anyio.sleep(5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(service.until_caught_up)
            await anyio.sleep(5)
            put(api, "slow", key=slow_key)  # behind the first one, and later than what was asked for
            put(api, "quick", key=quick_key)
        caught_up_at = anyio.current_time()

    assert ended[0] <= caught_up_at < ended[0] + 1


@both
async def test_until_caught_up_waits_for_records_of_the_same_instant(make: Any) -> None:
    """`until_caught_up`: arrival times are shared, so one of them done does not mean all."""
    api = make(page_limit=1)
    put(api, *numbered(5))
    handler = Handler(seconds=2)

    async with working(api, handler, batch_size=1) as service:
        await service.until_caught_up()

        assert statistics(service).done == 5

"""Several workers with one lease table: each run once, whatever the table's answers do."""

from __future__ import annotations

import random
from collections import Counter

import anyio
import pytest

from eventmap.delivery.schedule.clockwork import Clockwork
from eventmap.state.positions_fleet import FleetPositions
from eventmap.testing.memory_leases import MemoryLeaseTable
from tests.delivery.schedule.scene import Scene

pytestmark = pytest.mark.virtual_time

MINUTE, HOUR = 60, 3600
FAILOVER_S = 10.0
EXPRESSIONS = ("rate(1 minute)", "rate(7 minutes)", "cron(0/5 * * * ? *)", "cron(0 1,3 * * ? *)")


def clockwork(scene: Scene, table: MemoryLeaseTable, worker: str, seed: int, **faults: float) -> Clockwork:
    store = table.store_for(worker, seed=seed, **faults)  # type: ignore[arg-type]
    positions = FleetPositions(store, worker, dice=random.Random(f"{worker}{seed}"), failover_s=FAILOVER_S)
    timed = [scene.timed(expression, f"job-{number}") for number, expression in enumerate(EXPRESSIONS)]
    return Clockwork(timed, positions, dice=random.Random(f"{worker}{seed}"))


@pytest.mark.parametrize("workers", [2, 5])
async def test_each_run_is_begun_once_per_fleet(workers: int) -> None:
    """Exactly once while nobody crashes and no answer is lost; the work is shared."""
    scenes = [Scene() for _ in range(workers)]
    table = MemoryLeaseTable()
    async with anyio.create_task_group() as tasks:
        for number, scene in enumerate(scenes):
            tasks.start_soon(clockwork(scene, table, f"w{number}", 1, delay_s=0.2).run)
            await anyio.sleep(0.5)
        await anyio.sleep(4 * HOUR)
        tasks.cancel_scope.cancel()

    begun = Counter(request_id for scene in scenes for request_id in scene.request_ids)
    assert set(begun.values()) == {1}
    assert len(begun) == 240 + 34 + 48 + 2
    assert all(scene.request_ids for scene in scenes)
    assert all(began - time < 2 for scene in scenes for time, began in scene.fired)


@pytest.mark.parametrize("seed", range(10))
async def test_no_run_is_lost_when_workers_crash_and_answers_get_lost(seed: int) -> None:
    """What is begun twice has one request id, and is rare: a crash in the middle of a run, or a lost record."""
    dice = random.Random(seed)
    scenes: list[Scene] = []
    table = MemoryLeaseTable()

    async def lives(name: str) -> None:
        """One machine, whose process crashes now and then."""
        for life in range(20):
            scene = Scene()
            scene.takes_s = 0.05
            scenes.append(scene)
            with anyio.move_on_after(dice.uniform(5, 20) * MINUTE):
                faults = {"lost_answers": 0.02, "throttle": 0.05, "delay_s": 0.1}
                await clockwork(scene, table, f"{name}-{life}", seed, **faults).run()
            await anyio.sleep(dice.uniform(0, 5))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lives, "a")
        tasks.start_soon(lives, "b")
        await anyio.sleep(3 * HOUR)
        tasks.cancel_scope.cancel()

    begun = Counter(request_id for scene in scenes for request_id in scene.request_ids)
    times = {time for scene in scenes for time in scene.times}
    assert {minute * MINUTE for minute in range(1, 180)} <= times | {time - 1 for time in times}
    assert sum(begun.values()) - len(begun) <= 0.05 * len(begun)
    assert all(began - time <= 2 * FAILOVER_S + 5 for scene in scenes for time, began in scene.fired)


async def test_a_run_of_a_dead_worker_is_begun_by_another() -> None:
    """After the failover, under the same request id, though the dead one may have begun it."""
    dying, other = Scene(), Scene()
    table = MemoryLeaseTable()
    dying.takes_s = 100  # it dies in the middle
    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as first:
            first.start_soon(clockwork(dying, table, "dying", 1).run)
            await anyio.sleep(MINUTE + 1)
            tasks.start_soon(clockwork(other, table, "other", 1).run)
            await anyio.sleep(1)
            first.cancel_scope.cancel()
        await anyio.sleep(MINUTE)
        tasks.cancel_scope.cancel()

    [(time, began)] = [fired for fired in other.fired if fired[0] == MINUTE]
    assert (time, began) == (MINUTE, pytest.approx(MINUTE + 1 + FAILOVER_S, abs=1))
    assert dying.fired == []

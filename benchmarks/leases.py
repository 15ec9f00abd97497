"""Leases: how soon shards are read after workers come and go, and what the table is asked for; on virtual time."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Literal

import anyio
from anyio.abc import TaskGroup

from benchmarks.figure import AtMost, Figure
from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.delivery.stream.coordinator import LeaseCoordinator
from eventmap.delivery.stream.held_lease import HeldLease
from eventmap.delivery.stream.ports import ShardReader
from eventmap.rules.leases import LeaseSettings
from eventmap.shard import Position, Shard
from eventmap.testing import run_in_virtual_time
from eventmap.testing.memory_leases import MemoryLeaseTable

_ANSWER_S = 0.01  # each way, at most
_FLEET_START_S = 2.0  # within which the workers of a fleet start
_KCL_RENEW_S, _KCL_SCAN_S = 3.308, 20.05  # STR-182, STR-183
_PAGE_LEASES = 2_500  # of one scan


def measure(*, quick: bool) -> list[Figure]:
    rounds = 1 if quick else 5
    workers, shards = (10, 200) if quick else (100, 10_000)
    each = [run_in_virtual_time(_small, number) for number in range(rounds)]
    killed_at_3 = tuple(run_in_virtual_time(_killed, number, 3.0) for number in range(rounds))
    balanced_s, moved, idle = run_in_virtual_time(_fleet, workers, shards, False)
    *_, busy = run_in_virtual_time(_fleet, 5, 50, True)
    kcl = _kcl_calls(workers, shards)
    return [
        _figure("first worker reads all of 8 shards", "s", 2, *(one[0] for one in each), alone="KCL 117 s"),
        _figure("second worker has its half", "s", 10, *(one[1] for one in each), alone="KCL 34 s"),
        _figure("SIGKILL until read again, failover 10 s", "s", 12, *(one[2] for one in each), alone="KCL 51–142 s"),
        _figure("the same, failover 3 s", "s", 4, *killed_at_3),
        _figure("drain until all is read elsewhere", "s", 1, *(one[3] for one in each)),
        _figure(f"{workers} workers × {shards:,} shards: even", "s", 20, balanced_s),
        _figure("the same: readings begun in the 20 s after", "", 0, moved),
        _figure("the same: calls per shard and minute, idle", "calls", kcl, idle, alone=f"KCL {kcl:.1f}"),
        _figure("busy shards: renewals per shard and minute", "calls", 0, busy, alone="KCL 18.1"),
    ]


def _figure(name: str, unit: str, target: float, *rounds: float, alone: str = "") -> Figure:
    return Figure(benchmark="leases", name=name, unit=unit, rounds=rounds, target=AtMost(target), ceiling=alone)


def _kcl_calls(workers: int, shards: int) -> float:
    """Per shard and minute, its leader's not counted: renewals, and each worker's scans."""
    return 60 / _KCL_RENEW_S + 60 / _KCL_SCAN_S * _pages(shards) * workers / shards


class _Listed:
    """A stream that never changes."""

    arn = "arn:aws:kinesis:us-east-1:1:stream/s"
    idle_interval_s = 1.0
    busy_interval_s = 0.2
    bytes_per_s = math.inf

    def __init__(self, count: int) -> None:
        self._shards = tuple(Shard(f"shardId-{number:012}") for number in range(count))

    async def shards(self, *, fresh: bool = False) -> tuple[Shard, ...]:
        return self._shards

    def reader(self, shard_id: str, position: Position) -> ShardReader:
        raise AssertionError("nothing is read here")


class _Fleet:
    def __init__(self, tasks: TaskGroup, shards: int, *, failover_s: float = 10.0, batch_s: float = 1.0) -> None:
        self.table = MemoryLeaseTable()
        self.readers: dict[str, str] = {}
        self.begun = 0
        self._tasks = tasks
        self._source = _Listed(shards)
        self._settings = LeaseSettings(failover_s)
        self._batch_s = batch_s
        self._scopes: dict[str, anyio.CancelScope] = {}

    def begin(self, worker: str, seed: int) -> LeaseCoordinator:
        async def read(held: HeldLease) -> Literal["ended", "left"]:
            self.readers[held.lease.key] = worker
            self.begun += 1
            try:
                await self._batches(held)
            finally:
                del self.readers[held.lease.key]
            return "left"

        async def run() -> None:
            with self._scopes.setdefault(worker, anyio.CancelScope()):
                await coordinator.run()

        coordinator = LeaseCoordinator(
            self._source,
            self.table.store_for(worker, seed=seed, delay_s=_ANSWER_S),
            worker=worker,
            starting_position="TRIM_HORIZON",
            stream=self._source.arn,
            settings=self._settings,
            read_shard=read,
            log=telemetry.logger("eventmap.benchmarks"),
            dice=random.Random(f"{seed}/{worker}"),
        )
        self._tasks.start_soon(run)
        return coordinator

    async def _batches(self, held: HeldLease) -> None:
        done = 0
        while not held.leaving.is_set():
            with anyio.move_on_after(self._batch_s):
                await held.leaving.wait()
            done += 1
            await held.checkpoint(str(done))

    def kill(self, worker: str) -> None:
        self._scopes[worker].cancel()

    def sizes(self) -> Counter[str]:
        return Counter(self.readers.values())

    async def until(self, reached: Callable[[Counter[str]], bool]) -> float:
        """Returns the seconds it took; fails after a hundred."""
        began_s = elapsed_s()
        with anyio.fail_after(100):
            while not reached(self.sizes()):
                await anyio.sleep(0.05)
        return elapsed_s() - began_s


async def _small(seed: int) -> tuple[float, float, float, float]:
    """(first worker, second worker, one killed, one drained), seconds until its shards are read."""
    async with anyio.create_task_group() as tasks:
        fleet = _Fleet(tasks, 8)
        fleet.begin("w1", seed)
        first = await fleet.until(lambda sizes: sizes["w1"] == 8)
        await anyio.sleep(30 + seed * 0.73)
        fleet.begin("w2", seed)
        second = await fleet.until(lambda sizes: sizes["w1"] == sizes["w2"] == 4)
        await anyio.sleep(30 + seed * 0.73)
        fleet.kill("w1")
        killed = await fleet.until(lambda sizes: sizes["w2"] == 8)
        third = fleet.begin("w3", seed)
        await anyio.sleep(30 + seed * 0.73)
        tasks.start_soon(third.drain, 10)
        drained = await fleet.until(lambda sizes: sizes["w2"] == 8)
        tasks.cancel_scope.cancel()
    return first, second, killed, drained


async def _killed(seed: int, failover_s: float) -> float:
    async with anyio.create_task_group() as tasks:
        fleet = _Fleet(tasks, 8, failover_s=failover_s)
        fleet.begin("w1", seed)
        fleet.begin("w2", seed)
        await anyio.sleep(30 + seed * 0.73)
        fleet.kill("w1")
        took = await fleet.until(lambda sizes: sizes["w2"] == 8)
        tasks.cancel_scope.cancel()
    return took


async def _fleet(workers: int, shards: int, is_busy: bool) -> tuple[float, float, float]:
    """(seconds until shares are even, readings begun in 20 s after, calls per shard and minute then).

    All calls when idle; when busy, with a checkpoint every second, the renewals alone.
    """
    dice = random.Random(1)
    async with anyio.create_task_group() as tasks:
        fleet = _Fleet(tasks, shards, batch_s=1.0 if is_busy else 1e6)

        async def begin(worker: str, after_s: float) -> None:
            await anyio.sleep(after_s)
            fleet.begin(worker, 1)

        for number in range(workers):
            tasks.start_soon(begin, f"w{number:03}", dice.uniform(0, _FLEET_START_S))
        least, most = shards // workers, -(-shards // workers)
        even_s = await fleet.until(
            lambda sizes: len(sizes) == workers and least <= min(sizes.values()) and max(sizes.values()) <= most
        )
        await anyio.sleep(10)
        begun, calls = fleet.begun, Counter(fleet.table.calls)
        await anyio.sleep(20)
        calls = fleet.table.calls - calls
        counted = calls["renew"] if is_busy else calls.total() + (_pages(shards) - 1) * calls["scan"]
        moved = fleet.begun - begun
        tasks.cancel_scope.cancel()
    return even_s, moved, counted / shards * 3


def _pages(shards: int) -> int:
    return max(1, -(-shards // _PAGE_LEASES))

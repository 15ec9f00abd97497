"""A fleet of workers over one lease table: who reads which shard, from when to when."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import anyio
from anyio.abc import TaskGroup

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.delivery.stream.coordinator import LeaseCoordinator
from eventmap.delivery.stream.held_lease import HeldLease
from eventmap.delivery.stream.ports import ShardReader
from eventmap.errors import TransientSourceError
from eventmap.lease import Lease
from eventmap.rules.leases import LeaseSettings
from eventmap.shard import Position, Shard
from eventmap.testing.memory_leases import MemoryLeases, MemoryLeaseTable

STREAM = "arn:aws:kinesis:us-east-1:1:stream/s"


class ListedStream:
    """A stream of which only the list of shards is needed."""

    arn = STREAM
    idle_interval_s = 1.0
    busy_interval_s = 0.2
    bytes_per_s = math.inf

    def __init__(self, *shards: Shard) -> None:
        self.listed = list(shards)
        self.is_reachable = True
        self.listings = 0

    async def shards(self, *, fresh: bool = False) -> tuple[Shard, ...]:
        self.listings += 1
        if not self.is_reachable:
            raise TransientSourceError("the stream cannot be reached")
        return tuple(self.listed)

    def reader(self, shard_id: str, position: Position) -> ShardReader:
        raise AssertionError("nothing is read here")

    def reshard(self, parents: str, children: str) -> None:
        """Close the parents, one letter each, and open the children."""
        self.listed = [replace(each, is_open=each.is_open and each.shard_id not in parents) for each in self.listed]
        self.listed += [Shard(child, tuple(parents)) for child in children]


@dataclass
class Reading:
    """One stretch of reading, on the loop's clock."""

    worker: str
    key: str
    start: str  #: the checkpoint it began at
    began: float
    ended: float | None = None


@dataclass
class Fleet:
    """Workers over one table; what each read, and when."""

    stream: ListedStream
    tasks: TaskGroup
    table: MemoryLeaseTable = field(default_factory=MemoryLeaseTable)
    settings: LeaseSettings = field(default_factory=LeaseSettings)
    start: str = "TRIM_HORIZON"
    batch_s: float = 0.2
    prefix: str = ""
    slow: dict[str, float] = field(default_factory=dict)  #: seconds a batch of this shard takes
    readings: list[Reading] = field(default_factory=list)
    written: list[tuple[str, str, int]] = field(default_factory=list)  #: (key, worker, checkpoint), as confirmed
    coordinators: dict[str, LeaseCoordinator] = field(default_factory=dict)
    stores: dict[str, MemoryLeases] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  #: keys whose reading raises
    _scopes: dict[str, anyio.CancelScope] = field(default_factory=dict)

    def coordinator(self, worker: str, **faults: float) -> LeaseCoordinator:
        self.stores[worker] = self.table.store_for(worker, **faults)  # type: ignore[arg-type]
        coordinator = LeaseCoordinator(
            self.stream,
            self.stores[worker],
            worker=worker,
            starting_position=self.start,
            stream=STREAM,
            prefix=self.prefix,
            settings=self.settings,
            read_shard=lambda held: self._read(worker, held),
            log=telemetry.logger("eventmap.delivery"),
            dice=random.Random(worker),
        )
        self.coordinators[worker] = coordinator
        return coordinator

    def begin(self, worker: str, **faults: float) -> LeaseCoordinator:
        coordinator = self.coordinator(worker, **faults)
        scope = self._scopes[worker] = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await coordinator.run()

        self.tasks.start_soon(run)
        return coordinator

    def kill(self, worker: str) -> None:
        """As SIGKILL does: nothing is given up."""
        self._scopes[worker].cancel()

    async def _read(self, worker: str, held: HeldLease) -> Literal["ended", "left"]:
        key, start = held.lease.key, held.lease.checkpoint
        reading = Reading(worker, key, start, elapsed_s())
        self.readings.append(reading)
        done = int(start) if start.isdigit() else 0
        try:
            while not held.leaving.is_set():
                if key in self.broken:
                    raise ValueError("a record nobody expected")
                await anyio.sleep(self.slow.get(key, self.batch_s))
                done += 1
                await held.checkpoint(str(done))
                self.written.append((key, worker, done))
                if not self.shard(held.lease.shard_id).is_open:
                    return "ended"
            return "left"
        finally:
            reading.ended = elapsed_s()

    def shard(self, shard_id: str) -> Shard:
        return next(each for each in self.stream.listed if each.shard_id == shard_id)

    def readers(self) -> dict[str, str]:
        """Who reads what at this moment."""
        return {reading.key: reading.worker for reading in self.readings if reading.ended is None}

    def sizes(self) -> dict[str, int]:
        """How many shards each reads at this moment."""
        workers = list(self.readers().values())
        return {worker: workers.count(worker) for worker in workers}

    def first(self, key: str) -> float:
        """When it was first read, by anybody."""
        return min(each.began for each in self.readings if each.key == key)

    def overlaps(self) -> list[tuple[Reading, Reading]]:
        """Pairs of stretches in which two workers read one shard at the same time."""
        return [
            (one, other)
            for one in self.readings
            for other in self.readings
            if one.key == other.key and one.began < other.began
            if one.ended is None or other.began < one.ended
        ]

    def checkpoints(self, key: str) -> list[int]:
        return [checkpoint for each, _, checkpoint in self.written if each == key]

    def edit(self, key: str, **fields: object) -> Lease:
        """Change a lease as a foreign worker does, counter + 1."""
        before = self.table.leases[key]
        after = replace(before, counter=before.counter + 1, **fields)  # type: ignore[arg-type]
        self.table.put(after)
        return after


@asynccontextmanager
async def fleet(shards: str | tuple[Shard, ...] = "abcd", **settings: object) -> AsyncIterator[Fleet]:
    async with anyio.create_task_group() as tasks:
        made = tuple(map(Shard, shards)) if isinstance(shards, str) else shards
        yield Fleet(ListedStream(*made), tasks, **settings)  # type: ignore[arg-type]
        tasks.cancel_scope.cancel()


async def until(what: Callable[[], bool], within_s: float = 100.0) -> float:
    """Wait for it; returns how long that took."""
    began = elapsed_s()
    with anyio.fail_after(within_s):
        while not what():
            await anyio.sleep(0.01)
    return elapsed_s() - began

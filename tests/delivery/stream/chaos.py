"""One random history of a stream and its workers, by seed: what is written, fails, breaks, and who crashes when."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from eventmap.errors import EventmapError, TransientSourceError
from eventmap.lease import Lease, checkpoint_rank
from eventmap.model import JsonObject
from eventmap.service import Running
from eventmap.testing import FaultyStream, MemoryDynamoDb, MemoryKinesis
from eventmap.testing.memory_leases import MemoryLeases, MemoryLeaseTable
from eventmap.testing.virtual_time import START_WALL_TIME_S

from .scene import (
    REPORTS,
    STREAM,
    Destination,
    Machine,
    RawRecord,
    dynamodb,
    failures,
    kinesis,
    sequence_of,
    statistics,
    working,
)

BOUND_S = 6 * 3_600.0
"""Every history ends within this virtual time, or something is stuck."""

READ_FAULTS = {"throttle": 0.05, "resets": 0.03, "lost_answers": 0.03, "expiries": 0.03}
WRITE_FAULTS = {"throttle": 0.04, "lost_answers": 0.04}


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as it was written."""

    number: int
    key: str
    shard: str


class History:
    """A stream, what was written to it, and what the workers did; `check` holds them to the promises."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = random.Random(seed)
        self.seed = seed
        self.is_table = dice.random() < 0.5
        options: dict[str, Any] = {
            "seed": seed,
            "page_limit": dice.choice([1, 3, 100]),
            "empty_pages": dice.choice([0.0, 0.2]),
            "listing_lag_s": dice.choice([0.0, 0.0, 3.0]),
            "iterator_lifetime_s": dice.choice([2.0, 300.0]),
        }
        # A listing that hides the children, or a table's empty pages in a row, cannot be told from the end of it all.
        self.tells_its_tip = not (options["listing_lag_s"] or (self.is_table and options["empty_pages"]))
        shards = dice.randint(1, 3)
        self.api: MemoryKinesis | MemoryDynamoDb = (
            dynamodb(shards, **options) if self.is_table else kinesis(shards, **options)
        )
        self.timeout = dice.randint(1, 4)
        self.failover_s = dice.choice([2.0, 4.0])
        self.settings = self._settings()
        self.keeps_windows = bool(self.settings["tumbling_window_in_seconds"])
        self.gives_up = self.settings["maximum_retry_attempts"] >= 0
        self.workers = dice.choice([1, 1, 2, 2, 3, 4])
        self.is_faulty = dice.random() < 0.8
        self.leases = MemoryLeaseTable()
        self.leases.leases = WatchedLeases(self)
        self.reports = Unsteady(self)
        self.sent: dict[str, Sent] = {}  # by sequence number
        self.succeeded: dict[str, None] = {}  # sequence numbers in the order of their first success
        self.discarded: set[str] = set()
        self.collected: list[list[str]] = []  # the state of each window at its end
        self.deliveries: Counter[str] = Counter()
        self.at_work: dict[str, Counter[str]] = {}  # shard -> worker -> invocations running
        self.overlaps = 0
        self.crashes = 0
        self.broken: list[str] = []  # promises that were broken on the way
        self.poison: set[str] = set()
        self.written = anyio.Event()
        self._names = itertools.count()

    def _settings(self) -> dict[str, Any]:
        dice = self.dice
        tumbling = dice.choice([0, 0, 0, 5])
        settings: dict[str, Any] = {
            "timeout": self.timeout,
            "concurrency": dice.choice([1, 3, 20]),
            **self._starting_position(),
            "batch_size": dice.choice([1, 2, 5, 100]),
            "maximum_batching_window_in_seconds": dice.choice([0, 0, 0, 2]),
            "parallelization_factor": 1 if tumbling else dice.choice([1, 1, 2, 4]),
            "maximum_retry_attempts": dice.choice([-1, -1, 0, 2]),
            "bisect_batch_on_function_error": dice.random() < 0.4,
            "tumbling_window_in_seconds": tumbling,
            "failover_s": self.failover_s,
            "drain_budget_s": dice.choice([None, 0.5]),
        }
        return settings | (REPORTS if dice.random() < 0.5 else {})

    def _starting_position(self) -> dict[str, Any]:
        position = self.dice.choice(["TRIM_HORIZON"] * 3 + ["LATEST", "AT_TIMESTAMP"])
        if position != "AT_TIMESTAMP":
            return {"starting_position": position}
        if self.is_table:
            return {"starting_position": "TRIM_HORIZON"}
        return {"starting_position": position, "starting_position_timestamp": START_WALL_TIME_S}

    # What is written. ---------------------------------------------------------------------------------------------

    def write(self) -> None:
        number, key = len(self.sent), self.dice.choice("abcdef")
        text = str(number)
        if isinstance(self.api, MemoryKinesis):
            placed = self.api.put_record(STREAM, text.encode(), key)
        else:
            found = self.api.put_item(STREAM, {"id": {"S": key}, "text": {"S": text}})
            assert found is not None
            placed = found
        self.sent[placed.sequence] = Sent(number, key, placed.shard_id)
        if self.gives_up and self.dice.random() < 0.05:
            self.poison.add(placed.sequence)

    def reshard(self) -> None:
        shards = self.api.open_shards(STREAM)
        chosen = self.dice.randrange(len(shards))
        if isinstance(self.api, MemoryDynamoDb):
            (self.api.split if len(shards) < 4 and self.dice.random() < 0.5 else self.api.roll)(STREAM, shards[chosen])
        elif len(shards) > 1 and self.dice.random() < 0.5:
            low = min(chosen, len(shards) - 2)
            self.api.merge_shards(STREAM, shards[low], shards[low + 1])
        elif len(shards) < 4:
            self.api.split_shard(STREAM, shards[chosen])

    async def _write_all(self) -> None:
        while self.settings["starting_position"] == "LATEST" and not self._has_begun():
            await anyio.sleep(0.5)
        for _ in range(self.dice.randint(5, 40)):
            self.write()
            if self.dice.random() < 0.08:
                self.reshard()
            await anyio.sleep(self.dice.choice([0, 0, 0.1, 1]))
        self.written.set()

    def _has_begun(self) -> bool:
        """Whether LATEST has been made a moment, for every shard."""
        leases = self.leases.leases.values()
        return bool(leases) and all(lease.checkpoint != "LATEST" or lease.window is not None for lease in leases)

    # What the function does. --------------------------------------------------------------------------------------

    async def handle(self, worker: str, event: dict[str, Any]) -> object:
        """Succeeds, fails, names failures, takes its time or too long; what it did not report as failed succeeded."""
        records: list[RawRecord] = event["Records"]
        sequences = [sequence_of(record) for record in records]
        self.deliveries.update(sequences)
        shard = event.get("shardId") or self.sent[sequences[0]].shard
        running = self.at_work.setdefault(shard, Counter())
        self.overlaps += any(count for other, count in running.items() if other != worker)
        running[worker] += 1
        try:
            too_long = self.timeout * 3 if self._may_fail(event) and self.dice.random() < 0.1 else 0
            await anyio.sleep(self.dice.choice([0, 0, 0, 0.01, 0.3, too_long]))
            return self._answer(event, sequences)
        finally:
            running[worker] -= 1

    def _may_fail(self, event: dict[str, Any]) -> bool:
        """A window's state is given up with its final invocation, and nothing could be said of it then."""
        return not (self.gives_up and event.get("isFinalInvokeForWindow", False))

    def _answer(self, event: dict[str, Any], sequences: list[str]) -> object:
        failed = [each for each in sequences if each in self.poison or self.dice.random() < 0.1]
        reports = "function_response_types" in self.settings
        is_final = event.get("isFinalInvokeForWindow", False)
        if self._may_fail(event) and (
            (failed and not (reports and self.dice.random() < 0.8)) or self.dice.random() < 0.02
        ):
            raise ValueError("the whole batch fails")
        first = sequences.index(failed[0]) if failed else len(sequences)
        self.succeeded.update(dict.fromkeys(sequences[:first]))
        collected = [*event.get("state", {}).get("seen", []), *sequences[:first]]
        if is_final and not failed:
            self.collected.append(collected)
        self.dice.shuffle(failed)
        return {**failures(failed), **({"state": {"seen": collected}} if self.keeps_windows else {})}

    # Who works, and how it ends. ----------------------------------------------------------------------------------

    async def unfold(self) -> None:
        """Several workers, each of several lives; when all are over, one works until nothing is left."""
        if self.settings["starting_position"] != "LATEST":
            for _ in range(self.dice.randint(0, 10)):
                self.write()
                if self.dice.random() < 0.1:
                    self.reshard()
        with anyio.fail_after(BOUND_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write_all)
                for _ in range(self.workers):
                    tasks.start_soon(self._career)
                if self.settings["starting_position"] == "LATEST":
                    async with self._at_work(self.make()):  # until it has begun
                        await self.written.wait()
            await self._finish()

    async def _career(self) -> None:
        await anyio.sleep(self.dice.choice([0, 0, 1, 5]))
        for _ in range(self.dice.randint(1, 3)):
            await self._live()

    async def _live(self) -> None:
        ending = self.dice.choice(["drain", "end", "crash"])
        seconds = self.dice.uniform(0, 15)
        machine = self.make()
        with anyio.CancelScope() as life:
            async with self._at_work(machine) as service:
                if self.dice.random() < 0.3:
                    await anyio.sleep(seconds)
                    machine.store.is_reachable = False
                    await anyio.sleep(self.dice.choice([0.5, 1, 3]) * self.failover_s)
                    machine.store.is_reachable = True
                await anyio.sleep(seconds)
                if ending == "drain":
                    await service.drain()
                elif ending == "crash":
                    self.crashes += 1
                    machine.cut()
                    life.cancel()
                    await anyio.sleep_forever()

    @asynccontextmanager
    async def _at_work(self, machine: Machine) -> AsyncIterator[Running]:
        async with AsyncExitStack() as stack:
            while True:
                work = working(machine, machine.handler, store=machine.store, reports=self.reports, **self.settings)
                try:
                    service = await stack.enter_async_context(work)
                except TransientSourceError:  # it gave up starting; whoever supervises it starts it again
                    await anyio.sleep(1)
                else:
                    break
            yield service

    async def _finish(self) -> None:
        async with self._at_work(self.make()) as service:
            await service.until_caught_up()
            if (left := self.unaccounted()) and self.tells_its_tip:
                self.broken.append(f"caught up, but {len(left)} records are not done: {left[:3]}")
            while self.unaccounted():
                await anyio.sleep(1)
            while any("state" in (lease.window or {}) for lease in self.leases.leases.values()):
                await anyio.sleep(1)
            await service.drain()
            self._check_counters(service)

    def _check_counters(self, service: Running) -> None:
        counted = statistics(service)
        if (counted.in_flight, counted.running, counted.shards) != (0, 0, 0):
            self.broken.append(f"after the drain: {counted}")

    def make(self) -> Machine:
        name = f"w{next(self._names)}"
        faults: dict[str, Any] = READ_FAULTS if self.is_faulty else {}
        api = FaultyStream(self.api, seed=self.dice.randrange(10**9), **faults)
        store: MemoryLeases = self.leases.store_for(
            name,
            seed=self.seed,
            delay_s=self.dice.choice([0.0, 0.0, 0.05]),
            clock_skew_s=random.Random(f"{self.seed}/{name}").choice([None, -3_600.0, 0.0, 86_400.0]),
            **(WRITE_FAULTS if self.is_faulty else {}),
        )

        async def handler(event: dict[str, Any], _context: object) -> object:
            return await self.handle(name, event)

        return Machine(api, store, handler)

    # The promises. ------------------------------------------------------------------------------------------------

    def unaccounted(self) -> list[str]:
        return [sequence for sequence in self.sent if sequence not in self.succeeded and sequence not in self.discarded]

    def saved(self, before: Lease | None, now: Lease) -> None:
        """A lease was written: its checkpoint grows, and nothing up to it is unfinished."""
        if before is not None and checkpoint_rank(now.checkpoint) < checkpoint_rank(before.checkpoint):
            self.broken.append(f"the checkpoint of {now.key} went back from {before.checkpoint} to {now.checkpoint}")
        rank = checkpoint_rank(now.checkpoint)
        passed = [
            sequence
            for sequence in self.unaccounted()
            if self.sent[sequence].shard == now.shard_id and checkpoint_rank(sequence) <= rank
        ]
        if passed:
            self.broken.append(f"the checkpoint of {now.key} passed {passed}")

    def check(self) -> None:
        """Nothing lost, order per key, one owner at a time, all leases at the tip, every window whole."""
        if self.broken:
            raise EventmapError("; ".join(self.broken))
        if left := self.unaccounted():
            raise EventmapError(f"lost: {[self.sent[each] for each in left]}")
        for key in "abcdef":
            mine = [self.sent[each].number for each in self.succeeded if each not in self.discarded]
            mine = [number for number in mine if self._keys[number] == key]
            if mine != sorted(mine):
                raise EventmapError(f"key {key} succeeded in the order {mine}")
        if self.overlaps:
            raise EventmapError(f"two workers ran batches of one shard at once, {self.overlaps} times")
        self._check_leases()
        if self.keeps_windows:
            self._check_windows()

    @property
    def _keys(self) -> dict[int, str]:
        return {each.number: each.key for each in self.sent.values()}

    def _check_leases(self) -> None:
        for shard in {each.shard for each in self.sent.values()}:
            lease = self.leases.leases.get(shard)
            if lease is None or lease.is_finished:
                continue  # wholly done, as every write of it was held to; perhaps cleaned up
            last = max(int(sequence) for sequence, each in self.sent.items() if each.shard == shard)
            if checkpoint_rank(lease.checkpoint) < (0, last):
                raise EventmapError(f"{shard} was left at {lease.checkpoint}, its last record is {last}")
            if lease.owner is not None and not self.is_faulty:  # a release that cannot be written runs out
                raise EventmapError(f"{shard} was left with {lease.owner}")

    def _check_windows(self) -> None:
        if any(len(each) != len(set(each)) for each in self.collected):
            raise EventmapError("a window's state has a record twice")
        missing = self.sent.keys() - self.discarded - {each for window in self.collected for each in window}
        if missing:
            raise EventmapError(f"no window's final state has {missing}")


class WatchedLeases(dict[str, Lease]):
    """Tells the history of every write."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    def __setitem__(self, key: str, lease: Lease) -> None:
        self._history.saved(self.get(key), lease)
        super().__setitem__(key, lease)

    def setdefault(self, key: str, lease: Lease) -> Lease:  # type: ignore[override]
        if key not in self:
            self[key] = lease
        return self[key]


class Unsteady(Destination):
    """Takes reports most of the time; what is reported counts as discarded."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    async def send(self, report: JsonObject, *, shard_id: str, payload: bytes | None) -> None:
        if self._history.dice.random() < 0.1:
            raise TransientSourceError("throttled")
        await super().send(report, shard_id=shard_id, payload=payload)
        assert payload is not None
        self._history.discarded.update(sequence_of(record) for record in json.loads(payload)["Records"])

"""A lease table in memory, shared by as many workers as a test has, each with its own faults."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import anyio
import anyio.lowlevel

from eventmap.clock import wall_time_s
from eventmap.errors import TransientSourceError
from eventmap.lease import Lease, Presence, Snapshot
from eventmap.model import JsonObject
from eventmap.state.transitions import checkpointed, finished, is_unchanged, released, renewed, taken

T = TypeVar("T")

UNREACHABLE: Final = "the lease table cannot be reached"


class MemoryLeaseTable:
    """The leases of one application, served from memory. Each worker reaches it through its own `store_for`.

    `calls` counts what reached the table, by the operation's name; refused calls did not. Workers named in `dead` are
    known not to run any more, as a store on one machine would find out.
    """

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}  #: by key, as they stand now
        self.workers: dict[str, int] = {}  #: the beat each present worker announced last
        self.dead: set[str] = set()
        self.calls: Counter[str] = Counter()

    def store_for(
        self,
        worker: str,
        *,
        seed: int = 0,
        lost_answers: float = 0.0,
        throttle: float = 0.0,
        delay_s: float = 0.0,
        clock_skew_s: float | None = None,
    ) -> MemoryLeases:
        """The table as `worker` reaches it: see `MemoryLeases` for the faults."""
        return MemoryLeases(
            self,
            dice=random.Random(f"{seed}/{worker}"),
            lost_answers=lost_answers,
            throttle=throttle,
            delay_s=delay_s,
            clock_skew_s=clock_skew_s,
        )

    def put(self, lease: Lease) -> None:
        """Write a lease as it is, asking nobody: for a test's arrangement, and for foreign workers."""
        self.leases[lease.key] = lease


class MemoryLeases:
    """One worker's way to a `MemoryLeaseTable`: a LeaseStore whose calls go wrong at the given rates, each 0..1.

    - `throttle`: refused before it takes effect, TransientSourceError `ThrottlingException`
    - `lost_answers`: it takes effect, then the connection breaks, TransientSourceError without a code
    - `delay_s`: up to so many seconds pass before it takes effect, and again before it is answered
    - `clock_skew_s`: it announces itself as KCL workers do, with the second of a clock that is so far off (KCL-21);
      None = with a count

    While `is_reachable` is False, no call gets through. Every call lets other tasks run before it takes effect.
    `injected` counts the faults by the names above.
    """

    def __init__(
        self,
        table: MemoryLeaseTable,
        *,
        dice: random.Random,
        lost_answers: float,
        throttle: float,
        delay_s: float,
        clock_skew_s: float | None,
    ) -> None:
        self.is_reachable = True
        self.injected: Counter[str] = Counter()
        self._table = table
        self._dice = dice
        self._lost_answers = lost_answers
        self._throttle = throttle
        self._delay_s = delay_s
        self._clock_skew_s = clock_skew_s

    async def scan(self) -> Snapshot:
        def scan() -> Snapshot:
            present = tuple(Presence(worker, beat) for worker, beat in self._table.workers.items())
            return Snapshot(tuple(self._table.leases.values()), present)

        return await self._call("scan", scan)

    async def get(self, key: str) -> Lease | None:
        return await self._call("get", lambda: self._table.leases.get(key))

    async def create(self, leases: Sequence[Lease]) -> None:
        def create() -> None:
            for lease in leases:
                self._table.leases.setdefault(lease.key, lease)

        await self._call("create", create)

    async def take(self, lease: Lease, owner: str, *, hand_over: bool = False) -> Lease | None:
        return await self._change("take", lease, taken(lease, owner, hand_over=hand_over))

    async def renew(self, lease: Lease) -> Lease | None:
        return await self._change("renew", lease, renewed(lease))

    async def checkpoint(self, lease: Lease, checkpoint: str, window: JsonObject | None = None) -> Lease | None:
        return await self._change("checkpoint", lease, checkpointed(lease, checkpoint, window))

    async def finish(self, lease: Lease, children: Sequence[str]) -> Lease | None:
        return await self._change("finish", lease, finished(lease, children))

    async def release(self, lease: Lease) -> Lease | None:
        return await self._change("release", lease, released(lease))

    async def delete(self, lease: Lease) -> bool:
        def delete() -> bool:
            if not self._stands(lease):
                return False
            del self._table.leases[lease.key]
            return True

        return await self._call("delete", delete)

    async def announce(self, worker: str, beat: int) -> None:
        if self._clock_skew_s is not None:
            beat = int(wall_time_s() + self._clock_skew_s)
        await self._call("announce", lambda: self._table.workers.update({worker: beat}))

    async def withdraw(self, worker: str) -> None:
        await self._call("withdraw", lambda: self._table.workers.pop(worker, None))

    async def is_dead(self, worker: str) -> bool:
        return worker in self._table.dead

    async def _change(self, operation: str, old: Lease, new: Lease) -> Lease | None:
        def change() -> Lease | None:
            if not self._stands(old):
                return None
            self._table.leases[new.key] = new
            return new

        return await self._call(operation, change)

    def _stands(self, lease: Lease) -> bool:
        now = self._table.leases.get(lease.key)
        return now is not None and is_unchanged(now, lease)

    async def _call(self, operation: str, effect: Callable[[], T]) -> T:
        # All dice are thrown for every call, so that one rate does not shift where another's faults fall.
        throttled, lost = self._dice.random() < self._throttle, self._dice.random() < self._lost_answers
        before_s, after_s = self._dice.random() * self._delay_s, self._dice.random() * self._delay_s
        await self._pause(before_s)
        if not self.is_reachable:
            raise TransientSourceError(UNREACHABLE)
        if throttled:
            self.injected["throttle"] += 1
            raise TransientSourceError("rate exceeded", code="ThrottlingException")
        self._table.calls[operation] += 1
        answer = effect()
        if after_s:
            await self._pause(after_s)
        if lost or not self.is_reachable:
            self.injected["lost_answers"] += 1
            raise TransientSourceError("connection lost")
        return answer

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await anyio.sleep(seconds)
        else:
            await anyio.lowlevel.checkpoint()

"""LeaseCoordinator: one worker's part in the sharing of a stream's shards.

announce ─┐
look ─────┼──plan──▶ take, steal ──▶ held: read ─┬─"ended"──▶ children's leases, SHARD_END ─┬─▶ release ──▶ look
tend ─────┘                          └ keep      ├─"left"───────────────────────────────────┘
 (leases for new shards,               (renew)   └─lost: cancelled at once, nothing written
  none for those gone)
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType

import anyio
from anyio.abc import TaskGroup

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.delivery.stream.held_lease import HeldLease
from eventmap.delivery.stream.ports import LeaseStore, StreamSource
from eventmap.delivery.stream.succession import Succession
from eventmap.delivery.stream.tenure import ReadShard, Tenure, TenureEnd
from eventmap.errors import SourceError, StateError, TransientSourceError
from eventmap.lease import Lease, Snapshot
from eventmap.rules.leases import (
    FIRST_RETRY_S,
    LONGEST_RETRY_S,
    LeaseSettings,
    Sightings,
    next_look_s,
    plan,
    retry_s,
    workers_of,
)

LIST_S = 60.0  # between two listings of the shards (STR-156)
DEPUTY_LIST_S = 300.0  # the same, for workers that are not the first by name: in case that one cannot
FORGET_WORKER_S = 600.0  # a worker whose announcement has not changed for so long is forgotten
HEIRS_S = 1.0  # after an end without children, until the shards are listed again; then doubling
LAST_WRITES_S = 2.0  # for what a drain cut short to give its lease up
CALLS_AT_ONCE = 20  # takes; renewals (STR-191)


class LeaseCoordinator:
    """Takes leases for `worker`, has `read_shard` read each, keeps them alive, gives them up.

    `worker` is unique to this process and run. `starting_position` is for shards that were there before the first
    worker; `stream` the stream's identity, `prefix` the beginning of every lease key (STR-160).
    `read_shard(held)` returns "ended" when the closed shard is wholly done and saved, "left" once it was asked to
    leave; it is cancelled when the lease is lost. When it raises, the lease is given up, and taken again later.
    """

    def __init__(
        self,
        source: StreamSource,
        store: LeaseStore,
        *,
        worker: str,
        starting_position: str,
        stream: str,
        prefix: str = "",
        settings: LeaseSettings,
        read_shard: ReadShard,
        log: telemetry.Logger,
        dice: random.Random,
    ) -> None:
        self.snapshot: Snapshot = Snapshot(())  #: of the last look
        self.leases_taken: int = 0
        self.leases_lost: int = 0
        self.hand_overs: int = 0  #: leases given up to another worker that had asked for them
        self._store = store
        self._worker = worker
        self._settings = settings
        self._read_shard = read_shard
        self._log = log.bind(worker=worker)
        self._dice = dice
        self._succession = Succession(source, store, starting_position=starting_position, stream=stream, prefix=prefix)
        self._sightings = Sightings()
        self._held: dict[str, HeldLease] = {}
        self._failures: dict[str, tuple[int, float]] = {}  # by key: how many in a row, when to try again
        self._renewals = anyio.CapacityLimiter(CALLS_AT_ONCE)
        self._is_prepared = False
        self._is_running = False
        self._failed_looks = 0  # in a row
        self._is_unlisted = False
        self._is_tended = False  # the listed shards have the leases they need
        self._is_settled = False  # and have been looked at since
        self._look_soon, self._tend_soon, self._released = anyio.Event(), anyio.Event(), anyio.Event()
        self._draining, self._drained = anyio.Event(), anyio.Event()
        self._withdrawn, self._takes_no_more = anyio.Event(), anyio.Event()

    @property
    def held(self) -> Mapping[str, HeldLease]:
        """By key, those this worker works on; one that is lost stays until its reading has ended."""
        return MappingProxyType(self._held)

    @property
    def is_settled(self) -> bool:
        """`snapshot` shows all this worker knows of: the listed shards have leases, and none has ended since."""
        return self._is_settled

    def is_kept(self, lease: Lease) -> bool:
        """Whether its owner, another worker, was seen to renew it. One that was not may be a dead worker's."""
        sighting = self._sightings.leases.get(lease.key)
        return (
            sighting is not None
            and sighting.moved
            and not self._sightings.is_expired(lease, elapsed_s(), self._settings.failover_s)
        )

    @property
    def trouble(self) -> str | None:
        """What stands still now, in words; None = nothing does."""
        if self._failed_looks > 1:
            return "the leases cannot be read"
        return "the stream does not say which shards it has" if self._is_unlisted else None

    async def prepare(self) -> None:
        """See whether the leases are ours; writes nothing. A service that cannot be reached is asked until it answers.

        Raises: ConfigurationError if they are of another application; StateError; SourceError and its other kinds.
        """
        failures = 0
        while not self._is_prepared and not self._draining.is_set():
            try:
                await self._succession.refuse_foreign_leases()
                self._is_prepared = True
            except TransientSourceError as error:
                self._log.warning(telemetry.LEASES_UNREACHABLE, error=str(error))
                with anyio.move_on_after(retry_s(failures)):
                    await self._draining.wait()
                failures += 1

    async def run(self) -> None:
        """Work until `drain` has ended, or cancelled: then nothing is given up, and others wait for the failover."""
        if self._draining.is_set():
            return
        self._is_running = True
        try:
            await self.prepare()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._announce)
                tasks.start_soon(self._begin, tasks)
                await self._drained.wait()
                tasks.cancel_scope.cancel()
        finally:
            self._is_running = False
            self._held.clear()
            for event in (self._takes_no_more, self._withdrawn, self._released):
                event.set()  # for a drain that waits

    async def drain(self, budget_s: float) -> None:
        """Take nothing more, let every shard finish its batch within `budget_s` seconds, give all leases up (STR-213).

        What has not ended by then is cancelled. Draining twice is fine.
        """
        if self._draining.is_set():
            await self._drained.wait()
            return
        self._draining.set()
        if not self._is_running:
            self._drained.set()
            return
        self._look_soon.set()
        for held in self._held.values():
            held.leaving.set()
        with anyio.move_on_after(budget_s):
            await self._empty_handed()
        for held in self._held.values():
            held.scope.cancel()
        with anyio.move_on_after(LAST_WRITES_S):
            await self._empty_handed()
            await self._withdrawn.wait()
        self._drained.set()

    async def _empty_handed(self) -> None:
        await self._takes_no_more.wait()
        while self._held:
            await self._released.wait()

    # Who is there ----------------------------------------------------------------------------------------------------

    async def _announce(self) -> None:
        """The first beats follow each other closely, so that workers that start together soon know each other."""
        beat = 0
        while not self._draining.is_set():
            with suppress(SourceError, StateError):  # told where it matters: by the looks
                await self._store.announce(self._worker, beat)
            beat += 1
            with anyio.move_on_after(self._settings.scan_s if beat < 4 else self._settings.beat_s):
                await self._draining.wait()
        for failures in range(3):
            try:
                await self._store.withdraw(self._worker)  # before the leases: nobody deals us any of them again
                break
            except (SourceError, StateError):
                await anyio.sleep(retry_s(failures))
        self._withdrawn.set()

    def _workers(self) -> list[str]:
        return workers_of(self.snapshot, self._sightings, self._worker, elapsed_s(), self._settings)

    def _is_first(self) -> bool:
        """By name, of those that live: what needs to be done once is done by this one."""
        return self._workers()[0] == self._worker

    def _knows_the_others(self) -> bool:
        """Whether every worker announced in the table is known to live, or had the time to show it."""
        strangers = {each.worker for each in self.snapshot.workers}.difference(self._workers(), self._sightings.dead)
        return not strangers or self._sightings.looks >= 3

    # The loops -------------------------------------------------------------------------------------------------------

    async def _begin(self, tasks: TaskGroup) -> None:
        while not (await self._look() and self._knows_the_others()) and not self._draining.is_set():
            with anyio.move_on_after(self._settings.scan_s):
                await self._draining.wait()
        wait_s = self._settings.failover_s / 2
        if self._is_first():  # before anything is read: what is there now begins together
            wait_s = LIST_S if await self._tended(fresh=False) else FIRST_RETRY_S
        tasks.start_soon(self._tend, wait_s)
        await self._take_and_look(tasks)
        for failures in range(3):
            if await self._gave_back_what_never_began():
                break
            await anyio.sleep(retry_s(failures))
        self._takes_no_more.set()

    async def _take_and_look(self, tasks: TaskGroup) -> None:
        while not self._draining.is_set():
            self._look_soon = anyio.Event()
            if await self._look():
                await self._act(tasks)
                wait_s = next_look_s(self.snapshot, self._sightings, self._worker, elapsed_s(), self._settings)
            else:
                wait_s = retry_s(self._failed_looks - 1)
            if not self._draining.is_set():
                with anyio.move_on_after(wait_s):
                    await self._look_soon.wait()

    async def _tend(self, wait_s: float) -> None:
        """Now and then; soon and ever less often after an end whose heirs are still awaited."""
        awaiting_s = 0.0
        while True:
            with anyio.move_on_after(wait_s):
                await self._tend_soon.wait()
                self._tend_soon = anyio.Event()
                awaiting_s = wait_s = HEIRS_S
                continue
            done = await self._tended(fresh=awaiting_s > 0)
            usual_s = LIST_S if self._is_first() else DEPUTY_LIST_S
            awaiting_s = 2 * awaiting_s if 2 * awaiting_s < usual_s else 0.0
            wait_s = awaiting_s or usual_s
            if not done:
                wait_s = min(wait_s, LONGEST_RETRY_S)

    async def _look(self) -> bool:
        """Whether the table could be read. Leases of ours that it shows with another are left, or lost, at once."""
        was_tended = self._is_tended
        try:
            seen = await self._store.scan()
            snapshot = Snapshot(tuple(filter(self._succession.is_ours, seen.leases)), seen.workers)
            dead = [worker for worker in self._others(snapshot) if await self._store.is_dead(worker)]
        except (SourceError, StateError) as error:
            self._failed_looks += 1
            if self._failed_looks == 2:  # once for each time it is gone; a single refusal is nothing
                self._log.warning(telemetry.LEASES_UNREACHABLE, error=str(error))
            return False
        self._failed_looks = 0
        self.snapshot = snapshot
        self._sightings = self._sightings.after(snapshot, elapsed_s(), dead=dead)
        self._is_settled |= was_tended
        for lease in snapshot.leases:
            held = self._held.get(lease.key)
            if held is not None:
                held.notice(lease)
        return True

    def _others(self, snapshot: Snapshot) -> set[str]:
        """All workers it names that may be running."""
        named = {each.worker for each in snapshot.workers} | {lease.owner for lease in snapshot.leases if lease.owner}
        return named - self._sightings.dead - {self._worker}

    async def _tended(self, *, fresh: bool) -> bool:
        """Whether the stream's shards are known to have the leases they need."""
        try:
            await self._succession.create_missing(fresh=fresh)
            if self._is_first():
                await self._succession.delete_unneeded()
                await self._forget_workers()
        except (SourceError, StateError) as error:
            self._log.warning(telemetry.SHARDS_UNLISTED, error=str(error))
            self._is_unlisted = True
            return False
        self._is_tended, self._is_unlisted = True, False
        self._look_soon.set()
        return True

    async def _forget_workers(self) -> None:
        long_ago_s = elapsed_s() - FORGET_WORKER_S
        for worker, sighting in self._sightings.workers.items():
            if worker in self._sightings.dead or sighting.at_s < long_ago_s:
                await self._store.withdraw(worker)

    # Taking ----------------------------------------------------------------------------------------------------------

    async def _act(self, tasks: TaskGroup) -> None:
        """Take and steal what is ours to have; what cannot be had before the next look is due is left to that one."""
        todo = plan(
            self.snapshot,
            self._sightings,
            self._worker,
            elapsed_s(),
            self._settings,
            self._dice,
            held=self._held.keys(),
        )
        until_s = elapsed_s() + self._settings.scan_interval_s(len(self.snapshot.leases))
        calls: list[Callable[[], Awaitable[object]]] = [partial(self._store.release, lease) for lease in todo.give]
        calls += [partial(self._take, lease, False, tasks) for lease in todo.take]
        calls += [partial(self._take, lease, True, tasks) for lease in todo.steal]
        left = iter(calls)

        async def work() -> None:
            for call in left:
                if self._draining.is_set() or elapsed_s() >= until_s:
                    return
                try:
                    await call()
                except (SourceError, StateError) as error:  # the next look shows whether it took effect
                    self._log.debug(telemetry.LEASES_UNREACHABLE, error=str(error))

        async with anyio.create_task_group() as workers:
            for _ in range(min(CALLS_AT_ONCE, len(calls))):
                workers.start_soon(work)

    async def _gave_back_what_never_began(self) -> bool:
        """What was asked for and came too late, or was taken and the answer lost: else all wait until it expires."""
        if not await self._look():
            return False
        try:
            for lease in self.snapshot.leases:
                if lease.owner == self._worker and lease.checkpoint_owner is None and lease.key not in self._held:
                    await self._store.release(lease)
        except (SourceError, StateError):
            return False
        return True

    async def _take(self, lease: Lease, hand_over: bool, tasks: TaskGroup) -> None:
        began_s = elapsed_s()
        if lease.key in self._held or self._failures.get(lease.key, (0, 0.0))[1] > began_s:
            return  # its last reading is still being cancelled, or failed a moment ago
        taken = await self._store.take(lease, self._worker, hand_over=hand_over)
        if taken is None:
            return  # another was faster, or its owner lives
        if taken.checkpoint_owner is not None:
            return  # ours to read when its old owner has given it up (KCL-12)
        held = HeldLease(taken, self._store, self._worker, failover_s=self._settings.failover_s, taken_at_s=began_s)
        self._held[taken.key] = held
        self.leases_taken += 1
        self._log.info(telemetry.LEASE_ACQUIRED, shard=taken.shard_id, checkpoint=taken.checkpoint, before=lease.owner)
        if self._draining.is_set():
            held.scope.cancel()  # only to give it up again
        tasks.start_soon(self._hold, held)

    async def _hold(self, held: HeldLease) -> None:
        tenure = Tenure(
            held,
            self._read_shard,
            self._succession,
            renew_s=self._settings.renew_s,
            renewals=self._renewals,
            dice=self._dice,
            log=self._log,
        )
        began_s = elapsed_s()
        match await tenure.run():
            case TenureEnd.FINISHED:
                self._look_soon.set()
            case TenureEnd.HEIRS_AWAITED:
                self._is_settled = self._is_tended = False
                self._tend_soon.set()
            case TenureEnd.LEFT:
                self.hand_overs += held.lease.owner not in (None, self._worker)
            case TenureEnd.FAILED:
                lasted = elapsed_s() - began_s > LONGEST_RETRY_S
                in_a_row = 0 if lasted else self._failures.get(held.lease.key, (0, 0.0))[0]
                self._failures[held.lease.key] = (in_a_row + 1, elapsed_s() + retry_s(in_a_row))
            case TenureEnd.LOST:
                self.leases_lost += 1
        del self._held[held.lease.key]
        released, self._released = self._released, anyio.Event()
        released.set()

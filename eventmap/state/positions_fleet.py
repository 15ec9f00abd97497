"""Positions of schedules in a store of leases, by which the workers of a fleet share them: one lease for each schedule.

Nobody holds a lease for longer than a run takes to be begun: idle schedules cost nothing. The lease's checkpoint is the
position.

get ─┬─ done up to the run ─▶ Passed
     ├─ another's, and moving ─▶ Elsewhere
     └─ nobody's, or a dead worker's ─ take ─▶ Claimed ─ checkpoint, one per run ─ release
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

from eventmap.clock import elapsed_s, wall_time_s
from eventmap.errors import LeaseLost, SourceError, StateError
from eventmap.lease import Lease, Snapshot
from eventmap.model import JsonObject
from eventmap.rules.leases import FAILOVER_S
from eventmap.rules.schedule.position import Claim, Claimed, Elsewhere, Passed

STREAM: Final = "schedules"
"""What the leases say they are of."""

_PREFIX: Final = "schedule/"
_FIRST_RETRY_S: Final = 0.05
_LONGEST_RETRY_S: Final = 1.0


class Leases(Protocol):
    """A LeaseStore, as far as it is needed here."""

    async def scan(self) -> Snapshot: ...
    async def get(self, key: str) -> Lease | None: ...
    async def create(self, leases: Sequence[Lease]) -> None: ...
    async def take(self, lease: Lease, owner: str, *, hand_over: bool = False) -> Lease | None: ...
    async def checkpoint(self, lease: Lease, checkpoint: str, window: JsonObject | None = None) -> Lease | None: ...
    async def release(self, lease: Lease) -> Lease | None: ...
    async def delete(self, lease: Lease) -> bool: ...
    async def announce(self, worker: str, beat: int) -> None: ...
    async def withdraw(self, worker: str) -> None: ...
    async def is_dead(self, worker: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A lease of another worker, as it was first seen with this counter."""

    counter: int
    owner: str | None
    at_s: float  # on the loop's clock


@dataclass(frozen=True, slots=True)
class _Held:
    lease: Lease
    until_s: float  # on the loop's clock: then others may take it


class FleetPositions:
    """Positions shared through `leases`, which hold nothing else: a table, or an application of a file, of their own.

    `worker` is unique to this process and run. A worker that dies, or needs more than `failover_s` seconds to begin a
    run, is followed by another, which begins that run once more, under the same request id.
    `await aclose()` after all. Raises: StateError, SourceError and its kinds.
    """

    def __init__(self, leases: Leases, worker: str, *, dice: random.Random, failover_s: float = FAILOVER_S) -> None:
        self._leases = leases
        self._worker = worker
        self._dice = dice
        self._failover_s = failover_s
        self._is_announced = False
        self._held: dict[str, _Held] = {}  # by key
        self._seen: dict[str, _Sighting] = {}  # by key

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        """The position of each; for one that no worker knows yet it begins now."""
        if not self._is_announced:
            await self._leases.announce(self._worker, 0)  # where it can be seen, our death is known at once
            self._is_announced = True
        now = int(wall_time_s())
        found = {lease.key: lease for lease in (await self._leases.scan()).leases}
        await self._leases.create([_lease(key, now) for key in keys if _PREFIX + key not in found])
        return {key: _position(found[_PREFIX + key]) if _PREFIX + key in found else now for key in keys}

    async def claim(self, key: str, time: int) -> Claim:
        """Ask for the run of that time, and those after it."""
        for _ in range(2):  # a lease that was taken in front of us is looked at once more: its sighting begins now
            began_s = elapsed_s()
            lease = await self._leases.get(_PREFIX + key)
            if lease is None:  # another worker has removed the schedule, and this one still has it
                await self._leases.create([_lease(key, time - 1)])
                continue
            position = _position(lease)
            if position >= time:
                self._seen.pop(key, None)
                return Passed(position)
            if lease.owner not in (None, self._worker) and not await self._is_abandoned(key, lease):
                return Elsewhere(max(_FIRST_RETRY_S, self._seen[key].at_s + self._failover_s - elapsed_s()))
            taken = await self._leases.take(lease, self._worker)
            if taken is not None:
                self._seen.pop(key, None)
                self._held[key] = _Held(taken, began_s + self._failover_s)
                return Claimed(_position(taken))
        return Elsewhere(_FIRST_RETRY_S + self._dice.random() * _LONGEST_RETRY_S)

    async def record(self, key: str, position: int) -> None:
        """Done up to there. Tried again until it is known to stand, or the claim may be another's.

        Raises: LeaseLost.
        """
        wait_s = _FIRST_RETRY_S
        while (held := self._held.get(key)) is not None and elapsed_s() < held.until_s:
            began_s = elapsed_s()
            try:
                written = await self._leases.checkpoint(held.lease, str(position))
                seen = written or await self._leases.get(_PREFIX + key)
            except (SourceError, StateError):
                await anyio.sleep(wait_s * (1 - self._dice.random() / 4))
                wait_s = min(2 * wait_s, _LONGEST_RETRY_S)
                continue
            if seen is None or seen.owner != self._worker:
                break
            self._held[key] = _Held(seen, began_s + self._failover_s if written else held.until_s)
            if _position(seen) >= position:  # this call, or one whose answer was lost
                return
        self._held.pop(key, None)
        raise LeaseLost(_PREFIX + key, f"it could not be recorded in time that the schedule is done up to {position}")

    async def release(self, key: str) -> None:
        """Give the claim up, if it is still ours; one that cannot be given up ends after `failover_s`."""
        held = self._held.pop(key, None)
        if held is not None:
            with suppress(SourceError, StateError):
                await self._leases.release(held.lease)

    async def forget(self, keys: Sequence[str]) -> None:
        """Drop their leases; a worker that still has the schedule makes its lease anew, and misses no run."""
        for key in keys:
            lease = await self._leases.get(_PREFIX + key)
            if lease is not None:
                await self._leases.delete(lease)

    async def aclose(self) -> None:
        """Leave the fleet. Never raises."""
        if self._is_announced:
            self._is_announced = False
            with anyio.move_on_after(self._failover_s, shield=True), suppress(SourceError, StateError):
                await self._leases.withdraw(self._worker)

    async def _is_abandoned(self, key: str, lease: Lease) -> bool:
        """Whether its owner is dead, or has not moved it for so long that anybody may take it (STR-192)."""
        seen = self._seen.get(key)
        if seen is None or (seen.counter, seen.owner) != (lease.counter, lease.owner):
            seen = self._seen[key] = _Sighting(lease.counter, lease.owner, elapsed_s())
        if elapsed_s() - seen.at_s >= self._failover_s:
            return True
        return lease.owner is not None and await self._leases.is_dead(lease.owner)


def _lease(key: str, position: int) -> Lease:
    return Lease(_PREFIX + key, str(position), stream=STREAM)


def _position(lease: Lease) -> int:
    """Raises: StateError."""
    try:
        return int(lease.checkpoint)
    except ValueError:
        raise StateError(
            f"lease {lease.key!r} is no schedule's: its checkpoint is {lease.checkpoint!r}; "
            "give schedules a lease table of their own"
        ) from None

"""Leases: who takes which, decided by every worker for itself from what it has seen (STR-180..198).

Nobody is in charge. Each worker looks at the same table, deals all free leases, and what some hold beyond their share,
to all workers by the same rule, and acts on its own part of the deal only. So workers do not run for the same lease,
shares differ by at most one, and where they do, nobody moves a lease to make it otherwise.

Whether a worker lives is told by change alone, on this worker's own clock: no two clocks are ever compared (STR-192).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eventmap.errors import ConfigurationError
from eventmap.lease import Lease, Snapshot
from eventmap.rules.lineage import is_readable

LONG_FREE = 3  # times the failover: whoever was meant to take such a lease does not (STR-186, 194)
SHORTEST_WAIT_S = 0.001
ONE_READ_LEASES = 2_500  # about what one page of a table's scan holds
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0


FAILOVER_S = 10.0


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """The times of the work on leases, in seconds; all follow from one.

    Raises: ConfigurationError below one second.
    """

    failover_s: float = FAILOVER_S  #: how long a lease lives that nobody renews: what a crash costs (STR-180)

    def __post_init__(self) -> None:
        if not self.failover_s >= 1:
            raise ConfigurationError(f"failover_s must be at least 1 second, not {self.failover_s} (STR-180)")

    @property
    def renew_s(self) -> float:
        """A lease nothing else was written to for this long is renewed: twice in its life, and time to try again."""
        return self.failover_s * 0.4

    @property
    def beat_s(self) -> float:
        """Between two announcements of this worker; one may be missed before it counts as gone."""
        return self.failover_s * 0.4

    @property
    def scan_s(self) -> float:
        """Between two looks at a small table: how long a lease that was given up stays unseen."""
        return self.failover_s / 20

    def scan_interval_s(self, leases: int) -> float:
        """Between two looks at a table of so many: beyond one page as much longer as there are pages."""
        return self.scan_s * max(1.0, leases / ONE_READ_LEASES)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The number by which something shows that it lives: a lease's counter, a worker's beat."""

    number: int
    at_s: float  #: when it was first seen with this number, on the loop's clock
    moved: bool  #: it has been seen to change; False = this is how the first look found it


@dataclass(frozen=True, slots=True)
class Sightings:
    """What one worker has seen over time. Never changed in place."""

    leases: Mapping[str, Sighting] = field(default_factory=dict)  #: by key
    workers: Mapping[str, Sighting] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()  #: workers known for certain not to run
    looks: int = 0

    def after(self, snapshot: Snapshot, now: float, *, dead: Iterable[str] = ()) -> Sightings:
        """As they are when `snapshot` has been seen at `now`; `dead` adds to the dead, who stay so."""
        moved = self.looks > 0
        leases = self.leases
        workers = self.workers
        return Sightings(
            {lease.key: _seen(leases.get(lease.key), lease.counter, now, moved) for lease in snapshot.leases},
            {each.worker: _seen(workers.get(each.worker), each.beat, now, moved) for each in snapshot.workers},
            self.dead.union(dead),
            self.looks + 1,
        )

    def unchanged_s(self, lease: Lease, now: float) -> float:
        """For how long its counter has stood still, as far as this worker knows."""
        return now - self.leases[lease.key].at_s

    def is_expired(self, lease: Lease, now: float, failover_s: float) -> bool:
        """Whether anybody may take what somebody has: its owner is dead, or its counter stands still (STR-192)."""
        keeper = lease.checkpoint_owner or lease.owner  # handing over, it is the old owner who renews
        return keeper in self.dead or now - self.leases[lease.key].at_s >= failover_s

    def shows_life(self, worker: str, now: float, failover_s: float) -> bool:
        """Whether its announcement has changed lately. How the first look found it says nothing."""
        sighting = self.workers.get(worker)
        return sighting is not None and sighting.moved and now - sighting.at_s < failover_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What one worker should do now."""

    take: tuple[Lease, ...] = ()  #: free ones, and those already its own that it does not hold yet
    steal: tuple[Lease, ...] = ()  #: to be asked for, by a hand-over: the owner lives and has more than its share
    give: tuple[Lease, ...] = ()  #: asked of us before we began to work on them: to be given up at once (KCL-12)


def workers_of(snapshot: Snapshot, sightings: Sightings, me: str, now: float, settings: LeaseSettings) -> list[str]:
    """The workers that leases are dealt to, by name: those that announce themselves and show that they live.

    One that renews its leases and announces nothing is left alone, with what it holds: it deals by another rule, or it
    is about to leave (KCL-20).
    """
    failover_s = settings.failover_s
    owners = {
        lease.owner
        for lease in snapshot.leases
        if lease.owner and not lease.is_finished and not sightings.is_expired(lease, now, failover_s)
    }
    return sorted(
        {me}
        | {
            each.worker
            for each in snapshot.workers
            if each.worker not in sightings.dead
            and (each.worker in owners or sightings.shows_life(each.worker, now, failover_s))
        }
    )


def plan(
    snapshot: Snapshot,
    sightings: Sightings,
    me: str,
    now: float,
    settings: LeaseSettings,
    dice: random.Random,
    *,
    held: Collection[str] = (),
) -> Plan:
    """What `me` should take and steal. `sightings` include `snapshot`; `held`: keys of the leases it works on.

    Rules: STR-192..196, KCL-12, KCL-20. No limit on how many at once: the share itself is one.
    """
    failover_s = settings.failover_s
    by_key = {lease.key: lease for lease in snapshot.leases}
    free: list[Lease] = []
    owned: defaultdict[str, list[Lease]] = defaultdict(list)
    for lease in snapshot.leases:
        if lease.is_finished or not is_readable(lease, by_key):
            continue
        if lease.owner is None or (lease.owner != me and sightings.is_expired(lease, now, failover_s)):
            free.append(lease)
        else:
            owned[lease.owner].append(lease)
    own = [
        lease
        for lease in owned[me]
        if lease.key not in held
        and (lease.checkpoint_owner in (None, me) or sightings.is_expired(lease, now, failover_s))
    ]
    workers = workers_of(snapshot, sightings, me, now, settings)
    share = _shares({worker: len(owned[worker]) for worker in workers}, len(free))
    take, steal = _dealt(free, owned, share, me, _givers(owned, share, sightings, now, failover_s))
    long_free = [lease for lease in free if sightings.unchanged_s(lease, now) >= LONG_FREE * failover_s]
    if long_free:
        dealt = {lease.key for lease in take}
        rest = [lease for lease in long_free if lease.key not in dealt]
        dice.shuffle(rest)  # others may do the same at this moment
        take += rest
    asked = [
        lease for lease in snapshot.leases if lease.checkpoint_owner == me != lease.owner and lease.key not in held
    ]
    return Plan((*own, *take), tuple(steal), tuple(asked))


def next_look_s(snapshot: Snapshot, sightings: Sightings, me: str, now: float, settings: LeaseSettings) -> float:
    """Seconds until the next look: the usual interval, or sooner, when the lease of another may expire."""
    wait_s = settings.scan_interval_s(len(snapshot.leases))
    soonest = now + wait_s - settings.failover_s
    for lease in snapshot.leases:
        at_s = sightings.leases[lease.key].at_s
        if now - settings.failover_s < at_s < soonest and lease.owner not in (None, me) and not lease.is_finished:
            soonest = at_s
    # Rounding must not make it a wait that ends before it has begun.
    return max(SHORTEST_WAIT_S, soonest + settings.failover_s - now)


def retry_s(failures: int) -> float:
    """Seconds before the next try after so many failures in a row, the last one not counted: doubling, at most 30."""
    return min(FIRST_RETRY_S * 2.0 ** min(failures, 10), LONGEST_RETRY_S)


def _seen(before: Sighting | None, number: int, now: float, moved: bool) -> Sighting:
    return before if before is not None and before.number == number else Sighting(number, now, moved)


def _shares(sizes: Mapping[str, int], free: int) -> dict[str, int]:
    """How many leases each worker should have; where they do not divide evenly, who has more keeps more."""
    each, over = divmod(free + sum(sizes.values()), len(sizes))
    largest_first = sorted(sizes, key=lambda worker: (-sizes[worker], worker))
    return {worker: each + (place < over) for place, worker in enumerate(largest_first)}


def _givers(
    owned: Mapping[str, Sequence[Lease]], share: Mapping[str, int], sightings: Sightings, now: float, failover_s: float
) -> list[str]:
    """The workers with more than their share that are known to live.

    One that may have died is not asked: its leases are free sooner if nobody touches them.
    """
    return [
        worker
        for worker in sorted(share)
        if len(owned[worker]) > share[worker]
        and (
            sightings.shows_life(worker, now, failover_s)
            or any(sightings.leases[lease.key].moved for lease in owned[worker])
        )
    ]


def _dealt(
    free: list[Lease],
    owned: Mapping[str, Sequence[Lease]],
    share: Mapping[str, int],
    me: str,
    givers: Iterable[str],
) -> tuple[list[Lease], list[Lease]]:
    """My part of (free, others' surplus), dealt to the workers in the order of their names."""
    wanted = share[me] - len(owned[me])
    if wanted <= 0:
        return [], []
    before = sum(max(0, share[worker] - len(owned[worker])) for worker in share if worker < me)
    free.sort(key=_by_key)
    surplus: list[Lease] = []
    for giver in givers:
        settled = [lease for lease in owned[giver] if lease.checkpoint_owner is None]
        surplus += sorted(settled, key=_by_key)[: len(owned[giver]) - share[giver]]
    start = max(0, before - len(free))
    take = free[before : before + wanted]
    return take, surplus[start : start + wanted - len(take)]


def _by_key(lease: Lease) -> str:
    return lease.key

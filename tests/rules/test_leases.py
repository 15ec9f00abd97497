"""Who takes which lease: STR-180..198, KCL-12, KCL-20, and the sharing that comes of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import ConfigurationError
from eventmap.lease import SHARD_END, Lease, Presence, Snapshot
from eventmap.rules.leases import LeaseSettings, Plan, Sightings, next_look_s, plan, retry_s, workers_of

SETTINGS = LeaseSettings()  # failover 10 s


def lease(key: str, owner: str | None = None, **fields: object) -> Lease:
    return replace(Lease(key, "7", owner), **fields)  # type: ignore[arg-type]


class View:
    """What worker "me" sees of a table, look by look; the counters of those in `alive` rise by one a second."""

    def __init__(self, leases: Iterable[Lease], workers: Iterable[str] = ()) -> None:
        self.leases = {each.key: each for each in leases}
        self.beats = dict.fromkeys(workers, 0)
        self.now = 100.0
        self.sightings = Sightings()
        self.look()

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(tuple(self.leases.values()), tuple(Presence(name, beat) for name, beat in self.beats.items()))

    def look(self, *, dead: Iterable[str] = ()) -> View:
        self.sightings = self.sightings.after(self.snapshot, self.now, dead=dead)
        return self

    def after(self, seconds: float, *, alive: Iterable[str] = (), beating: Iterable[str] = ()) -> View:
        """Look again when so many seconds have passed."""
        self.now += seconds
        for each in self.leases.values():
            if each.owner in set(alive):
                self.leases[each.key] = replace(each, counter=each.counter + int(seconds) + 1)
        for worker in beating:
            self.beats[worker] = self.beats.get(worker, 0) + 1
        return self.look()

    def plan(self, *, held: Iterable[str] = (), settings: LeaseSettings = SETTINGS) -> Plan:
        return plan(self.snapshot, self.sightings, "me", self.now, settings, random.Random(1), held=set(held))

    @property
    def workers(self) -> list[str]:
        return workers_of(self.snapshot, self.sightings, "me", self.now, SETTINGS)


def keys(leases: Iterable[Lease]) -> list[str]:
    return [each.key for each in leases]


def test_str_180_182_times_follow_from_the_failover() -> None:
    """STR-180, STR-182: renewed twice in a lease's life; looks at larger tables are rarer."""
    settings = LeaseSettings(failover_s=30)

    assert (SETTINGS.renew_s, SETTINGS.beat_s, SETTINGS.scan_s) == (4.0, 4.0, 0.5)
    assert (settings.renew_s, settings.beat_s, settings.scan_s) == (12.0, 12.0, 1.5)
    assert [SETTINGS.scan_interval_s(count) for count in (0, 2_500, 5_000, 10_000)] == [0.5, 0.5, 1.0, 2.0]


@pytest.mark.parametrize("failover_s", [0.9, 0, -1, float("nan")])
def test_str_180_a_failover_below_a_second_is_refused(failover_s: float) -> None:
    """STR-180: a slow answer would cost the lease."""
    with pytest.raises(ConfigurationError, match="at least 1 second"):
        LeaseSettings(failover_s=failover_s)


def test_retries_double_up_to_half_a_minute() -> None:
    """STR-211's manner, for everything about leases."""
    assert [retry_s(failures) for failures in (0, 1, 2, 6, 100)] == [0.5, 1.0, 2.0, 30.0, 30.0]


def test_str_193_195_alone_it_takes_all_that_is_free_at_once() -> None:
    """STR-193, STR-195: nobody else, so the share is everything."""
    assert keys(View(map(lease, "abcdef")).plan().take) == list("abcdef")


def test_str_151_200_finished_and_waiting_leases_are_left() -> None:
    """STR-151, STR-200: nothing is left to read of one, nothing may be read yet of the other."""
    view = View([lease("a", checkpoint=SHARD_END), lease("b"), lease("c", parents=("b",)), lease("d", parents=("a",))])

    assert keys(view.plan().take) == ["b", "d"]


def test_str_192_kcl_14_a_lease_is_taken_when_its_counter_stood_still_on_our_own_clock() -> None:
    """STR-192: for the failover time since we first saw the number; the number itself says nothing."""
    view = View([lease("a", "other", counter=999_999)])

    assert view.plan() == Plan()
    assert view.after(9.9).plan() == Plan()
    assert keys(view.after(0.1).plan().take) == ["a"]


def test_str_192_kcl_20_a_lease_that_is_renewed_is_never_taken() -> None:
    """STR-192, KCL-20: a foreign worker that does nothing but raise counters keeps what it has."""
    view = View([lease("a", "other"), lease("b", "other")])

    for _ in range(20):
        assert view.after(9, alive=["other"]).plan() == Plan()


def test_str_192_leases_of_the_certainly_dead_are_free_at_once() -> None:
    """STR-192: on one machine it can be known; nobody waits for the failover."""
    view = View([lease("a", "other"), lease("b", "me", checkpoint_owner="other")], ["other"])

    assert keys(view.look(dead=["other"]).plan().take) == ["b", "a"]
    assert view.after(1, alive=["other"], beating=["other"]).workers == ["me"]  # the dead stay dead


def test_str_193_a_worker_is_counted_when_it_shows_life() -> None:
    """STR-193: an announcement found there may be years old; one that comes, or changes, is not."""
    view = View([], ["old"])
    assert view.workers == ["me"]
    assert view.after(1, beating=["new"]).workers == ["me", "new"]
    assert view.after(1, beating=["old"]).workers == ["me", "new", "old"]
    assert view.after(9, beating=["old"]).workers == ["me", "old"]  # new's has not changed for the failover time


def test_str_193_a_worker_that_renews_leases_is_counted_however_rarely_it_announces_itself() -> None:
    """STR-193, KCL-01: the KCL announces itself every 30 s only."""
    view = View([lease("a", "kcl")], ["kcl"])

    assert view.after(20, alive=["kcl"]).workers == ["kcl", "me"]
    assert view.after(20).workers == ["me"]


def test_str_193_kcl_20_one_that_announces_nothing_is_left_alone() -> None:
    """KCL-20: nothing is dealt to it, nothing asked of it: it is leaving, or follows another rule."""
    view = View([*(lease(f"o{n}", "other") for n in range(8)), lease("a"), lease("b")])

    assert keys(view.after(1, alive=["other"]).plan().take) == ["a", "b"]
    assert view.plan().steal == ()


def test_str_195_free_leases_are_dealt_and_nobody_reaches_for_another_ones() -> None:
    """STR-195: two workers with the same view take different leases."""
    view = View(map(lease, "abcde")).after(1, beating=["me", "other"])

    mine = plan(view.snapshot, view.sightings, "me", view.now, SETTINGS, random.Random(1))
    others = plan(view.snapshot, view.sightings, "other", view.now, SETTINGS, random.Random(2))

    assert sorted([*keys(mine.take), *keys(others.take)]) == list("abcde")
    assert len(mine.take) == 3


def test_str_186_194_what_nobody_takes_for_long_is_taken_whatever_the_share() -> None:
    """STR-194: whoever it was dealt to does not take it; after three times the failover anybody does."""
    view = View(map(lease, "abcd"), ["idle"]).after(1, beating=["idle"])
    assert keys(view.plan().take) == ["c", "d"]
    view.leases.update((each.key, replace(each, owner="me", counter=1)) for each in view.plan().take)

    for _ in range(7):
        assert keys(view.after(4, beating=["idle"]).plan(held="cd").take) == []
    assert sorted(keys(view.after(1, beating=["idle"]).plan(held="cd").take)) == ["a", "b"]


def test_str_185_196_what_others_have_beyond_their_share_is_asked_for_at_once() -> None:
    """STR-196: five of ten in one go, by hand-over (KCL-12), and only of a worker seen to live."""
    view = View([lease(f"l{n}", "other") for n in range(10)], ["other"])

    assert view.plan() == Plan()  # it may have died just now: then its leases are free sooner if nobody touches them
    assert keys(view.after(1, alive=["other"]).plan().steal) == ["l0", "l1", "l2", "l3", "l4"]
    assert view.plan().take == ()


def test_str_196_a_worker_that_shows_life_without_renewing_is_asked_too() -> None:
    """STR-196: its leases were renewed before our first look, its announcement after."""
    view = View([lease("a", "other"), lease("b", "other")], ["other"])

    assert len(view.after(1, beating=["other"]).plan().steal) == 1


@pytest.mark.parametrize(
    ("mine", "others", "steal"),
    [(3, 4, 0), (4, 3, 0), (3, 5, 1), (0, 1, 0), (0, 2, 1), (1, 1, 0), (2, 6, 2), (5, 2, 0)],
)
def test_str_196_uneven_shares_are_left_as_they_are(mine: int, others: int, steal: int) -> None:
    """STR-196: a difference of one is nobody's to mend, or the odd lease would go to and fro for ever."""
    leases = [lease(f"m{n}", "me") for n in range(mine)] + [lease(f"o{n}", "other") for n in range(others)]
    view = View(leases, ["other"]).after(1, alive=["other"])

    assert len(view.plan(held=keys(leases[:mine])).steal) == steal


def test_str_196_the_free_are_taken_before_any_is_asked_for() -> None:
    """STR-196: a hand-over interrupts somebody's reading; a free lease does not."""
    leases = [*(lease(f"o{n}", "other") for n in range(6)), lease("free")]
    view = View(leases, ["other"]).after(1, alive=["other"])

    assert (keys(view.plan().take), len(view.plan().steal)) == (["free"], 2)


def test_kcl_12_one_that_changes_hands_is_not_asked_for_again() -> None:
    """KCL-12: it is on its way to a third worker; counted as that one's already."""
    leases = [lease(f"o{n}", "other", checkpoint_owner="third") for n in range(3)] + [lease("x", "other")]
    view = View(leases, ["other"]).after(1, alive=["other"])

    assert keys(view.plan().steal) == ["x"]


def test_kcl_12_a_lease_on_its_way_to_us_waits_for_its_old_owner() -> None:
    """KCL-12: ours to read once released, or once the old owner's counter has stood still."""
    view = View([lease("a", "me", checkpoint_owner="old", counter=3)])

    assert view.after(9).plan() == Plan()
    assert keys(view.after(1).plan().take) == ["a"]
    view.leases["a"] = lease("a", "me", counter=4)
    assert keys(view.after(1).plan().take) == ["a"]
    assert view.plan(held="a") == Plan()


def test_kcl_12_what_is_asked_of_us_before_we_began_is_given_at_once() -> None:
    """KCL-12: nobody works on it, so nobody would ever give it up."""
    view = View([lease("a", "new", checkpoint_owner="me"), lease("b", "new", checkpoint_owner="me")])

    assert keys(view.plan(held="a").give) == ["b"]


def test_str_192_our_own_asking_is_no_sign_of_the_owners_life() -> None:
    """STR-192: the lease asked for expires when its owner's own last sign is old."""
    view = View([lease("a", "old", counter=3)]).after(9)
    view.leases["a"] = lease("a", "me", checkpoint_owner="old", counter=3)

    assert keys(view.after(1).plan().take) == ["a"]


@pytest.mark.parametrize(
    ("leases", "elapsed", "expected"),
    [
        ([], 0, 0.5),
        ([lease("a", "other")], 2, 0.5),
        ([lease("a", "other")], 9.75, 0.25),  # the moment it may expire
        ([lease("a", "other")], 10, 0.5),  # expired already; that is the plan's business
        ([lease("a", "me")], 9.75, 0.5),
        ([lease("a")], 9.75, 0.5),
        ([lease("a", "other", checkpoint=SHARD_END)], 9.75, 0.5),
    ],
)
def test_str_183_192_the_next_look_meets_the_moment_of_expiry(
    leases: list[Lease], elapsed: float, expected: float
) -> None:
    """STR-192: neither an interval late, nor more often than needed."""
    view = View(leases).after(elapsed)

    assert next_look_s(view.snapshot, view.sightings, "me", view.now, SETTINGS) == pytest.approx(expected)


OWNERS = st.lists(st.sampled_from(["w0", "w1", "w2", "w3", "w4", "w5", None]), max_size=60)


@given(OWNERS, st.sets(st.sampled_from(["w0", "w1", "w2", "w3", "w4", "w5"]), min_size=1))
def test_str_193_196_one_round_makes_shares_even_and_the_next_moves_nothing(
    owners: list[str | None], living: set[str]
) -> None:
    """STR-193..196: nobody reaches for another's part, shares differ by one at most, then all is quiet."""
    view = View([lease(f"l{n:02}", owner if owner in living else None) for n, owner in enumerate(owners)], living)
    view.after(1, alive=living, beating=living)

    def planned() -> dict[str, Plan]:
        return {
            worker: plan(view.snapshot, view.sightings, worker, view.now, SETTINGS, random.Random(1), held=view.leases)
            for worker in living
        }

    moved = [(each.key, worker) for worker, part in planned().items() for each in (*part.take, *part.steal)]
    assert len({key for key, _ in moved}) == len(moved)
    for key, worker in moved:
        view.leases[key] = replace(view.leases[key], owner=worker)
    view.after(0)

    sizes = Counter(each.owner for each in view.leases.values())
    assert None not in sizes
    assert max(sizes[worker] for worker in living) - min(sizes[worker] for worker in living) <= 1
    assert set(planned().values()) == {Plan()}

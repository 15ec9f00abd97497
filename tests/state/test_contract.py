"""What every store of leases does alike, whoever keeps the leases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest

from eventmap.delivery.stream.ports import LeaseStore
from eventmap.lease import SHARD_END, Lease, Presence
from eventmap.shard import TRIM_HORIZON

Stores = tuple[LeaseStore, LeaseStore]
Change = Callable[[LeaseStore, Lease], Awaitable[Lease | bool | None]]

KEY = "shardId-000000000001"
NEW = Lease(KEY, TRIM_HORIZON, hash_range=("0", "340282366920938463463374607431768211455"), stream="arn:stream")

CHANGES: list[tuple[str, Change]] = [
    ("take", lambda store, lease: store.take(lease, "c")),
    ("hand over", lambda store, lease: store.take(lease, "c", hand_over=True)),
    ("renew", lambda store, lease: store.renew(lease)),
    ("checkpoint", lambda store, lease: store.checkpoint(lease, "9")),
    ("finish", lambda store, lease: store.finish(lease, ["child"])),
    ("release", lambda store, lease: store.release(lease)),
    ("delete", lambda store, lease: store.delete(lease)),
]


async def created(store: LeaseStore, lease: Lease = NEW) -> Lease:
    await store.create([lease])
    found = await store.get(lease.key)
    assert found is not None
    return found


async def owned(store: LeaseStore, owner: str = "a", lease: Lease = NEW) -> Lease:
    taken = await store.take(await created(store, lease), owner)
    assert taken is not None
    return taken


async def test_kcl_10_a_new_lease_is_nobodys_and_begins_at_zero(stores: Stores) -> None:
    """What was created is what is read, by get and by scan, from either worker."""
    parents = ("shardId-000000000003", "shardId-000000000004")
    child = Lease("shardId-000000000005", TRIM_HORIZON, parents=parents, stream="arn:stream")

    await stores[0].create([NEW, child])

    assert await stores[1].get(KEY) == NEW
    assert await stores[1].get(child.key) == child
    assert sorted((await stores[1].scan()).leases, key=lambda lease: lease.key) == [NEW, child]
    assert (NEW.owner, NEW.counter) == (None, 0)


async def test_str_200_creating_leaves_what_exists_alone(stores: Stores) -> None:
    """Two workers that list the same shards create the same leases; the second changes nothing."""
    taken = await owned(stores[0])
    other = Lease("shardId-000000000002", TRIM_HORIZON)

    await stores[1].create([NEW, other])

    assert await stores[0].get(KEY) == taken
    assert await stores[0].get(other.key) == other


async def test_an_empty_creation_and_a_missing_lease(stores: Stores) -> None:
    """Nothing to do is no error, and what is not there is None."""
    await stores[0].create([])

    assert await stores[0].get(KEY) is None
    assert (await stores[0].scan()).leases == ()


async def test_many_leases_are_created_and_scanned(stores: Stores) -> None:
    """More than are created at once; none is left out and none is there twice."""
    leases = [Lease(f"shardId-{number:012}", TRIM_HORIZON) for number in range(60)]

    await stores[0].create(leases)

    assert sorted((await stores[1].scan()).leases, key=lambda lease: lease.key) == leases


async def test_str_162_197_taking_names_the_owner_and_raises_the_counter(stores: Stores) -> None:
    """A lease nobody had is taken without counting a switch of owners."""
    lease = await created(stores[0])

    taken = await stores[0].take(lease, "a")

    assert taken == replace(lease, owner="a", counter=1)
    assert await stores[1].get(KEY) == taken


async def test_str_165_197_a_change_of_owner_is_counted(stores: Stores) -> None:
    """Taken from another worker the switches grow; taken again by its owner they do not."""
    lease = await owned(stores[0])

    stolen = await stores[1].take(lease, "b")
    assert stolen is not None
    again = await stores[1].take(stolen, "b")

    assert stolen == replace(lease, owner="b", counter=2, owner_switches=1)
    assert again == replace(stolen, counter=3)


async def test_str_197_of_workers_that_race_for_a_lease_one_wins(stores: Stores) -> None:
    """Whoever is second finds the condition failed, and the lease is the first one's."""
    lease = await created(stores[0])
    won: list[Lease] = []

    async def race(store: LeaseStore, owner: str) -> None:
        if taken := await store.take(lease, owner):
            won.append(taken)

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(race, stores[number % 2], f"worker-{number}")

    [winner] = won
    assert await stores[0].get(KEY) == winner


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES])
async def test_str_197_198_199_who_lost_a_lease_changes_nothing(stores: Stores, change: Change) -> None:
    """Not one kind of write of the old owner succeeds once another has taken the lease."""
    old = await owned(stores[0], "a")
    new = await stores[1].take(old, "b")

    refused = await change(stores[0], old)

    assert not refused
    assert await stores[1].get(KEY) == new


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES])
async def test_str_198_a_lease_that_is_gone_cannot_be_changed(stores: Stores, change: Change) -> None:
    """A change never brings a deleted lease back."""
    lease = await owned(stores[0])
    assert await stores[0].delete(lease)

    refused = await change(stores[1], lease)

    assert not refused
    assert await stores[1].get(KEY) is None


async def test_kcl_11_a_renewal_raises_the_counter_and_nothing_else(stores: Stores) -> None:
    """It can be repeated from what it returned, not from what it was given."""
    lease = await owned(stores[0])

    first = await stores[0].renew(lease)
    assert first is not None
    second = await stores[0].renew(first)

    assert second == replace(lease, counter=3)
    assert await stores[0].renew(first) is None


async def test_str_163_199_202_a_checkpoint_is_written_with_its_window(stores: Stores) -> None:
    """Both in one write; the switches and the place within a record go back to zero; without a window it is dropped."""
    switched = replace(NEW, sub_sequence=3, owner_switches=2)
    lease = await owned(stores[0], lease=switched)
    window = {"start": 1_700_000_000, "state": {"sum": 1.5, "ünï": ["\u2028", None, True]}}

    with_window = await stores[0].checkpoint(lease, "49590338271490256608559692538361571095921575989136588898", window)
    assert with_window is not None
    read = await stores[1].get(KEY)
    without = await stores[0].checkpoint(with_window, "49590338271490256608559692538361571095921575989136588899")

    assert read == with_window
    assert read == replace(lease, checkpoint=with_window.checkpoint, counter=2, sub_sequence=0, owner_switches=0,
                           window=window)  # fmt: skip
    assert without is not None and without.window is None
    assert await stores[1].get(KEY) == without


async def test_str_202_a_window_survives_a_renewal_and_a_change_of_owner(stores: Stores) -> None:
    """Whoever reads the shard next goes on with the window where the checkpoint stands."""
    window = {"state": {"sum": 1}}
    saved = await stores[0].checkpoint(await owned(stores[0]), "7", window)
    assert saved is not None
    renewed = await stores[0].renew(saved)
    assert renewed is not None

    await stores[1].take(renewed, "b")

    found = await stores[1].get(KEY)
    assert found is not None and (found.owner, found.checkpoint, found.window) == ("b", "7", window)


async def test_str_84_202_a_window_of_a_megabyte_is_kept(stores: Stores) -> None:
    """The state may have 1 MB, more than an item of DynamoDB."""
    window = {"state": {str(number): f"order-{number}" for number in range(40_000)}}
    lease = await owned(stores[0])

    saved = await stores[0].checkpoint(lease, "7", window)
    assert saved is not None
    renewed = await stores[0].renew(saved)

    assert renewed == await stores[1].get(KEY)
    assert renewed is not None and renewed.window == window


async def test_str_167_kcl_13_a_finished_lease_names_its_children(stores: Stores) -> None:
    """SHARD_END and children in one write; a window ends with its shard; it can still be renewed, then deleted."""
    lease = await stores[0].checkpoint(await owned(stores[0]), "7", {"state": {}})
    assert lease is not None
    children = ("shardId-000000000003", "shardId-000000000004")

    done = await stores[0].finish(lease, children)

    assert done == replace(lease, checkpoint=SHARD_END, children=children, counter=3, window=None)
    assert done is not None and done.is_finished
    renewed = await stores[0].renew(done)
    assert renewed == await stores[1].get(KEY) == replace(done, counter=4)


async def test_str_200_a_deleted_lease_is_gone(stores: Stores) -> None:
    """Deleting what changed since it was read fails, and so does deleting twice."""
    lease = await owned(stores[0])
    renewed = await stores[0].renew(lease)
    assert renewed is not None

    answers = [await stores[1].delete(lease), await stores[1].delete(renewed), await stores[1].delete(renewed)]

    assert answers == [False, True, False]
    assert (await stores[0].scan()).leases == ()


async def test_str_161_a_released_lease_is_nobodys(stores: Stores) -> None:
    """Its checkpoint stays, and the next to take it counts no switch."""
    lease = await stores[0].checkpoint(await owned(stores[0]), "7")
    assert lease is not None

    free = await stores[0].release(lease)

    assert free == await stores[1].get(KEY) == replace(lease, owner=None, counter=3)
    assert free is not None
    assert await stores[1].take(free, "b") == replace(free, owner="b", counter=4)


async def test_kcl_12_str_170_while_it_hands_over_the_old_owner_checkpoints(stores: Stores) -> None:
    """From what it reads anew it may renew and checkpoint; with its release the new owner stands alone."""
    lease = await owned(stores[0], "a")

    handed = await stores[1].take(lease, "b", hand_over=True)

    assert handed == replace(lease, owner="b", checkpoint_owner="a", owner_switches=1)
    seen = await stores[0].get(KEY)
    assert seen == handed and seen is not None
    renewed = await stores[0].renew(seen)
    assert renewed is not None
    last = await stores[0].checkpoint(renewed, "7")
    assert last == replace(handed, checkpoint="7", counter=3, owner_switches=0)
    assert last is not None
    over = await stores[0].release(last)
    assert over == await stores[1].get(KEY) == replace(last, checkpoint_owner=None, counter=4)
    assert over is not None
    assert await stores[1].renew(over) == replace(over, counter=5)


async def test_kcl_12_a_hand_over_that_is_not_finished_can_be_cut_short(stores: Stores) -> None:
    """The new owner takes what is its own already; the old one cannot write any more, and no switch is counted."""
    lease = await owned(stores[0], "a")
    handed = await stores[1].take(lease, "b", hand_over=True)
    assert handed is not None

    cut = await stores[1].take(handed, "b")

    assert cut == replace(handed, checkpoint_owner=None, counter=2)
    assert await stores[0].checkpoint(handed, "7") is None


async def test_kcl_12_a_hand_over_that_overtakes_another_leaves_who_is_at_work(stores: Stores) -> None:
    """a hands over to b, who has not begun when c is to have it: it is still a that may checkpoint."""
    lease = await owned(stores[0], "a")
    to_b = await stores[1].take(lease, "b", hand_over=True)
    assert to_b is not None

    to_c = await stores[1].take(to_b, "c", hand_over=True)

    assert to_c == replace(to_b, owner="c", checkpoint_owner="a", owner_switches=2)
    assert to_c is not None
    back = await stores[0].take(to_c, "a", hand_over=True)
    assert back == replace(to_c, owner="a", checkpoint_owner=None, counter=2, owner_switches=3)


async def test_kcl_12_taking_what_is_nobodys_needs_no_hand_over(stores: Stores) -> None:
    """Nobody has to be waited for."""
    lease = await created(stores[0])

    assert await stores[0].take(lease, "a", hand_over=True) == replace(lease, owner="a", counter=1)


async def test_kcl_21_workers_see_each_other_until_they_withdraw(stores: Stores) -> None:
    """A beat that changes shows life; leases and workers do not mix."""
    await created(stores[0])
    await stores[0].announce("a", 1)
    await stores[1].announce("b", 1)
    await stores[0].announce("a", 2)

    both = await stores[1].scan()
    await stores[0].withdraw("a")
    one = await stores[1].scan()

    assert set(both.workers) == {Presence("a", 2), Presence("b", 1)}
    assert one.workers == (Presence("b", 1),)
    assert both.leases == one.leases == (NEW,)


async def test_a_worker_that_withdraws_may_come_back(stores: Stores) -> None:
    """Withdrawing twice, or without having been there, is no error."""
    await stores[0].withdraw("a")
    await stores[0].announce("a", 1)
    await stores[0].withdraw("a")
    await stores[0].withdraw("a")

    await stores[0].announce("a", 3)

    assert (await stores[1].scan()).workers == (Presence("a", 3),)
    assert not await stores[1].is_dead("a")


async def test_a_worker_nobody_knows_is_not_called_dead(stores: Stores) -> None:
    """What cannot be known is not claimed."""
    assert not await stores[0].is_dead("stranger")

"""The one writer of one lease: STR-198, STR-199, KCL-12, and what becomes of lost answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.delivery.stream.held_lease import HeldLease
from eventmap.errors import LeaseLost
from eventmap.lease import SHARD_END, Lease
from eventmap.testing.memory_leases import MemoryLeases, MemoryLeaseTable

pytestmark = pytest.mark.virtual_time


class Scene:
    """A lease in `me`'s hands, and its table."""

    def __init__(self, **faults: float) -> None:
        self.table = MemoryLeaseTable()
        self.table.put(Lease("a", "5", "me", counter=1))
        self.store: MemoryLeases = self.table.store_for("me", **faults)  # type: ignore[arg-type]
        self.held = HeldLease(self.lease, self.store, "me")

    @property
    def lease(self) -> Lease:
        return self.table.leases["a"]

    def edit(self, **fields: object) -> Lease:
        """As another worker changes it, counter + 1."""
        self.table.put(replace(self.lease, counter=self.lease.counter + 1, **fields))  # type: ignore[arg-type]
        return self.lease


WRITES: list[Callable[[HeldLease], Awaitable[None]]] = [
    lambda held: held.checkpoint("6"),
    lambda held: held.renew(),
    lambda held: held.finish(["b"]),
    lambda held: held.release(),
]
NAMES = ["checkpoint", "renew", "finish", "release"]


async def test_str_199_202_checkpoint_and_window_are_saved_together() -> None:
    """STR-199, STR-202: a later checkpoint without a window removes it."""
    scene = Scene()

    await scene.held.checkpoint("6", {"sum": 1})
    assert (scene.lease.checkpoint, scene.lease.window, scene.lease.counter) == ("6", {"sum": 1}, 2)
    await scene.held.checkpoint("7")
    assert (scene.lease.checkpoint, scene.lease.window, scene.held.lease) == ("7", None, scene.lease)


async def test_str_199_checkpoints_never_move_backwards() -> None:
    """STR-199: compared as numbers; an older one is dropped, the same one is not written twice."""
    scene = Scene()
    await scene.held.checkpoint("10")

    for older in ("9", "10", "TRIM_HORIZON"):
        await scene.held.checkpoint(older)

    assert (scene.lease.checkpoint, scene.table.calls["checkpoint"]) == ("10", 1)
    with pytest.raises(ValueError, match="banana"):
        await scene.held.checkpoint("banana")


async def test_str_199_one_write_at_a_time() -> None:
    """STR-199: ten writers of one lease, none refused, the highest checkpoint stands."""
    scene = Scene(delay_s=0.1)

    async with anyio.create_task_group() as tasks:
        for number in (9, 3, 8, 12, 7, 11, 10):
            tasks.start_soon(scene.held.checkpoint, str(number))
        tasks.start_soon(scene.held.renew)

    assert (scene.lease.checkpoint, scene.table.calls["get"]) == ("12", 0)


@pytest.mark.parametrize("write", WRITES, ids=NAMES)
async def test_str_198_nothing_is_written_once_another_has_it(write: Callable[[HeldLease], Awaitable[None]]) -> None:
    """STR-198: the refused write says so, whatever it was; giving up what is gone is no error."""
    scene = Scene()
    others = scene.edit(owner="other")

    if write is WRITES[3]:
        await write(scene.held)
    else:
        with pytest.raises(LeaseLost, match="other's"):
            await write(scene.held)
        assert scene.held.lost.is_set()
    with pytest.raises(LeaseLost):
        await scene.held.checkpoint("8")
    assert scene.lease == others


async def test_str_198_a_deleted_lease_is_lost() -> None:
    """STR-198: somebody reset the application."""
    scene = Scene()
    scene.table.leases.clear()

    with pytest.raises(LeaseLost, match="deleted"):
        await scene.held.renew()


async def test_str_198_not_renewed_for_the_failover_time_counts_as_lost() -> None:
    """STR-198: without asking the table, which others may read by now; a write before that puts it off."""
    scene = Scene()
    await anyio.sleep(9)
    await scene.held.checkpoint("6")
    await anyio.sleep(9)
    await scene.held.renew()
    await anyio.sleep(10)
    before = scene.table.calls.total()

    with pytest.raises(LeaseLost, match="for 10 s"):
        await scene.held.checkpoint("7")
    assert scene.table.calls.total() == before


async def test_str_198_what_runs_under_a_lost_lease_is_cancelled() -> None:
    """STR-198: at once, wherever it waits."""
    scene = Scene()

    async with anyio.create_task_group() as tasks:
        with scene.held.scope:
            tasks.start_soon(anyio.lowlevel.checkpoint)
            scene.edit(owner="other")
            scene.held.notice(scene.lease)
            await anyio.sleep_forever()

    assert scene.held.lost.is_set()


@pytest.mark.parametrize("write", WRITES, ids=NAMES)
@pytest.mark.parametrize("seed", range(5))
async def test_str_197_a_lost_answer_is_looked_up(seed: int, write: Callable[[HeldLease], Awaitable[None]]) -> None:
    """STR-197: half of all answers, reads included, are lost: each write is done once, none is taken for a loss."""
    scene = Scene(lost_answers=0.5, throttle=0.3, seed=seed)

    await write(scene.held)

    assert scene.lease.counter == 2
    assert not scene.held.lost.is_set()


async def test_str_197_a_cancelled_write_that_took_effect_is_no_other_workers() -> None:
    """STR-197: the drain cuts a checkpoint short; the lease can still be given up."""
    for moment in (0.01, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9):
        scene = Scene(delay_s=1.0, seed=3)
        with anyio.move_on_after(moment):
            await scene.held.checkpoint("6")
        await scene.held.release()

        assert (scene.lease.owner, scene.held.lost.is_set()) == (None, False), moment
        assert scene.lease.checkpoint in ("5", "6")


async def test_str_197_a_cancelled_write_may_take_effect_after_it_was_looked_for() -> None:
    """STR-197: the connection is gone, the request was not: it lands between the look and the next write."""
    scene = Scene(delay_s=1.0, seed=3)
    with anyio.move_on_after(0.01):
        await scene.held.checkpoint("6")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.held.release)
        while not scene.table.calls["get"]:
            await anyio.sleep(0.001)
        scene.edit(checkpoint="6")

    assert (scene.lease.owner, scene.lease.checkpoint, scene.held.lost.is_set()) == (None, "6", False)


async def test_str_198_a_twin_with_our_name_is_another_worker() -> None:
    """STR-198: the lease moved without us, though it says it is ours."""
    scene = Scene()
    scene.edit(checkpoint="9")

    with pytest.raises(LeaseLost):
        await scene.held.checkpoint("6")


async def test_str_198_an_unreachable_table_costs_the_lease_in_the_end() -> None:
    """STR-198: the write is tried again until the failover time is over, and raises nothing but that."""
    scene = Scene()
    scene.store.is_reachable = False

    with pytest.raises(LeaseLost):
        await scene.held.checkpoint("6")
    assert 10 <= elapsed_s() <= 11


async def test_kcl_12_while_it_is_handed_over_the_old_owner_may_still_save() -> None:
    """KCL-12: it is told to leave, saves, renews, and gives the lease to the new owner."""
    scene = Scene()
    scene.edit(owner="new", checkpoint_owner="me")

    await scene.held.checkpoint("6")
    assert scene.held.leaving.is_set()
    await scene.held.renew()
    await scene.held.checkpoint("7")
    await scene.held.release()

    assert (scene.lease.owner, scene.lease.checkpoint_owner, scene.lease.checkpoint) == ("new", None, "7")
    assert not scene.held.lost.is_set()
    with pytest.raises(LeaseLost, match="given up"):
        await scene.held.renew()


async def test_kcl_12_noticing_a_hand_over_is_enough_to_leave() -> None:
    """KCL-12: a look shows it before a write is refused; an older look, or our own write, says nothing."""
    scene = Scene()
    old = scene.lease
    await scene.held.renew()

    scene.held.notice(replace(old, owner="other"))
    scene.held.notice(replace(scene.lease, counter=9))
    assert not scene.held.leaving.is_set() and not scene.held.lost.is_set()
    scene.held.notice(scene.edit(owner="new", checkpoint_owner="me"))
    assert scene.held.leaving.is_set() and not scene.held.lost.is_set()


async def test_kcl_13_an_end_names_the_children() -> None:
    """KCL-13: SHARD_END and the children in one write; then it is nobody's."""
    scene = Scene()

    await scene.held.finish(["b", "c"])
    assert (scene.lease.checkpoint, scene.lease.children, scene.lease.owner) == (SHARD_END, ("b", "c"), "me")
    await scene.held.release()
    assert scene.lease.owner is None


async def test_str_198_the_time_of_a_renewal_is_when_it_was_sent() -> None:
    """STR-198: a slow answer must not make us believe in the lease longer than others do."""
    scene = Scene(delay_s=4.0)
    await scene.held.renew()

    assert elapsed_s() > 0.5
    assert (scene.held.last_confirmed_s, scene.held.expires_s) == (0.0, 10.0)
    assert HeldLease(scene.lease, scene.store, "me", failover_s=3, taken_at_s=2.0).expires_s == 5.0


async def test_str_198_a_renewal_found_later_counts_from_when_it_was_sent() -> None:
    """STR-198: it took effect, its answer was lost, and the table could not be asked for five seconds."""
    scene = Scene(delay_s=1.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.held.renew)
        while scene.lease.counter == 1:
            await anyio.sleep(0.001)
        scene.store.is_reachable = False
        await anyio.sleep(5)
        scene.store.is_reachable = True

    assert elapsed_s() > 5
    assert (scene.held.last_confirmed_s, scene.lease.counter) == (0.0, 2)

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import pytest

from eventmap import clock
from eventmap.errors import TransientSourceError
from eventmap.lease import Lease
from eventmap.shard import TRIM_HORIZON
from eventmap.testing.memory_leases import MemoryLeases, MemoryLeaseTable

pytestmark = pytest.mark.virtual_time

LEASE = Lease("shardId-000000000001", TRIM_HORIZON)


async def outcome_of(call: Awaitable[object]) -> str:
    try:
        return "done" if await call else "refused"
    except TransientSourceError as error:
        return error.code or "lost"


async def test_str_162_a_lost_answer_has_taken_effect() -> None:
    """The lease is taken, though its taker cannot know."""
    table = MemoryLeaseTable()
    table.put(LEASE)
    store = table.store_for("a", lost_answers=1.0)

    outcome = await outcome_of(store.take(LEASE, "a"))

    assert outcome == "lost"
    assert table.leases[LEASE.key] == replace(LEASE, owner="a", counter=1)
    assert (store.injected["lost_answers"], table.calls["take"]) == (1, 1)


async def test_a_throttled_call_has_no_effect() -> None:
    """And did not reach the table."""
    table = MemoryLeaseTable()
    table.put(LEASE)
    store = table.store_for("a", throttle=1.0)

    outcome = await outcome_of(store.take(LEASE, "a"))

    assert outcome == "ThrottlingException"
    assert table.leases[LEASE.key] == LEASE
    assert (store.injected["throttle"], table.calls["take"]) == (1, 0)


@pytest.mark.virtual_time
async def test_kcl_21_a_worker_may_announce_itself_by_a_clock_that_is_off() -> None:
    """The beat others see is the second of its own clock, as a KCL worker's is."""
    table = MemoryLeaseTable()
    before = clock.wall_time_s()

    await table.store_for("behind", clock_skew_s=-3_600).announce("behind", 7)
    await table.store_for("counting").announce("counting", 7)

    assert table.workers == {"behind": int(before - 3_600), "counting": 7}


async def test_an_unreachable_table_answers_one_worker_only() -> None:
    """A worker that is cut off hears nothing and writes nothing until it is back; the others do not notice."""
    table = MemoryLeaseTable()
    table.put(LEASE)
    cut_off, other = table.store_for("a"), table.store_for("b")
    cut_off.is_reachable = False

    with pytest.raises(TransientSourceError, match="cannot be reached"):
        await cut_off.scan()
    assert (await other.scan()).leases == (LEASE,)
    cut_off.is_reachable = True

    assert (await cut_off.scan()).leases == (LEASE,)


async def test_a_worker_cut_off_while_it_waits_loses_the_answer() -> None:
    """The call had taken effect when the connection broke."""
    table = MemoryLeaseTable()
    table.put(LEASE)
    store = table.store_for("a", delay_s=10.0)
    outcomes: list[str] = []

    async def take() -> None:
        outcomes.append(await outcome_of(store.take(LEASE, "a")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        while table.leases[LEASE.key] == LEASE:
            await anyio.sleep(0.1)
        store.is_reachable = False

    assert outcomes == ["lost"]
    assert store.injected["lost_answers"] == 1


async def test_delays_stay_within_their_bound() -> None:
    """Before and after the effect, each at most `delay_s`."""
    table = MemoryLeaseTable()
    store = table.store_for("a", delay_s=2.0)
    took: list[float] = []

    for _ in range(50):
        began_at = clock.elapsed_s()
        await store.scan()
        took.append(clock.elapsed_s() - began_at)

    assert 0 < min(took) < 1 < max(took) <= 4


async def test_without_faults_no_time_passes_but_others_run() -> None:
    """Two workers that read before they write do race."""
    table = MemoryLeaseTable()
    table.put(LEASE)
    outcomes: list[str] = []

    async def take(worker: str) -> None:
        store = table.store_for(worker)
        lease = await store.get(LEASE.key)
        assert lease is not None
        outcomes.append(await outcome_of(store.take(lease, worker)))

    async with anyio.create_task_group() as tasks:
        for worker in ("a", "b", "c"):
            tasks.start_soon(take, worker)

    assert sorted(outcomes) == ["done", "refused", "refused"]
    assert clock.elapsed_s() == 0


async def faults_of(make: Callable[[MemoryLeaseTable], MemoryLeases]) -> list[str]:
    table = MemoryLeaseTable()
    store = make(table)
    return [await outcome_of(store.create([LEASE])) for _ in range(200)]


async def test_the_same_seed_gives_the_same_faults() -> None:
    """To each worker its own, near the rates asked for."""
    first = await faults_of(lambda table: table.store_for("a", seed=1, lost_answers=0.2, throttle=0.2))
    again = await faults_of(lambda table: table.store_for("a", seed=1, lost_answers=0.2, throttle=0.2))
    other = await faults_of(lambda table: table.store_for("b", seed=1, lost_answers=0.2, throttle=0.2))
    one_rate = await faults_of(lambda table: table.store_for("a", seed=1, throttle=0.2))

    assert first == again != other
    assert 20 <= first.count("lost") <= 50
    assert [fault for fault in one_rate if fault == "lost"] == []
    assert [at for at, fault in enumerate(first) if fault == "ThrottlingException"] == [
        at for at, fault in enumerate(one_rate) if fault == "ThrottlingException"
    ]


async def test_a_foreign_worker_writes_past_every_condition() -> None:
    """As a KCL worker that raises its counter would be seen by ours."""
    table = MemoryLeaseTable()
    table.put(LEASE)
    store = table.store_for("a")

    table.put(replace(LEASE, owner="kcl-1", counter=7))

    assert await store.take(LEASE, "a") is None
    assert await store.get(LEASE.key) == replace(LEASE, owner="kcl-1", counter=7)


async def test_the_dead_are_whom_the_test_names() -> None:
    """As a store on one machine would find out."""
    table = MemoryLeaseTable()
    store = table.store_for("a")
    table.dead.add("b")

    assert (await store.is_dead("b"), await store.is_dead("c")) == (True, False)


async def test_calls_are_counted_by_operation() -> None:
    """All workers' together: what a real table would bill."""
    table = MemoryLeaseTable()
    first, second = table.store_for("a"), table.store_for("b")
    await first.create([LEASE])
    lease = await first.take(LEASE, "a")
    assert lease is not None
    await second.renew(LEASE)
    for store in (first, second):
        await store.scan()

    assert table.calls == {"create": 1, "take": 1, "renew": 1, "scan": 2}

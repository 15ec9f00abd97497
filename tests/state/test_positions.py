"""What every store of schedules' positions does alike, and what those in a file and of a fleet do beyond it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from eventmap.clock import elapsed_s, wall_time_s
from eventmap.delivery.schedule.ports import Positions
from eventmap.errors import LeaseLost, StateError, TransientSourceError
from eventmap.lease import Lease
from eventmap.rules.schedule.position import Claimed, Elsewhere, Passed
from eventmap.state.positions_fleet import FleetPositions
from eventmap.state.positions_memory import MemoryPositions
from eventmap.state.positions_sqlite import SqlitePositions
from eventmap.state.sqlite import SqliteLeases
from eventmap.testing.memory_leases import MemoryLeaseTable
from eventmap.testing.virtual_time import START_WALL_TIME_S

pytestmark = pytest.mark.virtual_time

NOW = int(START_WALL_TIME_S)
FAILOVER_S = 10.0

Open = Callable[[], "AsyncIterator[Positions]"]


def fleet(table: MemoryLeaseTable, worker: str, **faults: float) -> FleetPositions:
    store = table.store_for(worker, **faults)  # type: ignore[arg-type]
    return FleetPositions(store, worker, dice=random.Random(worker), failover_s=FAILOVER_S)


class Kept:
    """Positions of one kind, opened as often as a process starts."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._folder = folder
        self._memory = MemoryPositions()
        self._table = MemoryLeaseTable()
        self._lives = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Positions]:
        self._lives += 1
        worker = f"worker-{self._lives}"
        async with AsyncExitStack() as stack:
            match self.kind:
                case "memory":
                    yield self._memory
                case "sqlite":
                    file = SqlitePositions(self._folder / "schedules.sqlite")
                    stack.push_async_callback(file.aclose)
                    await file.prepare()
                    yield file
                case "fleet":
                    positions = fleet(self._table, worker)
                    stack.push_async_callback(positions.aclose)
                    yield positions
                case _:
                    leases = SqliteLeases(self._folder / "state.sqlite", "schedules")
                    stack.push_async_callback(leases.aclose)
                    await leases.prepare()
                    positions = FleetPositions(leases, worker, dice=random.Random(1), failover_s=FAILOVER_S)
                    stack.push_async_callback(positions.aclose)
                    yield positions


@pytest.fixture(params=["memory", "sqlite", "fleet", "fleet on sqlite"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return Kept(request.param, tmp_path)


async def test_what_is_not_known_begins_now(kept: Kept) -> None:
    """And keeps that position, also for the next process."""
    async with kept.open() as positions:
        assert await positions.load(["a", "b"]) == {"a": NOW, "b": NOW}
    await anyio.sleep(100)

    async with kept.open() as positions:
        assert await positions.load(["a", "c"]) == {"a": NOW, "c": int(wall_time_s())}


async def test_what_is_recorded_is_known_to_the_next_process(kept: Kept) -> None:
    """And to the next claim."""
    async with kept.open() as positions:
        await positions.load(["a", "b"])
        assert await positions.claim("a", NOW + 60) == Claimed(NOW)
        await positions.record("a", NOW + 60)
        await positions.record("a", NOW + 120)
        await positions.release("a")
        assert await positions.claim("a", NOW + 180) == Claimed(NOW + 120)
        await positions.release("a")

    async with kept.open() as positions:
        assert await positions.load(["a", "b"]) == {"a": NOW + 120, "b": NOW}


async def test_what_is_forgotten_begins_anew(kept: Kept) -> None:
    """An unknown key is fine."""
    async with kept.open() as positions:
        await positions.load(["a", "b"])
        await anyio.sleep(100)
        await positions.forget(["a", "nobody"])
        assert await positions.load(["a", "b"]) == {"a": int(wall_time_s()), "b": NOW}


async def test_what_was_forgotten_meanwhile_is_not_recorded(kept: Kept) -> None:
    """A run under way does not bring its schedule back."""
    async with kept.open() as positions:
        await positions.load(["a"])
        await positions.claim("a", NOW + 60)
        await positions.forget(["a"])
        try:
            await positions.record("a", NOW + 60)
        except LeaseLost:
            assert kept.kind.startswith("fleet")
        await positions.release("a")

    async with kept.open() as positions:
        await anyio.sleep(5)
        assert await positions.load(["a"]) == {"a": int(wall_time_s())}


async def test_of_one_process_a_forgotten_schedule_has_no_run(tmp_path: Path) -> None:
    """It was removed while its turn began."""
    for positions in (MemoryPositions(), SqlitePositions(tmp_path / "s.sqlite")):
        if isinstance(positions, SqlitePositions):
            await positions.prepare()
        assert await positions.claim("a", NOW) == Passed(NOW)
        if isinstance(positions, SqlitePositions):
            await positions.aclose()


async def test_a_file_is_one_processs(tmp_path: Path) -> None:
    """The second is told whose it is, and how a fleet does it."""
    first, second = SqlitePositions(tmp_path / "s.sqlite"), SqlitePositions(tmp_path / "s.sqlite")
    await first.prepare()

    with pytest.raises(
        StateError, match=r"schedule file .* is in use by process \d+: .*--schedule-state dynamodb:TABLE"
    ):
        await second.prepare()

    await first.aclose()
    await second.prepare()
    await second.aclose()
    await second.aclose()


async def test_a_file_that_is_not_open_says_so(tmp_path: Path) -> None:
    """Before prepare and after aclose."""
    positions = SqlitePositions(tmp_path / "s.sqlite")

    with pytest.raises(StateError, match="not open"):
        await positions.load(["a"])
    assert not (tmp_path / "s.sqlite").exists()


async def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """As every file of ours."""
    sqlite3.connect(tmp_path / "s.sqlite").execute("CREATE TABLE t (a)").connection.close()

    with pytest.raises(StateError, match="another program's"):
        await SqlitePositions(tmp_path / "s.sqlite").prepare()


async def test_one_worker_of_a_fleet_gets_the_run() -> None:
    """The others are told when to ask again, and then that it is done."""
    table = MemoryLeaseTable()
    one, two = fleet(table, "one"), fleet(table, "two")
    await one.load(["a"])
    await two.load(["a"])

    assert await one.claim("a", NOW + 60) == Claimed(NOW)
    assert await two.claim("a", NOW + 60) == Elsewhere(FAILOVER_S)
    await one.record("a", NOW + 60)
    await one.release("a")

    assert await two.claim("a", NOW + 60) == Passed(NOW + 60)
    assert await two.claim("a", NOW + 120) == Claimed(NOW + 60)


async def test_of_workers_that_ask_at_once_one_gets_it() -> None:
    """However their calls interleave."""
    for seed in range(50):
        table = MemoryLeaseTable()
        workers = [fleet(table, f"{seed}-{number}", delay_s=0.05) for number in range(4)]
        for worker in workers:
            await worker.load(["a"])
        time = int(wall_time_s()) + 60
        claims: list[object] = []

        async def claim(worker: FleetPositions, time: int = time, claims: list[object] = claims) -> None:
            claims.append(await worker.claim("a", time))

        async with anyio.create_task_group() as tasks:
            for worker in workers:
                tasks.start_soon(claim, worker)

        assert sum(isinstance(each, Claimed) for each in claims) == 1
        assert sum(isinstance(each, Elsewhere) for each in claims) == 3


async def test_a_worker_that_died_is_followed_after_the_failover() -> None:
    """Its lease must stand still for so long; the run is still to be had, and the dead one's claim is void."""
    table = MemoryLeaseTable()
    dying, other = fleet(table, "dying"), fleet(table, "other")
    await dying.load(["a"])
    await dying.claim("a", NOW + 60)

    claim = await other.claim("a", NOW + 60)
    while isinstance(claim, Elsewhere):
        await anyio.sleep(claim.again_s)
        claim = await other.claim("a", NOW + 60)

    assert claim == Claimed(NOW)
    assert elapsed_s() == pytest.approx(FAILOVER_S)
    with pytest.raises(LeaseLost):
        await dying.record("a", NOW + 60)
    await dying.release("a")
    await other.record("a", NOW + 60)
    assert table.leases["schedule/a"].checkpoint == str(NOW + 60)


async def test_a_worker_known_to_be_dead_is_followed_at_once() -> None:
    """As a store on one machine knows it."""
    table = MemoryLeaseTable()
    dying, other = fleet(table, "dying"), fleet(table, "other")
    await dying.load(["a"])
    await dying.claim("a", NOW + 60)
    table.dead.add("dying")

    assert await other.claim("a", NOW + 60) == Claimed(NOW)
    with pytest.raises(LeaseLost):  # it was not dead after all
        await dying.record("a", NOW + 60)
    assert (table.leases["schedule/a"].owner, table.leases["schedule/a"].checkpoint) == ("other", str(NOW))


async def test_a_worker_that_records_run_after_run_keeps_its_claim() -> None:
    """Each record shows that it lives."""
    table = MemoryLeaseTable()
    busy, other = fleet(table, "busy"), fleet(table, "other")
    await busy.load(["a"])
    await busy.claim("a", NOW + 600)
    for run in range(1, 6):
        assert isinstance(await other.claim("a", NOW + 600), Elsewhere)
        await anyio.sleep(0.9 * FAILOVER_S)
        await busy.record("a", NOW + run)

    assert table.leases["schedule/a"].owner == "busy"


async def test_a_lost_answer_is_looked_after() -> None:
    """A record whose answer was lost is known to stand, and claims after it are to be had again."""
    table = MemoryLeaseTable()
    worker = fleet(table, "one", lost_answers=0.2)
    while True:
        try:
            await worker.load(["a"])
            break
        except TransientSourceError:
            await anyio.sleep(0.1)
    for run in range(1, 200):
        while True:
            try:
                claim = await worker.claim("a", NOW + run)
                break
            except TransientSourceError:
                await anyio.sleep(0.1)
        assert claim == Claimed(NOW + run - 1)
        await worker.record("a", NOW + run)
        await worker.release("a")

    assert table.leases["schedule/a"].checkpoint == str(NOW + 199)


async def test_a_record_is_not_tried_for_ever() -> None:
    """When the lease may be another's the claim is lost."""
    table = MemoryLeaseTable()
    store = table.store_for("one")
    worker = FleetPositions(store, "one", dice=random.Random(1), failover_s=FAILOVER_S)
    await worker.load(["a"])
    await worker.claim("a", NOW + 60)
    store.is_reachable = False

    with pytest.raises(LeaseLost):
        await worker.record("a", NOW + 60)

    assert FAILOVER_S <= elapsed_s() <= FAILOVER_S + 1


async def test_a_lease_removed_by_another_worker_loses_no_run() -> None:
    """Whoever still has the schedule makes it anew, just before the run that is due."""
    table = MemoryLeaseTable()
    one, two = fleet(table, "one"), fleet(table, "two")
    await one.load(["a"])
    await two.load(["a"])
    await one.forget(["a"])

    assert await two.claim("a", NOW + 60) == Claimed(NOW + 59)


async def test_a_lease_of_a_stream_is_no_schedules() -> None:
    """Schedules need a table of their own, and say so."""
    table = MemoryLeaseTable()
    table.put(Lease("schedule/a", "TRIM_HORIZON"))

    with pytest.raises(StateError, match="a lease table of their own"):
        await fleet(table, "one").load(["a"])


async def test_idle_schedules_cost_no_calls() -> None:
    """Nothing is renewed: leases are held only while a run begins."""
    table = MemoryLeaseTable()
    worker = fleet(table, "one")
    await worker.load([f"schedule-{n}" for n in range(100)])
    before = table.calls.total()
    await anyio.sleep(3600)

    assert table.calls.total() == before
    await worker.aclose()
    assert table.workers == {}

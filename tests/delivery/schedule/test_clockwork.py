from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from eventmap.clock import wall_time_s
from eventmap.delivery.schedule.clockwork import Clockwork
from eventmap.delivery.schedule.timed import Timed, into_queue
from eventmap.errors import ConfigurationError, StateError, TransientSourceError
from eventmap.rules.schedule.position import Claim
from eventmap.schedule import Schedule
from eventmap.state.events_memory import MemoryEvents
from eventmap.state.positions_fleet import FleetPositions
from eventmap.state.positions_memory import MemoryPositions
from eventmap.state.positions_sqlite import SqlitePositions
from eventmap.testing.memory_leases import MemoryLeaseTable
from tests.delivery.asynchronous.scene import Scene as QueueScene
from tests.delivery.schedule.scene import START, Scene

pytestmark = pytest.mark.virtual_time

MINUTE, HOUR, DAY = 60, 3600, 86_400


class FaultyPositions(MemoryPositions):
    """Whose calls fail while `is_broken`, only records while `is_full`; and records never end while it `hangs`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = self.is_full = self.hangs = False

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        self._check()
        return await super().load(keys)

    async def claim(self, key: str, time: int) -> Claim:
        self._check()
        return await super().claim(key, time)

    async def record(self, key: str, position: int) -> None:
        if self.hangs:
            await anyio.sleep_forever()
        if self.is_full:
            raise TransientSourceError("locked")
        await super().record(key, position)

    def _check(self) -> None:
        if self.is_broken:
            raise StateError("the disk is full")


async def test_src_52_a_rate_first_runs_one_interval_after_it_was_made() -> None:
    """SRC-52: and then every interval, at the second."""
    scene = Scene()
    async with scene.at_work([scene.timed("rate(5 minutes)")], MemoryPositions()):
        await anyio.sleep(16 * MINUTE)

    assert scene.fired == [(300, 300), (600, 600), (900, 900)]


async def test_src_66_cron_runs_at_its_minute() -> None:
    """SRC-66: at the start of it, in UTC."""
    scene = Scene()
    async with scene.at_work([scene.timed("cron(0/30 1-2 * * ? *)")], MemoryPositions()):
        await anyio.sleep(DAY + HOUR + 1)

    assert scene.times == [HOUR, HOUR + 1800, 2 * HOUR, 2 * HOUR + 1800, DAY + HOUR]
    assert all(time == began for time, began in scene.fired)


async def test_src_80_at_runs_once_and_never_again() -> None:
    """SRC-80: also for the process that comes after."""
    scene, positions = Scene(), MemoryPositions()
    at = scene.timed("at(2026-01-01T02:00:30)", schedule_expression_timezone="Europe/Berlin")
    async with scene.at_work([at], positions) as clockwork:
        await anyio.sleep(DAY)
        assert clockwork.next_runs() == {"job": None}
    async with scene.at_work([at], positions):
        await anyio.sleep(DAY)

    assert scene.times == [HOUR + 30]


async def test_a_year_of_a_nightly_job_passes_in_milliseconds() -> None:
    """365 runs, each at its time; what is real is measured, generously for a busy machine."""
    scene = Scene()
    began_s = time.perf_counter()
    async with scene.at_work([scene.timed("cron(0 2 * * ? *)")], MemoryPositions()):
        await anyio.sleep(365 * DAY)

    assert scene.times == [day * DAY + 2 * HOUR for day in range(365)]
    assert time.perf_counter() - began_s < 2


@pytest.mark.parametrize(
    ("misfire", "made_up", "count"),
    [("once", [6 * HOUR], 1), ("all", [4 * HOUR, 5 * HOUR, 6 * HOUR], 3), ("skip", [], 0)],
)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_downtime_is_made_up_for_as_the_policy_says(
    misfire: str, made_up: list[int], count: int, kind: str, tmp_path: Path
) -> None:
    """What was missed between 3:30 and 6:30 is begun at 6:30; then all goes on as before."""
    scene = Scene()
    hourly = scene.timed("cron(0 * * * ? *)", misfire=misfire)
    memory = MemoryPositions()

    for down_s, up_s in ((0, 3 * HOUR + 1800), (3 * HOUR, HOUR)):
        await anyio.sleep(down_s)
        file = SqlitePositions(tmp_path / "schedules.sqlite")
        if kind == "sqlite":
            await file.prepare()
        async with scene.at_work([hourly], file if kind == "sqlite" else memory) as clockwork:
            await anyio.sleep(up_s)
        await file.aclose()

    assert scene.times == [HOUR, 2 * HOUR, 3 * HOUR, *made_up, 7 * HOUR]
    assert [round(began) for _, began in scene.fired[3:-1]] == [6 * HOUR + 1800] * count
    assert clockwork.statistics.misfires == 1
    assert clockwork.statistics.runs == count + 1


async def test_a_restart_within_a_minute_of_a_run_is_no_downtime() -> None:
    """A run that begins up to a minute late is not missed, whatever the policy."""
    scene, positions = Scene(), MemoryPositions()
    hourly = scene.timed("cron(0 * * * ? *)", misfire="skip")
    async with scene.at_work([hourly], positions):
        await anyio.sleep(HOUR - 10)
    await anyio.sleep(70)
    async with scene.at_work([hourly], positions) as clockwork:
        await anyio.sleep(MINUTE)

    assert scene.fired == [(HOUR, HOUR + 60)]
    assert clockwork.statistics.misfires == 0
    assert clockwork.statistics.late_s == 60


async def test_a_rate_keeps_its_grid_over_a_restart() -> None:
    """It goes on counting from its last run, not from the start of the process."""
    scene, positions = Scene(), MemoryPositions()
    every = scene.timed("rate(10 minutes)")
    async with scene.at_work([every], positions):
        await anyio.sleep(25 * MINUTE)
    async with scene.at_work([every], positions):
        await anyio.sleep(10 * MINUTE)

    assert scene.times == [600, 1200, 1800]


async def test_a_crash_between_begin_and_record_repeats_the_run_under_the_same_request_id() -> None:
    """So that a queue knows it: nothing is lost, and nothing runs twice."""
    positions, events, queue_scene = FaultyPositions(), MemoryEvents(), QueueScene()
    schedule = Schedule(schedule_expression="cron(0 * * * ? *)", function_name="orders", input={"job": 1})
    repeated = 0
    async with queue_scene.queue(events) as queue:
        timed = Timed.of(schedule, into_queue(schedule, queue.accept, region="eu-central-1", account_id="1"))
        for is_cut_off in (True, False):
            async with Scene().at_work([timed], positions) as clockwork:
                positions.hangs = is_cut_off
                await anyio.sleep(HOUR + 5)
                repeated += clockwork.statistics.repeated

    assert repeated == 1
    assert [json.loads(event.payload) for _, event in queue_scene.attempts] == [{"job": 1}] * 2
    assert positions.known[schedule.key] == START + 2 * HOUR


async def test_a_run_that_cannot_be_begun_is_tried_until_it_can() -> None:
    """With growing pauses; it shows as a trouble meanwhile, and other schedules go on."""
    scene, healthy = Scene(), Scene()
    scene.refuses = True
    timed = [scene.timed("cron(0 1 * * ? *)", "ill"), healthy.timed("rate(1 minute)", "well")]
    async with scene.at_work(timed, MemoryPositions()) as clockwork:
        await anyio.sleep(HOUR + 40)
        assert clockwork.troubles() == ["schedule ill: a run cannot be begun or recorded: the queue is full"]
        assert 4 <= clockwork.statistics.errors <= 12
        scene.refuses = False
        await anyio.sleep(30)
        assert clockwork.troubles() == []

    assert scene.times == [HOUR]
    assert len(healthy.times) == 61


async def test_positions_that_cannot_be_loaded_are_waited_for() -> None:
    """Nothing is begun without knowing how far it is; it shows as a trouble."""
    scene, positions = Scene(), FaultyPositions()
    positions.is_broken = True
    async with scene.at_work([scene.timed("rate(1 minute)")], positions) as clockwork:
        await anyio.sleep(100)
        assert clockwork.troubles() == ["schedules: how far they are done is not known: the disk is full"]
        positions.is_broken = False
        await anyio.sleep(100)
        assert clockwork.troubles() == []

    assert len(scene.times) == 1


async def test_a_record_that_fails_is_tried_again_and_the_run_is_not() -> None:
    """However long it takes; later runs are begun meanwhile, if late, and none of them counts as missed."""
    scene, positions = Scene(), FaultyPositions()
    timed = scene.timed("cron(0 * * * ? *)", misfire="all")
    async with scene.at_work([timed], positions) as clockwork:
        positions.is_full = True
        await anyio.sleep(3 * HOUR + MINUTE)
        assert clockwork.troubles() == ["schedule job: a run cannot be begun or recorded: locked"]
        assert positions.known[timed.key] == START
        positions.is_full = False
        await anyio.sleep(MINUTE)
        assert positions.known[timed.key] == START + 3 * HOUR

    assert scene.times == [HOUR, 2 * HOUR, 3 * HOUR]
    assert all(began - time <= 30 for time, began in scene.fired)
    assert clockwork.statistics.misfires == 0


async def test_src_81_a_flexible_run_begins_within_its_window() -> None:
    """SRC-81: at a moment of it, another one each time, each run once."""
    scene = Scene()
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
    flexible = scene.timed("cron(0 * * * ? *)", flexible_time_window=window, misfire="skip")
    async with scene.at_work([flexible], MemoryPositions()):
        await anyio.sleep(10 * DAY)

    assert scene.times[:239] == [hour * HOUR for hour in range(1, 240)]
    delays = [began - time for time, began in scene.fired]
    assert all(0 <= delay < 30 * MINUTE for delay in delays)
    assert len({round(delay) for delay in delays}) > 150


async def test_src_81_windows_may_overlap() -> None:
    """SRC-81: no run is left out where the window is longer than the interval."""
    scene = Scene()
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    async with scene.at_work([scene.timed("rate(1 minute)", flexible_time_window=window)], MemoryPositions()):
        await anyio.sleep(2 * HOUR)

    assert scene.times[:105] == [minute * MINUTE for minute in range(1, 106)]
    assert all(0 <= began - time <= 15 * MINUTE for time, began in scene.fired)


async def test_schedules_come_and_go_while_it_runs() -> None:
    """One that is removed is not begun any more and begins anew when it comes back."""
    scene, positions = Scene(), MemoryPositions()
    async with scene.at_work([scene.timed("rate(10 minutes)", "first")], positions) as clockwork:
        await anyio.sleep(MINUTE)
        await clockwork.add(scene.timed("rate(1 minute)", "second"))
        assert clockwork.next_runs() == {"first": START + 600, "second": START + 120}
        await anyio.sleep(2 * MINUTE + 1)
        await clockwork.remove("second")
        await clockwork.remove("nobody")
        await anyio.sleep(5 * MINUTE)
        await clockwork.add(scene.timed("rate(1 minute)", "second"))
        await anyio.sleep(MINUTE + 1)

    assert scene.times == [120, 180, 541]
    assert len(positions.known) == 2


@pytest.mark.parametrize("kind", ["one process", "a fleet"])
async def test_one_that_is_removed_during_its_turn_stays_away(kind: str) -> None:
    """Its run ends; nothing is recorded of it, and no other follows."""
    scene, memory, table = Scene(), MemoryPositions(), MemoryLeaseTable()
    fleet = FleetPositions(table.store_for("one"), "one", dice=random.Random(1))
    positions = memory if kind == "one process" else fleet
    scene.takes_s = 10
    async with scene.at_work([scene.timed("rate(1 minute)")], positions) as clockwork:
        await anyio.sleep(65)
        await clockwork.remove("job")
        await anyio.sleep(10 * MINUTE)

    assert scene.times == [60]
    assert memory.known == table.leases == {}


async def test_one_that_is_removed_while_it_waits_is_not_claimed() -> None:
    """In a fleet that would make its lease anew, and begin a run of it."""
    scene, table = Scene(), MemoryLeaseTable()
    positions = FleetPositions(table.store_for("one"), "one", dice=random.Random(1))
    async with scene.at_work([scene.timed("rate(1 minute)")], positions) as clockwork:
        await anyio.sleep(30)
        await clockwork.remove("job")
        await anyio.sleep(10 * MINUTE)

    assert scene.times == []
    assert table.leases == {}


async def test_names_are_ones_own() -> None:
    """Two schedules of one name are refused, at the start and later."""
    scene = Scene()
    twice = [scene.timed("rate(1 minute)"), scene.timed("rate(2 minutes)")]

    with pytest.raises(ConfigurationError, match="two schedules are called 'job'"):
        Clockwork(twice, MemoryPositions(), dice=random.Random(1))
    async with scene.at_work(twice[:1], MemoryPositions()) as clockwork:
        with pytest.raises(ConfigurationError, match="two schedules are called 'job'"):
            await clockwork.add(twice[1])


async def test_one_whose_position_cannot_be_loaded_is_not_added() -> None:
    """The caller is told, and may try again."""
    scene, positions = Scene(), FaultyPositions()
    async with scene.at_work([], positions) as clockwork:
        await anyio.sleep(1)
        positions.is_broken = True
        with pytest.raises(StateError):
            await clockwork.add(scene.timed("rate(1 minute)"))
        positions.is_broken = False
        await clockwork.add(scene.timed("rate(1 minute)"))
        await anyio.sleep(MINUTE + 1)

    assert scene.times == [61]


async def test_what_is_disabled_is_never_due_and_begins_anew() -> None:
    """What fell into that time is not made up for."""
    scene, positions = Scene(), MemoryPositions()
    for enabled in (True, False, True):
        async with scene.at_work([scene.timed("rate(10 minutes)", enabled=enabled, misfire="all")], positions):
            await anyio.sleep(15 * MINUTE)

    assert scene.times == [600, 2400]


async def test_a_drain_lets_what_is_begun_be_recorded() -> None:
    """And begins nothing more; what is cut off is begun again by the next process."""
    scene, positions = Scene(), MemoryPositions()
    timed = scene.timed("rate(1 minute)")
    scene.takes_s = 5
    for drained_after_s, budget_s, left in ((MINUTE + 2, 10, 0), (MINUTE - 3, 1, 1)):
        clockwork = Clockwork([timed], positions, dice=random.Random(1))
        async with anyio.create_task_group() as tasks:
            await tasks.start(clockwork.run)
            await anyio.sleep(drained_after_s)
            assert await clockwork.drain(budget_s) == left
            await clockwork.drain(budget_s)

    assert scene.times == [60]
    assert positions.known[timed.key] == START + 60


async def test_a_crowd_at_one_moment_is_begun_whole() -> None:
    """Many more than have their turn at once."""
    scene = Scene()
    scene.takes_s = 0.1
    timed = [scene.timed("cron(0 1 * * ? *)", f"job-{number}") for number in range(500)]
    async with scene.at_work(timed, MemoryPositions()):
        await anyio.sleep(HOUR + MINUTE)

    assert len(set(scene.request_ids)) == len(scene.times) == 500
    assert max(began for _, began in scene.fired) < HOUR + 5


async def test_runs_of_all_are_recorded_one_by_one() -> None:
    """A failure half-way goes on from there, and repeats nothing before it."""
    scene, positions = Scene(), MemoryPositions()
    timed = scene.timed("cron(0 * * * ? *)", misfire="all")
    async with scene.at_work([timed], positions):
        await anyio.sleep(1)
    await anyio.sleep(6 * HOUR)
    scene.takes_s = 1
    async with scene.at_work([timed], positions):
        await anyio.sleep(3.5)
        assert positions.known[timed.key] == START + 3 * HOUR
    async with scene.at_work([timed], positions):
        await anyio.sleep(10)

    assert scene.times == [hour * HOUR for hour in (1, 2, 3, 4, 5, 6)]


async def test_a_clock_set_back_repeats_nothing() -> None:
    """The position is ahead of the clock then: the next run is the one after it."""
    scene, positions = Scene(), MemoryPositions()
    timed = scene.timed("cron(0 * * * ? *)")
    positions.known[timed.key] = int(wall_time_s()) + 2 * HOUR
    async with scene.at_work([timed], positions) as clockwork:
        await anyio.sleep(1)
        assert clockwork.next_runs() == {"job": START + 3 * HOUR}
        await anyio.sleep(4 * HOUR)

    assert scene.times == [3 * HOUR, 4 * HOUR]


async def test_daylight_saving_at_work() -> None:
    """A job at half past two in Berlin: none on the night it is skipped, one on the night it comes twice."""
    scene = Scene()
    nightly = scene.timed("cron(30 2 * * ? *)", schedule_expression_timezone="Europe/Berlin", misfire="skip")
    async with scene.at_work([nightly], MemoryPositions()):
        await anyio.sleep(365 * DAY)

    days = [datetime.fromtimestamp(START + time, UTC).date().isoformat() for time in scene.times]
    assert len(days) == len(set(days)) == 364
    assert "2026-03-29" not in days
    assert days.count("2026-10-25") == 1

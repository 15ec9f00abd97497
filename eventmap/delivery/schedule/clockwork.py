"""Clockwork: begins the runs of any number of schedules, from one heap and one task that sleeps.

load ──▶ waiting ──its moment──▶ turn: claim ─┬─ ours ──▶ begin what is due, record each ──▶ release ─┐
            ▲                                 ├─ another worker has begun it ──────────────────────────┤
            │                                 └─ another is at it, or an error: wait, then ask again ──┤
            └──────────────────────────────────────────────────────────────────────────────────────────┘
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup, TaskStatus

from eventmap import telemetry
from eventmap.clock import look_again_s, wall_time_s
from eventmap.delivery.schedule.ports import Positions
from eventmap.delivery.schedule.statistics import ScheduleStatistics
from eventmap.delivery.schedule.timed import Timed
from eventmap.errors import ConfigurationError, EventmapError
from eventmap.rules.leases import retry_s
from eventmap.rules.schedule.event import run_at, timestamp
from eventmap.rules.schedule.misfire import due, next_moment
from eventmap.rules.schedule.position import Claimed, Elsewhere, Passed

TURNS_AT_ONCE: Final = 32
"""Schedules whose runs are being begun at one time."""

_LOADED_AT_ONCE: Final = 100
_SHORTEST_WAIT_S: Final = 0.001  # rounding must not make it a wait that ends before it has begun


@dataclass(slots=True)
class _Place:
    """Where one schedule is; held by the clockwork as long as it has that schedule."""

    timed: Timed
    position: int | None = None  #: epoch seconds, as it was recorded; None = not loaded yet
    begun: int = 0  #: the time of the last run begun here, recorded or not; epoch seconds, 0 = none was
    moment: float | None = None  #: when its next turn is, epoch seconds; None = never, or it has its turn now
    failures: int = 0  #: in a row
    error: str = ""  #: of the last one


class Clockwork:
    """Runs `timed`; what it begins is begun at least once, and once if nothing crashes and no answer is lost.

    Raises: ConfigurationError for two of the same name.
    """

    def __init__(self, timed: Sequence[Timed], positions: Positions, *, dice: random.Random) -> None:
        self.statistics: ScheduleStatistics = ScheduleStatistics()
        self._positions = positions
        self._dice = dice
        self._log = telemetry.logger("eventmap.schedule")
        self._places: dict[str, _Place] = {}  # by name
        self._heap: list[tuple[float, int, _Place]] = []  # an entry counts while its place's moment is that one
        self._ties = itertools.count()
        self._load_error = ""  # of the first load, while it does not succeed
        self._turns = 0
        self._room = anyio.Semaphore(TURNS_AT_ONCE)
        self._woken = anyio.Event()
        self._turned = anyio.Event()
        self._beginning = anyio.CancelScope()
        self._began, self._drained = anyio.Event(), anyio.Event()
        for each in timed:
            self._place(each)

    async def add(self, timed: Timed) -> None:
        """One more, from now on; before `run` too. Raises: ConfigurationError, StateError, SourceError."""
        place = self._place(timed)
        try:
            await self._load([place])
        except BaseException:
            del self._places[timed.name]
            raise

    async def remove(self, name: str) -> None:
        """Begin no further run of it, and forget its position; an unknown name is fine.

        Raises: StateError, SourceError: its position may be there still.
        """
        if (place := self._places.pop(name, None)) is not None:
            place.moment = None
            await self._positions.forget([place.timed.key])

    def next_runs(self) -> Mapping[str, float | None]:
        """By name, when each is next begun, in epoch seconds; None = never again, not known yet, or just now."""
        return {name: place.moment for name, place in self._places.items()}

    def troubles(self) -> list[str]:
        """A line for what stands still now."""
        if self._load_error:
            return [f"schedules: how far they are done is not known: {self._load_error}"]
        failing = [place for place in self._places.values() if place.failures]
        more = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
        return [
            f"schedule {place.timed.name}{more}: a run cannot be begun or recorded: {place.error}"
            for place in failing[:1]
        ]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Begin what is due until `drain` has ended, or cancelled."""
        async with anyio.create_task_group() as tasks:
            task_status.started()
            try:
                with self._beginning:
                    await self._load_all()
                    while True:
                        await self._begin_due(tasks)
            finally:
                self._began.set()
            await self._drained.wait()
            tasks.cancel_scope.cancel()

    async def drain(self, budget_s: float) -> int:
        """Begin nothing more, let what is being begun be recorded within `budget_s` seconds.

        Returns how many schedules were cut off: their runs are begun again, under the same request ids. Only while
        `run` runs; draining twice is fine.
        """
        self._beginning.cancel()
        await self._began.wait()
        with anyio.move_on_after(budget_s):
            while self._turns:
                await self._turned.wait()
        left = self._turns
        self._drained.set()
        return left

    def _place(self, timed: Timed) -> _Place:
        if timed.name in self._places:
            raise ConfigurationError(f"two schedules are called {timed.name!r}: give one of them another name")
        self._places[timed.name] = place = _Place(timed)
        return place

    async def _load_all(self) -> None:
        failures = 0
        while True:
            try:
                await self._load([place for place in self._places.values() if place.position is None])
                disabled = [place.timed.key for place in self._places.values() if not place.timed.enabled]
                await self._positions.forget(disabled)
                self._load_error = ""
                return
            except EventmapError as error:
                wait_s = retry_s(failures)
                failures += 1
                self.statistics.errors += 1
                self._load_error = str(error)
                self._log.error(telemetry.SCHEDULES_UNREACHABLE, error=str(error), retry_in_s=wait_s)
            await anyio.sleep(wait_s)

    async def _load(self, places: Iterable[_Place]) -> None:
        asked = [place for place in places if place.timed.enabled]
        found = await self._positions.load([place.timed.key for place in asked])
        for number, place in enumerate(asked, 1):
            place.position = found[place.timed.key]
            self._wait(place)
            if number % _LOADED_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()  # thousands take a while

    def _wait(self, place: _Place) -> None:
        """For its next run, which may be due already."""
        assert place.position is not None
        moment = next_moment(place.timed.timetable, place.position, place.timed.key)
        if moment is None:
            place.moment = None
        else:
            self._turn_at(place, moment)

    def _turn_at(self, place: _Place, moment: float) -> None:
        if self._places.get(place.timed.name) is not place:
            return  # removed meanwhile
        place.moment = moment
        if not self._heap or moment < self._heap[0][0]:
            self._woken.set()
        heapq.heappush(self._heap, (moment, next(self._ties), place))

    async def _begin_due(self, tasks: TaskGroup) -> None:
        """Give all whose moment has come their turn, then sleep until the next one's."""
        self._woken = woken = anyio.Event()  # before the look: what is added after it is not slept through
        for place in self._popped_due():
            await self._room.acquire()
            self._turns += 1
            tasks.start_soon(self._turn, place)
        wait_s = look_again_s()
        if self._heap:
            wait_s = min(wait_s, self._heap[0][0] - wall_time_s())
        if wait_s > 0:
            with anyio.move_on_after(max(wait_s, _SHORTEST_WAIT_S)):
                await woken.wait()

    def _popped_due(self) -> list[_Place]:
        """Shuffled: of a fleet each worker begins with others."""
        now = wall_time_s()
        found: list[_Place] = []
        while self._heap and self._heap[0][0] <= now:
            moment, _, place = heapq.heappop(self._heap)
            if place.moment == moment:
                place.moment = None
                found.append(place)
        self._dice.shuffle(found)
        return found

    async def _turn(self, place: _Place) -> None:
        try:
            await self._take_turn(place)
            place.failures = 0
        except EventmapError as error:
            wait_s = retry_s(place.failures) * (1 - self._dice.random() / 4)
            place.failures += 1
            place.error = str(error)
            self.statistics.errors += 1
            self._log.error(
                telemetry.SCHEDULE_FAILED, schedule=place.timed.name, error=str(error), retry_in_s=round(wait_s, 3)
            )
            self._turn_at(place, wall_time_s() + wait_s)
        finally:
            self._turns -= 1
            self._room.release()
            self._turned.set()
            self._turned = anyio.Event()

    async def _take_turn(self, place: _Place) -> None:
        assert place.position is not None
        timed = place.timed
        time = timed.timetable.next(place.position)
        if time is None:
            return
        claim = await self._positions.claim(timed.key, time)
        match claim:
            case Claimed(position):
                place.position = position
                try:
                    await self._begin(place, position)
                finally:
                    await self._positions.release(timed.key)
            case Passed(position):
                place.position = position
                self.statistics.elsewhere += 1
            case Elsewhere(again_s):
                self._turn_at(place, wall_time_s() + again_s)
                return
            case _:
                assert_never(claim)
        self._wait(place)

    async def _begin(self, place: _Place, position: int) -> None:
        """Each run is recorded as soon as it is begun; a crash in between begins it again, an error does not."""
        timed = place.timed
        done = max(position, place.begun)
        found = due(timed.timetable, done, int(wall_time_s()), timed.misfire, timed.key)
        if found.missed_until is not None:
            self.statistics.misfires += 1
            self._log.warning(
                telemetry.SCHEDULE_MISFIRED,
                schedule=timed.name,
                done_until=timestamp(done),
                missed_until=timestamp(found.missed_until),
                policy=timed.misfire,
                made_up_for=sum(time <= found.missed_until for time in found.times),
            )
        for time in found.times:
            run = run_at(timed.key, time)
            is_new = await timed.fire(run)
            place.begun = time
            self.statistics.runs += 1
            self.statistics.repeated += not is_new
            self.statistics.late_s = wall_time_s() - timed.timetable.moment(time, timed.key)
            self._log.info(
                telemetry.SCHEDULE_BEGAN, schedule=timed.name, time=timestamp(time), request_id=run.request_id
            )
            await self._positions.record(timed.key, time)
            place.position = time
        if place.position != found.position:  # what was left out is done, too
            await self._positions.record(timed.key, found.position)
            place.position = found.position

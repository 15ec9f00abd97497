"""A clockwork with what it fires, for tests on virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from eventmap.clock import wall_time_s
from eventmap.delivery.schedule.clockwork import Clockwork
from eventmap.delivery.schedule.ports import Positions
from eventmap.delivery.schedule.timed import Timed
from eventmap.errors import TransientSourceError
from eventmap.rules.schedule.event import Run
from eventmap.schedule import Schedule
from eventmap.testing.virtual_time import START_WALL_TIME_S

START = int(START_WALL_TIME_S)
"""2026-01-01T00:00:00Z, a Thursday."""


class Scene:
    """What was fired: (seconds since the start it was for, seconds since the start it began)."""

    def __init__(self) -> None:
        self.fired: list[tuple[int, float]] = []
        self.request_ids: list[str] = []
        self.takes_s = 0.0
        self.refuses = False

    @property
    def times(self) -> list[int]:
        return [time for time, _ in self.fired]

    async def fire(self, run: Run) -> bool:
        await anyio.sleep(self.takes_s)
        if self.refuses:
            raise TransientSourceError("the queue is full")
        is_new = run.request_id not in self.request_ids
        self.fired.append((run.time - START, round(wall_time_s() - START, 3)))
        self.request_ids.append(run.request_id)
        return is_new

    def timed(self, expression: str, name: str = "job", **settings: Any) -> Timed:
        schedule = Schedule(schedule_expression=expression, function_name="f", name=name, **settings)
        return Timed.of(schedule, self.fire)

    @asynccontextmanager
    async def at_work(self, timed: Sequence[Timed], positions: Positions, seed: int = 1) -> AsyncIterator[Clockwork]:
        """Cut off at the end of the block, as by the end of the process."""
        clockwork = Clockwork(timed, positions, dice=random.Random(seed))
        async with anyio.create_task_group() as tasks:
            await tasks.start(clockwork.run)
            yield clockwork
            tasks.cancel_scope.cancel()

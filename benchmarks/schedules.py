"""Idle schedules: what ten thousand of them, none of them due, cost a process in time and memory."""

from __future__ import annotations

import gc
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import anyio

from benchmarks.figure import AtMost, Figure
from eventmap.delivery.schedule.clockwork import Clockwork
from eventmap.delivery.schedule.timed import Timed, into_queue
from eventmap.runtime.memory import resident_bytes
from eventmap.schedule import Schedule
from eventmap.state.positions_sqlite import SqlitePositions

_COUNT = 10_000
_MB = 1e6
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")


def measure(*, quick: bool) -> list[Figure]:
    count, seconds = (200, 1.0) if quick else (_COUNT, 60.0)
    with tempfile.TemporaryDirectory() as folder:
        share, megabytes, load_s = anyio.run(_idle, Path(folder), count, seconds)
    case = f"{count:,} idle schedules"
    return [
        _figure(f"CPU of one core for {case}, {seconds:g} s", "%", 100 * share, AtMost(1)),
        _figure(f"memory of {case}", "MB", megabytes, AtMost(30)),
        _figure(f"start of {case} whose progress is not noted yet", "s", load_s, None),
    ]


def _figure(name: str, unit: str, value: float, target: AtMost | None) -> Figure:
    return Figure(benchmark="schedules", name=name, unit=unit, rounds=(value,), target=target)


async def _idle(folder: Path, count: int, seconds: float) -> tuple[float, float, float]:
    """(share of a core, MB, seconds to start)."""
    await _settle(list(_timed(10)), folder / "warm.sqlite")  # what is imported and opened once belongs to nobody
    gc.collect()
    before = resident_bytes(os.getpid()) or 0  # where the system does not show it the figure is 0
    began_s = time.perf_counter()
    timed = list(_timed(count))
    positions = SqlitePositions(folder / "schedules.sqlite")
    await positions.prepare()
    clockwork = Clockwork(timed, positions, dice=random.Random(1))
    try:
        async with anyio.create_task_group() as tasks:
            await tasks.start(clockwork.run)
            while None in clockwork.next_runs().values():
                await anyio.sleep(0.001)
            load_s = time.perf_counter() - began_s
            await anyio.sleep(1)
            gc.collect()
            megabytes = ((resident_bytes(os.getpid()) or 0) - before) / _MB
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            await anyio.sleep(seconds)
            share = (time.process_time() - cpu_s) / (time.perf_counter() - wall_s)
            await clockwork.drain(1)
    finally:
        await positions.aclose()
    return share, megabytes, load_s


async def _settle(timed: list[Timed], path: Path) -> None:
    positions = SqlitePositions(path)
    await positions.prepare()
    async with anyio.create_task_group() as tasks:
        clockwork = Clockwork(timed, positions, dice=random.Random(1))
        await tasks.start(clockwork.run)
        await anyio.sleep(0.1)
        await clockwork.drain(1)
    await positions.aclose()


def _timed(count: int) -> Iterator[Timed]:
    """Of many kinds; none is due for hours: the hour of all that go by the calendar is twelve hours off."""
    far = (int(time.time()) // 3600 + 12) % 24
    for number in range(count):
        expression = (
            f"cron({number % 60} {far} {number % 28 + 1}/3 * ? *)",
            f"cron({number % 60} {far} ? * {number % 7 + 1}#{number % 4 + 1} *)",
            f"cron({number % 60} {far} * {number % 12 + 1} ? *)",
            f"rate({number % 100 + 10} hours)",
        )[number % 4]
        schedule = Schedule(
            schedule_expression=expression,
            function_name=f"function-{number}",
            schedule_expression_timezone="UTC" if number % 4 == 3 else _ZONES[number // 4 % 4],
            input={"number": number},
        )
        yield Timed.of(schedule, into_queue(schedule, _accept, region="us-east-1", account_id="123456789012"))


async def _accept(payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
    raise AssertionError(f"nothing is due: {payload!r}, {request_id}, {qualifier}, {trace_id}")

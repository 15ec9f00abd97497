"""A straggler: one slow message among quick ones must hold up its own slot and no other."""

from __future__ import annotations

from typing import Any

import anyio

from benchmarks.figure import AtLeast, Figure
from benchmarks.memory_queue import filled, served

_SLOTS = 10


def measure(*, quick: bool) -> list[Figure]:
    slow_s, quick_s, rounds = (0.15, 0.015, 1) if quick else (1.5, 0.015, 5)
    anyio.run(_finished_meanwhile, quick_s, quick_s)  # whatever is imported at first use, is now
    finished, sleepers = [], []
    for _ in range(rounds):
        finished.append(float(anyio.run(_finished_meanwhile, slow_s, quick_s)))
        sleepers.append(anyio.run(_sleeps, slow_s, quick_s))
    arithmetic = round((_SLOTS - 1) * slow_s / quick_s)
    return [
        Figure(
            benchmark="straggler",
            name=f"one {slow_s:g} s item among {quick_s * 1000:g} ms items, {_SLOTS} slots: others finished meanwhile",
            unit="items",
            rounds=tuple(finished),
            target=AtLeast(850),
            ceiling=f"{_SLOTS - 1} tasks that only sleep {max(sleepers)}, by arithmetic {arithmetic}",
        )
    ]


async def _finished_meanwhile(slow_s: float, quick_s: float) -> int:
    # More than nine slots can do, so that the queue is never empty meanwhile.
    sqs = filled(round(_SLOTS * slow_s / quick_s) + _SLOTS)
    started = finished = 0
    meanwhile = 0
    slow_over = anyio.Event()

    async def handler(event: Any, context: Any) -> None:
        nonlocal started, finished, meanwhile
        started += 1
        if started == 1:
            before = finished
            await anyio.sleep(slow_s)
            meanwhile = finished - before
            slow_over.set()
        else:
            await anyio.sleep(quick_s)
            finished += 1

    async with served(sqs, handler, batch_size=1):
        await slow_over.wait()
    return meanwhile


async def _sleeps(slow_s: float, quick_s: float) -> int:
    """What the event loop's timers alone allow."""
    slept = 0

    async def sleeper() -> None:
        nonlocal slept
        while True:
            await anyio.sleep(quick_s)
            slept += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(_SLOTS - 1):
            tasks.start_soon(sleeper)
        await anyio.sleep(slow_s)
        tasks.cancel_scope.cancel()
    return slept

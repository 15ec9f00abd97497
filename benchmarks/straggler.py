"""A straggler: one slow message among quick ones must hold up its own slot and no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anyio

from benchmarks.figure import AtLeast, Figure
from benchmarks.memory_queue import filled, served
from eventmap.function import Handler

_SLOTS = 10


def measure(*, quick: bool) -> list[Figure]:
    slow_s, quick_s, rounds = (0.15, 0.015, 1) if quick else (1.5, 0.015, 5)
    anyio.run(_finished_meanwhile, _in_threads, quick_s, quick_s)  # whatever is imported at first use, is now
    arithmetic = round((_SLOTS - 1) * slow_s / quick_s)
    sleepers = max(anyio.run(_sleeps, slow_s, quick_s) for _ in range(rounds))
    figures = []
    for kind, made in (("def handler", _in_threads), ("async def handler", _on_the_loop)):
        finished = [float(anyio.run(_finished_meanwhile, made, slow_s, quick_s)) for _ in range(rounds)]
        ceiling = f"by arithmetic {arithmetic}"
        if made is _on_the_loop:
            ceiling = f"{_SLOTS - 1} tasks that only sleep {sleepers}, {ceiling}"
        figures.append(
            Figure(
                benchmark="straggler",
                name=f"one {slow_s:g} s item among {quick_s * 1000:g} ms items, {_SLOTS} slots: others finished "
                f"meanwhile, {kind}",
                unit="items",
                rounds=tuple(finished),
                target=AtLeast(850),
                ceiling=ceiling,
            )
        )
    return figures


class _Tally:
    """Counts what ends while the first item runs."""

    def __init__(self) -> None:
        self._counts = threading.Lock()
        self._started = 0
        self.finished = 0
        self.meanwhile = 0
        self.slow_over = anyio.Event()

    def is_first(self) -> bool:
        with self._counts:
            self._started += 1
            return self._started == 1

    def finish(self) -> None:
        with self._counts:
            self.finished += 1


def _on_the_loop(tally: _Tally, slow_s: float, quick_s: float) -> Handler:
    async def handler(event: Any, context: Any) -> None:
        if tally.is_first():
            before = tally.finished
            await anyio.sleep(slow_s)
            tally.meanwhile = tally.finished - before
            tally.slow_over.set()
        else:
            await anyio.sleep(quick_s)
            tally.finish()

    return handler


def _in_threads(tally: _Tally, slow_s: float, quick_s: float) -> Handler:
    loop = asyncio.get_running_loop()

    def handler(event: Any, context: Any) -> None:
        if tally.is_first():
            before = tally.finished
            threading.Event().wait(slow_s)
            tally.meanwhile = tally.finished - before
            loop.call_soon_threadsafe(tally.slow_over.set)
        else:
            threading.Event().wait(quick_s)
            tally.finish()

    return handler


async def _finished_meanwhile(made: Callable[[_Tally, float, float], Handler], slow_s: float, quick_s: float) -> int:
    # More than nine slots can do, so that the queue is never empty meanwhile.
    sqs = filled(round(_SLOTS * slow_s / quick_s) + _SLOTS)
    tally = _Tally()
    async with served(sqs, made(tally, slow_s, quick_s), batch_size=1):
        await tally.slow_over.wait()
    return tally.meanwhile


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

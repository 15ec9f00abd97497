"""FIFO: six message groups, each with a message whose handler takes a second, run side by side."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import anyio

from benchmarks.figure import AtMost, Figure
from benchmarks.memory_queue import served, until_done
from benchmarks.stub import BODY
from eventmap.testing import MemorySqs

GROUPS = 6
_QUEUE = "orders.fifo"


def measure(*, quick: bool) -> list[Figure]:
    handler_s, rounds = (0.05, 1) if quick else (1.0, 3)
    took = tuple(anyio.run(_seconds, handler_s) for _ in range(rounds))
    return [
        Figure(
            benchmark="fifo",
            name=f"FIFO, {GROUPS} groups × {handler_s:g} s handler, batch 1",
            unit="s",
            rounds=took,
            target=AtMost(1.3),
            ceiling=f"the handlers alone {handler_s:g} s",
        )
    ]


async def _seconds(handler_s: float) -> float:
    sqs = MemorySqs()
    sqs.add_queue(_QUEUE, {"FifoQueue": "true"})
    for group in range(GROUPS):
        sqs.put(_QUEUE, BODY, group=f"g{group}", deduplication_id=str(group))

    async def handler(event: Any, context: Any) -> None:
        await anyio.sleep(handler_s)

    started = perf_counter()
    async with served(sqs, handler, queue=_QUEUE, batch_size=1) as service:
        await until_done(service, GROUPS)
        return perf_counter() - started

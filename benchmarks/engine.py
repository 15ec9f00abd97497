"""The engine alone: how many records a second pass from an in-memory queue through an `async def` that does nothing."""

from __future__ import annotations

import gc
from time import perf_counter

import anyio

from benchmarks.figure import AtLeast, Figure, number
from benchmarks.handlers import nothing_async
from benchmarks.memory_queue import QUEUE, filled, served, until_done
from eventmap.testing import MemorySqs


def measure(*, quick: bool) -> list[Figure]:
    records, rounds = (1_000, 1) if quick else (50_000, 5)
    tens, ones, ceilings = [], [], []
    for _ in range(rounds):
        tens.append(anyio.run(_records_per_second, records, 10))
        ones.append(anyio.run(_records_per_second, records // 5, 1))
        ceilings.append(anyio.run(_queue_alone, records))
    ceiling = f"the in-memory queue alone {number(max(ceilings))} records/s"
    return [
        Figure(
            benchmark="engine",
            name="engine alone, async no-op, batch 10",
            unit="records/s",
            rounds=tuple(tens),
            target=AtLeast(50_000),
            ceiling=ceiling,
        ),
        Figure(
            benchmark="engine",
            name="engine alone, async no-op, batch 1",
            unit="records/s",
            rounds=tuple(ones),
            ceiling=ceiling,
        ),
    ]


async def _records_per_second(records: int, batch_size: int) -> float:
    sqs = _filled_and_frozen(records)
    try:
        started = perf_counter()
        async with served(sqs, nothing_async, batch_size=batch_size) as service:
            await until_done(service, records)
            return records / (perf_counter() - started)
    finally:
        gc.unfreeze()


async def _queue_alone(records: int) -> float:
    sqs = _filled_and_frozen(records)
    try:
        url = await sqs.get_queue_url(QUEUE)
        started = perf_counter()
        while messages := await sqs.receive_message(url, max_number_of_messages=10, wait_time_seconds=0):
            await sqs.delete_message_batch(url, [message["ReceiptHandle"] for message in messages])
        return records / (perf_counter() - started)
    finally:
        gc.unfreeze()


def _filled_and_frozen(records: int) -> MemorySqs:
    """The backlog is the queue's, on another machine in real life: the collector must not walk it on our time."""
    sqs = filled(records)
    gc.collect()
    gc.freeze()
    return sqs

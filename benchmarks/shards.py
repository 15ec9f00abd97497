"""Streams: how fast one full shard is drained, and what two hundred idle ones cost."""

from __future__ import annotations

import gc
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import anyio

from benchmarks.figure import AtLeast, AtMost, Figure, number
from benchmarks.handlers import nothing_async
from benchmarks.memory_queue import statistics_of
from benchmarks.memory_stream import PAGE_RECORDS, STREAM_ARN, StubTableStream
from eventmap import Function, StreamMapping
from eventmap.service import Running, Settings, running
from eventmap.shard import Position
from eventmap.sources.dynamodb import DynamoDbSource, describe_dynamodb
from eventmap.testing import MemoryLeaseTable

_LOOK_EVERY_S = 0.002
_IDLE_SHARDS = 200


def measure(*, quick: bool) -> list[Figure]:
    pages, rounds, seconds = (3, 1, 1.0) if quick else (200, 5, 20.0)
    thousands, hundreds, alone = [], [], []
    for _ in range(rounds):
        thousands.append(anyio.run(_records_per_second, pages, 1_000))
        hundreds.append(anyio.run(_records_per_second, pages, 100))
        alone.append(anyio.run(_source_alone, pages))
    ceiling = f"the source alone {number(max(alone))} records/s"
    return [
        _drained("batch 1,000", thousands, ceiling, AtLeast(20_000)),
        _drained("batch 100", hundreds, ceiling, None),
        anyio.run(_idle, seconds),
    ]


def _drained(case: str, rounds: list[float], ceiling: str, target: AtLeast | None) -> Figure:
    return Figure(
        benchmark="shards",
        name=f"one shard drained, async no-op, pages of {PAGE_RECORDS:,}, {case}",
        unit="records/s",
        rounds=tuple(rounds),
        target=target,
        ceiling=ceiling,
    )


async def _records_per_second(pages: int, batch_size: int) -> float:
    api = StubTableStream(pages=pages)
    gc.collect()
    gc.freeze()  # the pages are the stream's, on another machine in real life
    try:
        async with _served(api, batch_size=batch_size) as service:
            statistics = statistics_of(service)
            while not statistics.done:
                await anyio.sleep(_LOOK_EVERY_S)
            done, started = statistics.done, perf_counter()
            while statistics.done < pages * PAGE_RECORDS:
                await anyio.sleep(_LOOK_EVERY_S)
            return (statistics.done - done) / (perf_counter() - started)
    finally:
        gc.unfreeze()


async def _source_alone(pages: int) -> float:
    api = StubTableStream(pages=pages)
    source = DynamoDbSource(api, await describe_dynamodb(api, STREAM_ARN))
    [shard] = await source.shards()
    reader = source.reader(shard.shard_id, Position("TRIM_HORIZON"))
    started = perf_counter()
    read = 0
    while records := (await reader.read()).records:
        read += len(records)
    return read / (perf_counter() - started)


async def _idle(seconds: float) -> Figure:
    """CPU of the whole process, leases, checkpoints and the stub's own work included."""
    api = StubTableStream(shards=_IDLE_SHARDS)
    async with _served(api) as service:
        while statistics_of(service).shards < _IDLE_SHARDS:
            await anyio.sleep(_LOOK_EVERY_S)
        await anyio.sleep(1)
        reads, cpu, started = api.reads, _cpu_s(), perf_counter()
        await anyio.sleep(seconds)
        passed = perf_counter() - started
        share, rate = (_cpu_s() - cpu) / passed, (api.reads - reads) / passed
    return Figure(
        benchmark="shards",
        name=f"{_IDLE_SHARDS} idle shards at four reads a second each: CPU of one core",
        unit="%",
        rounds=(share * 100,),
        target=AtMost(5),
        ceiling=f"{rate:,.0f} reads/s of {4 * _IDLE_SHARDS}",
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@asynccontextmanager
async def _served(api: StubTableStream, **mapping: Any) -> AsyncIterator[Running]:
    function = Function(handler=nothing_async, function_name="measured")
    declared = StreamMapping(
        event_source="dynamodb",
        event_source_arn=STREAM_ARN,
        function_name="measured",
        starting_position="TRIM_HORIZON",
        **mapping,
    )
    table = MemoryLeaseTable()
    settings = Settings(dynamodb_api=api, lease_store=table.store_for)
    async with running([function], [declared], settings) as service:
        yield service

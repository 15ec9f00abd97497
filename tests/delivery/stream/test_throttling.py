"""An invocation that is refused before the code runs: tried again until it runs, or its records are too old."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.delivery.slots import FunctionSlots
from eventmap.delivery.stream.loop import Application, StreamLoop
from eventmap.model import Event, Refused, Response, Returned
from eventmap.sources.kinesis import KinesisSource, describe_kinesis
from eventmap.stream_mapping import StreamMapping
from eventmap.testing import MemoryKinesis
from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import STREAM, TO_QUEUE, Destination, checkpoints, kinesis, numbered, put, text_of

pytestmark = pytest.mark.virtual_time


class Refusing:
    """A runtime that refuses until `until` seconds on the loop's clock, then returns null."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.refusals: list[float] = []
        self.request_ids: list[str | None] = []
        self.batches: list[list[str]] = []

    async def __call__(self, event: Event, *, request_id: str | None = None) -> Response:
        self.request_ids.append(request_id)
        if elapsed_s() < self.until:
            self.refusals.append(elapsed_s())
            return Refused("ReservedFunctionConcurrentInvocationLimitExceeded")
        document: Any = event.document
        self.batches.append([text_of(record) for record in document["Records"]])
        return Returned(b"null")


@asynccontextmanager
async def reading(
    api: MemoryKinesis, invoke: Refusing, leases: MemoryLeaseTable, reports: Destination, **settings: Any
) -> AsyncIterator[StreamLoop]:
    """A mapping of `orders` at work with `invoke` for its function."""
    described = await describe_kinesis(api, STREAM)
    loop = StreamLoop(
        StreamMapping(
            event_source="kinesis",
            event_source_arn=STREAM,
            function_name="work",
            starting_position="TRIM_HORIZON",
            **TO_QUEUE,
            **settings,
        ),
        Application(
            source=KinesisSource(api, described),
            store=leases.store_for("a"),
            worker="a",
            stream=described.identity,
        ),
        invoke,
        function_arn="arn:aws:lambda:us-east-1:123456789012:function:work",
        slots=FunctionSlots(5).share(),
        passes=None,
        on_failure=reports,
        retention_s=described.retention_hours * 3600.0,
        dice=random.Random(0),
    )
    await loop.prepare()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(loop.run)
        yield loop
        await loop.drain(5)


async def test_str_34_210_a_refused_batch_is_tried_again_and_uses_up_no_attempt() -> None:
    """STR-34, 210: with m = 0, as the same batch, after 1, 2, 4 … s; nothing counts as failed."""
    api, leases, reports, invoke = kinesis(), MemoryLeaseTable(), Destination(), Refusing(until=100)
    sequences = put(api, *numbered(3))

    async with reading(api, invoke, leases, reports, maximum_retry_attempts=0) as loop:
        await anyio.sleep(150)
        counted = loop.statistics

    gaps = [round(later - earlier, 3) for earlier, later in itertools.pairwise(invoke.refusals)]
    assert gaps == [1, 2, 4, 8, 16, 32]
    assert (invoke.batches, len(set(invoke.request_ids))) == ([numbered(3)], 1)
    assert (counted.throttles, counted.invocations, counted.failed_invocations) == (7, 1, 0)
    assert (reports.reports, checkpoints(leases)) == ([], sequences[-1:])


async def test_str_34_42_43_a_refused_batch_ages_out() -> None:
    """STR-34, 42, 43: at the age limit, not at the end of refusals; it was never invoked."""
    api, leases, reports, invoke = kinesis(), MemoryLeaseTable(), Destination(), Refusing(until=10_000)
    sequences = put(api, *numbered(3))

    async with reading(api, invoke, leases, reports, maximum_record_age_in_seconds=60):
        await anyio.sleep(130)

    assert reports.conditions == [("RecordAgeExceeded", 1, 3)]
    assert checkpoints(leases) == sequences[-1:]


async def test_str_34_44_a_refused_batch_ends_with_the_streams_retention() -> None:
    """STR-34, 44: what has left the stream is dropped, told, and not reported as discarded."""
    api = kinesis(retention_s=3600)
    leases, reports, invoke = MemoryLeaseTable(), Destination(), Refusing(until=4000)
    put(api, "old")

    async with reading(api, invoke, leases, reports) as loop:
        await anyio.sleep(3_550)
        put(api, "new")
        await anyio.sleep(600)
        counted = loop.statistics

    assert invoke.batches == [["new"]]
    assert (counted.expired, counted.discarded, reports.reports) == (1, 0, [])


async def test_str_34_213_a_drain_does_not_wait_for_a_refused_batch() -> None:
    """STR-213: it is over at once, and the batch is the next reader's."""
    api, leases, reports, invoke = kinesis(), MemoryLeaseTable(), Destination(), Refusing(until=10_000)
    put(api, *numbered(3))

    async with reading(api, invoke, leases, reports) as loop:
        await anyio.sleep(40)
        began = elapsed_s()
        assert await loop.drain(5) == 0
        assert elapsed_s() - began < 0.5

    assert checkpoints(leases) == ["TRIM_HORIZON"]

"""A queue of eventmap's own at work, as a service polls it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from eventmap import EventSourceMapping
from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.slots import FunctionSlots
from eventmap.receivers.queue_intake import QueueIntake
from eventmap.sources.sqs import SqsSource, describe_queue
from eventmap.testing import MemorySqs


@asynccontextmanager
async def polled(sqs: MemorySqs, intake: QueueIntake) -> AsyncIterator[None]:
    """The queue `own` handed to `intake` for the length of the block."""
    queue = await describe_queue(sqs, await sqs.get_queue_url("own"))
    mapping = EventSourceMapping(
        event_source_arn=queue.arn, function_name="work", function_response_types=("ReportBatchItemFailures",)
    )
    loop = MappingLoop(
        mapping,
        SqsSource(sqs, queue),
        queue,
        intake,
        slots=FunctionSlots(2).share(),
        visibility_timeout_s=queue.visibility_timeout_s,
        function_timeout_s=30,
        passes=None,
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(loop.run)
        yield
        await loop.drain(5)

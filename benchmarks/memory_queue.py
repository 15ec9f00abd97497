"""A filled in-memory queue with a service on it, and the wait until its messages are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from benchmarks.stub import BODY
from eventmap.delivery.statistics import Statistics
from eventmap.function import Function, Handler
from eventmap.mapping import EventSourceMapping
from eventmap.service import Running, Settings, running
from eventmap.testing import MemorySqs

QUEUE = "orders"
_LOOK_EVERY_S = 0.002


def filled(messages: int) -> MemorySqs:
    """A fresh SQS with one standard queue of so many messages."""
    sqs = MemorySqs()
    sqs.add_queue(QUEUE)
    for _ in range(messages):
        sqs.put(QUEUE, BODY)
    return sqs


@asynccontextmanager
async def served(sqs: MemorySqs, handler: Handler, *, queue: str = QUEUE, **mapping: Any) -> AsyncIterator[Running]:
    """Run `handler` inline on the queue, ten invocations at once; `mapping`: fields of EventSourceMapping."""
    function = Function(handler=handler, function_name="measured")
    declared = EventSourceMapping(event_source_arn=queue, function_name="measured", **mapping)
    async with running([function], [declared], Settings(queue_api=sqs)) as service:
        yield service


def statistics_of(service: Running) -> Statistics:
    """The counters of its only mapping."""
    (statistics,) = service.statistics().values()
    return statistics


async def until_done(service: Running, messages: int) -> None:
    """Wait until the deletion of so many messages is confirmed."""
    statistics = statistics_of(service)
    while statistics.done < messages:
        await anyio.sleep(_LOOK_EVERY_S)

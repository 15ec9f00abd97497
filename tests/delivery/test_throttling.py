"""An invocation that is refused before the code runs: kept, tried again, abandoned."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.slots import FunctionSlots
from eventmap.mapping import EventSourceMapping
from eventmap.model import Event, Refused, Response, Returned
from eventmap.sources.sqs import SqsSource, describe_queue
from eventmap.testing import MemorySqs
from tests.testing.queues import queue, redrive

from .scene import Relay, statistics, working

pytestmark = pytest.mark.virtual_time


class Refusing:
    """A runtime that refuses until `until` seconds on the loop's clock, then returns null."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.refusals: list[float] = []
        self.events: list[tuple[float, list[str]]] = []

    async def __call__(self, event: Event) -> Response:
        if elapsed_s() < self.until:
            self.refusals.append(elapsed_s())
            return Refused("ReservedFunctionConcurrentInvocationLimitExceeded")
        document: Any = event.document
        counts = [record["attributes"]["ApproximateReceiveCount"] for record in document["Records"]]
        self.events.append((elapsed_s(), counts))
        return Returned(b"null")


async def loop_on(
    sqs: Relay | MemorySqs, invoke: Refusing, *, name: str = "orders", visibility: int = 30, heartbeat: bool = False
) -> MappingLoop:
    described = await describe_queue(sqs, await sqs.get_queue_url(name))
    return MappingLoop(
        EventSourceMapping(event_source_arn=name, function_name="work", heartbeat=heartbeat),
        SqsSource(sqs, described),
        described,
        invoke,
        slots=FunctionSlots(5).share(),
        visibility_timeout_s=visibility,
        function_timeout_s=3,
        passes=None,
    )


async def test_sqs_56_61_a_refused_batch_is_tried_again_within_its_visibility(memory_sqs: MemorySqs) -> None:
    """SQS-56, 61, 161: the same receive, so the receive count stays 1; the waits grow."""
    queue(memory_sqs, VisibilityTimeout="30").put("a", "b")
    invoke = Refusing(until=10)
    loop = await loop_on(memory_sqs, invoke)

    async with anyio.create_task_group() as tasks:
        await tasks.start(loop.run)
        await anyio.sleep(25)
        await loop.drain(5)

    assert [counts for _, counts in invoke.events] == [["1", "1"]]
    waits = [later - earlier for earlier, later in zip(invoke.refusals, invoke.refusals[1:], strict=False)]
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits))
    assert (loop.statistics.throttles, loop.statistics.invocations) == (len(invoke.refusals), 1)
    assert memory_sqs.counts("orders") == (0, 0, 0)


async def test_sqs_56_after_that_our_copy_is_abandoned_and_a_fresh_receive_recovers_it(memory_sqs: MemorySqs) -> None:
    """SQS-56: it reappears by its visibility timeout, is received again, and then runs; no failure is counted."""
    queue(memory_sqs, VisibilityTimeout="30").put("a")
    invoke = Refusing(until=36)
    loop = await loop_on(memory_sqs, invoke)

    async with anyio.create_task_group() as tasks:
        await tasks.start(loop.run)
        await anyio.sleep(70)
        await loop.drain(5)

    assert [counts for _, counts in invoke.events] == [["2"]]
    assert not [at for at in invoke.refusals if 29 < at < 30]
    assert (loop.statistics.failed_invocations, loop.statistics.retried) == (0, 0)
    assert (loop.statistics.done, memory_sqs.counts("orders")) == (1, (0, 0, 0))


async def test_sqs_40_56_a_mapping_that_is_always_refused_ends_in_the_dead_letter_queue(memory_sqs: MemorySqs) -> None:
    """SQS-40, SQS-56, SQS-68: every abandoned receive counts, with no invocation at all."""
    queue(memory_sqs, "dead")
    queue(memory_sqs, VisibilityTimeout="30", RedrivePolicy=redrive("dead", 2)).put("a")
    invoke = Refusing(until=1e9)
    loop = await loop_on(memory_sqs, invoke)

    async with anyio.create_task_group() as tasks:
        await tasks.start(loop.run)
        await anyio.sleep(100)
        await loop.drain(5)

    assert (invoke.events, memory_sqs.counts("orders")) == ([], (0, 0, 0))
    assert [message.receive_count for message in memory_sqs.messages("dead")] == [2]


async def test_sqs_56_144_at_a_drain_a_refused_batch_is_given_back_at_once(memory_sqs: MemorySqs) -> None:
    """SQS-144: nothing waits out a backoff that leads nowhere; the message is visible for the next worker."""
    queue(memory_sqs, VisibilityTimeout="300").put("a")
    invoke = Refusing(until=1e9)
    loop = await loop_on(memory_sqs, invoke, visibility=300)

    async with anyio.create_task_group() as tasks:
        await tasks.start(loop.run)
        await anyio.sleep(100)
        asked_at = elapsed_s()
        left = await loop.drain(30)
        took = elapsed_s() - asked_at

    assert (left, loop.statistics.released, memory_sqs.counts("orders")) == (0, 1, (1, 0, 0))
    assert took < 1


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Set at the end of the test, so that the thread it holds up can end."""
    event = threading.Event()
    yield event
    event.set()


async def test_sqs_36_56_a_stuck_thread_is_a_throttle_until_it_comes_back(
    memory_sqs: MemorySqs, stuck: threading.Event
) -> None:
    """SQS-36, SQS-56: the environment of a timed-out plain handler is busy, so the next batch waits for it."""
    orders = queue(memory_sqs, VisibilityTimeout="30")
    seen: list[str] = []

    def handler(event: dict[str, list[dict[str, str]]], _context: object) -> None:
        seen.append(event["Records"][0]["body"])
        if seen == ["stuck"]:
            stuck.wait(20)

    async with working(memory_sqs, handler, timeout=1, concurrency=1, batch_size=1) as running:
        orders.put("stuck")
        while not statistics(running).failed_invocations:
            await anyio.sleep(0.01)
        orders.put("next")
        while not statistics(running).throttles:
            await anyio.sleep(0.01)
        refused = list(seen)
        stuck.set()
        while len(seen) < 2:
            await anyio.sleep(0.01)

    assert (refused, seen[:2]) == (["stuck"], ["stuck", "next"])

"""Batches filled over a window from several receives."""

from __future__ import annotations

import anyio
import pytest

from eventmap.testing import MemorySqs
from tests.testing.queues import queue

from .scene import Handler, Relay, fail, numbered, statistics, working

pytestmark = pytest.mark.virtual_time


async def test_sqs_23_a_batch_goes_when_its_window_ends(memory_sqs: MemorySqs) -> None:
    """SQS-23 (a), SQS-27: whatever came within the window runs together, at its end."""
    orders = queue(memory_sqs)
    handler = Handler()

    async with working(memory_sqs, handler, batch_size=100, maximum_batching_window_in_seconds=10):
        await anyio.sleep(1)
        for body in numbered(4):
            orders.put(body)
            await anyio.sleep(2)
        await anyio.sleep(10)

    assert (handler.times, handler.batches) == ([10], [numbered(4)])


async def test_sqs_20_23_a_full_batch_goes_at_once_from_several_receives(memory_sqs: MemorySqs) -> None:
    """SQS-20, SQS-23 (b): a thousand records from a hundred receives, long before the window of 300 s ends."""
    queue(memory_sqs).put(*numbered(1000))
    handler = Handler()
    relay = Relay(memory_sqs, latency_s=0.01)

    async with working(relay, handler, batch_size=1000, maximum_batching_window_in_seconds=300):
        await anyio.sleep(2)

    assert [len(batch) for batch in handler.batches] == [1000]
    assert handler.times[0] < 1
    assert max(call[1] for call in relay.receives) == 10
    assert sorted(handler.bodies) == sorted(numbered(1000))


async def test_sqs_23_24_a_batch_goes_when_it_reaches_six_mebibytes(memory_sqs: MemorySqs) -> None:
    """SQS-23 (c), SQS-24: the record that would overflow it starts the next batch."""
    queue(memory_sqs).put(*[f"{number}{'x' * 1_040_000}" for number in range(7)])
    handler = Handler()

    async with working(memory_sqs, handler, batch_size=100, maximum_batching_window_in_seconds=10):
        await anyio.sleep(30)

    assert [[body[0] for body in batch] for batch in handler.batches] == [list("012345"), list("6")]
    assert handler.times[0] < 1


async def test_sqs_26_the_next_window_begins_when_the_invocation_ends(memory_sqs: MemorySqs) -> None:
    """SQS-26: not when the first record arrives; one window per poller."""
    orders = queue(memory_sqs)
    handler = Handler(seconds=2.5)

    async with working(memory_sqs, handler, batch_size=100, maximum_batching_window_in_seconds=5, timeout=4):
        orders.put("a")  # the first window began at 0: runs at 5, ends at 7.5
        await anyio.sleep(9)
        orders.put("b")  # in the window 7.5 to 12.5
        await anyio.sleep(22)  # at 31: in the window 30 to 35, counted from 15
        orders.put("c")
        await anyio.sleep(20)

    assert handler.times[:2] == [5, 12.5]
    assert handler.batches == [["a"], ["b"], ["c"]]
    assert handler.times[2] == 35


async def test_sqs_27_a_lone_message_waits_at_most_for_its_window(memory_sqs: MemorySqs) -> None:
    """SQS-27: empty windows follow each other while the long poll waits, so the shorter one is honoured."""
    orders = queue(memory_sqs)
    handler = Handler()

    async with working(memory_sqs, handler, batch_size=100, maximum_batching_window_in_seconds=3):
        for _ in range(10):
            await anyio.sleep(17.3)
            orders.put("lone")
        await anyio.sleep(10)

    sent = [17.3 * number for number in range(1, 11)]
    waited = [at - then for at, then in zip(handler.times, sent, strict=True)]
    assert all(0 <= wait <= 3.001 for wait in waited)


async def test_sqs_21_an_empty_queue_costs_three_polls_a_minute_with_a_window_too(memory_sqs: MemorySqs) -> None:
    """SQS-21: windows that pass empty cost no receive of their own."""
    queue(memory_sqs)
    relay = Relay(memory_sqs)

    async with working(relay, Handler(), batch_size=1000, maximum_batching_window_in_seconds=1):
        await anyio.sleep(600)

    assert len(relay.receives) <= 31


async def test_sqs_65_a_long_window_asks_for_a_longer_visibility(memory_sqs: MemorySqs) -> None:
    """SQS-65: window + timeout + 30 s, on every receive, so that a failed batch comes back after that."""
    orders = queue(memory_sqs, VisibilityTimeout="30")
    handler = Handler(then=fail)
    relay = Relay(memory_sqs)

    async with working(
        relay, handler, batch_size=2, maximum_batching_window_in_seconds=60, timeout=10, heartbeat=False
    ):
        orders.put("a", "b")
        await anyio.sleep(150)

    assert {call[3] for call in relay.receives} == {100}
    assert handler.times == [0, 100]


async def test_sqs_65_a_short_window_leaves_the_queues_own_visibility(memory_sqs: MemorySqs) -> None:
    """SQS-65: only where window + function timeout exceed it."""
    queue(memory_sqs, VisibilityTimeout="30")
    relay = Relay(memory_sqs)

    async with working(relay, Handler(), batch_size=100, maximum_batching_window_in_seconds=27, timeout=3):
        await anyio.sleep(30)

    assert {call[3] for call in relay.receives} == {None}


async def test_sqs_164_a_batch_goes_before_its_oldest_message_would_expire(memory_sqs: MemorySqs) -> None:
    """SQS-164: sent when only function timeout + 5 s of visibility are left, though the window has not ended."""
    orders = queue(memory_sqs, VisibilityTimeout="30")
    handler = Handler()

    async with working(
        memory_sqs, handler, batch_size=100, maximum_batching_window_in_seconds=27, timeout=3, heartbeat=False
    ):
        orders.put("a")
        await anyio.sleep(40)

    assert handler.batches == [["a"]]
    assert handler.times == [22]
    assert memory_sqs.counts("orders") == (0, 0, 0)


async def test_sqs_28_filtered_messages_do_not_count_to_the_batch(memory_sqs: MemorySqs) -> None:
    """SQS-28: a batch of fifty is fifty that passed."""
    queue(memory_sqs).put(*[f'{{"odd":{number % 2}}}' for number in range(200)])
    handler = Handler()

    async with working(
        memory_sqs,
        handler,
        batch_size=50,
        maximum_batching_window_in_seconds=5,
        filter_criteria={"Filters": [{"Pattern": {"body": {"odd": [1]}}}]},
    ) as running:
        await anyio.sleep(20)
        counted = statistics(running)

    assert max(len(batch) for batch in handler.batches) == 50
    assert len(handler.bodies) == 100
    assert (counted.filtered, counted.done) == (100, 200)


@pytest.mark.parametrize("window", [1, 2, 7])
async def test_sqs_23_30_a_trickle_arrives_once_and_within_its_window(memory_sqs: MemorySqs, window: int) -> None:
    """SQS-23: with several windows open at once, none keeps a message beyond its own."""
    orders = queue(memory_sqs)
    handler = Handler(seconds=0.4)
    sent: dict[str, float] = {}

    async with working(
        Relay(memory_sqs, latency_s=0.01), handler, batch_size=20, maximum_batching_window_in_seconds=window
    ):
        for number in range(300):
            orders.put(f"m{number}")
            sent[f"m{number}"] = number * 0.05
            await anyio.sleep(0.05)
        await anyio.sleep(30)

    assert sorted(handler.bodies) == sorted(sent)
    late = [
        invocation.at - sent[body]
        for invocation in handler.invocations
        for body in invocation.bodies
        if invocation.at - sent[body] > window + 1.5
    ]
    assert late == []

"""The end: no new receive, what runs ends and is acknowledged, what never started is given back, in bounded time."""

from __future__ import annotations

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.errors import TransientSourceError
from eventmap.service import Running
from eventmap.testing import FaultyQueue, MemorySqs
from tests.testing.queues import queue, redrive

from .scene import Handler, Relay, numbered, statistics, working

pytestmark = pytest.mark.virtual_time


async def timed_drain(running: Running) -> tuple[int, float]:
    """(messages left, seconds it took)."""
    began = elapsed_s()
    left = await running.drain()
    return left, elapsed_s() - began


async def test_sqs_141_an_idle_poll_is_given_up_at_once(memory_sqs: MemorySqs) -> None:
    """SQS-141: nobody waits for the end of a long poll."""
    queue(memory_sqs)

    async with working(memory_sqs, Handler()) as running:
        await anyio.sleep(3)
        left, took = await timed_drain(running)

    assert left == 0
    assert took <= 0.11


async def test_sqs_141_what_runs_ends_and_is_acknowledged_and_nothing_more_is_received(memory_sqs: MemorySqs) -> None:
    """SQS-141: in-flight invocations finish, their messages are deleted, the backlog stays as it is."""
    queue(memory_sqs).put(*numbered(100))
    handler = Handler(seconds=5)
    relay = Relay(memory_sqs)

    async with working(relay, handler, batch_size=2, concurrency=3, timeout=10) as running:
        await anyio.sleep(1)
        receives = len(relay.receives)
        left, took = await timed_drain(running)

    assert (left, handler.running, handler.most_running) == (0, 0, 3)
    assert 4 <= took <= 4.2
    assert len(relay.receives) == receives
    assert (statistics(running).done, memory_sqs.counts("orders")) == (6, (94, 0, 0))


async def test_sqs_144_what_was_gathered_and_never_ran_is_visible_again_at_once(memory_sqs: MemorySqs) -> None:
    """SQS-144: the receive count rose in vain, the next worker need not wait too."""
    orders = queue(memory_sqs, VisibilityTimeout="900")
    handler = Handler()

    async with working(memory_sqs, handler, batch_size=100, maximum_batching_window_in_seconds=300) as running:
        orders.put("a", "b")
        await anyio.sleep(60)
        held = memory_sqs.counts("orders").in_flight
        left, _ = await timed_drain(running)

    assert (held, left, memory_sqs.counts("orders")) == (2, 0, (2, 0, 0))
    assert (statistics(running).released, handler.invocations) == (2, [])


async def test_sqs_144_a_released_message_is_not_caught_again_by_our_own_polls(memory_sqs: MemorySqs) -> None:
    """SQS-144: given back when the last receive has ended; else each of them would raise its receive count."""
    queue(memory_sqs, "dead")
    orders = queue(memory_sqs, VisibilityTimeout="900", RedrivePolicy=redrive("dead", 3))
    handler = Handler(seconds=0.05)

    async with working(Relay(memory_sqs, latency_s=0.002), handler, batch_size=1, concurrency=50) as running:
        orders.put(*numbered(500))
        while sum(memory_sqs.counts("orders")):
            await anyio.sleep(0.001)
        await anyio.sleep(0.1)  # many receives are under way now, and none finds anything
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.drain)
            await anyio.sleep(0.01)
            orders.put(*numbered(5, "late"))

    late = [message for message in memory_sqs.messages("orders") if message.body.startswith("late")]
    assert len(late) == 5
    assert {message.state.value for message in late} == {"visible"}
    assert max(message.receive_count for message in late) <= 1
    assert memory_sqs.messages("dead") == []


async def test_sqs_141_a_handler_that_never_ends_is_cut_off_at_the_budget(memory_sqs: MemorySqs) -> None:
    """SQS-141: its messages are told as left and come back by their visibility timeout."""
    queue(memory_sqs, VisibilityTimeout="900").put("a", "b")
    handler = Handler(seconds=100_000)

    async with working(memory_sqs, handler, timeout=900, drain_budget_s=7.0) as running:
        await anyio.sleep(1)
        left, took = await timed_drain(running)

    assert (left, handler.running, memory_sqs.counts("orders").in_flight) == (2, 0, 2)
    assert 7 <= took <= 7.2
    assert statistics(running).in_flight == 0


async def test_sqs_141_the_budget_is_the_longest_timeout_and_five_seconds(memory_sqs: MemorySqs) -> None:
    """None = enough for every invocation to end by itself or by its own timeout."""
    queue(memory_sqs, VisibilityTimeout="60").put("a")
    handler = Handler(seconds=100)

    async with working(memory_sqs, handler, timeout=40) as running:
        await anyio.sleep(1)
        left, took = await timed_drain(running)

    assert left == 0
    assert took == pytest.approx(39, abs=0.1)
    assert statistics(running).failed_invocations == 1


@pytest.mark.parametrize("heartbeat", [True, False])
@pytest.mark.parametrize("ends_s", [4.9, 5.0, 5.0999999999, 5.1, 5.1000000001, 5.2])
async def test_sqs_141_an_invocation_that_ends_with_the_budget_breaks_nothing(
    memory_sqs: MemorySqs, ends_s: float, heartbeat: bool
) -> None:
    """Whichever comes first in the same instant, the drain ends, and the message is done or left, never both."""
    queue(memory_sqs, VisibilityTimeout="60").put("a")

    async def handler(_event: object, _context: object) -> None:
        await anyio.sleep(3)
        await anyio.sleep(1 + ends_s - 3)

    async with working(memory_sqs, handler, timeout=30, drain_budget_s=5.0, heartbeat=heartbeat) as running:
        await anyio.sleep(1)
        left, took = await timed_drain(running)

    assert took <= 5.2
    assert left + statistics(running).done == 1
    assert sum(memory_sqs.counts("orders")) == left


async def test_sqs_141_draining_twice_or_at_once_is_fine(memory_sqs: MemorySqs) -> None:
    """The second call finds nothing to do, even when the first had to leave something behind."""
    queue(memory_sqs, VisibilityTimeout="900").put("a")

    async with working(memory_sqs, Handler(seconds=1000), timeout=900, drain_budget_s=5.0) as running:
        await anyio.sleep(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.drain)
            tasks.start_soon(running.drain)
        left, took = await timed_drain(running)

    assert (left, took) == (0, 0)


async def test_sqs_141_deletes_that_are_never_confirmed_do_not_outlast_the_budget(memory_sqs: MemorySqs) -> None:
    """The queue is unreachable: the handled messages are left, to be delivered again (SQS-140).

    The budget ends well before the ledger gives up by itself, which its random waits put at some 16 s.
    """
    queue(memory_sqs).put("a", "b")
    faulty = FaultyQueue(memory_sqs, seed=1, resets=1.0, calls={"delete_message_batch"})

    async with working(faulty, Handler(), drain_budget_s=1.0) as running:
        await anyio.sleep(0.5)
        left, took = await timed_drain(running)
        again, took_again = await timed_drain(running)

    assert (left, again) == (2, 0)
    assert took <= 1.2
    assert took_again <= 0.2
    assert memory_sqs.counts("orders").in_flight == 2


async def test_sqs_141_a_delete_under_way_is_waited_for(memory_sqs: MemorySqs) -> None:
    """Nothing that was handled stays in the queue for want of a moment."""
    queue(memory_sqs).put(*numbered(10))

    async with working(Relay(memory_sqs, latency_s=0.5), Handler(), batch_size=1) as running:
        await anyio.sleep(1.2)
        left, _ = await timed_drain(running)

    assert (left, memory_sqs.counts("orders")) == (0, (0, 0, 0))


async def test_sqs_141_144_a_window_is_given_up_while_its_gatherer_waits_for_an_invocation(
    memory_sqs: MemorySqs,
) -> None:
    """What was received and did not fit into the running batch is given back, the running batch ends."""
    queue(memory_sqs, VisibilityTimeout="900").put(*[f"{number}{'x' * 1_040_000}" for number in range(8)])
    handler = Handler(seconds=5)

    async with working(
        memory_sqs, handler, batch_size=100, maximum_batching_window_in_seconds=60, timeout=10, concurrency=1
    ) as running:
        await anyio.sleep(2)
        left, _ = await timed_drain(running)

    assert (left, len(handler.bodies)) == (0, 6)
    assert memory_sqs.counts("orders") == (2, 0, 0)


async def test_sqs_141_cancelling_the_block_drains_it(memory_sqs: MemorySqs) -> None:
    """The owner is cancelled: what runs still ends and is acknowledged."""
    queue(memory_sqs).put("a")
    handler = Handler(seconds=2)

    with anyio.move_on_after(1):
        async with working(memory_sqs, handler):
            await anyio.sleep_forever()

    assert (elapsed_s() >= 2, handler.running, memory_sqs.counts("orders")) == (True, 0, (0, 0, 0))


async def test_sqs_08_a_disabled_mapping_is_not_polled(memory_sqs: MemorySqs) -> None:
    """SQS-08: declared, and nothing more."""
    queue(memory_sqs).put("a")
    relay = Relay(memory_sqs)

    async with working(relay, Handler(), enabled=False) as running:
        await anyio.sleep(60)

    assert (relay.receives, running.statistics(), memory_sqs.counts("orders")) == ([], {}, (1, 0, 0))


async def test_the_error_of_the_block_comes_out_as_it_is(memory_sqs: MemorySqs) -> None:
    """Not wrapped in a group: `except` of the caller's own exception works around `running`."""
    queue(memory_sqs)

    with pytest.raises(KeyError, match="mine"):
        async with working(memory_sqs, Handler()):
            await anyio.sleep(1)
            raise KeyError("mine")


async def test_a_queue_that_cannot_be_reached_at_the_start_is_an_error_of_its_own(memory_sqs: MemorySqs) -> None:
    """A second or two of patience, then the error of the last attempt, before anything is received."""
    queue(memory_sqs)
    faulty = FaultyQueue(memory_sqs, seed=1, throttle=1.0, calls={"get_queue_url"})

    with pytest.raises(TransientSourceError, match="rate exceeded"):
        async with working(faulty, Handler()):
            pass

    assert faulty.injected["throttle"] == 5
    assert 0 < elapsed_s() < 5

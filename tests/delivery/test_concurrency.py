"""How many invocations run at once, and who gets the next slot."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap import App, EventSourceMapping, Function
from eventmap.clock import elapsed_s
from eventmap.delivery.slots import FunctionSlots, MappingSlots
from eventmap.testing import MemorySqs, run_in_virtual_time
from tests.testing.queues import queue, redrive

from .scene import Handler, Relay, numbered, working

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_sqs_36_37_39_maximum_concurrency_caps_a_mapping(memory_sqs: MemorySqs, limit: int) -> None:
    """SQS-36, 37, 39: N at once, and no more messages in flight than those N batches need."""
    queue(memory_sqs).put(*numbered(60))
    handler = Handler(seconds=1)
    most_in_flight = 0

    async with working(memory_sqs, handler, batch_size=2, maximum_concurrency=limit) as running:
        for _ in range(100):
            await anyio.sleep(0.1)
            most_in_flight = max(most_in_flight, memory_sqs.counts("orders").in_flight)
        await running.until_empty()

    assert (handler.most_running, most_in_flight) == (limit, 2 * limit)
    assert all(count == 1 for body in numbered(60) for count in handler.receive_counts(body))


async def test_sqs_36_39_reserved_concurrency_caps_all_mappings_together(memory_sqs: MemorySqs) -> None:
    """SQS-36, SQS-38: the function's own limit holds, and receives that could not start are not made."""
    for name in ("a", "b", "c"):
        queue(memory_sqs, name).put(*numbered(20, name))
    handler = Handler(seconds=1)

    async with three_queues(handler, concurrency=4).running(queue_api=memory_sqs) as running:
        await running.until_empty()

    assert handler.most_running == 4
    assert len(handler.bodies) == 60
    assert all(handler.receive_counts(body) == [1] for body in handler.bodies)


def three_queues(handler: Handler, *, concurrency: int, caps: tuple[int | None, ...] = (None, None, None)) -> App:
    app = App()
    app.add(
        Function(handler=handler, function_name="work", timeout=10, reserved_concurrent_executions=concurrency),
        *[
            EventSourceMapping(event_source_arn=name, function_name="work", batch_size=1, maximum_concurrency=cap)
            for name, cap in zip("abc", caps, strict=True)
        ],
    )
    return app


async def test_sqs_37_each_mapping_has_its_own_cap(memory_sqs: MemorySqs) -> None:
    """SQS-37: caps of 1, 2 and 3 on one function do not add up or mix."""
    for name in ("a", "b", "c"):
        queue(memory_sqs, name).put(*numbered(30, name))
    handler = Handler(seconds=1)
    most: dict[str, int] = {}

    async with three_queues(handler, concurrency=20, caps=(1, 2, 3)).running(queue_api=memory_sqs):
        for _ in range(50):
            await anyio.sleep(0.1)
            now = [each.bodies[0][0] for each in handler.invocations if each.at <= elapsed_s() and not each.ended_at]
            for name in "abc":
                most[name] = max(most.get(name, 0), now.count(name))

    assert most == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_sqs_38_a_busy_mapping_does_not_starve_the_others(memory_sqs: MemorySqs, concurrency: int) -> None:
    """SQS-38: with every slot wanted by a backlog, another queue's first message starts within one invocation."""
    for name in ("a", "b", "c"):
        queue(memory_sqs, name)
    busy, other, _ = [queue(memory_sqs, name) for name in ("a", "b", "c")]
    busy.put(*numbered(2000, "a"))
    handler = Handler(seconds=1)
    sent: list[float] = []

    async with three_queues(handler, concurrency=concurrency).running(queue_api=memory_sqs):
        for number in range(20):
            await anyio.sleep(13.37)
            other.put(f"b{number}")
            sent.append(elapsed_s())
        await anyio.sleep(5)

    started = [each.at for each in handler.invocations if each.bodies[0].startswith("b")]
    assert len(started) == 20
    assert max(at - then for at, then in zip(started, sent, strict=True)) <= 1.3
    assert handler.most_running == concurrency


async def test_sqs_38_idle_mappings_leave_their_slots_to_a_busy_one(memory_sqs: MemorySqs) -> None:
    """SQS-38: the long poll of an empty queue costs the others next to nothing."""
    for name in ("a", "b", "c"):
        queue(memory_sqs, name)
    queue(memory_sqs, "a").put(*numbered(600, "a"))
    handler = Handler(seconds=1)

    async with three_queues(handler, concurrency=3).running(queue_api=memory_sqs):
        await anyio.sleep(100)

    assert len(handler.bodies) >= 285


async def test_sqs_38_busy_mappings_share_evenly(memory_sqs: MemorySqs) -> None:
    """SQS-38: a freed slot goes to the mapping that holds the fewest."""
    for name in ("a", "b", "c"):
        queue(memory_sqs, name).put(*numbered(400, name))
    handler = Handler(seconds=1)

    async with three_queues(handler, concurrency=6).running(queue_api=memory_sqs):
        await anyio.sleep(60)

    served = [sum(body.startswith(name) for body in handler.bodies) for name in "abc"]
    assert min(served) >= 100


@pytest.mark.parametrize("window", [0, 5])
async def test_sqs_41_inv_92_reserved_concurrency_0_runs_nothing_and_receives_nothing(
    memory_sqs: MemorySqs, window: int
) -> None:
    """SQS-41, INV-92: nothing is invoked; and nothing is received in vain, so nothing ends in the dead-letter queue."""
    queue(memory_sqs, "dead")
    queue(memory_sqs, VisibilityTimeout="10", RedrivePolicy=redrive("dead", 1)).put("a")
    handler = Handler()
    relay = Relay(memory_sqs)

    async with working(relay, handler, concurrency=0, maximum_batching_window_in_seconds=window, timeout=3) as running:
        await anyio.sleep(600)
        left = await running.drain()

    assert (handler.invocations, relay.receives, left) == ([], [], 0)
    assert (memory_sqs.counts("orders").visible, memory_sqs.messages("dead")) == (1, [])


async def test_sqs_40_a_few_slots_and_a_low_receive_limit_dead_letter_nothing(memory_sqs: MemorySqs) -> None:
    """SQS-39, SQS-40: with one slot, a deep queue and one allowed receive, every message still runs."""
    queue(memory_sqs, "dead")
    queue(memory_sqs, VisibilityTimeout="5", RedrivePolicy=redrive("dead", 1)).put(*numbered(40))
    handler = Handler(seconds=2)

    async with working(memory_sqs, handler, batch_size=1, concurrency=1) as running:
        await running.until_empty()

    assert (sorted(handler.bodies), memory_sqs.messages("dead")) == (sorted(numbered(40)), [])


async def test_one_slow_message_does_not_hold_up_the_others(memory_sqs: MemorySqs) -> None:
    """One of 1.5 s among those of 15 ms, on ten slots: the others go on."""
    queue(memory_sqs).put("slow", *numbered(1000))
    done = 0

    async def handler(event: dict[str, Any], _context: object) -> None:
        nonlocal done
        slow = event["Records"][0]["body"] == "slow"
        await anyio.sleep(1.5 if slow else 0.015)
        done += not slow

    async with working(memory_sqs, handler, batch_size=1, concurrency=10):
        await anyio.sleep(1.5)

    assert done >= 850


@given(
    limit=st.integers(1, 6),
    caps=st.lists(st.none() | st.integers(1, 4), min_size=1, max_size=3),
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 10), st.sampled_from(["run", "lend", "idle", "cancel", "urgent"])),
        max_size=25,
    ),
)
def test_sqs_36_37_slots_are_conserved_whatever_happens(
    limit: int, caps: list[int | None], steps: list[tuple[int, int, str]]
) -> None:
    """Never more taken than the function has, per mapping never more than its cap; in the end all are free again."""
    run_in_virtual_time(_reserve_and_release, limit, caps, steps)


async def _reserve_and_release(limit: int, caps: list[int | None], steps: list[tuple[int, int, str]]) -> None:
    function = FunctionSlots(limit)
    shares = [function.share(cap) for cap in caps]
    taken = dict.fromkeys(shares, 0)

    async def use(share: MappingSlots, upto: int, kind: str) -> None:
        with anyio.move_on_after(0.5 if kind == "cancel" else 1000):
            reserved = await share.reserve(upto, urgent=kind == "urgent")
            try:
                assert 1 <= reserved.count <= upto
                if kind == "lend":
                    reserved.lend()
                    await anyio.sleep(2)
                    reserved.recall()
                if kind == "idle" or not reserved.take():
                    return
                taken[share] += 1
                assert sum(taken.values()) <= limit
                assert taken[share] <= share.capacity
                try:
                    await anyio.sleep(1)
                finally:
                    taken[share] -= 1
                    share.release()
            finally:
                reserved.give_back()

    async with anyio.create_task_group() as tasks:
        for number, upto, kind in steps:
            tasks.start_soon(use, shares[number % len(shares)], upto, kind)
            if number == 2:
                await anyio.sleep(0.3)

    assert [share.held for share in shares] == [0] * len(shares)
    assert (await shares[0].reserve(100)).count == shares[0].capacity

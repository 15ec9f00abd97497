"""Order inside a message group, through failures, redeliveries and a queue that forgets its own order."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest

from eventmap import each_record
from eventmap.clock import elapsed_s
from eventmap.testing import MemorySqs
from tests.testing.queues import Queue, queue, redrive

from .scene import REPORTS, Handler, Relay, fail, fail_for, working

pytestmark = pytest.mark.virtual_time

FIFO = "orders.fifo"


def grouped(orders: Queue, groups: str, count: int) -> None:
    """a0, b0, …, a1, b1, …: `count` messages in each group."""
    for number in range(count):
        for group in groups:
            orders.put(f"{group}{number}", group=group)


def of_group(bodies: list[str], group: str) -> list[str]:
    return [body for body in bodies if body[0] == group]


def first_times(bodies: list[str]) -> list[str]:
    return list(dict.fromkeys(bodies))


async def test_sqs_47_one_group_uses_one_environment_and_keeps_its_order(memory_sqs: MemorySqs) -> None:
    """SQS-47: five messages of one group, batch size 1: one after another."""
    grouped(queue(memory_sqs, FIFO), "a", 5)
    handler = Handler(seconds=1)

    async with working(memory_sqs, handler, queue=FIFO, batch_size=1) as running:
        await running.until_empty()

    assert (handler.bodies, handler.most_running) == (["a0", "a1", "a2", "a3", "a4"], 1)


async def test_sqs_46_six_groups_run_side_by_side(memory_sqs: MemorySqs) -> None:
    """SQS-46: as many at once as there are groups; six of one second take one second."""
    orders = queue(memory_sqs, FIFO)
    handler = Handler(seconds=1)

    async with working(Relay(memory_sqs, latency_s=0.01), handler, queue=FIFO, batch_size=1, timeout=3):
        await anyio.sleep(3)
        began = elapsed_s()
        grouped(orders, "abcdef", 1)
        while len(handler.invocations) < 6 or handler.running:
            await anyio.sleep(0.01)
        took = elapsed_s() - began

    assert (took <= 1.3, handler.most_running) == (True, 6)


async def test_sqs_46_maximum_concurrency_caps_the_groups(memory_sqs: MemorySqs) -> None:
    """SQS-46: the smaller of active groups and `MaximumConcurrency`."""
    grouped(queue(memory_sqs, FIFO), "abcdef", 3)
    handler = Handler(seconds=1)

    async with working(memory_sqs, handler, queue=FIFO, batch_size=1, maximum_concurrency=2) as running:
        await running.until_empty()

    assert handler.most_running == 2
    assert all(of_group(handler.bodies, group) == [f"{group}{n}" for n in range(3)] for group in "abcdef")


async def test_sqs_48_49_a_batch_holds_several_groups_each_in_order(memory_sqs: MemorySqs) -> None:
    """SQS-48, SQS-49: as many of one group as there are, then the next."""
    grouped(queue(memory_sqs, FIFO), "ab", 4)
    handler = Handler()

    async with working(memory_sqs, handler, queue=FIFO) as running:
        await running.until_empty()

    assert handler.batches == [["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]]


@pytest.mark.parametrize("batch_size", [1, 3, 10])
async def test_sqs_50_retries_come_before_anything_later_of_their_group(memory_sqs: MemorySqs, batch_size: int) -> None:
    """SQS-50: a failing message holds up its group until it succeeds, and only its group."""
    orders = queue(memory_sqs, FIFO, VisibilityTimeout="10")
    attempts: dict[str, int] = {}

    def twice(records: list[dict[str, Any]]) -> object:
        bodies = [record["body"] for record in records]
        for body in bodies:
            attempts[body] = attempts.get(body, 0) + 1
        if any(body == "a1" and attempts[body] <= 2 for body in bodies):
            raise ValueError("not yet")
        return None

    handler = Handler(seconds=0.2, then=twice)

    async with working(memory_sqs, handler, queue=FIFO, batch_size=batch_size) as running:
        grouped(orders, "a", 4)
        await anyio.sleep(1)
        grouped(orders, "b", 4)
        await running.until_empty()

    assert attempts["a1"] == 3
    assert first_times(of_group(handler.bodies, "a")) == ["a0", "a1", "a2", "a3"]
    last = {body: index for index, body in enumerate(handler.bodies)}
    assert last["a1"] <= last["a2"] <= last["a3"]
    assert of_group(handler.bodies, "b") == ["b0", "b1", "b2", "b3"]


async def test_sqs_50_one_failing_group_never_stops_another(memory_sqs: MemorySqs) -> None:
    """SQS-50: group a fails for ever; b and c go on at full speed and are done long before a is given up."""
    queue(memory_sqs, "dead.fifo")
    orders = queue(memory_sqs, FIFO, VisibilityTimeout="30", RedrivePolicy=redrive("dead.fifo", 3))
    grouped(orders, "abc", 10)
    handler = Handler(seconds=0.1, then=lambda records: fail(records) if records[0]["body"][0] == "a" else None)

    async with working(memory_sqs, handler, queue=FIFO, batch_size=1, concurrency=3) as running:
        await anyio.sleep(10)
        done = [body for body in handler.bodies if body[0] != "a"]
        await running.until_empty()

    assert len(done) == 20
    assert [message.body for message in memory_sqs.messages("dead.fifo")] == [f"a{n}" for n in range(10)]
    assert handler.receive_counts("a9") == [1, 2, 3]


@pytest.mark.parametrize("after", ["stop", "skip_group"])
async def test_sqs_100_a_per_record_handler_keeps_the_order(memory_sqs: MemorySqs, after: Any) -> None:
    """SQS-100: nothing later of a failed message's group runs before it, in either mode, though the batch is mixed."""
    orders = queue(memory_sqs, FIFO, VisibilityTimeout="5")
    grouped(orders, "ab", 4)
    runs: list[str] = []

    @each_record(after_fifo_failure=after)
    def handler(record: dict[str, Any], _context: object) -> None:
        runs.append(record["body"])
        if record["body"] == "a1" and runs.count("a1") < 3:
            raise ValueError("not yet")

    async with working(memory_sqs, handler, queue=FIFO, **REPORTS) as running:
        await running.until_empty()

    assert of_group(runs, "a") == ["a0", "a1", "a1", "a1", "a2", "a3"]
    assert of_group(runs, "b") == ["b0", "b1", "b2", "b3"]
    assert runs.index("b0") == (2 if after == "skip_group" else runs.index("a3") + 1)


@pytest.mark.parametrize("backoff", [(), (1,), (3, 1)])
@pytest.mark.parametrize("seed", range(20))
async def test_sqs_47_50_order_holds_on_a_queue_that_returns_expired_messages_disordered(
    seed: int, backoff: tuple[int, ...]
) -> None:
    """SQS-50: a server that returns an expired group as m2, m1, m3 cannot make us run them in that order."""
    sqs = MemorySqs(seed=seed, fifo_expiry_disorder=True)
    orders = queue(sqs, FIFO, VisibilityTimeout="5")
    grouped(orders, "abc", 8)
    dice = random.Random(seed)
    first_success: list[str] = []

    def sometimes(records: list[dict[str, Any]]) -> object:
        if dice.random() < 0.4:
            raise ValueError("not this time")
        first_success.extend(record["body"] for record in records)
        return None

    handler = Handler(seconds=0.3, then=sometimes)
    async with working(
        sqs, handler, queue=FIFO, batch_size=dice.choice([1, 2, 5]), retry_backoff_s=backoff, timeout=3
    ) as running:
        with anyio.fail_after(3_600):
            await running.until_empty()

    for group in "abc":
        assert first_times(of_group(first_success, group)) == [f"{group}{n}" for n in range(8)]


async def test_sqs_47_a_redelivery_while_its_group_runs_is_handed_back(memory_sqs: MemorySqs) -> None:
    """SQS-47: visibility cut short behind our back; neither the copy nor what follows it starts beside the original."""
    orders = queue(memory_sqs, FIFO)
    handler = Handler(seconds=3)

    async with working(memory_sqs, handler, queue=FIFO, batch_size=1, timeout=5) as running:
        await memory_sqs.set_queue_attributes(orders.url, {"VisibilityTimeout": "1"})
        grouped(orders, "a", 3)
        await running.until_empty()

    assert (handler.bodies, handler.most_running) == (["a0", "a1", "a2"], 1)


async def test_sqs_50_a_dead_lettered_message_frees_its_group_at_once(memory_sqs: MemorySqs) -> None:
    """SQS-50, SQS-68: nothing waits for a message that will not come back."""
    queue(memory_sqs, "dead.fifo")
    orders = queue(memory_sqs, FIFO, VisibilityTimeout="10", RedrivePolicy=redrive("dead.fifo", 1))
    handler = Handler(then=fail_for("a0"))

    async with working(memory_sqs, handler, queue=FIFO, batch_size=1):
        grouped(orders, "a", 2)
        await anyio.sleep(11)

    assert handler.times == [0, 10]
    assert handler.bodies == ["a0", "a1"]


async def test_sqs_52_a_message_sent_twice_is_delivered_once(memory_sqs: MemorySqs) -> None:
    """SQS-52: within five minutes the de-duplication id decides; afterwards it is a message of its own."""
    orders = queue(memory_sqs, FIFO)
    handler = Handler()

    async with working(memory_sqs, handler, queue=FIFO):
        for wait in (100, 199.5, 1):
            orders.put("a0", group="a")
            await anyio.sleep(wait)
        orders.put("a0", group="a")
        await anyio.sleep(1)

    assert handler.bodies == ["a0", "a0"]


async def test_sqs_53_a_group_on_a_standard_queue_neither_orders_nor_locks(memory_sqs: MemorySqs) -> None:
    """SQS-53: it names a tenant; its messages run side by side, and the attribute is there to read."""
    orders = queue(memory_sqs)
    orders.put("a", "b", "c", group="tenant")
    handler = Handler(seconds=1)

    async with working(memory_sqs, handler, batch_size=1) as running:
        await running.until_empty()

    assert handler.most_running == 3
    assert {each.records[0]["attributes"]["MessageGroupId"] for each in handler.invocations} == {"tenant"}

"""From an empty queue to a burst and back: what is asked of the queue, and what reaches the function."""

from __future__ import annotations

import anyio
import pytest

from eventmap.testing import MemorySqs
from tests.testing.queues import queue

from .scene import Handler, Relay, calls_per, numbered, statistics, working

pytestmark = pytest.mark.virtual_time


async def test_sqs_21_22_an_empty_queue_costs_three_long_polls_a_minute(memory_sqs: MemorySqs) -> None:
    """SQS-21: one poll of 20 s at a time, and nothing else is asked."""
    queue(memory_sqs)
    relay = Relay(memory_sqs)

    async with working(relay, Handler()):
        await anyio.sleep(3600)

    assert 179 <= len(relay.receives) <= 181
    assert {(10, 20, None)} == {call[1:] for call in relay.receives}
    assert memory_sqs.journal.calls["DeleteMessageBatch"] == 0


async def test_sqs_21_a_message_that_arrives_during_the_poll_runs_at_once(memory_sqs: MemorySqs) -> None:
    """SQS-21, SQS-25: nothing waits for a batch to fill when there is no window."""
    orders = queue(memory_sqs)
    handler = Handler()

    async with working(memory_sqs, handler):
        await anyio.sleep(13.5)
        orders.put("late")
        await anyio.sleep(0.5)

    assert (handler.times, handler.batches) == ([13.5], [["late"]])


async def test_sqs_20_32_a_burst_runs_at_full_speed_within_a_second(memory_sqs: MemorySqs) -> None:
    """SQS-20: all slots of the function are at work a second after the first message, each receive asking for ten."""
    orders = queue(memory_sqs)
    handler = Handler(seconds=5)
    relay = Relay(memory_sqs, latency_s=0.01)

    async with working(relay, handler, batch_size=1, concurrency=50, timeout=10):
        await anyio.sleep(30)
        orders.put(*numbered(200))
        await anyio.sleep(1)
        at_work = handler.running

    assert at_work == 50
    assert max(call[1] for call in relay.receives) == 10


async def test_sqs_20_after_a_burst_one_long_poll_is_left(memory_sqs: MemorySqs) -> None:
    """SQS-21: the receivers of the burst end when they come back empty."""
    orders = queue(memory_sqs)
    orders.put(*numbered(300))
    relay = Relay(memory_sqs, latency_s=0.01)

    async with working(relay, Handler(), batch_size=1, concurrency=50):
        await anyio.sleep(120)
        asked = len(relay.receives)
        await anyio.sleep(60)
        idle = len(relay.receives) - asked

    assert memory_sqs.counts("orders") == (0, 0, 0)
    assert idle <= 4


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10])
async def test_sqs_25_163_what_a_receive_returned_is_cut_into_batches_in_order(
    memory_sqs: MemorySqs, batch_size: int
) -> None:
    """SQS-25, SQS-163: never more than `BatchSize` records, in the order of receipt, every message once."""
    orders = queue(memory_sqs)
    orders.put(*numbered(30))
    handler = Handler()

    async with working(memory_sqs, handler, batch_size=batch_size) as running:
        await running.until_empty()

    assert max(map(len, handler.batches)) == batch_size
    assert handler.bodies == numbered(30)


@pytest.mark.parametrize(("batch_size", "window"), [(1, 0), (10, 0), (1_000, 1)])
async def test_sqs_62_a_thousand_messages_cost_at_most_205_calls(
    memory_sqs: MemorySqs, batch_size: int, window: int
) -> None:
    """SQS-20, SQS-62: full receives, and deletes coalesced across batches into calls of ten."""
    orders = queue(memory_sqs)
    orders.put(*numbered(1000))
    handler = Handler(seconds=0.02)
    relay = Relay(memory_sqs, latency_s=0.004)

    async with working(relay, handler, batch_size=batch_size, maximum_batching_window_in_seconds=window) as running:
        while memory_sqs.counts("orders") != (0, 0, 0):
            await anyio.sleep(0.05)
        done = statistics(running).done

    assert (sorted(handler.bodies), done) == (sorted(numbered(1000)), 1000)
    assert calls_per(memory_sqs) <= 205


async def test_sqs_28_59_fil_06_07_a_filtered_message_is_deleted_at_once(memory_sqs: MemorySqs) -> None:
    """SQS-28, SQS-59, FIL-06, FIL-07: it takes no place in a batch, and is never delivered."""
    orders = queue(memory_sqs)
    orders.put(*[f'{{"n":{number}}}' for number in range(10)])
    handler = Handler(seconds=2)

    async with working(
        memory_sqs,
        handler,
        batch_size=5,
        filter_criteria={"Filters": [{"Pattern": '{"body":{"n":[{"numeric":["<",5]}]}}'}]},
    ) as running:
        await anyio.sleep(1)
        while_it_runs = memory_sqs.counts("orders")
        await anyio.sleep(2)
        counted = statistics(running)

    assert handler.batches == [[f'{{"n":{number}}}' for number in range(5)]]
    assert while_it_runs == (0, 0, 5)
    assert (counted.filtered, counted.done, counted.received) == (5, 10, 10)


async def test_sqs_29_fil_07_nothing_left_after_filtering_is_no_invocation(memory_sqs: MemorySqs) -> None:
    """SQS-29: no empty `Records`, and no receive count beyond the first."""
    orders = queue(memory_sqs, VisibilityTimeout="5")
    orders.put("plain", "text")
    handler = Handler()

    async with working(
        memory_sqs, handler, filter_criteria={"Filters": [{"Pattern": {"body": {"n": [1]}}}]}
    ) as running:
        await anyio.sleep(60)
        counted = statistics(running)

    assert (handler.invocations, memory_sqs.counts("orders")) == ([], (0, 0, 0))
    assert (counted.filtered, counted.invocations, counted.received) == (2, 0, 2)


async def test_fil_02_04_filters_are_ored_and_none_let_everything_pass(memory_sqs: MemorySqs) -> None:
    """FIL-02, FIL-04: one matching pattern is enough; empty criteria filter nothing."""
    orders = queue(memory_sqs)
    orders.put("a", "b", "c")
    some, every = Handler(), Handler()
    either = {"Filters": [{"Pattern": '{"body":["a"]}'}, {"Pattern": '{"body":["c"]}'}]}

    async with working(memory_sqs, some, filter_criteria=either) as running:
        await running.until_empty()
    orders.put("a", "b", "c")
    async with working(memory_sqs, every, filter_criteria={"Filters": []}) as running:
        await running.until_empty()

    assert (some.bodies, every.bodies) == (["a", "c"], ["a", "b", "c"])


async def test_fil_23_the_function_gets_the_body_byte_for_byte() -> None:
    """FIL-23: a filter that parsed the body leaves the record as it came."""
    sqs = MemorySqs()
    body = ' {"n" : 1.0,  "é": "\\u00e9", "n": 1}\n'
    queue(sqs).put(body)
    handler = Handler()

    async with working(sqs, handler, filter_criteria={"Filters": [{"Pattern": {"body": {"n": [1]}}}]}) as running:
        await running.until_empty()

    assert handler.bodies == [body]


async def test_sqs_30_140_disorder_and_duplicates_lose_nothing() -> None:
    """SQS-30, SQS-140: a standard queue promises neither order nor once; each message still arrives and is deleted."""
    sqs = MemorySqs(seed=7, disorder=True, duplicates=0.3)
    queue(sqs).put(*numbered(100))
    handler = Handler(seconds=0.1)

    async with working(sqs, handler, batch_size=3) as running:
        await running.until_empty()

    assert set(handler.bodies) == set(numbered(100))
    assert handler.bodies != sorted(handler.bodies)


async def test_sqs_31_67_a_second_copy_of_a_running_message_is_absorbed(memory_sqs: MemorySqs) -> None:
    """SQS-31, SQS-67: a record is in one batch at a time; the copy only brings its newer receipt, which deletes."""
    orders = queue(memory_sqs)
    handler = Handler(seconds=3)

    async with working(memory_sqs, handler, timeout=5) as running:
        await memory_sqs.set_queue_attributes(orders.url, {"VisibilityTimeout": "2"})  # behind our back
        orders.put("slow")
        await anyio.sleep(60)
        counted = statistics(running)

    assert (handler.bodies, memory_sqs.counts("orders")) == (["slow"], (0, 0, 0))
    assert (counted.redelivered_while_held, counted.done, counted.possible_duplicates) == (1, 1, 0)

from __future__ import annotations

import anyio
import pytest

from eventmap import clock
from eventmap.errors import QueueNotFound, SourceError, TransientSourceError
from eventmap.testing import MemorySqs, run_in_virtual_time

from .queues import bodies, counts, queue

pytestmark = pytest.mark.virtual_time


async def test_sqs_20_a_receive_returns_at_most_ten(memory_sqs: MemorySqs) -> None:
    """SQS-20: ten is the most one receive can ask for, and get."""
    orders = queue(memory_sqs)
    orders.put(*map(str, range(25)))

    sizes = [len(await orders.receive()) for _ in range(4)]

    assert sizes == [10, 10, 5, 0]
    for limit in (0, 11):
        with pytest.raises(SourceError, match="MaxNumberOfMessages"):
            await orders.receive(limit)


async def test_sqs_21_a_long_poll_ends_with_the_first_arrival(memory_sqs: MemorySqs) -> None:
    """SQS-21: a waiting receive returns when a message comes, or empty after its wait time."""
    orders = queue(memory_sqs)
    arrived: list[tuple[list[str], float]] = []

    async def poll() -> None:
        for _ in range(2):
            arrived.append((bodies(await orders.receive(wait=20)), clock.elapsed_s()))

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.sleep(7)
        orders.put("a")

    assert arrived == [(["a"], 7.0), ([], 27.0)]


@pytest.mark.parametrize("visibility", [0, 5, 20])
async def test_sqs_21_a_long_poll_sees_a_message_whose_visibility_ends(memory_sqs: MemorySqs, visibility: int) -> None:
    """SQS-21: it wakes for a message that another consumer did not settle, up to its very last instant."""
    orders = queue(memory_sqs)
    orders.put("a")
    await orders.receive(visibility=visibility)

    assert counts(await orders.receive(wait=20)) == ["2"]
    assert clock.elapsed_s() == visibility


async def test_sqs_21_a_waiting_poll_hears_of_a_receive_during_its_wait(memory_sqs: MemorySqs) -> None:
    """SQS-21: two poll, one gets the message and drops it; the other one gets it when its visibility ends."""
    orders = queue(memory_sqs)
    seen: list[tuple[str, float]] = []

    async def poll() -> None:
        [count] = counts(await orders.receive(wait=20, visibility=3))
        seen.append((count, clock.elapsed_s()))

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        group.start_soon(poll)
        await anyio.sleep(2)
        orders.put("a")

    assert seen == [("1", 2.0), ("2", 5.0)]


async def test_sqs_21_a_waiting_poll_hears_of_a_shorter_visibility(memory_sqs: MemorySqs) -> None:
    """SQS-21: a receive and a visibility change made during the wait count, not only what was known at its start."""
    orders = queue(memory_sqs, VisibilityTimeout=30)
    orders.put("a")
    [message] = await orders.receive()
    woken: list[float] = []

    async def poll() -> None:
        assert counts(await orders.receive(wait=20)) == ["2"]
        woken.append(clock.elapsed_s())

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.sleep(1)
        await orders.show_in(3, message)

    assert woken == [4.0]


async def test_sqs_21_a_cancelled_poll_takes_nothing_with_it(memory_sqs: MemorySqs) -> None:
    """SQS-21: a receive that was given up leaves the message for others."""
    orders = queue(memory_sqs)
    with anyio.move_on_after(5):
        await orders.receive(wait=20)
    orders.put("a")

    assert memory_sqs.counts("orders") == (1, 0, 0)
    assert counts(await orders.receive()) == ["1"]


async def test_sqs_31_a_received_message_is_invisible_until_its_timeout(memory_sqs: MemorySqs) -> None:
    """SQS-31, SQS-60, SQS-61: it comes back when the timeout ends, to the second, with the count raised by one."""
    orders = queue(memory_sqs, VisibilityTimeout=30)
    orders.put("a")
    first = await orders.receive()
    await anyio.sleep(29.9)
    assert await orders.receive() == []
    await anyio.sleep(0.1)

    second = await orders.receive()

    assert counts(first) + counts(second) == ["1", "2"]
    assert first[0]["ReceiptHandle"] != second[0]["ReceiptHandle"]


async def test_sqs_30_disorder_returns_another_order_and_loses_nothing() -> None:
    """SQS-30: a standard queue promises no order; the seed decides which one."""
    orders = []
    for seed in (1, 1, 2):
        shuffled = queue(MemorySqs(seed=seed, disorder=True))
        shuffled.put(*map(str, range(20)))
        orders.append(bodies(await shuffled.receive()) + bodies(await shuffled.receive()))

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0], key=int) == [str(n) for n in range(20)] != orders[0]


async def test_sqs_30_duplicates_are_delivered_while_in_flight() -> None:
    """SQS-30: the same message may be received twice, under two receipts, of which only the later one deletes."""
    orders = queue(MemorySqs(duplicates=1.0))
    orders.put("a")
    [first] = await orders.receive()
    [second] = await orders.receive()

    await orders.delete(first)
    assert orders.sqs.counts("orders") == (0, 0, 1)
    await orders.delete(second)

    assert (first["MessageId"], counts([second])) == (second["MessageId"], ["2"])
    assert orders.sqs.counts("orders") == (0, 0, 0)
    assert await orders.receive() == []


async def test_sqs_53_a_group_on_a_standard_queue_neither_orders_nor_locks(memory_sqs: MemorySqs) -> None:
    """SQS-53: it only shows in the attributes."""
    orders = queue(memory_sqs)
    orders.put("a", "b", group="tenant")

    first, second = await orders.receive(1), await orders.receive(1)

    assert bodies(first + second) == ["a", "b"]
    assert first[0]["Attributes"]["MessageGroupId"] == "tenant"


async def test_sqs_63_deleting_twice_is_fine(memory_sqs: MemorySqs) -> None:
    """SQS-63: the second delete succeeds and does nothing; a receipt of nobody is refused in its own entry."""
    orders = queue(memory_sqs)
    orders.put("a")
    [message] = await orders.receive()

    assert await orders.delete(message) == {}
    assert await orders.delete(message, {"ReceiptHandle": "made up"}) == {1: "ReceiptHandleIsInvalid"}
    assert memory_sqs.messages("orders") == []


async def test_sqs_67_an_expired_receipt_deletes_until_the_message_is_received_again(memory_sqs: MemorySqs) -> None:
    """SQS-67: on a standard queue an old receipt always succeeds, but after a re-receive it deletes nothing."""
    orders = queue(memory_sqs, VisibilityTimeout=10)
    orders.put("a", "b")
    stale = await orders.receive()
    await anyio.sleep(10)

    assert await orders.delete(stale[0]) == {}
    assert [message.body for message in memory_sqs.messages("orders")] == ["b"]
    assert bodies(await orders.receive()) == ["b"]
    assert await orders.delete(stale[1]) == {}
    assert [message.body for message in memory_sqs.messages("orders")] == ["b"]


async def test_sqs_66_visibility_can_be_ended_and_extended(memory_sqs: MemorySqs) -> None:
    """SQS-66: zero shows the message at once; an extension counts from the call."""
    orders = queue(memory_sqs)
    orders.put("a")
    [message] = await orders.receive()
    await anyio.sleep(20)
    await orders.show_in(30, message)
    await anyio.sleep(29)
    assert await orders.receive() == []

    await orders.show_in(0, message)

    assert counts(await orders.receive()) == ["2"]


async def test_sqs_66_visibility_ends_twelve_hours_after_the_receive(memory_sqs: MemorySqs) -> None:
    """SQS-66: 0..43,200 s per call, and in all not beyond 43,200 s after the receive."""
    orders = queue(memory_sqs)
    orders.put("a")
    [message] = await orders.receive()

    assert await orders.show_in(43_201, message) == {0: "InvalidParameterValue"}
    assert await orders.show_in(-1, message) == {0: "InvalidParameterValue"}
    assert await orders.show_in(43_200, message) == {}
    await anyio.sleep(1)
    assert await orders.show_in(43_200, message) == {0: "InvalidParameterValue"}
    assert await orders.show_in(43_199, message) == {}
    await anyio.sleep(43_199)
    assert counts(await orders.receive()) == ["2"]
    with pytest.raises(SourceError, match="VisibilityTimeout"):
        await orders.receive(visibility=43_201)


async def test_sqs_66_visibility_of_what_is_not_in_flight_cannot_change(memory_sqs: MemorySqs) -> None:
    """SQS-66: visible again, received again or deleted: the old receipt is refused in its entry."""
    orders = queue(memory_sqs, VisibilityTimeout=5)
    orders.put("a")
    [old] = await orders.receive()
    await anyio.sleep(5)
    assert await orders.show_in(5, old) == {0: "AWS.SimpleQueueService.MessageNotInflight"}
    [new] = await orders.receive()

    assert await orders.show_in(5, old, new) == {0: "InvalidParameterValue"}
    await orders.delete(new)
    assert await orders.show_in(5, new) == {0: "InvalidParameterValue"}


async def test_sqs_113_attributes_are_strings_and_the_first_receive_is_remembered(memory_sqs: MemorySqs) -> None:
    """SQS-113: counts and milliseconds as text; the first receive time never changes again."""
    orders = queue(memory_sqs, VisibilityTimeout=1)
    orders.put("a")
    await anyio.sleep(0.005)
    [first] = await orders.receive()
    await anyio.sleep(1)
    [second] = await orders.receive()

    assert first["Attributes"] == {
        "SenderId": "AIDAEVENTMAPTESTKIT00",
        "SentTimestamp": "1767225600000",
        "ApproximateFirstReceiveTimestamp": "1767225600005",
        "ApproximateReceiveCount": "1",
    }
    assert second["Attributes"] == first["Attributes"] | {"ApproximateReceiveCount": "2"}


async def test_sqs_129_too_many_in_flight() -> None:
    """SQS-129: a standard queue answers OverLimit, a FIFO queue nothing; a delete makes room."""
    sqs = MemorySqs(in_flight_limit=3)
    orders, fifo = queue(sqs), queue(sqs, "orders.fifo")
    orders.put(*"abcd")
    for name in "abcd":
        fifo.put(name, group=name)
    held = await orders.receive()

    assert (len(held), len(await fifo.receive())) == (3, 3)
    assert await fifo.receive() == []
    with pytest.raises(TransientSourceError) as refused:
        await orders.receive()
    assert refused.value.code == "OverLimit"
    await orders.delete(held[0])
    assert len(await orders.receive()) == 1


async def test_sqs_130_delays_hide_a_message_at_first(memory_sqs: MemorySqs) -> None:
    """SQS-130: the queue's delay holds unless the message has its own; a long poll wakes when one ends."""
    orders = queue(memory_sqs, DelaySeconds=5)
    orders.put("queue's")
    orders.put("own", delay_seconds=900)
    orders.put("none", delay_seconds=0)

    assert memory_sqs.counts("orders") == (1, 2, 0)
    assert bodies(await orders.receive()) == ["none"]
    assert bodies(await orders.receive(wait=20)) == ["queue's"]
    assert clock.elapsed_s() == 5.0
    await anyio.sleep(895)
    assert bodies(await orders.receive()) == ["none", "queue's", "own"]


async def test_a_missing_or_deleted_queue_is_not_found(memory_sqs: MemorySqs) -> None:
    """SQS-15: also for a long poll that was under way."""
    orders = queue(memory_sqs)
    with pytest.raises(QueueNotFound):
        await memory_sqs.get_queue_url("nowhere")

    async def poll() -> None:
        with pytest.raises(QueueNotFound):
            await orders.receive(wait=20)

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.sleep(1)
        await memory_sqs.delete_queue(orders.url)
    assert clock.elapsed_s() == 1.0


async def test_the_journal_counts_and_remembers_calls() -> None:
    """Calls and messages per operation; with `keeps_log`, who and when."""
    orders = queue(MemorySqs(keeps_log=True))
    [message_id] = orders.put("a")
    await anyio.sleep(2)
    received = await orders.receive()
    await orders.delete(*received)
    await orders.receive()

    journal = orders.sqs.journal
    assert (journal.calls["ReceiveMessage"], journal.messages["ReceiveMessage"]) == (2, 1)
    assert [(call.at_s, call.operation, call.message_ids) for call in journal.log or ()] == [
        (2.0, "ReceiveMessage", (message_id,)),
        (2.0, "DeleteMessageBatch", (message_id,)),
        (2.0, "ReceiveMessage", ()),
    ]


def test_the_queue_can_be_filled_before_and_inspected_after_the_loop(memory_sqs: MemorySqs) -> None:
    """Outside a loop its clock stands still, and the next loop goes on from there."""
    orders = queue(memory_sqs, VisibilityTimeout=30)
    orders.put("a", "b")

    async def consume() -> None:
        [message] = await orders.receive(1)
        await orders.delete(message)
        await orders.receive(1)

    async def later() -> None:
        await anyio.sleep(30)

    run_in_virtual_time(consume)
    assert memory_sqs.counts("orders") == (0, 0, 1)
    run_in_virtual_time(later)
    run_in_virtual_time(later)
    assert run_in_virtual_time(orders.receive) == []


async def test_a_message_that_comes_twice_in_one_answer_may_come_again() -> None:
    """SQS-30: a copy and the message itself, visible again, meet in one receive."""
    sqs = MemorySqs(seed=1, duplicates=1.0)
    url = sqs.add_queue("orders")
    sqs.put("orders", "a")

    async def receive() -> int:
        messages = await sqs.receive_message(url, max_number_of_messages=10, wait_time_seconds=0, visibility_timeout=0)
        return len(messages)

    counts = [await receive() for _ in range(5)]

    assert counts[0] == 1
    assert max(counts) == 2

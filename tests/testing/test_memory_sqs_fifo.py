from __future__ import annotations

import anyio
import pytest

from eventmap import clock
from eventmap.testing import MemorySqs

from .queues import bodies, counts, queue, redrive

pytestmark = pytest.mark.virtual_time


async def test_sqs_47_a_group_with_a_message_in_flight_gives_no_further_one(memory_sqs: MemorySqs) -> None:
    """SQS-47: the group stays locked until all of it that was received is deleted or visible again."""
    orders = queue(memory_sqs, "orders.fifo")
    orders.put("a1", "a2", "a3", group="a")
    orders.put("b1", group="b")
    first, second = await orders.receive(2)
    assert bodies(await orders.receive()) == ["b1"]

    await orders.delete(first)
    assert await orders.receive() == []
    await orders.delete(second)

    assert bodies(await orders.receive()) == ["a3"]


async def test_sqs_47_a_delete_wakes_a_poll_that_waits_for_the_group(memory_sqs: MemorySqs) -> None:
    """SQS-47, SQS-21: the next message of the group is there the moment its predecessor is gone."""
    orders = queue(memory_sqs, "orders.fifo")
    orders.put("a1", "a2", group="a")
    [first] = await orders.receive(1)
    seen: list[tuple[list[str], float]] = []

    async def poll() -> None:
        seen.append((bodies(await orders.receive(wait=20)), clock.elapsed_s()))

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.sleep(3)
        await orders.delete(first)

    assert seen == [(["a2"], 3.0)]


async def test_sqs_49_a_receive_takes_as_many_of_one_group_as_it_can(memory_sqs: MemorySqs) -> None:
    """SQS-48, SQS-49: then the next group fills the rest; within a group the order is that of sending."""
    orders = queue(memory_sqs, "orders.fifo")
    for turn in range(6):
        orders.put(f"a{turn}", group="a")
        orders.put(f"b{turn}", group="b")

    received = await orders.receive()

    assert bodies(received) == ["a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2", "b3"]


async def test_sqs_50_retries_come_before_later_messages_in_order(memory_sqs: MemorySqs) -> None:
    """SQS-50: m0 deleted, m1 and m2 expire: the group goes on with m1, m2, m3."""
    orders = queue(memory_sqs, "orders.fifo", VisibilityTimeout=10)
    orders.put("m0", "m1", "m2", "m3", group="g")
    held = await orders.receive(3)
    await orders.delete(held[0])
    await anyio.sleep(10)

    seen = []
    while message := await orders.receive(1):
        seen += bodies(message)
        await orders.delete(*message)

    assert seen == ["m1", "m2", "m3"]


async def test_sqs_50_the_expiry_quirk_returns_them_as_other_servers_do() -> None:
    """SQS-50 broken on purpose: m2, m1, m3, as one emulator answers."""
    orders = queue(MemorySqs(fifo_expiry_disorder=True), "orders.fifo", VisibilityTimeout=10)
    orders.put("m0", "m1", "m2", "m3", group="g")
    held = await orders.receive(3)
    await orders.delete(held[0])
    await anyio.sleep(10)

    seen = []
    while message := await orders.receive(1):
        seen += bodies(message)
        await orders.delete(*message)

    assert seen == ["m2", "m1", "m3"]


async def test_sqs_50_visibility_zero_on_a_later_member_keeps_the_order(memory_sqs: MemorySqs) -> None:
    """SQS-47, SQS-50: while m0 is in flight a released m1 waits; released too, m0 comes first."""
    orders = queue(memory_sqs, "orders.fifo")
    orders.put("m0", "m1", "m2", group="g")
    first, second = await orders.receive(2)
    await orders.show_in(0, second)
    assert await orders.receive() == []
    await orders.show_in(0, first)

    received = await orders.receive()

    assert (bodies(received), counts(received)) == (["m0", "m1", "m2"], ["2", "2", "1"])


async def test_sqs_52_the_same_token_within_five_minutes_is_one_message(memory_sqs: MemorySqs) -> None:
    """SQS-52: accepted with the first one's id, even when that is deleted long since; then it is new again."""
    orders = queue(memory_sqs, "orders.fifo")
    [first] = orders.put("a", group="g", deduplication_id="t")
    await orders.delete(*await orders.receive())
    await anyio.sleep(299)
    [again] = orders.put("b", group="other", deduplication_id="t")
    assert memory_sqs.counts("orders.fifo") == (0, 0, 0)
    await anyio.sleep(1)
    [new] = orders.put("c", group="g", deduplication_id="t")

    assert again == first != new
    assert bodies(await orders.receive()) == ["c"]


async def test_sqs_52_the_scope_may_be_the_message_group(memory_sqs: MemorySqs) -> None:
    """SQS-52: with DeduplicationScope messageGroup the same token in another group is another message."""
    orders = queue(
        memory_sqs, "orders.fifo", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId"
    )
    orders.put("a", group="1", deduplication_id="t")
    orders.put("b", group="2", deduplication_id="t")
    orders.put("c", group="2", deduplication_id="t")

    assert bodies(await orders.receive()) == ["a", "b"]


async def test_sqs_126_content_based_deduplication_uses_the_body(memory_sqs: MemorySqs) -> None:
    """SQS-52, SQS-126: the published vector shows as the token."""
    orders = queue(memory_sqs, "orders.fifo", ContentBasedDeduplication="true")
    for _ in range(2):
        memory_sqs.put("orders.fifo", "Test", group="g")

    [message] = await orders.receive()

    token = "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    assert message["Attributes"]["MessageDeduplicationId"] == token


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"MessageBody": "x", "MessageDeduplicationId": "d"}, "MissingParameter"),
        ({"MessageBody": "x", "MessageGroupId": "g"}, "InvalidParameterValue"),
        (
            {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1},
            "InvalidParameterValue",
        ),
    ],
)
async def test_sqs_52_130_what_a_fifo_queue_refuses(memory_sqs: MemorySqs, entry: dict[str, object], code: str) -> None:
    """SQS-52, SQS-130: a group and a token are needed, a delay of its own is not allowed."""
    orders = queue(memory_sqs, "orders.fifo")

    assert await memory_sqs.send_message_batch(orders.url, [entry]) == {0: code}


async def test_sqs_67_an_expired_receipt_cannot_delete_on_a_fifo_queue(memory_sqs: MemorySqs) -> None:
    """SQS-67: neither before nor after the message was received again; deleting twice is fine (SQS-63)."""
    orders = queue(memory_sqs, "orders.fifo", VisibilityTimeout=10)
    orders.put("a", group="g")
    [old] = await orders.receive()
    await anyio.sleep(10)

    assert await orders.delete(old) == {0: "ReceiptHandleIsInvalid"}
    [new] = await orders.receive()
    assert await orders.delete(old) == {0: "ReceiptHandleIsInvalid"}
    assert await orders.delete(new) == {}
    assert await orders.delete(new, old) == {}


async def test_sqs_71_a_fifo_move_gets_a_new_token_and_number_and_a_new_life(memory_sqs: MemorySqs) -> None:
    """SQS-71, SQS-72: the token becomes the message id, the sequence number changes, retention restarts."""
    dead = queue(memory_sqs, "dead.fifo", MessageRetentionPeriod=100)
    orders = queue(memory_sqs, "orders.fifo", VisibilityTimeout=1, RedrivePolicy=redrive("dead.fifo", 1))
    orders.put("poison", "next", group="g")
    [before] = await orders.receive(1)
    await anyio.sleep(90)

    assert bodies(await orders.receive()) == ["next"]
    await anyio.sleep(99)
    [after] = await dead.receive()

    assert after["MessageId"] == before["MessageId"]
    assert after["Attributes"]["MessageDeduplicationId"] == before["MessageId"]
    assert after["Attributes"]["SequenceNumber"] != before["Attributes"]["SequenceNumber"]
    assert (after["Attributes"]["MessageGroupId"], counts([after])) == ("g", ["2"])


async def test_sqs_113_sequence_numbers_have_twenty_digits_and_rise(memory_sqs: MemorySqs) -> None:
    """SQS-113: as text of equal length, so they sort as they were sent."""
    orders = queue(memory_sqs, "orders.fifo")
    orders.put(*"abcd", group="g")

    numbers = [message["Attributes"]["SequenceNumber"] for message in await orders.receive()]

    assert {len(number) for number in numbers} == {20}
    assert numbers == sorted(set(numbers))

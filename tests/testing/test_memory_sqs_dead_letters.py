from __future__ import annotations

import anyio
import pytest

from eventmap.errors import SourceError
from eventmap.testing import MemorySqs

from .queues import bodies, counts, queue, redrive

pytestmark = pytest.mark.virtual_time


async def test_sqs_68_n_receives_are_delivered_and_the_next_one_moves(memory_sqs: MemorySqs) -> None:
    """SQS-68: with maxReceiveCount 2 the third receive finds the next message instead."""
    dead = queue(memory_sqs, "dead")
    orders = queue(memory_sqs, VisibilityTimeout=1, RedrivePolicy=redrive("dead", 2))
    orders.put("poison")
    seen = []
    for _ in range(2):
        seen += counts(await orders.receive())
        await anyio.sleep(1)
    assert memory_sqs.counts("dead") == (0, 0, 0)
    orders.put("good")

    assert bodies(await orders.receive(1)) == ["good"]

    assert seen == ["1", "2"]
    assert bodies(await dead.receive()) == ["poison"]


async def test_sqs_69_the_dead_letter_queue_exists_and_has_the_same_type(memory_sqs: MemorySqs) -> None:
    """SQS-69: AWS refuses the policy otherwise, and where the target does not allow the source."""
    queue(memory_sqs, "dead.fifo")
    queue(memory_sqs, "closed", RedriveAllowPolicy={"redrivePermission": "denyAll"})
    own = {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-east-1:123456789012:mine"]}
    queue(memory_sqs, "guarded", RedriveAllowPolicy=own)

    for target, reason in [("nowhere", "does not exist"), ("dead.fifo", "same type"), ("closed", "not allow")]:
        with pytest.raises(SourceError, match=reason):
            queue(memory_sqs, RedrivePolicy=redrive(target, 3))
    with pytest.raises(SourceError, match="not allow"):
        queue(memory_sqs, RedrivePolicy=redrive("guarded", 3))
    queue(memory_sqs, "mine", RedrivePolicy=redrive("guarded", 3))


async def test_sqs_71_a_moved_message_keeps_what_it_is(memory_sqs: MemorySqs) -> None:
    """SQS-71: same id, times and attributes; the count continues; the source is named."""
    dead = queue(memory_sqs, "dead")
    orders = queue(memory_sqs, VisibilityTimeout=1, RedrivePolicy=redrive("dead", 1))
    orders.put("a", attributes={"k": {"DataType": "Number", "StringValue": "1"}})
    await anyio.sleep(3)
    [before] = await orders.receive()
    await anyio.sleep(60)
    assert await orders.receive() == []

    [after] = await dead.receive()

    changed = {
        "ApproximateReceiveCount": "2",
        "DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:123456789012:orders",
    }
    assert after["Attributes"] == before["Attributes"] | changed
    assert {key: value for key, value in after.items() if key not in ("Attributes", "ReceiptHandle")} == {
        key: value for key, value in before.items() if key not in ("Attributes", "ReceiptHandle")
    }


async def test_sqs_72_messages_expire_without_a_dead_letter(memory_sqs: MemorySqs) -> None:
    """SQS-72: after the retention period a message vanishes, in flight or not; a standard move does not restart it."""
    queue(memory_sqs, "dead", MessageRetentionPeriod=100)
    orders = queue(memory_sqs, VisibilityTimeout=1, MessageRetentionPeriod=60, RedrivePolicy=redrive("dead", 1))
    orders.put("moved")
    await orders.receive()
    await anyio.sleep(30)
    await orders.receive()
    orders.put("waiting", "in flight")
    await orders.receive(1, visibility=600)
    assert (memory_sqs.counts("orders"), memory_sqs.counts("dead")) == ((1, 0, 1), (1, 0, 0))

    await anyio.sleep(60)
    assert (memory_sqs.counts("orders"), memory_sqs.counts("dead")) == ((0, 0, 0), (1, 0, 0))
    await anyio.sleep(10)
    assert memory_sqs.counts("dead") == (0, 0, 0)

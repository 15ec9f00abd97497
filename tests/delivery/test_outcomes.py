"""What becomes of messages after an invocation, seen from the queue."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.testing import MemorySqs
from tests.testing.queues import queue, redrive

from .scene import REPORTS, Handler, Relay, fail, fail_for, numbered, report, statistics, working

pytestmark = pytest.mark.virtual_time


async def test_sqs_54_success_deletes_the_whole_batch(memory_sqs: MemorySqs) -> None:
    """SQS-54: whatever the function returns, when it reports no item failures."""
    queue(memory_sqs).put("a", "b")
    handler = Handler(then=report("a"))

    async with working(memory_sqs, handler) as running:
        await running.until_empty()
        counted = statistics(running)

    assert (handler.batches, counted.done, counted.failed_invocations) == ([["a", "b"]], 2, 0)


async def test_sqs_55_60_61_a_failed_batch_comes_back_when_its_visibility_ends(memory_sqs: MemorySqs) -> None:
    """SQS-55, 60, 61: none deleted; they reappear a visibility timeout after the receive, their count risen by 1."""
    orders = queue(memory_sqs, VisibilityTimeout="30")
    handler = Handler(seconds=1, then=fail)
    relay = Relay(memory_sqs)

    async with working(relay, handler) as running:
        await anyio.sleep(5)
        orders.put("a", "b")
        await anyio.sleep(80)
        counted = statistics(running)

    assert handler.times == [5, 35, 65]
    assert handler.receive_counts("a") == [1, 2, 3]
    assert (relay.deletes, relay.changes) == ([], [])
    assert (counted.retried, counted.failed_invocations, counted.done) == (6, 3, 0)


async def test_sqs_55_97_a_timeout_fails_the_batch(memory_sqs: MemorySqs) -> None:
    """SQS-55, SQS-97: cut at the function timeout; nothing is deleted, partial responses or not."""
    queue(memory_sqs, VisibilityTimeout="10").put("a")
    handler = Handler(seconds=60)

    async with working(memory_sqs, handler, timeout=2, **REPORTS):
        await anyio.sleep(25)

    assert handler.times == [0, 10, 20]
    assert handler.receive_counts("a") == [1, 2, 3]


async def test_sqs_57_61_a_partial_failure_returns_only_what_it_names(memory_sqs: MemorySqs) -> None:
    """SQS-57, 60, 61: the named message comes back by its visibility timeout, the others are gone at once."""
    queue(memory_sqs, VisibilityTimeout="10").put("a", "b", "c")
    handler = Handler(then=report("b"))

    async with working(memory_sqs, handler, **REPORTS) as running:
        await anyio.sleep(1)
        left = [message.body for message in memory_sqs.messages("orders")]
        await anyio.sleep(14)
        counted = statistics(running)

    assert (handler.batches, left) == ([["a", "b", "c"], ["b"]], ["b"])
    assert (counted.done, counted.retried) == (2, 2)


@pytest.mark.parametrize(
    "answer",
    [
        lambda records: {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]},
        lambda records: {"batchItemFailures": [{"itemIdentifier": records[0]["messageId"]}, {"itemIdentifier": ""}]},
        lambda _: {"batchItemFailures": [{"itemIdentifier": None}]},
        lambda _: {"batchItemFailures": [{"foo": "x"}]},
        lambda _: {"batchItemFailures": [{"itemIdentifier": "not-here"}]},
        lambda _: {"batchItemFailures": "all"},
    ],
    ids=["SQS-88", "SQS-90", "SQS-91", "SQS-92", "SQS-93", "SQS-96"],
)
async def test_sqs_58_88_to_96_a_full_failure_deletes_nothing(memory_sqs: MemorySqs, answer: Any) -> None:
    """SQS-58, 88..96: on the queue all of the batch is still there."""
    queue(memory_sqs).put("a", "b")

    async with working(memory_sqs, Handler(then=answer), **REPORTS):
        await anyio.sleep(1)

    assert [message.body for message in memory_sqs.messages("orders")] == ["a", "b"]


@pytest.mark.parametrize("empty", [None, {}, "", [], {"batchItemFailures": []}, {"batchItemFailures": None}, 5])
async def test_sqs_80_to_86_98_an_empty_answer_deletes_everything(memory_sqs: MemorySqs, empty: Any) -> None:
    """SQS-80..86, 98: nothing named is nothing failed."""
    queue(memory_sqs).put("a", "b")

    async with working(memory_sqs, Handler(then=lambda _: empty), **REPORTS):
        await anyio.sleep(1)

    assert memory_sqs.counts("orders") == (0, 0, 0)


async def test_sqs_92a_the_lenient_setting_reaches_the_queue(memory_sqs: MemorySqs) -> None:
    """SQS-92a: an entry without any member acknowledges, only where that was asked for."""
    queue(memory_sqs).put("a")
    handler = Handler(then=lambda _: {"batchItemFailures": [{}]})

    async with working(memory_sqs, handler, **REPORTS):
        await anyio.sleep(1)
    kept = memory_sqs.counts("orders")
    await anyio.sleep(30)
    async with working(memory_sqs, handler, lenient_empty_entry=True, **REPORTS):
        await anyio.sleep(1)

    assert (kept.in_flight, memory_sqs.counts("orders")) == (1, (0, 0, 0))


async def test_sqs_55_failures_slow_the_mapping_down_and_successes_bring_it_back(memory_sqs: MemorySqs) -> None:
    """SQS-55, SQS-160: one fewer at once per failure, never fewer than one; back up again afterwards."""
    orders = queue(memory_sqs, VisibilityTimeout="900")
    orders.put(*numbered(40, "bad"))
    handler = Handler(seconds=1, then=lambda records: fail(records) if "bad" in records[0]["body"] else None)

    async with working(memory_sqs, handler, batch_size=1, concurrency=8):
        await anyio.sleep(15)
        while_it_fails = handler.running
        orders.put(*numbered(400))
        await anyio.sleep(25.5)
        recovered = handler.running

    assert (handler.most_running, while_it_fails, recovered) == (8, 1, 8)


async def test_sqs_57_58_102_with_partial_responses_failures_slow_nothing_down(memory_sqs: MemorySqs) -> None:
    """SQS-57, 58, 102: neither partial nor full failures; not even exceptions."""
    orders = queue(memory_sqs, VisibilityTimeout="900")
    orders.put(*numbered(80, "bad"))
    handler = Handler(seconds=1, then=fail)

    async with working(memory_sqs, handler, batch_size=1, concurrency=8, **REPORTS):
        await anyio.sleep(5.5)
        at_work = handler.running

    assert at_work == 8


@pytest.mark.parametrize("receives", [1, 3])
async def test_sqs_68_61_a_poison_message_is_delivered_so_often_and_then_moves(
    memory_sqs: MemorySqs, receives: int
) -> None:
    """SQS-61, SQS-68: n deliveries, the next receive moves it; the counters told so when the last one failed."""
    queue(memory_sqs, "dead")
    queue(memory_sqs, VisibilityTimeout="5", RedrivePolicy=redrive("dead", receives)).put("poison", "good")
    handler = Handler(then=fail_for("poison"))

    async with working(memory_sqs, handler, batch_size=1) as running:
        await running.until_empty()
        counted = statistics(running)

    assert handler.receive_counts("poison") == list(range(1, receives + 1))
    assert [message.body for message in memory_sqs.messages("dead")] == ["poison"]
    assert (counted.dead_lettered, counted.retried, counted.done) == (1, receives - 1, 1)


async def test_sqs_61_backoff_per_attempt_replaces_the_rest_of_the_visibility(memory_sqs: MemorySqs) -> None:
    """Our own setting: the wait follows the receive count, the last one repeating; 0 is at once."""
    queue(memory_sqs, VisibilityTimeout="30").put("a")
    handler = Handler(then=fail)

    async with working(memory_sqs, handler, retry_backoff_s=[0, 2, 60]):
        await anyio.sleep(150)

    assert [round(time) for time in handler.times] == [0, 0, 2, 62, 122]


async def test_sqs_63_a_message_the_function_deleted_itself_is_done(memory_sqs: MemorySqs) -> None:
    """SQS-63: deleting twice is harmless."""
    orders = queue(memory_sqs)
    orders.put("a")

    async def delete_it(event: dict[str, Any], _context: object) -> None:
        await memory_sqs.delete_message_batch(orders.url, [event["Records"][0]["receiptHandle"]])

    async with working(memory_sqs, delete_it) as running:
        await running.until_empty()
        counted = statistics(running)

    assert (counted.done, counted.possible_duplicates) == (1, 0)


async def test_sqs_24_an_event_beyond_six_mebibytes_is_sent_in_two(memory_sqs: MemorySqs) -> None:
    """SQS-24: seven messages of just under 1 MiB make a batch of five and one of two; nothing is split or dropped."""
    queue(memory_sqs).put(*[f"{number}{'x' * 1_040_000}" for number in range(7)])
    handler = Handler()

    async with working(memory_sqs, handler) as running:
        await running.until_empty()

    assert [[body[0] for body in batch] for batch in handler.batches] == [list("012345"), list("6")]


async def test_sqs_24_fifo_what_is_cut_off_by_size_waits_in_the_queue(memory_sqs: MemorySqs) -> None:
    """SQS-24, SQS-47: the rest of a group never runs beside its beginning, and keeps its order."""
    orders = queue(memory_sqs, "orders.fifo")
    for number in range(9):
        orders.put(f"{number}{'x' * 1_040_000}", group="g", deduplication_id=str(number))
    handler = Handler(seconds=1)

    async with working(memory_sqs, handler, queue="orders.fifo") as running:
        await running.until_empty()

    assert [body[0] for body in handler.bodies] == list("012345678")
    assert handler.most_running == 1

"""One owner per received message: heartbeat, backoff, release and delete, one at a time, until the queue confirms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.delivery.ledger import Ledger
from eventmap.delivery.statistics import Statistics
from eventmap.errors import SourceError, TransientSourceError
from eventmap.model import EntryFailure, Record
from eventmap.testing import FaultyQueue, MemorySqs
from tests.rules.records import record
from tests.testing.queues import queue

from .scene import REPORTS as REPORTS
from .scene import Handler, Relay, numbered, report, working

pytestmark = pytest.mark.virtual_time


class Acknowledged:
    """A queue that takes `seconds` for a call and answers what the script says, then nothing but success."""

    def __init__(self, *answers: Mapping[int, EntryFailure] | SourceError, seconds: float = 0.0) -> None:
        self.answers = list(answers)
        self.seconds = seconds
        self.calls: list[tuple[float, str, list[Any]]] = []

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, EntryFailure]:
        return await self._answer("delete", list(receipts))

    async def change_visibility(self, entries: Sequence[tuple[str, int]]) -> Mapping[int, EntryFailure]:
        return await self._answer("change", list(entries))

    async def _answer(self, name: str, entries: list[Any]) -> Mapping[int, EntryFailure]:
        self.calls.append((round(elapsed_s(), 3), name, entries))
        if self.seconds:
            await anyio.sleep(self.seconds)
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, SourceError):
            raise answer
        return answer

    def named(self, name: str) -> list[list[Any]]:
        return [entries for _, each, entries in self.calls if each == name]


@asynccontextmanager
async def ledger_on(
    acknowledged: Acknowledged, *, visibility: float = 30, heartbeat: bool = False
) -> AsyncIterator[tuple[Ledger, Statistics]]:
    counted = Statistics()
    ledger = Ledger(
        acknowledged, visibility_timeout_s=visibility, heartbeat=heartbeat, statistics=counted, mapping="orders"
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger.run)
        yield ledger, counted
        tasks.cancel_scope.cancel()


def again(original: Record, receipt: str, received_at: float) -> Record:
    """The same message, received once more."""
    newer = record(original.item_id, received_at=received_at)
    return Record(newer.item_id, newer.body, receipt, 2, received_at)


async def test_sqs_62_deletes_are_coalesced_into_calls_of_ten() -> None:
    """SQS-62: whoever settles within a few milliseconds shares a call; a full ten waits for nobody."""
    queue_ = Acknowledged()

    async with ledger_on(queue_) as (ledger, counted):
        records = ledger.own(record(str(n)) for n in range(23))
        for each in records:
            ledger.done([each])
        await ledger.confirmed()

    assert [len(entries) for entries in queue_.named("delete")] == [10, 10, 3]
    assert (counted.done, counted.in_flight) == (23, 0)
    assert queue_.calls[0][0] == 0


async def test_sqs_62_a_failed_entry_is_tried_again_alone() -> None:
    """SQS-62: a failed delete is no function failure; only what the queue did not confirm is sent again."""
    queue_ = Acknowledged({1: EntryFailure.TRY_AGAIN}, {0: EntryFailure.TRY_AGAIN})

    async with ledger_on(queue_) as (ledger, counted):
        ledger.done(ledger.own([record("a"), record("b"), record("c")]))
        await ledger.confirmed()

    assert [list(entries) for entries in queue_.named("delete")] == [
        ["receipt-a", "receipt-b", "receipt-c"],
        ["receipt-b"],
        ["receipt-b"],
    ]
    assert (counted.done, counted.possible_duplicates) == (3, 0)


async def test_sqs_62_an_entry_that_is_never_confirmed_is_given_up_and_counted() -> None:
    """SQS-140: ten attempts, then it may be delivered twice; nothing waits for it for ever."""
    queue_ = Acknowledged(*[{0: EntryFailure.TRY_AGAIN}] * 100)

    async with ledger_on(queue_) as (ledger, counted):
        ledger.done(ledger.own([record("a")]))
        await ledger.confirmed()

    assert (len(queue_.calls), counted.done, counted.possible_duplicates, len(ledger)) == (10, 0, 1, 0)


@pytest.mark.parametrize("error", [TransientSourceError("reset"), SourceError("no", code="AccessDenied")])
async def test_sqs_62_a_call_that_keeps_failing_is_given_up_in_bounded_time(error: SourceError) -> None:
    """SQS-140: transient errors are tried for about half a minute, others not at all."""
    queue_ = Acknowledged(*[error] * 100)

    async with ledger_on(queue_) as (ledger, counted):
        ledger.done(ledger.own([record("a"), record("b")]))
        await ledger.confirmed()

    assert len(queue_.calls) == (11 if isinstance(error, TransientSourceError) else 1)
    assert (counted.possible_duplicates, counted.done, len(ledger)) == (2, 0, 0)
    assert elapsed_s() < 60


async def test_sqs_67_a_lost_receipt_is_a_possible_duplicate_never_a_success() -> None:
    """SQS-67: the queue no longer knows the receipt, so someone else may have the message."""
    queue_ = Acknowledged({0: EntryFailure.RECEIPT_LOST})

    async with ledger_on(queue_) as (ledger, counted):
        ledger.done(ledger.own([record("a"), record("b")]))
        await ledger.confirmed()

    assert (counted.done, counted.possible_duplicates, len(queue_.calls)) == (1, 1, 1)


async def test_sqs_67_a_delete_after_visibility_ended_is_a_possible_duplicate() -> None:
    """SQS-67: a standard queue answers success to an expired receipt, and may have done nothing."""
    queue_ = Acknowledged()

    async with ledger_on(queue_, visibility=10) as (ledger, counted):
        records = ledger.own([record("a")])
        await anyio.sleep(11)
        ledger.done(records)
        await ledger.confirmed()

    assert (counted.done, counted.possible_duplicates) == (0, 1)


async def test_sqs_67_a_delete_uses_the_newest_receipt() -> None:
    """SQS-67: a copy received while the message runs is not run; its receipt is the one that still deletes."""
    queue_ = Acknowledged()

    async with ledger_on(queue_, visibility=10) as (ledger, counted):
        [first] = ledger.own([record("a")])
        await anyio.sleep(11)
        fresh = ledger.own([again(first, "receipt-2", elapsed_s())])
        ledger.done([first])
        await ledger.confirmed()

    assert (fresh, queue_.named("delete")) == ([], [["receipt-2"]])
    assert (counted.done, counted.possible_duplicates, counted.redelivered_while_held) == (1, 0, 1)


async def test_sqs_67_a_receipt_that_is_replaced_while_its_delete_is_under_way_is_followed() -> None:
    """SQS-67: the queue may have answered success to the old one and kept the message."""
    queue_ = Acknowledged(seconds=2)

    async with ledger_on(queue_, visibility=10) as (ledger, counted):
        [first] = ledger.own([record("a")])
        await anyio.sleep(9)
        ledger.done([first])
        await anyio.sleep(1)
        ledger.own([again(first, "receipt-2", elapsed_s())])
        await ledger.confirmed()

    assert queue_.named("delete") == [["receipt-a"], ["receipt-2"]]
    assert (counted.done, len(ledger)) == (1, 0)


async def test_sqs_67_a_lost_receipt_that_was_replaced_meanwhile_is_tried_anew() -> None:
    """SQS-67: the error belongs to the old receipt."""
    queue_ = Acknowledged({0: EntryFailure.RECEIPT_LOST}, seconds=2)

    async with ledger_on(queue_, visibility=10) as (ledger, counted):
        [first] = ledger.own([record("a")])
        ledger.done([first])
        await anyio.sleep(1)
        ledger.own([again(first, "receipt-2", elapsed_s())])
        await ledger.confirmed()

    assert queue_.named("delete") == [["receipt-a"], ["receipt-2"]]
    assert (counted.done, counted.possible_duplicates) == (1, 0)


async def test_sqs_66_heartbeats_keep_a_message_invisible_while_it_is_held() -> None:
    """SQS-66: extended by the visibility timeout when two thirds of it have passed, until the message is settled."""
    queue_ = Acknowledged()

    async with ledger_on(queue_, heartbeat=True) as (ledger, counted):
        records = ledger.own([record("a")])
        await anyio.sleep(65)
        ledger.done(records)
        await ledger.confirmed()
        await anyio.sleep(100)

    assert [(round(at), entries) for at, name, entries in queue_.calls if name == "change"] == [
        (20, [("receipt-a", 30)]),
        (40, [("receipt-a", 30)]),
        (60, [("receipt-a", 30)]),
    ]
    assert (counted.done, counted.possible_duplicates) == (1, 0)


async def test_sqs_66_heartbeats_end_at_twelve_hours() -> None:
    """SQS-66: the last extension ends exactly 43,200 s after the receive; no later one is asked for."""
    queue_ = Acknowledged()

    async with ledger_on(queue_, visibility=3_600, heartbeat=True) as (ledger, _):
        ledger.own([record("a")])
        await anyio.sleep(14 * 3_600)

    ends = [at + seconds for at, _, [(_, seconds)] in queue_.calls]
    assert 43_198 <= max(ends) <= 43_200
    assert max(at for at, _, _ in queue_.calls) <= 43_200


async def test_sqs_66_a_heartbeat_that_failed_is_followed_by_the_next() -> None:
    """SQS-66: a bad moment of the queue does not end the keeping."""
    queue_ = Acknowledged({0: EntryFailure.RECEIPT_LOST})

    async with ledger_on(queue_, heartbeat=True) as (ledger, counted):
        records = ledger.own([record("a")])
        await anyio.sleep(45)
        ledger.done(records)
        await ledger.confirmed()

    assert [name for _, name, _ in queue_.calls] == ["change", "change", "delete"]
    assert (counted.done, counted.possible_duplicates) == (0, 1)


async def test_sqs_62_66_what_is_wished_during_a_heartbeat_follows_it() -> None:
    """One call per message at a time: the delete waits for the heartbeat that is under way."""
    queue_ = Acknowledged(seconds=4)

    async with ledger_on(queue_, heartbeat=True) as (ledger, _):
        records = ledger.own([record("a")])
        await anyio.sleep(21)
        ledger.done(records)
        await ledger.confirmed()

    (beat_at, _, _), (delete_at, name, _) = queue_.calls
    assert name == "delete"
    assert delete_at >= beat_at + 4


async def test_sqs_60_a_failure_during_a_heartbeat_leaves_the_visibility_alone() -> None:
    """SQS-60: nothing is called for it; it ends with the heartbeat that is under way."""
    queue_ = Acknowledged(seconds=4)

    async with ledger_on(queue_, heartbeat=True) as (ledger, counted):
        [held] = ledger.own([record("a")])
        await anyio.sleep(21)
        ledger.retry(held, None)
        await ledger.confirmed()

    assert [name for _, name, _ in queue_.calls] == ["change"]
    assert counted.in_flight == 0


async def test_sqs_144_a_release_makes_visible_at_once_and_a_backoff_later() -> None:
    """SQS-144: one batched call for both."""
    queue_ = Acknowledged()

    async with ledger_on(queue_) as (ledger, _):
        first, second = ledger.own([record("a"), record("b")])
        ledger.retry(first, 0.0)
        ledger.retry(second, 45.0)
        await ledger.confirmed()

    assert queue_.named("change") == [[("receipt-a", 0), ("receipt-b", 45)]]
    assert len(ledger) == 0


async def test_a_queue_that_confirms_nothing_stops_the_receiving() -> None:
    """Bounded memory: above a thousand unconfirmed messages nothing more is asked for."""
    queue_ = Acknowledged(seconds=1_000)

    async with ledger_on(queue_) as (ledger, _):
        ledger.done(ledger.own(record(str(n)) for n in range(1_001)))
        with anyio.move_on_after(900) as waited:
            await ledger.room()
        blocked = waited.cancelled_caught
        await anyio.sleep(500)
        await ledger.room()

    assert blocked


async def test_sqs_66_a_message_that_runs_long_is_delivered_once(memory_sqs: MemorySqs) -> None:
    """SQS-66: the whole path; 15 minutes of work on a visibility timeout raised to just that, after a long wait."""
    orders = queue(memory_sqs, VisibilityTimeout="900")
    handler = Handler(seconds=899)

    async with working(memory_sqs, handler, timeout=900, batch_size=1, concurrency=1):
        await anyio.sleep(19)
        orders.put("long")
        await anyio.sleep(2_000)

    assert (handler.bodies, memory_sqs.counts("orders")) == (["long"], (0, 0, 0))


@pytest.mark.parametrize(("heartbeat", "returns"), [(False, [0, 10]), (True, [0, 16])])
async def test_sqs_60_66_heartbeat_off_is_lambdas_own_behaviour(
    memory_sqs: MemorySqs, heartbeat: bool, returns: list[int]
) -> None:
    """SQS-60: a message that failed comes back a visibility timeout after the receive, or after the last heartbeat."""
    queue(memory_sqs, VisibilityTimeout="10").put("a")
    handler = Handler(seconds=7, then=report("a"))
    relay = Relay(memory_sqs)

    async with working(relay, handler, timeout=10, heartbeat=heartbeat, **REPORTS):
        await anyio.sleep(17)

    assert [pytest.approx(at, abs=1) for at in returns] == handler.times
    assert bool(relay.changes) is heartbeat


async def test_sqs_62_no_two_calls_for_one_message_overlap(memory_sqs: MemorySqs) -> None:
    """Heartbeat, backoff, release and delete of one message follow each other, on a slow and faulty queue."""
    orders = queue(memory_sqs, VisibilityTimeout="6")
    relay = Relay(
        FaultyQueue(memory_sqs, seed=5, throttle=0.1, lost_answers=0.05, resets=0.05, entry_failures=0.1), latency_s=0.7
    )
    handler = Handler(seconds=4, then=report(*numbered(20)))

    async with working(relay, handler, timeout=6, batch_size=2, concurrency=20, retry_backoff_s=[1], **REPORTS):
        orders.put(*numbered(40))
        await anyio.sleep(60)

    assert relay.overlaps == []
    assert relay.changes
    assert relay.deletes

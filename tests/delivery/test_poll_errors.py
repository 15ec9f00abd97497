"""A queue that refuses, breaks, overflows, vanishes or never answers."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.testing import FaultyQueue, MemorySqs
from tests.testing.queues import queue

from .scene import Handler, Relay, numbered, statistics, working

pytestmark = pytest.mark.virtual_time


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    told = [record.__dict__ for record in caplog.records]
    return [record["eventmap_fields"] for record in told if record.get("eventmap_event") == name]


async def test_sqs_162_a_refused_receive_is_repeated_with_growing_waits(
    memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture
) -> None:
    """SQS-162: a queue that throttles every call for an hour is asked some hundred times, and each time it is told."""
    queue(memory_sqs).put("a")
    faulty = FaultyQueue(memory_sqs, seed=1, throttle=1.0, calls={"receive_message"})

    async with working(faulty, Handler()) as running:
        await anyio.sleep(3_600)
        counted = statistics(running)

    assert 60 <= counted.poll_errors <= 250
    assert len(events(caplog, telemetry.POLL_FAILED)) == counted.poll_errors
    assert counted.receives == 0


async def test_sqs_162_work_goes_on_when_the_queue_is_back(memory_sqs: MemorySqs) -> None:
    """SQS-162: 4 % throttled, 2 % lost answers, 2 % resets, 2 % failed entries slow the work and lose nothing."""
    orders = queue(memory_sqs, VisibilityTimeout="10")
    orders.put(*numbered(500))
    faulty = FaultyQueue(memory_sqs, seed=3, throttle=0.04, lost_answers=0.02, resets=0.02, entry_failures=0.02)
    handler = Handler(seconds=0.1)

    async with working(faulty, handler) as running:
        with anyio.fail_after(300):
            await running.until_empty()

    assert set(handler.bodies) == set(numbered(500))
    assert faulty.injected.total() > 0


async def test_sqs_129_162_too_many_in_flight_is_waited_out() -> None:
    """SQS-129, SQS-162: `OverLimit` is one more transient error."""
    sqs = MemorySqs(in_flight_limit=20)
    queue(sqs).put(*numbered(100))
    handler = Handler(seconds=1)

    async with working(sqs, handler, concurrency=10) as running:
        with anyio.fail_after(600):
            await running.until_empty()
        counted = statistics(running)

    assert sorted(handler.bodies) == sorted(numbered(100))
    assert counted.poll_errors > 0


async def test_sqs_15_a_queue_that_vanishes_is_told_and_found_again(
    memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture
) -> None:
    """Deleted and created anew under a running mapping: nobody has to restart anything."""
    orders = queue(memory_sqs)
    handler = Handler()

    async with working(memory_sqs, handler):
        await anyio.sleep(5)
        await memory_sqs.delete_queue(orders.url)
        await anyio.sleep(60)
        queue(memory_sqs).put("a")
        await anyio.sleep(61)

    assert handler.bodies == ["a"]
    assert "AWS.SimpleQueueService.NonExistentQueue" in {each["code"] for each in events(caplog, telemetry.POLL_FAILED)}


class Hanging(Relay):
    """A queue whose first receives never answer."""

    def __init__(self, queue: Any, hangs: int) -> None:
        super().__init__(queue)
        self.hangs = hangs

    async def receive_message(self, queue_url: str, **arguments: Any) -> list[dict[str, Any]]:
        if self.hangs:
            self.hangs -= 1
            await anyio.sleep_forever()
        return await super().receive_message(queue_url, **arguments)


async def test_a_receive_that_never_answers_is_reported_and_replaced(
    memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture
) -> None:
    """It never stalls silently: 30 s beyond its own wait a receive is given up, told as an error, and asked again."""
    queue(memory_sqs).put("a")
    handler = Handler()

    async with working(Hanging(memory_sqs, hangs=2), handler) as running:
        await anyio.sleep(110)
        counted = statistics(running)

    assert handler.bodies == ["a"]
    assert [each["waited_s"] for each in events(caplog, telemetry.MAPPING_STALLED)] == [50, 50]
    assert {record.levelno for record in caplog.records if "stalled" in record.getMessage()} == {logging.ERROR}
    assert counted.poll_errors == 2


class Broken(Relay):
    """A queue whose client has a bug."""

    async def receive_message(self, queue_url: str, **arguments: Any) -> list[dict[str, Any]]:
        if elapsed_s() < 10:
            raise ZeroDivisionError("a bug")
        return await super().receive_message(queue_url, **arguments)


async def test_a_bug_in_a_receive_does_not_end_the_mapping(
    memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback, and the mapping goes on."""
    queue(memory_sqs).put("a")
    handler = Handler()

    async with working(Broken(memory_sqs), handler):
        await anyio.sleep(40)

    assert handler.bodies == ["a"]
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)


class Damaged(Relay):
    """A queue that hands out its first receive with one body changed on the way."""

    async def receive_message(self, queue_url: str, **arguments: Any) -> list[dict[str, Any]]:
        messages = await super().receive_message(queue_url, **arguments)
        for message in messages:
            if message["Body"] == "b" and message["Attributes"]["ApproximateReceiveCount"] == "1":
                message["Body"] = "B"
        return messages


async def test_sqs_116_a_damaged_message_is_left_and_received_again(
    memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture
) -> None:
    """SQS-116: its digest does not match, so it is neither run nor deleted; the others of the receive are."""
    queue(memory_sqs, VisibilityTimeout="10").put("a", "b", "c")
    handler = Handler()

    async with working(Damaged(memory_sqs), handler) as running:
        await anyio.sleep(15)
        counted = statistics(running)

    assert handler.batches == [["a", "c"], ["b"]]
    assert (counted.refused, counted.received, counted.done) == (1, 4, 3)
    assert len(events(caplog, telemetry.RECORD_REFUSED)) == 1


async def test_no_payload_is_ever_logged(memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture) -> None:
    """Secure by default: not on success, failure, loss or damage, at any level."""
    caplog.set_level(logging.DEBUG)
    queue(memory_sqs, VisibilityTimeout="4").put("s3cret-body", "b")

    def fail_at_first(records: list[dict[str, Any]]) -> object:
        if records[0]["attributes"]["ApproximateReceiveCount"] == "1":
            raise ValueError("no detail")
        return None

    async with working(Damaged(memory_sqs), Handler(then=fail_at_first)):
        await anyio.sleep(30)

    assert caplog.records
    assert not [record for record in caplog.records if "s3cret" in record.getMessage() + str(record.__dict__)]

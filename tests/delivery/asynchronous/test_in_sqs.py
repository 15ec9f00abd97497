"""A fleet's asynchronous queue in SQS: retries, throttles, age, deaths and lost answers."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.errors import SourceError, TransientSourceError
from eventmap.model import Response
from eventmap.queued_event import QueuedEvent
from eventmap.testing import FaultyQueue, MemorySqs
from tests.delivery.scene import Relay, gaps

from .fleet import BOOM, BUSY, OK, QUEUE, Code, EndsSeen, at_work, function_of, worker_of

pytestmark = pytest.mark.virtual_time

ID = "c0ffee00-0000-4000-8000-000000000001"


class EventRelay(Relay):
    """A relay that can also make a queue and send."""

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        return str(await self.queue.create_queue(name, attributes))

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        await self._travel()
        failed: dict[int, str] = await self.queue.send_message_batch(queue_url, entries)
        await self._travel()
        return failed


async def test_inv_40_an_accepted_event_is_in_sqs_when_accept_returns(memory_sqs: MemorySqs) -> None:
    """Its payload is the body, letter for letter; nobody has to be at work."""
    queue = await worker_of(memory_sqs, Code(), EndsSeen())

    assert await queue.accept(b'{ "order": 7 }', request_id=ID, trace_id="Root=1")

    [message] = memory_sqs.messages(QUEUE)
    assert message.body == '{ "order": 7 }'
    assert queue.statistics.received == 1
    assert queue.quiet


async def test_inv_40_49_an_event_runs_once_and_is_deleted(memory_sqs: MemorySqs) -> None:
    """With everything it was accepted with."""
    code, ends = Code(), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends, function_of(aliases=["live"]))
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID, qualifier="live", trace_id="Root=1")
        await queue.idle()

    [(_, event)] = code.runs
    assert (event.request_id, event.qualifier, event.trace_id, event.payload) == (ID, "live", "Root=1", b"{}")
    assert ends.conditions == ["Success"]
    assert memory_sqs.messages(QUEUE) == []
    assert (queue.statistics.done, queue.statistics.attempts) == (1, 1)


async def test_inv_41_42_48_retries_after_one_and_two_minutes_under_one_request_id(memory_sqs: MemorySqs) -> None:
    """Three runs in all, then its end with the last error."""
    code, ends = Code(BOOM), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends)
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID)
        await queue.idle()

    assert gaps(code.times) == pytest.approx([60, 120], abs=1.5)
    assert code.request_ids == {ID: 3}
    [(_, _, end)] = ends.ends
    assert (end.condition, end.invoke_count, end.response) == ("RetriesExhausted", 3, BOOM.payload)
    assert (queue.statistics.retried, queue.statistics.failed) == (2, 1)
    assert memory_sqs.messages(QUEUE) == []


async def test_inv_43_throttles_use_up_no_retry(memory_sqs: MemorySqs) -> None:
    """Between two failures it is refused for a while, with waits that double."""
    code, ends = Code(BOOM, BUSY, BUSY, BUSY, BUSY, BOOM, OK), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends)
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID)
        await queue.idle()

    assert ends.conditions == ["Success"]
    waits = gaps(code.times)
    assert waits[0] == pytest.approx(60, abs=1.5)
    assert waits[-1] == pytest.approx(120, abs=1.5)
    assert all(wait <= 2 ** (number + 1) + 1.5 for number, wait in enumerate(waits[1:-1]))
    assert queue.statistics.throttles == 4


async def test_inv_43_44_47_six_hours_of_throttling_end_by_age(memory_sqs: MemorySqs) -> None:
    """Tried again every few minutes to the end, by the rules' backoff and not by visibility; it never ran."""
    code, ends = Code(BUSY), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends, function_of(timeout=900))
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID)
        await queue.idle()

    [(at, _, end)] = ends.ends
    assert (end.condition, end.invoke_count, end.response) == ("EventAgeExceeded", 0, None)
    assert at == pytest.approx(21_600, abs=2)
    assert max(gaps(code.times)) <= 302
    assert len(code.runs) > 72
    assert queue.statistics.expired == 1
    assert memory_sqs.messages(QUEUE) == []


async def test_inv_47_the_last_error_goes_along_until_the_end(memory_sqs: MemorySqs) -> None:
    """It failed once, was throttled until it was too old, and what it answered is told."""
    code, ends = Code(BOOM, BUSY), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends, function_of(maximum_event_age_in_seconds=120))
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID)
        await queue.idle()

    [(at, _, end)] = ends.ends
    assert (end.condition, end.invoke_count, end.response) == ("EventAgeExceeded", 1, BOOM.payload)
    assert at == pytest.approx(120, abs=2)


async def test_inv_46_a_reserved_concurrency_of_0_ends_events_without_a_run(memory_sqs: MemorySqs) -> None:
    """They are received all the same."""
    code, ends = Code(), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends, function_of(reserved_concurrent_executions=0))
    async with at_work(queue):
        for number in range(25):
            await queue.accept(b"{}", request_id=str(number))
        await queue.idle()

    assert code.runs == []
    assert ends.conditions == ["ZeroReservedConcurrency"] * 25
    assert queue.statistics.dropped == 25


async def test_inv_64a_an_alias_taken_away_meanwhile_ends_as_not_found(memory_sqs: MemorySqs) -> None:
    """The next worker's function has it no longer; nothing runs."""
    code, ends = Code(BOOM), EndsSeen()
    with_alias = await worker_of(memory_sqs, code, ends, function_of(aliases=["live"]))
    await with_alias.accept(b"{}", request_id=ID, qualifier="live")
    without = await worker_of(memory_sqs, code, ends, function_of(maximum_retry_attempts=1))
    async with at_work(without):
        await without.idle()

    assert code.runs == []
    [(_, _, end)] = ends.ends
    assert (end.condition, end.status_code, end.invoke_count) == ("RetriesExhausted", 404, 2)


async def test_inv_40_a_worker_killed_in_the_middle_loses_nothing(memory_sqs: MemorySqs) -> None:
    """Another one runs the event again once its message is visible, under the same request id."""
    slow, ends = Code(seconds=10), EndsSeen()
    doomed = await worker_of(memory_sqs, slow, ends, function_of(timeout=20))
    await doomed.accept(b"{}", request_id=ID)
    async with at_work(doomed) as scope:
        await anyio.sleep(5)
        scope.cancel()
    assert ends.ends == []

    code = Code()
    heir = await worker_of(memory_sqs, code, ends, function_of(timeout=20))
    async with at_work(heir):
        await heir.idle()

    assert (slow.request_ids, code.request_ids) == ({ID: 1}, {ID: 1})
    assert ends.conditions == ["Success"]


async def test_inv_40_a_worker_killed_between_two_states_repeats_at_most(memory_sqs: MemorySqs) -> None:
    """The new state was sent and the old one not deleted: both are worked off, and each of them ends."""
    relay = EventRelay(memory_sqs, latency_s=0.5)
    code, ends = Code(BOOM), EndsSeen()
    doomed = await worker_of(relay, code, ends)
    await doomed.accept(b"{}", request_id=ID)
    async with at_work(doomed) as scope:
        while memory_sqs.journal.messages["SendMessageBatch"] < 2:
            await anyio.sleep(0.1)
        relay.unplug()
        scope.cancel()
    assert len(memory_sqs.messages(QUEUE)) == 2

    heir = await worker_of(memory_sqs, code, ends)
    async with at_work(heir):
        await heir.idle()

    assert ends.conditions == ["RetriesExhausted"] * 2
    assert ends.request_ids == {ID: 2}


@pytest.mark.parametrize("seed", range(4))
async def test_inv_40_41_49_every_event_ends_whatever_answers_are_lost(memory_sqs: MemorySqs, seed: int) -> None:
    """Throttled, reset, cut off after they took effect: what was accepted runs at least once, and has an end."""
    faulty = FaultyQueue(memory_sqs, seed=seed, throttle=0.05, resets=0.05, lost_answers=0.1, entry_failures=0.05)
    code, ends = Code(*[OK, OK, BOOM, BUSY] * 10, OK), EndsSeen()
    workers = [await worker_of(faulty, code, ends) for _ in range(2)]
    accepted: set[str] = set()
    async with at_work(workers[0]), at_work(workers[1]):
        for number in range(60):
            request_id = str(uuid.UUID(int=number))
            try:
                await workers[number % 2].accept(b"{}", request_id=request_id)
                accepted.add(request_id)
            except (SourceError, TransientSourceError):  # its sender knows, and would send it again
                continue
        with anyio.fail_after(3_600):
            await workers[0].idle()

    assert accepted
    assert accepted <= set(ends.request_ids)
    assert accepted <= set(code.request_ids)
    assert memory_sqs.messages(QUEUE) == []


@pytest.mark.parametrize("seed", range(3))
async def test_inv_40_deaths_at_any_moment_lose_nothing(memory_sqs: MemorySqs, seed: int) -> None:
    """Twenty workers follow each other, each cut off from the queue after a moment; the last one lives."""
    code, ends = Code(*[OK, BOOM] * 15, OK, seconds=0.3), EndsSeen(seconds=0.2)
    first = await worker_of(memory_sqs, code, ends)
    for number in range(30):
        await first.accept(b"{}", request_id=str(number))
    for round_number in range(20):
        relay = EventRelay(memory_sqs, latency_s=0.05)
        doomed = await worker_of(relay, code, ends)
        async with at_work(doomed) as scope:
            await anyio.sleep(0.1 + ((seed * 7 + round_number * 3) % 20) / 10)
            relay.unplug()
            scope.cancel()
    last = await worker_of(memory_sqs, code, ends)
    async with at_work(last):
        await last.idle()

    assert set(ends.request_ids) == {str(number) for number in range(30)}
    assert memory_sqs.messages(QUEUE) == []


async def test_a_drain_lets_attempts_end_and_leaves_the_rest_to_the_fleet(memory_sqs: MemorySqs) -> None:
    """What runs ends within the budget and is deleted; what waits stays in SQS, its minute included."""
    code, ends = Code(BOOM, OK, OK, seconds=5), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends, function_of(reserved_concurrent_executions=1))
    for number in range(2):
        await queue.accept(b"{}", request_id=str(number))
    async with anyio.create_task_group() as tasks:
        await tasks.start(queue.run)
        await anyio.sleep(7)  # one failed and waits, the other runs
        left = await queue.drain(20)

    assert left == 0
    assert (len(code.runs), ends.conditions) == (2, ["Success"])
    assert memory_sqs.counts(QUEUE) == (0, 1, 0)

    heir = await worker_of(memory_sqs, code, ends)
    async with at_work(heir):
        await heir.idle()
    assert ends.conditions == ["Success", "Success"]
    assert gaps([code.times[0], code.times[2]]) == pytest.approx([65], abs=1.5)


async def test_a_drain_tells_how_many_it_left(memory_sqs: MemorySqs) -> None:
    """What outlives the budget comes back by its visibility."""
    code, ends = Code(seconds=50), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends, function_of(timeout=60))
    await queue.accept(b"{}", request_id=ID)
    async with anyio.create_task_group() as tasks:
        await tasks.start(queue.run)
        await anyio.sleep(1)
        assert not queue.quiet
        left = await queue.drain(5)

    assert left == 1
    assert ends.ends == []
    assert memory_sqs.counts(QUEUE) == (0, 0, 1)


async def test_inv_43_a_fleet_runs_no_more_than_its_functions_slots(memory_sqs: MemorySqs) -> None:
    """Each worker takes what it can start now; together they empty the queue."""
    code, ends = Code(seconds=2), EndsSeen()
    function = function_of(reserved_concurrent_executions=3)
    workers = [await worker_of(memory_sqs, code, ends, function) for _ in range(2)]
    for number in range(40):
        await workers[0].accept(b"{}", request_id=str(number))
    async with at_work(workers[0]), at_work(workers[1]):
        await workers[0].idle()

    assert code.most_running == 6
    assert len(code.runs) == 40
    assert all(worker.statistics.done for worker in workers)


async def test_a_long_run_keeps_its_message(memory_sqs: MemorySqs) -> None:
    """The heartbeat is the queue engine's: a run, and a slow destination, beyond the visibility are not repeated."""
    code, ends = Code(seconds=300), EndsSeen(seconds=30)
    queue = await worker_of(memory_sqs, code, ends)
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID)
        await queue.idle()

    assert (code.request_ids, ends.conditions) == ({ID: 1}, ["Success"])


async def test_inv_66_who_could_not_be_told_is_counted_and_the_event_is_gone(
    memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of its end is an error."""
    ends = EndsSeen(undelivered=["OnSuccess arn: denied"])
    queue = await worker_of(memory_sqs, Code(), ends)
    with caplog.at_level(logging.INFO, logger="eventmap"):
        async with at_work(queue):
            await queue.accept(b"{}", request_id=ID)
            await queue.idle()

    [ended] = [each for each in caplog.records if getattr(each, "eventmap_event", "") == "event.ended"]
    assert ended.levelno == logging.ERROR
    assert queue.statistics.destination_failures == 1
    assert memory_sqs.messages(QUEUE) == []


async def test_a_message_of_somebody_else_is_refused_and_left(
    memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is no event, one of another function: told, not run, not deleted."""
    code, ends = Code(), EndsSeen()
    queue = await worker_of(memory_sqs, code, ends)
    state = '{"functionName":"other","acceptedAt":0,"dueAt":0,"qualifier":"","traceId":"","failures":0,"refusals":0}'
    memory_sqs.put(QUEUE, "{}")
    memory_sqs.put(
        QUEUE,
        "{}",
        attributes={
            "RequestID": {"DataType": "String", "StringValue": ID},
            "State": {"DataType": "String", "StringValue": state},
        },
    )
    with caplog.at_level(logging.ERROR, logger="eventmap"):
        async with at_work(queue):
            await anyio.sleep(30)

    refused = [each for each in caplog.records if getattr(each, "eventmap_event", "") == "record.refused"]
    assert len(refused) == 2
    assert (code.runs, ends.ends) == ([], [])
    assert len(memory_sqs.messages(QUEUE)) == 2


async def test_a_state_that_sqs_will_not_take_leaves_the_event_where_it_was(memory_sqs: MemorySqs) -> None:
    """Nothing is deleted before its successor is there: the attempt is repeated when the message is visible."""

    class Full(EventRelay):
        is_full = False

        async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
            if self.is_full:
                return {0: "InvalidParameterValue"}
            return await super().send_message_batch(queue_url, entries)

    full = Full(memory_sqs)
    ends = EndsSeen()

    async def heal(event: QueuedEvent) -> Response:
        full.is_full = elapsed_s() < 60
        return BOOM if elapsed_s() < 60 else OK

    queue = await worker_of(full, heal, ends)
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID)
        await queue.idle()

    assert ends.conditions == ["Success"]
    assert ends.ends[0][0] == pytest.approx(63, abs=2)  # its visibility timeout: the function's 3 s and a minute
    assert queue.statistics.store_errors == 1


async def test_a_moment_of_trouble_with_sqs_costs_no_run(memory_sqs: MemorySqs) -> None:
    """The new state is sent again until it is taken, while the old message is held."""

    class Busy(EventRelay):
        refusals = 0

        async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
            if self.refusals:
                self.refusals -= 1
                raise TransientSourceError("throttled", code="ThrottlingException")
            return await super().send_message_batch(queue_url, entries)

    busy = Busy(memory_sqs)
    code, ends = Code(BOOM, OK), EndsSeen()
    queue = await worker_of(busy, code, ends)
    async with at_work(queue):
        await queue.accept(b"{}", request_id=ID)
        busy.refusals = 4
        await queue.idle()

    assert gaps(code.times) == pytest.approx([60], abs=12)
    assert (ends.conditions, queue.statistics.store_errors) == (["Success"], 0)


async def test_inv_17_an_event_too_large_for_sqs_is_not_accepted(memory_sqs: MemorySqs) -> None:
    """Its sender is told, in bytes."""
    queue = await worker_of(memory_sqs, Code(), EndsSeen())

    with pytest.raises(SourceError, match="too large to be queued in SQS"):
        await queue.accept(b'"%s"' % (b"x" * 1_048_574), request_id=ID)

    assert memory_sqs.messages(QUEUE) == []


async def test_inv_40_an_event_that_sqs_refuses_is_not_accepted(memory_sqs: MemorySqs) -> None:
    """A queue may take less than SQS does; another time it may be only for now."""
    queue = await worker_of(memory_sqs, Code(), EndsSeen())
    await memory_sqs.set_queue_attributes(await memory_sqs.get_queue_url(QUEUE), {"MaximumMessageSize": "262144"})
    unsteady = await worker_of(FaultyQueue(memory_sqs, seed=1, entry_failures=1.0), Code(), EndsSeen())

    with pytest.raises(SourceError) as refused:
        await queue.accept(b'"%s"' % (b"x" * 262_144), request_id=ID)
    with pytest.raises(TransientSourceError):
        await unsteady.accept(b"{}", request_id=ID)

    assert not isinstance(refused.value, TransientSourceError)
    assert memory_sqs.messages(QUEUE) == []

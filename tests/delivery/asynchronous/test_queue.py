"""The asynchronous queue of one function on virtual time: six hours of it pass in milliseconds."""

from __future__ import annotations

import logging

import anyio
import pytest

from eventmap.delivery.asynchronous.queue import ENDING_LIMIT
from eventmap.errors import TransientSourceError
from eventmap.queued_event import EventEnd
from eventmap.state.events_memory import MemoryEvents

from .scene import BOOM, BROKEN, DONE, THROTTLED, FaultyEvents, Scene, conditions, since_start

pytestmark = pytest.mark.virtual_time

HOUR_S = 3600.0


async def test_inv_40_49_an_accepted_event_runs_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Once accepted it is run with what was sent; its end is told, then recorded; one log line says so."""
    caplog.set_level(logging.INFO, "eventmap")
    scene, store = Scene(), MemoryEvents()

    async with scene.queue(store, aliases=["live"]) as queue:
        assert await queue.accept(b'{"n":1}', request_id="id-1", qualifier="live", trace_id="Root=1")
        await queue.idle()

    [(at, event)] = scene.attempts
    assert (at, event.payload, event.qualifier, event.trace_id) == (0, b'{"n":1}', "live", "Root=1")
    assert scene.delivered == [
        ("id-1", EventEnd(condition="Success", ended_at=event.accepted_at, invoke_count=1, response=DONE.payload))
    ]
    assert conditions(store) == {"id-1": "Success"}
    [line] = [record for record in caplog.records if record.__dict__["eventmap_event"] == "event.ended"]
    assert line.levelname == "INFO"
    assert line.__dict__["eventmap_fields"]["condition"] == "Success"


async def test_inv_42_a_repeated_request_id_runs_once() -> None:
    """While it is owed and after its end; the sender is told that it was known."""
    scene = Scene(takes_s=5)

    async with scene.queue() as queue:
        answers = [await queue.accept(b"{}", request_id="id-1"), await queue.accept(b"{}", request_id="id-1")]
        await queue.idle()
        answers.append(await queue.accept(b"{}", request_id="id-1"))
        await queue.idle()

    assert answers == [True, False, False]
    assert len(scene.attempts) == 1
    assert (queue.statistics.received, queue.statistics.repeated) == (1, 2)


async def test_inv_41_42_48_two_retries_after_one_and_two_minutes() -> None:
    """All three attempts have the same request id; then the event is given up."""
    scene, store = Scene(BOOM, takes_s=3), MemoryEvents()

    async with scene.queue(store) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.idle()

    assert scene.started_at == [0, 63, 186]
    assert {event.request_id for _, event in scene.attempts} == {"id-1"}
    [(_, end)] = scene.delivered
    assert (end.condition, end.invoke_count, end.response) == ("RetriesExhausted", 3, BOOM.payload)
    statistics = queue.statistics
    assert (statistics.attempts, statistics.retried, statistics.failed, statistics.done) == (3, 2, 1, 0)


async def test_inv_41_others_run_while_one_waits_for_its_retry() -> None:
    """A retry that waits holds no slot."""
    scene = Scene(BOOM, DONE, takes_s=1)

    async with scene.queue(concurrency=1) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await anyio.sleep(10)
        await queue.accept(b"{}", request_id="id-2")
        await queue.idle()

    assert scene.started_at == [0, 10, 61]
    assert queue.statistics.done == 2


@pytest.mark.parametrize("refusal", [THROTTLED, BROKEN])
async def test_inv_43_44_47_throttled_for_hours_it_is_tried_until_it_is_too_old(refusal: object) -> None:
    """Waits grow to five minutes and no retry is used up; at six hours it is given up, never having run."""
    scene = Scene(refusal)  # type: ignore[arg-type]

    async with scene.queue() as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.idle()
        assert since_start() == pytest.approx(6 * HOUR_S)

    waits = [later - sooner for sooner, later in zip(scene.started_at, scene.started_at[1:], strict=False)]
    assert all(least <= wait <= 2 * least + 0.001 for wait, least in zip(waits, [1, 2, 4, 8, 16, 32, 64], strict=False))
    assert all(150 <= wait <= 300.001 for wait in waits[8:])
    [(_, end)] = scene.delivered
    assert (end.condition, end.invoke_count, end.response) == ("EventAgeExceeded", 0, None)
    assert queue.statistics.throttles == len(scene.attempts) > 70
    assert queue.statistics.expired == 1


async def test_inv_43_a_throttled_event_still_has_its_retries() -> None:
    """Hours of throttling, then three attempts as ever."""
    scene = Scene(*[THROTTLED] * 20, BOOM, THROTTLED, BOOM, BOOM)

    async with scene.queue() as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.idle()

    [(_, end)] = scene.delivered
    assert (end.condition, end.invoke_count) == ("RetriesExhausted", 3)


async def test_inv_43_many_refused_at_once_do_not_come_back_at_once() -> None:
    """The jitter spreads them over as long as they wait at least."""
    scene = Scene(*[THROTTLED] * 100, DONE)

    async with scene.queue(concurrency=100) as queue:
        for number in range(100):
            await queue.accept(b"{}", request_id=f"id-{number}")
        await queue.idle()

    again = scene.started_at[100:]
    assert min(again) >= 1 and max(again) <= 2.001
    assert len({round(at, 1) for at in again}) >= 8


async def test_inv_44_the_next_retry_must_start_before_the_deadline() -> None:
    """Otherwise the event ends at once, with the last response."""
    scene = Scene(BOOM, takes_s=1)

    async with scene.queue(maximum_event_age_in_seconds=62) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.idle()
        assert since_start() == 62

    assert scene.started_at == [0, 61]
    [(_, end)] = scene.delivered
    assert (end.condition, end.invoke_count, end.response) == ("EventAgeExceeded", 2, BOOM.payload)


async def test_inv_44_47_what_waited_too_long_for_a_slot_is_not_run() -> None:
    """Its age is checked when its attempt would begin."""
    scene, store = Scene(takes_s=70), MemoryEvents()

    async with scene.queue(store, concurrency=1, maximum_event_age_in_seconds=60) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.accept(b"{}", request_id="id-2")
        await queue.idle()

    assert conditions(store) == {"id-1": "Success", "id-2": "EventAgeExceeded"}
    assert len(scene.attempts) == 1


async def test_inv_25_46_reserved_concurrency_0_goes_to_the_failure_target_at_once() -> None:
    """Accepted as any other, and never run; no slot is waited for."""
    scene = Scene()

    async with scene.queue(reserved_concurrent_executions=0) as queue:
        for number in range(100):
            assert await queue.accept(b"{}", request_id=f"id-{number}")
        await queue.idle()
        assert since_start() == 0

    assert scene.attempts == []
    assert {(end.condition, end.invoke_count, end.response) for _, end in scene.delivered} == {
        ("ZeroReservedConcurrency", 0, None)
    }
    assert queue.statistics.dropped == 100


async def test_inv_64a_an_alias_that_is_gone_is_looked_for_again() -> None:
    """As often as a failure is retried; nothing runs."""
    scene = Scene()

    async with scene.queue(maximum_retry_attempts=1) as queue:
        await queue.accept(b"{}", request_id="id-1", qualifier="live")
        await queue.idle()
        assert since_start() == 60

    assert scene.attempts == []
    [(_, end)] = scene.delivered
    assert (end.condition, end.invoke_count, end.status_code, end.response) == ("RetriesExhausted", 2, 404, None)


async def test_inv_51_66_a_destination_that_cannot_be_told_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The event has ended all the same; somebody must look."""
    scene, store = Scene(BOOM), MemoryEvents()
    scene.undeliverable = ["arn:aws:sqs:us-east-1:1:dead: it does not exist"]

    async with scene.queue(store, maximum_retry_attempts=0) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.idle()

    assert queue.statistics.destination_failures == 1
    assert store.ended["id-1"].undelivered == tuple(scene.undeliverable)
    [line] = [record for record in caplog.records if record.__dict__["eventmap_event"] == "event.ended"]
    assert line.levelname == "ERROR"


async def test_inv_51_events_received_and_their_age_are_counted() -> None:
    """The age is that of the event whose attempt began last."""
    scene = Scene(BOOM, DONE)

    async with scene.queue() as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.idle()

    assert (queue.statistics.received, queue.statistics.age_s) == (1, 60)


async def test_inv_40_the_end_is_recorded_after_the_destinations_were_told() -> None:
    """Cut off between the two, the event is owed: it runs again and they are told twice, rather than never."""
    scene, store = Scene(), MemoryEvents()
    scene.deliver_s = 10
    async with scene.queue(store) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await anyio.sleep(5)
    assert list(store.owed) == ["id-1"]

    store = store.restarted()
    async with scene.queue(store) as queue:
        await queue.idle()

    assert len(scene.attempts) == 2
    assert conditions(store) == {"id-1": "Success"}


async def test_inv_92_no_more_run_at_once_than_there_are_slots() -> None:
    """The backlog waits in the store; what is in memory is bounded, even while destinations take their time."""
    scene, store = Scene(takes_s=1), MemoryEvents()
    scene.deliver_s = 1_000
    async with scene.queue(store, concurrency=3) as queue:
        for number in range(300):
            await queue.accept(b"{}", request_id=f"id-{number}")
        await anyio.sleep(500)

        assert scene.most_running == 3
        assert len(scene.attempts) == ENDING_LIMIT + 3
        await queue.idle()

    assert scene.most_running == 3
    assert len(scene.attempts) == 300


async def test_inv_40_slots_are_asked_for_only_when_something_is_due() -> None:
    """An idle queue leaves all of them to the function's mappings."""
    scene = Scene(BOOM, DONE)

    async with scene.queue(concurrency=1) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await anyio.sleep(30)
        assert scene.slots is not None
        with anyio.fail_after(0):
            reservation = await scene.slots.share().reserve(1)
        reservation.give_back()
        await queue.idle()


async def test_inv_40_a_drain_lets_attempts_end_and_leaves_the_rest_owed() -> None:
    """Nothing new begins; what waits is there for the next start; what is accepted meanwhile, too."""
    scene, store = Scene(takes_s=10), MemoryEvents()

    async with scene.queue(store, concurrency=2) as queue:
        for number in range(5):
            await queue.accept(b"{}", request_id=f"id-{number}")
        await anyio.sleep(5)
        left = await queue.drain(30)
        assert since_start() == 10
        assert await queue.accept(b"{}", request_id="late")
        assert await queue.drain(30) == 0
        await anyio.sleep(100)

    assert left == 0
    assert conditions(store) == {"id-0": "Success", "id-1": "Success"}
    assert list(store.owed) == ["id-2", "id-3", "id-4", "late"]


async def test_inv_40_a_drain_that_runs_out_of_time_says_what_is_left() -> None:
    """Attempts are cut off at the budget's end; their events are owed."""
    scene, store = Scene(takes_s=100), MemoryEvents()

    async with scene.queue(store) as queue:
        for number in range(3):
            await queue.accept(b"{}", request_id=f"id-{number}")
        await anyio.sleep(5)
        left = await queue.drain(30)
        assert since_start() == 35
        await anyio.wait_all_tasks_blocked()

    assert (left, len(store.owed), scene.running) == (3, 3, 0)


async def test_inv_40_events_of_a_former_process_are_attempted() -> None:
    """As soon as the queue runs, in the order in which they are due."""
    store = MemoryEvents()
    async with Scene(takes_s=1_000).queue(store, concurrency=1) as queue:
        for number in range(3):
            await queue.accept(b"{}", request_id=f"id-{number}")
            await anyio.sleep(1)

    scene = Scene()
    async with scene.queue(store.restarted(), concurrency=1) as queue:
        await queue.idle()

    assert [event.request_id for _, event in scene.attempts] == ["id-0", "id-1", "id-2"]


async def test_inv_40_other_functions_events_are_left_alone() -> None:
    """A function this process does not declare keeps what it is owed."""
    store = MemoryEvents()
    scene = Scene()
    async with scene.queue(store) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.idle()
        event = scene.attempts[0][1]
        await store.accept(type(event)(request_id="x", function_name="returns", payload=b"", accepted_at=0, due_at=0))
        await anyio.sleep(HOUR_S)

    assert list(store.owed) == ["x"]


async def test_inv_40_an_operators_retry_is_attempted_at_once_a_drop_never() -> None:
    """The queue notices either."""
    scene, store = Scene(BOOM), MemoryEvents()

    async with scene.queue(store) as queue:
        await queue.accept(b"{}", request_id="id-1")
        await queue.accept(b"{}", request_id="id-2")
        await anyio.sleep(10)
        store.retry(["id-1"])
        store.drop(["id-2"])
        await queue.idle()
        assert since_start() == 130
        store.retry(["id-1"])
        await queue.idle()

    assert [at for at, event in scene.attempts if event.request_id == "id-2"] == [0]
    assert [at for at, event in scene.attempts if event.request_id == "id-1"] == [0, 10, 130, 130, 190, 310]


async def test_inv_40_an_idle_queue_is_quiet_and_owes_nothing() -> None:
    """Quiet, too, while an event waits for its retry; but that one is owed."""
    scene = Scene(BOOM, DONE, takes_s=1)

    async with scene.queue() as queue:
        states = [(queue.quiet, await queue.owed())]
        await queue.accept(b"{}", request_id="id-1")
        for _ in range(2):
            await anyio.sleep(0.5)
            states.append((queue.quiet, await queue.owed()))
            await anyio.sleep(1)
        await queue.idle()
        states.append((queue.quiet, await queue.owed()))

    assert states == [(True, False), (False, True), (True, True), (True, False)]


async def test_inv_40_a_store_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its errors are logged and waited out, by the loop and by each attempt; no event is lost or ends twice."""
    memory, scene = MemoryEvents(), Scene(*[BOOM] * 30, DONE)
    store = FaultyEvents(memory, 7, throttle=0.3, lost_answers=0.3, resets=0.1)
    accepted: list[str] = []

    async with scene.queue(store) as queue:
        for number in range(50):
            while True:
                try:
                    accepted.append(f"id-{number}")
                    await queue.accept(b"{}", request_id=f"id-{number}")
                    break
                except TransientSourceError:
                    await anyio.sleep(0.5)
        with anyio.fail_after(6 * HOUR_S):
            while memory.owed:
                await anyio.sleep(10)

    assert conditions(memory).keys() == set(accepted)
    assert queue.statistics.store_errors > 0
    assert {record.__dict__["eventmap_event"] for record in caplog.records} >= {"events.unreachable"}


async def test_inv_40_what_could_not_be_made_durable_is_not_accepted() -> None:
    """The sender is told to try again; nothing runs."""
    memory, scene = MemoryEvents(), Scene()

    async with scene.queue(FaultyEvents(memory, 1, throttle=1.0)) as queue:
        with pytest.raises(TransientSourceError):
            await queue.accept(b"{}", request_id="id-1")
        await anyio.sleep(100)

    assert scene.attempts == []
    assert queue.statistics.received == 0


async def test_inv_40_an_accept_that_is_cut_short_is_attempted_all_the_same() -> None:
    """A sender that hangs up may have been too late: the event is owed, so it runs now and not at the next start."""
    memory, scene = MemoryEvents(), Scene()

    async with scene.queue(FaultyEvents(memory, 1, slow=1.0, slow_s=2.0)) as queue:
        with anyio.move_on_after(1):
            await queue.accept(b"{}", request_id="id-1")
        await anyio.sleep(20)

    assert conditions(memory) == {"id-1": "Success"}

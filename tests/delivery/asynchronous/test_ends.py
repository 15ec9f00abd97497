"""Who is told of the end of an asynchronous event, in which form, and what happens when it cannot be told."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import orjson
import pytest

from eventmap import Function
from eventmap.clock import elapsed_s
from eventmap.delivery.asynchronous.ends import Ends, FunctionHere
from eventmap.errors import StateError
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.rules.parcel import Parcel
from eventmap.testing import MemoryTarget
from eventmap.testing.virtual_time import START_WALL_TIME_S

pytestmark = pytest.mark.virtual_time

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:ends"
TOPIC = "arn:aws:sns:us-east-1:123456789012:ends"
BUCKET = "arn:aws:s3:::ends"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/ends"
OTHER = "arn:aws:lambda:us-east-1:123456789012:function:audit:live"
DEAD_LETTERS = "arn:aws:sqs:us-east-1:123456789012:dead"

EVENT = QueuedEvent(
    request_id="c0ffee00-0000-4000-8000-000000000001",
    function_name="work",
    payload=b'{"order": 7}',
    accepted_at=START_WALL_TIME_S,
    due_at=START_WALL_TIME_S,
)
SUCCESS = EventEnd(condition="Success", ended_at=START_WALL_TIME_S, invoke_count=1, response=b'"ok"')
ERROR = b'{"errorMessage":"boom","errorType":"ValueError"}'
FAILURE = EventEnd(
    condition="RetriesExhausted",
    ended_at=START_WALL_TIME_S,
    invoke_count=3,
    response=ERROR,
    function_error="Unhandled",
)


class Inbox:
    """The queue of another function of this process; the next `locked` events find its file locked."""

    def __init__(self, *, locked: int = 0) -> None:
        self.locked = locked
        self.events: dict[str, tuple[bytes, str]] = {}  #: by request id: (payload, qualifier)
        self.repetitions = 0

    async def accept(self, payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        await anyio.lowlevel.checkpoint()
        if self.locked:
            self.locked -= 1
            raise StateError("events.sqlite is locked")
        if request_id in self.events:
            self.repetitions += 1
            return False
        self.events[request_id] = (payload, qualifier)
        return True


def ends_of(targets: dict[str, Any], *, on_success: str = "", on_failure: str = "", dead_letters: str = "") -> Ends:
    """The ends of function `work`."""
    config = {name: {"Destination": arn} for name, arn in (("OnSuccess", on_success), ("OnFailure", on_failure)) if arn}
    function = Function(
        handler=lambda event, context: None,
        function_name="work",
        destination_config=config,
        dead_letter_config={"TargetArn": dead_letters} if dead_letters else {},
    )
    return Ends(function, FUNCTION, targets)


async def test_inv_49_55_60_a_success_is_told_to_on_success_alone() -> None:
    """The whole record, and nobody who waits for failures hears of it."""
    success, failure, dead = MemoryTarget(), MemoryTarget(), MemoryTarget()
    targets = {QUEUE: success, TOPIC: failure, DEAD_LETTERS: dead}
    ends = ends_of(targets, on_success=QUEUE, on_failure=TOPIC, dead_letters=DEAD_LETTERS)

    assert list(await ends.deliver(EVENT, SUCCESS)) == []

    assert success.documents == [
        {
            "version": "1.0",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "requestContext": {
                "requestId": EVENT.request_id,
                "functionArn": f"{FUNCTION}:$LATEST",
                "condition": "Success",
                "approximateInvokeCount": 1,
            },
            "requestPayload": {"order": 7},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
            "responsePayload": "ok",
        }
    ]
    assert (failure.parcels, dead.parcels) == ([], [])
    assert ends.statistics.delivered == 1


@pytest.mark.parametrize("condition", ["RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency"])
async def test_inv_64_65_a_failure_is_told_to_the_destination_and_the_dead_letter_queue(condition: Any) -> None:
    """One gets the record, the other the event as it was, with what went wrong beside it."""
    success, failure, dead = MemoryTarget(), MemoryTarget(), MemoryTarget()
    targets = {QUEUE: success, TOPIC: failure, DEAD_LETTERS: dead}
    ends = ends_of(targets, on_success=QUEUE, on_failure=TOPIC, dead_letters=DEAD_LETTERS)
    never_ran = condition == "ZeroReservedConcurrency"
    end = EventEnd(
        condition=condition,
        ended_at=START_WALL_TIME_S,
        invoke_count=0 if never_ran else 3,
        response=None if never_ran else ERROR,
        function_error=None if never_ran else "Unhandled",
    )

    await ends.deliver(EVENT, end)

    assert (success.conditions, failure.conditions) == ([], [condition])
    [parcel] = dead.parcels
    assert parcel.body == EVENT.payload
    assert parcel.attributes["RequestID"] == ("String", EVENT.request_id)
    assert parcel.attributes["ErrorCode"] == ("Number", "429" if never_ran else "200")
    assert parcel.attributes["ErrorMessage"] == ("String", "Rate Exceeded." if never_ran else "boom")


async def test_inv_58_a_bus_gets_an_entry_with_the_record_as_its_detail() -> None:
    """Source, detail type and resources as Lambda's."""
    bus = MemoryTarget()
    ends = ends_of({BUS: bus}, on_success=BUS, on_failure=BUS)

    await ends.deliver(EVENT, SUCCESS)
    await ends.deliver(EVENT, FAILURE)

    assert [entry["DetailType"] for entry in bus.documents] == [
        "Lambda Function Invocation Result - Success",
        "Lambda Function Invocation Result - Failure",
    ]
    [success, _] = bus.documents
    assert (success["Source"], success["EventBusName"]) == ("lambda", BUS)
    assert success["Resources"] == [BUS, f"{FUNCTION}:$LATEST"]
    assert orjson.loads(success["Detail"])["requestPayload"] == {"order": 7}


async def test_inv_59_a_bucket_gets_one_object_however_often_it_is_sent() -> None:
    """After lost answers the same key is written again."""
    bucket = MemoryTarget(lost_answers=2)
    ends = ends_of({BUCKET: bucket}, on_failure=BUCKET)

    assert list(await ends.deliver(EVENT, FAILURE)) == []

    keys = {parcel.key for parcel in bucket.parcels}
    assert len(bucket.parcels) == 3
    assert len(keys) == 1
    assert keys.pop().startswith("aws/lambda/async/work/2026/01/01/2026-01-01T00.00.00-")


async def test_inv_57_a_function_of_this_process_is_handed_the_record_as_an_event() -> None:
    """By the alias in the ARN, and once: told again after a crash it is the same event."""
    inbox = Inbox()
    targets = {OTHER: FunctionHere(inbox.accept, qualifier="live")}

    for _ in range(2):  # two workers, one after the other's crash
        await ends_of(targets, on_success=OTHER).deliver(EVENT, SUCCESS)

    [(payload, qualifier)] = inbox.events.values()
    assert orjson.loads(payload)["requestContext"]["requestId"] == EVENT.request_id
    assert qualifier == "live"
    assert inbox.repetitions == 1


async def test_inv_57_an_event_tried_anew_is_another_event_for_the_function() -> None:
    """An operator who retries an event that had ended gets a second record of it."""
    inbox = Inbox()
    ends = ends_of({OTHER: FunctionHere(inbox.accept)}, on_success=OTHER, on_failure=OTHER)
    anew = QueuedEvent(
        request_id=EVENT.request_id,
        function_name="work",
        payload=EVENT.payload,
        accepted_at=START_WALL_TIME_S + 60,
        due_at=START_WALL_TIME_S + 60,
    )

    await ends.deliver(EVENT, FAILURE)
    await ends.deliver(anew, SUCCESS)

    assert len(inbox.events) == 2


async def test_inv_57_a_function_whose_store_is_locked_gets_the_record_later() -> None:
    """Its own trouble is waited out like any other."""
    inbox = Inbox(locked=2)

    assert list(await ends_of({OTHER: FunctionHere(inbox.accept)}, on_success=OTHER).deliver(EVENT, SUCCESS)) == []

    assert len(inbox.events) == 1


@pytest.mark.parametrize(
    ("arn", "limit"), [(QUEUE, 262_144), (TOPIC, 262_144), (BUS, 262_144), (OTHER, 1_048_576), (BUCKET, None)]
)
async def test_inv_62_a_record_too_large_for_its_target_goes_without_the_payloads(arn: str, limit: int | None) -> None:
    """Just below the limit it is whole; above, both payloads are gone and the rest is told; a bucket takes any size."""
    target = MemoryTarget()
    ends = ends_of({arn: target}, on_failure=arn)
    for size in ((limit or 2_000_000) - 2_000, (limit or 2_000_000) + 1):
        event = QueuedEvent(
            request_id="r", function_name="work", payload=b'"%s"' % (b"x" * size), accepted_at=0.0, due_at=0.0
        )
        await ends.deliver(event, FAILURE)

    records = [orjson.loads(each["Detail"]) if arn == BUS else each for each in target.documents]
    assert ["requestPayload" in record for record in records] == [True, limit is None]
    assert ["responsePayload" in record for record in records] == [True, limit is None]
    assert [record["requestContext"]["requestId"] for record in records] == ["r", "r"]


async def test_inv_58_62_an_entry_of_a_bus_counts_with_all_its_members() -> None:
    """The largest record that keeps its payloads still makes an entry of 256 KiB at most."""
    bus = MemoryTarget()
    ends = ends_of({BUS: bus}, on_failure=BUS)
    for size in range(260_500, 262_200, 50):
        event = QueuedEvent(
            request_id="r", function_name="work", payload=b'"%s"' % (b"x" * size), accepted_at=0.0, due_at=0.0
        )
        await ends.deliver(event, FAILURE)

    sizes = [
        14 + sum(len(text) for text in (each["Source"], each["DetailType"], each["Detail"], *each["Resources"]))
        for each in bus.documents
    ]
    assert 262_000 < max(sizes) <= 262_144
    assert sizes[-1] < 1_000


async def test_inv_66_a_target_that_is_down_is_asked_again_for_a_while() -> None:
    """Some seconds of throttling delay the record and lose nothing; the record is the same."""
    target = MemoryTarget(down=4)
    ends = ends_of({QUEUE: target}, on_failure=QUEUE)

    assert list(await ends.deliver(EVENT, FAILURE)) == []

    assert target.conditions == ["RetriesExhausted"]
    assert target.documents[0]["timestamp"] == "2026-01-01T00:00:00.000Z"
    assert 1 < target.times[0] < 30


async def test_inv_51_66_who_cannot_be_told_is_named_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The one that is refused for good, and the one that stays down; the event has ended all the same."""
    ends = ends_of(
        {QUEUE: MemoryTarget(is_refused=True), DEAD_LETTERS: MemoryTarget(down=1_000)},
        on_failure=QUEUE,
        dead_letters=DEAD_LETTERS,
    )

    with caplog.at_level(logging.ERROR, logger="eventmap"):
        undelivered = await ends.deliver(EVENT, FAILURE)

    assert sorted(text.split(": ")[0] for text in undelivered) == [
        f"DeadLetterConfig {DEAD_LETTERS}",
        f"OnFailure {QUEUE}",
    ]
    assert elapsed_s() < 30
    assert ends.statistics.destination_delivery_failures == 1
    assert ends.statistics.dead_letter_errors == 1
    failed = [record for record in caplog.records if getattr(record, "eventmap_event", "") == "destination.failed"]
    assert {record.eventmap_fields["destination"] for record in failed} == {QUEUE, DEAD_LETTERS}  # type: ignore[attr-defined]
    assert EVENT.payload.decode() not in caplog.text


async def test_inv_66_a_target_that_hangs_is_given_up_after_half_a_minute() -> None:
    """The others are told meanwhile."""

    class Hanging:
        async def send(self, parcel: Parcel) -> None:
            await anyio.sleep_forever()

    dead = MemoryTarget()
    ends = ends_of({QUEUE: Hanging(), DEAD_LETTERS: dead}, on_failure=QUEUE, dead_letters=DEAD_LETTERS)

    [said] = await ends.deliver(EVENT, FAILURE)

    assert said == f"OnFailure {QUEUE}: nothing within 30 s"
    assert elapsed_s() == pytest.approx(30)
    assert dead.times == [0.0]


async def test_inv_66_a_target_that_breaks_in_an_unknown_way_ends_nothing() -> None:
    """Whatever it raises is told in words."""

    class Broken:
        async def send(self, parcel: Parcel) -> None:
            raise RuntimeError("who knows")

    [said] = await ends_of({QUEUE: Broken()}, on_success=QUEUE).deliver(EVENT, SUCCESS)

    assert said == f"OnSuccess {QUEUE}: RuntimeError('who knows')"


async def test_inv_66_without_destinations_nothing_is_told() -> None:
    """Most functions have none."""
    ends = ends_of({})

    assert [list(await ends.deliver(EVENT, end)) for end in (SUCCESS, FAILURE)] == [[], []]
    assert ends.statistics.delivered == 0

"""Messages of a queue of eventmap's own become accepted events, or come back."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

import anyio
import pytest

from eventmap.errors import StateError, TransientSourceError
from eventmap.model import Event, JsonObject, Returned
from eventmap.receivers.queue_intake import QueueIntake
from eventmap.testing import MemorySqs

from .accepting import Accepting
from .polling import polled

ARN = "arn:aws:sqs:us-east-1:123456789012:own"


def record(body: str, message_id: str = "m-1", **attributes: str) -> dict[str, Any]:
    return {"messageId": message_id, "body": body, "attributes": attributes, "eventSourceARN": ARN}


def halves(body: str, _record: JsonObject) -> tuple[bytes, ...] | None:
    """`{"events": […]}` has that many events."""
    document = json.loads(body)
    if "events" not in document:
        raise ValueError("there are no events")
    return tuple(json.dumps(each).encode() for each in document["events"]) or None


async def run(intake: QueueIntake, *records: dict[str, Any]) -> list[str]:
    """The ids reported as failed."""
    answer = await intake(Event({"Records": list(records)}))
    assert isinstance(answer, Returned)
    return [entry["itemIdentifier"] for entry in json.loads(answer.payload)["batchItemFailures"]]


async def test_each_event_of_a_message_is_accepted_before_the_message_is_done() -> None:
    """Nothing failed, so the queue may forget them."""
    accept = Accepting()

    failed = await run(QueueIntake("work", halves, accept), record('{"events":[1,2]}'), record('{"events":[3]}', "m-2"))

    assert failed == []
    assert sorted(accept.events) == [1, 2, 3]
    assert all(uuid.UUID(request_id).version == 5 for request_id in accept.payloads)


async def test_a_message_that_comes_again_is_accepted_once() -> None:
    """Its events have the same request ids; another message of the same body, or another function, has others."""
    accept = Accepting()
    intake = QueueIntake("work", halves, accept)

    for _ in range(3):
        assert await run(intake, record('{"events":[1,2]}')) == []
    await run(intake, record('{"events":[1,2]}', "m-2"))
    await run(QueueIntake("other", halves, accept), record('{"events":[1,2]}'))

    assert accept.events == [1, 2] * 3
    assert (intake.statistics.accepted, intake.statistics.repeated) == (4, 4)


async def test_what_cannot_be_accepted_now_comes_back() -> None:
    """A store that is locked or out of reach: the message is reported, and accepted when it comes again."""
    accept = Accepting()
    intake = QueueIntake("work", halves, accept)

    for failure in (StateError("the file is locked"), TransientSourceError("busy")):
        accept.failure = failure
        assert await run(intake, record('{"events":[1]}')) == ["m-1"]
    accept.failure = None
    assert await run(intake, record('{"events":[1]}')) == []

    assert accept.events == [1]
    assert intake.statistics.failed == 2


async def test_what_is_not_understood_comes_back_and_is_logged_without_its_body(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The others of its batch are done; nothing of it is shown."""
    caplog.set_level(logging.WARNING, "eventmap")
    accept = Accepting()
    intake = QueueIntake("work", halves, accept)

    failed = await run(intake, record("s3cret"), record('{"s3cret":1}', "m-2"), record('{"events":[1]}', "m-3"))

    assert failed == ["m-1", "m-2"]
    assert accept.events == [1]
    assert intake.statistics.refused == 2
    assert [entry.eventmap_event for entry in caplog.records] == ["push.refused"] * 2  # type: ignore[attr-defined]
    assert "s3cret" not in caplog.text
    assert "m-2" in caplog.text


async def test_a_message_without_events_is_done() -> None:
    """A test event, say: nothing runs and nothing comes back."""
    intake = QueueIntake("work", halves, Accepting())

    assert await run(intake, record('{"events":[]}')) == []
    assert intake.statistics.skipped == 1


async def test_sns_60_the_trace_header_goes_with_the_event() -> None:
    """As the queue passes it on."""
    accept = Accepting()

    await run(QueueIntake("work", halves, accept), record('{"events":[1]}', AWSTraceHeader="Root=1-a-b"))

    assert accept.trace_ids == ["Root=1-a-b"]


@pytest.mark.virtual_time
async def test_a_queue_of_our_own_keeps_what_nobody_understood() -> None:
    """After five receives it lies in the dead-letter queue; the rest is accepted and gone."""
    sqs = MemorySqs()
    dead_letters = await sqs.create_queue("own-dlq", {})
    arn = (await sqs.get_queue_attributes(dead_letters))["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    await sqs.create_queue("own", {"VisibilityTimeout": "60", "RedrivePolicy": redrive})
    accept = Accepting()
    intake = QueueIntake("work", halves, accept)
    sqs.put("own", "what is this")
    for number in range(25):
        sqs.put("own", json.dumps({"events": [number]}))

    async with polled(sqs, intake):
        await anyio.sleep(600)

    assert sorted(accept.events) == list(range(25))
    assert [message.body for message in sqs.messages("own-dlq")] == ["what is this"]
    assert sqs.messages("own") == []
    assert intake.statistics.refused == 5

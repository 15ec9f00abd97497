"""A bucket's changes become accepted events: over HTTP, over a queue of our own, over both."""

from __future__ import annotations

import functools
import json
import logging
from collections import Counter
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import EventmapError, StateError, TransientSourceError
from eventmap.model import Event, Returned
from eventmap.receivers.queue_intake import QueueIntake
from eventmap.receivers.s3 import S3Receiver, identity_of, translate
from eventmap.subscription import S3Notification
from eventmap.testing import MemoryS3, MemorySqs

from .accepting import Accepting
from .polling import polled

pytestmark = pytest.mark.virtual_time

ARN = "arn:aws:sqs:us-east-1:123456789012:own"


def asking(**settings: Any) -> S3Notification:
    return S3Notification(bucket="photos", function_name="work", **settings)


def intake(notification: S3Notification, accept: Accepting) -> QueueIntake:
    """As a service makes it."""
    return QueueIntake(
        "work",
        functools.partial(translate, notification),
        accept,
        identify=functools.partial(identity_of, notification),
    )


async def taken(take: QueueIntake, *bodies: str) -> list[str]:
    """The ids reported as failed: m0, m1, …"""
    records: list[Any] = [
        {"messageId": f"m{number}", "body": body, "attributes": {}, "eventSourceARN": ARN}
        for number, body in enumerate(bodies)
    ]
    answer = await take(Event({"Records": records}))
    assert isinstance(answer, Returned)
    return [each["itemIdentifier"] for each in json.loads(answer.payload)["batchItemFailures"]]


class Bucket:
    """What a bucket tells of, by the text of each notification."""

    def __init__(self, **s3: Any) -> None:
        self.told: list[str] = []
        self.s3 = MemoryS3(invoke=lambda _arn, text: self.told.append(text), **s3)
        self.s3.add_bucket("photos")
        everything = asking(events=["s3:ObjectCreated:*", "s3:ObjectRemoved:*"])
        self.s3.notify(everything, "all", "arn:aws:lambda:us-east-1:123456789012:function:all")

    def put(self, *keys: str) -> None:
        for key in keys:
            self.s3.put_object("photos", key, b"x")

    def message(self) -> str:
        """All that was told so far, as one notification with several records."""
        return json.dumps({"Records": [record for text in self.told for record in json.loads(text)["Records"]]})


def keys(accept: Accepting) -> list[str]:
    """Of the accepted events, which have one record each."""
    return [record["s3"]["object"]["key"] for event in accept.events for [record] in [event["Records"]]]


async def test_src_20_28_a_posted_notification_is_accepted() -> None:
    """SRC-20, 28: one event for each record, the record as it came."""
    bucket, accept = Bucket(), Accepting()
    bucket.put("a b", "c")
    receiver = S3Receiver("work", [asking()], accept)

    assert await receiver.receive({}, bucket.message().encode()) == (200, "accepted")

    assert accept.events == [json.loads(text) for text in bucket.told]
    assert (receiver.statistics.accepted, receiver.statistics.filtered) == (2, 0)


async def test_src_25_26_what_no_notification_of_the_function_is_about_is_filtered() -> None:
    """SRC-25, 26: any of its notifications will do; the sender has done nothing wrong."""
    bucket, accept = Bucket(), Accepting()
    bucket.put("in/a.png", "in/a.txt", "out/b")
    bucket.s3.delete_object("photos", "in/a.png")
    receiver = S3Receiver("work", [asking(prefix="in/", suffix=".png"), asking(prefix="out/")], accept)

    assert (await receiver.receive({}, bucket.message().encode()))[0] == 200

    assert keys(accept) == ["in/a.png", "out/b"]
    assert (receiver.statistics.accepted, receiver.statistics.filtered) == (2, 2)


async def test_src_24_32_a_notification_that_is_posted_again_is_accepted_once() -> None:
    """SRC-24, 32: another change of the same key is another event."""
    bucket, accept = Bucket(), Accepting()
    bucket.put("a")
    receiver = S3Receiver("work", [asking()], accept)
    for _ in range(3):
        assert (await receiver.receive({}, bucket.message().encode()))[0] == 200
    bucket.put("a")
    await receiver.receive({}, bucket.message().encode())

    assert keys(accept) == ["a", "a"]
    assert (receiver.statistics.accepted, receiver.statistics.repeated) == (2, 3)


async def test_src_29_the_test_event_is_acknowledged() -> None:
    """SRC-29: over HTTP and in a queue; nothing is run."""
    told: list[str] = []
    s3 = MemoryS3(publish=lambda _arn, text: told.append(text))
    s3.add_bucket("photos")
    s3.notify(asking(), "mine", "arn:aws:sns:us-east-1:123456789012:photos")
    accept = Accepting()
    receiver, take = S3Receiver("work", [asking()], accept), intake(asking(), accept)

    assert await receiver.receive({}, told[0].encode()) == (200, "accepted")
    assert await taken(take, told[0]) == []
    assert (accept.events, take.statistics.skipped) == ([], 1)


@pytest.mark.parametrize(
    "failure", [StateError("the file is locked"), TransientSourceError("busy")], ids=["state", "queue"]
)
async def test_inv_40_what_cannot_be_accepted_is_answered_with_503(failure: EventmapError) -> None:
    """INV-40: the sender tries again; then it is accepted."""
    bucket, accept = Bucket(), Accepting()
    bucket.put("a")
    receiver = S3Receiver("work", [asking()], accept)
    accept.failure = failure
    assert (await receiver.receive({}, bucket.message().encode()))[0] == 503
    accept.failure = None
    assert (await receiver.receive({}, bucket.message().encode()))[0] == 200

    assert keys(accept) == ["a"]
    assert (receiver.statistics.failed, receiver.statistics.accepted) == (1, 1)


async def test_src_30_what_is_no_notification_is_answered_with_400_and_told_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """SRC-30: refused whole, without a word of its content in answer or log, however often it is sent."""
    caplog.set_level(logging.WARNING, "eventmap")
    bucket, accept = Bucket(), Accepting()
    bucket.put("a")
    half_good = json.loads(bucket.message())
    half_good["Records"].append({"eventSource": "s3cret"})
    too_deep = bucket.message().replace('"AWS:AIDAMEMORY"', "[" * 300 + "]" * 300)
    receiver = S3Receiver("work", [asking()], accept)

    for _ in range(2):
        for body in (b"s3cret", json.dumps(half_good).encode(), too_deep.encode()):
            status, line = await receiver.receive({}, body)
            assert status == 400 and line.startswith("it is no notification of S3") and "s3cret" not in line
        await anyio.sleep(61)

    assert (accept.events, receiver.statistics.refused) == ([], 6)
    assert [each.eventmap_event for each in caplog.records] == ["push.refused"] * 2  # type: ignore[attr-defined]
    assert "s3cret" not in caplog.text


async def test_src_24_30_32_a_change_that_is_told_of_both_ways_runs_once() -> None:
    """SRC-24, 30, 32: over HTTP and over the queue its request id is the same; another function has its own."""
    bucket, accept, other = Bucket(), Accepting(), Accepting()
    bucket.put("a", "b")

    await S3Receiver("work", [asking()], accept).receive({}, bucket.told[0].encode())
    assert await taken(intake(asking(), accept), *bucket.told) == []
    await S3Receiver("other", [asking()], other).receive({}, bucket.told[0].encode())

    assert keys(accept) == ["a", "b"]
    assert not set(other.payloads) & set(accept.payloads)


async def test_src_28_32_several_records_in_one_message_of_a_queue_are_several_events() -> None:
    """SRC-28, 32: told apart by their place; the same again is a repetition."""
    bucket, accept = Bucket(), Accepting()
    bucket.put("in/a", "out/b", "in/c")
    take = intake(asking(prefix="in/"), accept)

    for _ in range(2):
        assert await taken(take, bucket.message()) == []

    assert keys(accept) == ["in/a", "in/c"]
    assert (take.statistics.accepted, take.statistics.repeated) == (2, 2)


async def test_src_26_28_no_queue_takes_what_another_found_in_the_same_message_for_its_own() -> None:
    """SRC-26, 28: two notifications of one function, one message with a record for each: both events run."""
    bucket, accept = Bucket(), Accepting()
    bucket.put("out/b", "in/a")

    for prefix in ("in/", "out/"):
        await taken(intake(asking(prefix=prefix), accept), bucket.message())

    assert sorted(keys(accept)) == ["in/a", "out/b"]


@given(
    prefixes=st.lists(st.sampled_from(["", "a", "ab", "b"]), min_size=1, max_size=4),
    told=st.lists(st.sampled_from(["a", "ab", "b", "c"]), min_size=1, max_size=5),
)
async def test_src_28_32_whichever_queue_takes_which_record_of_a_message_none_is_lost(
    prefixes: list[str], told: list[str]
) -> None:
    """SRC-28, 32: even where what the queues ask for overlaps, which S3 refuses and other servers may not."""
    bucket, accept = Bucket(), Accepting()
    bucket.put(*told)

    for prefix in prefixes:
        await taken(intake(asking(prefix=prefix), accept), bucket.message())

    wanted = Counter(key for key in told if key.startswith(tuple(prefixes)))
    assert not wanted - Counter(keys(accept))
    assert set(keys(accept)) == set(wanted)


async def test_src_24_32_nothing_is_lost_or_run_twice_however_late_often_and_mixed_up_it_comes() -> None:
    """SRC-24, 32: S3 repeats and reorders, SQS does, and sometimes nothing can be accepted."""
    sqs, accept = MemorySqs(disorder=True, duplicates=0.2), Accepting()
    sqs.add_queue("own", {"VisibilityTimeout": "60"})
    s3 = MemoryS3(queues=sqs, delay_s=60.0, disorder=True, duplicates=0.2, seed=3)
    s3.add_bucket("photos")
    s3.notify(asking(prefix="in/"), "mine", ARN)
    take = intake(asking(prefix="in/"), accept)

    async with s3.delivering(), polled(sqs, take):
        for number in range(40):
            s3.put_object("photos", f"in/{number % 5}", str(number).encode())
            s3.put_object("photos", "out", b"")
            accept.failure = StateError("the disk is full") if number % 3 == 0 else None
            await anyio.sleep(1)
        accept.failure = None
        await s3.settled()
        await anyio.sleep(600)

    assert len(accept.events) == 40
    assert sorted(keys(accept)) == sorted(f"in/{number % 5}" for number in range(40))
    assert take.statistics.repeated > 0 and take.statistics.failed > 0
    assert sqs.messages("own") == []


async def test_src_30_what_a_queue_does_not_understand_comes_back() -> None:
    """SRC-30: it is reported, and the queue's redrive keeps it for people to see."""
    bucket, accept = Bucket(), Accepting()
    bucket.put("a")
    take = intake(asking(), accept)

    assert await taken(take, "what is this", *bucket.told) == ["m0"]
    assert keys(accept) == ["a"]

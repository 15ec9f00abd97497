"""S3 in memory tells of what happens in a bucket as S3 does."""

from __future__ import annotations

import inspect
import json
from typing import Any

import anyio
import pytest
from aws_lambda_powertools.utilities.data_classes import S3Event

from eventmap.clock import elapsed_s
from eventmap.errors import BucketNotFound, ConfigurationError, ObjectNotFound, ObjectTooLarge, SourceError
from eventmap.pointers import ObjectReader
from eventmap.receivers.bucket_api import BucketApi
from eventmap.rules.s3_event import decoded_key, events_of, identity, is_later
from eventmap.rules.sns_publish import Publication
from eventmap.subscription import S3Notification
from eventmap.testing import MemoryS3, MemorySns, MemorySqs
from eventmap.testing.memory_s3 import SUBJECT

pytestmark = pytest.mark.virtual_time

QUEUE = "arn:aws:sqs:us-east-1:123456789012:told"


class Scene:
    """A bucket and a queue that it tells of what it is asked to."""

    def __init__(self, *, versions: bool = False, s3: dict[str, Any] | None = None, **notification: Any) -> None:
        self.sqs = MemorySqs()
        self.sqs.add_queue("told", {})
        self.s3 = MemoryS3(queues=self.sqs, **(s3 or {}))
        self.s3.add_bucket("photos", versions=versions)
        self.notification = S3Notification(bucket="photos", function_name="f", **notification)
        self.s3.notify(self.notification, "mine", QUEUE)

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.sqs.messages("told")]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(record) for body in self.bodies for record in events_of(body)]


async def test_src_29_a_new_configuration_is_tried_with_the_test_event() -> None:
    """SRC-29: it has no records."""
    scene = Scene()

    [body] = scene.bodies
    assert json.loads(body)["Event"] == "s3:TestEvent"
    assert events_of(body) == ()


async def test_src_20_22_28_each_object_is_one_message_that_powertools_reads() -> None:
    """SRC-20, 22, 28: in AWS' shape, the key encoded."""
    scene = Scene()

    stored = scene.s3.put_object("photos", "in/a b+ü.png", b"xyz")

    [read] = S3Event(json.loads(scene.bodies[-1])).records
    assert (read.event_source, read.event_name) == ("aws:s3", "ObjectCreated:Put")
    assert (read.s3.bucket.name, read.s3.get_object.size, read.s3.get_object.etag) == ("photos", 3, stored.etag)
    assert read.s3.configuration_id == "mine"
    assert decoded_key(scene.records[0]["s3"]["object"]["key"]) == "in/a b+ü.png"


async def test_src_23_24_deletions_and_their_sequence() -> None:
    """SRC-23, 24: without size and tag; later than what they delete."""
    scene = Scene(events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
    scene.s3.put_object("photos", "a", b"x")
    scene.s3.delete_object("photos", "a")

    put, deleted = (record["s3"]["object"] for record in scene.records)

    assert [record["eventName"] for record in scene.records] == ["ObjectCreated:Put", "ObjectRemoved:Delete"]
    assert "size" not in deleted and "eTag" not in deleted
    assert is_later(deleted["sequencer"], put["sequencer"])
    assert scene.s3.keys("photos") == []


async def test_src_23_in_a_versioned_bucket_a_deletion_is_a_marker() -> None:
    """SRC-23: with a tag and a version; the older one is still there, under its own."""
    scene = Scene(versions=True, events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
    scene.s3.put_object("photos", "a", b"x")
    scene.s3.delete_object("photos", "a")

    put, marker = scene.records

    assert marker["eventName"] == "ObjectRemoved:DeleteMarkerCreated"
    assert put["s3"]["object"]["versionId"] != marker["s3"]["object"]["versionId"]
    assert "size" not in marker["s3"]["object"] and marker["s3"]["object"]["eTag"]
    with pytest.raises(SourceError) as missing:
        scene.s3.body("photos", "a")
    assert missing.value.code == "NoSuchKey"
    assert scene.s3.body("photos", "a", version_id=put["s3"]["object"]["versionId"]) == b"x"
    assert scene.s3.keys("photos") == []


async def test_src_23_a_version_that_is_deleted_is_gone_for_good() -> None:
    """SRC-23: told of as a deletion, by its version; a marker that goes brings the object back."""
    scene = Scene(versions=True, events=("s3:ObjectRemoved:*",))
    first, second = (scene.s3.put_object("photos", "a", body) for body in (b"1", b"2"))
    scene.s3.delete_object("photos", "a")
    marker = scene.records[-1]["s3"]["object"]["versionId"]

    scene.s3.delete_object("photos", "a", version_id=marker)
    scene.s3.delete_object("photos", "a", version_id=second.version_id)

    assert scene.s3.body("photos", "a") == b"1"
    with pytest.raises(SourceError) as missing:
        scene.s3.delete_object("photos", "a", version_id=second.version_id)
    assert missing.value.code == "NoSuchVersion"
    told = [(record["eventName"], record["s3"]["object"]["versionId"]) for record in scene.records[1:]]
    assert told == [("ObjectRemoved:Delete", marker), ("ObjectRemoved:Delete", second.version_id)]
    assert first.version_id != second.version_id


async def test_src_21_25_26_only_what_was_asked_for_is_told() -> None:
    """SRC-21, 25, 26: event, prefix and suffix."""
    scene = Scene(events=("s3:ObjectCreated:Put",), prefix="in/", suffix=".png")
    for key in ("in/a.png", "out/a.png", "in/a.txt"):
        scene.s3.put_object("photos", key, b"")
    scene.s3.copy_object("photos", "in/a.png", "photos", "in/b.png")

    assert [record["s3"]["object"]["key"] for record in scene.records] == ["in/a.png"]


async def test_src_26_27_what_a_bucket_refuses() -> None:
    """SRC-26, 27: configurations that overlap, FIFO destinations; the same one again replaces itself."""
    scene = Scene()

    with pytest.raises(ConfigurationError, match="overlap"):
        scene.s3.notify(scene.notification, "another", QUEUE)
    with pytest.raises(ConfigurationError, match="FIFO"):
        scene.s3.notify(scene.notification, "mine", f"{QUEUE}.fifo")
    scene.s3.notify(scene.notification, "mine", QUEUE)
    with pytest.raises(BucketNotFound):
        await scene.s3.find_bucket("others")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sqs:us-east-1:123456789012:gone",
        "arn:aws:sns:us-east-1:123456789012:nobody",
        "arn:aws:lambda:us-east-1:123456789012:function:nobody",
        "arn:aws:events:us-east-1:123456789012:event-bus/default",
        "told",
    ],
)
async def test_src_27_29_a_destination_that_cannot_be_reached_is_refused(arn: str) -> None:
    """SRC-27, 29: the configuration stays as it was."""
    scene = Scene()

    with pytest.raises(SourceError, match="Unable to validate") as refused:
        scene.s3.notify(scene.notification, "mine", arn)
    scene.s3.put_object("photos", "a", b"")

    assert refused.value.code == "InvalidArgument"
    assert len(scene.records) == 1


async def test_src_27_topics_and_functions_are_told_too() -> None:
    """SRC-27: a function gets no test event."""
    told: list[tuple[str, str]] = []
    s3 = MemoryS3(publish=lambda *each: told.append(each), invoke=lambda *each: told.append(each))
    s3.add_bucket("photos")
    topic, function = "arn:aws:sns:us-east-1:1:t", "arn:aws:lambda:us-east-1:1:function:f"
    for number, arn in enumerate((topic, function)):
        prefix = f"{number}/"
        s3.notify(S3Notification(bucket="photos", function_name="f", prefix=prefix), str(number), arn)
        s3.put_object("photos", f"{prefix}a", b"")

    assert [arn for arn, _ in told] == [topic, topic, function]


async def test_src_30_a_topic_carries_it_to_a_queue(memory_sqs: MemorySqs, memory_sns: MemorySns) -> None:
    """SRC-30: in SNS' envelope, under S3's subject, the test event too."""
    s3 = MemoryS3(publish=lambda arn, text: memory_sns.put(arn, Publication(message=text, subject=SUBJECT)))
    s3.add_bucket("photos")
    memory_sqs.add_queue("told", {})
    topic = await memory_sns.create_topic("photos")
    memory_sns.add_subscription("photos", "sqs", QUEUE)
    async with memory_sns.delivering():
        s3.notify(S3Notification(bucket="photos", function_name="f"), "mine", topic)
        s3.put_object("photos", "a", b"")
        await memory_sns.settled()

    bodies = [message.body for message in memory_sqs.messages("told")]
    assert {json.loads(body)["Subject"] for body in bodies} == {"Amazon S3 Notification"}
    assert [record["eventName"] for body in bodies for record in events_of(body)] == ["ObjectCreated:Put"]


async def test_src_32_a_removed_notification_tells_nothing() -> None:
    """And a queue that is gone stops nobody."""
    scene = Scene()
    await scene.s3.remove_notification("photos", "mine")
    await scene.s3.remove_notification("photos", "mine")
    await scene.s3.remove_notification("others", "mine")
    scene.s3.put_object("photos", "a", b"")
    assert scene.records == []

    scene.s3.notify(scene.notification, "mine", QUEUE)
    await scene.sqs.delete_queue(await scene.sqs.get_queue_url("told"))
    scene.s3.put_object("photos", "b", b"")
    assert scene.s3.keys("photos") == ["a", "b"]


async def test_src_32_notifications_take_their_time() -> None:
    """SRC-32: none before the delay is over; what is late outside `delivering` waits for it."""
    scene = Scene(s3={"delay_s": 30.0})
    scene.s3.put_object("photos", "a", b"")

    async with scene.s3.delivering():
        await anyio.sleep(10)
        scene.s3.put_object("photos", "b", b"")
        await anyio.sleep(19.9)
        assert scene.records == []
        await anyio.sleep(0.2)
        assert len(scene.records) == 1
    await anyio.sleep(60)
    assert len(scene.records) == 1
    with pytest.raises(RuntimeError, match="delivering"):
        await scene.s3.settled()
    async with scene.s3.delivering():
        await scene.s3.settled()
        with pytest.raises(RuntimeError, match="already"):
            async with scene.s3.delivering():
                pass

    assert [record["s3"]["object"]["key"] for record in scene.records] == ["a", "b"]
    assert round(elapsed_s()) == 90


async def test_src_24_32_notifications_overtake_each_other_and_come_twice() -> None:
    """SRC-24, 32: their sequencers put them in order again, and a repetition has the same name."""
    scene = Scene(s3={"delay_s": 60.0, "disorder": True, "duplicates": 0.3, "seed": 7})

    async with scene.s3.delivering():
        for number in range(50):
            scene.s3.put_object("photos", "a", str(number).encode())
        await scene.s3.settled()

    sequencers = [record["s3"]["object"]["sequencer"] for record in scene.records]
    assert len(sequencers) > 50
    assert len({identity(record) for record in scene.records}) == len(set(sequencers)) == 50
    assert sequencers != sorted(sequencers)
    assert elapsed_s() <= 60


async def test_src_20_a_bucket_that_is_deleted_is_gone() -> None:
    """With its objects and its configuration."""
    scene = Scene()
    scene.s3.put_object("photos", "a", b"")
    scene.s3.delete_bucket("photos")

    with pytest.raises(BucketNotFound):
        scene.s3.put_object("photos", "a", b"")
    scene.s3.add_bucket("photos")
    assert scene.s3.keys("photos") == []
    scene.s3.put_object("photos", "b", b"")
    assert [record["s3"]["object"]["key"] for record in scene.records] == ["a"]


async def test_an_object_is_read_up_to_a_size() -> None:
    """As the port of pointers has it."""
    scene = Scene()
    scene.s3.put_object("photos", "a", b"12345")

    assert await scene.s3.get_object("photos", "a", limit_bytes=5) == b"12345"
    with pytest.raises(ObjectTooLarge):
        await scene.s3.get_object("photos", "a", limit_bytes=4)
    with pytest.raises(ObjectNotFound):
        await scene.s3.get_object("photos", "b", limit_bytes=5)
    with pytest.raises(BucketNotFound):
        await scene.s3.get_object("others", "a", limit_bytes=5)


@pytest.mark.parametrize("port", [BucketApi, ObjectReader])
def test_it_is_the_ports_that_a_service_asks(port: type) -> None:
    """Every call is there and takes what the port gives."""
    for name, call in vars(port).items():
        if inspect.iscoroutinefunction(call):
            assert list(inspect.signature(getattr(MemoryS3, name)).parameters) == list(
                inspect.signature(call).parameters
            )


async def test_src_05_20_to_25_powertools_reads_every_kind_of_record() -> None:
    """SRC-05, 20..25: an independent reader of all that a bucket tells of."""
    scene = Scene(versions=True, events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))
    stored = scene.s3.put_object("photos", "a b/ü+.png", b"x")
    scene.s3.copy_object("photos", "a b/ü+.png", "photos", "c")
    scene.s3.delete_object("photos", "c")
    scene.s3.delete_object("photos", "a b/ü+.png", version_id=stored.version_id)

    for body in scene.bodies[1:]:
        [read] = S3Event(json.loads(body)).records
        assert read.event_source == "aws:s3"
        assert read.event_version == "2.1" and read.aws_region == "us-east-1" and read.event_time.endswith("Z")
        assert read.user_identity.principal_id and read.request_parameters.source_ip_address
        assert read.response_elements["x-amz-request-id"] and read.response_elements["x-amz-id-2"]
        assert read.s3.s3_schema_version == "1.0" and read.s3.configuration_id == "mine"
        assert read.s3.bucket.arn == "arn:aws:s3:::photos" and read.s3.bucket.owner_identity.principal_id
        assert read.s3.get_object.version_id and read.s3.get_object.sequencer
    keys = [S3Event(json.loads(body)).object_key for body in scene.bodies[1:]]
    assert keys == ["a b/ü+.png", "c", "c", "a b/ü+.png"]

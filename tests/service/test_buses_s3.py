"""A whole service whose buses are told of buckets, on virtual time: S3 and SQS in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from eventmap import App, service
from eventmap.errors import BucketNotFound, ConfigurationError, EventmapError, StateError
from eventmap.rules.bus.sources import NOTIFICATIONS
from eventmap.rules.bus.taken import Taken
from eventmap.service import Running
from eventmap.state.buses_memory import MemoryBuses
from eventmap.state.events_memory import MemoryEvents
from eventmap.subscription import S3Notification
from eventmap.testing import MemoryS3, MemorySqs

pytestmark = pytest.mark.virtual_time

FROM_S3 = {"source": ["aws.s3"]}


class FullAtFirst(MemoryBuses):
    """A store that has no room for the first event."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0

    async def take(self, taken: Taken) -> None:
        if self.refusals == 0:
            self.refusals += 1
            raise StateError("disk full")
        await super().take(taken)


class Noting(MemoryBuses):
    """A store that notes the trace of each delivery it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.traces: list[str] = []

    async def take(self, taken: Taken) -> None:
        self.traces += [delivery.event.trace_id for delivery in taken.deliveries]
        await super().take(taken)


class Scene:
    """An account in memory, an app that runs against it, and what outlives a run."""

    def __init__(self, buses: MemoryBuses | None = None) -> None:
        self.app = App()
        self.sqs = MemorySqs()
        self.s3 = MemoryS3(queues=self.sqs)
        self.s3.add_bucket("photos")
        self.events = MemoryEvents()
        self.buses = buses or MemoryBuses()

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[Running]:
        chosen = service.Settings(
            queue_api=self.sqs,
            bucket_api=self.s3,
            events="memory",
            event_store=self.events,
            bus_store=self.buses,
            **settings,
        )
        async with service.running(self.app.functions(), self.app.mappings(), chosen) as running:
            yield running

    async def refusal(self) -> Exception:
        """What starting the app raises."""
        with pytest.raises(EventmapError) as refused:
            async with self.running():
                pass
        return refused.value

    def restarted(self) -> None:
        """What was in no store is gone."""
        self.events, self.buses = self.events.restarted(), self.buses.restarted()

    def own_queues(self) -> list[str]:
        return [name for name in self.sqs.queue_names() if not name.endswith("-dlq")]


class Work:
    """A handler that remembers its events."""

    def __init__(self, name: str = "work") -> None:
        self.__name__ = name
        self.events: list[Any] = []

    async def __call__(self, event: Any, context: Any) -> None:
        self.events.append(event)

    @property
    def keys(self) -> list[str]:
        return [event["detail"]["object"]["key"] for event in self.events]


async def test_src_31_a_buckets_change_reaches_a_rule_as_eventbridge_tells_it() -> None:
    """SRC-31: the envelope and the detail, member by member; the key as the bucket has it (SRC-22)."""
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["arn:aws:s3:::photos"])(work)

    async with scene.running() as running:
        told = running.pushes()
        stored = scene.s3.put_object("photos", "in/a b+ü.jpg", b"1234567")
        await running.until_idle()

    [event] = work.events
    detail = event["detail"]
    assert told == (("arn:aws:s3:::photos", "event bus default", "queue"),)
    assert event == {
        "version": "0",
        "id": event["id"],
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "000000000000",
        "time": event["time"],
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::photos"],
        "detail": {
            "version": "0",
            "bucket": {"name": "photos"},
            "object": {
                "key": "in/a b+ü.jpg",
                "size": 7,
                "etag": stored.etag,
                "sequencer": detail["object"]["sequencer"],
            },
            "request-id": detail["request-id"],
            "requester": detail["requester"],
            "source-ip-address": detail["source-ip-address"],
            "reason": "PutObject",
        },
    }
    assert all([event["id"], event["time"].endswith("Z"), *detail.values(), *detail["object"].values()])


@pytest.mark.parametrize(
    ("kind", "detail_type"),
    [
        ("ObjectCreated:Copy", "Object Created"),
        ("ObjectRestore:Completed", "Object Restore Completed"),
        ("LifecycleExpiration:Delete", "Object Deleted"),
        ("LifecycleTransition", "Object Storage Class Changed"),
        ("IntelligentTiering", "Object Access Tier Changed"),
        ("ObjectAcl:Put", "Object ACL Updated"),
        ("ObjectTagging:Put", "Object Tags Added"),
        ("Replication:OperationFailedReplication", None),
        ("ReducedRedundancyLostObject", None),
    ],
)
async def test_src_25_31_all_that_s3_tells_buses_of_is_asked_for(kind: str, detail_type: str | None) -> None:
    """SRC-25, 31: and nothing else is."""
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)

    async with scene.running() as running:
        scene.s3.put_object("photos", "a", b"x", event=kind)
        await running.until_idle()

    assert [event["detail-type"] for event in work.events] == ([detail_type] if detail_type else [])


async def test_src_26_31_a_bucket_is_for_all_rules_of_its_buses_and_tells_of_each_change_once() -> None:
    """SRC-26, 31: two buses share one notification; a bus that does not name the bucket hears nothing."""
    scene, works = Scene(), [Work(name) for name in ("first", "same_bus", "other_bus", "deaf")]
    first, same_bus, other_bus, deaf = works
    scene.app.event(FROM_S3, buckets=["photos"])(first)
    scene.app.event({"detail-type": ["Object Deleted"]})(same_bus)
    scene.app.event(FROM_S3, event_bus_name="other", buckets=["photos", "photos"])(other_bus)
    scene.app.event(FROM_S3, event_bus_name="third")(deaf)

    async with scene.running() as running:
        during = scene.own_queues()
        told = running.pushes()
        scene.s3.put_object("photos", "a", b"x")
        scene.s3.delete_object("photos", "a")
        await running.until_idle()

    assert len(during) == 1
    assert [name for _, name, _ in told] == ["event buses default, other"]
    assert [len(work.events) for work in works] == [2, 1, 2, 0]
    assert {event["id"] for event in first.events} == {event["id"] for event in other_bus.events}


async def test_src_31_32_a_change_that_is_told_of_twice_is_one_event() -> None:
    """SRC-32: also after a crash between the event being durable and the message being deleted."""
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)
    async with scene.running(keep_subscriptions=True):
        [name] = scene.own_queues()
    scene.sqs.purge(name)
    scene.s3.put_object("photos", "a", b"x")
    [message] = scene.sqs.messages(name)

    async with scene.running(keep_subscriptions=True) as running:
        await running.until_idle()
        scene.sqs.put(name, message.body)
        await running.until_idle()
    scene.restarted()
    scene.sqs.put(name, message.body)
    async with scene.running() as running:
        await running.until_idle()

    assert work.keys == ["a"]


async def test_src_31_what_a_bucket_told_while_nothing_ran_is_delivered_by_the_next_run() -> None:
    """Kept, the notification goes on, and the next run finds the queue again; not kept, both go with the run."""
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)

    async with scene.running(keep_subscriptions=True):
        pass
    kept = scene.own_queues()
    scene.s3.put_object("photos", "meanwhile", b"x")
    scene.restarted()
    async with scene.running() as running:
        during = scene.own_queues()
        await running.until_idle()
    scene.s3.put_object("photos", "later", b"x")

    assert work.keys == ["meanwhile"]
    assert kept == during != []
    assert scene.sqs.queue_names() == []


@pytest.mark.parametrize("keeps", [False, True], ids=["taken back", "kept"])
async def test_src_26_after_the_run_somebody_else_may_ask_for_the_changes_unless_they_are_kept(keeps: bool) -> None:
    """SRC-26: the bucket itself refuses a second entry for as long as there is one."""
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)
    theirs = S3Notification(bucket="photos", function_name="theirs", events=["s3:ObjectCreated:*"])
    queue = await scene.sqs.get_queue_attributes(scene.sqs.add_queue("theirs"))

    async with scene.running(keep_subscriptions=keeps):
        pass
    refused = False
    try:
        await scene.s3.add_notification(theirs, "theirs", queue["QueueArn"])
    except ConfigurationError:
        refused = True

    assert refused == keeps


async def test_src_31_32_no_change_is_lost_while_the_bus_cannot_keep_it() -> None:
    """The message comes back until the event is durable."""
    full = FullAtFirst()
    scene, work = Scene(full), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)

    async with scene.running() as running:
        scene.s3.put_object("photos", "a", b"x")
        await running.until_idle()

    assert (full.refusals, work.keys) == (1, ["a"])


async def test_src_31_what_had_arrived_at_the_end_is_taken_and_owed() -> None:
    """A stop right after the change: this run delivers it, or the next."""
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)

    async with scene.running():
        for number in range(25):
            scene.s3.put_object("photos", f"{number:02}", b"x")
    scene.restarted()
    async with scene.running() as running:
        await running.until_idle()

    assert sorted(work.keys) == [f"{number:02}" for number in range(25)]


@pytest.mark.parametrize("events", [["s3:ObjectRemoved:*"], list(NOTIFICATIONS)], ids=["some", "the same"])
async def test_src_26_a_bucket_that_tells_the_function_already_is_refused(events: list[str]) -> None:
    """SRC-26: by S3, for the changes that both want, be they the very same; neither notification stays."""
    scene, work = Scene(), Work()
    scene.app.s3("photos", events=events)(work)
    scene.app.event(FROM_S3, buckets=["photos"])(work)

    refused = await scene.refusal()
    for name in scene.own_queues():
        scene.sqs.purge(name)  # of S3's test message
    scene.s3.delete_object("photos", "a")

    assert isinstance(refused, ConfigurationError)
    assert "SRC-26" in str(refused)
    assert not any(scene.sqs.messages(name) for name in scene.own_queues())


async def test_src_31_the_trace_of_a_change_goes_with_its_event() -> None:
    """As the notification's message has it."""
    noting = Noting()
    scene, work = Scene(noting), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)
    async with scene.running(keep_subscriptions=True):
        [name] = scene.own_queues()
    scene.sqs.purge(name)
    scene.s3.put_object("photos", "a", b"x")
    [message] = scene.sqs.messages(name)
    scene.sqs.purge(name)
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    entry = {"MessageBody": message.body, "MessageSystemAttributes": trace}
    assert await scene.sqs.send_message_batch(await scene.sqs.get_queue_url(name), [entry]) == {}

    async with scene.running() as running:
        await running.until_idle()

    assert work.keys == ["a"]
    assert noting.traces == ["Root=1-5759e988-bd862e3fe1be46a994272793"]


async def test_a_bucket_that_is_not_there_is_said_before_anything_runs() -> None:
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["videos"])(work)

    assert isinstance(await scene.refusal(), BucketNotFound)


async def test_a_message_that_is_no_notification_goes_to_the_dead_letter_queue() -> None:
    """After five receives; the changes beside it are events meanwhile, whatever they leave out."""
    scene, work = Scene(), Work()
    scene.app.event(FROM_S3, buckets=["photos"])(work)

    async with scene.running() as running:
        [name] = scene.own_queues()
        scene.sqs.put(name, "hello")
        bare = '{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","responseElements":"x","userIdentity":[],'
        scene.sqs.put(
            name,
            '{"Records":['
            + bare
            + '"awsRegion":7,"requestParameters":1,"s3":{"bucket":{"name":"photos"},"object":{"key":"a"}}}]}',
        )
        await anyio.sleep(600)
        dead = [message.body for message in scene.sqs.messages(f"{name}-dlq")]
        await running.until_idle()

    [event] = work.events
    assert dead == ["hello"]
    assert (event["region"], event["detail"]) == (
        "us-east-1",
        {"version": "0", "bucket": {"name": "photos"}, "object": {"key": "a"}, "reason": "PutObject"},
    )

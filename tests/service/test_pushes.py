"""A whole service with pushes, on virtual time: topics and buckets in memory, queues of our own, events that wait."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from eventmap import App, service
from eventmap.clock import elapsed_s
from eventmap.errors import BucketNotFound, ConfigurationError, EventmapError, InvalidParameterValue, TopicNotFound
from eventmap.service import Running
from eventmap.state.events_memory import MemoryEvents
from eventmap.testing import MemoryS3, MemorySns, MemorySqs

pytestmark = pytest.mark.virtual_time


class Scene:
    """An account in memory, and an app that runs against it."""

    def __init__(self) -> None:
        self.app = App()
        self.sqs = MemorySqs()
        self.sns = MemorySns(queues=self.sqs)
        self.s3 = MemoryS3(queues=self.sqs)
        self.events = MemoryEvents()

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[Running]:
        chosen = self.settings(**settings)
        async with self.sns.delivering(), service.running(self.app.functions(), self.app.mappings(), chosen) as running:
            yield running

    def settings(self, **settings: Any) -> service.Settings:
        return service.Settings(
            queue_api=self.sqs,
            topic_api=self.sns,
            bucket_api=self.s3,
            events="memory",
            event_store=self.events,
            pushes_over="queue",
            **settings,
        )

    async def refusal(self) -> Exception:
        """What starting the app raises."""
        async with self.sns.delivering():
            with pytest.raises(EventmapError) as refused:
                async with service.running(self.app.functions(), self.app.mappings(), self.settings()):
                    pass
        return refused.value

    def own_queues(self) -> list[str]:
        return [name for name in self.sqs.queue_names() if name.startswith("eventmap-")]


class Work:
    """A handler that remembers when it ran with what, and fails as often as told."""

    def __init__(self, name: str, failures: int = 0) -> None:
        self.__name__ = name
        self.runs: list[tuple[float, Any]] = []
        self._failures = failures

    async def __call__(self, event: Any, context: Any) -> str:
        self.runs.append((elapsed_s(), event))
        if len(self.runs) <= self._failures:
            raise ValueError("not yet")
        return "done"


async def test_inv_41_42_sns_58_a_message_that_fails_is_tried_again_after_one_and_two_minutes() -> None:
    """INV-41, SNS-58: what SNS has delivered is Lambda's to retry; the queue of ours is long empty."""
    scene, work = Scene(), Work("work", failures=2)
    topic = await scene.sns.create_topic("orders")
    scene.app.sns("orders")(work)

    async with scene.running() as running:
        await scene.sns.publish(topic, "hello")
        await running.until_idle()
        statistics = running.asynchronous()["work"]

    first, second, third = (at for at, _ in work.runs)
    assert (round(second - first), round(third - second)) == (60, 120)
    assert (statistics.received, statistics.retried, statistics.done) == (1, 2, 1)


async def test_inv_48_57_an_event_given_up_becomes_another_functions_event() -> None:
    """INV-48, 57: the destination is a function of the same service; its record is an event with an end of its own."""
    scene, work, undertaker = Scene(), Work("work", failures=9), Work("undertaker")
    topic = await scene.sns.create_topic("orders")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:undertaker"
    scene.app.function(maximum_retry_attempts=0, destination_config={"OnFailure": {"Destination": arn}})(work)
    scene.app.sns("orders")(work)
    scene.app.sns("orders", filter_policy={"never": ["x"]})(undertaker)

    async with scene.running() as running:
        await scene.sns.publish(topic, "hello")
        await running.until_idle()

    [(_, record)] = undertaker.runs
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["functionArn"].endswith(":function:work:$LATEST")
    assert record["requestPayload"]["Records"][0]["Sns"]["Message"] == "hello"


async def test_sns_10_29_44_a_message_that_comes_twice_runs_once() -> None:
    """SNS-10, 29, 44: SNS may deliver one message to a queue twice; the event is known by SNS' own id."""
    scene, work = Scene(), Work("work")
    topic = await scene.sns.create_topic("orders")
    scene.app.sns("orders")(work)
    async with scene.running(keep_subscriptions=True):
        [name] = [each for each in scene.own_queues() if not each.endswith("-dlq")]
    async with scene.sns.delivering():
        await scene.sns.publish(topic, "hello")
        await scene.sns.settled()
    [message] = scene.sqs.messages(name)
    scene.sqs.put(name, message.body)

    async with scene.running() as running:
        await running.until_idle()
        statistics = running.asynchronous()["work"]

    assert len(work.runs) == 1
    assert (statistics.received, statistics.repeated) == (1, 1)


async def test_src_20_29_a_buckets_changes_become_events() -> None:
    """SRC-20, 29: each object one event; the test message none."""
    scene, work = Scene(), Work("work")
    scene.s3.add_bucket("photos")
    scene.app.s3("photos", prefix="in/")(work)

    async with scene.running() as running:
        for key in ("in/a", "out/b", "in/c"):
            scene.s3.put_object("photos", key, b"x")
        await running.until_idle()

    assert [event["Records"][0]["s3"]["object"]["key"] for _, event in work.runs] == ["in/a", "in/c"]
    scene.s3.put_object("photos", "in/later", b"x")
    assert scene.own_queues() == []


async def test_sns_20_what_a_run_made_goes_with_it_and_what_is_kept_is_found_again() -> None:
    """Subscription and queue: removed at the end, unless they are to be kept."""
    scene, work = Scene(), Work("work")
    topic = await scene.sns.create_topic("orders")
    scene.app.sns("orders")(work)

    async with scene.running(keep_subscriptions=True):
        pass
    kept = len(scene.own_queues())
    async with scene.sns.delivering():
        await scene.sns.publish(topic, "meanwhile")
        await scene.sns.settled()
    async with scene.running() as running:
        await running.until_idle()

    assert (kept, len(work.runs), scene.own_queues()) == (2, 1, [])


async def test_inv_40_what_waits_for_a_retry_at_the_end_is_owed_to_the_next_run() -> None:
    """INV-40, 42: stopping gives nothing up; the retry comes under the same request id, in its time."""
    scene, work = Scene(), Work("work", failures=1)
    topic = await scene.sns.create_topic("orders")
    scene.app.sns("orders")(work)

    async with scene.running() as running:
        await scene.sns.publish(topic, "hello")
        while not work.runs or running.asynchronous()["work"].running:
            await anyio.sleep(0.1)
        await anyio.sleep(1)
    scene.events = scene.events.restarted()
    async with scene.running() as running:
        await running.until_idle()

    assert len(work.runs) == 2
    assert round(work.runs[1][0] - work.runs[0][0]) == 60


async def test_inv_46_reserved_concurrency_zero_gives_events_up_at_once() -> None:
    """INV-25, 46: nothing runs, and the record says why."""
    scene, work, told = Scene(), Work("work"), Work("told")
    topic = await scene.sns.create_topic("orders")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:told"
    scene.app.function(reserved_concurrent_executions=0, destination_config={"OnFailure": {"Destination": arn}})(work)
    scene.app.sns("orders")(work)
    scene.app.sns("orders", filter_policy={"never": ["x"]})(told)

    async with scene.running() as running:
        await scene.sns.publish(topic, "hello")
        await running.until_idle()

    [(_, record)] = told.runs
    assert work.runs == []
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert "responsePayload" not in record


async def test_what_does_not_exist_is_told_before_anything_is_made() -> None:
    """A topic, a bucket, a policy that SNS refuses, a destination's alias."""
    for declare, raised in (
        (lambda app, work: app.sns("nowhere")(work), TopicNotFound),
        (lambda app, work: app.s3("nowhere")(work), BucketNotFound),
        (lambda app, work: app.sns("orders", filter_policy={"a": []})(work), InvalidParameterValue),
    ):
        scene = Scene()
        await scene.sns.create_topic("orders")
        declare(scene.app, Work("work"))
        assert isinstance(await scene.refusal(), raised)
        assert scene.own_queues() == []


async def test_inv_63_an_alias_that_a_function_of_ours_does_not_have_is_refused() -> None:
    """INV-63."""
    scene, work = Scene(), Work("work")
    await scene.sns.create_topic("orders")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:other:live"
    scene.app.function(destination_config={"OnSuccess": {"Destination": arn}})(work)
    scene.app.sns("orders")(work)
    scene.app.sns("orders")(Work("other"))

    refused = await scene.refusal()

    assert isinstance(refused, ConfigurationError) and "has no such alias" in str(refused)


async def test_sns_67_a_message_that_is_not_understood_is_set_aside_and_kept() -> None:
    """It comes back until the queue's own redrive ends that; its dead-letter queue stays when the run ends."""
    scene, work = Scene(), Work("work")
    await scene.sns.create_topic("orders")
    scene.app.sns("orders")(work)

    async with scene.running() as running:
        [name] = [each for each in scene.own_queues() if not each.endswith("-dlq")]
        scene.sqs.put(name, json.dumps({"who": "knows"}))
        await running.until_idle()

    [left] = scene.own_queues()
    assert left.endswith("-dlq")
    assert [message.body for message in scene.sqs.messages(left)] == ['{"who": "knows"}']
    assert work.runs == []

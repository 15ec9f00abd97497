"""Messages that carry pointers run with their payloads; what cannot be had is not lost and overtakes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eventmap import App, service
from eventmap.rules.s3_pointer import Pointer, pointer_text
from eventmap.service import Running
from eventmap.testing import MemoryS3, MemorySns, MemorySqs

pytestmark = pytest.mark.virtual_time

BUCKET = "payloads"


class Scene:
    """A queue, a bucket, and a handler that notes the bodies it is given."""

    def __init__(self, queue: str = "reports", attributes: dict[str, str] | None = None, **mapping: Any) -> None:
        self.sqs, self.s3, self.app = MemorySqs(), MemoryS3(), App()
        self.sns = MemorySns(queues=self.sqs)
        self.s3.add_bucket(BUCKET)
        self.queue = queue
        self.seen: list[list[str]] = []
        dead = self.sqs.add_queue("dead.fifo" if queue.endswith(".fifo") else "dead", attributes or {})
        arn = f"arn:aws:sqs:us-east-1:123456789012:{dead.rpartition('/')[2]}"
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})
        self.sqs.add_queue(queue, {"RedrivePolicy": redrive, **(attributes or {})})

        @self.app.sqs(queue, **{"pointer_buckets": [BUCKET], **mapping})
        async def work(event: Any, context: Any) -> None:
            self.seen.append([record["body"] for record in event["Records"]])

    @property
    def bodies(self) -> list[str]:
        return [body for bodies in self.seen for body in bodies]

    def send(self, body: str, **options: Any) -> None:
        self.sqs.put(self.queue, body, **options)

    def point(self, key: str, payload: bytes | None, *, bucket: str = BUCKET, **options: Any) -> None:
        """A pointer; None = to nothing."""
        if payload is not None:
            self.s3.put_object(BUCKET, key, payload)
        self.send(pointer_text(Pointer(bucket, key)), **options)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        settings = service.Settings(
            queue_api=self.sqs,
            topic_api=self.sns,
            object_reader=self.s3,
            events="memory",
            pushes_over="queue",
        )
        async with (
            self.sns.delivering(),
            service.running(self.app.functions(), self.app.mappings(), settings) as running,
        ):
            yield running

    async def run(self) -> None:
        async with self.running() as running:
            await running.until_empty()


async def test_sns_135_142_a_payload_takes_its_pointers_place() -> None:
    """SNS-135, 142: messages with and without a pointer in one batch, in their order."""
    scene = Scene()
    scene.send("plain")
    scene.point("k1", '{"rows": 1, "ü": 2}'.encode())
    scene.send("plain, too")

    await scene.run()

    assert scene.bodies == ["plain", '{"rows": 1, "ü": 2}', "plain, too"]


async def test_sns_137_142_filters_and_sizes_see_the_payload() -> None:
    """What is not asked for is deleted; two payloads of four megabytes are two events."""
    scene = Scene(filter_criteria={"Filters": [{"Pattern": {"body": {"keep": [True]}}}]})
    for key, keep in (("k1", True), ("k2", False), ("k3", True)):
        scene.point(key, json.dumps({"keep": keep, "rows": "x" * 4_000_000}).encode())

    await scene.run()

    assert [len(bodies) for bodies in scene.seen] == [1, 1]
    assert all(json.loads(body)["keep"] for body in scene.bodies)


async def test_sns_142_a_bucket_that_is_not_on_the_list_is_left_alone() -> None:
    """SNS-142: the pointer is passed on, as Lambda passes all of them on; nothing is read."""
    scene = Scene()
    scene.point("k1", b"secret", bucket="others")

    await scene.run()

    assert scene.bodies == [pointer_text(Pointer("others", "k1"))]


@pytest.mark.parametrize("payload", [None, b"x" * 101, b"\xff\xfe"], ids=["missing", "too large", "not text"])
async def test_sns_142_what_cannot_be_had_ends_in_the_dead_letter_queue(payload: bytes | None) -> None:
    """SNS-142: the message comes back until its queue gives it up; the others run meanwhile."""
    scene = Scene(pointer_limit_bytes=100)
    scene.point("k1", payload)
    scene.send("plain")

    await scene.run()

    assert scene.bodies == ["plain"]
    assert [message.body for message in scene.sqs.messages("dead")] == [pointer_text(Pointer(BUCKET, "k1"))]


async def test_sns_142_a_payload_that_arrives_late_is_found_at_the_next_receive() -> None:
    """An outbox may send before its bucket shows the object: nothing is lost."""
    scene = Scene()
    scene.point("k1", None)
    async with scene.running() as running:
        while not next(iter(running.statistics().values())).refused:
            await service_turn()
        scene.s3.put_object(BUCKET, "k1", b"late")
        await running.until_empty()

    assert scene.bodies == ["late"]


async def service_turn() -> None:
    """Let the service work for a moment."""
    import anyio

    await anyio.sleep(0.1)


async def test_sqs_47_sns_142_on_a_fifo_queue_nothing_overtakes_what_cannot_be_had() -> None:
    """SQS-47: messages of the same group wait behind it, those of others do not."""
    scene = Scene("reports.fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    scene.send("a1", group="a")
    scene.point("missing", None, group="a")
    scene.send("a3", group="a")
    scene.send("b1", group="b")

    async with scene.running() as running:
        while not {"a1", "b1"} <= set(scene.bodies):
            await service_turn()
        before = list(scene.bodies)
        scene.s3.put_object(BUCKET, "missing", b"a2")
        await running.until_empty()

    assert sorted(before) == ["a1", "b1"]
    assert [body for body in scene.bodies if body.startswith("a")] == ["a1", "a2", "a3"]


async def test_sns_141_142_a_pointer_that_is_published_reaches_a_function_as_its_payload() -> None:
    """SNS-141: through the envelope of our own queue."""
    scene = Scene()
    topic = await scene.sns.create_topic("reports")
    scene.s3.put_object(BUCKET, "k1", b"a big report")
    messages: list[str] = []

    @scene.app.sns("reports", pointer_buckets=[BUCKET])
    async def told(event: Any, context: Any) -> None:
        messages.append(event["Records"][0]["Sns"]["Message"])

    async with scene.running() as running:
        await scene.sns.publish(topic, pointer_text(Pointer(BUCKET, "k1")))
        await running.until_idle()

    assert messages == ["a big report"]

"""Topics and buckets of real servers, and what they begin with."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eventmap.aws.objects import open_objects
from eventmap.aws.session import AwsSettings, open_client, open_sqs
from eventmap.aws.signing import Credentials
from eventmap.aws.sns import open_topics
from eventmap.errors import SourceError, TransientSourceError
from eventmap.local.object_lines import ObjectEntry
from eventmap.local.push_seeding import publish_messages, put_objects
from eventmap.local.topic_lines import TopicEntry, parse_topic_line
from tests.servers.process import Server

SERVERS = ["moto", "ministack"]
REGIONS = ["us-east-1", "eu-west-1"]


def settings(server: Server, region: str = "us-east-1") -> AwsSettings:
    return AwsSettings(server.endpoint_url, region, credentials=Credentials("test", "test"))


@pytest.mark.server
@pytest.mark.parametrize("name", SERVERS)
async def test_published_messages_reach_a_queue_that_is_subscribed(
    name: str, start_server: Callable[[str], Server]
) -> None:
    """Message, subject and attributes, in the order of the lines."""
    at, topic = settings(start_server(name)), f"t-{uuid.uuid4().hex[:12]}"
    lines = (
        '{"message": {"id": 1}, "subject": "one", "attributes": {"tags": ["a"]}}',
        '"two"',
    )
    async with open_topics(at) as topics, open_sqs(at) as wire:
        arn = await topics.create_topic(topic)
        url = await wire.create_queue(topic, {})
        queue_arn = (await wire.get_queue_attributes(url))["QueueArn"]
        await topics.subscribe(arn, "sqs", queue_arn)

        await publish_messages(topics, arn, [parse_topic_line(line, number) for number, line in enumerate(lines, 1)])

        envelopes = []
        while messages := await wire.receive_message(url, max_number_of_messages=10, wait_time_seconds=0):
            envelopes += [json.loads(message["Body"]) for message in messages]
            await wire.delete_message_batch(url, [message["ReceiptHandle"] for message in messages])

    assert sorted((each["Message"], each.get("Subject")) for each in envelopes) == [("two", None), ('{"id":1}', "one")]
    [attributes] = [each["MessageAttributes"] for each in envelopes if each.get("MessageAttributes")]
    assert attributes == {"tags": {"Type": "String.Array", "Value": '["a"]'}}


@pytest.mark.server
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", SERVERS)
async def test_a_created_bucket_holds_what_was_put(
    name: str, region: str, start_server: Callable[[str], Server]
) -> None:
    """Made twice it is the same bucket; of two objects with the same key the second one stays."""
    at, bucket = settings(start_server(name), region), f"b-{uuid.uuid4().hex[:12]}"
    entries = [ObjectEntry("a b/ü", b"first"), ObjectEntry("a b/ü", b"\0second"), ObjectEntry("c", b"")]

    async with open_objects(at) as objects, open_client(at, "s3") as client:
        await objects.create_bucket(bucket)
        await objects.create_bucket(bucket)
        await put_objects(objects, bucket, entries)
        listed = (await client.list_objects_v2(Bucket=bucket))["Contents"]
        body = await (await client.get_object(Bucket=bucket, Key="a b/ü"))["Body"].read()

    assert sorted(each["Key"] for each in listed) == ["a b/ü", "c"]
    assert body == b"\0second"


@pytest.mark.server
async def test_what_cannot_be_made_or_put_is_an_error_of_ours(start_server: Callable[[str], Server]) -> None:
    """With the name, and what the server said."""
    at = settings(start_server("moto"))

    async with open_objects(at) as objects:
        with pytest.raises(SourceError, match="ab"):
            await objects.create_bucket("ab")
        with pytest.raises(SourceError, match="missing-bucket"):
            await objects.put_object("missing-bucket", "k", b"")


class Topics:
    """A topic in memory whose first calls fail."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.messages: list[str] = []

    async def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str:
        if self.failures:
            self.failures -= 1
            raise TransientSourceError("busy", code="Throttling")
        self.messages.append(message)
        return "id"


async def test_a_message_that_was_not_taken_is_published_again() -> None:
    """And the next one waits for it; one that goes on being refused is an error."""
    busy, closed = Topics(2), Topics(99)

    await publish_messages(busy, "arn", [TopicEntry("a"), TopicEntry("b")])
    with pytest.raises(TransientSourceError):
        await publish_messages(closed, "arn", [TopicEntry("a")])

    assert busy.messages == ["a", "b"]

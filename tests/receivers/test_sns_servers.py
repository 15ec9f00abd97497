"""An endpoint and a queue of our own, fed by topics of servers nobody of us wrote."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import pytest

from eventmap.aws.own_queue import create_own_queue
from eventmap.aws.session import AwsSettings
from eventmap.aws.signing import Credentials
from eventmap.aws.sns import TopicCalls, open_topics
from eventmap.model import Event
from eventmap.receivers.certificates import Certificates
from eventmap.receivers.queue_intake import QueueIntake
from eventmap.receivers.sns import SnsReceiver, SnsSettings
from eventmap.receivers.sns_queue import notification_of_record, translate
from eventmap.receivers.topics import ReceivedTopic
from eventmap.sources.sqs import SqsSource, describe_queue
from tests.aws.hostile import wire_to
from tests.servers.process import Server

from .accepting import Accepting
from .endpoint import listening


async def nothing(_url: str) -> bytes:
    raise AssertionError("nothing is fetched from a server of one's own")


@asynccontextmanager
async def topics_of(server: Server) -> AsyncIterator[TopicCalls]:
    settings = AwsSettings(server.endpoint_url, server.region, credentials=Credentials("test", "test"))
    async with open_topics(settings) as topics:
        yield topics


async def publish(server: Server, topic_arn: str, message: str, **options: Any) -> str:
    """By plain boto3, in a thread: moto delivers before it answers. Returns the message id."""
    client = server.client("sns")
    call = functools.partial(client.publish, TopicArn=topic_arn, Message=message, **options)
    try:
        return str((await anyio.to_thread.run_sync(call))["MessageId"])
    finally:
        client.close()


async def arrived(accept: Accepting, count: int) -> list[dict[str, Any]]:
    """The `Sns` members of the first `count` events."""
    with anyio.fail_after(20):
        while len(accept.payloads) < count:
            await anyio.sleep(0.01)
    return [event["Records"][0] for event in accept.events]


@pytest.mark.parametrize("server_name", [pytest.param(n, marks=pytest.mark.server) for n in ("moto", "ministack")])
async def test_sns_20_26_35_50_an_endpoint_on_this_machine_is_subscribed_and_gets_its_events(
    server_name: str, start_server: Callable[[str], Server], queue_name: str
) -> None:
    """Confirmed through the server's own API, never by a URL of the message; each notification is one event."""
    server = start_server(server_name)
    accept = Accepting()
    async with topics_of(server) as topics:
        arn = await topics.create_topic(queue_name)
        topic = ReceivedTopic(arn)
        receiver = SnsReceiver(
            "work",
            [topic],
            accept,
            certificates=Certificates(nothing),
            confirm=topics.confirm_subscription,
            fetch=nothing,
            settings=SnsSettings(verify_signatures=False),
        )
        async with listening(receiver) as url:
            if (subscription := await topics.subscribe(arn, "http", url)) is not None:
                topic.subscribed(subscription)  # moto asks for no confirmation
            with anyio.fail_after(20):
                subscription = await topic.subscription()
            message_id = await publish(server, arn, "hello", Subject="greeting")
            [record] = await arrived(accept, 1)
            await topics.unsubscribe(subscription)
            await publish(server, arn, "nobody is there")

    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == subscription
    assert (record["Sns"]["Type"], record["Sns"]["TopicArn"]) == ("Notification", arn)
    assert record["Sns"]["Message"] == "hello"
    assert record["Sns"]["Subject"] == "greeting"
    assert record["Sns"]["MessageId"] == message_id
    assert len(accept.payloads) == 1


@pytest.mark.parametrize(
    "server_name", [pytest.param(n, marks=pytest.mark.server) for n in ("moto", "ministack", "fauxqs")]
)
async def test_sns_45_65_a_queue_of_our_own_brings_the_same_events(
    server_name: str, start_server: Callable[[str], Server], queue_name: str
) -> None:
    """The envelope in the message's body is the event; the policy of the queue stands for the signature."""
    server = start_server(server_name)
    accept = Accepting()
    async with topics_of(server) as topics, wire_to(server.endpoint_url) as wire:
        arn = await topics.create_topic(queue_name)
        topic = ReceivedTopic(arn)
        own = await create_own_queue(wire, queue_name, service="sns.amazonaws.com", source_arn=arn)
        subscription = await topics.subscribe(arn, "sqs", own.arn)
        assert subscription is not None
        topic.subscribed(subscription)
        intake = QueueIntake("work", functools.partial(translate, topic), accept, identify=notification_of_record)
        message_id = await publish(
            server,
            arn,
            "hello",
            MessageAttributes={
                "kind": {"DataType": "String", "StringValue": "a"},
            },
        )
        source = SqsSource(wire, await describe_queue(wire, own.url))
        with anyio.fail_after(20):
            records, _ = await source.receive(10, 5)
        await intake(Event.of_records(records))

    [record] = await arrived(accept, 1)
    assert record["EventSource"] == "aws:sns"
    assert record["EventSubscriptionArn"] == subscription
    assert (record["Sns"]["MessageId"], record["Sns"]["Message"]) == (message_id, "hello")
    assert record["Sns"]["Subject"] is None
    assert record["Sns"]["MessageAttributes"] == {"kind": {"Type": "String", "Value": "a"}}

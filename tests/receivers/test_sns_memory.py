"""The endpoint of a function, fed by the in-memory SNS: confirmed, signed, retried, delivered once."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest

from eventmap.errors import StateError
from eventmap.receivers.certificates import Certificates
from eventmap.receivers.sns import SnsReceiver
from eventmap.receivers.topics import ReceivedTopic
from eventmap.testing import MemorySns, MemorySqs

from .accepting import Accepting

URL = "https://hooks.example/sns/work"

pytestmark = pytest.mark.virtual_time


class Network:
    """Between the two: what SNS posts, the receiver gets; some answers get lost."""

    def __init__(self) -> None:
        self.receiver: SnsReceiver | None = None
        self.losing = 0

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        assert self.receiver is not None and url == URL
        status, _ = await self.receiver.receive(headers, body)
        if self.losing:
            self.losing -= 1
            raise ConnectionResetError
        return status


@pytest.mark.parametrize("version", ["1", "2"])
async def test_sns_20_23_36_39_a_receiver_confirms_by_the_url_and_believes_the_signature(version: str) -> None:
    """Nothing but the two URLs of SNS is fetched."""
    network, accept = Network(), Accepting()
    sns = MemorySns(post=network)
    arn = sns.add_topic("orders", {"SignatureVersion": version})
    topic = ReceivedTopic(arn)
    network.receiver = SnsReceiver("work", [topic], accept, certificates=Certificates(sns.fetch), fetch=sns.fetch)

    async with sns.delivering():
        await sns.subscribe(arn, "https", URL)
        with anyio.fail_after(10):
            subscription = await topic.subscription()
        message_id = await sns.publish(arn, "hello", subject="greeting")
        await sns.settled()

    [view] = sns.subscriptions("orders")
    [event] = accept.events
    [record] = event["Records"]
    assert record["EventSubscriptionArn"] == subscription == view.arn
    assert (record["Sns"]["MessageId"], record["Sns"]["Subject"]) == (message_id, "greeting")
    assert network.receiver.statistics.refused.total() == 0


async def test_sns_10_44_58_114_what_is_posted_again_is_accepted_once() -> None:
    """Lost answers, and a disk that is full for half a minute: one event, and no dead letter."""
    network, accept, queues = Network(), Accepting(), MemorySqs()
    queues.add_queue("dead")
    sns = MemorySns(post=network, queues=queues)
    arn = sns.add_topic("orders")
    topic = ReceivedTopic(arn)
    network.receiver = SnsReceiver("work", [topic], accept, certificates=Certificates(sns.fetch), fetch=sns.fetch)

    async with sns.delivering():
        await sns.subscribe(arn, "https", URL)
        subscription = await topic.subscription()
        redrive = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"}'
        sns.set_subscription_attributes(subscription, {"RedrivePolicy": redrive})
        network.losing = 2
        await sns.publish(arn, "first")
        await sns.settled()
        accept.failure = StateError("the disk is full")
        await sns.publish(arn, "second")
        await anyio.sleep(30)
        accept.failure = None
        await sns.settled()

    assert [event["Records"][0]["Sns"]["Message"] for event in accept.events] == ["first", "second"]
    assert network.receiver.statistics.repeated == 2
    assert queues.counts("dead").visible == 0

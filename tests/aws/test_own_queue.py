"""Queues of eventmap's own, on servers nobody of us wrote, judged by plain boto3; and what AWS alone does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from eventmap.aws.own_queue import create_own_queue, delete_own_queue, own_queue_name
from eventmap.clock import elapsed_s
from eventmap.errors import QueueNotFound, SourceError
from tests.servers.process import Server

from .hostile import wire_to

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"


@pytest.fixture
def judge(topic_server: Server) -> Iterator[Any]:
    """Plain boto3."""
    client = topic_server.client("sqs")
    yield client
    client.close()


def attributes_of(judge: Any, name: str) -> dict[str, str]:
    url = judge.get_queue_url(QueueName=name)["QueueUrl"]
    return dict(judge.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])


def names(judge: Any, prefix: str) -> list[str]:
    return sorted(url.rpartition("/")[2] for url in judge.list_queues(QueueNamePrefix=prefix).get("QueueUrls", ()))


async def test_an_own_queue_lets_one_service_send_from_one_source(topic_server: Server, judge: Any, name: str) -> None:
    """The policy names the service, the queue and the source; a message not understood is kept beside it."""
    async with wire_to(topic_server.endpoint_url) as wire:
        queue = await create_own_queue(wire, name, service="sns.amazonaws.com", source_arn=TOPIC)

    attributes = attributes_of(judge, name)
    [statement] = json.loads(attributes["Policy"])["Statement"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert attributes["QueueArn"] == queue.arn
    assert (attributes["VisibilityTimeout"], int(redrive["maxReceiveCount"])) == ("60", 5)
    assert redrive["deadLetterTargetArn"] == f"{queue.arn}-dlq"
    assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Allow", "sqs:SendMessage", queue.arn)
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": TOPIC}}


async def test_an_own_queue_is_found_again_with_what_is_asked_now(topic_server: Server, judge: Any, name: str) -> None:
    """A queue left by a crash, or by an earlier version, keeps its messages and takes the new settings."""
    async with wire_to(topic_server.endpoint_url) as wire:
        first = await create_own_queue(wire, name, service="sns.amazonaws.com", source_arn=TOPIC)
        await wire.send_message(first.url, "kept")
        second = await create_own_queue(
            wire, name, service="s3.amazonaws.com", source_arn="arn:aws:s3:::photos", visibility_timeout_s=90
        )

    attributes = attributes_of(judge, name)
    assert second == first
    assert attributes["VisibilityTimeout"] == "90"
    assert "arn:aws:s3:::photos" in attributes["Policy"]
    assert attributes["ApproximateNumberOfMessages"] == "1"


async def test_an_own_queue_is_deleted_but_for_dead_letters_nobody_has_seen(
    topic_server: Server, judge: Any, name: str
) -> None:
    """Empty, both go; with a message in it the dead-letter queue stays. Deleting again is fine."""
    async with wire_to(topic_server.endpoint_url) as wire:
        empty = await create_own_queue(wire, f"{name}-a", service="sns.amazonaws.com", source_arn=TOPIC)
        held = await create_own_queue(wire, f"{name}-b", service="sns.amazonaws.com", source_arn=TOPIC)
        await wire.send_message(f"{held.url}-dlq", "look at me")
        for queue in (empty, held, empty):
            await delete_own_queue(wire, queue.url)

    assert names(judge, name) == [f"{name}-b-dlq"]


def test_an_own_queue_is_called_the_same_after_a_restart() -> None:
    """Names can be read, fit with their dead-letter queue into SQS' 80 characters, and never meet."""
    topic = "arn:aws:sns:us-east-1:123456789012:orders"

    name = own_queue_name("work", topic)

    assert name == own_queue_name("work", topic)
    assert name.startswith("eventmap-work-orders-")
    assert len(own_queue_name("f" * 64, f"{topic}{'x' * 200}") + "-dlq") <= 80
    assert len({name, own_queue_name("work", topic.replace("east", "west")), own_queue_name("work-orders", topic)}) == 3
    bucket = "arn:aws:s3:::my.photos"
    of_bucket = {own_queue_name("work", bucket, detail) for detail in ("", "in/", "out/")}
    assert len(of_bucket) == 3
    assert all(each.startswith("eventmap-work-my-photos-") for each in of_bucket)


class Forgetful:
    """An SQS that has just deleted the queue, as AWS remembers for a minute."""

    def __init__(self, code: str, until_s: float) -> None:
        self._code = code
        self._until_s = until_s
        self.asked = 0

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        self.asked += 1
        if elapsed_s() < self._until_s:
            raise SourceError("You must wait 60 seconds", code=self._code)
        return f"https://sqs/1/{name}"

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        return {"QueueArn": f"arn:aws:sqs:us-east-1:123456789012:{queue_url.rpartition('/')[2]}"}

    async def get_queue_url(self, name: str, owner: str | None = None) -> str:
        raise QueueNotFound(name, "here")

    async def set_queue_attributes(self, queue_url: str, attributes: Mapping[str, str]) -> None:
        raise AssertionError("there was none to change")

    async def delete_queue(self, queue_url: str) -> None:
        raise QueueNotFound(queue_url, "here")


@pytest.mark.virtual_time
async def test_an_own_queue_waits_for_the_name_of_one_deleted_a_moment_ago() -> None:
    """AWS keeps a deleted queue's name for a minute: a quick restart takes that long and does not fail."""
    sqs = Forgetful("AWS.SimpleQueueService.QueueDeletedRecently", elapsed_s() + 60)

    queue = await create_own_queue(sqs, "q", service="sns.amazonaws.com", source_arn=TOPIC)

    assert queue.arn == "arn:aws:sqs:us-east-1:123456789012:q"
    assert sqs.asked < 20


@pytest.mark.virtual_time
async def test_an_own_queue_that_cannot_be_made_is_an_error() -> None:
    """Neither another refusal nor a name that never comes free is waited for endlessly."""
    for code, until_s in (("AccessDenied", 3600.0), ("QueueDeletedRecently", 3600.0)):
        with pytest.raises(SourceError, match="You must wait"):
            await create_own_queue(
                Forgetful(code, elapsed_s() + until_s), "q", service="sns.amazonaws.com", source_arn=TOPIC
            )
        assert elapsed_s() < 200


async def test_an_own_queue_that_is_gone_is_as_good_as_deleted() -> None:
    """Somebody else has cleaned up."""
    await delete_own_queue(Forgetful("", 0.0), "https://sqs/1/q")

"""The in-memory SNS: FIFO topics, their order, and what they take for a repetition."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.errors import SourceError, TransientSourceError
from eventmap.rules.sns_publish import Publication
from eventmap.testing import FaultyQueue, MemorySns, MemorySqs

from .topics import FUNCTION, QUEUE_ARN, URL, bodies, envelopes

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def sqs() -> MemorySqs:
    queues = MemorySqs()
    queues.add_queue("orders.fifo", {"FifoQueue": "true"})
    queues.add_queue("orders")
    return queues


def fifo_sns(sqs: Any, **attributes: str) -> MemorySns:
    sns = MemorySns(queues=sqs)
    sns.add_topic("orders.fifo", {"FifoTopic": "true", **attributes})
    return sns


def message(text: str, group: str = "g", token: str | None = None) -> Publication:
    return Publication(message=text, message_group_id=group, message_deduplication_id=token)


@pytest.mark.parametrize(("protocol", "endpoint"), [("lambda", FUNCTION), ("https", URL)])
def test_sns_125_a_fifo_topic_reaches_queues_only(protocol: Any, endpoint: str) -> None:
    """A function is reached through a queue and its mapping."""
    sns = fifo_sns(None)

    with pytest.raises(SourceError, match="Invalid protocol type"):
        sns.add_subscription("orders.fifo", protocol, endpoint)


async def test_sns_45_125_127_both_kinds_of_queues_get_its_messages(sqs: MemorySqs) -> None:
    """With group and id, and a sequence number of its own in the envelope, which nobody signs."""
    sns = fifo_sns(sqs)
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}orders.fifo")
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}orders")

    async with sns.delivering():
        sns.put("orders.fifo", message("a", token="1"))
        sns.put("orders.fifo", message("b", token="2"))
        await sns.settled()
    views = sqs.messages("orders.fifo")
    first, second = envelopes(sqs, "orders.fifo")

    assert [(view.group, view.attributes["MessageDeduplicationId"]) for view in views] == [("g", "1"), ("g", "2")]
    assert list(first)[:3] == ["Type", "MessageId", "SequenceNumber"]
    assert len(first["SequenceNumber"]) == 20
    assert first["SequenceNumber"] < second["SequenceNumber"]
    assert first["SequenceNumber"] != views[0].attributes["SequenceNumber"]
    assert not {"Signature", "SignatureVersion", "SigningCertURL"} & first.keys()
    assert {view.group for view in sqs.messages("orders")} == {"g"}


async def test_sns_126_a_repetition_within_five_minutes_is_the_same_message(sqs: MemorySqs) -> None:
    """It is answered with the first one's id, and not delivered."""
    sns = fifo_sns(sqs)
    topic = await sns.find_topic("orders.fifo")
    sns.add_subscription(topic, "sqs", f"{QUEUE_ARN}orders")

    async with sns.delivering():
        first = sns.put(topic, message("a", token="1"))
        again = sns.put(topic, message("b", "other", token="1"))
        await anyio.sleep(300)
        later = await sns.publish(topic, "c", message_group_id="g", message_deduplication_id="1")
        await sns.settled()

    assert first == again != later
    assert [each["Message"] for each in envelopes(sqs, "orders")] == ["a", "c"]


async def test_sns_126_a_group_may_be_the_scope(sqs: MemorySqs) -> None:
    """Then another group's repetition is a message of its own."""
    sns = fifo_sns(sqs, FifoThroughputScope="MessageGroup", ContentBasedDeduplication="true")
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}orders")

    async with sns.delivering():
        same = {sns.put("orders.fifo", message("Test", "g")) for _ in range(2)}
        other = sns.put("orders.fifo", message("Test", "h"))
        await sns.settled()

    assert len(same) == 1
    assert other not in same
    assert len(bodies(sqs, "orders")) == 2


async def test_sns_126_the_content_is_the_id_if_the_topic_says_so(sqs: MemorySqs) -> None:
    """And is forwarded as such."""
    sns = fifo_sns(sqs, ContentBasedDeduplication="true")
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}orders.fifo", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        sns.put("orders.fifo", message("Test"))
        await sns.settled()
    [view] = sqs.messages("orders.fifo")

    assert view.attributes["MessageDeduplicationId"] == (
        "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    )


@pytest.mark.parametrize("given", [Publication(message="m"), message("m"), Publication(message="m", subject="")])
def test_sns_126_a_message_without_group_or_id_is_refused(given: Publication) -> None:
    """In SNS' words."""
    with pytest.raises(SourceError, match=r"^Invalid parameter: "):
        fifo_sns(None).put("orders.fifo", given)


async def test_sns_125_126_order_is_kept_whatever_has_to_be_tried_again(sqs: MemorySqs) -> None:
    """Within a group; another group does not wait for it."""
    queues = FaultyQueue(sqs, seed=5, throttle=0.5, calls={"send_message_batch"})
    sns = fifo_sns(queues)
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}orders.fifo", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        for number in range(30):
            sns.put("orders.fifo", message(f"{number % 3}-{number:02}", str(number % 3), str(number)))
        await sns.settled()
    arrived = bodies(sqs, "orders.fifo")

    assert len(arrived) == 30
    for group in "012":
        of_group = [body for body in arrived if body.startswith(group)]
        assert of_group == sorted(of_group)
    assert arrived != [f"{number % 3}-{number:02}" for number in range(30)]


async def test_sns_10_126_a_lost_answer_makes_no_second_message_in_a_fifo_queue(sqs: MemorySqs) -> None:
    """Which knows it by the id that is forwarded."""
    sns = fifo_sns(FaultyQueue(sqs, seed=1, lost_answers=0.3), ContentBasedDeduplication="true")
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}orders.fifo", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        for number in range(20):
            sns.put("orders.fifo", message(f"{number:02}"))
        await sns.settled()

    assert bodies(sqs, "orders.fifo") == [f"{number:02}" for number in range(20)]
    assert len(sns.journal) > 20


async def test_sns_125_a_group_that_waits_holds_up_no_other(sqs: MemorySqs) -> None:
    """One of its messages is retried meanwhile."""

    class Stuck:
        get_queue_url = sqs.get_queue_url

        async def send_message_batch(self, queue_url: str, entries: Any) -> dict[int, str]:
            if entries[0]["MessageGroupId"] == "stuck":
                raise TransientSourceError("busy")
            return await sqs.send_message_batch(queue_url, entries)

    sns = fifo_sns(Stuck())
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}orders.fifo", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        for number, group in enumerate(["stuck", "free", "stuck", "free"]):
            sns.put("orders.fifo", message(str(number), group, str(number)))
        await anyio.sleep(10)

    assert bodies(sqs, "orders.fifo") == ["1", "3"]


async def test_sns_120_a_dead_letter_of_a_fifo_topic_keeps_group_and_id(sqs: MemorySqs) -> None:
    """In a FIFO queue, which is the only kind it may have."""
    sns = fifo_sns(sqs)
    redrive = f'{{"deadLetterTargetArn": "{QUEUE_ARN}orders.fifo"}}'
    sns.add_subscription("orders.fifo", "sqs", f"{QUEUE_ARN}missing.fifo", {"RedrivePolicy": redrive})

    async with sns.delivering():
        sns.put("orders.fifo", message("a", token="1"))
        await sns.settled()
    [view] = sqs.messages("orders.fifo")

    assert (view.group, view.attributes["MessageDeduplicationId"]) == ("g", "1")
    with pytest.raises(SourceError, match="must use a FIFO queue"):
        sns.add_subscription(
            "orders.fifo", "sqs", f"{QUEUE_ARN}q.fifo", {"RedrivePolicy": redrive.replace("orders.fifo", "orders")}
        )


async def test_sns_128_a_standard_topic_forwards_the_group_to_its_queues(sqs: MemorySqs) -> None:
    """For fair queues; it does not order by it."""
    sns = MemorySns(queues=sqs)
    sns.add_topic("plain")
    sns.add_subscription("plain", "sqs", f"{QUEUE_ARN}orders")

    async with sns.delivering():
        sns.put("plain", message("a", "tenant-1"))
        await sns.settled()

    assert [view.group for view in sqs.messages("orders")] == ["tenant-1"]


def test_sns_126_a_topic_keeps_its_kind(sqs: MemorySqs) -> None:
    """FIFO is for ever; other attributes may change."""
    sns = fifo_sns(sqs)
    sns.set_topic_attributes("orders.fifo", {"ContentBasedDeduplication": "true"})

    with pytest.raises(SourceError, match="FifoTopic"):
        sns.set_topic_attributes("orders.fifo", {"FifoTopic": "false", "ContentBasedDeduplication": "false"})
    assert sns.add_topic("orders.fifo", {"FifoTopic": "true", "ContentBasedDeduplication": "true"})
    assert not sns.subscriptions("orders.fifo")
    with pytest.raises(SourceError, match="already exists with different attributes"):
        sns.add_topic("orders.fifo", {"FifoTopic": "true"})

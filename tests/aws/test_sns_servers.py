"""Topics on servers nobody of us wrote: found, subscribed to, filtered, published to; judged by plain boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import anyio
import anyio.to_thread
import pytest

from eventmap.aws.own_queue import OwnQueue, create_own_queue
from eventmap.aws.sns import TopicCalls, open_topics
from eventmap.errors import (
    AccessRefused,
    InvalidParameterValue,
    SourceError,
    TopicNotFound,
    TransientSourceError,
)
from tests.servers.process import Server

from .hostile import hostile_server, http, reset, settings_for, wire_to

DEVIATIONS: Final = {
    ("ministack", "filtered_by_body"): (["small", "big", "small"], "a policy on the body is not looked at"),
    ("ministack", "taken_over"): (
        ({"kind": ["a"]}, "MessageAttributes"),
        "other attributes are passed over",
    ),
}
"""(server, case) → what it does instead, and why. An entry that stops being true fails its test."""


def compare(server: Server, case: str, *, aws: object, observed: object) -> None:
    """Hold what was observed to AWS' behaviour, or to the server's named deviation."""
    expected, reason = DEVIATIONS.get((server.name, case), (aws, "as AWS"))
    assert observed == expected, f"{server.name}: {reason}"


@pytest.fixture
def judge(topic_server: Server) -> Iterator[Callable[[str], Any]]:
    """`judge("sns")` is plain boto3."""
    opened: list[Any] = []

    def connect(service: str) -> Any:
        opened.append(topic_server.client(service))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


async def own_queue(server: Server, name: str, topic_arn: str) -> OwnQueue:
    async with wire_to(server.endpoint_url) as wire:
        return await create_own_queue(wire, name, service="sns.amazonaws.com", source_arn=topic_arn)


async def messages(judge: Any, queue: OwnQueue, count: int) -> list[dict[str, Any]]:
    """The next `count` envelopes."""
    found: list[dict[str, Any]] = []
    with anyio.fail_after(20):
        while len(found) < count:
            answer = await anyio.to_thread.run_sync(
                lambda: judge.receive_message(QueueUrl=queue.url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
            )
            found += [json.loads(message["Body"]) for message in answer.get("Messages", ())]
    return found


def subscriptions(judge: Any, topic_arn: str) -> list[dict[str, str]]:
    return list(judge.list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"])


async def test_sns_09_a_topic_is_found_by_name_and_by_arn(
    topic_server: Server, judge: Callable[[str], Any], name: str
) -> None:
    """Whatever other topics there are; one that is not there says so."""
    arn = judge("sns").create_topic(Name=name)["TopicArn"]
    judge("sns").create_topic(Name=f"{name}-other")

    async with open_topics(settings_for(topic_server.endpoint_url)) as topics:
        assert await topics.find_topic(name) == arn
        assert await topics.find_topic(arn) == arn
        assert await topics.create_topic(name) == arn
        for missing in (f"{name}-missing", f"{arn}-missing"):
            with pytest.raises(TopicNotFound, match=missing):
                await topics.find_topic(missing)


async def test_sns_02_65_a_queue_is_subscribed_without_confirmation(
    topic_server: Server, judge: Callable[[str], Any], name: str
) -> None:
    """What is published arrives in its envelope, and no longer once the subscription has been taken down."""
    arn = judge("sns").create_topic(Name=name)["TopicArn"]
    queue = await own_queue(topic_server, name, arn)

    async with open_topics(settings_for(topic_server.endpoint_url)) as topics:
        subscription = await topics.subscribe(arn, "sqs", queue.arn)
        message_id = await topics.publish(
            arn, "hello", subject="greeting", attributes={"kind": {"DataType": "String", "StringValue": "a"}}
        )
        [envelope] = await messages(judge("sqs"), queue, 1)
        listed = subscriptions(judge("sns"), arn)
        assert subscription is not None
        await topics.unsubscribe(subscription)
        await topics.unsubscribe(subscription)

    assert [each["SubscriptionArn"] for each in listed] == [subscription]
    assert subscriptions(judge("sns"), arn) == []
    assert (envelope["Type"], envelope["MessageId"], envelope["Message"]) == ("Notification", message_id, "hello")
    assert (envelope["Subject"], envelope["TopicArn"]) == ("greeting", arn)
    assert envelope["MessageAttributes"] == {"kind": {"Type": "String", "Value": "a"}}


async def test_sns_75_76_a_filter_policy_decides_what_arrives(
    topic_server: Server, judge: Callable[[str], Any], name: str
) -> None:
    """Given with the subscription, in the scope of the body, and taken away again."""
    arn = judge("sns").create_topic(Name=name)["TopicArn"]
    queue = await own_queue(topic_server, name, arn)

    async with open_topics(settings_for(topic_server.endpoint_url)) as topics:
        subscription = await topics.subscribe(
            arn, "sqs", queue.arn, filter_policy='{"size":["big"]}', filter_policy_scope="MessageBody"
        )
        assert subscription is not None
        await topics.publish(arn, '{"size":"small"}')
        await topics.publish(arn, '{"size":"big"}')
        await topics.set_filter_policy(subscription, None, "MessageAttributes")
        await topics.publish(arn, '{"size":"small","last":true}')
        sizes: list[str] = []
        while not sizes or '"last"' not in sizes[-1]:
            sizes += [each["Message"] for each in await messages(judge("sqs"), queue, 1)]

    observed = [json.loads(each)["size"] for each in sizes]
    compare(topic_server, "filtered_by_body", aws=["big", "small"], observed=observed)


async def test_sns_75_who_is_subscribed_already_gets_the_policy_asked_for_now(
    topic_server: Server, judge: Callable[[str], Any], name: str
) -> None:
    """A subscription that a crash has left behind is taken over."""
    arn = judge("sns").create_topic(Name=name)["TopicArn"]
    queue = await own_queue(topic_server, name, arn)

    async with open_topics(settings_for(topic_server.endpoint_url)) as topics:
        first = await topics.subscribe(arn, "sqs", queue.arn, filter_policy='{"kind":["a"]}')
        second = await topics.subscribe(
            arn, "sqs", queue.arn, filter_policy='{"kind":{"deep":["b"]}}', filter_policy_scope="MessageBody"
        )

    attributes = judge("sns").get_subscription_attributes(SubscriptionArn=second)["Attributes"]
    assert second == first
    assert attributes.get("RawMessageDelivery", "false") == "false"
    compare(
        topic_server,
        "taken_over",
        aws=({"kind": {"deep": ["b"]}}, "MessageBody"),
        observed=(json.loads(attributes["FilterPolicy"]), attributes.get("FilterPolicyScope", "MessageAttributes")),
    )


async def test_sns_09_a_missing_topic_says_so_whatever_is_asked(topic_server: Server, name: str) -> None:
    """Subscribing, and publishing: one kind of error, which names the topic."""
    arn = f"arn:aws:sns:us-east-1:{topic_server.account_id}:{name}"
    queue = f"arn:aws:sqs:us-east-1:{topic_server.account_id}:{name}"

    async with open_topics(settings_for(topic_server.endpoint_url)) as topics:
        with pytest.raises(TopicNotFound, match=name):
            await topics.subscribe(arn, "sqs", queue)
        with pytest.raises(TopicNotFound, match=name):
            await topics.publish(arn, "hello")


@pytest.mark.parametrize("text", ["", "a topic", "arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sns:us-east-1:1:t"])
async def test_sns_09_what_names_no_topic_is_refused(text: str) -> None:
    """Before anybody is asked."""
    async with hostile_server(reset) as server, open_topics(settings_for(server.endpoint_url)) as topics:
        with pytest.raises(InvalidParameterValue, match="topic"):
            await topics.find_topic(text)
        assert server.requests == []


XML = '<{0}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><{0}Result>{1}</{0}Result></{0}Response>'


def answered(operation: str, content: str) -> Callable[..., Any]:
    return http(200, XML.format(operation, content).encode())


async def with_answers(*answers: Any, call: Callable[[TopicCalls], Any]) -> Any:
    async with hostile_server(*answers) as server, open_topics(settings_for(server.endpoint_url)) as topics:
        return await call(topics)


def refused(status: int, code: str) -> Callable[..., Any]:
    return http(
        status, f"<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>".encode()
    )


async def test_sns_24_a_confirmation_answers_the_subscription() -> None:
    """The ARN is what the endpoint's events will name."""
    answer = answered("ConfirmSubscription", "<SubscriptionArn>arn:aws:sns:r:1:t:u</SubscriptionArn>")

    assert await with_answers(answer, call=lambda topics: topics.confirm_subscription("t", "token")) == (
        "arn:aws:sns:r:1:t:u"
    )


@pytest.mark.parametrize("arn", ["pending confirmation", "PendingConfirmation"])
async def test_sns_02_09_an_unconfirmed_subscription_has_no_arn(arn: str) -> None:
    """However a server words it."""
    answer = answered("Subscribe", f"<SubscriptionArn>{arn}</SubscriptionArn>")

    assert await with_answers(answer, call=lambda topics: topics.subscribe("t", "https", "https://h/")) is None


async def test_sns_75_a_policy_that_is_refused_makes_no_subscription() -> None:
    """Nobody was subscribed, so the refusal is about what was asked."""
    none = answered("ListSubscriptionsByTopic", "<Subscriptions/>")

    async def subscribe(topics: TopicCalls) -> None:
        await topics.subscribe("t", "sqs", "q", filter_policy="{")

    with pytest.raises(SourceError, match="InvalidParameter"):
        await with_answers(refused(400, "InvalidParameter"), none, call=subscribe)


async def test_a_topic_that_may_not_be_looked_at_is_taken_to_be_there() -> None:
    """Who may subscribe need not be allowed to look; other refusals name the permissions."""
    arn = "arn:aws:sns:us-east-1:123456789012:orders"

    assert await with_answers(refused(403, "AuthorizationError"), call=lambda topics: topics.find_topic(arn)) == arn
    with pytest.raises(AccessRefused, match="sns:Subscribe"):
        await with_answers(refused(403, "AuthorizationError"), call=lambda topics: topics.subscribe(arn, "sqs", "q"))


@pytest.mark.parametrize("answer", [reset, refused(500, "InternalFailure"), refused(400, "Throttling")])
async def test_a_topic_that_is_busy_may_be_asked_again(answer: Any) -> None:
    """Whatever was asked."""
    arn = "arn:aws:sns:us-east-1:123456789012:orders"

    for call in (
        lambda topics: topics.find_topic(arn),
        lambda topics: topics.find_topic("orders"),
        lambda topics: topics.subscribe(arn, "sqs", "q"),
        lambda topics: topics.unsubscribe(f"{arn}:u"),
        lambda topics: topics.publish(arn, "m"),
    ):
        with pytest.raises(TransientSourceError):
            await with_answers(answer, call=call)


async def test_sns_09_an_account_without_topics_has_none_of_that_name() -> None:
    """There is no ARN to tell the account from."""
    empty = answered("ListTopics", "<Topics/>")

    with pytest.raises(TopicNotFound, match="orders"):
        await with_answers(empty, call=lambda topics: topics.find_topic("orders"))

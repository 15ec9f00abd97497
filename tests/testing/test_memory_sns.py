"""The in-memory SNS: topics, subscriptions, what is delivered where, and to whom not."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from eventmap.errors import SourceError, TopicNotFound, TransientSourceError
from eventmap.receivers.topic_api import TopicApi
from eventmap.rules.sns_message import envelope_in, string_to_sign
from eventmap.rules.sns_publish import Publication
from eventmap.rules.sns_signature import read_certificate, verify
from eventmap.testing import MemorySns, MemorySqs

from .topics import FUNCTION, QUEUE_ARN, URL, FunctionEndpoint, HttpEndpoint, bodies, envelopes, subscribed

pytestmark = pytest.mark.virtual_time

ATTRIBUTES = {
    "attr1": {"DataType": "Number", "StringValue": "99.12"},
    "attr2": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"},
}


@pytest.fixture
def sqs() -> MemorySqs:
    queues = MemorySqs()
    queues.add_queue("orders")
    return queues


async def delivered(sns: MemorySns, topic: str, message: str, **options: Any) -> str:
    message_id = await sns.publish(topic, message, **options)
    await sns.settled()
    return message_id


def test_it_is_the_port_that_a_service_asks() -> None:
    """Every call is there and takes what the port gives; whatever else it takes may be left out."""
    for name, call in vars(TopicApi).items():
        if not inspect.iscoroutinefunction(call):
            continue
        own = inspect.signature(getattr(MemorySns, name)).parameters
        asked = inspect.signature(call).parameters
        assert list(own)[: len(asked)] == list(asked)
        assert {own[each].kind for each in list(own)[len(asked) :]} <= {inspect.Parameter.KEYWORD_ONLY}


async def test_sns_02_35_65_68_a_queue_gets_the_envelope_without_confirmation(sqs: MemorySqs) -> None:
    """All members of the envelope, signed; the queue's own attributes stay empty."""
    sns = MemorySns(queues=sqs)
    topic = await sns.create_topic("orders")
    subscription = await sns.subscribe(topic, "sqs", f"{QUEUE_ARN}orders")

    async with sns.delivering():
        message_id = await delivered(sns, topic, "hello", subject="greeting", attributes=ATTRIBUTES)
    [envelope] = envelopes(sqs, "orders")
    read = envelope_in(envelope)

    assert read is not None
    assert list(envelope) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert (envelope["MessageId"], envelope["TopicArn"], envelope["Subject"]) == (message_id, topic, "greeting")
    assert envelope["Timestamp"] == "2026-01-01T00:00:00.000Z"
    assert subscription is not None and subscription in envelope["UnsubscribeURL"]
    assert envelope["MessageAttributes"] == {
        "attr1": {"Type": "Number", "Value": "99.12"},
        "attr2": {"Type": "Binary", "Value": "AgME"},
    }
    assert verify(string_to_sign(read), envelope["Signature"], "1", read_certificate(sns.authority.certificate_pem))


async def test_sns_66_raw_a_queue_gets_the_message_and_its_attributes(sqs: MemorySqs) -> None:
    """As if they had been sent to the queue itself."""
    sns = MemorySns(queues=sqs)
    sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        await delivered(sns, "orders", "hello", attributes=ATTRIBUTES)
    [message] = await sqs.receive_message(
        await sqs.get_queue_url("orders"), max_number_of_messages=10, wait_time_seconds=0
    )

    assert message["Body"] == "hello"
    assert message["MessageAttributes"] == {
        "attr1": {"DataType": "Number", "StringValue": "99.12"},
        "attr2": {"DataType": "Binary", "BinaryValue": "AgME"},
    }


async def test_sns_50_to_58_a_function_is_invoked_with_the_event() -> None:
    """Which is delivered with the answer 202."""
    function = FunctionEndpoint()
    sns = MemorySns(invoke=function)
    topic = sns.add_topic("orders")
    arn = sns.add_subscription("orders", "lambda", FUNCTION)

    async with sns.delivering():
        message_id = await delivered(sns, "orders", "hello")
    [event] = function.events
    [record] = event["Records"]

    assert (record["EventSource"], record["EventVersion"]) == ("aws:sns", "1.0")
    assert record["EventSubscriptionArn"] == arn
    assert list(record["Sns"]) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertUrl",
        "UnsubscribeUrl",
        "MessageAttributes",
    ]
    assert (record["Sns"]["MessageId"], record["Sns"]["TopicArn"]) == (message_id, topic)
    assert [attempt.verdict for attempt in sns.journal] == ["delivered"]


async def test_sns_58a_a_function_of_another_account_is_asked_to_confirm() -> None:
    """By an event of its own, and gets nothing before."""
    function = FunctionEndpoint()
    sns = MemorySns(invoke=function)
    topic = sns.add_topic("orders")
    foreign = FUNCTION.replace("123456789012", "999999999999")

    async with sns.delivering():
        assert await sns.subscribe(topic, "lambda", foreign) is None
        await delivered(sns, topic, "too early")
        [record] = function.events[0]["Records"]
        arn = await sns.confirm_subscription(topic, record["Sns"]["Token"])
        await delivered(sns, topic, "hello")

    assert record["EventSubscriptionArn"] is None
    assert record["Sns"]["Type"] == "SubscriptionConfirmation"
    assert record["Sns"]["SubscribeUrl"].startswith("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&")
    assert "Subject" not in record["Sns"]
    assert [event["Records"][0]["EventSubscriptionArn"] for event in function.events] == [None, arn]


async def test_sns_20_to_23_28_to_34_an_http_endpoint_is_asked_first() -> None:
    """It gets no notification before; the request has SNS' headers and body."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    topic = sns.add_topic("orders")

    async with sns.delivering():
        assert await sns.subscribe(topic, "https", URL) is None
        await delivered(sns, topic, "too early")
        assert [view.arn for view in sns.subscriptions("orders")] == ["PendingConfirmation"]
        [(url, headers, body)] = http.requests
        document = json.loads(body)
        answer = await sns.fetch(document["SubscribeURL"])
        await delivered(sns, topic, "hello")

    [view] = sns.subscriptions("orders")
    assert f"<SubscriptionArn>{view.arn}</SubscriptionArn>".encode() in answer
    assert url == URL
    assert headers == {
        "x-amz-sns-message-type": "SubscriptionConfirmation",
        "x-amz-sns-message-id": document["MessageId"],
        "x-amz-sns-topic-arn": topic,
        "content-type": "text/plain; charset=UTF-8",
        "user-agent": "Amazon Simple Notification Service Agent",
        "accept-encoding": "gzip,deflate",
    }
    assert list(document) == [
        "Type",
        "MessageId",
        "Token",
        "TopicArn",
        "Message",
        "SubscribeURL",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
    ]
    assert document["Message"] == (
        f"You have chosen to subscribe to the topic {topic}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    assert document["SubscribeURL"] == (
        f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token={document['Token']}"
    )
    assert [each["Message"] for each in http.documents[1:]] == ["hello"]


async def test_sns_28_to_32_70_the_headers_of_notifications() -> None:
    """The subscription is named, and raw deliveries say that they are; they have no attributes."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    topic = sns.add_topic("orders")

    async with sns.delivering():
        arn = await subscribed(sns, http, "orders")
        message_id = await delivered(sns, topic, "hello")
        sns.set_subscription_attributes(arn, {"RawMessageDelivery": "true"})
        await delivered(sns, topic, "hello", attributes=ATTRIBUTES)

    (_, wrapped, _), (_, raw, body) = http.requests
    assert wrapped["x-amz-sns-message-type"] == raw["x-amz-sns-message-type"] == "Notification"
    assert wrapped["x-amz-sns-message-id"] == message_id
    assert wrapped["x-amz-sns-subscription-arn"] == raw["x-amz-sns-subscription-arn"] == arn
    assert (wrapped.get("x-amz-sns-rawdelivery"), raw["x-amz-sns-rawdelivery"]) == (None, "true")
    assert body == b"hello"


async def test_sns_24_25_tokens() -> None:
    """Good for two days, as often as one likes, whichever topic is named; not for what has been removed."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    topic = sns.add_topic("orders")
    async with sns.delivering():
        sns.add_subscription("orders", "https", URL)
        await sns.settled()
        token = http.documents[0]["Token"]

        first = await sns.confirm_subscription(topic, token)
        again = await sns.confirm_subscription(f"{topic}-other", token)
        with pytest.raises(SourceError, match="Invalid parameter: Topic"):
            await sns.confirm_subscription("orders", token)
        with pytest.raises(SourceError, match="Invalid parameter: Token"):
            await sns.confirm_subscription(topic, "no token")
        await sns.unsubscribe(first)
        with pytest.raises(SourceError) as removed:
            await sns.confirm_subscription(topic, token)

    assert first == again
    assert removed.value.code == "NotFound"


async def test_sns_25_a_token_of_two_days_ago_has_expired() -> None:
    """To the second."""
    import anyio

    http = HttpEndpoint()
    sns = MemorySns(post=http)
    topic = sns.add_topic("orders")
    async with sns.delivering():
        sns.add_subscription("orders", "https", URL)
        await sns.settled()
        token = http.documents[0]["Token"]
        await anyio.sleep(2 * 86_400 - 1)
        await sns.confirm_subscription(topic, token)
        await anyio.sleep(1)

        with pytest.raises(SourceError, match="Invalid parameter: Token"):
            await sns.confirm_subscription(topic, token)


async def test_sns_27_whoever_has_the_url_may_unsubscribe_and_the_endpoint_is_told() -> None:
    """And may take it back by the token that tells it; its owner's end is not told."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    topic = sns.add_topic("orders")
    async with sns.delivering():
        arn = await subscribed(sns, http, "orders")
        await delivered(sns, topic, "first")
        await sns.fetch(http.documents[0]["UnsubscribeURL"])
        await delivered(sns, topic, "nobody is there")
        told = http.documents[-1]
        restored = await sns.confirm_subscription(topic, told["Token"])
        await delivered(sns, topic, "back")
        await sns.unsubscribe(restored)
        await sns.unsubscribe(restored)
        await delivered(sns, topic, "nobody is there")

    assert told["Type"] == "UnsubscribeConfirmation"
    assert http.requests[1][1]["x-amz-sns-subscription-arn"] == arn
    assert restored == arn
    assert [each["Message"] for each in http.documents if each["Type"] == "Notification"] == ["first", "back"]
    assert sns.subscriptions("orders") == []


async def test_sns_23_27_a_subscription_may_ask_for_an_authenticated_end() -> None:
    """Then the URL alone does not end it."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    topic = sns.add_topic("orders")
    async with sns.delivering():
        sns.add_subscription("orders", "https", URL)
        await sns.settled()
        await sns.confirm_subscription(topic, http.documents[0]["Token"], authenticate_on_unsubscribe=True)
        await delivered(sns, topic, "hello")

        with pytest.raises(SourceError) as refused:
            await sns.fetch(http.documents[1]["UnsubscribeURL"])

    assert refused.value.code == "AuthorizationError"
    assert len(sns.subscriptions("orders")) == 1


async def test_sns_36_a_topic_signs_in_the_version_it_is_set_to(sqs: MemorySqs) -> None:
    """Version 1 unless told otherwise."""
    sns = MemorySns(queues=sqs)
    topic = sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders")
    async with sns.delivering():
        await delivered(sns, topic, "a")
        sns.set_topic_attributes("orders", {"SignatureVersion": "2"})
        await delivered(sns, topic, "b")
    certificate = read_certificate(await sns.fetch(envelopes(sqs, "orders")[0]["SigningCertURL"]))

    for document, version in zip(envelopes(sqs, "orders"), ("1", "2"), strict=True):
        envelope: Any = envelope_in(document)
        assert document["SignatureVersion"] == version
        assert verify(string_to_sign(envelope), document["Signature"], version, certificate)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["https://evil.example/x.pem", "https://sns.us-east-1.amazonaws.com/?Action=Publish"])
async def test_nothing_else_is_fetched_from_it(url: str) -> None:
    """A URL that SNS never wrote leads nowhere."""
    with pytest.raises(SourceError):
        await MemorySns().fetch(url)


async def test_sns_08_each_protocol_gets_its_own_text(sqs: MemorySqs) -> None:
    """Queue and function."""
    function = FunctionEndpoint()
    sns = MemorySns(queues=sqs, invoke=function)
    topic = sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "true"})
    sns.add_subscription("orders", "lambda", FUNCTION)

    async with sns.delivering():
        await delivered(sns, topic, '{"default": "d", "sqs": "s"}', message_structure="json")

    assert bodies(sqs, "orders") == ["s"]
    assert function.events[0]["Records"][0]["Sns"]["Message"] == "d"


@pytest.mark.parametrize(
    ("policy", "scope", "passing", "metric"),
    [
        ('{"kind":["a"]}', "MessageAttributes", {"attributes": {"kind": "a"}}, "MessageAttributes"),
        ('{"kind":["a"]}', "MessageAttributes", {}, "NoMessageAttributes"),
        ('{"kind":["a"]}', "MessageBody", {}, "InvalidMessageBody"),
        ('{"size":["big"]}', "MessageBody", {}, "MessageBody"),
    ],
)
async def test_sns_75_76_98_a_filter_decides_and_what_it_stops_is_counted(
    sqs: MemorySqs, policy: str, scope: str, passing: dict[str, Any], metric: str
) -> None:
    """It is neither tried nor a dead letter."""
    sqs.add_queue("dead")
    sns = MemorySns(queues=sqs)
    topic = sns.add_topic("orders")
    redrive = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}dead"})
    attributes = {"FilterPolicy": policy, "FilterPolicyScope": scope, "RedrivePolicy": redrive}
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", attributes)
    message = "no JSON" if metric == "InvalidMessageBody" else '{"size":"small"}'
    given = {"kind": {"DataType": "String", "StringValue": "b"}} if passing else None

    async with sns.delivering():
        await delivered(sns, topic, message, attributes=given)

    assert sns.journal == []
    assert bodies(sqs, "orders") == bodies(sqs, "dead") == []
    assert sns.metrics["NumberOfNotificationsFilteredOut"] == 1
    assert sns.metrics[f"NumberOfNotificationsFilteredOut-{metric}"] == 1


async def test_sns_75_a_changed_policy_takes_effect_later_if_it_is_told_to(sqs: MemorySqs) -> None:
    """Up to 15 minutes on AWS; at once here by default."""
    import anyio

    sns = MemorySns(queues=sqs, policy_lag_s=900)
    topic = sns.add_topic("orders")
    arn = sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "true"})
    assert arn is not None

    async with sns.delivering():
        await sns.set_filter_policy(arn, '{"kind":["a"]}', "MessageAttributes")
        await anyio.sleep(899)
        await delivered(sns, topic, "still passes")
        await anyio.sleep(1)
        await delivered(sns, topic, "does not")
        await sns.set_filter_policy(arn, None, "MessageAttributes")
        await anyio.sleep(900)
        await delivered(sns, topic, "passes again")

    assert bodies(sqs, "orders") == ["still passes", "passes again"]


async def test_sns_75_who_is_subscribed_already_gets_the_policy_asked_for_now(sqs: MemorySqs) -> None:
    """As of the port; a test's own call with other attributes is refused as by AWS."""
    sns = MemorySns(queues=sqs)
    topic = sns.add_topic("orders")
    first = await sns.subscribe(topic, "sqs", f"{QUEUE_ARN}orders", filter_policy='{"kind":["a"]}')
    second = await sns.subscribe(
        topic, "sqs", f"{QUEUE_ARN}orders", filter_policy='{"a":{"b":["c"]}}', filter_policy_scope="MessageBody"
    )

    async with sns.delivering():
        await delivered(sns, topic, '{"a":{"b":"c"}}')
        await delivered(sns, topic, "other")

    again = {"FilterPolicy": '{"a":{"b":["c"]}}', "FilterPolicyScope": "MessageBody", "RawMessageDelivery": "false"}
    assert first == second == sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", again)
    assert len(bodies(sqs, "orders")) == 1
    with pytest.raises(SourceError, match="already exists with different attributes"):
        sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders")


async def test_sns_03_04_a_batch_is_answered_entry_by_entry(sqs: MemorySqs) -> None:
    """One bad entry does not stop the others; a bad batch stops all."""
    sns = MemorySns(queues=sqs)
    topic = sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        answer = await sns.publish_batch(
            topic, [("a", Publication(message="1")), ("b", Publication(message="2", subject="x\ny"))]
        )
        with pytest.raises(SourceError) as refused:
            await sns.publish_batch(topic, [])
        await sns.settled()

    assert [each["Id"] for each in answer["Successful"]] == ["a"]
    assert [(each["Id"], each["Message"]) for each in answer["Failed"]] == [("b", "Invalid parameter: Subject")]
    assert refused.value.code == "EmptyBatchRequest"
    assert bodies(sqs, "orders") == ["1"]


async def test_sns_03_a_topic_for_large_messages_has_fewer_subscribers() -> None:
    """A hundred at most, none of them over HTTP."""
    sns = MemorySns()
    topic = sns.add_topic("orders", {"MaximumMessageSize": "1048576"})
    for number in range(100):
        sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}q{number}")

    with pytest.raises(SourceError) as full:
        sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}q100")
    with pytest.raises(SourceError, match="takes no messages above"):
        sns.add_subscription("orders", "https", URL)

    assert full.value.code == "SubscriptionLimitExceeded"
    assert await sns.publish(topic, "x" * 1_048_576)


def test_sns_94_a_topic_has_200_filter_policies() -> None:
    """Subscriptions without one do not count."""
    sns = MemorySns()
    sns.add_topic("orders")
    for number in range(200):
        sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}q{number}", {"FilterPolicy": '{"a":["b"]}'})
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}plain")

    with pytest.raises(SourceError) as full:
        sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}q200", {"FilterPolicy": '{"a":["b"]}'})

    assert full.value.code == "FilterPolicyLimitExceeded"


async def test_sns_09_topics_by_name_and_arn() -> None:
    """One that is made again is the same; one that is deleted is gone with its subscriptions."""
    sns = MemorySns()
    arn = await sns.create_topic("orders")
    subscription = sns.add_subscription("orders", "lambda", FUNCTION)

    assert arn == "arn:aws:sns:us-east-1:123456789012:orders"
    assert await sns.find_topic("orders") == await sns.find_topic(arn) == await sns.create_topic("orders") == arn
    assert subscription is not None and subscription.startswith(f"{arn}:")
    sns.delete_topic("orders")
    for call in (sns.find_topic("orders"), sns.publish(arn, "m"), sns.subscribe(arn, "lambda", FUNCTION)):
        with pytest.raises(TopicNotFound, match="orders"):
            await call
    with pytest.raises(SourceError, match="does not exist"):
        await sns.set_filter_policy(subscription, None, "MessageAttributes")


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("a b", {}),
        ("orders", {"DisplayName": "x"}),
        ("orders", {"FifoTopic": "true"}),
        ("orders.fifo", {}),
        ("orders", {"ContentBasedDeduplication": "true"}),
        ("orders", {"SignatureVersion": "3"}),
        ("orders", {"MaximumMessageSize": "1023"}),
        ("orders", {"MaximumMessageSize": "1048577"}),
        ("orders", {"DeliveryPolicy": "{"}),
    ],
)
def test_sns_03_09_36_104_a_topic_that_sns_would_refuse(name: str, attributes: dict[str, str]) -> None:
    """Or that this one could not honour."""
    with pytest.raises(SourceError) as refused:
        MemorySns().add_topic(name, attributes)

    assert refused.value.code == "InvalidParameter"


@pytest.mark.parametrize(
    ("protocol", "endpoint", "attributes", "said"),
    [
        ("https", "http://hooks.example/", {}, "Endpoint"),
        ("http", "https://hooks.example/", {}, "Endpoint"),
        ("sqs", "orders", {}, "Endpoint"),
        ("sqs", "arn:aws:sqs:", {}, "Endpoint"),
        ("lambda", f"{QUEUE_ARN}orders", {}, "Endpoint"),
        ("sqs", f"{QUEUE_ARN}orders.fifo", {}, "FIFO SQS Queues can not be subscribed to standard SNS topics"),
        ("sqs", f"{QUEUE_ARN}orders", {"ReplayPolicy": "{}"}, "Unknown attribute ReplayPolicy"),
        ("sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "yes"}, "RawMessageDelivery"),
        ("sqs", f"{QUEUE_ARN}orders", {"FilterPolicyScope": "Body"}, "FilterPolicyScope"),
        ("sqs", f"{QUEUE_ARN}orders", {"FilterPolicy": "{"}, "Attributes Reason: FilterPolicy: "),
        ("sqs", f"{QUEUE_ARN}orders", {"DeliveryPolicy": "{}"}, "for HTTP endpoints only"),
        ("https", URL, {"DeliveryPolicy": "{"}, "Attributes Reason: DeliveryPolicy: "),
        ("sqs", f"{QUEUE_ARN}orders", {"RedrivePolicy": "{"}, "Attributes Reason: RedrivePolicy: "),
    ],
)
def test_sns_75_95_104_125_a_subscription_that_sns_would_refuse(
    protocol: Any, endpoint: str, attributes: dict[str, str], said: str
) -> None:
    """In its words."""
    sns = MemorySns()
    sns.add_topic("orders")

    with pytest.raises(SourceError) as refused:
        sns.add_subscription("orders", protocol, endpoint, attributes)

    assert refused.value.code == "InvalidParameter"
    assert said in str(refused.value)


def test_sns_59_a_function_gets_nothing_raw() -> None:
    """Neither when it is subscribed, nor later."""
    sns = MemorySns()
    sns.add_topic("orders")

    with pytest.raises(SourceError, match="does not support raw message delivery"):
        sns.add_subscription("orders", "lambda", FUNCTION, {"RawMessageDelivery": "true"})
    arn = sns.add_subscription("orders", "lambda", FUNCTION)
    assert arn is not None
    with pytest.raises(SourceError, match="does not support raw message delivery"):
        sns.set_subscription_attributes(arn, {"RawMessageDelivery": "true"})


def test_what_is_published_before_a_loop_runs_waits_for_it(sqs: MemorySqs) -> None:
    """And nothing is delivered outside the block that delivers."""
    from eventmap.testing import run_in_virtual_time

    sns = MemorySns(queues=sqs)
    sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "true"})
    sns.put("orders", "early")

    async def deliver() -> None:
        with pytest.raises(RuntimeError, match="delivering"):
            await sns.settled()
        assert bodies(sqs, "orders") == []
        async with sns.delivering():
            with pytest.raises(RuntimeError, match="already"):
                async with sns.delivering():
                    pass
            await sns.settled()

    run_in_virtual_time(deliver)
    assert bodies(sqs, "orders") == ["early"]
    assert datetime.fromtimestamp(sns.journal[0].at_s, UTC).year == 2026


async def test_what_had_not_ended_is_delivered_by_the_next_block(sqs: MemorySqs) -> None:
    """From its start: SNS forgets nothing."""
    function = FunctionEndpoint(answers=[TransientSourceError("busy")] * 16)
    sns = MemorySns(invoke=function)
    topic = sns.add_topic("orders")
    sns.add_subscription("orders", "lambda", FUNCTION)

    async with sns.delivering():
        await sns.publish(topic, "hello")
    async with sns.delivering():
        await sns.settled()

    assert function.events[-1]["Records"][0]["Sns"]["Message"] == "hello"
    assert sns.metrics["NumberOfNotificationsDelivered"] == 1


async def test_equal_seeds_give_equal_ids() -> None:
    """Subscriptions, messages and tokens."""

    async def ids(seed: int) -> list[Any]:
        http = HttpEndpoint()
        sns = MemorySns(post=http, seed=seed)
        topic = sns.add_topic("orders")
        async with sns.delivering():
            arn = await subscribed(sns, http, "orders")
        return [arn, await sns.publish(topic, "m")]

    assert await ids(1) == await ids(1)
    assert await ids(1) != await ids(2)

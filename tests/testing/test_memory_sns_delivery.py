"""The in-memory SNS: what it tries again and for how long, what it gives up, and where that goes."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.errors import SourceError, TransientSourceError
from eventmap.testing import FaultyQueue, MemorySns, MemorySqs

from .topics import FUNCTION, QUEUE_ARN, Answer, FunctionEndpoint, HttpEndpoint, bodies, envelopes, subscribed

pytestmark = pytest.mark.virtual_time

DAY_S = 86_400
REDRIVE = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}dead"})


@pytest.fixture
def sqs() -> MemorySqs:
    queues = MemorySqs()
    queues.add_queue("orders")
    queues.add_queue("dead")
    return queues


async def test_sns_100_a_function_that_stays_throttled_is_given_up_after_23_days(sqs: MemorySqs) -> None:
    """A hundred thousand attempts; then what would have been delivered is a dead letter."""
    calls = 0

    async def throttled(arn: str, payload: bytes) -> int:
        nonlocal calls
        calls += 1
        return 429

    sns = MemorySns(queues=sqs, invoke=throttled)
    sns.add_topic("orders")
    sns.add_subscription("orders", "lambda", FUNCTION, {"RedrivePolicy": REDRIVE})

    async with sns.delivering():
        sns.put("orders", "hello")
        await sns.settled()
        took_s = elapsed_s()

    assert calls == len(sns.journal) == 1 + 100_015
    assert 23 <= took_s / DAY_S < 24
    assert [each["Message"] for each in envelopes(sqs, "dead")] == ["hello"]


async def test_sns_100_116_a_function_that_comes_back_is_delivered_to(sqs: MemorySqs) -> None:
    """At once three times, after a second twice, then ever later."""
    function = FunctionEndpoint(answers=[429, 500, 503, TransientSourceError("reset"), OSError("reset"), 429, 429])
    sns = MemorySns(queues=sqs, invoke=function)
    sns.add_topic("orders")
    sns.add_subscription("orders", "lambda", FUNCTION, {"RedrivePolicy": REDRIVE})

    async with sns.delivering():
        sns.put("orders", "hello")
        await sns.settled()

    assert function.times == [0, 0, 0, 0, 1, 2, 3, 5]
    assert [attempt.verdict for attempt in sns.journal] == ["failed"] * 7 + ["delivered"]
    assert bodies(sqs, "dead") == []


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_sns_115_what_is_wrong_with_a_function_is_not_tried_again(sqs: MemorySqs, status: int) -> None:
    """A deleted function, a missing permission: the dead-letter queue, at once."""
    sns = MemorySns(queues=sqs, invoke=FunctionEndpoint(always=status))
    sns.add_topic("orders")
    sns.add_subscription("orders", "lambda", FUNCTION, {"RedrivePolicy": REDRIVE})

    async with sns.delivering():
        sns.put("orders", "hello")
        await sns.settled()

    assert [(attempt.status, attempt.verdict) for attempt in sns.journal] == [(status, "refused")]
    assert elapsed_s() == 0
    assert len(bodies(sqs, "dead")) == 1


async def test_sns_115_a_queue_that_is_gone_is_not_tried_again(sqs: MemorySqs) -> None:
    """Nor one of another account, which cannot even be asked to confirm."""
    sns = MemorySns(queues=sqs)
    sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}missing", {"RedrivePolicy": REDRIVE})
    foreign = f"{QUEUE_ARN}orders".replace("123456789012", "999999999999")

    async with sns.delivering():
        assert sns.add_subscription("orders", "sqs", foreign) is None
        sns.put("orders", "hello")
        await sns.settled()

    assert [(attempt.kind, attempt.status) for attempt in sns.journal] == [
        ("SubscriptionConfirmation", 404),
        ("Notification", 404),
    ]
    assert [each["Message"] for each in envelopes(sqs, "dead")] == ["hello"]


async def test_sns_100_a_queue_that_is_throttled_is_tried_again(sqs: MemorySqs) -> None:
    """Whether the call fails, or the one entry of it."""
    queues = FaultyQueue(sqs, seed=3, throttle=0.4, resets=0.2, entry_failures=0.3, calls={"send_message_batch"})
    sns = MemorySns(queues=queues)
    sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        for number in range(20):
            sns.put("orders", str(number))
        await sns.settled()

    assert sorted(bodies(sqs, "orders"), key=int) == [str(number) for number in range(20)]
    assert {attempt.status for attempt in sns.journal} >= {200, 503, None}


async def test_sns_10_a_lost_answer_makes_a_second_message(sqs: MemorySqs) -> None:
    """Twice, but never not at all."""
    sns = MemorySns(queues=FaultyQueue(sqs, seed=1, lost_answers=0.3))
    sns.add_topic("orders")
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RawMessageDelivery": "true"})

    async with sns.delivering():
        for number in range(20):
            sns.put("orders", str(number))
        await sns.settled()

    assert set(bodies(sqs, "orders")) == {str(number) for number in range(20)}
    assert len(bodies(sqs, "orders")) > 20


async def test_sns_07_more_than_ten_attributes_are_not_delivered_raw(sqs: MemorySqs) -> None:
    """A dead letter at once, with as many of them as a message has; in an envelope they fit."""
    sqs.add_queue("wrapped")
    sns = MemorySns(queues=sqs)
    topic = sns.add_topic("orders")
    raw = {"RawMessageDelivery": "true", "RedrivePolicy": REDRIVE}
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", raw)
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}wrapped")
    attributes = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(11)}

    async with sns.delivering():
        await sns.publish(topic, "hello", attributes=attributes)
        await sns.settled()

    assert bodies(sqs, "orders") == []
    assert bodies(sqs, "dead") == ["hello"]
    assert len(envelopes(sqs, "wrapped")[0]["MessageAttributes"]) == 11


@pytest.mark.parametrize("answer", [200, 204, 302, 400, 403, 404, 410])
async def test_sns_114_any_answer_but_429_and_5xx_is_a_delivery(sqs: MemorySqs, answer: int) -> None:
    """Neither tried again nor a dead letter."""
    http = HttpEndpoint()
    sns = MemorySns(queues=sqs, post=http)
    sns.add_topic("orders")
    async with sns.delivering():
        await subscribed(sns, http, "orders", {"RedrivePolicy": REDRIVE})
        http.answers.append(answer)
        sns.put("orders", "hello")
        await sns.settled()

    assert len(http.requests) == 1
    assert bodies(sqs, "dead") == []
    assert (sns.metrics["NumberOfNotificationsDelivered"], sns.metrics["NumberOfNotificationsFailed"]) == (1, 0)


@pytest.mark.parametrize("answer", [429, 500, 503, ConnectionResetError(), TransientSourceError("reset")])
async def test_sns_102_114_120_an_http_endpoint_that_fails_gets_three_more_attempts(
    sqs: MemorySqs, answer: Answer
) -> None:
    """Twenty seconds apart, under the same message id; then the envelope is a dead letter."""
    http = HttpEndpoint()
    sns = MemorySns(queues=sqs, post=http)
    sns.add_topic("orders")
    async with sns.delivering():
        await subscribed(sns, http, "orders", {"RedrivePolicy": REDRIVE})
        http.answers += [answer] * 4
        message_id = sns.put("orders", "hello")
        await sns.settled()

    assert http.times == [0, 20, 40, 60]
    assert {headers["x-amz-sns-message-id"] for _, headers, _ in http.requests} == {message_id}
    assert {body for _, _, body in http.requests} == {bodies(sqs, "dead")[0].encode()}
    assert sns.metrics["NumberOfNotificationsRedrivenToDlq"] == 1


async def test_sns_114_an_answer_after_fifteen_seconds_is_none() -> None:
    """The request is given up, and tried again."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    sns.add_topic("orders")
    async with sns.delivering():
        await subscribed(sns, http, "orders")
        http.takes_s = 15.1
        sns.put("orders", "hello")
        await anyio.sleep(14)
        http.takes_s = 14.9
        await sns.settled()

    assert http.times == [0, 35]
    assert [attempt.status for attempt in sns.journal[1:]] == [None, 200]


async def test_sns_114_a_confirmation_that_fails_is_no_dead_letter(sqs: MemorySqs) -> None:
    """Though it is tried as often."""
    http = HttpEndpoint(answers=[500] * 4)
    sns = MemorySns(queues=sqs, post=http)
    sns.add_topic("orders")
    async with sns.delivering():
        sns.add_subscription("orders", "https", "https://hooks.example/", {"RedrivePolicy": REDRIVE})
        await sns.settled()

    assert http.times == [0, 20, 40, 60]
    assert bodies(sqs, "dead") == []


async def test_sns_104_to_113_an_http_endpoint_is_tried_as_its_policy_says() -> None:
    """Two at once, one after the least delay, three in growing steps, one after the greatest."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    sns.add_topic("orders")
    healthy = {
        "numRetries": 7,
        "numNoDelayRetries": 2,
        "numMinDelayRetries": 1,
        "numMaxDelayRetries": 1,
        "minDelayTarget": 1,
        "maxDelayTarget": 9,
        "backoffFunction": "linear",
    }
    async with sns.delivering():
        policy = {"healthyRetryPolicy": healthy, "requestPolicy": {"headerContentType": "application/json"}}
        await subscribed(sns, http, "orders", {"DeliveryPolicy": json.dumps(policy)})
        http.answers += [503] * 8
        sns.put("orders", "hello")
        await sns.settled()

    assert [later - earlier for earlier, later in pairwise(http.times)] == [0, 0, 1, 1, 5, 9, 9]
    assert {headers["content-type"] for _, headers, _ in http.requests} == {"application/json"}


async def test_sns_104_a_topics_policy_is_the_default_of_its_subscriptions() -> None:
    """And may take their own away."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    topic_policy: dict[str, Any] = {"defaultHealthyRetryPolicy": {"numRetries": 1}}
    sns.add_topic("orders", {"DeliveryPolicy": json.dumps({"http": topic_policy})})
    own = json.dumps({"healthyRetryPolicy": {"numRetries": 0}})
    async with sns.delivering():
        arn = await subscribed(sns, http, "orders")
        for change in ({}, {"DeliveryPolicy": own}):
            sns.set_subscription_attributes(arn, change)
            http.answers = [503] * 2
            sns.put("orders", "hello")
            await sns.settled()
            http.answers.clear()
        topic_policy["disableSubscriptionOverrides"] = True
        sns.set_topic_attributes("orders", {"DeliveryPolicy": json.dumps({"http": topic_policy})})
        http.answers = [503] * 2
        sns.put("orders", "hello")
        await sns.settled()

    assert len(http.requests) == 2 + 1 + 2


async def test_sns_112_an_endpoint_gets_no_more_a_second_than_it_can_take() -> None:
    """Retries count as well."""
    http = HttpEndpoint()
    sns = MemorySns(post=http)
    sns.add_topic("orders")
    policy = json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 2}, "healthyRetryPolicy": {"numNoDelayRetries": 3}})
    async with sns.delivering():
        await subscribed(sns, http, "orders", {"DeliveryPolicy": policy})
        http.answers = [503]
        await anyio.sleep(10)
        for number in range(4):
            sns.put("orders", str(number))
        await sns.settled()

    assert [at - http.times[0] for at in http.times] == pytest.approx([0, 0.5, 1, 1.5, 2])


async def test_sns_103_jitter_lengthens_waits_within_the_hour() -> None:
    """By up to its share; the hour of all waits together stays the most."""
    http = HttpEndpoint()
    sns = MemorySns(post=http, jitter=0.5, seed=7)
    sns.add_topic("orders")
    healthy = {"minDelayTarget": 36, "maxDelayTarget": 36, "numRetries": 100}
    async with sns.delivering():
        await subscribed(sns, http, "orders", {"DeliveryPolicy": json.dumps({"healthyRetryPolicy": healthy})})
        http.answers = [503] * 101
        sns.put("orders", "hello")
        await sns.settled()
    gaps = [later - earlier for earlier, later in pairwise(http.times)]

    assert all(36 <= gap <= 54 for gap in gaps)
    assert len(set(gaps)) > 50
    assert 3_600 - 54 < sum(gaps) <= 3_600


async def test_sns_121_dead_letters_are_what_would_have_been_delivered(sqs: MemorySqs) -> None:
    """The envelope as over HTTP, of functions too; of raw subscriptions the message with its attributes."""
    http = HttpEndpoint()
    sns = MemorySns(queues=sqs, post=http, invoke=FunctionEndpoint(always=404))
    topic = sns.add_topic("orders")
    sns.add_subscription("orders", "lambda", FUNCTION, {"RedrivePolicy": REDRIVE})
    async with sns.delivering():
        await subscribed(sns, http, "orders", {"RedrivePolicy": REDRIVE, "RawMessageDelivery": "true"})
        http.answers = [500] * 4
        kind = {"kind": {"DataType": "String", "StringValue": "a"}}
        message_id = await sns.publish(topic, "hello", attributes=kind)
        await sns.settled()
    received = await sqs.receive_message(
        await sqs.get_queue_url("dead"), max_number_of_messages=10, wait_time_seconds=0
    )
    envelope, raw = json.loads(received[0]["Body"]), received[1]

    assert (envelope["Type"], envelope["MessageId"], envelope["Message"]) == ("Notification", message_id, "hello")
    assert {"SigningCertURL", "UnsubscribeURL"} <= envelope.keys()
    assert (raw["Body"], raw["MessageAttributes"]) == ("hello", {"kind": {"DataType": "String", "StringValue": "a"}})


async def test_sns_120_a_dead_letter_queue_that_is_gone_is_counted(sqs: MemorySqs) -> None:
    """And one that is throttled is tried again; without one the message is lost, as on AWS."""
    sns = MemorySns(queues=FaultyQueue(sqs, seed=1, throttle=0.5, calls={"send_message_batch"}))
    sns.add_topic("orders")
    missing = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}nowhere"})
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}missing1", {"RedrivePolicy": missing})
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}missing2", {"RedrivePolicy": REDRIVE})
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}missing3")

    async with sns.delivering():
        for _ in range(10):
            sns.put("orders", "hello")
        await sns.settled()

    assert len(bodies(sqs, "dead")) == 10
    assert sns.metrics["NumberOfNotificationsFailed"] == 30
    assert sns.metrics["NumberOfNotificationsRedrivenToDlq"] == 10
    assert sns.metrics["NumberOfNotificationsFailedToRedriveToDlq"] == 10


@pytest.mark.parametrize(
    "policy",
    [
        "[]",
        "{}",
        '{"deadLetterTargetArn": 7}',
        '{"deadLetterTargetArn": "dead"}',
        '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:dead"}',
        '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:999999999999:dead"}',
        '{"deadLetterTargetArn": "arn:aws:sns:us-east-1:123456789012:dead"}',
        '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead.fifo"}',
    ],
)
def test_sns_120_a_dead_letter_queue_is_of_the_topics_place_and_kind(policy: str) -> None:
    """The same account and Region; standard for a standard topic."""
    sns = MemorySns()
    sns.add_topic("orders")
    arn = sns.add_subscription("orders", "lambda", FUNCTION)
    assert arn is not None

    with pytest.raises(SourceError, match=r"^Invalid parameter: RedrivePolicy: "):
        sns.set_subscription_attributes(arn, {"RedrivePolicy": policy})


async def test_who_unsubscribes_is_not_tried_again() -> None:
    """And what it did not get is no failure."""
    function = FunctionEndpoint(always=429)
    sns = MemorySns(invoke=function)
    topic = sns.add_topic("orders")
    arn = await sns.subscribe(topic, "lambda", FUNCTION)
    assert arn is not None
    async with sns.delivering():
        sns.put("orders", "hello")
        await anyio.sleep(30)
        await sns.unsubscribe(arn)
        await sns.settled()

    assert elapsed_s() < 60
    assert sns.metrics["NumberOfNotificationsFailed"] == 0


async def test_an_endpoint_that_is_not_given_never_answers(sqs: MemorySqs) -> None:
    """Neither network nor Lambda nor SQS."""
    sns = MemorySns()
    topic = sns.add_topic("orders")
    sns.add_subscription("orders", "lambda", FUNCTION)
    sns.add_subscription("orders", "sqs", f"{QUEUE_ARN}orders", {"RedrivePolicy": REDRIVE})
    sns.add_subscription("orders", "https", "https://hooks.example/")
    async with sns.delivering():
        await sns.publish(topic, "hello")
        await anyio.sleep(100)

    assert {attempt.status for attempt in sns.journal} == {None}


async def test_a_bug_in_an_endpoint_of_a_test_is_not_taken_for_silence() -> None:
    """Its exception leaves the block."""
    sns = MemorySns(invoke=FunctionEndpoint(answers=[AssertionError("seen")]))
    sns.add_topic("orders")
    sns.add_subscription("orders", "lambda", FUNCTION)

    with pytest.raises(ExceptionGroup) as group:
        async with sns.delivering():
            sns.put("orders", "hello")
            await anyio.sleep(1)

    assert [str(each) for each in group.value.exceptions] == ["seen"]

"""Filter policies on servers nobody of us wrote: what passes, and what is refused, against our own rules.

Each message goes to two queues, one behind the policy and one without: when the second has it, so has the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from eventmap.errors import InvalidParameterValue
from eventmap.rules.filter_policy import ON_SUBSCRIBE, FilterPolicy
from eventmap.rules.sns_publish import notification_attributes

from .filter_deviations import DEVIATIONS
from .filter_vectors import REFUSED, VECTORS, Vector
from .process import Server

SERVERS = ("moto", "fauxqs")


class Judge:
    """Plain boto3 to one server, and queues and a topic of one test's own."""

    def __init__(self, server: Server, name: str) -> None:
        self.server_name = server.name
        self._name = name
        self._sns, self._sqs = server.client("sns"), server.client("sqs")

    def close(self) -> None:
        self._sns.close()
        self._sqs.close()

    def answer(self, vector: Vector) -> str:
        """yes, no, "failed" for a server that does, or why it refuses the policy."""
        filtered, control = (self._queue(role) for role in ("filtered", "control"))
        topic_arn = self._sns.create_topic(Name=self._name)["TopicArn"]
        attributes = {"FilterPolicy": vector.policy, "FilterPolicyScope": vector.scope}
        try:
            self._subscribe(topic_arn, filtered, attributes)
            self._subscribe(topic_arn, control, {})
            self._sns.publish(TopicArn=topic_arn, Message=vector.body, MessageAttributes=vector.attributes)
        except ClientError as error:
            return reason(error.response["Error"]["Message"])
        except ResponseParserError:  # an answer that is no AWS answer
            return "failed"
        assert self._received(control, wait_s=10)
        return "yes" if self._received(filtered, wait_s=0) else "no"

    def _queue(self, role: str) -> str:
        return str(self._sqs.create_queue(QueueName=f"{self._name}-{role}")["QueueUrl"])

    def _subscribe(self, topic_arn: str, queue_url: str, attributes: dict[str, str]) -> None:
        answer = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        endpoint = answer["Attributes"]["QueueArn"]
        self._sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=endpoint, Attributes=attributes)

    def _received(self, queue_url: str, *, wait_s: int) -> list[Any]:
        return list(self._sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=wait_s).get("Messages", ()))


def reason(message: str) -> str:
    """What is wrong with a policy: without what stands before it, and where in the text it is."""
    for prefix in ("Invalid parameter: ", "Attributes Reason: ", "FilterPolicy: "):
        message = message.removeprefix(prefix)
    return message.partition("\n")[0]


def by_our_rules(vector: Vector) -> str:
    try:
        policy = FilterPolicy(vector.policy, vector.scope, prefix=ON_SUBSCRIBE)
    except InvalidParameterValue as error:
        return reason(str(error))
    return "yes" if policy.passes(notification_attributes(vector.attributes), vector.body) else "no"


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.server) for name in SERVERS])
def judge(request: pytest.FixtureRequest, start_server: Callable[[str], Server], queue_name: str) -> Iterator[Judge]:
    opened = Judge(start_server(request.param), queue_name)
    yield opened
    opened.close()


def compare(judge: Judge, vector: Vector) -> None:
    observed, ours = judge.answer(vector), by_our_rules(vector)
    deviation = DEVIATIONS.get((judge.server_name, vector.name))
    if deviation is None:
        assert ours == observed, f"{judge.server_name} deviates from our rules: name it in filter_deviations.py"
    else:
        assert ours != deviation.observed, "no deviation at all"
        assert deviation.observed == observed, f"no longer true of {judge.server_name}: {deviation.reason}"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_sns_75_to_93_a_server_lets_through_what_our_rules_let_through(judge: Judge, vector: Vector) -> None:
    """Or deviates in a way that has a name."""
    compare(judge, vector)


@pytest.mark.parametrize("name", REFUSED)
def test_sns_77_94_95_a_server_refuses_what_our_rules_refuse_in_the_same_words(judge: Judge, name: str) -> None:
    """Or deviates in a way that has a name."""
    compare(judge, Vector(name, "MessageAttributes", REFUSED[name]))


def test_every_deviation_is_about_a_vector() -> None:
    """One that was renamed would excuse nothing."""
    names = {vector.name for vector in VECTORS} | REFUSED.keys()

    assert {name for _, name in DEVIATIONS} <= names

"""SNS as the service needs it: topics found, subscriptions set up and taken down; through the AWS client library."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Literal

from eventmap.aws.client_calls import translated
from eventmap.aws.refusal import MISSING, NOT_ALLOWED
from eventmap.aws.services import SNS
from eventmap.aws.session import AwsSettings, open_client
from eventmap.errors import InvalidParameterValue, SourceError, TopicNotFound
from eventmap.subscription import FilterPolicyScope

SubscriptionProtocol = Literal["http", "https", "sqs"]

EVERY_MESSAGE: Final = "{}"  # the policy that takes a policy away (SNS-76)
_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_TOPIC_ARN: Final = re.compile(r"arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}", re.ASCII)


class TopicCalls:
    """The calls of one endpoint and region; may be called from many tasks of one loop."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def endpoint_url(self) -> str:
        return str(self._client.meta.endpoint_url)

    async def find_topic(self, topic: str) -> str:
        """The ARN of a topic by its name or ARN, in two calls however many topics there are (SNS-09).

        Raises: TopicNotFound, SourceError and its kinds; InvalidParameterValue if no topic is called so.
        """
        if topic.startswith("arn:"):
            return await self._existing(checked_topic_arn(topic), topic)
        if not _TOPIC_NAME.fullmatch(topic):
            raise InvalidParameterValue(
                f"{topic!r} names no topic: a topic name has 1 to 256 letters, digits, hyphens and underscores; "
                "give NAME or an ARN"
            )
        with translated(SNS, "ListTopics", topic, self._client):
            listed = (await self._client.list_topics()).get("Topics") or ()
        if not listed:
            raise TopicNotFound(topic, self._where)
        # All that are listed are of one account and region, so its ARN can be told from any other's.
        beside = str(listed[0]["TopicArn"])
        return await self._existing(f"{beside.rpartition(':')[0]}:{topic}", topic)

    async def create_topic(self, name: str) -> str:
        """The ARN of the topic of that name, made if there is none. Raises: SourceError and its kinds."""
        with translated(SNS, "CreateTopic", name, self._client):
            return str((await self._client.create_topic(Name=name))["TopicArn"])

    async def subscribe(
        self,
        topic_arn: str,
        protocol: SubscriptionProtocol,
        endpoint: str,
        *,
        filter_policy: str | None = None,
        filter_policy_scope: FilterPolicyScope = "MessageAttributes",
    ) -> str | None:
        """Subscribe a URL or a queue's ARN, never raw; one that is subscribed already gets that policy.

        Returns the subscription's ARN; None if the server tells it only once the endpoint has confirmed (SNS-02).
        Raises: TopicNotFound, SourceError and its kinds.
        """
        attributes = {"RawMessageDelivery": "false"}
        if filter_policy is not None:
            attributes |= {"FilterPolicy": filter_policy, "FilterPolicyScope": filter_policy_scope}
        try:
            with self._about("Subscribe", topic_arn):
                answer = await self._client.subscribe(
                    TopicArn=topic_arn,
                    Protocol=protocol,
                    Endpoint=endpoint,
                    Attributes=attributes,
                    ReturnSubscriptionArn=True,
                )
            return _subscription_arn(answer)
        except TopicNotFound:
            raise
        except SourceError:
            # One of other attributes is refused, and so is a bad policy: whether there is one tells them apart.
            found = await self._subscription(topic_arn, protocol, endpoint)
            if found is None:
                raise
        await self.set_filter_policy(found, filter_policy, filter_policy_scope)
        return found

    async def confirm_subscription(self, topic_arn: str, token: str) -> str:
        """Returns the subscription's ARN (SNS-24). Raises: SourceError and its kinds."""
        with self._about("ConfirmSubscription", topic_arn):
            answer = await self._client.confirm_subscription(TopicArn=topic_arn, Token=token)
        return str(answer["SubscriptionArn"])

    async def set_filter_policy(self, subscription_arn: str, policy: str | None, scope: FilterPolicyScope) -> None:
        """None = every message passes (SNS-75, 76). Raises: SourceError and its kinds."""
        # A policy that the other scope does not allow would refuse the change of scope.
        await self._set(subscription_arn, "FilterPolicy", EVERY_MESSAGE)
        if policy is not None:
            await self._set(subscription_arn, "FilterPolicyScope", scope)
            await self._set(subscription_arn, "FilterPolicy", policy)

    async def unsubscribe(self, subscription_arn: str) -> None:
        """One that is gone already is fine. Raises: SourceError and its kinds."""
        try:
            with self._about("Unsubscribe", subscription_arn):
                await self._client.unsubscribe(SubscriptionArn=subscription_arn)
        except TopicNotFound:
            pass

    async def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str:
        """Returns the message's id. `attributes` are in AWS' shape, binary values as bytes.

        Raises: TopicNotFound, SourceError and its kinds.
        """
        given: dict[str, Any] = {"Subject": subject} if subject is not None else {}
        if attributes:
            given["MessageAttributes"] = {name: dict(value) for name, value in attributes.items()}
        with self._about("Publish", topic_arn):
            answer = await self._client.publish(TopicArn=topic_arn, Message=message, **given)
        return str(answer["MessageId"])

    async def _existing(self, topic_arn: str, named: str) -> str:
        try:
            with translated(SNS, "GetTopicAttributes", topic_arn, self._client):
                await self._client.get_topic_attributes(TopicArn=topic_arn)
        except SourceError as error:
            if error.code in MISSING:
                raise TopicNotFound(named, self._where) from error
            if error.code not in NOT_ALLOWED:  # who may subscribe need not be allowed to look
                raise
        return topic_arn

    async def _subscription(self, topic_arn: str, protocol: str, endpoint: str) -> str | None:
        """The ARN of a confirmed subscription of that endpoint; None = there is none."""
        following: dict[str, str] = {}
        while True:
            with self._about("ListSubscriptionsByTopic", topic_arn):
                answer = await self._client.list_subscriptions_by_topic(TopicArn=topic_arn, **following)
            for each in answer.get("Subscriptions") or ():
                if each["Protocol"] == protocol and each["Endpoint"] == endpoint:
                    return _subscription_arn(each)
            if not answer.get("NextToken"):
                return None
            following = {"NextToken": str(answer["NextToken"])}

    async def _set(self, subscription_arn: str, name: str, value: str) -> None:
        with self._about("SetSubscriptionAttributes", subscription_arn):
            await self._client.set_subscription_attributes(
                SubscriptionArn=subscription_arn, AttributeName=name, AttributeValue=value
            )

    @contextmanager
    def _about(self, operation: str, arn: str) -> Iterator[None]:
        """The client library's exceptions as ours. Raises: TopicNotFound, SourceError and its kinds."""
        try:
            with translated(SNS, operation, arn, self._client):
                yield
        except SourceError as error:
            if error.code in MISSING:
                raise TopicNotFound(arn, self._where) from error
            raise

    @property
    def _where(self) -> str:
        return f"{self.endpoint_url} ({self._client.meta.region_name})"


@asynccontextmanager
async def open_topics(settings: AwsSettings) -> AsyncIterator[TopicCalls]:
    """SNS for these settings. Raises: as `open_client`."""
    async with open_client(settings, SNS.name) as client:
        yield TopicCalls(client)


def checked_topic_arn(text: str) -> str:
    """Raises: InvalidParameterValue if it is not the ARN of a topic that can invoke a function."""
    if not _TOPIC_ARN.fullmatch(text):
        raise InvalidParameterValue(
            f"{text!r} is not the ARN of an SNS topic; it looks like arn:aws:sns:us-east-1:123456789012:orders"
        )
    return text


def _subscription_arn(answer: Mapping[str, Any]) -> str | None:
    """None for `PendingConfirmation`, "pending confirmation" and what else is said until it is confirmed (SNS-09)."""
    arn = str(answer.get("SubscriptionArn", ""))
    return arn if arn.startswith("arn:") else None

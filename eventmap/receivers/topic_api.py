"""TopicApi: all that is asked of SNS: AWS through `eventmap.aws`, or the in-memory one of `eventmap.testing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from eventmap.subscription import FilterPolicyScope

SubscriptionProtocol = Literal["http", "https", "sqs"]


class TopicApi(Protocol):
    """Raises, from every call: TopicNotFound, AccessRefused, TransientSourceError, SourceError."""

    async def find_topic(self, topic: str) -> str:
        """The ARN of a topic by its name or ARN. Raises: TopicNotFound."""

    async def create_topic(self, name: str) -> str:
        """The ARN of the topic of that name, made if there is none."""

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
        """

    async def confirm_subscription(self, topic_arn: str, token: str) -> str:
        """Returns the subscription's ARN (SNS-24)."""

    async def set_filter_policy(self, subscription_arn: str, policy: str | None, scope: FilterPolicyScope) -> None:
        """None = every message passes (SNS-75, 76)."""

    async def unsubscribe(self, subscription_arn: str) -> None:
        """One that is gone already is fine."""

    async def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str:
        """Returns the message's id. `attributes` are in AWS' shape, binary values as bytes."""

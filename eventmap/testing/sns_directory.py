"""Which topics and subscriptions the in-memory SNS has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventmap.errors import SourceError, TopicNotFound
from eventmap.rules.sns_publish import topic_name_problem
from eventmap.testing.sns_topic import Protocol, Subscription, Topic, TopicSettings, invalid
from eventmap.testing.sqs_settings import ACCOUNT, REGION

_HOME: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}"


class Directory:
    """The topics of one account and Region, and their subscriptions."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._subscriptions: dict[str, Subscription] = {}

    def make_topic(self, name: str, attributes: Mapping[str, str]) -> Topic:
        """The same again is fine. Raises: SourceError for a bad name or attribute (SNS-09)."""
        settings = TopicSettings.of(attributes)
        if problem := topic_name_problem(name, is_fifo=settings.is_fifo):
            raise invalid(problem)
        arn = f"{_HOME}:{name}"
        known = self._topics.setdefault(arn, Topic(arn, dict(attributes), settings))
        if known.settings != settings:
            raise invalid("Attributes Reason: Topic already exists with different attributes")
        return known

    def topic(self, topic: str) -> Topic:
        """By name or ARN. Raises: TopicNotFound."""
        found = self._topics.get(topic if topic.startswith("arn:") else f"{_HOME}:{topic}")
        if found is None:
            raise TopicNotFound(topic, "the in-memory SNS")
        return found

    def remove_topic(self, topic: Topic) -> None:
        """And its subscriptions."""
        for subscription in list(topic.subscriptions.values()):
            self.remove(subscription)
        del self._topics[topic.arn]

    def subscription(self, arn: str) -> Subscription:
        """Raises: SourceError, code `NotFound`."""
        found = self._subscriptions.get(arn)
        if found is None:
            raise SourceError("Subscription does not exist", code="NotFound")
        return found

    def subscribed(self, topic: Topic, protocol: Protocol, endpoint: str) -> Subscription | None:
        """The subscription of an endpoint, confirmed or not."""
        each = topic.subscriptions.values()
        return next((known for known in each if (known.protocol, known.endpoint) == (protocol, endpoint)), None)

    def add(self, subscription: Subscription) -> None:
        """Also one that was removed. Raises: TopicNotFound."""
        self.topic(subscription.topic_arn).subscriptions[subscription.arn] = subscription
        self._subscriptions[subscription.arn] = subscription
        subscription.is_removed = False

    def remove(self, subscription: Subscription) -> None:
        subscription.is_removed = True
        del self._subscriptions[subscription.arn]
        del self.topic(subscription.topic_arn).subscriptions[subscription.arn]

"""Amazon SNS in memory: topics that fan out with SNS' filters, signatures, retries and dead letters, on any clock."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import anyio.lowlevel

from eventmap.errors import SourceError
from eventmap.model import JsonObject
from eventmap.rules.filter_policy import FilterPolicy
from eventmap.rules.sns_message import MessageType
from eventmap.rules.sns_publish import (
    Attributes,
    Publication,
    batch_problem,
    deduplication_id,
    notification_attributes,
    publication_problem,
    text_for,
)
from eventmap.subscription import FilterPolicyScope
from eventmap.testing.sns_confirmation import Tokens, answer_of
from eventmap.testing.sns_delivery import (
    URL,
    Delivery,
    Endpoints,
    InvokeFunction,
    Post,
    Queues,
    addressed,
    confirmation,
    notification,
)
from eventmap.testing.sns_directory import Directory
from eventmap.testing.sns_sending import Attempt, Sending
from eventmap.testing.sns_signing import SigningAuthority, shared_authority
from eventmap.testing.sns_topic import (
    Protocol,
    Subscription,
    SubscriptionSettings,
    Topic,
    check_endpoint,
    check_room,
    invalid,
    metrics_of_filtered,
)
from eventmap.testing.sqs_clock import QueueClock
from eventmap.testing.sqs_settings import ACCOUNT

PENDING: Final = "PendingConfirmation"


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as a test sees it."""

    arn: str  #: `PendingConfirmation` until it is confirmed
    protocol: Protocol
    endpoint: str
    attributes: Mapping[str, str]


class MemorySns:
    """The topic port of eventmap, served from memory, for one account and Region.

    It delivers inside `async with sns.delivering():` and on the loop of that block; what is published outside waits for
    it. Queues are reached through `queues`, HTTP endpoints through `post`, functions through `invoke`; where one is not
    given, no endpoint of its kind ever answers. `authority` signs; None = one that this process shares.

    `seed` decides everything random. `jitter` lengthens each wait before a retry by up to that share of it; AWS does
    not say by how much. `policy_lag_s` is how long a changed filter policy takes to be in effect: up to 900 on AWS.
    """

    def __init__(
        self,
        *,
        queues: Queues | None = None,
        post: Post | None = None,
        invoke: InvokeFunction | None = None,
        authority: SigningAuthority | None = None,
        seed: int = 0,
        jitter: float = 0.0,
        policy_lag_s: float = 0.0,
    ) -> None:
        self.metrics: Counter[str] = Counter()  #: by AWS' name, all topics together (SNS-98, 122)
        self._dice = random.Random(seed)
        self._clock = QueueClock()
        self._authority = authority
        self._policy_lag_s = policy_lag_s
        self._directory = Directory()
        self._tokens = Tokens(self._clock, self._dice)
        self._sending = Sending(Endpoints(queues, post, invoke), self.metrics, self._dice, jitter)

    @property
    def authority(self) -> SigningAuthority:
        """Who signs; its certificate is what receivers fetch."""
        if self._authority is None:
            self._authority = shared_authority()
        return self._authority

    @property
    def journal(self) -> list[Attempt]:
        """Every attempt at a delivery, in order."""
        return self._sending.journal

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[MemorySns]:
        """Deliver for the length of the block; what has not ended then is delivered by the next one, from its start."""
        async with self._sending.running():
            yield self

    async def settled(self) -> None:
        """Wait until no delivery is under way: each has arrived, or was given up."""
        await self._sending.settled()

    # The port.

    async def find_topic(self, topic: str) -> str:
        """Raises: TopicNotFound."""
        await anyio.lowlevel.checkpoint()
        return self._directory.topic(topic).arn

    async def create_topic(self, name: str) -> str:
        """Raises: SourceError."""
        await anyio.lowlevel.checkpoint()
        return self.add_topic(name, {"FifoTopic": "true"} if name.endswith(".fifo") else None)

    async def subscribe(
        self,
        topic_arn: str,
        protocol: Protocol,
        endpoint: str,
        *,
        filter_policy: str | None = None,
        filter_policy_scope: FilterPolicyScope = "MessageAttributes",
    ) -> str | None:
        """As `add_subscription`; who is subscribed already gets that policy. Raises: TopicNotFound, SourceError."""
        await anyio.lowlevel.checkpoint()
        attributes = {"FilterPolicy": filter_policy or "", "FilterPolicyScope": filter_policy_scope}
        known = self._directory.subscribed(self._directory.topic(topic_arn), protocol, endpoint)
        if known is None:
            return self.add_subscription(topic_arn, protocol, endpoint, attributes)
        self.set_subscription_attributes(known.arn, {**attributes, "RawMessageDelivery": "false"})
        return known.arn if known.is_confirmed else None

    async def confirm_subscription(
        self, topic_arn: str, token: str, *, authenticate_on_unsubscribe: bool = False
    ) -> str:
        """By its token, as often as one likes; which topic is named does not matter (SNS-24, 25).

        Raises: SourceError, code `InvalidParameter` for a token that is unknown or two days old, `NotFound` for one
        whose subscription has been removed.
        """
        await anyio.lowlevel.checkpoint()
        subscription = self._tokens.redeemed(topic_arn, token)
        if subscription.is_removed:
            self._directory.add(subscription)
        subscription.is_confirmed = True
        subscription.authenticates_unsubscribe = authenticate_on_unsubscribe
        return subscription.arn

    async def set_filter_policy(self, subscription_arn: str, policy: str | None, scope: FilterPolicyScope) -> None:
        """None = every message. Raises: SourceError."""
        await anyio.lowlevel.checkpoint()
        self.set_subscription_attributes(subscription_arn, {"FilterPolicy": policy or "", "FilterPolicyScope": scope})

    async def unsubscribe(self, subscription_arn: str) -> None:
        """By its owner: the endpoint is not told. One that is gone already is fine."""
        await anyio.lowlevel.checkpoint()
        with suppress(SourceError):
            self._directory.remove(self._directory.subscription(subscription_arn))

    async def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Attributes | None = None,
        message_structure: str | None = None,
        message_group_id: str | None = None,
        message_deduplication_id: str | None = None,
    ) -> str:
        """Returns the message's id. Raises: TopicNotFound; SourceError if SNS would refuse it."""
        await anyio.lowlevel.checkpoint()
        publication = Publication(
            message=message,
            subject=subject,
            message_structure=message_structure,
            message_attributes=attributes or {},
            message_group_id=message_group_id,
            message_deduplication_id=message_deduplication_id,
        )
        return self.put(topic_arn, publication)

    async def publish_batch(self, topic_arn: str, entries: Sequence[tuple[str, Publication]]) -> dict[str, Any]:
        """Up to ten messages by ids of their own, as AWS answers them: {"Successful": […], "Failed": […]} (SNS-04).

        Raises: TopicNotFound; SourceError if the batch as a whole is refused.
        """
        await anyio.lowlevel.checkpoint()
        topic = self._directory.topic(topic_arn)
        if problem := batch_problem(entries, maximum_bytes=topic.settings.maximum_message_size):
            raise SourceError(problem[1], code=problem[0])
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for identifier, publication in entries:
            try:
                answer["Successful"].append({"Id": identifier, "MessageId": self.put(topic_arn, publication)})
            except SourceError as error:
                failure = {"Id": identifier, "Code": error.code, "Message": str(error), "SenderFault": True}
                answer["Failed"].append(failure)
        return answer

    async def fetch(self, url: str) -> bytes:
        """What SNS answers to a visit of the URLs in its messages. Raises: SourceError for any other."""
        await anyio.lowlevel.checkpoint()
        if not url.startswith(f"{URL}?"):
            return await self.authority.fetch(url)
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        match query:
            case {"Action": "ConfirmSubscription", "TopicArn": topic_arn, "Token": token}:
                arn = await self.confirm_subscription(topic_arn, token)
                return answer_of("ConfirmSubscription", f"<SubscriptionArn>{arn}</SubscriptionArn>")
            case {"Action": "Unsubscribe", "SubscriptionArn": arn}:
                self._unsubscribed_by_anybody(arn)
                return answer_of("Unsubscribe", "")
            case _:
                raise SourceError(f"{url} was answered with HTTP 400", code="400")

    # For tests: synchronous, and usable before, during and after a loop.

    def add_topic(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        """Its ARN; the same again is fine. Raises: SourceError for a bad name or attribute (SNS-09)."""
        return self._directory.make_topic(name, attributes or {}).arn

    def set_topic_attributes(self, topic: str, attributes: Mapping[str, str]) -> None:
        """Change some; the others keep their values. Raises: TopicNotFound, SourceError."""
        self._directory.topic(topic).change(attributes)

    def delete_topic(self, topic: str) -> None:
        """And its subscriptions. Raises: TopicNotFound."""
        self._directory.remove_topic(self._directory.topic(topic))

    def add_subscription(
        self, topic: str, protocol: Protocol, endpoint: str, attributes: Mapping[str, str] | None = None
    ) -> str | None:
        """Subscribe an endpoint; returns the ARN, or None while the endpoint has to confirm it (SNS-02).

        Attributes: RawMessageDelivery, FilterPolicy, FilterPolicyScope, DeliveryPolicy, RedrivePolicy.
        Raises: TopicNotFound; SourceError for an endpoint or attribute that SNS refuses, or this SNS cannot honour.
        """
        found = self._directory.topic(topic)
        check_endpoint(found, protocol, endpoint)
        given = dict(attributes or {})
        settings = SubscriptionSettings.of(given, found.arn, protocol, on_subscribe=True)
        if (known := self._directory.subscribed(found, protocol, endpoint)) is not None:
            if known.attributes != given:
                raise invalid("Attributes Reason: Subscription already exists with different attributes")
            return known.arn if known.is_confirmed else None
        check_room(found, settings)
        subscription = Subscription(
            f"{found.arn}:{self._uuid()}",
            found.arn,
            protocol,
            endpoint,
            given,
            settings,
            is_confirmed=protocol not in ("http", "https") and endpoint.split(":")[4] == ACCOUNT,
        )
        self._directory.add(subscription)
        if subscription.is_confirmed:
            return subscription.arn
        self._ask(subscription, "SubscriptionConfirmation")
        return None

    def set_subscription_attributes(self, subscription_arn: str, attributes: Mapping[str, str]) -> None:
        """Change some; the others keep their values. Raises: SourceError."""
        subscription = self._directory.subscription(subscription_arn)
        merged = {**subscription.attributes, **attributes}
        settings = SubscriptionSettings.of(merged, subscription.topic_arn, subscription.protocol, on_subscribe=False)
        subscription.change(merged, settings, self._clock.now_s() + self._policy_lag_s)

    def subscriptions(self, topic: str) -> list[SubscriptionView]:
        """Of one topic, in order. Raises: TopicNotFound."""
        return [
            SubscriptionView(each.arn if each.is_confirmed else PENDING, each.protocol, each.endpoint, each.attributes)
            for each in self._directory.topic(topic).subscriptions.values()
        ]

    def put(self, topic: str, publication: Publication | str) -> str:
        """Publish one message and return its id; a FIFO topic tells the first one's id for a repetition (SNS-126).

        Raises: TopicNotFound; SourceError if SNS would refuse it.
        """
        found = self._directory.topic(topic)
        given = Publication(message=publication) if isinstance(publication, str) else publication
        settings = found.settings
        if problem := publication_problem(
            given,
            maximum_bytes=settings.maximum_message_size,
            is_fifo=settings.is_fifo,
            content_based_deduplication=settings.content_based_deduplication,
        ):
            raise invalid(problem)
        message_id, token, sequence_number = self._uuid(), None, None
        if settings.is_fifo:
            token = deduplication_id(given)
            scope = str(given.message_group_id) if settings.deduplicates_per_group else ""
            now = self._clock.now_s()
            first = found.deduplication.first_message_id(scope, token, now)
            if first is not None:
                return first
            found.deduplication.remember(scope, token, message_id, now)
            sequence_number = found.next_sequence_number()
        self.metrics["NumberOfMessagesPublished"] += 1
        self._fan_out(found, given, message_id, token, sequence_number)
        return message_id

    # Steps of the above.

    def _fan_out(
        self, topic: Topic, given: Publication, message_id: str, token: str | None, sequence_number: str | None
    ) -> None:
        sent_at = self._timestamp()
        attributes = notification_attributes(given.message_attributes)
        documents: dict[str, JsonObject] = {}  # signed once for each text
        for subscription in topic.subscriptions.values():
            text = text_for(given, subscription.protocol)
            policy = subscription.policy_at(self._clock.now_s())
            if not subscription.is_confirmed or not self._passes(policy, attributes, text):
                continue
            if text not in documents:
                document = notification(topic.arn, message_id, text, given, sent_at, sequence_number)
                documents[text] = self._signed(topic, document)
            self._sending.start(
                Delivery(
                    subscription,
                    "Notification",
                    message_id,
                    addressed(documents[text], subscription.arn, given.message_attributes),
                    text,
                    given.message_attributes,
                    topic.http_delivery(subscription),
                    given.message_group_id,
                    token,
                )
            )

    def _passes(self, policy: FilterPolicy | None, attributes: dict[str, dict[str, str]], text: str) -> bool:
        if policy is None or policy.passes(attributes, text):
            return True
        self.metrics.update(metrics_of_filtered(policy, attributes, text))
        return False

    def _ask(self, subscription: Subscription, kind: MessageType) -> None:
        """Send what holds a token."""
        token, message_id = self._tokens.issue(subscription, restores=kind == "UnsubscribeConfirmation"), self._uuid()
        topic = self._directory.topic(subscription.topic_arn)
        document = confirmation(kind, message_id, topic.arn, subscription.arn, token, self._timestamp())
        signed, http = self._signed(topic, document), topic.http_delivery(subscription)
        self._sending.start(Delivery(subscription, kind, message_id, signed, str(document["Message"]), {}, http))

    def _signed(self, topic: Topic, document: JsonObject) -> JsonObject:
        """FIFO topics sign nothing (SNS-45)."""
        return document if topic.settings.is_fifo else self.authority.sign(document, topic.settings.signature_version)

    def _unsubscribed_by_anybody(self, subscription_arn: str) -> None:
        """Whoever has the URL may; the endpoint is told, and can take it back (SNS-27)."""
        subscription = self._directory.subscription(subscription_arn)
        if subscription.authenticates_unsubscribe:
            raise SourceError("Subscription requires an authenticated unsubscribe", code="AuthorizationError")
        self._directory.remove(subscription)
        if subscription.protocol in ("http", "https"):
            self._ask(subscription, "UnsubscribeConfirmation")

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def _timestamp(self) -> str:
        now = datetime.fromtimestamp(self._clock.wall_s(), UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""A topic that pushes to a function: over HTTP where it can reach the server, else over a queue of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

import anyio

from eventmap import telemetry
from eventmap.aws.endpoint import is_aws, is_loopback
from eventmap.aws.own_queue import own_queue_name
from eventmap.pointers import PointerResolver
from eventmap.queued_event import Accept
from eventmap.receivers.certificates import Certificates
from eventmap.receivers.fetch import fetch_https
from eventmap.receivers.queue_intake import QueueIntake
from eventmap.receivers.sns import SnsReceiver, SnsSettings
from eventmap.receivers.sns_queue import notification_of_record, translate
from eventmap.receivers.topic_api import SubscriptionProtocol, TopicApi
from eventmap.receivers.topics import ReceivedTopic
from eventmap.rules.filter_policy import FilterPolicy
from eventmap.service.asynchronous import Queue
from eventmap.service.connections import Connections, patiently
from eventmap.service.http import HttpServer
from eventmap.service.intake import RunningIntake, intake_of, make_queue
from eventmap.sources.sqs import QueueApi
from eventmap.subscription import SnsSubscription

_CONFIRMED_WITHIN_S = 20.0

_log = telemetry.logger("eventmap.service")


class PreparedTopic:
    """A topic that exists, and a function for it; not yet subscribed."""

    def __init__(
        self, subscription: SnsSubscription, topic: ReceivedTopic, api: TopicApi, queues: QueueApi, endpoint_url: str
    ) -> None:
        """`endpoint_url` is where SNS is; "" = in memory."""
        self.subscription: SnsSubscription = subscription
        self.topic: ReceivedTopic = topic
        self.way: Literal["http", "queue"] = "queue"
        self._api = api
        self._queues = queues
        self._endpoint_url = endpoint_url
        self._subscription_arn: str | None = None

    @property
    def arn(self) -> str:
        return self.topic.topic_arn

    @property
    def function_name(self) -> str:
        return self.subscription.function_name

    @property
    def is_signed(self) -> bool:
        """Whether deliveries of this topic are signed as AWS does: servers of one's own cannot."""
        return not is_loopback(self._endpoint_url)

    async def confirm(self, topic_arn: str, token: str) -> str:
        """Confirm a subscription through the API. Raises: SourceError."""
        return await self._api.confirm_subscription(topic_arn, token)

    @property
    def is_aws(self) -> bool:
        return is_aws(self._endpoint_url)

    async def connect(self, server: HttpServer | None, accept: Accept, *, over_queue: bool) -> RunningIntake | None:
        """Subscribe the function; None = over HTTP, otherwise the queue it is subscribed by.

        Raises: ConfigurationError, SourceError.
        """
        if server is not None and not over_queue and self._reaches(server) and await self._subscribed_over_http(server):
            self.way = "http"
            return None
        name = own_queue_name(self.function_name, self.arn)
        api, queue = await make_queue(self._queues, name, self.arn, "sns.amazonaws.com")
        self._subscription_arn = await self._subscribe("sqs", queue.arn)
        if self._subscription_arn is not None:
            self.topic.subscribed(self._subscription_arn)
        pointers = self.topic.pointers
        take = QueueIntake(
            self.function_name,
            partial(translate, self.topic),
            accept,
            identify=notification_of_record,
            pointers=pointers,
        )
        return await intake_of(api, queue, self.function_name, take)

    async def disconnect(self) -> None:
        """Unsubscribe. Raises: SourceError."""
        subscription_arn = self._subscription_arn or self.topic.subscription_arn
        if subscription_arn:
            await self._api.unsubscribe(subscription_arn)

    def _reaches(self, server: HttpServer) -> bool:
        return server.is_public or (is_loopback(self._endpoint_url) and server.is_on_loopback)

    async def _subscribed_over_http(self, server: HttpServer) -> bool:
        """Whether SNS has reached us: it asks for a confirmation before it delivers anything (SNS-20)."""
        url = f"{server.reachable_url}/sns/{self.function_name}"
        protocol: SubscriptionProtocol = "https" if urlsplit(url).scheme == "https" else "http"
        arn = await self._subscribe(protocol, url)
        if arn is not None:
            self.topic.subscribed(arn)
        with anyio.move_on_after(_CONFIRMED_WITHIN_S):
            self._subscription_arn = await self.topic.subscription()
            return True
        _log.warning(telemetry.SUBSCRIPTION_UNCONFIRMED, topic=self.arn, url=url, waited_s=_CONFIRMED_WITHIN_S)
        return False

    async def _subscribe(self, protocol: SubscriptionProtocol, endpoint: str) -> str | None:
        arn: str | None = None
        async for attempt in patiently():
            with attempt:
                arn = await self._api.subscribe(
                    self.arn,
                    protocol,
                    endpoint,
                    filter_policy=self.subscription.policy_text,
                    filter_policy_scope=self.subscription.filter_policy_scope,
                )
        return arn


async def prepare_topic(subscription: SnsSubscription, connections: Connections) -> PreparedTopic:
    """Raises: ConfigurationError (no such topic, a filter policy that SNS refuses), SourceError."""
    policy = None
    if subscription.policy_text is not None:
        policy = FilterPolicy(subscription.policy_text, subscription.filter_policy_scope)
    region = subscription.topic_arn.split(":")[3] if subscription.topic_arn.startswith("arn:") else None
    api, endpoint_url = await connections.for_topics(region)
    topic_arn = ""
    async for attempt in patiently():
        with attempt:
            topic_arn = await api.find_topic(subscription.topic_arn)
    queues = await connections.for_queue(topic_arn.split(":")[3], None)
    pointers = None
    if subscription.pointer_buckets:
        reader = await connections.for_objects()
        pointers = PointerResolver(reader, subscription.pointer_buckets, limit_bytes=subscription.pointer_limit_bytes)
    return PreparedTopic(subscription, ReceivedTopic(topic_arn, policy, pointers), api, queues, endpoint_url)


def receivers_of(
    topics: Sequence[PreparedTopic], queues: Mapping[str, Queue], server: HttpServer
) -> dict[str, SnsReceiver]:
    """One endpoint for each function with topics, by its path. On loopback and without AWS nothing is signed."""
    by_function: dict[str, list[PreparedTopic]] = {}
    for topic in topics:
        by_function.setdefault(topic.function_name, []).append(topic)
    certificates = Certificates(fetch_https)
    receivers = {}
    for name, own in by_function.items():
        is_signed = any(each.is_signed for each in own) or not server.is_on_loopback
        receivers[f"/sns/{name}"] = SnsReceiver(
            name,
            [each.topic for each in own],
            queues[name].accept,
            certificates=certificates,
            confirm=None if all(each.is_aws for each in own) else own[0].confirm,
            settings=SnsSettings(verify_signatures=is_signed),
        )
    return receivers

"""What the in-memory SNS delivers: the documents, what goes over each protocol, and what an endpoint's answer means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import anyio
import orjson

from eventmap.errors import SourceError, TransientSourceError
from eventmap.model import JsonObject
from eventmap.rules.delivery_policy import ANSWER_WITHIN_S, HttpDelivery
from eventmap.rules.sns_message import MessageType, envelope_in, lambda_event
from eventmap.rules.sns_publish import (
    RAW_ATTRIBUTES,
    Attributes,
    Publication,
    notification_attributes,
    queue_attributes,
)
from eventmap.testing.sns_topic import Subscription
from eventmap.testing.sqs_settings import REGION, queue_arn

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""(URL, headers by lower-case name, body) → the status the endpoint answers. OSError and SourceError are no answer."""

InvokeFunction = Callable[[str, bytes], Awaitable[int]]
"""(function ARN, event) → the status of an asynchronous invocation; 202 is a delivery. Errors as of `Post`."""

URL: Final = f"https://sns.{REGION}.amazonaws.com/"
USER_AGENT: Final = "Amazon Simple Notification Service Agent"
_REASONS_TO_TRY_AGAIN: Final = frozenset({"InternalError", "ServiceUnavailable", "ThrottlingException"})


class Queues(Protocol):
    """What is asked of SQS: `MemorySqs`, or a `FaultyQueue` before it."""

    async def get_queue_url(self, name: str, owner: str | None = None) -> str: ...

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """One message on its way to one endpoint."""

    subscription: Subscription
    kind: MessageType
    message_id: str
    document: JsonObject  #: signed, as it goes over HTTP
    text: str  #: the message itself
    attributes: Attributes
    http: HttpDelivery | None  #: how; None = to AWS' own kinds of endpoints, always in the same way
    group: str | None = None
    deduplication_id: str | None = None  #: of a FIFO topic's

    @property
    def is_raw(self) -> bool:
        return self.kind == "Notification" and self.subscription.settings.is_raw


def notification(
    topic_arn: str, message_id: str, text: str, publication: Publication, sent_at: str, sequence_number: str | None
) -> JsonObject:
    """The members of a notification that all endpoints of a protocol share, in AWS' order (SNS-35)."""
    document: JsonObject = {"Type": "Notification", "MessageId": message_id}
    if sequence_number is not None:
        document["SequenceNumber"] = sequence_number
    document["TopicArn"] = topic_arn
    if publication.subject is not None:
        document["Subject"] = publication.subject
    return {**document, "Message": text, "Timestamp": sent_at}


def addressed(document: JsonObject, subscription_arn: str, attributes: Attributes) -> JsonObject:
    """A signed notification with what is one endpoint's own."""
    document = document | {"UnsubscribeURL": f"{URL}?Action=Unsubscribe&SubscriptionArn={subscription_arn}"}
    if attributes:
        document["MessageAttributes"] = {name: {**value} for name, value in notification_attributes(attributes).items()}
    return document


def confirmation(kind: MessageType, message_id: str, topic_arn: str, arn: str, token: str, sent_at: str) -> JsonObject:
    """What asks an endpoint to confirm, or tells it that its subscription has ended (SNS-21..23, 27)."""
    if kind == "SubscriptionConfirmation":
        said = (
            f"You have chosen to subscribe to the topic {topic_arn}.\nTo confirm the subscription, visit the "
            "SubscribeURL included in this message."
        )
    else:
        said = (
            f"You have chosen to deactivate subscription {arn}.\nTo cancel this operation and restore the "
            "subscription, visit the SubscribeURL included in this message."
        )
    return {
        "Type": kind,
        "MessageId": message_id,
        "Token": token,
        "TopicArn": topic_arn,
        "Message": said,
        "SubscribeURL": f"{URL}?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}",
        "Timestamp": sent_at,
    }


class Endpoints:
    """The network, Lambda and SQS as SNS reaches them; what is not given never answers."""

    def __init__(self, queues: Queues | None, post: Post | None, invoke: InvokeFunction | None) -> None:
        self._queues = queues
        self._post = post
        self._invoke = invoke

    async def answer(self, delivery: Delivery, content_type: str) -> int | None:
        """The status that one attempt is answered; None = none, or too late."""
        try:
            match delivery.subscription.protocol:
                case "sqs":
                    return await self._enqueued(delivery, delivery.subscription.endpoint)
                case "lambda":
                    return await self._invoked(delivery)
                case "http" | "https":
                    with anyio.move_on_after(ANSWER_WITHIN_S):
                        return await self._posted(delivery, content_type)
        except TransientSourceError as error:
            return 503 if error.code else None
        except (OSError, SourceError):
            return None
        return None

    async def dead_letter(self, delivery: Delivery, arn: str) -> int | None:
        """Keep in a queue what would have been delivered; of a function's, the envelope (SNS-121)."""
        try:
            return await self._enqueued(delivery, arn, is_dead=True)
        except (OSError, SourceError):
            return None

    async def _posted(self, delivery: Delivery, content_type: str) -> int | None:
        if self._post is None:
            return None
        subscription = delivery.subscription
        headers = {
            "x-amz-sns-message-type": delivery.kind,
            "x-amz-sns-message-id": delivery.message_id,
            "x-amz-sns-topic-arn": subscription.topic_arn,
            "content-type": content_type,
            "user-agent": USER_AGENT,
            "accept-encoding": "gzip,deflate",
        }
        if delivery.kind != "SubscriptionConfirmation":
            headers["x-amz-sns-subscription-arn"] = subscription.arn
        if delivery.is_raw:
            headers["x-amz-sns-rawdelivery"] = "true"
        body = delivery.text.encode() if delivery.is_raw else _encoded(delivery.document)
        return await self._post(subscription.endpoint, headers, body)

    async def _invoked(self, delivery: Delivery) -> int | None:
        envelope = envelope_in(delivery.document)
        if self._invoke is None or envelope is None:
            return None
        is_notification = delivery.kind == "Notification"
        event = lambda_event(envelope, delivery.subscription.arn if is_notification else None)
        return await self._invoke(delivery.subscription.endpoint, orjson.dumps(event))

    async def _enqueued(self, delivery: Delivery, arn: str, *, is_dead: bool = False) -> int | None:
        if self._queues is None:
            return None
        name = arn.rpartition(":")[2]
        if arn != queue_arn(name):
            return 404
        entry: dict[str, Any] = {"MessageBody": _encoded(delivery.document).decode()}
        if delivery.is_raw:
            if len(delivery.attributes) > RAW_ATTRIBUTES and not is_dead:
                return 400
            # A dead letter has to fit into its queue, which holds no more than ten of them either.
            kept = dict(list(delivery.attributes.items())[:RAW_ATTRIBUTES])
            entry = {"MessageBody": delivery.text, "MessageAttributes": queue_attributes(kept)}
        if delivery.group is not None:
            entry["MessageGroupId"] = delivery.group
        if delivery.deduplication_id is not None and name.endswith(".fifo"):
            entry["MessageDeduplicationId"] = delivery.deduplication_id
        try:
            failed = await self._queues.send_message_batch(await self._queues.get_queue_url(name), [entry])
        except TransientSourceError:
            raise
        except SourceError:
            return 404
        if not failed:
            return 200
        return 503 if failed[0] in _REASONS_TO_TRY_AGAIN else 400


def _encoded(document: JsonObject) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)

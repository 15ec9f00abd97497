"""ReceivedTopic: one topic as one function is subscribed to it, over HTTP or through a queue of eventmap's own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import anyio
import orjson

from eventmap.pointers import PointerResolver
from eventmap.receivers.queue_intake import request_id
from eventmap.rules.filter_policy import FilterPolicy
from eventmap.rules.sns_message import Envelope, lambda_event

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)  # a UUID (SNS-09)


class ReceivedTopic:
    """`policy` is evaluated here too: SNS takes up to 15 minutes to act on a new one (SNS-75). None = every message."""

    def __init__(
        self, topic_arn: str, policy: FilterPolicy | None = None, pointers: PointerResolver | None = None
    ) -> None:
        """`pointers` None = those that are published are passed on as they are."""
        self.topic_arn = topic_arn
        self.subscription_arn = ""  #: "" until it is known
        self.pointers: PointerResolver | None = pointers
        self._policy = policy
        self._known = anyio.Event()

    def subscribed(self, subscription_arn: str) -> None:
        """Its subscription is known: SNS has told it, or the endpoint has confirmed it."""
        self.subscription_arn = subscription_arn
        self._known.set()

    async def subscription(self) -> str:
        """Wait until it is known."""
        await self._known.wait()
        return self.subscription_arn

    def subscription_named(self, header: str) -> str:
        """The subscription as its events name it; `header` is what a request says of it, which nobody has signed."""
        if self.subscription_arn:
            return self.subscription_arn
        topic_arn, _, identifier = header.rpartition(":")
        return header if topic_arn == self.topic_arn and _IDENTIFIER.fullmatch(identifier) else ""

    def passes(self, envelope: Envelope) -> bool:
        """Whether the filter policy lets a notification through (SNS-76)."""
        attributes: Any = envelope.fields.get("MessageAttributes")
        if self._policy is None or (self._policy.scope == "MessageAttributes" and attributes is None):
            # Servers other than SNS leave attributes out of what they post: whoever sent it has judged them already.
            return True
        return self._policy.passes(attributes, envelope.message)


async def with_payload(envelope: Envelope, pointers: PointerResolver | None) -> Envelope:
    """The message with the payload its pointer leads to (SNS-141). Raises: SourceError."""
    if pointers is None:
        return envelope
    return replace(envelope, message=await pointers.resolved(envelope.message))


def notification_identity(envelope: Envelope) -> str:
    """What a notification is known by, whichever way and however often it comes (SNS-29, 44)."""
    return f"{envelope.topic_arn}\n{envelope.message_id}"


def notification_request_id(envelope: Envelope, function_name: str) -> str:
    """The request id of its event, as `QueueIntake` makes it: a change of the way delivers nothing twice."""
    return request_id(notification_identity(envelope), function_name, "0")


def event_text(envelope: Envelope, subscription_arn: str) -> bytes:
    """The function's event as JSON text (SNS-50..57). Raises: ValueError if it cannot be written."""
    try:
        return orjson.dumps(lambda_event(envelope, subscription_arn))
    except orjson.JSONEncodeError as error:  # read, but nested too deeply to be written
        raise ValueError("its attributes are nested too deeply") from error

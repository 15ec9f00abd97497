"""What lies in the queue that eventmap subscribes to a topic, as `aws:sns` events.

Signatures are not asked for: the queue's policy lets nobody but the topic send to it, and FIFO topics sign nothing
(SNS-45).
"""

from __future__ import annotations

from eventmap.model import JsonObject
from eventmap.receivers.topics import ReceivedTopic, event_text, notification_identity
from eventmap.rules.sns_message import Envelope, envelope_of


def translate(topic: ReceivedTopic, body: str, _record: JsonObject) -> tuple[bytes, ...] | None:
    """The one event in an envelope; None if it is filtered out, or no notification. With its topic, a `Translate`.

    Raises: ValueError if it is no envelope of this topic.
    """
    envelope = _envelope(body)
    if envelope.topic_arn != topic.topic_arn:
        raise ValueError("the message is of another topic")
    if envelope.type != "Notification" or not topic.passes(envelope):
        return None
    return (event_text(envelope, topic.subscription_arn),)


def notification_of_record(body: str, _record: JsonObject) -> str:
    """The `Identify` of such a queue: SNS' own id, since SNS may put one message into it twice (SNS-10)."""
    return notification_identity(_envelope(body))


def _envelope(body: str) -> Envelope:
    envelope = envelope_of(body)
    if envelope is None:
        raise ValueError("the message is no envelope of SNS: is the subscription raw?")
    return envelope

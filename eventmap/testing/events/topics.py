"""SNS' events, as a function gets them (SNS-50..58)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventmap.model import JsonObject, JsonValue
from eventmap.rules.partition import partition
from eventmap.rules.sns_message import Envelope, lambda_event
from eventmap.testing.events.content import Attribute, text_of, typed
from eventmap.testing.origin import HERE, Origin

_SIGNATURE: Final = "RVhBTVBMRQ=="  # of no use to a function: AWS has checked who sent the message


def sns(
    message: object,
    *,
    topic: str = "orders",
    subject: str | None = None,
    attributes: Mapping[str, Attribute | list[str]] | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """A message of a topic, always one; what is not text is sent as JSON. A list of texts is a `String.Array`.

    The signature is none: `eventmap.testing.SigningAuthority` makes real ones.
    Raises: InvalidParameterValue for an attribute that is none.
    """
    topic_arn = origin.arn("sns", topic)
    subscription_arn = f"{topic_arn}:{origin.uuid('subscription')}"
    host = f"https://sns.{origin.region}.amazonaws.com{'.cn' if partition(origin.region) == 'aws-cn' else ''}"
    text = text_of(message)
    message_id = origin.uuid("notification")
    fields: JsonObject = {
        "Subject": subject,
        "Timestamp": origin.iso(),
        "SignatureVersion": "1",
        "Signature": _SIGNATURE,
        "SigningCertURL": f"{host}/SimpleNotificationService-{origin.hexadecimal('certificate')}.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}",
        "MessageAttributes": {name: _attribute(name, value) for name, value in (attributes or {}).items()},
    }
    envelope = Envelope("Notification", topic_arn, message_id, text, origin.at.timestamp(), fields)
    return lambda_event(envelope, subscription_arn)


def _attribute(name: str, value: object) -> JsonValue:
    kind, text = ("String.Array", text_of(value)) if isinstance(value, list) else typed(name, value)
    return {"Type": kind, "Value": text}

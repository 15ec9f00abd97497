"""A message of SNS, over HTTP, in a queue or for a function: read with suspicion, shaped, checked (SNS-20..69).

Everything here may have been written by a stranger: what does not hold is answered in words, never raised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import urlsplit

import orjson

from eventmap.model import JsonObject, JsonValue

MessageType = Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]

_TYPES: Final[frozenset[str]] = frozenset(get_args(MessageType))
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final[dict[MessageType, tuple[str, ...]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
"""What is signed, in this order (SNS-39); all but the subject must be there."""

_SPELLINGS: Final = {  # SNS-38
    "SigningCertUrl": "SigningCertURL",
    "SubscribeUrl": "SubscribeURL",
    "UnsubscribeUrl": "UnsubscribeURL",
}
_HOST: Final = re.compile(r"sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(?:\.cn)?", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message that has all it must have, each of the right type; whether it is genuine is another question."""

    type: MessageType
    topic_arn: str
    message_id: str
    message: str
    sent_at: float  #: epoch seconds, the sender's word
    fields: JsonObject  #: all members as they came, URLs spelled as over HTTP

    def text(self, name: str) -> str | None:
        """A member that is text; None if it is absent, null or something else."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None


def envelope_of(body: str | bytes) -> Envelope | None:
    """The message in a request's or a queue message's body; None if it is none (SNS-21, 35, 67).

    A signature is not asked for: FIFO topics deliver without one to queues (SNS-45).
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return envelope_in(document)


def envelope_in(document: JsonValue) -> Envelope | None:
    """The same of a parsed document: an envelope, or the `Sns` member of a Lambda record (SNS-38)."""
    found = document.get("Type") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(found, str) or found not in _TYPES:
        return None
    kind = cast(MessageType, found)
    fields: dict[str, Any] = {_SPELLINGS.get(name, name): value for name, value in document.items()}
    if not all(isinstance(fields.get(name), str) for name in _SIGNED[kind] if name != "Subject"):
        return None
    if not isinstance(fields.get("Subject"), str | None) or not _are_attributes(fields.get("MessageAttributes")):
        return None
    sent_at = _epoch_s(fields["Timestamp"])
    if sent_at is None:
        return None
    return Envelope(kind, fields["TopicArn"], fields["MessageId"], fields["Message"], sent_at, fields)


def string_to_sign(envelope: Envelope) -> bytes:
    """The bytes that are signed: each key and its value, a newline behind both; a null subject is absent.

    Rules: SNS-39..41.
    """
    present = ((name, envelope.text(name)) for name in _SIGNED[envelope.type])
    lines = (f"{name}\n{value}\n" for name, value in present if value is not None)
    return "".join(lines).encode("utf-8", "surrogatepass")


def certificate_url_problem(url: str) -> str | None:
    """Why a certificate must not be fetched from there; None = it is SNS' own place (SNS-37)."""
    problem = _url_problem(url)
    if problem is None and not urlsplit(url).path.endswith(".pem"):
        return "its path does not end in .pem"
    return problem


def subscribe_url_problem(url: str) -> str | None:
    """Why a subscription must not be confirmed by a visit there; None = it is SNS' own place (SNS-26)."""
    return _url_problem(url)


def staleness(envelope: Envelope, now: float, tolerance_s: float) -> str | None:
    """Why a message is too old, or from too far in the future, to be believed; None = it is fresh (SNS-44)."""
    age_s = now - envelope.sent_at
    if age_s > tolerance_s:
        return f"it is {age_s:.0f} s old, and at most {tolerance_s:.0f} s are believed"
    if -age_s > tolerance_s:
        return f"it is {-age_s:.0f} s ahead of our clock"
    return None


def lambda_event(envelope: Envelope, subscription_arn: str | None) -> JsonObject:
    """The event a function gets, in AWS' key order; `subscription_arn` None = a confirmation's (SNS-50..58a)."""
    fields = envelope.fields
    sns: JsonObject = {
        "Type": envelope.type,
        "MessageId": envelope.message_id,
        "TopicArn": envelope.topic_arn,
    }
    if envelope.type == "Notification":
        sns["Subject"] = fields.get("Subject")
    sns["Message"] = envelope.message
    sns["Timestamp"] = fields["Timestamp"]
    for name in ("SignatureVersion", "Signature"):
        sns[name] = envelope.text(name) or ""
    sns["SigningCertUrl"] = envelope.text("SigningCertURL") or ""
    if envelope.type == "Notification":
        sns["UnsubscribeUrl"] = envelope.text("UnsubscribeURL") or ""
        sns["MessageAttributes"] = fields.get("MessageAttributes") or {}
    else:
        sns["Token"], sns["SubscribeUrl"] = fields["Token"], fields["SubscribeURL"]
    record: JsonObject = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": sns,
    }
    return {"Records": [record]}


def raw_envelope(body: str, *, topic_arn: str, message_id: str, now: datetime) -> Envelope:
    """What a raw delivery tells, as a message: its body, and what its headers say (SNS-28..32, 70)."""
    timestamp = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields: JsonObject = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic_arn,
        "Message": body,
        "Timestamp": timestamp,
    }
    return Envelope("Notification", topic_arn, message_id, body, now.timestamp(), fields)


def _url_problem(url: str) -> str | None:
    if _UNPRINTABLE.search(url) or not url.isascii() or len(url) > 2_048:
        return "it is no plain URL"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is no URL"
    if parts.scheme != "https":
        return "it is not https"
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "it names a user"
    if port not in (None, 443) or parts.netloc.endswith(":"):
        return "it names a port of its own"
    if not _HOST.fullmatch(parts.hostname or ""):
        return "its host is not SNS' own"
    return None


def _are_attributes(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and all(
        isinstance(each, dict) and isinstance(each.get("Type"), str) and isinstance(each.get("Value"), str)
        for each in value.values()
    )


def _epoch_s(timestamp: str) -> float | None:
    if not _INSTANT.fullmatch(timestamp):
        return None
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return None

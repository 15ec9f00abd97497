"""SQS' events, as a function gets them (SQS-110..126)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject
from eventmap.rules.events.records import md5_of_attributes, sqs_record
from eventmap.testing.events.content import Attributes, needed, text_of, typed
from eventmap.testing.origin import HERE, Origin


def sqs(
    *bodies: object,
    queue: str = "orders",
    attributes: Attributes | None = None,
    group: str | None = None,
    receive_count: int = 1,
    system_attributes: Mapping[str, str] | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """A batch of messages, one for each body; what is not text is sent as JSON.

    A queue called `….fifo` gives them a group, "1" unless one is named, and growing sequence numbers.
    `system_attributes` are added to those SQS gives a message, or replace them: AWSTraceHeader, for instance.
    Raises: InvalidParameterValue for no body, a receive count below 1, and an attribute that is none.
    """
    if receive_count < 1:
        raise InvalidParameterValue(f"receive_count counts this receive, too: it is at least 1, not {receive_count}")
    messages = []
    for number, body in enumerate(needed(bodies, "SQS")):
        text = text_of(body)
        system = _system_attributes(text, number, group, receive_count, is_fifo=queue.endswith(".fifo"), origin=origin)
        messages.append(_message(text, number, attributes, {**system, **(system_attributes or {})}, origin))
    arn = origin.arn("sqs", queue)
    return {"Records": [sqs_record(message, arn, origin.region) for message in messages]}


def _message(
    text: str, number: int, attributes: Attributes | None, system_attributes: Mapping[str, str], origin: Origin
) -> dict[str, Any]:
    message: dict[str, Any] = {
        "MessageId": origin.uuid("message", number),
        "ReceiptHandle": "AQEB" + b64encode(bytes.fromhex(origin.hexadecimal("receipt", number, length=60))).decode(),
        "Body": text,
        "MD5OfBody": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        "Attributes": system_attributes,
    }
    if attributes:
        given = {name: _attribute(name, value) for name, value in attributes.items()}
        message |= {"MessageAttributes": given, "MD5OfMessageAttributes": md5_of_attributes(given)}
    return message


def _attribute(name: str, value: object) -> dict[str, str]:
    kind, text = typed(name, value)
    return {"BinaryValue" if kind == "Binary" else "StringValue": text, "DataType": kind}


def _system_attributes(
    text: str, number: int, group: str | None, receive_count: int, *, is_fifo: bool, origin: Origin
) -> dict[str, str]:
    attributes = {
        "ApproximateReceiveCount": str(receive_count),
        "SentTimestamp": str(origin.epoch_ms),
        "SenderId": f"AIDA{origin.hexadecimal('sender', length=16).upper()}",
        "ApproximateFirstReceiveTimestamp": str(origin.epoch_ms + 1),
    }
    if group is not None or is_fifo:
        attributes["MessageGroupId"] = group or "1"
    if is_fifo:
        attributes["SequenceNumber"] = str(18_849_496_460_467_696_128 + origin.offset(number) * 256)
        attributes["MessageDeduplicationId"] = hashlib.sha256(text.encode()).hexdigest()
    return attributes

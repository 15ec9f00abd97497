"""Messages of a topic as JSON lines: one line, one message.

    "some text"
    {"message": {"order": 1}, "subject": "an order", "attributes": {"tenant": "a", "tags": ["new", "paid"]}}

A message that is not a string stands for its compact JSON text. A queue's lines do, too: their body is the message.
An attribute that is an array is a `String.Array`; the others are written as a queue's.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.local.lines import attribute, compact, refuse_constant

MESSAGE_LIMIT_BYTES: Final = 262_144  # message and attributes together (SNS-03)
SUBJECT_LIMIT: Final = 99  # SNS-05

_ATTRIBUTE_NAME: Final = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.ASCII)
_NAMES: Final = ("message", "body")
_EXPECTED: Final = 'expected a JSON string, or an object with "message" and any of "subject", "attributes"'


@dataclass(frozen=True, slots=True)
class TopicEntry:
    """One message to publish."""

    message: str
    subject: str | None = None
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  #: in AWS' shape, binary values as bytes


def parse_topic_line(line: str | bytes, number: int) -> TopicEntry:
    """The message a line stands for; `number` is its place in the file, from 1.

    Raises: InvalidParameterValue naming the line and what is wrong with it.
    """
    try:
        document = json.loads(line, parse_constant=refuse_constant)
        return _entry(document if isinstance(document, dict) else {"message": _text(document)})
    except (ValueError, RecursionError) as error:
        raise InvalidParameterValue(f"line {number}: {error}") from error


def _entry(document: dict[str, Any]) -> TopicEntry:
    for name in _NAMES:
        if name in document:
            if unknown := sorted(document.keys() - {name, "subject", "attributes"}):
                raise ValueError(f"a topic's message has no {unknown[0]!r}; {_EXPECTED}")
            message, attributes = document[name], document.get("attributes") or {}
            if not isinstance(attributes, dict):
                raise ValueError('"attributes" must be an object')
            return _checked(
                TopicEntry(
                    message if isinstance(message, str) else compact(message),
                    _subject(document.get("subject")),
                    {name: _attribute(name, value) for name, value in attributes.items()},
                )
            )
    raise ValueError(_EXPECTED)


def _checked(entry: TopicEntry) -> TopicEntry:
    if not entry.message:
        raise ValueError('"message" must not be empty')
    size = len(entry.message.encode())
    for name, value in entry.attributes.items():
        content = value["BinaryValue"] if "BinaryValue" in value else value["StringValue"].encode()
        size += len(name.encode()) + len(value["DataType"].encode()) + len(content)
    if size > MESSAGE_LIMIT_BYTES:
        raise ValueError(
            f"the message has {size} bytes with its attributes, at most {MESSAGE_LIMIT_BYTES} are allowed (SNS-03)"
        )
    return entry


def _subject(subject: Any) -> str | None:
    if subject is None:
        return None
    if not isinstance(subject, str) or not 1 <= len(subject) <= SUBJECT_LIMIT or not subject.isprintable():
        raise ValueError(
            f'"subject" must be text of 1 to {SUBJECT_LIMIT} characters without line breaks and control characters '
            "(SNS-05)"
        )
    return subject


def _attribute(name: str, value: Any) -> dict[str, Any]:
    if not _ATTRIBUTE_NAME.fullmatch(name):
        raise ValueError(
            f"attribute name {name!r} must have 1 to 256 letters, digits, hyphens, underscores and dots, no dot "
            "first, last or doubled (SNS-06)"
        )
    if isinstance(value, list):
        return {"DataType": "String.Array", "StringValue": compact(value)}
    built = attribute(name, value)
    if "BinaryValue" in built:
        return {"DataType": built["DataType"], "BinaryValue": base64.b64decode(built["BinaryValue"])}
    return dict(built)


def _text(document: Any) -> str:
    if not isinstance(document, str):
        raise ValueError(_EXPECTED)
    return document

"""Messages as JSON lines: one line, one message.

    "a body"
    {"body": {"order": 1}, "attributes": {"tenant": "a", "weight": 2.5, "blob": {"binary": "AAE="}}, "group": "g"}

A body that is not a string stands for its compact JSON text. An attribute whose type has a label of its own is written
as AWS writes it: {"DataType": "Number.euro", "StringValue": "2.50"}.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from eventmap.errors import InvalidParameterValue

MESSAGE_LIMIT_BYTES: Final = 1_048_576  # body and attributes together (SQS-128)
ATTRIBUTES_LIMIT: Final = 10  # SQS-127
DELAY_LIMIT_S: Final = 900  # SQS-130

Entry = dict[str, Any]  # SendMessageBatch's fields without Id

_KEYS: Final = frozenset({"body", "attributes", "group", "dedup_id", "delay"})
_EXPECTED: Final = (
    'expected a JSON string, or an object with "body" and any of "attributes", "group", "dedup_id", "delay"'
)
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DATA_TYPE: Final = re.compile(r"(String|Number|Binary)(\..+)?")


def parse_line(line: str | bytes, number: int, *, fifo: bool) -> Entry:
    """The message a line stands for; `number` is its place in the file, from 1.

    Raises: InvalidParameterValue naming the line and what is wrong with it.
    """
    try:
        document = json.loads(line, parse_constant=refuse_constant)
        if isinstance(document, str):
            document = {"body": document}
        if not isinstance(document, dict) or "body" not in document:
            raise ValueError(_EXPECTED)
        return _entry(document, fifo=fifo)
    except (ValueError, RecursionError) as error:
        raise InvalidParameterValue(f"line {number}: {error}") from error


def dump_lines(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line, without its newline, per received message: the same body, attributes and group to send again.

    The de-duplication id is left out: within five minutes the queue would silently drop the copy (SQS-52).
    """
    for message in messages:
        line: dict[str, Any] = {"body": message["Body"]}
        attributes = message.get("MessageAttributes")
        if attributes:
            line["attributes"] = {name: _dumped(value) for name, value in attributes.items()}
        group = message.get("Attributes", {}).get("MessageGroupId")
        if group is not None:
            line["group"] = group
        yield compact(line)


def size_bytes(entry: Entry) -> int:
    """What SQS counts: the body, and each attribute's name, type and value."""
    size = len(entry["MessageBody"].encode())
    for name, value in entry.get("MessageAttributes", {}).items():
        text = value.get("StringValue")
        content = len(text.encode()) if text is not None else len(base64.b64decode(value["BinaryValue"]))
        size += len(name.encode()) + len(value["DataType"].encode()) + content
    return size


def _entry(document: dict[str, Any], *, fifo: bool) -> Entry:
    unknown = sorted(document.keys() - _KEYS)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; {_EXPECTED}")
    body = document["body"]
    entry: Entry = {"MessageBody": characters(body if isinstance(body, str) else compact(body), "body")}
    if document.get("attributes"):
        entry["MessageAttributes"] = _attributes(document["attributes"])
    for key, field in (("group", "MessageGroupId"), ("dedup_id", "MessageDeduplicationId")):
        if document.get(key) is not None:
            entry[field] = characters(document[key], key)
    if fifo and "MessageGroupId" not in entry:
        raise ValueError('a message for a FIFO queue needs "group"')
    if not fifo and "MessageDeduplicationId" in entry:
        raise ValueError('"dedup_id" is for FIFO queues only')
    delay = document.get("delay")
    if delay is not None:
        if fifo:
            raise ValueError('"delay" is not allowed on a FIFO queue (SQS-130)')
        if not isinstance(delay, int) or isinstance(delay, bool) or not 0 <= delay <= DELAY_LIMIT_S:
            raise ValueError(f'"delay" must be whole seconds from 0 to {DELAY_LIMIT_S}')
        entry["DelaySeconds"] = delay
    size = size_bytes(entry)
    if size > MESSAGE_LIMIT_BYTES:
        raise ValueError(f"the message has {size} bytes with its attributes, at most {MESSAGE_LIMIT_BYTES} are allowed")
    return entry


def _attributes(attributes: Any) -> dict[str, dict[str, str]]:
    if not isinstance(attributes, dict) or len(attributes) > ATTRIBUTES_LIMIT:
        raise ValueError(f'"attributes" must be an object with at most {ATTRIBUTES_LIMIT} names')
    return {characters(name, "attribute name"): attribute(name, value) for name, value in attributes.items()}


def attribute(name: str, value: Any) -> dict[str, str]:
    """A message attribute in AWS' shape, of what a line says. Raises: ValueError."""
    what = f"attribute {name!r}"
    match value:
        case str():
            return {"DataType": "String", "StringValue": characters(value, what)}
        case int() | float() if not isinstance(value, bool):
            return {"DataType": "Number", "StringValue": compact(value)}
        case {"binary": str(content), **rest} if not rest:
            return {"DataType": "Binary", "BinaryValue": base64_text(content, what)}
        case {"DataType": str(kind), "StringValue": str(text), **rest} if not rest and _is_kind(kind, binary=False):
            return {"DataType": characters(kind, what), "StringValue": characters(text, what)}
        case {"DataType": str(kind), "BinaryValue": str(content), **rest} if not rest and _is_kind(kind, binary=True):
            return {"DataType": characters(kind, what), "BinaryValue": base64_text(content, what)}
    raise ValueError(f'{what} must be a string, a number, or {{"binary": "base64 text"}}')


def _is_kind(data_type: str, *, binary: bool) -> bool:
    match = _DATA_TYPE.fullmatch(data_type)
    return match is not None and (match[1] == "Binary") == binary


def base64_text(text: str, what: str) -> str:
    """The text itself. Raises: ValueError if it is not base64, or of nothing."""
    try:
        if base64.b64decode(text, validate=True):
            return text
    except binascii.Error as error:
        raise ValueError(f"{what} is not base64: {error}") from error
    raise ValueError(f"{what} is empty")


def characters(text: Any, what: str) -> str:
    """The text itself: SQS takes neither an empty one nor control characters. Raises: ValueError."""
    if not isinstance(text, str) or not text:
        raise ValueError(f"{what} must be text of at least one character")
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        raise ValueError(f"{what} has the character U+{ord(forbidden[0]):04X}, which SQS does not carry")
    return text


def _dumped(value: Mapping[str, str]) -> Any:
    """The short form where it means the same, else AWS' own."""
    match value:
        case {"DataType": "String", "StringValue": text}:
            return text
        case {"DataType": "Binary", "BinaryValue": content}:
            return {"binary": content}
        case {"DataType": "Number", "StringValue": text}:
            number = _number(text)
            if number is not None and compact(number) == text:
                return number
    return {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if key in value}


def _number(text: str) -> int | float | None:
    try:
        number = json.loads(text)
    except ValueError:
        return None
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def compact(document: Any) -> str:
    """JSON text without spaces. Raises: ValueError for what has none."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def refuse_constant(name: str) -> Any:
    """For `json.loads`, which would take NaN and Infinity. Raises: ValueError."""
    raise ValueError(f"{name} is not JSON")

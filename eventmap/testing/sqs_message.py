"""One stored message: what was sent, checked as AWS checks it, in the shape a receive returns it."""

from __future__ import annotations

import base64
import enum
import hashlib
import re
import struct
from collections.abc import Mapping
from typing import Any, Final

from eventmap.testing.sqs_settings import QueueSettings

RawMessage = dict[str, Any]

_ENTRY_FIELDS: Final = frozenset(
    {
        "MessageBody",
        "MessageAttributes",
        "MessageSystemAttributes",
        "MessageGroupId",
        "MessageDeduplicationId",
        "DelaySeconds",
    }
)
_ATTRIBUTE_NAME: Final = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_DATA_TYPE: Final = re.compile(r"(String|Number|Binary)(\..{1,250})?", re.DOTALL)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_FORBIDDEN_CHARACTER: Final = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Attributes = Mapping[str, Mapping[str, str]]


class State(enum.Enum):
    """DELAYED ─▶ VISIBLE ⇄ IN_FLIGHT, and from each of them to GONE: deleted, expired or moved."""

    DELAYED = "delayed"
    VISIBLE = "visible"
    IN_FLIGHT = "in_flight"
    GONE = "gone"


class StoredMessage:
    """A message in one queue; a move to a dead-letter queue makes another one."""

    __slots__ = (
        "attributes",
        "enqueued_at",
        "group",
        "number",
        "rank",
        "receipt",
        "receive_count",
        "received_at",
        "received_elsewhere",
        "state",
        "timer",
        "wire",
    )

    def __init__(self, wire: RawMessage, attributes: dict[str, str], group: str | None, enqueued_at: float) -> None:
        self.wire: RawMessage = wire  #: everything of the received message that no receive changes
        self.attributes: dict[str, str] = attributes  #: system attributes, without the receive count
        self.group: str | None = group
        self.enqueued_at: float = enqueued_at  #: retention counts from here
        self.state: State = State.VISIBLE
        self.number: int = 0  #: the queue's own name for it: order of arrival
        self.rank: int = 0  #: place within its group
        self.receive_count: int = 0
        self.received_elsewhere: int = 0  #: receives before it was moved here: shown, but not held against it (SQS-71)
        self.received_at: float = 0.0
        self.receipt: str = ""  #: the latest one; "" before the first receive
        self.timer: int = 0  #: the one queue timer that still counts; 0 = none

    @property
    def message_id(self) -> str:
        return str(self.wire["MessageId"])


def wire_of(entry: Mapping[str, Any], message_id: str) -> RawMessage:
    """The unchanging part of a received message, both digests computed once (SQS-115, SQS-116, SQS-125, SQS-126)."""
    body = entry["MessageBody"]
    wire = {"MessageId": message_id, "Body": body, "MD5OfBody": _md5(body.encode())}
    attributes = entry.get("MessageAttributes")
    if attributes:
        wire["MessageAttributes"] = {
            name: {key: value[key] for key in ("StringValue", "BinaryValue", "DataType") if value.get(key) is not None}
            for name, value in attributes.items()
        }
        wire["MD5OfMessageAttributes"] = md5_of_message_attributes(attributes)
    return wire


def md5_of_message_attributes(attributes: Attributes) -> str:
    """Rule: SQS-125."""
    packed = bytearray()
    for name in sorted(attributes, key=str.encode):
        value = attributes[name]
        packed += _sized(name.encode()) + _sized(value["DataType"].encode())
        if value["DataType"].startswith("Binary"):
            packed += b"\x02" + _sized(base64.b64decode(value["BinaryValue"]))
        else:
            packed += b"\x01" + _sized(value["StringValue"].encode())
    return _md5(packed)


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """Size that counts against the limits: body, attribute names, types and values (SQS-128)."""
    size = _utf8_bytes(entry.get("MessageBody", ""))
    for name, value in (entry.get("MessageAttributes") or {}).items():
        size += _utf8_bytes(name) + _utf8_bytes(value.get("DataType", ""))
        size += _utf8_bytes(value.get("StringValue", "")) + len(value.get("BinaryValue", "")) * 3 // 4
    return size


def refusal(entry: Mapping[str, Any], settings: QueueSettings) -> str | None:
    """The code AWS refuses an entry with, or None if it takes it (SQS-52, SQS-127, SQS-128, SQS-130)."""
    if not entry.keys() <= _ENTRY_FIELDS:
        return "UnknownParameter"
    body = entry.get("MessageBody")
    if not body:
        return "MissingParameter"
    if not isinstance(body, str):
        return "InvalidParameterValue"
    if _FORBIDDEN_CHARACTER.search(body):
        return "InvalidMessageContents"
    if not _are_attributes_valid(entry.get("MessageAttributes") or {}):
        return "InvalidParameterValue"
    if (entry.get("MessageSystemAttributes") or {}).keys() - {"AWSTraceHeader"}:
        return "InvalidParameterValue"
    if entry_bytes(entry) > settings.maximum_message_size:
        return "InvalidParameterValue"
    return _addressing_refusal(entry, settings)


def _addressing_refusal(entry: Mapping[str, Any], settings: QueueSettings) -> str | None:
    group, token, delay = (entry.get(key) for key in ("MessageGroupId", "MessageDeduplicationId", "DelaySeconds"))
    if any(text is not None and not _TOKEN.fullmatch(text) for text in (group, token)):
        return "InvalidParameterValue"
    if settings.is_fifo:
        if group is None:
            return "MissingParameter"
        if delay or (token is None and not settings.content_based_deduplication):
            return "InvalidParameterValue"
    elif token is not None or (delay is not None and not 0 <= delay <= 900):
        return "InvalidParameterValue"
    return None


def _are_attributes_valid(attributes: Attributes) -> bool:
    return len(attributes) <= 10 and all(
        _ATTRIBUTE_NAME.fullmatch(name) is not None and _is_value_valid(value) for name, value in attributes.items()
    )


def _is_value_valid(value: Mapping[str, str]) -> bool:
    if not _DATA_TYPE.fullmatch(value.get("DataType", "")):
        return False
    if value["DataType"].startswith("Binary"):
        return _is_base64(value.get("BinaryValue", ""))
    text = value.get("StringValue", "")
    return bool(text) and not _FORBIDDEN_CHARACTER.search(text)


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _utf8_bytes(text: object) -> int:
    return len(str(text).encode("utf-8", "surrogatepass"))  # what cannot be sent is refused later, with its reason


def _sized(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _md5(data: bytes | bytearray) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()

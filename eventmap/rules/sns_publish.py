"""What SNS takes for publishing: names, sizes, subjects, attributes, one text per protocol (SNS-03..09, 126).

Refusals are SNS' own words, behind `Invalid parameter: `.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eventmap.model import JsonObject
from eventmap.rules.unique_json import unique_json

DEFAULT_MESSAGE_BYTES: Final = 262_144
MESSAGE_BYTES: Final = (1_024, 1_048_576)
"""The range of a topic's `MaximumMessageSize` (SNS-03)."""

LARGE_TOPIC_SUBSCRIPTIONS: Final = 100
LARGE_TOPIC_PROTOCOLS: Final = frozenset({"sqs", "firehose", "lambda"})
RAW_ATTRIBUTES: Final = 10
"""As many as a message of a queue has: one with more is not delivered raw (SNS-07)."""

BATCH_ENTRIES: Final = 10

_SUBJECT_CHARACTERS: Final = 100
_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_ATTRIBUTE_NAME: Final = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.ASCII)
_DATA_TYPE: Final = re.compile(r"(String|Number|Binary)(\.[A-Za-z0-9_.-]{1,249})?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TOKEN: Final = re.compile(r"[!-~]{1,128}")
_NO_DEDUPLICATION: Final = (
    "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this "
    "topic type"
)
_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)

Attributes = Mapping[str, Mapping[str, Any]]
"""In AWS' shape: {name: {"DataType": t, "StringValue": text}}, or with "BinaryValue": bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is published, as it was asked for; AWS' names."""

    message: str
    subject: str | None = None
    message_structure: str | None = None  #: "json" = `message` holds a text per protocol
    message_attributes: Attributes = field(default_factory=dict)
    message_group_id: str | None = None
    message_deduplication_id: str | None = None


def topic_name_problem(name: str, *, is_fifo: bool) -> str | None:
    """Why no topic can be called so; None = one can (SNS-09)."""
    if len(name) > 256 or not _TOPIC_NAME.fullmatch(name.removesuffix(".fifo") if is_fifo else name):
        return "Topic Name"
    if is_fifo and not name.endswith(".fifo"):
        return "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters"
    return None


def publication_problem(
    publication: Publication,
    *,
    maximum_bytes: int = DEFAULT_MESSAGE_BYTES,
    is_fifo: bool = False,
    content_based_deduplication: bool = False,
) -> str | None:
    """Why a topic takes no such message; None = it does. Rules: SNS-03, SNS-05, SNS-06, SNS-08, SNS-126, SNS-128."""
    if not publication.message:
        return "Empty message"
    problem = _unencodable(publication) or _attributes_problem(publication.message_attributes)
    if problem is not None:
        return problem
    if size_bytes(publication) > maximum_bytes:
        return "Message too long"
    if (subject := publication.subject) is not None and (
        not subject or len(subject) >= _SUBJECT_CHARACTERS or _CONTROL.search(subject)
    ):
        return "Subject"
    return _structure_problem(publication) or _ordering_problem(publication, is_fifo, content_based_deduplication)


def batch_problem(entries: Sequence[tuple[str, Publication]], *, maximum_bytes: int) -> tuple[str, str] | None:
    """(AWS' code, why) if a batch of (id, message) is refused as a whole; each entry is another question (SNS-04)."""
    if not entries:
        return "EmptyBatchRequest", "The batch request doesn't contain any entries."
    if len(entries) > BATCH_ENTRIES:
        return "TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible."
    identifiers = [identifier for identifier, _ in entries]
    if not all(map(_ENTRY_ID.fullmatch, identifiers)):
        return "InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification."
    if len(set(identifiers)) < len(identifiers):
        return "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."
    if sum(size_bytes(publication) for _, publication in entries) > maximum_bytes:
        return "BatchRequestTooLong", "The length of all the batch messages put together is more than the limit."
    return None


def size_bytes(publication: Publication) -> int:
    """What counts against the limit: the message, and its attributes' names, types and values (SNS-03)."""
    size = _utf8_bytes(publication.message)
    for name, value in publication.message_attributes.items():
        size += _utf8_bytes(name) + _utf8_bytes(value["DataType"])
        size += len(value["BinaryValue"]) if _is_binary(value) else _utf8_bytes(value["StringValue"])
    return size


def text_for(publication: Publication, protocol: str) -> str:
    """What endpoints of a protocol get: their own text, else the default one (SNS-08).

    Only for what `publication_problem` has nothing against.
    """
    if publication.message_structure != "json":
        return publication.message
    texts = _texts(publication.message)
    return texts.get(protocol, texts["default"])


def notification_attributes(attributes: Attributes) -> dict[str, dict[str, str]]:
    """The attributes as a notification carries them, binary values as base64 (SNS-55)."""
    return {name: {"Type": value["DataType"], "Value": _text_of(value)} for name, value in attributes.items()}


def queue_attributes(attributes: Attributes) -> dict[str, JsonObject]:
    """The attributes as a raw delivery's message has them on SQS' JSON wire (SNS-66)."""
    return {
        name: {"DataType": value["DataType"], "BinaryValue" if _is_binary(value) else "StringValue": _text_of(value)}
        for name, value in attributes.items()
    }


def deduplication_id(publication: Publication) -> str:
    """By which a FIFO topic knows a message again; its content decides where it names none (SNS-126)."""
    given = publication.message_deduplication_id
    return hashlib.sha256(publication.message.encode()).hexdigest() if given is None else given


def _texts(message: str) -> dict[str, str]:
    """The texts by protocol; what is no text is passed over. Raises: ValueError."""
    document = unique_json(message)
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    texts = {protocol: text for protocol, text in document.items() if isinstance(text, str)}
    "".join(texts.values()).encode()  # a UnicodeEncodeError is a ValueError: half a character, escaped
    return texts


def _unencodable(publication: Publication) -> str | None:
    texts = [publication.message, publication.subject or ""]
    texts += [str(value.get("StringValue", "")) for value in publication.message_attributes.values()]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return "it must be UTF-8"
    return None


def _attributes_problem(attributes: Attributes) -> str | None:
    for name, value in attributes.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            return f"The message attribute name '{name}' is not valid"
        kind = value.get("DataType")
        if not isinstance(kind, str) or not _DATA_TYPE.fullmatch(kind):
            return f"The message attribute '{name}' has an invalid message attribute type, String, Number or Binary"
        given = value.get("BinaryValue" if _is_binary(value) else "StringValue")
        if not isinstance(given, bytes if _is_binary(value) else str) or not given:
            return f"The message attribute '{name}' must contain a non-empty value of its type, {kind}"
        if kind.partition(".")[0] == "Number" and not _NUMBER.fullmatch(str(given)):
            return f"Could not cast message attribute '{name}' value to number."
    return None


def _structure_problem(publication: Publication) -> str | None:
    match publication.message_structure:
        case None:
            return None
        case "json":
            try:
                texts = _texts(publication.message)
            except ValueError:
                return "Message Structure - JSON message body failed to parse"
            return None if "default" in texts else "Message Structure - No default entry in JSON message body"
        case other:
            return f"MessageStructure must be json, not {other!r}"


def _ordering_problem(publication: Publication, is_fifo: bool, content_based_deduplication: bool) -> str | None:
    group, token = publication.message_group_id, publication.message_deduplication_id
    for name, text in (("MessageGroupId", group), ("MessageDeduplicationId", token)):
        if text is not None and not _TOKEN.fullmatch(text):
            return f"{name} must have 1 to 128 printable ASCII characters"
    if not is_fifo:
        return None if token is None else _NO_DEDUPLICATION
    if group is None:
        return "The MessageGroupId parameter is required for FIFO topics"
    if token is None and not content_based_deduplication:
        return (
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly"
        )
    return None


def _is_binary(value: Mapping[str, Any]) -> bool:
    return str(value.get("DataType", "")).partition(".")[0] == "Binary"


def _text_of(value: Mapping[str, Any]) -> str:
    return b64encode(value["BinaryValue"]).decode() if _is_binary(value) else str(value["StringValue"])


def _utf8_bytes(text: str) -> int:
    return len(text.encode())

"""Pointers to payloads in a bucket, as AWS' extended clients for SQS and SNS write and read them (SNS-135..142)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from eventmap.rules.sns_message import envelope_of

POINTER_CLASS: Final = "software.amazon.payloadoffloading.PayloadS3Pointer"
LEGACY_CLASS: Final = "com.amazon.sqs.javamessaging.MessageS3Pointer"
"""Of older clients for SQS (SNS-136)."""

SIZE_ATTRIBUTE: Final = "ExtendedPayloadSize"
"""The marker beside a pointer: how many bytes are in the bucket. Legacy: `SQSLargePayloadSize` (SNS-137)."""

THRESHOLD_BYTES: Final = 262_144
"""Larger payloads are stored (SNS-138)."""

_LONGEST_POINTER: Final = 4_096  # a bucket's name and a key, and what is around them
_BUCKET: Final = re.compile(r"[a-zA-Z0-9._-]{3,255}", re.ASCII)
_BUCKET_MARK, _KEY_MARK = "-..s3BucketName..-", "-..s3Key..-"


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a payload is."""

    bucket: str
    key: str


def pointer_of(body: str) -> Pointer | None:
    """The pointer that a message is, alone or as what a topic's envelope carries; None = it is none.

    By its shape: its marker is not to be had where attributes do not come along. Rules: SNS-135..137, 141.
    """
    pointer = _read(body)
    if pointer is None and body.startswith("{") and (envelope := envelope_of(body)) is not None:
        return _read(envelope.message)
    return pointer


def with_payload(body: str, payload: str) -> str:
    """The message with its payload in the pointer's place; an envelope stays one (SNS-141)."""
    if _read(body) is not None:
        return payload
    document: dict[str, Any] = orjson.loads(body)
    return orjson.dumps({**document, "Message": payload}).decode()


def pointer_text(pointer: Pointer) -> str:
    """As today's clients write it (SNS-135)."""
    return orjson.dumps([POINTER_CLASS, {"s3BucketName": pointer.bucket, "s3Key": pointer.key}]).decode()


def wrapped_receipt(pointer: Pointer, receipt: str) -> str:
    """A receipt handle as the extended client hands it out (SNS-139)."""
    return f"{_BUCKET_MARK}{pointer.bucket}{_BUCKET_MARK}{_KEY_MARK}{pointer.key}{_KEY_MARK}{receipt}"


def unwrapped_receipt(handle: str) -> tuple[Pointer | None, str]:
    """(pointer, the queue's own receipt handle); a handle that is not wrapped has none (SNS-139)."""
    match handle.split(_BUCKET_MARK, 2):
        case ["", bucket, rest]:
            match rest.split(_KEY_MARK, 2):
                case ["", key, receipt]:
                    return Pointer(bucket, key), receipt
    return None, handle


def _read(text: str) -> Pointer | None:
    if len(text) > _LONGEST_POINTER or not text.lstrip().startswith("["):
        return None
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    match document:
        case [str() as kind, {"s3BucketName": str() as bucket, "s3Key": str() as key}] if (
            kind in (POINTER_CLASS, LEGACY_CLASS) and _BUCKET.fullmatch(bucket) and key
        ):
            return Pointer(bucket, key)
    return None

"""Pointers of AWS' extended clients: recognised by their shape, wherever they are carried."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.rules.s3_pointer import (
    LEGACY_CLASS,
    POINTER_CLASS,
    SIZE_ATTRIBUTE,
    THRESHOLD_BYTES,
    Pointer,
    pointer_of,
    pointer_text,
    unwrapped_receipt,
    with_payload,
    wrapped_receipt,
)

POINTER = Pointer("payloads", "2f3a/key 1")


def enveloped(message: str) -> str:
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "m1",
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:reports",
            "Message": message,
            "Timestamp": "2026-01-01T00:00:00.000Z",
            "MessageAttributes": {SIZE_ATTRIBUTE: {"Type": "Number", "Value": "300000"}},
        }
    )


@pytest.mark.parametrize("kind", [POINTER_CLASS, LEGACY_CLASS])
def test_sns_135_136_137_a_pointer_is_known_by_its_shape(kind: str) -> None:
    """SNS-135..137: today's class and the older one, with or without its marker beside it."""
    body = json.dumps([kind, {"s3BucketName": "payloads", "s3Key": "2f3a/key 1"}])

    assert pointer_of(body) == POINTER


def test_sns_135_138_140_what_we_write_is_what_we_read() -> None:
    """SNS-135, 138, 140: any key; what is larger than a message of old is worth one."""
    assert pointer_of(pointer_text(POINTER)) == POINTER
    assert json.loads(pointer_text(POINTER)) == [POINTER_CLASS, {"s3BucketName": "payloads", "s3Key": "2f3a/key 1"}]
    assert THRESHOLD_BYTES == 256 * 1024


def test_sns_141_a_pointer_within_an_envelope() -> None:
    """SNS-141: the envelope is unwrapped first; the payload takes the pointer's place within it."""
    body = enveloped(pointer_text(POINTER))

    resolved = json.loads(with_payload(body, '{"big": true}'))

    assert pointer_of(body) == POINTER
    assert resolved == {**json.loads(body), "Message": '{"big": true}'}
    assert with_payload(pointer_text(POINTER), "text") == "text"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "text",
        "[]",
        "{}",
        "[" * 5_000,
        json.dumps([POINTER_CLASS]),
        json.dumps([POINTER_CLASS, {}]),
        json.dumps([POINTER_CLASS, {"s3BucketName": "b/../c", "s3Key": "k"}]),
        json.dumps([POINTER_CLASS, {"s3BucketName": "payloads", "s3Key": ""}]),
        json.dumps([POINTER_CLASS, {"s3BucketName": "payloads", "s3Key": 7}]),
        json.dumps([POINTER_CLASS, {"s3BucketName": "payloads", "s3Key": "k"}, 3]),
        json.dumps(["another", {"s3BucketName": "payloads", "s3Key": "k"}]),
        json.dumps([POINTER_CLASS, {"s3BucketName": "payloads", "s3Key": "k" * 5_000}]),
        enveloped("text"),
    ],
)
def test_sns_135_137_what_only_looks_like_a_pointer_is_none(body: str) -> None:
    """A message is passed on as it is unless it is a pointer through and through."""
    assert pointer_of(body) is None


def test_sns_139_receipt_handles_are_wrapped_and_unwrapped() -> None:
    """SNS-139: what the extended client hands out; a plain one stays as it is."""
    wrapped = wrapped_receipt(POINTER, "AQEB+/=")

    assert wrapped == "-..s3BucketName..-payloads-..s3BucketName..--..s3Key..-2f3a/key 1-..s3Key..-AQEB+/="
    assert unwrapped_receipt(wrapped) == (POINTER, "AQEB+/=")
    assert unwrapped_receipt("AQEB+/=") == (None, "AQEB+/=")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(POINTER_CLASS),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["s3BucketName", "s3Key", "Type", "Message"]), children)
    ),
    max_leaves=6,
)


@given(document=_JSON, handle=st.text())
def test_sns_135_139_nothing_a_stranger_writes_raises(document: Any, handle: str) -> None:
    """Whatever the body or the handle."""
    pointer_of(json.dumps(document))
    unwrapped_receipt(handle)

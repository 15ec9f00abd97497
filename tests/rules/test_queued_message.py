"""A queued event as a message of SQS: there and back, within its limits, and which queues may hold it."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.queued_event import QueuedEvent
from eventmap.rules.queued_message import (
    ERROR_LIMIT_BYTES,
    MESSAGE_LIMIT_BYTES,
    check_queue,
    check_queue_name,
    excess_bytes,
    from_message,
    queue_attributes,
    to_message,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
).map(orjson.dumps)
EVENTS = st.builds(
    QueuedEvent,
    request_id=st.uuids().map(str),
    function_name=st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True),
    payload=JSON,
    accepted_at=st.floats(0, 4e9),
    due_at=st.floats(0, 4e9),
    qualifier=st.text(max_size=20),
    trace_id=st.text(max_size=20),
    failures=st.integers(0, 2),
    refusals=st.integers(0, 1_000_000),
    last_error=st.none() | JSON,
)
NOT_FOR_SQS = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def event_of(payload: bytes, last_error: bytes | None = None) -> QueuedEvent:
    return QueuedEvent(
        request_id="c0ffee00-0000-4000-8000-000000000001",
        function_name="work",
        payload=payload,
        accepted_at=1_767_225_600.123,
        due_at=1_767_225_660.5,
        last_error=last_error,
    )


def texts(event: QueuedEvent) -> dict[str, str]:
    return {name: text for name, (_, text) in to_message(event)[1].items()}


@given(EVENTS)
def test_inv_40_42_an_event_comes_back_from_sqs_as_it_was(event: QueuedEvent) -> None:
    """Nothing about it is lost, and SQS accepts every character of it."""
    body, attributes = to_message(event)
    back = from_message(body, texts(event))

    assert orjson.loads(back.payload) == orjson.loads(event.payload)
    assert (back.last_error is None) == (event.last_error is None)
    if event.last_error is not None and back.last_error is not None:
        assert orjson.loads(back.last_error) == orjson.loads(event.last_error)
    same = ("request_id", "function_name", "accepted_at", "due_at", "qualifier", "trace_id", "failures", "refusals")
    assert [getattr(back, name) for name in same] == [getattr(event, name) for name in same]
    assert len(attributes) <= 10
    assert not any(NOT_FOR_SQS.search(text) for text in (body, *texts(event).values()))


def test_the_payload_is_sent_letter_for_letter() -> None:
    """White space, order and numbers are the sender's."""
    payload = b'{ "b": 1.0,\n  "a": "\\u00e9 \xc3\xa9" }'

    assert to_message(event_of(payload))[0].encode() == payload


@given(st.text(), st.text(), st.integers(0, 20_000))
def test_inv_47_a_long_error_keeps_its_type_and_the_beginning_of_its_message(
    kind: str, message: str, padding: int
) -> None:
    """What is kept is JSON, and never longer than its room."""
    error = orjson.dumps({"errorMessage": message + "\x01" * padding, "errorType": kind, "stackTrace": ["x" * 5_000]})

    kept = texts(event_of(b"{}", error))["LastError"]

    assert len(kept.encode()) <= ERROR_LIMIT_BYTES
    document = orjson.loads(kept)
    assert (message + "\x01" * padding).startswith(document["errorMessage"])
    assert kind.startswith(document["errorType"])


def test_a_long_error_that_is_no_object_keeps_its_beginning() -> None:
    """A custom runtime may answer anything."""
    kept = orjson.loads(texts(event_of(b"{}", orjson.dumps("x" * 5_000)))["LastError"])

    assert kept == {"errorMessage": '"' + "x" * 511}


@pytest.mark.parametrize("character", ["x", "\u00e9", "\uffff"])
def test_inv_17_what_fits_can_be_queued_again_with_its_error(character: str) -> None:
    """The largest event that is accepted, with the largest state and error, is still a message."""
    per_character = len(orjson.dumps(character).strip(b'"')) if character != "\uffff" else 6
    low, high = 0, MESSAGE_LIMIT_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        fits = not excess_bytes(event_of(b'"%s"' % (character.encode() * middle)))
        low, high = (middle, high) if fits else (low, middle - 1)
    payload = b'"%s"' % (character.encode() * low)
    last = QueuedEvent(
        request_id="c0ffee00-0000-4000-8000-000000000001",
        function_name="work",
        payload=payload,
        accepted_at=1_767_225_600.123,
        due_at=1_767_247_200.1234567,
        failures=2,
        refusals=1_000_000,
        last_error=b'"%s"' % (b"x" * (ERROR_LIMIT_BYTES - 2)),
    )

    body, attributes = to_message(last)

    size = len(body.encode()) + sum(
        len(name) + len(kind) + len(text.encode()) for name, (kind, text) in attributes.items()
    )
    assert MESSAGE_LIMIT_BYTES - 1_000 - per_character <= size <= MESSAGE_LIMIT_BYTES
    assert excess_bytes(event_of(payload + character.encode() * 10)) > 0


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"RequestID": "r"},
        {"RequestID": "r", "State": "{"},
        {"RequestID": "r", "State": "[]"},
        {"RequestID": "r", "State": '{"functionName":"work"}'},
        {"RequestID": "r", "State": '{"functionName":1,"acceptedAt":0,"dueAt":0,"qualifier":"","traceId":""}'},
        {
            "RequestID": "r",
            "State": '{"functionName":"w","acceptedAt":"x","dueAt":0,"qualifier":"","traceId":"","failures":0,'
            '"refusals":0}',
        },
    ],
)
def test_a_message_of_somebody_else_is_told_from_an_event(attributes: dict[str, str]) -> None:
    """Whatever is in its attributes."""
    with pytest.raises(ValueError, match="not an event that eventmap has queued"):
        from_message("{}", attributes)


def test_a_queue_is_made_for_the_function() -> None:
    """Its visibility outlives the function; its messages live as long as SQS allows."""
    made = queue_attributes(30)

    assert made == {"VisibilityTimeout": "90", "MessageRetentionPeriod": "1209600"}
    check_queue("events", made, 30)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"RedrivePolicy": '{"maxReceiveCount":3}'}, "redrive policy"),
        ({"VisibilityTimeout": "29"}, "visibility timeout 29 s, below the function timeout 30 s; raise it to 90 s"),
        ({"MessageRetentionPeriod": "3600"}, "keeps messages for 3600 s only"),
    ],
)
def test_a_queue_that_would_lose_or_repeat_events_is_refused(attributes: dict[str, str], words: str) -> None:
    """With what to change."""
    with pytest.raises(InvalidParameterValue, match=re.escape(words)):
        check_queue("events", {"VisibilityTimeout": "90", **attributes}, 30)


def test_a_fifo_queue_is_refused() -> None:
    """Its messages cannot be delayed one by one."""
    check_queue_name("events")
    with pytest.raises(InvalidParameterValue, match=r"events\.fifo"):
        check_queue_name("events.fifo")

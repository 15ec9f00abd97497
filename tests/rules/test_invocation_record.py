"""What destinations and dead-letter queues are told, letter for letter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.rules.invocation_record import (
    bucket_key,
    dead_letter_attributes,
    event_bus_entry,
    qualified_arn,
    record,
)

NOW = datetime(2019, 11, 14, 18, 16, 5, 568_999, tzinfo=UTC)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
ID = "c9b8fa9f-5a7f-4a2b-af9c-0c604cde93a5"
ERROR = b'{"errorMessage":"boom","errorType":"Exception","requestId":"' + ID.encode() + b'","stackTrace":["..."]}'


def event(**changes: Any) -> QueuedEvent:
    usual: dict[str, Any] = {
        "request_id": ID,
        "function_name": "f",
        "payload": b"{}",
        "accepted_at": 0.0,
        "due_at": 0.0,
    }
    return QueuedEvent(**(usual | changes))


def end(**changes: Any) -> EventEnd:
    usual: dict[str, Any] = {
        "condition": "RetriesExhausted",
        "ended_at": 0.0,
        "invoke_count": 3,
        "response": ERROR,
        "function_error": "Unhandled",
    }
    return EventEnd(**(usual | changes))


NOTHING_RAN = {"invoke_count": 0, "response": None, "function_error": None}
GONE = {"response": None, "function_error": None, "status_code": 404}


def told(of: QueuedEvent, ended: EventEnd, limit_bytes: int | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(record(of, ended, ARN, NOW, limit_bytes=limit_bytes))
    return document


def test_inv_48_60_61_the_record_of_a_failure_is_the_documented_one() -> None:
    """Key for key in AWS' order, milliseconds cut off, a qualifier where none was named."""
    assert record(event(), end(), ARN, NOW, limit_bytes=None).decode() == (
        '{"version":"1.0","timestamp":"2019-11-14T18:16:05.568Z",'
        f'"requestContext":{{"requestId":"{ID}",'
        '"functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",'
        '"condition":"RetriesExhausted","approximateInvokeCount":3},'
        '"requestPayload":{},'
        '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        f'"responsePayload":{ERROR.decode()}}}'
    )


def test_inv_49_60_the_record_of_a_success_has_no_function_error() -> None:
    """A handler that returned nothing answered null, and null is what the record says."""
    success = end(condition="Success", invoke_count=1, response=b"null", function_error=None)

    document = told(event(qualifier="live"), success)

    assert document["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert document["responsePayload"] is None
    assert document["requestContext"]["functionArn"] == f"{ARN}:live" == qualified_arn(ARN, event(qualifier="live"))
    assert document["requestContext"]["condition"] == "Success"


@pytest.mark.parametrize("condition", ["ZeroReservedConcurrency", "EventAgeExceeded"])
def test_inv_46_47_61_what_never_ran_has_no_response(condition: str) -> None:
    """Neither its context nor its payload; the count is 0."""
    document = told(event(), end(condition=condition, **NOTHING_RAN))

    assert list(document) == ["version", "timestamp", "requestContext", "requestPayload"]
    assert document["requestContext"]["condition"] == condition
    assert document["requestContext"]["approximateInvokeCount"] == 0


def test_inv_47_an_event_too_old_after_it_ran_has_its_last_response() -> None:
    """As one whose retries are used up."""
    document = told(event(), end(condition="EventAgeExceeded", invoke_count=1))

    assert document["responsePayload"] == json.loads(ERROR)
    assert document["requestContext"]["approximateInvokeCount"] == 1


def test_inv_64a_what_was_gone_has_a_status_and_nothing_else() -> None:
    """No version was executed and nothing answered."""
    document = told(event(qualifier="live"), end(invoke_count=2, **GONE))

    assert document["responseContext"] == {"statusCode": 404}
    assert "responsePayload" not in document


def test_inv_62_a_record_above_the_limit_has_neither_payload() -> None:
    """The limit is the whole record's, in bytes; everything else stays."""
    sent = event(payload=json.dumps({"text": "ü" * 300}, ensure_ascii=False).encode())
    whole = record(sent, end(), ARN, NOW, limit_bytes=None)

    just_fits, too_large = told(sent, end(), len(whole)), told(sent, end(), len(whole) - 1)

    assert just_fits == json.loads(whole)
    assert list(too_large) == ["version", "timestamp", "requestContext", "responseContext"]
    assert too_large == {key: just_fits[key] for key in too_large}


@given(st.binary(max_size=200).map(lambda data: json.dumps({"é": data.hex()}, indent=1).encode()))
def test_inv_60_payload_and_response_are_spliced_in_as_they_are(payload: bytes) -> None:
    """No number, space or escape is rewritten."""
    text = record(event(payload=payload), end(response=payload), ARN, NOW, limit_bytes=None)

    assert text.count(payload) == 2
    assert json.loads(text)["requestPayload"] == json.loads(payload) == json.loads(text)["responsePayload"]


@pytest.mark.parametrize(("ok", "last"), [(True, "Success"), (False, "Failure")])
def test_inv_58_an_event_bus_gets_an_entry(ok: bool, last: str) -> None:
    """Bus and qualified function are its resources; the record is its detail."""
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/orders"

    entry = event_bus_entry(b'{"version":"1.0"}', bus, f"{ARN}:$LATEST", ok)

    assert entry == {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {last}",
        "Detail": '{"version":"1.0"}',
        "Resources": [bus, f"{ARN}:$LATEST"],
        "EventBusName": bus,
    }


def test_inv_59_a_bucket_gets_an_object_by_day_and_second() -> None:
    """In UTC, wherever it is now."""
    here = NOW.astimezone(timezone(timedelta(hours=9)))

    assert bucket_key("f", here, ID) == f"aws/lambda/async/f/2019/11/14/2019-11-14T18.16.05-{ID}"


def test_inv_65_a_dead_letter_has_id_status_and_message() -> None:
    """A function error was answered with 200."""
    assert dead_letter_attributes(event(), end()) == {
        "RequestID": ("String", ID),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "boom"),
    }


@pytest.mark.parametrize(
    ("ended", "code", "message"),
    [
        (end(invoke_count=2, **GONE), "404", "Function not found: f:live"),
        (end(condition="ZeroReservedConcurrency", **NOTHING_RAN), "429", "Rate Exceeded."),
        (end(response=b'"text"'), "200", '"text"'),
        (end(response=b'{"errorMessage":7}'), "200", "7"),
        (end(response=b"\xff not json"), "200", "\ufffd not json"),
    ],
)
def test_inv_64a_65_other_ends_have_their_own_status(ended: EventEnd, code: str, message: str) -> None:
    """Gone, never run, and answers that are no error objects."""
    attributes = dead_letter_attributes(event(qualifier="live"), ended)

    assert (attributes["ErrorCode"][1], attributes["ErrorMessage"][1]) == (code, message)


@pytest.mark.parametrize(
    ("message", "kept"),
    [("x" * 1024, "x" * 1024), ("x" * 1025, "x" * 1024), ("x" * 1023 + "ü", "x" * 1023), ("€" * 400, "€" * 341)],
)
def test_inv_65_the_message_is_cut_at_a_kilobyte_between_characters(message: str, kept: str) -> None:
    """Bytes of UTF-8 are counted, and no half character is sent."""
    error = json.dumps({"errorMessage": message}).encode()

    assert dead_letter_attributes(event(), end(response=error))["ErrorMessage"] == ("String", kept)


def test_inv_65_an_attribute_holds_only_what_an_attribute_may() -> None:
    """An empty one, or a control character, would be refused, and the event lost with it."""
    empty = dead_letter_attributes(event(), end(response=b'{"errorMessage":""}'))
    control = dead_letter_attributes(event(), end(response=b'{"errorMessage":"a\\u0000b\\n\\ufffe"}'))

    assert "ErrorMessage" not in empty
    assert control["ErrorMessage"] == ("String", "a\ufffdb\n\ufffd")

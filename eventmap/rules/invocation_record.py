"""What destinations and dead-letter queues are told of an asynchronous event's end (INV-46..49, INV-58..66)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import orjson

from eventmap.model import JsonObject
from eventmap.queued_event import EventEnd, QueuedEvent

ERROR_MESSAGE_LIMIT_BYTES: Final = 1024
"""Of the dead-letter attribute `ErrorMessage` (INV-65)."""

_LATEST: Final = "$LATEST"
_NOT_RUN: Final = (429, "Rate Exceeded.")  # what a caller would have been told (INV-26)
# An attribute's value may hold no other characters; one that does would be refused, and the event with it.
_NOT_ALLOWED: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def qualified_arn(function_arn: str, event: QueuedEvent) -> str:
    """`function_arn`, which is unqualified, as records name it: always with a qualifier (INV-60)."""
    return f"{function_arn}:{event.qualifier or _LATEST}"


def record(event: QueuedEvent, end: EventEnd, function_arn: str, now: datetime, *, limit_bytes: int | None) -> bytes:
    """The record of an end as compact JSON text, in AWS' key order.

    `function_arn` is unqualified. Payload and response are spliced in as they are, letter for letter. Larger than
    `limit_bytes` in all, the record is without either (INV-62); None = the target takes any size.
    Rules: INV-46..49, 60..62, 64a.
    """
    whole = _spliced(event, end, function_arn, now, has_payloads=True)
    if limit_bytes is None or len(whole) <= limit_bytes:
        return whole
    return _spliced(event, end, function_arn, now, has_payloads=False)


def _spliced(event: QueuedEvent, end: EventEnd, function_arn: str, now: datetime, *, has_payloads: bool) -> bytes:
    at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    context = {
        "requestId": event.request_id,
        "functionArn": qualified_arn(function_arn, event),
        "condition": end.condition,
        "approximateInvokeCount": end.invoke_count,
    }
    parts = [orjson.dumps({"version": "1.0", "timestamp": at, "requestContext": context})[:-1]]
    if has_payloads:
        parts += [b',"requestPayload":', event.payload]
    if end.invoke_count:
        parts += [b',"responseContext":', orjson.dumps(_response_context(end))]
        if has_payloads and end.response is not None:
            parts += [b',"responsePayload":', end.response]
    parts.append(b"}")
    return b"".join(parts)


def _response_context(end: EventEnd) -> JsonObject:
    context: JsonObject = {"statusCode": end.status_code}
    if end.response is not None:
        context["executedVersion"] = end.executed_version
    if end.function_error is not None:
        context["functionError"] = end.function_error
    return context


def dead_letter_attributes(event: QueuedEvent, end: EventEnd) -> dict[str, tuple[str, str]]:
    """The message attributes of an event in a dead-letter queue: each name with its data type and value (INV-65).

    `ErrorMessage` is absent where there is no text, for an attribute may not be empty. Of an event that never ran AWS
    says nothing: it has the status and text of a throttled call.
    """
    code, message = end.status_code, ""
    if not end.invoke_count:
        code, message = _NOT_RUN
    elif end.response is None:
        qualifier = f":{event.qualifier}" if event.qualifier else ""
        message = f"Function not found: {event.function_name}{qualifier}"
    else:
        message = _error_message(end.response)
    attributes = {"RequestID": ("String", event.request_id), "ErrorCode": ("Number", str(code))}
    if text := _shortened(message):
        attributes["ErrorMessage"] = ("String", text)
    return attributes


def _error_message(error: bytes) -> str:
    """Of an error object; of anything else, the whole text."""
    try:
        document = orjson.loads(error)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and "errorMessage" in document:
        return str(document["errorMessage"])
    return error.decode(errors="replace")


def _shortened(message: str) -> str:
    """At most 1 KB of UTF-8, cut between two characters."""
    text = _NOT_ALLOWED.sub("\ufffd", message)
    return text.encode()[:ERROR_MESSAGE_LIMIT_BYTES].decode(errors="ignore")


def bucket_key(function_name: str, now: datetime, unique: str) -> str:
    """The key of an S3 destination's object; `unique` is a UUID (INV-59)."""
    at = now.astimezone(UTC)
    return f"aws/lambda/async/{function_name}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{unique}"


def event_bus_entry(record: bytes, bus_arn: str, function_arn: str, ok: bool) -> JsonObject:
    """One entry of PutEvents, `EventBusName` included; `function_arn` as `qualified_arn` makes it (INV-58)."""
    return {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {'Success' if ok else 'Failure'}",
        "Detail": record.decode(),
        "Resources": [bus_arn, function_arn],
        "EventBusName": bus_arn,
    }

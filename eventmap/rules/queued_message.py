"""A queued event as a message in SQS: its payload is the body, the rest are message attributes (INV-40, INV-42)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject, JsonValue
from eventmap.queued_event import QueuedEvent
from eventmap.rules.parcel import message_text

MESSAGE_LIMIT_BYTES: Final = 1_048_576
"""Body and attributes together (SQS-128)."""

ERROR_LIMIT_BYTES: Final = 4_096
"""Of the last error that goes along; of a longer one its type and the beginning of its message."""

MARGIN_S: Final = 60
"""How much longer than the function a message stays invisible: Init, and telling the destinations."""

RETENTION_S: Final = 1_209_600
LEAST_RETENTION_S: Final = 86_400

_REQUEST_ID: Final = "RequestID"
_STATE: Final = "State"
_LAST_ERROR: Final = "LastError"
_STATE_ROOM_BYTES: Final = 256  # how much the state may grow: its counters, and instants of more digits

Attributes = Mapping[str, tuple[str, str]]


def excess_bytes(event: QueuedEvent) -> int:
    """How much too large an accepted event is to be queued, and queued again with an error beside it; 0 = it fits."""
    body, attributes = to_message(event)
    size = len(body.encode()) + sum(len(part.encode()) for name, pair in attributes.items() for part in (name, *pair))
    error_room = len(_LAST_ERROR) + len("String") + ERROR_LIMIT_BYTES
    return max(0, size + error_room + _STATE_ROOM_BYTES - MESSAGE_LIMIT_BYTES)


def to_message(event: QueuedEvent) -> tuple[str, Attributes]:
    """(body, attributes by name: data type and text)."""
    state = {
        "functionName": event.function_name,
        "acceptedAt": event.accepted_at,
        "dueAt": event.due_at,
        "qualifier": event.qualifier,
        "traceId": event.trace_id,
        "failures": event.failures,
        "refusals": event.refusals,
    }
    attributes = {
        _REQUEST_ID: ("String", event.request_id),
        _STATE: ("String", message_text(orjson.dumps(state))),
    }
    if event.last_error is not None:
        attributes[_LAST_ERROR] = ("String", message_text(_short(event.last_error)))
    return message_text(event.payload), attributes


def from_message(body: str, attributes: Mapping[str, str]) -> QueuedEvent:
    """The way back; `attributes` are texts by name.

    Raises: ValueError for a message that eventmap did not send, saying what is wrong with it.
    """
    try:
        state: dict[str, Any] = orjson.loads(attributes[_STATE])
        error = attributes.get(_LAST_ERROR)
        return QueuedEvent(
            request_id=attributes[_REQUEST_ID],
            function_name=_text(state["functionName"]),
            payload=body.encode(),
            accepted_at=float(state["acceptedAt"]),
            due_at=float(state["dueAt"]),
            qualifier=_text(state["qualifier"]),
            trace_id=_text(state["traceId"]),
            failures=int(state["failures"]),
            refusals=int(state["refusals"]),
            last_error=None if error is None else error.encode(),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"it is not an event that eventmap has queued: {error!r}") from error


def queue_attributes(function_timeout: int) -> dict[str, str]:
    """What a queue of events is made with."""
    return {"VisibilityTimeout": str(function_timeout + MARGIN_S), "MessageRetentionPeriod": str(RETENTION_S)}


def check_queue_name(name: str) -> None:
    """Raises: InvalidParameterValue for a FIFO queue."""
    if name.endswith(".fifo"):
        raise InvalidParameterValue(
            f'event queue "{name}" is a FIFO queue, in which a message cannot wait for its next attempt by itself: '
            "name a standard queue"
        )


def check_queue(name: str, attributes: Mapping[str, str], function_timeout: int) -> None:
    """Refuse a queue that would lose events, or run them twice; `attributes` as SQS tells them.

    Raises: InvalidParameterValue saying what to change.
    """
    if attributes.get("RedrivePolicy"):
        raise InvalidParameterValue(
            f'event queue "{name}" has a redrive policy, which would take events away before their end: remove it; '
            "events given up go to the function's OnFailure destination or dead_letter_config"
        )
    visibility = int(attributes.get("VisibilityTimeout", 30))
    if visibility < function_timeout:
        raise InvalidParameterValue(
            f'event queue "{name}" has visibility timeout {visibility} s, below the function timeout '
            f"{function_timeout} s; raise it to {function_timeout + MARGIN_S} s"
        )
    retention = int(attributes.get("MessageRetentionPeriod", 345_600))
    if retention < LEAST_RETENTION_S:
        raise InvalidParameterValue(
            f'event queue "{name}" keeps messages for {retention} s only; raise its MessageRetentionPeriod to '
            f"{RETENTION_S} s, or at least {LEAST_RETENTION_S} s"
        )


def _short(error: bytes) -> bytes:
    if len(error) <= ERROR_LIMIT_BYTES:
        return error
    document: JsonValue = orjson.loads(error)
    said = document if isinstance(document, dict) else {"errorMessage": error.decode()}
    # No character takes more than six bytes as JSON text.
    short: JsonObject = {"errorMessage": str(said.get("errorMessage", ""))[:512]}
    if "errorType" in said:
        short["errorType"] = str(said["errorType"])[:128]
    return orjson.dumps(short)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value

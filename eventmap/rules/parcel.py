"""What is sent to a target when an asynchronous event has ended, whatever kind of target it is (INV-55..65)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.rules.invocation_record import (
    bucket_key,
    dead_letter_attributes,
    event_bus_entry,
    qualified_arn,
    record,
)

MESSAGE_LIMIT_BYTES: Final = 262_144
"""Of a record in a queue, a topic or an event bus (INV-62)."""

FUNCTION_LIMIT_BYTES: Final = 1_048_576
"""Of a record that becomes another function's event (INV-17)."""

_ENTRY_BYTES: Final = 128  # what an entry of PutEvents counts beside its detail and the two ARNs


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a target is sent: each kind takes the `body`, and what else is of its kind."""

    body: bytes  #: JSON text: a message, an object, a function's event, or one entry of PutEvents
    attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Of a message, by name: (data type, text)."""
    key: str = ""  #: of an object; sent again, it is the same object
    request_id: str = ""  #: of the event it becomes in a function of this process; sent again, it is the same event
    trace_id: str = ""  #: `X-Amzn-Trace-Id` of that event; "" = none


def record_parcel(arn: str, event: QueuedEvent, end: EventEnd, function_arn: str, now: datetime) -> Parcel:
    """The record of an end as the target of that ARN carries it; `function_arn` is unqualified.

    Rules: INV-55..62.
    """
    name = qualified_arn(function_arn, event)
    # The same for the same event, but not for one that an operator has had tried anew.
    unique = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{event.request_id} {event.accepted_at} {name} {arn}"))
    match arn.split(":")[2]:
        case "s3":
            body = record(event, end, function_arn, now, limit_bytes=None)
            return Parcel(body=body, key=bucket_key(event.function_name, now, unique))
        case "events":
            room = MESSAGE_LIMIT_BYTES - _ENTRY_BYTES - len(arn) - len(name)
            detail = record(event, end, function_arn, now, limit_bytes=room)
            return Parcel(body=orjson.dumps(event_bus_entry(detail, arn, name, end.condition == "Success")))
        case "lambda":
            body = record(event, end, function_arn, now, limit_bytes=FUNCTION_LIMIT_BYTES)
            return Parcel(body=body, request_id=unique)
        case _:
            return Parcel(body=record(event, end, function_arn, now, limit_bytes=MESSAGE_LIMIT_BYTES))


def dead_letter_parcel(event: QueuedEvent, end: EventEnd) -> Parcel:
    """An event that was given up, as it was, for a queue or a topic (INV-65)."""
    return Parcel(body=event.payload, attributes=dead_letter_attributes(event, end))


def message_text(body: bytes) -> str:
    """JSON text as a message may carry it: two characters that neither SQS nor SNS accepts are escaped."""
    return body.decode().replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")

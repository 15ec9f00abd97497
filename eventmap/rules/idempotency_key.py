"""Which key an event or record has: by default, by a dotted path, by a function; and its digest, which is stored.

The default is what stays the same when the source delivers again:

| record of | key |
| --- | --- |
| SQS | queue and message id |
| Kinesis, DynamoDB Streams | stream, shard and sequence number, which are the event's id |
| SNS | topic and message id |
| S3 | bucket, object key, version, sequencer and event name |

An event that is no batch is its own key, as a whole. An SNS or S3 event has the keys of its records. A batch of a queue
or stream has none: it may come back in another composition. Nor has an HTTP request, which has a time and number of
its own each time it is sent, nor a record that lacks what the table names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from eventmap.errors import ConfigurationError, KeyNotFound

KeySource = Callable[[Any], object] | str
"""A function of the event or record, or a dotted path into it: `body.order.id`, `items.0.sku`."""

_PUSHED: Final = ("aws:sns", "aws:s3")


def check_path(path: str, field: str) -> None:
    """Raises: ConfigurationError."""
    if not all(path.split(".")):
        raise ConfigurationError(f'{field} {path!r} is not a dotted path such as "body.order.id"')


def found(source: KeySource | None, event: Any, *, field: str = "key") -> object:
    """What `source` finds in `event`; None finds the default key.

    Whatever a function raises passes through. Raises: KeyNotFound if there is none, or an empty one.
    """
    if source is None:
        return _default(event)
    value = _at(source, event, field) if isinstance(source, str) else source(event)
    if _is_missing(value):
        of = f'at "{source}"' if isinstance(source, str) else "by its function"
        raise KeyNotFound(f"the {field} found {of} is {value!r}: an empty one would be shared by unrelated events")
    return value


def digest(value: object, *, field: str = "key") -> str:
    """64 hexadecimal digits; equal for what is equal in JSON, whatever the order of its fields.

    What is stored is this: any length of key fits, and nothing personal stays behind. Raises: KeyNotFound.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise KeyNotFound(
            f"the {field} is of type {type(value).__name__}, which JSON cannot express: {error}"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


def _default(event: Any) -> object:
    if not isinstance(event, dict):
        return [event]  # of None, too: an event is never missing
    records = event.get("Records")
    if not isinstance(records, list):
        return _of_single(event)
    keys = [
        _of_record(record) if isinstance(record, dict) and _source(record) in _PUSHED else None for record in records
    ]
    if not keys or None in keys:
        raise KeyNotFound(
            "a batch of records has no key, it may come back in another composition: put @each_record above "
            "@idempotent, so that each record has its own, or say which with key="
        )
    return keys


def _of_single(event: dict[str, Any]) -> object:
    if (of_record := _of_record(event)) is not None:
        return of_record
    match event:
        case {"eventSource": _} | {"EventSource": _} | {"messageId": _, "receiptHandle": _}:
            raise KeyNotFound("this record has no key by which its source delivers it again: say which with key=")
        case {"requestContext": {"requestId": _}}:
            raise KeyNotFound("an HTTP request is never the same twice: say which part of it is its key with key=")
        case _:
            return event


def _of_record(record: dict[str, Any]) -> object | None:
    """None if it is not a record."""
    match record:
        case {"messageId": str(message_id), "eventSourceARN": str(queue_arn)}:
            return [queue_arn, message_id]
        case {"eventID": str(event_id), "eventSourceARN": str(stream_arn)}:
            return [stream_arn, event_id]
        case {"Sns": {"MessageId": str(message_id), "TopicArn": str(topic_arn)}}:
            return [topic_arn, message_id]
        case {"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key, **rest}}}:
            return ["s3", bucket, key, rest.get("versionId"), rest.get("sequencer"), name]
        case _:
            return None


def _source(record: dict[str, Any]) -> object:
    return record.get("eventSource", record.get("EventSource"))


def _at(path: str, event: Any, field: str) -> object:
    """Text in the way is read as JSON: the body of a message is text."""
    value, walked = event, ""
    for name in path.split("."):
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise KeyNotFound(f'the {field} "{path}" is not in the event: "{walked}" is not JSON') from None
        match value:
            case dict() if name in value:
                value = value[name]
            case list() if name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            case _:
                within = f'in "{walked}"' if walked else "in the event"
                raise KeyNotFound(f'the {field} "{path}" is not in the event: no "{name}" {within}')
        walked = f"{walked}.{name}" if walked else name
    return value


def _is_missing(value: object) -> bool:
    """Nothing, or something of which a part is nothing."""
    if isinstance(value, list | tuple):
        return not value or any(map(_is_missing, value))
    return value is None or value in ("", {})

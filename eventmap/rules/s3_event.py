"""S3's notifications: found in what arrived, matched, told apart and put in order (SRC-20..32).

Everything here may have been written by a stranger: what is not understood raises ValueError, whose text says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from eventmap.model import JsonObject
from eventmap.rules.sns_message import envelope_in
from eventmap.subscription import S3Notification

_TEST_EVENT: Final = "s3:TestEvent"
_DEEPEST_ENVELOPE: Final = 4  # a topic may deliver to a queue that something forwards to another topic, and no further
_SOURCES: Final = ("aws:s3", "minio:s3", "ceph:s3")  # a tuple: what is looked for in it may be of any type


def events_of(text: str | bytes) -> tuple[JsonObject, ...]:
    """The records S3 tells of, direct, in a queue's message, or in SNS' envelopes; () for its test event (SRC-28..30).

    Raises: ValueError for anything else.
    """
    document: Any = _parsed(text)
    for _ in range(_DEEPEST_ENVELOPE):
        envelope = envelope_in(document)
        if envelope is None:
            break
        document = _parsed(envelope.message)
    if not isinstance(document, dict):
        raise ValueError("it is no notification of S3: not a JSON object")
    if document.get("Event") == _TEST_EVENT:
        return ()
    records = document.get("Records")
    if not isinstance(records, list) or not records:
        raise ValueError("it is no notification of S3: it has no Records")
    for record in records:
        _check(record)
    return tuple(records)


def lambda_event(records: Iterable[JsonObject]) -> bytes:
    """The event a function gets, as JSON text: the records as they came (SRC-20).

    Raises: ValueError if it cannot be written.
    """
    try:
        return orjson.dumps({"Records": list(records)})
    except orjson.JSONEncodeError as error:  # read, but nested too deeply to be written
        raise ValueError("it is no notification of S3: a record is nested too deeply") from error


def decoded_key(key: str) -> str:
    """A key as the bucket has it; in notifications it is encoded like the value of a form (SRC-22)."""
    return unquote_plus(key)


def matches(record: JsonObject, notification: S3Notification) -> bool:
    """Whether the bucket's configuration would have told of it: bucket, event, prefix and suffix (SRC-21, 25, 26)."""
    entity: Any = record["s3"]
    key = decoded_key(entity["object"]["key"])
    return (
        entity["bucket"]["name"] == notification.bucket_name
        and any(_is_told_of(str(record["eventName"]), event) for event in notification.events)
        and key.startswith(notification.prefix)
        and key.endswith(notification.suffix)
    )


def identity(record: JsonObject) -> str:
    """What one change of one object is known by, whichever way and however often it is told of (SRC-24, 32).

    On AWS the sequencer would do. There are servers that have none, or always the same one: the time, the request and
    the content's tag tell their changes apart, for to take two changes for one loses an event.
    """
    entity: Any = record["s3"]
    answered = record.get("responseElements")
    request = answered.get("x-amz-request-id") if isinstance(answered, dict) else None
    told = [entity["object"].get(name) for name in ("versionId", "sequencer", "eTag")]
    parts = [
        entity["bucket"]["name"],
        entity["object"]["key"],
        str(record["eventName"]),
        *(each if isinstance(each, str) else "" for each in (*told, record.get("eventTime"), request)),
    ]
    return orjson.dumps(parts).decode()  # no part can be taken for two


def is_later(sequencer: str, than: str) -> bool:
    """Whether a put or delete of one key came after another: hexadecimal numbers of unequal lengths (SRC-24)."""
    length = max(len(sequencer), len(than))
    return sequencer.upper().rjust(length, "0") > than.upper().rjust(length, "0")


def overlap(mine: S3Notification, events: Iterable[str], prefix: str, suffix: str) -> bool:
    """Whether a bucket would refuse both configurations: one object could be told of twice (SRC-26)."""
    if not any(_share(ours, theirs) for ours in mine.events for theirs in events):
        return False
    return (mine.prefix.startswith(prefix) or prefix.startswith(mine.prefix)) and (
        mine.suffix.endswith(suffix) or suffix.endswith(mine.suffix)
    )


def _check(record: Any) -> None:
    if not isinstance(record, dict) or record.get("eventSource") not in _SOURCES:
        raise ValueError("it is no notification of S3: a record is not from aws:s3")
    entity = record.get("s3")
    bucket, found = (entity.get("bucket"), entity.get("object")) if isinstance(entity, dict) else (None, None)
    if (
        not isinstance(record.get("eventName"), str)
        or not isinstance(bucket, dict)
        or not isinstance(bucket.get("name"), str)
        or not isinstance(found, dict)
        or not isinstance(found.get("key"), str)
    ):
        raise ValueError("it is no notification of S3: a record lacks its event, bucket or key")


def _is_told_of(event_name: str, configured: str) -> bool:
    """Records leave out the `s3:` that configurations have (SRC-21), though servers other than AWS may not."""
    event = f"s3:{event_name.removeprefix('s3:')}"
    # Families without details may be asked for with a wildcard, too.
    return _covers(configured, event) or configured == f"{event}:*"


def _share(one: str, another: str) -> bool:
    """Whether some event is of both configured kinds."""
    return _covers(one, another) or _covers(another, one)


def _covers(configured: str, event: str) -> bool:
    return configured == event or (configured.endswith(":*") and event.startswith(configured[:-1]))


def _parsed(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("it is no notification of S3: not JSON") from None

"""S3's events, as a function gets them (SRC-20..29)."""

from __future__ import annotations

import hashlib
from typing import Final, cast
from urllib.parse import quote_plus

import orjson

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject, JsonValue
from eventmap.rules.bus.region import Region
from eventmap.rules.bus.sources import s3_event
from eventmap.rules.partition import partition
from eventmap.subscription import EVENT_FAMILIES
from eventmap.testing.events.content import bytes_of, needed
from eventmap.testing.origin import HERE, Origin

_VERSIONS: Final = {
    "Replication": "2.2",
    "LifecycleExpiration": "2.3",
    "LifecycleTransition": "2.3",
    "IntelligentTiering": "2.3",
    "ObjectTagging": "2.3",
    "ObjectAcl": "2.3",
}
"""Of the record, by its family; all others are of 2.1 (SRC-20)."""

_DELETED: Final = ("ObjectRemoved:Delete", "LifecycleExpiration:Delete")
_MARKED: Final = ("ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:DeleteMarkerCreated")


def s3(
    bucket: str,
    *keys: str,
    event_name: str = "ObjectCreated:Put",
    body: object = b"",
    version_id: str | None = None,
    members: JsonObject | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """What a bucket tells of its objects, a record for each key; S3 itself sends one at a time (SRC-28).

    `keys` are as the bucket has them; the records have them encoded (SRC-22). Size and eTag are those of `body`; a
    deletion has neither (SRC-23). `version_id` None = the bucket has no versions. `members` are added to the record:
    `glacierEventData` and the like.
    Raises: InvalidParameterValue for no key, or an event S3 does not tell of.
    """
    name = event_name.removeprefix("s3:")
    family = name.partition(":")[0]
    if family not in EVENT_FAMILIES:
        raise InvalidParameterValue(
            f"S3 tells of no event {event_name!r}; known are {', '.join(sorted(EVENT_FAMILIES))}"
        )
    content = bytes_of(body)
    version = version_id or (origin.hexadecimal("version") if name in _MARKED else None)
    records: list[JsonValue] = []
    for number, key in enumerate(needed(keys, "S3")):
        described = s3_object(key, None if name in _DELETED else content, version, f"{origin.offset(number) + 1:018X}")
        if name in _MARKED:
            described.pop("size")
        record = s3_record(bucket, name, described, _VERSIONS.get(family, "2.1"), origin)
        records.append({**record, **(members or {})})
    return {"Records": records}


def s3_on_bus(
    bucket: str,
    key: str,
    *,
    event_name: str = "ObjectCreated:Put",
    body: object = b"",
    version_id: str | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """The same of one object as EventBridge tells it; its key is not encoded (SRC-22, 31).

    Raises: InvalidParameterValue for an event that S3 tells no bus of.
    """
    told = s3(bucket, key, event_name=event_name, body=body, version_id=version_id, origin=origin)
    [record] = cast("list[JsonObject]", told["Records"])
    sent = s3_event(record, Region(origin.region, origin.account_id), now=origin.at.timestamp())
    if sent is None:
        raise InvalidParameterValue(f"S3 tells no bus of {event_name!r}")
    event: JsonObject = orjson.loads(sent.text())
    return event


def s3_test(bucket: str, *, origin: Origin = HERE) -> JsonObject:
    """What S3 sends to a queue or topic to try a configuration; it has no records, and no function gets it (SRC-29)."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": origin.iso(),
        "Bucket": bucket,
        "RequestId": origin.hexadecimal("request", length=16).upper(),
        "HostId": origin.hexadecimal("host"),
    }


def s3_object(key: str, body: bytes | None, version_id: str | None, sequencer: str) -> JsonObject:
    """The member `object` of a record; `body` None = it is gone, `version_id` None = it has no versions."""
    described: JsonObject = {"key": quote_plus(key, safe="/")}
    if body is not None:
        described["size"] = len(body)
        described["eTag"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
    if version_id is not None:
        described["versionId"] = version_id
    return {**described, "sequencer": sequencer}


def s3_record(bucket: str, event_name: str, described: JsonObject, version: str, origin: Origin) -> JsonObject:
    """A record, in AWS' order of keys (SRC-20); `described` is its `object`."""
    return {
        "eventVersion": version,
        "eventSource": "aws:s3",
        "awsRegion": origin.region,
        "eventTime": origin.iso(),
        "eventName": event_name,
        "userIdentity": {"principalId": "AWS:AIDAMEMORY"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": origin.hexadecimal("request", length=16).upper(),
            "x-amz-id-2": origin.hexadecimal("host"),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "eventmap",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "AMEMORY"},
                "arn": f"arn:{partition(origin.region)}:s3:::{bucket}",
            },
            "object": described,
        },
    }

"""What services put on the default bus: S3's notifications as events (SRC-31)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

import orjson

from eventmap.model import JsonObject
from eventmap.rules.bus.event import BusEvent, read_timestamp, timestamp
from eventmap.rules.bus.region import Region
from eventmap.rules.partition import partition
from eventmap.rules.s3_event import decoded_key, identity

_NAMESPACE: Final = uuid.UUID("c0a4c3f0-1d1c-4f52-8a60-2f6d3f6c7d10")

_EVENTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "ObjectCreated:Put": ("Object Created", {"reason": "PutObject"}),
    "ObjectCreated:Post": ("Object Created", {"reason": "POST Object"}),
    "ObjectCreated:Copy": ("Object Created", {"reason": "CopyObject"}),
    "ObjectCreated:CompleteMultipartUpload": ("Object Created", {"reason": "CompleteMultipartUpload"}),
    "ObjectRemoved:Delete": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
    ),
    "ObjectRemoved:DeleteMarkerCreated": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"},
    ),
    "LifecycleExpiration:Delete": (
        "Object Deleted",
        {"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"},
    ),
    "LifecycleExpiration:DeleteMarkerCreated": (
        "Object Deleted",
        {"reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"},
    ),
    "ObjectRestore:Post": ("Object Restore Initiated", {}),
    "ObjectRestore:Completed": ("Object Restore Completed", {}),
    "ObjectRestore:Delete": ("Object Restore Expired", {}),
    "LifecycleTransition": ("Object Storage Class Changed", {}),
    "IntelligentTiering": ("Object Access Tier Changed", {}),
    "ObjectAcl:Put": ("Object ACL Updated", {}),
    "ObjectTagging:Put": ("Object Tags Added", {}),
    "ObjectTagging:Delete": ("Object Tags Deleted", {}),
}
"""By the notification's eventName: the detail-type, and what the detail says of it."""

NOTIFICATIONS: Final = tuple(f"s3:{name}" for name in _EVENTS)
"""All that S3 tells buses of, as a bucket's notification configuration spells it (SRC-25, 31)."""


def s3_event(record: JsonObject, region: Region, *, now: float) -> BusEvent | None:
    """One record of a notification, as `rules.s3_event` reads them; None = S3 tells buses nothing of that kind.

    The same change makes the same event, however often it is told of. Keys are not encoded here (SRC-22).
    """
    notification: Any = record
    name = notification["eventName"].removeprefix("s3:")
    if (told := _EVENTS.get(name)) is None:
        return None
    detail_type, more = told
    bucket = notification["s3"]["bucket"]["name"]
    return BusEvent(
        event_id=str(uuid.uuid5(_NAMESPACE, identity(record))),
        source="aws.s3",
        detail_type=detail_type,
        detail=orjson.dumps(_detail(notification, name, more)).decode(),
        account=region.account_id,
        region=_text(notification.get("awsRegion")) or region.name,
        time=_time(notification.get("eventTime"), now),
        ingested_at=now,
        resources=(f"arn:{partition(region.name)}:s3:::{bucket}",),
    )


def _detail(notification: Any, name: str, more: Mapping[str, str]) -> dict[str, Any]:
    entity = notification["s3"]
    found = entity["object"]
    described = {
        "key": decoded_key(found["key"]),
        "size": found.get("size"),
        "etag": found.get("eTag"),
        "version-id": found.get("versionId"),
        "sequencer": found.get("sequencer"),
    }
    told = {
        "version": "0",
        "bucket": {"name": entity["bucket"]["name"]},
        "object": _there(described),
        "request-id": _member(notification, "responseElements", "x-amz-request-id"),
        "requester": "s3.amazonaws.com"
        if name.startswith("Lifecycle")
        else _member(notification, "userIdentity", "principalId"),
        "source-ip-address": _member(notification, "requestParameters", "sourceIPAddress"),
        **more,
    }
    return _there(told)


def _member(notification: Any, name: str, member: str) -> Any:
    """None = it is not there: servers other than AWS leave out much, and a stranger may have written anything."""
    found = notification.get(name)
    return found.get(member) if isinstance(found, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _there(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _time(text: object, now: float) -> str:
    try:
        return timestamp(read_timestamp(str(text)))
    except ValueError:
        return timestamp(now)

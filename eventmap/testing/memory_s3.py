"""S3 in memory: buckets and objects, versions and sequencers, and notifications in AWS' shapes (SRC-20..30)."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

import orjson

from eventmap.clock import utc_now
from eventmap.errors import BucketNotFound, ConfigurationError, ObjectNotFound, ObjectTooLarge, SourceError
from eventmap.model import JsonObject
from eventmap.rules.s3_event import matches, overlap
from eventmap.subscription import S3Notification
from eventmap.testing.events.buckets import s3_record, s3_test
from eventmap.testing.memory_sqs import MemorySqs
from eventmap.testing.origin import Origin
from eventmap.testing.s3_telling import Tell, Telling

REGION: Final = "us-east-1"
SUBJECT: Final = "Amazon S3 Notification"
"""What S3 calls its messages where they have a subject: for a `publish` that has a topic to publish to (SRC-30)."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object."""

    key: str
    body: bytes
    version_id: str | None  #: None in a bucket without versions

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class _DeleteMarker:
    """The version that stands for the object's absence."""

    version_id: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a bucket's notification configuration."""

    identifier: str
    arn: str
    notification: S3Notification


@dataclass(slots=True)
class _Bucket:
    is_versioned: bool
    objects: dict[str, list[StoredObject | _DeleteMarker]] = field(default_factory=dict)  # versions, oldest first
    entries: dict[str, _Entry] = field(default_factory=dict)


class MemoryS3:
    """One account's buckets. Queues are told by `queues`, topics by `publish`, functions by `invoke`.

    At once, in order and once; or, as S3 may (SRC-32): `delay_s` later, inside `async with s3.delivering():`; with
    `disorder` after some part of that time, so that one overtakes another; `duplicates` is the share of notifications
    that come twice. `seed` decides everything random. A destination that is gone is passed over, as S3 does in the end.
    """

    def __init__(
        self,
        *,
        queues: MemorySqs | None = None,
        publish: Tell | None = None,
        invoke: Tell | None = None,
        delay_s: float = 0.0,
        disorder: bool = False,
        duplicates: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._telling = Telling(
            queues, publish, invoke, delay_s=delay_s, disorder=disorder, duplicates=duplicates, seed=seed
        )
        self._buckets: dict[str, _Bucket] = {}
        self._sequence = itertools.count(0x55AED6DCD90281E5)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[MemoryS3]:
        """Deliver what is late for the length of the block; what is not due then is delivered by the next one."""
        async with self._telling.running():
            yield self

    async def settled(self) -> None:
        """Wait until every notification has been delivered. Raises: RuntimeError outside `delivering`."""
        await self._telling.settled()

    # What a test says and looks at. -----------------------------------------------------------------------------------

    def add_bucket(self, name: str, *, versions: bool = False) -> None:
        """One that exists stays as it is."""
        self._buckets.setdefault(name, _Bucket(versions))

    def delete_bucket(self, name: str) -> None:
        """With all that is in it. Raises: BucketNotFound."""
        self._bucket(name)
        del self._buckets[name]

    def put_object(self, bucket: str, key: str, body: bytes, *, event: str = "ObjectCreated:Put") -> StoredObject:
        """Store it, and tell whom the bucket tells. `event`: how it came, such as ObjectCreated:Copy."""
        found = self._bucket(bucket)
        stored = StoredObject(key, body, uuid.uuid4().hex if found.is_versioned else None)
        versions = found.objects.setdefault(key, [])
        if not found.is_versioned:
            versions.clear()
        versions.append(stored)
        self._tell(bucket, event, key, {"size": len(body), "eTag": stored.etag}, stored.version_id)
        return stored

    def copy_object(self, bucket: str, key: str, to_bucket: str, to_key: str) -> StoredObject:
        """Raises: SourceError if there is nothing to copy."""
        return self.put_object(to_bucket, to_key, self.body(bucket, key), event="ObjectCreated:Copy")

    def delete_object(self, bucket: str, key: str, *, version_id: str | None = None) -> None:
        """Of a bucket with versions only the one that is named goes for good; without a name a marker is put on top.

        In one without versions, deleting what is not there is told of all the same.
        Raises: SourceError with code NoSuchVersion.
        """
        found = self._bucket(bucket)
        if version_id is not None:
            gone = self._version(found, key, version_id)
            found.objects[key].remove(gone)
            self._tell(bucket, "ObjectRemoved:Delete", key, {}, version_id)
        elif found.is_versioned:
            marker = _DeleteMarker(uuid.uuid4().hex)
            found.objects.setdefault(key, []).append(marker)
            entity: JsonObject = {"eTag": hashlib.md5(b"", usedforsecurity=False).hexdigest()}
            self._tell(bucket, "ObjectRemoved:DeleteMarkerCreated", key, entity, marker.version_id)
        else:
            found.objects.pop(key, None)
            self._tell(bucket, "ObjectRemoved:Delete", key, {}, None)

    def body(self, bucket: str, key: str, *, version_id: str | None = None) -> bytes:
        """Of the newest version, or the one named. Raises: SourceError with code NoSuchKey or NoSuchVersion."""
        found = self._bucket(bucket)
        versions = found.objects.get(key, [])
        if version_id is not None:
            versions = [self._version(found, key, version_id)]
        if not versions or not isinstance(chosen := versions[-1], StoredObject):
            raise SourceError(f"bucket {bucket!r} has no object {key!r}", code="NoSuchKey")
        return chosen.body

    def keys(self, bucket: str) -> list[str]:
        """Of the objects there are now, sorted."""
        objects = self._bucket(bucket).objects
        return sorted(key for key, versions in objects.items() if versions and isinstance(versions[-1], StoredObject))

    def notify(self, notification: S3Notification, identifier: str, arn: str) -> None:
        """Tell a queue, topic or function from now on; queues and topics are sent the test event (SRC-29).

        Raises: ConfigurationError for an overlap (SRC-26) and a FIFO destination (SRC-27); BucketNotFound; SourceError
        for a destination that is not there.
        """
        bucket = self._bucket(notification.bucket_name)
        if arn.endswith(".fifo"):
            raise ConfigurationError(f"S3 does not notify FIFO destinations such as {arn} (SRC-27)")
        if not self._telling.reaches(arn):
            raise SourceError(
                f"Unable to validate the following destination configurations: {arn}", code="InvalidArgument"
            )
        for entry in bucket.entries.values():
            mine = entry.notification
            if entry.identifier != identifier and overlap(notification, mine.events, mine.prefix, mine.suffix):
                raise ConfigurationError(
                    f"Configurations overlap. Configurations on the same bucket cannot share a common event type: "
                    f"{entry.identifier} (SRC-26)"
                )
        bucket.entries[identifier] = _Entry(identifier, arn, notification)
        if ":lambda:" not in arn:
            self._telling.send(arn, orjson.dumps(s3_test(notification.bucket_name, origin=_origin())).decode())

    # The ports `BucketApi` and `ObjectReader`. ------------------------------------------------------------------------

    async def find_bucket(self, bucket: str) -> None:
        self._bucket(bucket)

    async def add_notification(self, notification: S3Notification, identifier: str, queue_arn: str) -> None:
        self.notify(notification, identifier, queue_arn)

    async def get_object(self, bucket: str, key: str, *, limit_bytes: int) -> bytes:
        """As `eventmap.pointers.ObjectReader`."""
        try:
            body = self.body(bucket, key)
        except BucketNotFound:
            raise
        except SourceError as error:
            raise ObjectNotFound(bucket, key) from error
        if len(body) > limit_bytes:
            raise ObjectTooLarge(bucket, key, limit_bytes)
        return body

    async def remove_notification(self, bucket: str, identifier: str) -> None:
        if bucket in self._buckets:
            self._buckets[bucket].entries.pop(identifier, None)

    # How it tells. ----------------------------------------------------------------------------------------------------

    def _tell(self, bucket: str, event: str, key: str, entity: JsonObject, version_id: str | None) -> None:
        record = self._record(bucket, event, key, entity, version_id)
        for entry in self._bucket(bucket).entries.values():
            if matches(record, entry.notification):
                document = {"Records": [_configured(record, entry.identifier)]}
                self._telling.tell(entry.arn, orjson.dumps(document).decode())

    def _record(self, bucket: str, event: str, key: str, entity: JsonObject, version_id: str | None) -> JsonObject:
        described: JsonObject = {"key": quote_plus(key, safe="/"), **entity}
        if version_id is not None:
            described["versionId"] = version_id
        described["sequencer"] = f"{next(self._sequence):018X}"
        return s3_record(bucket, event, described, "2.1", _origin())

    @staticmethod
    def _version(bucket: _Bucket, key: str, version_id: str) -> StoredObject | _DeleteMarker:
        for each in bucket.objects.get(key, ()):
            if each.version_id == version_id:
                return each
        raise SourceError(f"object {key!r} has no version {version_id!r}", code="NoSuchVersion")

    def _bucket(self, name: str) -> _Bucket:
        if name not in self._buckets:
            raise BucketNotFound(name, "memory")
        return self._buckets[name]


def _configured(record: JsonObject, identifier: str) -> JsonObject:
    entity: Any = record["s3"]
    return {**record, "s3": {**entity, "configurationId": identifier}}


def _origin() -> Origin:
    """Here and now, with identifiers that no other has."""
    return Origin(region=REGION, at=utc_now(), seed=uuid.uuid4().int)

"""Topics and buckets of an emulator, messages to a topic, objects in a bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from eventmap.local.object_lines import ObjectEntry
from eventmap.local.patience import patiently
from eventmap.local.topic_lines import TopicEntry


class TopicSeedingApi(Protocol):
    """The part of SNS that seeding needs."""

    async def publish(
        self,
        topic_arn: str,
        message: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str: ...


class BucketSeedingApi(Protocol):
    """The part of S3 that seeding needs."""

    async def put_object(self, bucket: str, key: str, body: bytes) -> None: ...


async def publish_messages(api: TopicSeedingApi, topic_arn: str, entries: Sequence[TopicEntry]) -> None:
    """Publish one after the other; one whose answer was lost may be published twice. Raises: SourceError."""
    for entry in entries:
        async for attempt in patiently():
            with attempt:
                await api.publish(topic_arn, entry.message, subject=entry.subject, attributes=entry.attributes)


async def put_objects(api: BucketSeedingApi, bucket: str, entries: Sequence[ObjectEntry]) -> None:
    """Put one after the other: of two with the same key the second one replaces the first. Raises: SourceError."""
    for entry in entries:
        async for attempt in patiently():
            with attempt:
                await api.put_object(bucket, entry.key, entry.body)

"""BucketApi: all that is asked of S3: AWS through `eventmap.aws`, or the in-memory one of `eventmap.testing`."""

from __future__ import annotations

from typing import Protocol

from eventmap.subscription import S3Notification


class BucketApi(Protocol):
    """Raises, from every call: BucketNotFound, AccessRefused, TransientSourceError, SourceError."""

    async def find_bucket(self, bucket: str) -> None:
        """Make sure that it exists. Raises: BucketNotFound."""

    async def add_notification(self, notification: S3Notification, identifier: str, queue_arn: str) -> None:
        """Let the bucket tell a queue; one of that identifier is replaced, all others stay.

        Raises: ConfigurationError if it overlaps with one that somebody else has made (SRC-26).
        """

    async def remove_notification(self, bucket: str, identifier: str) -> None:
        """Take it back, all others stay; one that is gone already, alone or with its bucket, is fine."""

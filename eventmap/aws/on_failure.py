"""Where reports of discarded batches are sent: an SQS queue, an SNS topic or an S3 bucket (STR-90..103)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import orjson

from eventmap.aws.session import AwsSettings
from eventmap.aws.targets import BucketTarget, Target, is_missing, open_target
from eventmap.errors import ConfigurationError, SourceError
from eventmap.model import JsonObject
from eventmap.rules.parcel import Parcel
from eventmap.rules.report import s3_key, with_payload


class MessageDestination:
    """A standard queue or topic: the report is a message (STR-96)."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def check(self) -> None:
        """Look for it. Raises: ConfigurationError if it does not exist; SourceError."""
        await _check(self._target)

    async def send(self, report: JsonObject, *, shard_id: str, payload: bytes | None) -> None:
        """`shard_id` and `payload` are not sent: the report names its shard, and only a bucket stores the event.

        Raises: SourceError; TransientSourceError if it may be tried again.
        """
        await self._target.send(Parcel(body=orjson.dumps(report)))


class BucketDestination:
    """A bucket: an object holds the report and the event itself (STR-97, STR-98)."""

    def __init__(self, target: BucketTarget, mapping_uuid: str) -> None:
        self._target = target
        self._mapping_uuid = mapping_uuid

    async def check(self) -> None:
        """Look for the bucket. Raises: ConfigurationError if it does not exist; SourceError."""
        await _check(self._target)

    async def send(self, report: JsonObject, *, shard_id: str, payload: bytes | None) -> None:
        """`payload` is the event as JSON text; None leaves it out.

        Raises: SourceError; TransientSourceError if it may be tried again.
        """
        body = orjson.dumps(report if payload is None else with_payload(report, payload))
        reported_at = datetime.fromisoformat(str(report["timestamp"]))
        # Drawn from the report, so that sending it again after a lost answer makes no second object.
        unique = str(uuid.uuid5(uuid.NAMESPACE_OID, orjson.dumps(report).decode()))
        await self._target.send(Parcel(body=body, key=s3_key(self._mapping_uuid, shard_id, reported_at, unique)))


OnFailureDestination = MessageDestination | BucketDestination


@asynccontextmanager
async def open_destination(
    settings: AwsSettings, arn: str, *, mapping_uuid: str
) -> AsyncIterator[OnFailureDestination]:
    """The destination of that ARN, in its own region or, a bucket, in that of `settings`; `check` it before use.

    `mapping_uuid` begins the keys of a bucket's objects (STR-98).
    Raises: ConfigurationError (what is no such ARN, no region, an unknown profile), CredentialsNotFound, AccessRefused.
    """
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
        raise ConfigurationError(f"on-failure destination {arn!r} is not an ARN (STR-11)")
    if parts[2] not in ("sqs", "sns", "s3"):
        raise ConfigurationError(
            f"on-failure destination {arn!r} is neither an SQS queue, an SNS topic nor an S3 bucket (STR-11)"
        )
    async with open_target(settings, arn) as target:
        if isinstance(target, BucketTarget):
            yield BucketDestination(target, mapping_uuid)
        else:
            yield MessageDestination(target)


async def _check(target: Target) -> None:
    try:
        await target.find()
    except SourceError as error:
        if not is_missing(error):
            raise
        raise ConfigurationError(
            f"on-failure destination {target.arn} does not exist, create it first (STR-100): {error}"
        ) from error

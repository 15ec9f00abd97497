"""What a bucket tells of, and to whom: its notification configuration, one entry of it ours (SRC-26, 27)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import anyio
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from eventmap.aws.client_calls import translated
from eventmap.aws.refusal import MISSING
from eventmap.aws.services import S3
from eventmap.aws.session import AwsSettings, open_client
from eventmap.errors import BucketNotFound, ConfigurationError, SourceError
from eventmap.rules.s3_event import overlap
from eventmap.subscription import S3Notification

_KINDS: Final = ("TopicConfigurations", "QueueConfigurations", "LambdaFunctionConfigurations")
_ALL: Final = (*_KINDS, "EventBridgeConfiguration")
_ATTEMPTS: Final = 9  # half a minute, waits growing to 5 s


class BucketCalls:
    """The calls of one endpoint and region."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def endpoint_url(self) -> str:
        return str(self._client.meta.endpoint_url)

    @property
    def region(self) -> str:
        return str(self._client.meta.region_name)

    async def find_bucket(self, bucket: str) -> None:
        """See `BucketApi`."""
        with self._about("HeadBucket", bucket):
            await self._client.head_bucket(Bucket=bucket)

    async def add_notification(self, notification: S3Notification, identifier: str, queue_arn: str) -> None:
        """See `BucketApi`. Between reading and writing somebody else's change may be lost: S3 has no other way.

        Waits up to half a minute for a queue that is so new that S3 may not send to it yet.
        """
        bucket = notification.bucket_name
        configuration = await self._configuration(bucket)
        others = _without(configuration, identifier)
        for entry in (entry for kind in _KINDS for entry in others.get(kind, ())):
            prefix, suffix = _filter_of(entry)
            if overlap(notification, entry.get("Events", ()), prefix, suffix):
                raise ConfigurationError(
                    f"bucket {bucket!r} already has the notification {entry.get('Id')!r} for the same events and keys: "
                    "choose another prefix, suffix or event, or remove that one (SRC-26)"
                )
        others["QueueConfigurations"] = [
            *others.get("QueueConfigurations", ()),
            _entry(notification, identifier, queue_arn),
        ]
        # S3 tries the queue before it answers, and SQS takes a while until a policy is known everywhere.
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_is_unreachable_yet),
            wait=wait_exponential(multiplier=0.25, max=5),
            stop=stop_after_attempt(_ATTEMPTS),
            sleep=anyio.sleep,
            reraise=True,
        ):
            with attempt:
                await self._configure(bucket, others)

    async def remove_notification(self, bucket: str, identifier: str) -> None:
        """See `BucketApi`."""
        try:
            configuration = await self._configuration(bucket)
        except BucketNotFound:
            return
        left = _without(configuration, identifier)
        if left != configuration:
            await self._configure(
                bucket, left, is_checked=False
            )  # others' queues may be gone: that is not our business

    async def _configuration(self, bucket: str) -> dict[str, Any]:
        with self._about("GetBucketNotificationConfiguration", bucket):
            answer = await self._client.get_bucket_notification_configuration(Bucket=bucket)
        return {kind: answer[kind] for kind in _ALL if kind in answer}

    async def _configure(self, bucket: str, configuration: dict[str, Any], *, is_checked: bool = True) -> None:
        """`is_checked`: whether S3 tries to reach every queue, topic and function in it first."""
        with self._about("PutBucketNotificationConfiguration", bucket):
            await self._client.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration=configuration, SkipDestinationValidation=not is_checked
            )

    @contextmanager
    def _about(self, operation: str, bucket: str) -> Iterator[None]:
        try:
            with translated(S3, operation, bucket, self._client):
                yield
        except SourceError as error:
            if error.code in MISSING:
                raise BucketNotFound(bucket, self.endpoint_url) from error
            raise


@asynccontextmanager
async def open_buckets(settings: AwsSettings) -> AsyncIterator[BucketCalls]:
    """S3 for these settings. Raises: as `open_client`."""
    async with open_client(settings, S3.name) as client:
        yield BucketCalls(client)


def _is_unreachable_yet(error: BaseException) -> bool:
    return isinstance(error, SourceError) and error.code == "InvalidArgument" and "Unable to validate" in str(error)


def _entry(notification: S3Notification, identifier: str, queue_arn: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": identifier, "QueueArn": queue_arn, "Events": list(notification.events)}
    rules = [
        {"Name": name, "Value": value}
        for name, value in (("prefix", notification.prefix), ("suffix", notification.suffix))
        if value
    ]
    return {**entry, "Filter": {"Key": {"FilterRules": rules}}} if rules else entry


def _without(configuration: dict[str, Any], identifier: str) -> dict[str, Any]:
    """All but the entry of that identifier."""
    left = dict(configuration)
    for kind in _KINDS:
        if kind in left:
            left[kind] = [entry for entry in left[kind] if entry.get("Id") != identifier]
    return left


def _filter_of(entry: dict[str, Any]) -> tuple[str, str]:
    """(prefix, suffix) of an entry; servers spell the names in either case."""
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    values = {str(rule.get("Name", "")).lower(): str(rule.get("Value", "")) for rule in rules}
    return values.get("prefix", ""), values.get("suffix", "")

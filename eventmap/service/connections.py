"""Connections: one wire per service, region and endpoint, opened when the first mapping needs it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventmap.aws.dynamodb import DynamoDbWire
from eventmap.aws.session import LOCAL_REGION, AwsSettings, open_dynamodb, open_kinesis, open_sqs, open_tables
from eventmap.errors import ConfigurationError, TransientSourceError
from eventmap.service.settings import Settings
from eventmap.sources.dynamodb import DynamoDbStreamsApi
from eventmap.sources.kinesis import KinesisApi
from eventmap.sources.sqs import QueueApi

if TYPE_CHECKING:
    from eventmap.aws.buckets import BucketCalls
    from eventmap.aws.objects import ObjectCalls
    from eventmap.aws.sns import TopicCalls
    from eventmap.pointers import ObjectReader
    from eventmap.receivers.bucket_api import BucketApi
    from eventmap.receivers.topic_api import TopicApi

CONNECTIONS = 256
W = TypeVar("W")


class Connections:
    """The wires of one service run; `stack` closes them."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._queues: dict[AwsSettings, QueueApi] = {}
        self._kinesis: dict[AwsSettings, KinesisApi] = {}
        self._dynamodb: dict[AwsSettings, DynamoDbStreamsApi] = {}
        self._leases: dict[AwsSettings, DynamoDbWire] = {}
        self._topics: dict[AwsSettings, TopicCalls] = {}
        self._buckets: dict[AwsSettings, BucketCalls] = {}
        self._objects: dict[AwsSettings, ObjectCalls] = {}

    async def for_queue(self, region: str | None, endpoint_url: str | None) -> QueueApi:
        """`endpoint_url` None = the settings'."""
        if self._settings.queue_api is not None:
            return self._settings.queue_api
        aws = self.aws_in(region, "queue", "SQS-19")
        aws = replace(aws, endpoint_url=aws.endpoint_url or endpoint_url)
        return await self._opened(self._queues, aws, open_sqs(aws, connection_limit=CONNECTIONS))

    async def for_kinesis(self, region: str | None) -> KinesisApi:
        if self._settings.kinesis_api is not None:
            return self._settings.kinesis_api
        aws = self.aws_in(region, "stream", "STR-18")
        return await self._opened(self._kinesis, aws, open_kinesis(aws, connection_limit=CONNECTIONS))

    async def for_dynamodb(self, region: str | None) -> DynamoDbStreamsApi:
        if self._settings.dynamodb_api is not None:
            return self._settings.dynamodb_api
        aws = self.aws_in(region, "table", "STR-18")
        return await self._opened(self._dynamodb, aws, open_dynamodb(aws, connection_limit=CONNECTIONS))

    async def for_leases(self, region: str | None) -> DynamoDbWire:
        """Tables with connections of their own: a renewal never waits behind a read."""
        aws = self.aws_in(region, "lease table", "STR-160")
        return await self._opened(self._leases, aws, open_tables(aws, connection_limit=CONNECTIONS))

    async def for_topics(self, region: str | None) -> tuple[TopicApi, str]:
        """And the endpoint; "" = in memory."""
        if self._settings.topic_api is not None:
            return self._settings.topic_api, ""
        from eventmap.aws.sns import open_topics

        aws = self.aws_in(region, "topic", "SNS-09")
        topics = await self._opened(self._topics, aws, open_topics(aws))
        return topics, topics.endpoint_url

    async def for_objects(self) -> ObjectReader:
        """Where the settings say: a bucket's name does not tell its region."""
        if self._settings.object_reader is not None:
            return self._settings.object_reader
        from eventmap.aws.objects import open_objects

        return await self._opened(self._objects, self._settings.aws, open_objects(self._settings.aws))

    async def for_buckets(self) -> tuple[BucketApi, str]:
        """And the region; where it is must be said by the settings or the environment, for a bucket's name does not."""
        if self._settings.bucket_api is not None:
            return self._settings.bucket_api, self._settings.aws.region or LOCAL_REGION
        from eventmap.aws.buckets import open_buckets

        buckets = await self._opened(self._buckets, self._settings.aws, open_buckets(self._settings.aws))
        return buckets, buckets.region

    def aws_in(self, region: str | None, noun: str, rule: str) -> AwsSettings:
        """The settings for a source in `region`; None = it did not say. Raises: ConfigurationError if they differ."""
        asked = self._settings.aws
        if region and asked.region and region != asked.region:
            raise ConfigurationError(
                f"the {noun} is in {region}, but the region asked for is {asked.region}: leave one out ({rule})"
            )
        return replace(asked, region=asked.region or region)

    async def _opened(self, opened: dict[AwsSettings, W], aws: AwsSettings, wire: AbstractAsyncContextManager[W]) -> W:
        if aws not in opened:
            opened[aws] = await self._stack.enter_async_context(wire)
        return opened[aws]


def patiently() -> AsyncRetrying:
    """For the questions at the start: a second or two of patience with a server that is busy or not quite up."""
    return AsyncRetrying(
        retry=retry_if_exception_type(TransientSourceError),
        wait=wait_random_exponential(multiplier=0.2, max=1),
        stop=stop_after_attempt(5),
        sleep=anyio.sleep,
        reraise=True,
    )

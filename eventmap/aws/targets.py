"""Where records of ends go: a queue, a topic, a bucket, an event bus, a function (INV-55..59, STR-96, STR-97).

All but the queue are reached through the AWS client library: few records are sent, and no speed is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import orjson

from eventmap import telemetry
from eventmap.aws.client_calls import translated
from eventmap.aws.refusal import MISSING, MISSING_RESOURCE, NOT_ALLOWED, classified
from eventmap.aws.services import EVENTS, LAMBDA, S3, SNS
from eventmap.aws.session import AwsSettings, open_client, open_sqs
from eventmap.aws.sqs import SqsWire
from eventmap.errors import AccessRefused, ConfigurationError, SourceError
from eventmap.rules.parcel import Parcel, message_text

_CONNECTIONS: Final = 4  # records are rare
_CONTENT_TYPE: Final = "application/octet-stream"  # STR-97

_log = telemetry.logger("eventmap.aws")


class QueueTarget:
    """A standard queue: the body is a message's."""

    def __init__(self, wire: SqsWire, arn: str) -> None:
        self._wire = wire
        self.arn = arn
        self._url = ""  # not looked up yet

    async def find(self) -> None:
        """Look for it; one that may not be looked at is taken to be there. Raises: SourceError."""
        self._url = await self._look_up()

    def in_group(self, message_group_id: str) -> FifoQueueTarget:
        """The same queue, if it is a FIFO one, as one of its groups."""
        return FifoQueueTarget(self, message_group_id)

    async def send(self, parcel: Parcel, *, message_group_id: str | None = None) -> None:
        """Raises: SourceError; TransientSourceError if it may be tried again."""
        if not self._url:
            self._url = await self._look_up()
        group = None if message_group_id is None else (message_group_id, parcel.request_id)
        await self._wire.send_message(self._url, message_text(parcel.body), attributes=parcel.attributes, group=group)

    async def _look_up(self) -> str:
        account, name = self.arn.split(":")[4:6]
        try:
            return await self._wire.get_queue_url(name, account)
        except AccessRefused as error:
            _unchecked(self.arn, error)
            return f"{self._wire.endpoint_url.rstrip('/')}/{account}/{name}"


class FifoQueueTarget:
    """One group of a FIFO queue: a parcel that is sent again within five minutes is one message all the same."""

    def __init__(self, queue: QueueTarget, message_group_id: str) -> None:
        self._queue = queue
        self._message_group_id = message_group_id

    async def send(self, parcel: Parcel) -> None:
        """As `QueueTarget.send`; the parcel's request id is what it is known by."""
        await self._queue.send(parcel, message_group_id=self._message_group_id)


class TopicTarget:
    """A standard topic: the body is a notification's message."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self.arn = arn

    async def find(self) -> None:
        """As `QueueTarget.find`."""
        try:
            with translated(SNS, "GetTopicAttributes", self.arn, self._client):
                await self._client.get_topic_attributes(TopicArn=self.arn)
        except AccessRefused as error:
            _unchecked(self.arn, error)

    async def send(self, parcel: Parcel) -> None:
        """As `QueueTarget.send`."""
        attributes = {name: {"DataType": kind, "StringValue": text} for name, (kind, text) in parcel.attributes.items()}
        with translated(SNS, "Publish", self.arn, self._client):
            await self._client.publish(
                TopicArn=self.arn, Message=message_text(parcel.body), MessageAttributes=attributes
            )


class BucketTarget:
    """A bucket: the body is an object, under the parcel's key."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self.arn = arn
        self._bucket = arn.split(":", 5)[5]

    async def find(self) -> None:
        """As `QueueTarget.find`, but Lambda asks for the permission to look at a bucket, too (STR-100)."""
        with translated(S3, "HeadBucket", self._bucket, self._client):
            await self._client.head_bucket(Bucket=self._bucket)

    async def send(self, parcel: Parcel) -> None:
        """As `QueueTarget.send`; the same key again replaces the object."""
        with translated(S3, "PutObject", self._bucket, self._client):
            await self._client.put_object(
                Bucket=self._bucket, Key=parcel.key, Body=parcel.body, ContentType=_CONTENT_TYPE
            )


class BusTarget:
    """An event bus: the body is an entry of PutEvents as JSON text (INV-58)."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self.arn = arn
        self._bus = arn.split(":", 5)[5].removeprefix("event-bus/")

    async def find(self) -> None:
        """As `QueueTarget.find`."""
        try:
            with translated(EVENTS, "DescribeEventBus", self._bus, self._client):
                await self._client.describe_event_bus(Name=self._bus)
        except AccessRefused as error:
            _unchecked(self.arn, error)

    async def send(self, parcel: Parcel) -> None:
        """As `QueueTarget.send`. The call may succeed and its entry fail."""
        with translated(EVENTS, "PutEvents", self._bus, self._client) as call:
            answer = await self._client.put_events(Entries=[orjson.loads(parcel.body)])
            if not answer["FailedEntryCount"]:
                return
            entry = answer["Entries"][0]
        raise classified(call, 200, str(entry.get("ErrorCode", "")), str(entry.get("ErrorMessage", "")))


class FunctionTarget:
    """A function elsewhere: the body is its event, given to it asynchronously (INV-57)."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self.arn = arn

    async def find(self) -> None:
        """Ask whether it could be invoked, which needs no permission but that. Raises: SourceError."""
        with translated(LAMBDA, "Invoke", self.arn, self._client):
            await self._invoke("DryRun")

    async def send(self, parcel: Parcel) -> None:
        """As `QueueTarget.send`."""
        with translated(LAMBDA, "Invoke", self.arn, self._client):
            await self._invoke("Event", Payload=parcel.body)

    async def _invoke(self, invocation_type: str, **payload: bytes) -> None:
        answer = await self._client.invoke(FunctionName=self.arn, InvocationType=invocation_type, **payload)
        async with answer["Payload"] as stream:
            await stream.read()


Target = QueueTarget | TopicTarget | BucketTarget | BusTarget | FunctionTarget


async def check(target: Target) -> None:
    """Find out at the start whether it exists.

    Raises: ConfigurationError in AWS' words if it does not (INV-63); SourceError.
    """
    try:
        await target.find()
    except SourceError as error:
        if not is_missing(error):
            raise
        raise ConfigurationError(f"The destination ARN {target.arn} is invalid. ({error})") from error


def is_missing(error: SourceError) -> bool:
    """Whether it says that the target does not exist."""
    return error.code in MISSING or error.code == MISSING_RESOURCE


@asynccontextmanager
async def open_target(settings: AwsSettings, arn: str) -> AsyncIterator[Target]:
    """The target of that ARN, in its own region or, a bucket, in that of `settings`; `check` it before use.

    Raises: ConfigurationError (what is no such ARN, no region, an unknown profile), CredentialsNotFound, AccessRefused.
    """
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
        raise ConfigurationError(f"The destination ARN {arn} is invalid.")
    there = replace(settings, region=parts[3] or settings.region)
    if parts[2] == "sqs":
        async with open_sqs(there, connection_limit=_CONNECTIONS) as wire:
            yield QueueTarget(wire, arn)
        return
    if parts[2] not in _CLIENTS:
        raise ConfigurationError(
            f"The destination ARN {arn} is invalid. (It is no queue, topic, bucket, event bus or function.)"
        )
    async with open_client(there, parts[2]) as client:
        yield _CLIENTS[parts[2]](client, arn)


_CLIENTS: Final[Mapping[str, type[TopicTarget | BucketTarget | BusTarget | FunctionTarget]]] = {
    "sns": TopicTarget,
    "s3": BucketTarget,
    "events": BusTarget,
    "lambda": FunctionTarget,
}


def _unchecked(arn: str, error: AccessRefused) -> None:
    """Lambda asks for the permission to send and no more (STR-100). Raises: `error`, if it is about anything else."""
    if error.code not in NOT_ALLOWED:
        raise error
    _log.warning(telemetry.DESTINATION_UNCHECKED, destination=arn, error=str(error))

"""A bucket that pushes to a function, over a queue of our own: S3 calls no HTTP endpoint (SRC-26, 27)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from eventmap.aws.own_queue import own_queue_name
from eventmap.queued_event import Accept
from eventmap.receivers.bucket_api import BucketApi
from eventmap.receivers.queue_intake import QueueIntake
from eventmap.receivers.s3 import S3Receiver, identity_of, translate
from eventmap.rules.partition import partition
from eventmap.service.asynchronous import Queue
from eventmap.service.connections import Connections, patiently
from eventmap.service.intake import RunningIntake, intake_of, make_queue
from eventmap.sources.sqs import QueueApi
from eventmap.subscription import S3Notification


class PreparedBucket:
    """A bucket that exists, and a function for it; it tells nobody of ours yet."""

    way: Literal["queue"] = "queue"

    def __init__(
        self, notification: S3Notification, arn: str, api: BucketApi, queues: QueueApi, *, purpose: str = ""
    ) -> None:
        """`purpose` tells apart what differs in nothing else; "" = to push to the function."""
        self.notification: S3Notification = notification
        self.arn: str = arn
        self._api = api
        self._queues = queues
        self._purpose = purpose

    @property
    def function_name(self) -> str:
        return self.notification.function_name

    async def connect(self, accept: Accept) -> RunningIntake:
        """Have the bucket tell a queue of ours. Raises: ConfigurationError, SourceError."""
        # One queue for each notification: two of a function may differ in nothing but their prefix.
        api, queue = await make_queue(self._queues, self._identifier, self.arn, "s3.amazonaws.com")
        async for attempt in patiently():
            with attempt:
                await self._api.add_notification(self.notification, self._identifier, queue.arn)
        take = QueueIntake(
            self.function_name,
            partial(translate, self.notification),
            accept,
            identify=partial(identity_of, self.notification),
        )
        return await intake_of(api, queue, self.function_name, take)

    async def disconnect(self) -> None:
        """Take the notification back. Raises: SourceError."""
        async for attempt in patiently():
            with attempt:
                await self._api.remove_notification(self.notification.bucket_name, self._identifier)

    @property
    def _identifier(self) -> str:
        mine = self.notification
        detail = json.dumps([sorted(mine.events), mine.prefix, mine.suffix, *filter(None, [self._purpose])])
        return own_queue_name(self.function_name, self.arn, detail)


async def prepare_bucket(
    notification: S3Notification, connections: Connections, *, purpose: str = ""
) -> PreparedBucket:
    """`purpose` as `PreparedBucket` has it. Raises: BucketNotFound, ConfigurationError, SourceError."""
    api, region = await connections.for_buckets()
    async for attempt in patiently():
        with attempt:
            await api.find_bucket(notification.bucket_name)
    arn = f"arn:{partition(region)}:s3:::{notification.bucket_name}"
    return PreparedBucket(notification, arn, api, await connections.for_queue(None, None), purpose=purpose)


def receivers_of(buckets: Sequence[PreparedBucket], queues: Mapping[str, Queue]) -> dict[str, S3Receiver]:
    """One endpoint for each function with buckets, by its path."""
    by_function: dict[str, list[S3Notification]] = {}
    for bucket in buckets:
        by_function.setdefault(bucket.function_name, []).append(bucket.notification)
    return {f"/s3/{name}": S3Receiver(name, own, queues[name].accept) for name, own in by_function.items()}

"""A queue of eventmap's own, fed by a topic or a bucket, and the loop that takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeGuard

from eventmap.aws.own_queue import OwnQueue, QueueSetup, SendingService, create_own_queue, delete_own_queue
from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.slots import FunctionSlots
from eventmap.errors import ConfigurationError, SourceError
from eventmap.mapping import REPORT_BATCH_ITEM_FAILURES, EventSourceMapping
from eventmap.receivers.queue_intake import QueueIntake
from eventmap.service.connections import patiently
from eventmap.sources.sqs import QueueApi, SqsSource, describe_queue

_VISIBILITY_S = 60
_RECEIVES_AT_ONCE = 4  # nothing is invoked here: a batch takes as long as one write to the disk


class OwnQueueApi(QueueApi, QueueSetup, Protocol):
    """A queue that can be made, polled and removed."""


@dataclass(frozen=True, slots=True)
class RunningIntake:
    """Messages in, events accepted."""

    loop: MappingLoop
    source: SqsSource
    queue: OwnQueue
    api: OwnQueueApi

    async def is_empty(self) -> bool:
        """Whether nothing is held here and the queue says that it holds nothing; False if it does not say."""
        try:
            return self.loop.quiet and (await self.source.backlog()).total == 0
        except SourceError:
            return False

    async def remove(self) -> None:
        """Delete the queue, unless it holds something that nobody has taken. Raises: SourceError."""
        if await self.is_empty():
            await delete_own_queue(self.api, self.queue.url)


async def make_queue(
    api: QueueApi, name: str, source_arn: str, service: SendingService
) -> tuple[OwnQueueApi, OwnQueue]:
    """A queue that the source may send to; one left behind by an earlier run is found again.

    Raises: ConfigurationError, SourceError.
    """
    if not _can_make_queues(api):
        raise ConfigurationError("topics and buckets need a queue API that can make queues, and this one cannot")
    async for attempt in patiently():
        with attempt:
            queue = await create_own_queue(
                api,
                name,
                service=service,
                source_arn=source_arn,
                visibility_timeout_s=_VISIBILITY_S,
            )
    return api, queue


async def intake_of(api: OwnQueueApi, queue: OwnQueue, function_name: str, take: QueueIntake) -> RunningIntake:
    """The loop that hands what is in the queue to `take`; not yet running. Raises: SourceError."""
    async for attempt in patiently():
        with attempt:
            described = await describe_queue(api, queue.url)
    source = SqsSource(api, described)
    loop = MappingLoop(
        EventSourceMapping(
            event_source_arn=queue.arn,
            function_name=function_name,
            function_response_types=(REPORT_BATCH_ITEM_FAILURES,),
        ),
        source,
        described,
        take,
        slots=FunctionSlots(_RECEIVES_AT_ONCE).share(),
        visibility_timeout_s=described.visibility_timeout_s,
        function_timeout_s=_VISIBILITY_S,
        passes=None,
    )
    return RunningIntake(loop, source, queue, api)


def _can_make_queues(api: object) -> TypeGuard[OwnQueueApi]:
    return all(hasattr(api, call) for call in ("create_queue", "set_queue_attributes", "delete_queue"))

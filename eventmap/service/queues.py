"""A mapping of a queue, from its declaration to its loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventmap import telemetry
from eventmap.aws.arn import parse_queue
from eventmap.clock import utc_now
from eventmap.delivery.loop import MappingLoop, Source
from eventmap.delivery.slots import FunctionSlots, MappingSlots
from eventmap.errors import QueueNotFound
from eventmap.function import Function
from eventmap.mapping import EventSourceMapping
from eventmap.model import JsonObject
from eventmap.rules import configuration, queue
from eventmap.rules.filtering import SqsFilter
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.service.addressed import addressed
from eventmap.service.connections import Connections, patiently
from eventmap.sources.sqs import QueueApi, QueueDescription, SqsSource, describe_queue, missing_queue

if TYPE_CHECKING:
    from eventmap.pointers import PointerResolver

_log = telemetry.logger("eventmap.service")


@dataclass(frozen=True, slots=True)
class PreparedQueue:
    """Checked against the queue itself; nothing has been received."""

    mapping: EventSourceMapping
    function: Function
    api: QueueApi
    queue: QueueDescription
    filters: SqsFilter
    pointers: PointerResolver | None  #: None = pointers are passed on as they are

    @property
    def arn(self) -> str:
        return self.queue.arn

    @property
    def region(self) -> str:
        return self.queue.region

    @property
    def already_exists(self) -> str:
        """AWS' words for a second mapping of the same pair (SQS-13)."""
        return configuration.already_exists(self.arn, self.function.function_name)

    def running(self, runtime: FunctionRuntime, slots: Mapping[str, FunctionSlots]) -> RunningQueue:
        mapping, function, described = self.mapping, self.function, self.queue
        asked = queue.receive_visibility(mapping, function.timeout, described.visibility_timeout_s)
        share = slots[function.function_name].share(mapping.maximum_concurrency)
        source = SqsSource(self.api, described, visibility_timeout=asked)
        loop = MappingLoop(
            mapping,
            source if self.pointers is None else _resolving(source, self.pointers),
            described,
            addressed(runtime, mapping.function_name),
            slots=share,
            visibility_timeout_s=asked or described.visibility_timeout_s,
            function_timeout_s=function.timeout,
            passes=self.filters.passes if mapping.patterns else None,
        )
        return RunningQueue(loop, source, described, function, share)


@dataclass(frozen=True, slots=True)
class RunningQueue:
    """A queue being polled."""

    loop: MappingLoop
    source: SqsSource
    queue: QueueDescription
    function: Function
    slots: MappingSlots  #: its share of the function's

    @property
    def arn(self) -> str:
        return self.queue.arn

    def configuration(self) -> JsonObject:
        return configuration.created(self.loop.mapping, self.arn, self.function.function_name, utc_now())


async def prepare_queue(mapping: EventSourceMapping, function: Function, connections: Connections) -> PreparedQueue:
    """Raises: ConfigurationError, SourceError."""
    filters = _filters(mapping)
    api, described = await _described(mapping, function, connections)
    pointers = None
    if mapping.pointer_buckets:
        from eventmap.pointers import PointerResolver

        reader = await connections.for_objects()
        pointers = PointerResolver(reader, mapping.pointer_buckets, limit_bytes=mapping.pointer_limit_bytes)
    return PreparedQueue(mapping, function, api, described, filters, pointers)


async def check_queue(mapping: EventSourceMapping, function: Function, connections: Connections) -> str:
    """The queue's ARN, after all that `prepare_queue` would refuse. Raises: as that."""
    _filters(mapping)
    _, described = await _described(mapping, function, connections)
    return described.arn


def _filters(mapping: EventSourceMapping) -> SqsFilter:
    filters = SqsFilter(
        [text if isinstance(text, str) else json.dumps(text) for text in mapping.patterns],
        maximum_filters=mapping.filter_quota,
    )
    if filters.unusual_keys:
        _log.warning(telemetry.FILTER_UNUSUAL, mapping=mapping.event_source_arn, keys=list(filters.unusual_keys))
    return filters


async def _described(
    mapping: EventSourceMapping, function: Function, connections: Connections
) -> tuple[QueueApi, QueueDescription]:
    reference = parse_queue(mapping.event_source_arn)
    api = await connections.for_queue(reference.region, reference.endpoint_url)
    async for attempt in patiently():
        with attempt:
            try:
                url = reference.url or await api.get_queue_url(reference.name, reference.account)
            except QueueNotFound as error:
                raise missing_queue(error) from error
            described = await describe_queue(api, url)
    queue.check_visibility(described.visibility_timeout_s, function.timeout)
    return api, described


def _resolving(source: SqsSource, pointers: PointerResolver) -> Source:
    from eventmap.delivery.pointers import ResolvingSource

    return ResolvingSource(source, pointers)

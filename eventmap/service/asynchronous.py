"""The asynchronous queues of a service: where accepted events are kept, and where their ends go."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TypeGuard

from eventmap import telemetry
from eventmap.aws.arn import parse_queue
from eventmap.aws.targets import check, open_target
from eventmap.delivery.asynchronous.ends import Ends, FunctionHere, Target
from eventmap.delivery.asynchronous.in_sqs import AsynchronousQueueInSqs
from eventmap.delivery.asynchronous.ports import EventStore, InvokeQueued
from eventmap.delivery.asynchronous.queue import AsynchronousQueue
from eventmap.delivery.slots import FunctionSlots
from eventmap.errors import ConfigurationError
from eventmap.function import Function
from eventmap.model import Event, Response
from eventmap.queued_event import Accept, QueuedEvent
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.service.connections import Connections, patiently
from eventmap.service.settings import EVENTS_PATH, Settings
from eventmap.sources.event_queue import EventQueueApi, EventSender, event_queue_name, prepare_event_queue
from eventmap.sources.sqs import SqsSource
from eventmap.state.events_memory import MemoryEvents
from eventmap.state.events_sqlite import SqliteEvents

Queue = AsynchronousQueue | AsynchronousQueueInSqs

_log = telemetry.logger("eventmap.service")


@dataclass(frozen=True, slots=True)
class Here:
    """What all of a service's asynchronous queues are made of."""

    functions: Sequence[Function]
    runtimes: Mapping[str, FunctionRuntime]
    slots: Mapping[str, FunctionSlots]
    settings: Settings
    connections: Connections


async def open_asynchronous(here: Here, stack: AsyncExitStack) -> dict[str, Queue]:
    """The queue of each function, by its name; nothing is attempted before they run.

    Raises: ConfigurationError (a destination that does not exist, an unusable event queue), SourceError, StateError.
    """
    queues: dict[str, Queue] = {}
    targets = await _open_targets(here, queues, stack)
    store = await _open_store(here, stack)
    for function in here.functions:
        ends = Ends(function, here.runtimes[function.function_name].arn, targets)
        queues[function.function_name] = await _queue(here, function, store, ends)
    return queues


async def _queue(here: Here, function: Function, store: EventStore | None, ends: Ends) -> Queue:
    runtime = here.runtimes[function.function_name]
    slots, dice = here.slots[function.function_name].share(), random.Random()
    if store is not None:
        return AsynchronousQueue(function, store, _invoked(runtime), ends, slots=slots, dice=dice)
    pattern = here.settings.event_queue or ""
    reference = parse_queue(event_queue_name(pattern, function.function_name, functions=len(here.functions)))
    api = await here.connections.for_queue(reference.region, reference.endpoint_url)
    if not _can_make_queues(api):
        raise ConfigurationError("events in SQS need a queue API that can make and fill queues, and this one cannot")
    async for attempt in patiently():
        with attempt:
            described = await prepare_event_queue(
                api, reference.name, function.timeout, owner=reference.account, url=reference.url
            )
    return AsynchronousQueueInSqs(
        function,
        SqsSource(api, described),
        described,
        EventSender(api, described),
        _invoked(runtime),
        ends,
        slots=slots,
        dice=dice,
    )


def _can_make_queues(api: object) -> TypeGuard[EventQueueApi]:
    return all(hasattr(api, call) for call in ("create_queue", "send_message_batch"))


def _invoked(runtime: FunctionRuntime) -> InvokeQueued:
    async def invoke(event: QueuedEvent) -> Response:
        return await runtime.invoke(
            Event.of_text(event.payload),
            request_id=event.request_id,
            invoked_arn=f"{runtime.arn}:{event.qualifier}" if event.qualifier else None,
            trace_id=event.trace_id,
        )

    return invoke


async def _open_store(here: Here, stack: AsyncExitStack) -> EventStore | None:
    """None = events are in SQS. Tells of events that wait for functions which are not here."""
    settings = here.settings
    if settings.event_queue is not None:
        return None
    if settings.events == "memory":
        return settings.event_store or MemoryEvents()
    store = SqliteEvents(settings.events_file or EVENTS_PATH)
    stack.push_async_callback(store.aclose)
    await store.prepare()
    for name, owed in (await store.functions()).items():
        if name not in here.runtimes:
            _log.warning(telemetry.EVENTS_ORPHANED, function=name, events=owed, file=str(store.path))
    return store


async def _open_targets(here: Here, queues: Mapping[str, Queue], stack: AsyncExitStack) -> dict[str, Target]:
    """Every ARN that a function names for its ends; `queues` may still be empty."""
    named = [arn for each in here.functions for arn in (each.on_success, each.on_failure, each.dead_letter_arn) if arn]
    targets: dict[str, Target] = {}
    for arn in dict.fromkeys(named):
        if here.settings.targets is not None:
            targets[arn] = here.settings.targets(arn)
        elif (inside := _function_here(here, queues, arn)) is not None:
            targets[arn] = inside
        else:
            aws = here.settings.aws
            target = await stack.enter_async_context(open_target(replace(aws, region=aws.region or _region(here)), arn))
            async for attempt in patiently():
                with attempt:
                    await check(target)
            targets[arn] = target
    return targets


def _function_here(here: Here, queues: Mapping[str, Queue], arn: str) -> FunctionHere | None:
    """A destination that is a function of this service. Raises: ConfigurationError for an alias it does not have."""
    unqualified, qualifier = ":".join(arn.split(":")[:7]), ":".join(arn.split(":")[7:])
    for function in here.functions:
        name = function.function_name
        if here.runtimes[name].arn == unqualified:
            if qualifier not in ("", "$LATEST", *function.aliases):
                raise ConfigurationError(
                    f"The destination ARN {arn} is invalid. (Function {name!r} has no such alias.)"
                )
            return FunctionHere(_accepted_by(queues, name), qualifier=qualifier)
    return None


def _accepted_by(queues: Mapping[str, Queue], name: str) -> Accept:
    """The queue of that function, which may still have to be made."""

    async def accept(payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        return await queues[name].accept(payload, request_id=request_id, qualifier=qualifier, trace_id=trace_id)

    return accept


def _region(here: Here) -> str:
    return next(iter(here.runtimes.values())).arn.split(":")[3]

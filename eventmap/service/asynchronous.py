"""The asynchronous queues of a service: where accepted events are kept, and where their ends go."""

from __future__ import annotations

import random
from collections.abc import Callable
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
from eventmap.errors import ConfigurationError, SourceError
from eventmap.function import Function
from eventmap.model import Event, Response
from eventmap.queued_event import Accept, QueuedEvent
from eventmap.rules.partition import partition
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
    """The functions of a service as they stand now, and what they are run with; all by function name.

    The three mappings have the same keys: whoever adds or removes a function does so in all of them.
    """

    functions: dict[str, Function]
    runtimes: dict[str, FunctionRuntime]
    slots: dict[str, FunctionSlots]
    settings: Settings
    connections: Connections
    region: str  #: of functions that come later
    account_id: str

    def arn(self, name: str) -> str:
        """What a function of that name has or would have here, unqualified."""
        if (runtime := self.runtimes.get(name)) is not None:
            return runtime.arn
        return f"arn:{partition(self.region)}:lambda:{self.region}:{self.account_id}:function:{name}"


class AsynchronousQueues:
    """The queue of each function, by its name; `prepare` first."""

    def __init__(self, here: Here, stack: AsyncExitStack) -> None:
        """`stack` closes what is opened."""
        self.queues: dict[str, Queue] = {}
        self.bus_here: Callable[[str], Target | None] = _no_bus
        """Finds an event bus of this service by its ARN; None = it is elsewhere."""

        self._here = here
        self._stack = stack
        self._store: EventStore | None = None  # None = events are in SQS
        self._targets: dict[str, Target] = {}

    async def prepare(self) -> None:
        """Open the store of events. Raises: ConfigurationError, StateError."""
        settings = self._here.settings
        if settings.event_queue is not None:
            return
        if settings.events == "memory":
            self._store = settings.event_store or MemoryEvents()
            return
        store = SqliteEvents(settings.events_file or EVENTS_PATH)
        self._stack.push_async_callback(store.aclose)
        await store.prepare()
        self._store = store

    async def open(self, function: Function) -> Queue:
        """The queue of a function that is here; nothing is attempted before it runs.

        Raises: ConfigurationError (a destination that does not exist, an unusable event queue), SourceError.
        """
        queue = await self._queue(function, await self.ends(function))
        self.queues[function.function_name] = queue
        return queue

    async def ends(self, function: Function) -> Ends:
        """Where that function's events end. Raises: ConfigurationError for what does not exist, SourceError."""
        targets = {arn: await self.target(arn) for arn in function.target_arns}
        return Ends(function, self._here.arn(function.function_name), targets)

    async def target(self, arn: str) -> Target:
        """A function of this service, or what the ARN names elsewhere. Raises: ConfigurationError, SourceError."""
        here = self._here
        if here.settings.targets is not None:
            return here.settings.targets(arn)
        if (inside := self._function_here(arn) or self.bus_here(arn)) is not None:
            return inside
        if arn not in self._targets:
            aws = here.settings.aws
            target = await self._stack.enter_async_context(
                open_target(replace(aws, region=aws.region or here.region), arn)
            )
            async for attempt in patiently():
                with attempt:
                    await check(target)
            self._targets[arn] = target
        return self._targets[arn]

    async def tell_orphans(self) -> None:
        """Tell of events that wait for functions which are not here."""
        if isinstance(self._store, SqliteEvents):
            for name, owed in (await self._store.functions()).items():
                if name not in self._here.functions:
                    _log.warning(telemetry.EVENTS_ORPHANED, function=name, events=owed, file=str(self._store.path))

    def accepted_by(self, name: str) -> Accept:
        """The queue of that function, which may still have to be opened."""

        async def accept(payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
            if (queue := self.queues.get(name)) is None:
                raise SourceError(f"function {name!r} does not run here any more", code="ResourceNotFoundException")
            return await queue.accept(payload, request_id=request_id, qualifier=qualifier, trace_id=trace_id)

        return accept

    def _function_here(self, arn: str) -> FunctionHere | None:
        """A function of this service. Raises: ConfigurationError for an alias it does not have."""
        unqualified, qualifier = ":".join(arn.split(":")[:7]), ":".join(arn.split(":")[7:])
        for name, function in self._here.functions.items():
            if self._here.runtimes[name].arn == unqualified:
                if function.runs(qualifier) is None:
                    raise ConfigurationError(
                        f"The destination ARN {arn} is invalid. (Function {name!r} has no such alias.)"
                    )
                return FunctionHere(self.accepted_by(name), qualifier=qualifier)
        return None

    async def _queue(self, function: Function, ends: Ends) -> Queue:
        here, name = self._here, function.function_name
        runtime = here.runtimes[name]
        slots, dice = here.slots[name].share(), random.Random()
        if self._store is not None:
            return AsynchronousQueue(function, self._store, _invoked(runtime), ends, slots=slots, dice=dice)
        pattern = here.settings.event_queue or ""
        reference = parse_queue(event_queue_name(pattern, name, functions=len(here.functions)))
        api = await here.connections.for_queue(reference.region, reference.endpoint_url)
        if not _can_make_queues(api):
            raise ConfigurationError(
                "events in SQS need a queue API that can make and fill queues, and this one cannot"
            )
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


def _no_bus(arn: str) -> None:
    return None


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

"""The life of a service: everything checked, then polled until the block ends, then drained."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.slots import FunctionSlots
from eventmap.delivery.stream.loop import StreamLoop
from eventmap.errors import ConfigurationError, FunctionNotInitialized, ResourceConflict
from eventmap.event_rule import EventRule
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.mapping import EventSourceMapping
from eventmap.model import FunctionError
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.schedule import Schedule
from eventmap.service.connections import Connections
from eventmap.service.declared import Declared, declared_function
from eventmap.service.queues import PreparedQueue, prepare_queue
from eventmap.service.running import Running
from eventmap.service.settings import Settings
from eventmap.service.streams import PreparedStream, StreamPreparation
from eventmap.stream_mapping import StreamMapping
from eventmap.subscription import S3Notification, SnsSubscription

if TYPE_CHECKING:
    from eventmap.service.accepting import PreparedPush
    from eventmap.service.http import HttpServer
    from eventmap.service.http_api import HttpApiListener
    from eventmap.service.pushes import Pushes

EVENTS_ENDPOINT = "AWS_ENDPOINT_URL_EVENTBRIDGE"
"""Where AWS' SDKs send PutEvents; a function's own environment goes before it."""

_ANY_REGION = "us-east-1"
_ANY_ACCOUNT = "000000000000"
Prepared = PreparedQueue | PreparedStream
Mappings = Sequence[
    EventSourceMapping | StreamMapping | SnsSubscription | S3Notification | Schedule | EventRule | HttpRoute
]


@asynccontextmanager
async def running(
    functions: Sequence[Function], mappings: Mappings, settings: Settings | None = None
) -> AsyncIterator[Running]:
    """Run the mappings, and the server if there is one, for the length of the block, then drain.

    Everything is checked before the first receive. Raises: ConfigurationError, SourceError, StateError, and what the
    block raises, as it is. Cancelling the block drains within the budget; cancelling again from outside is not waited
    for.
    """
    settings = settings or Settings()
    by_name = {function.function_name: function for function in functions}
    if len(by_name) != len(functions):
        raise ConfigurationError("two functions have the same function_name; give each one of its own")
    async with AsyncExitStack() as stack:
        service, pushes = await _open(by_name, mappings, settings, stack)
        await service.prepare()
        if settings.warm and (errors := await service.warm()):
            raise FunctionNotInitialized({name: _read(error) for name, error in errors.items()})
        raised: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_polling, service.loops)
            try:
                if pushes is not None:
                    await tasks.start(pushes.run)
                    await pushes.connect()
                yield service
            except Exception as error:  # the caller's own: raised below, where no group wraps it
                raised = error
            finally:
                with anyio.CancelScope(shield=True):  # bounded by the budget
                    await service.drain()
        if raised is not None:
            raise raised


async def _open(
    by_name: Mapping[str, Function], mappings: Mappings, settings: Settings, stack: AsyncExitStack
) -> tuple[Running, Pushes | None]:
    """Everything checked and opened, nothing received."""
    functions = tuple(by_name.values())
    budget_s = settings.drain_budget_s
    if budget_s is None:
        budget_s = 5.0 + max((function.timeout for function in functions), default=0)
    connections = Connections(settings, stack)
    declared = Declared.of(mappings)
    server: HttpServer | None = None
    sources: Sequence[PreparedPush] = ()
    http_api: HttpApiListener | None = None
    takes_events = settings.http is not None or settings.http_api is not None or declared.is_any
    if takes_events:
        from eventmap.service import accepting  # only who accepts events pays for it

        server = accepting.open_server(settings, stack)
        http_api = accepting.open_http_api(settings, declared.routes, stack)
    polled = [each for each in mappings if isinstance(each, EventSourceMapping | StreamMapping) and each.enabled]
    streams = StreamPreparation(
        settings, connections, stack, [mapping for mapping in polled if isinstance(mapping, StreamMapping)]
    )
    prepared = await _prepare(by_name, polled, connections, streams)
    if takes_events:
        if declared.rules and server is not None:  # what handlers put on a bus is for the rules that are here
            variables = {**settings.extra_environment, EVENTS_ENDPOINT: server.url}
            settings = replace(settings, extra_environment=variables)
        sources = await accepting.prepare_sources(by_name, declared.pushes, connections)
        settings = replace(settings, log=accepting.TailedLog(settings.log))
    runtimes = await _open_runtimes(functions, (*prepared, *sources), settings, stack)
    slots = {name: FunctionSlots(function.concurrency) for name, function in by_name.items()}
    polling = [each.running(runtimes[each.function.function_name], slots) for each in prepared]
    pushes: Pushes | None = None
    if takes_events:
        region, account = _home(runtimes, settings)
        here = accepting.Here(dict(by_name), runtimes, slots, settings, connections, region, account)
        pushes = await accepting.open_pushes(
            here, declared, sources, server, http_api, streams, stack, polling=polling, stop_budget_s=budget_s
        )
    return Running(polling, runtimes, budget_s, pushes), pushes


async def _open_runtimes(
    functions: Sequence[Function],
    prepared: Sequence[Prepared | PreparedPush],
    settings: Settings,
    stack: AsyncExitStack,
) -> dict[str, FunctionRuntime]:
    runtimes = {}
    for function in functions:
        region, account = _place(function, prepared, settings)
        runtime = FunctionRuntime(
            function,
            region=region,
            account_id=account,
            log=settings.log,
            extra_environment=settings.extra_environment,
        )
        runtimes[function.function_name] = await stack.enter_async_context(runtime)
    return runtimes


async def _prepare(
    functions: Mapping[str, Function],
    mappings: Sequence[EventSourceMapping | StreamMapping],
    connections: Connections,
    streams: StreamPreparation,
) -> list[Prepared]:
    prepared: list[Prepared] = []
    for mapping in mappings:
        function = declared_function(functions, mapping.function_name, mapping.event_source_arn)
        if isinstance(mapping, StreamMapping):
            prepared.append(await streams.prepare(mapping, function))
        else:
            prepared.append(await prepare_queue(mapping, function, connections))
    _refuse_duplicates(prepared)
    return prepared


async def _keep_polling(loops: Sequence[MappingLoop | StreamLoop]) -> None:
    """Run the loops until each is drained. Whoever is cancelled around them still drains them first."""
    with anyio.CancelScope(shield=True):
        async with anyio.create_task_group() as tasks:
            for loop in loops:
                tasks.start_soon(loop.run)


def _read(error: FunctionError) -> tuple[str, str, list[str]]:
    document = json.loads(error.payload)
    return error.error_type, str(document["errorMessage"]), document.get("stackTrace", [])


def _refuse_duplicates(prepared: Sequence[Prepared]) -> None:
    seen = set()
    for each in prepared:
        key = (each.arn, each.function.function_name)
        if key in seen:
            raise ResourceConflict(each.already_exists)
        seen.add(key)


def _place(function: Function, prepared: Sequence[Prepared | PreparedPush], settings: Settings) -> tuple[str, str]:
    """(region, account) of a function: those of its first source that has both; without any, the region asked for."""
    for each in prepared:
        name = each.function.function_name if isinstance(each, Prepared) else each.function_name
        region, account = each.arn.split(":")[3:5]
        if name == function.function_name and region and account:
            return region, account
    return _elsewhere(settings)


def _home(runtimes: Mapping[str, FunctionRuntime], settings: Settings) -> tuple[str, str]:
    """(region, account) of functions that come while the service runs: the first one's, or the region asked for."""
    for runtime in runtimes.values():
        region, account = runtime.arn.split(":")[3:5]
        return region, account
    return _elsewhere(settings)


def _elsewhere(settings: Settings) -> tuple[str, str]:
    return settings.aws.region or os.environ.get("AWS_REGION") or _ANY_REGION, _ANY_ACCOUNT

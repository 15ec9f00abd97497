"""A service that accepts events and requests: all its parts, put together; imported if there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from eventmap.clock import is_virtual
from eventmap.function import Function
from eventmap.http_route import HttpRoute, check_routes, check_streams
from eventmap.runtime.tail import TailedLog
from eventmap.service.asynchronous import AsynchronousQueues, Here
from eventmap.service.buckets import PreparedBucket, prepare_bucket
from eventmap.service.buses import open_buses
from eventmap.service.connections import Connections
from eventmap.service.control import open_control
from eventmap.service.declared import Declared, declared_function
from eventmap.service.functions import LiveFunctions
from eventmap.service.http import HttpServer
from eventmap.service.http_api import HttpApiListener
from eventmap.service.parts import Part
from eventmap.service.pushes import Pushes
from eventmap.service.queues import RunningQueue
from eventmap.service.schedules import open_clockwork
from eventmap.service.settings import HttpApiSettings, Settings
from eventmap.service.streams import RunningStream, StreamPreparation
from eventmap.service.topics import PreparedTopic, prepare_topic
from eventmap.subscription import S3Notification, SnsSubscription

PreparedPush = PreparedTopic | PreparedBucket

__all__ = ["Here", "PreparedPush", "TailedLog", "open_http_api", "open_pushes", "open_server", "prepare_sources"]


def open_server(settings: Settings, stack: AsyncExitStack) -> HttpServer | None:
    """Its port, taken before anything else is done; None = no server is asked for. Raises: ConfigurationError."""
    if settings.http is None:
        return None
    server = HttpServer(settings.http)
    stack.callback(server.close)
    return server


def open_http_api(settings: Settings, routes: Sequence[HttpRoute], stack: AsyncExitStack) -> HttpApiListener | None:
    """Its port, as above; None = there are no routes, and no port is asked for. Raises: ConfigurationError.

    On virtual time routes are served only if a port is asked for: an open socket would hold the clock.
    """
    if settings.http_api is None and (not routes or is_virtual()):
        check_routes(routes)
        return None
    listener = HttpApiListener(routes, settings.http_api or HttpApiSettings())
    stack.callback(listener.close)
    return listener


async def prepare_sources(
    functions: Mapping[str, Function],
    pushes: Sequence[SnsSubscription | S3Notification],
    connections: Connections,
) -> list[PreparedPush]:
    """Topics and buckets that exist; nothing is asked of them yet. Raises: ConfigurationError, SourceError."""
    sources: list[PreparedPush] = []
    for each in pushes:
        if isinstance(each, SnsSubscription):
            declared_function(functions, each.function_name, each.topic_arn)
            sources.append(await prepare_topic(each, connections))
        else:
            declared_function(functions, each.function_name, each.bucket)
            sources.append(await prepare_bucket(each, connections))
    return sources


async def open_pushes(
    here: Here,
    declared: Declared,
    sources: Sequence[PreparedPush],
    server: HttpServer | None,
    http_api: HttpApiListener | None,
    streams: StreamPreparation,
    stack: AsyncExitStack,
    *,
    polling: Sequence[RunningQueue | RunningStream],
    stop_budget_s: float,
) -> Pushes:
    """See `Pushes`; `here.settings.log` is a TailedLog. Raises: ConfigurationError, SourceError, StateError."""
    assert isinstance(here.settings.log, TailedLog)
    queues = AsynchronousQueues(here, stack)
    await queues.prepare()
    parts: list[Part] = []
    clockwork = buses = control = None
    if declared.schedules or declared.rules or server is not None:
        clockwork = await open_clockwork(here, declared.schedules, queues, stack)
        parts.append(clockwork)
        if declared.rules or server is not None:
            buses = await open_buses(here, declared.rules, queues, clockwork, stack)
            parts.append(buses)
    for function in here.functions.values():  # whose ends may be told to a bus of ours
        await queues.open(function)
    functions = LiveFunctions(here, queues, here.settings.log, stop_budget_s)
    if server is not None:
        control = await open_control(here, functions, server, streams, stack, polling=polling)
        parts.append(control)
    _check_routes(here, declared)
    if http_api is not None:
        place = (here.region, here.account_id)
        parts.append(http_api.serving(functions.invokable, place, stop_budget_s=stop_budget_s))
    return Pushes(
        here,
        functions,
        sources,
        server,
        http_api,
        clockwork=clockwork,
        buses=buses,
        control=control,
        parts=parts,
        loops=[each.loop for each in polling],
        stop_budget_s=stop_budget_s,
    )


def _check_routes(here: Here, declared: Declared) -> None:
    for route in declared.routes:
        declared_function(here.functions, route.function_name, route.route)
    check_streams(declared.routes, here.functions)

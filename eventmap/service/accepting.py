"""A service that accepts events: its server, its topics and buckets, its queues; imported if there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.stream.loop import StreamLoop
from eventmap.function import Function
from eventmap.runtime.tail import TailedLog
from eventmap.service.asynchronous import Here, open_asynchronous
from eventmap.service.buckets import PreparedBucket, prepare_bucket
from eventmap.service.connections import Connections
from eventmap.service.declared import declared_function
from eventmap.service.http import HttpServer
from eventmap.service.pushes import Pushes
from eventmap.service.settings import Settings
from eventmap.service.topics import PreparedTopic, prepare_topic
from eventmap.subscription import S3Notification, SnsSubscription

PreparedPush = PreparedTopic | PreparedBucket

__all__ = ["Here", "PreparedPush", "TailedLog", "open_pushes", "open_server", "prepare_sources"]


def open_server(settings: Settings, stack: AsyncExitStack) -> HttpServer | None:
    """Its port, taken before anything else is done; None = no server is asked for. Raises: ConfigurationError."""
    if settings.http is None:
        return None
    server = HttpServer(settings.http)
    stack.callback(server.close)
    return server


async def prepare_sources(
    functions: Mapping[str, Function],
    declared: Sequence[SnsSubscription | S3Notification],
    connections: Connections,
) -> list[PreparedPush]:
    """Topics and buckets that exist; nothing is asked of them yet. Raises: ConfigurationError, SourceError."""
    sources: list[PreparedPush] = []
    for each in declared:
        if isinstance(each, SnsSubscription):
            declared_function(functions, each.function_name, each.topic_arn)
            sources.append(await prepare_topic(each, connections))
        else:
            declared_function(functions, each.function_name, each.bucket)
            sources.append(await prepare_bucket(each, connections))
    return sources


async def open_pushes(
    here: Here,
    sources: Sequence[PreparedPush],
    server: HttpServer | None,
    stack: AsyncExitStack,
    *,
    loops: Sequence[MappingLoop | StreamLoop],
    stop_budget_s: float,
) -> Pushes:
    """See `Pushes`; `here.settings.log` is a TailedLog. Raises: ConfigurationError, SourceError, StateError."""
    assert isinstance(here.settings.log, TailedLog)
    queues = await open_asynchronous(here, stack)
    return Pushes(here, queues, sources, server, here.settings.log, loops=loops, stop_budget_s=stop_budget_s)

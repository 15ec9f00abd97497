"""A gateway on a port of its own, in front of handlers that really run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio

from eventmap.server.serving import bind, serving, url_of
from eventmap.server.settings import ServerLimits
from eventmap.testing import http_api
from tests.server.scene import Accepted, Scene


@asynccontextmanager
async def gateway(
    target: Any, *, limits: ServerLimits | None = None, stop_budget_s: float = 5, within_s: float = 30, **settings: Any
) -> AsyncIterator[Scene]:
    """`settings` as those of `http_api`."""
    with anyio.fail_after(within_s):
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(http_api(target, limits=limits, **settings))
            scene = Scene(client.app, Accepted(), client.statistics)  # type: ignore[arg-type]
            stack.push_async_callback(scene.close_connections)
            listener = bind("127.0.0.1", 0)
            scene.url = url_of(listener)
            await stack.enter_async_context(
                serving(
                    client.app,
                    listener,
                    limits=limits or ServerLimits(),
                    statistics=client.statistics,
                    stop_budget_s=stop_budget_s,
                )
            )
            yield scene

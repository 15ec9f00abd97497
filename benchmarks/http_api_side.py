"""The server of the http_api benchmark, in a process of its own.

python -m benchmarks.http_api_side routes|bare     prints its port, serves until its standard input is closed
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import anyio.to_thread

from benchmarks.invoke_side import accept, bare
from eventmap.delivery.direct import DirectInvocation
from eventmap.delivery.slots import FunctionSlots
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from eventmap.server.http_api.app import HttpApiApp
from eventmap.server.serving import bind, serving
from eventmap.server.settings import ServerLimits
from eventmap.server.statistics import ServerStatistics
from eventmap.service import Silent

_OTHERS = 20
"""Routes beside the one that is asked for."""


async def answer(event: Any, context: Any) -> dict[str, Any]:
    """A handler that looks at its event."""
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": f'{{"id":"{event["pathParameters"]["id"]}"}}',
    }


async def _app(side: str, stack: AsyncExitStack, statistics: ServerStatistics) -> Callable[..., Any]:
    if side == "bare":
        return bare
    function = Function(handler=answer, function_name="measured", reserved_concurrent_executions=64)
    log = TailedLog(Silent())
    runtime = FunctionRuntime(function, region="us-east-1", account_id="000000000000", log=log)
    await stack.enter_async_context(runtime)
    slots = FunctionSlots(function.concurrency).share()
    invocation = DirectInvocation(function, runtime, slots=slots, log=log, accept=accept)
    texts = [*(f"GET /others/{n}/{{id}}" for n in range(_OTHERS)), "GET /orders/{id}"]
    routes = [HttpRoute(route=text, function_name="measured") for text in texts]
    return HttpApiApp(
        routes, {"measured": invocation}, region="us-east-1", account_id="000000000000", statistics=statistics
    )


async def main(side: str) -> None:
    statistics = ServerStatistics()
    async with AsyncExitStack() as stack:
        app = await _app(side, stack, statistics)
        listener = bind("127.0.0.1", 0)
        print(listener.getsockname()[1], flush=True)
        async with serving(app, listener, limits=ServerLimits(), statistics=statistics, stop_budget_s=1):
            await anyio.to_thread.run_sync(lambda: os.read(0, 1))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])

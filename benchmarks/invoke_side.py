"""The server of the invoke benchmark, in a process of its own.

python -m benchmarks.invoke_side inline|process|bare     prints its port, serves until its standard input is closed
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import anyio.to_thread

from eventmap.delivery.direct import DirectInvocation
from eventmap.delivery.slots import FunctionSlots
from eventmap.function import Function
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from eventmap.server.app import ServerApp
from eventmap.server.serving import bind, serving
from eventmap.server.settings import ServerLimits, ServerSettings
from eventmap.server.statistics import ServerStatistics
from eventmap.service import Silent

_HANDLERS = {"inline": "benchmarks.handlers:nothing_async", "process": "benchmarks.handlers:nothing"}


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """What the HTTP server alone can do: read a request, answer `null`."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"null"})


async def accept(payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
    """Of events that are not kept: nothing measured here sends any."""
    return True


async def _app(side: str, stack: AsyncExitStack, statistics: ServerStatistics) -> Callable[..., Any]:
    if side == "bare":
        return bare
    function = Function(
        handler=_HANDLERS[side],
        function_name="measured",
        isolation="process" if side == "process" else "inline",
        reserved_concurrent_executions=64,
    )
    log = TailedLog(Silent())
    runtime = FunctionRuntime(function, region="us-east-1", account_id="000000000000", log=log)
    await stack.enter_async_context(runtime)
    slots = FunctionSlots(function.concurrency).share()
    invocation = DirectInvocation(function, runtime, slots=slots, log=log, accept=accept)
    return ServerApp({"measured": invocation}, {}, ServerSettings(), statistics)


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

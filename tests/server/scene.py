"""What the tests of the server share: functions that really run, behind the app, with or without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import boto3
import orjson
from anyio.abc import SocketStream
from botocore.config import Config

from eventmap.delivery.direct import DirectInvocation
from eventmap.delivery.slots import FunctionSlots
from eventmap.errors import EventmapError
from eventmap.function import Function
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from eventmap.server.app import ServerApp
from eventmap.server.ports import Receiver
from eventmap.server.serving import bind, serving, url_of
from eventmap.server.settings import ServerLimits, ServerSettings
from eventmap.server.statistics import ServerStatistics
from tests.runtime.running import Unread

from . import handlers

REGION, ACCOUNT = "eu-west-1", "123456789012"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders"


@dataclass
class Accepted:
    """Takes asynchronous events and remembers them, or cannot."""

    events: list[dict[str, Any]] = field(default_factory=list)
    error: EventmapError | None = None

    async def __call__(self, payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        if self.error is not None:
            raise self.error
        self.events.append({"payload": payload, "request_id": request_id, "qualifier": qualifier, "trace_id": trace_id})
        return True


@dataclass
class Scene:
    """A running function `orders`, alias `live`, behind an app."""

    app: ServerApp
    accepted: Accepted
    statistics: ServerStatistics
    url: str = ""
    connections: list[SocketStream] = field(default_factory=list)  #: of tests; closed with the server

    async def close_connections(self) -> None:
        await anyio.wait_all_tasks_blocked()  # who reads has read what there was
        for connection in self.connections:
            await connection.aclose()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def refused(self) -> dict[str, int]:
        return dict(self.statistics.refused)

    def client(self, *, key: str = "test", secret: str = "test", **options: Any) -> Any:
        """A plain boto3 client without retries; blocking, so call it in a thread."""
        config = Config(**({"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 30} | options))
        return boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=config,
        )

    async def call(self, operation: str, *, key: str = "test", secret: str = "test", **parameters: Any) -> Any:
        """One call of boto3, in a thread."""

        def work() -> Any:
            client = self.client(key=key, secret=secret)
            try:
                answer = getattr(client, operation)(**parameters)
                if "Payload" in answer:
                    answer["Payload"] = answer["Payload"].read()
                if "EventStream" in answer:
                    answer["EventStream"] = list(answer["EventStream"])
                return answer
            finally:
                client.close()

        return await anyio.to_thread.run_sync(work)


@asynccontextmanager
async def functions(
    handler: Any = handlers.echo,
    *,
    receivers: Mapping[str, Receiver] | None = None,
    settings: ServerSettings | None = None,
    problems: Callable[[], list[str]] = list,
    within_s: float = 30,
    **function_settings: Any,
) -> AsyncIterator[Scene]:
    """The app over one function, which really runs; no sockets."""
    function = Function(handler=handler, function_name="orders", aliases=["live"], **function_settings)
    log, accepted, statistics = TailedLog(Unread()), Accepted(), ServerStatistics()
    with anyio.fail_after(within_s):
        async with FunctionRuntime(function, region=REGION, account_id=ACCOUNT, log=log) as runtime:
            slots = FunctionSlots(function.concurrency).share()
            invocation = DirectInvocation(function, runtime, slots=slots, log=log, accept=accepted)
            settings = settings or ServerSettings(region=REGION, account_id=ACCOUNT)
            app = ServerApp({"orders": invocation}, receivers or {}, settings, statistics, problems=problems)
            yield Scene(app, accepted, statistics)


@asynccontextmanager
async def server(
    handler: Any = handlers.echo,
    *,
    limits: ServerLimits | None = None,
    access_keys: Mapping[str, str] | None = None,
    stop_budget_s: float = 5,
    **settings: Any,
) -> AsyncIterator[Scene]:
    """The same on a port of its own."""
    limits = limits or ServerLimits()
    server_settings = ServerSettings(region=REGION, account_id=ACCOUNT, access_keys=access_keys or {}, limits=limits)
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(functions(handler, settings=server_settings, **settings))
        stack.push_async_callback(scene.close_connections)
        listener = bind("127.0.0.1", 0)
        scene.url = url_of(listener)
        await stack.enter_async_context(
            serving(scene.app, listener, limits=limits, statistics=scene.statistics, stop_budget_s=stop_budget_s)
        )
        yield scene


@dataclass
class Answer:
    """What an app sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.headers["x-amzn-errortype"]


async def request(
    app: Callable[[Any, Any, Any], Awaitable[None]],
    path: str = "/2015-03-31/functions/orders/invocations",
    body: bytes | Iterable[bytes] = b"",
    *,
    method: str = "POST",
    **headers: str,
) -> Answer:
    """One request over ASGI; `body` in pieces, after the last of which the client hangs up if asked for more.

    A header is written as `x_amz_log_type`; its host is the local machine unless told.
    """
    pieces = [body] if isinstance(body, bytes) else list(body)
    raw_path, _, query = path.partition("?")
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": method,
        "path": _unquoted(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in ({"host": "localhost"} | headers).items()
        ],
    }

    async def receive() -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    names = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], names, b"".join(part["body"] for part in parts))


def _unquoted(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path)

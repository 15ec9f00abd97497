"""`http_api`: handlers behind an HTTP API, called in this process, on virtual time or any other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import unquote, urlencode, urlsplit

import orjson

from eventmap.clock import elapsed_s
from eventmap.delivery.direct import DirectInvocation
from eventmap.delivery.slots import FunctionSlots
from eventmap.errors import ConfigurationError
from eventmap.function import Function, Handler
from eventmap.http_route import DEFAULT, HttpRoute, http_route_of
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from eventmap.server.http_api.app import HttpApiApp
from eventmap.server.settings import ServerLimits
from eventmap.server.statistics import ServerStatistics

_NAME: Final = "handler"
_HOST: Final = "localhost"


@runtime_checkable
class Declares(Protocol):
    """An `App`: what it says of functions and routes is taken, everything else left out."""

    def functions(self) -> Sequence[Function]: ...

    def mappings(self) -> Sequence[object]: ...


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a client got."""

    status_code: int
    header_lines: Sequence[tuple[str, str]]  #: as they came, names in lower case, repetitions included
    pieces: Sequence[bytes]  #: as they came: one unless the answer was streamed
    arrived_at: Sequence[float]  #: of each piece, seconds on the loop's clock
    is_complete: bool  #: False = it was cut off, as one is whose handler failed while it streamed

    @property
    def headers(self) -> dict[str, str]:
        """By name in lower case, those of one name joined by a comma."""
        joined: dict[str, str] = {}
        for name, value in self.header_lines:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined

    @property
    def cookies(self) -> dict[str, str]:
        """Those the answer sets, by name, without their attributes."""
        set_cookies = [value for name, value in self.header_lines if name == "set-cookie"]
        pairs = [cookie.partition(";")[0].partition("=") for cookie in set_cookies]
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def text(self) -> str:
        """Raises: UnicodeDecodeError."""
        return self.content.decode()

    def json(self) -> Any:
        """Raises: ValueError."""
        return orjson.loads(self.content)


@dataclass(slots=True)
class HttpClient:
    """Sends requests to an app, as a client that knows no cookies and follows no redirects would."""

    app: Callable[[Any, Any, Any], Any]
    statistics: ServerStatistics
    source_ip: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)  #: of every request

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        content: bytes | str = b"",
        json: object = None,
    ) -> HttpAnswer:
        """`path` is sent as it is, `params` are added to its query; `json` is a body, None = `content` is."""
        url = urlsplit(path)
        query = "&".join(part for part in (url.query, urlencode(params)) if part)
        body = content.encode() if isinstance(content, str) else content
        own = dict(self.headers)
        if json is not None:
            body = orjson.dumps(json)
            own.setdefault("content-type", "application/json")
        lines = _lines(own, headers, body)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": query.encode(),
            "headers": lines,
            "client": (self.source_ip, 40_000),
            "server": (_HOST, 80),
        }
        return await _call(self.app, scope, body, method)

    async def get(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("GET", path, **options)

    async def head(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("HEAD", path, **options)

    async def options(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("OPTIONS", path, **options)

    async def post(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> HttpAnswer:
        return await self.request("DELETE", path, **options)


@asynccontextmanager
async def http_api(
    target: Handler | Declares | Mapping[str, Handler | Function],
    *,
    routes: Sequence[HttpRoute] = (),
    region: str = "us-east-1",
    account_id: str = "000000000000",
    limits: ServerLimits | None = None,
    **settings: Any,
) -> AsyncIterator[HttpClient]:
    """A client of handlers that really run, in this process.

    `target` is one handler, which answers everything unless `settings`, those of an `HttpRoute`, say otherwise; an App,
    with the routes it declares; or handlers, or Functions, by the names that `routes` use. Of `limits` only that of
    the body's time counts: there is no connection.
    Raises: ConfigurationError, InvalidParameterValue.
    """
    functions, found = _read(target, routes, settings)
    statistics, log = ServerStatistics(), TailedLog(_Unread())
    async with AsyncExitStack() as stack:
        invokable = {}
        for function in functions:
            runtime = FunctionRuntime(function, region=region, account_id=account_id, log=log)
            await stack.enter_async_context(runtime)
            slots = FunctionSlots(function.concurrency).share()
            invokable[function.function_name] = DirectInvocation(
                function, runtime, slots=slots, log=log, accept=_refuse_event
            )
        app = HttpApiApp(found, invokable, region=region, account_id=account_id, statistics=statistics, limits=limits)
        yield HttpClient(app, statistics)


def _read(
    target: Handler | Declares | Mapping[str, Handler | Function],
    routes: Sequence[HttpRoute],
    settings: Mapping[str, Any],
) -> tuple[list[Function], list[HttpRoute]]:
    if isinstance(target, Mapping | Declares) and settings:
        raise ConfigurationError(f"{', '.join(settings)} cannot be given beside an App or several handlers: use routes")
    if isinstance(target, Mapping):
        functions = [
            each if isinstance(each, Function) else Function(handler=each, function_name=name)
            for name, each in target.items()
        ]
        return functions, list(routes)
    if isinstance(target, Declares):
        declared = [each for each in target.mappings() if isinstance(each, HttpRoute)]
        return list(target.functions()), [*declared, *routes]
    route = http_route_of({"route": DEFAULT, "function_name": _NAME, **settings})
    return [Function(handler=target, function_name=route.function_name)], [route, *routes]


async def _call(app: Callable[[Any, Any, Any], Any], scope: dict[str, Any], body: bytes, method: str) -> HttpAnswer:
    unread = [{"type": "http.request", "body": body, "more_body": False}]
    start: dict[str, Any] = {}
    pieces: list[bytes] = []
    arrived_at: list[float] = []
    is_complete = False

    async def receive() -> dict[str, Any]:
        return unread.pop() if unread else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal is_complete
        if message["type"] == "http.response.start":
            start.update(message)
            return
        if message.get("body") and method != "HEAD":
            pieces.append(message["body"])
            arrived_at.append(elapsed_s())
        is_complete = not message.get("more_body", False)

    await app(scope, receive, send)
    lines = [(name.decode("latin-1"), _text(value)) for name, value in start["headers"]]
    return HttpAnswer(start["status"], lines, pieces, arrived_at, is_complete)


def _lines(
    own: Mapping[str, str], headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes
) -> list[tuple[bytes, bytes]]:
    given = list(headers.items() if isinstance(headers, Mapping) else headers)
    named = {name.lower() for name, _ in given}
    lines = [(name.lower(), value) for name, value in own.items() if name.lower() not in named]
    lines += [(name.lower(), value) for name, value in given]
    if "host" not in named:
        lines.insert(0, ("host", _HOST))
    if body and "content-length" not in named:
        lines.append(("content-length", str(len(body))))
    return [(name.encode(), value.encode()) for name, value in lines]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _refuse_event(payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
    raise ConfigurationError("nothing is invoked asynchronously over HTTP")


class _Unread:
    enabled = False

    def line(self, function_name: str, request_id: str, text: str) -> None:
        """Never called while `enabled` is False."""

"""The server's ASGI app: Lambda's Invoke API, the receivers' paths, health."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from eventmap import telemetry
from eventmap.rules import invoke_errors
from eventmap.rules.invoke_api import Operation
from eventmap.rules.invoke_errors import Refusal
from eventmap.server import door
from eventmap.server.authorization import Authorization
from eventmap.server.exchange import ClientGone, Exchange
from eventmap.server.invoke import InvokeApi
from eventmap.server.ports import Api, ApiRequest, InvokableFunction, Receiver
from eventmap.server.settings import ServerSettings
from eventmap.server.statistics import ServerStatistics

_OPERATIONS: Mapping[tuple[bytes, bytes], Operation] = {
    (b"2015-03-31", b"invocations"): "InvokeFunction",
    (b"2014-11-13", b"invoke-async"): "InvokeAsync",
    (b"2021-11-15", b"response-streaming-invocations"): "InvokeWithResponseStream",
}
_PING = b"/2018-06-01/ping"
_HEALTH = b"/healthz"
_TEXT = ((b"content-type", b"text/plain; charset=utf-8"),)
_log = telemetry.logger("eventmap.server")


def _no_problems() -> Sequence[str]:
    return ()


class ServerApp:
    """One ASGI application. `functions` are by name, and may change while it serves; `receivers` are by decoded path,
    such as `/sns/orders`; `apis` are asked in their order, after Invoke.

    `problems` is asked by `/healthz`: a line for each thing that stands still, none = all is well.
    """

    def __init__(
        self,
        functions: Mapping[str, InvokableFunction],
        receivers: Mapping[str, Receiver],
        settings: ServerSettings,
        statistics: ServerStatistics,
        *,
        apis: Sequence[Api] = (),
        problems: Callable[[], Sequence[str]] = _no_problems,
    ) -> None:
        self._receivers = dict(receivers)
        self._settings = settings
        self._statistics = statistics
        self._apis = tuple(apis)
        self._problems = problems
        self._authorization = Authorization(settings.access_keys)
        self._invoke = InvokeApi(functions, settings, statistics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self._statistics.requests += 1
        exchange = Exchange(
            scope,
            receive,
            send,
            body_timeout_s=self._settings.limits.body_timeout_s,
            statistics=self._statistics,
        )
        try:
            await self._route(scope, exchange)
        except ClientGone:
            self._statistics.refused["disconnected"] += 1
        # A defect that one request meets is told, and the others are served on.
        except Exception:
            _log.exception(telemetry.REQUEST_FAILED, request_id=exchange.request_id)
            if not exchange.is_answered:
                await exchange.refuse(invoke_errors.failed("Internal failure; the log of the server says more"))

    async def _route(self, scope: Scope, exchange: Exchange) -> None:
        if (refusal := door.check(exchange.headers, self._settings.public_hosts)) is not None:
            await exchange.refuse(refusal)
            return
        path: bytes = scope["raw_path"]
        # By the encoded path: a slash within a name is part of the name, and refused as such.
        match path.removesuffix(b"/").split(b"/"):
            case [b"", version, b"functions", name, action] if operation := _OPERATIONS.get((version, action)):
                if scope["method"] == "POST":
                    await self._invoke.serve(operation, name.decode("latin-1"), exchange)
                else:
                    await _refuse_method(exchange, "POST")
                return
        text = exchange.raw_path
        for api in self._apis:
            if api.takes(scope["method"], text, exchange.headers):
                await self._serve(api, exchange)
                return
        if path in (_PING, _HEALTH):
            await self._tell(path, exchange)
        elif (receiver := self._receivers.get(scope["path"])) is not None:
            await self._push(receiver, exchange)
        else:
            await exchange.refuse(invoke_errors.unknown_path())

    async def _tell(self, path: bytes, exchange: Exchange) -> None:
        if exchange.method != "GET":
            await _refuse_method(exchange, "GET")
        elif path == _PING:
            await exchange.answer(200, b"pong", _TEXT)
        elif problems := self._problems():
            await exchange.answer(503, "".join(f"{line}\n" for line in problems).encode(), _TEXT)
        else:
            await exchange.answer(200, b"ok\n", _TEXT)

    async def _serve(self, api: Api, exchange: Exchange) -> None:
        limit_bytes = api.body_limit_bytes
        body = await exchange.read_body(limit_bytes, invoke_errors.too_large(limit_bytes, "api"))
        refusal = body if isinstance(body, Refusal) else self._authorization.check(exchange, body, api.signing_name)
        if refusal is not None:
            await exchange.refuse(replace(refusal, is_typed=api.signing_name == "events"))
            return
        assert isinstance(body, bytes)
        answer = await api.serve(
            ApiRequest(exchange.method, exchange.raw_path, exchange.query, exchange.headers, body, exchange.request_id)
        )
        if answer.status < 400:
            self._statistics.api_calls += 1
        else:
            self._statistics.api_calls_refused += 1
        await exchange.answer(answer.status, answer.body, answer.headers)

    async def _push(self, receiver: Receiver, exchange: Exchange) -> None:
        if exchange.method != "POST":
            await _refuse_method(exchange, "POST")
            return
        limit_bytes = receiver.body_limit_bytes
        body = await exchange.read_body(limit_bytes, invoke_errors.too_large(limit_bytes, "push"))
        refusal = body if isinstance(body, Refusal) else None
        if isinstance(body, bytes) and not receiver.is_self_proving:
            refusal = self._authorization.check(exchange, body)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        assert isinstance(body, bytes)
        status, text = await receiver.receive(exchange.headers, body)
        if status < 400:
            self._statistics.pushes += 1
        else:
            self._statistics.pushes_refused += 1
        await exchange.answer(status, f"{text}\n".encode(), _TEXT)


async def _refuse_method(exchange: Exchange, allowed: str) -> None:
    await exchange.refuse(invoke_errors.method_not_allowed(exchange.method, allowed), [(b"allow", allowed.encode())])

"""HttpApiApp: HTTP requests invoke functions, which answer them (SRC-90..105).

request ──▶ Host ──▶ preflight? ──▶ route ──▶ body ──▶ authorizer ──▶ function ──▶ response
               └────────── each may end it, in the words of the route's gateway ──────────┘

Web pages may call it, as they may call a gateway of AWS': what they get to see is a matter of CORS. The Host is
looked at all the same, so that no page reaches a machine's own server through a name of the page's (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from starlette.types import Receive, Scope, Send

from eventmap import telemetry
from eventmap.clock import wall_time_s
from eventmap.http_route import HttpRoute, PayloadFormat, check_routes
from eventmap.model import Event
from eventmap.rules.http import cors
from eventmap.rules.http.answers import HttpResponse
from eventmap.rules.http.events import event_of, with_authorizer
from eventmap.rules.http.refusals import REQUEST_LIMIT_BYTES, Trouble, refusal
from eventmap.rules.http.request import HttpRequest, Place, is_well_encoded
from eventmap.rules.http.routing import Match, Routing
from eventmap.server import door
from eventmap.server.exchange import ClientGone, Exchange, Headers
from eventmap.server.http_api.invocation import EVENT_LIMIT_BYTES, HttpInvocation
from eventmap.server.ports import InvokableFunction
from eventmap.server.settings import ServerLimits
from eventmap.server.statistics import ServerStatistics

_NOBODY = ("127.0.0.1", 0)
_log = telemetry.logger("eventmap.server")


class HttpApiApp:
    """One ASGI application. `functions` are by name, and may change while it serves; a route whose function is not
    there answers with an error.

    `public_hosts` are names, in lower case and without port, it is reached under besides `localhost` and addresses;
    None = under any. Raises: ConfigurationError if two routes collide.
    """

    def __init__(
        self,
        routes: Sequence[HttpRoute],
        functions: Mapping[str, InvokableFunction],
        *,
        region: str,
        account_id: str,
        statistics: ServerStatistics,
        limits: ServerLimits | None = None,
        public_hosts: frozenset[str] | None = frozenset(),
    ) -> None:
        check_routes(routes)
        self._routing = Routing(routes)
        self._format: PayloadFormat = routes[0].payload_format if routes else "2.0"  # whose words nobody's requests get
        self._functions = functions
        self._place = Place(region, account_id)
        self._statistics = statistics
        self._body_timeout_s = (limits or ServerLimits()).body_timeout_s
        self._public_hosts = public_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self._statistics.requests += 1
        exchange = Exchange(scope, receive, send, body_timeout_s=self._body_timeout_s, statistics=self._statistics)
        try:
            await self._route(scope, exchange)
        except ClientGone:
            self._statistics.refused["disconnected"] += 1
        # A defect that one request meets is told, and the others are served on.
        except Exception:
            _log.exception(telemetry.REQUEST_FAILED, request_id=exchange.request_id)
            if not exchange.is_answered:
                await self._refuse("failed", self._format, exchange)

    async def _route(self, scope: Scope, exchange: Exchange) -> None:
        if self._public_hosts is not None:
            foreign = door.check_host(exchange.headers.get("host", ""), self._public_hosts)
            if foreign is not None:
                await exchange.refuse(foreign)
                return
        method, path = exchange.method, exchange.raw_path
        if not is_well_encoded(path, exchange.query):
            await self._refuse("malformed", self._format, exchange)
            return
        origin = exchange.headers.get("origin", "")
        asked = cors.requested_method(method, exchange.headers)
        if asked is not None and (match := self._routing.find(asked, path)) is not None:
            rules = match.route.cors
            if rules is not None:
                await exchange.answer(204, b"", cors.of_preflight(rules, origin))
                return
        match = self._routing.find(method, path)
        if match is None:
            await self._refuse("unknown", self._format, exchange)
            return
        answering = _Answering(exchange, match.route, origin)
        function = self._functions.get(match.route.function_name)
        if function is None:
            _log.error(
                telemetry.REQUEST_FAILED,
                request_id=exchange.request_id,
                error=f"route {match.route.route!r}: there is no function {match.route.function_name!r}",
            )
            await answering.refuse("failed")
            return
        body = await exchange.read(REQUEST_LIMIT_BYTES[match.route.payload_format])
        if isinstance(body, bytes):
            await self._invoke(_request(scope, exchange, body), match, function, answering)
        else:
            await answering.refuse(body)

    async def _invoke(
        self, request: HttpRequest, match: Match, function: InvokableFunction, answering: _Answering
    ) -> None:
        route = match.route
        document = event_of(request, match, self._place)
        if route.authorizer is not None:
            authorizer = await _authorized(route, document)
            if authorizer is None:
                await answering.refuse("forbidden")
                return
            with_authorizer(document, route, authorizer, self._place)
        event = Event(document)
        if len(event.text) > EVENT_LIMIT_BYTES:
            await answering.refuse("large")
            return
        await HttpInvocation(function, route, request, answering, self._statistics).run(event)

    async def _refuse(self, trouble: Trouble, payload_format: PayloadFormat, exchange: Exchange) -> None:
        response = refusal(trouble, payload_format)
        await exchange.turn_away(trouble, response.status, response.body, response.headers)


class _Answering:
    """The one answer to a request that a route takes, CORS included."""

    def __init__(self, exchange: Exchange, route: HttpRoute, origin: str) -> None:
        self._exchange = exchange
        self._route = route
        self._origin = origin

    async def answer(self, response: HttpResponse) -> None:
        await self._exchange.answer(response.status, response.body, self._headers(response.headers))

    async def refuse(self, trouble: Trouble) -> None:
        response = refusal(trouble, self._route.payload_format)
        headers = self._headers(response.headers)
        await self._exchange.turn_away(trouble, response.status, response.body, headers)

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self._exchange.begin(status, self._headers(headers))

    async def send_piece(self, piece: bytes) -> None:
        await self._exchange.send_piece(piece)

    async def end(self) -> None:
        await self._exchange.end()

    def _headers(self, headers: list[tuple[bytes, bytes]]) -> Headers:
        rules = self._route.cors
        return headers if rules is None else cors.of_answer(rules, self._origin, headers)


async def _authorized(route: HttpRoute, event: dict[str, object]) -> Mapping[str, object] | None:
    """Who asks, for the event; None = nobody who may."""
    if isinstance(route.authorizer, Mapping):
        return route.authorizer
    assert route.authorizer is not None
    decided = route.authorizer(event)
    return await decided if isinstance(decided, Awaitable) else decided


def _request(scope: Scope, exchange: Exchange, body: bytes) -> HttpRequest:
    return HttpRequest(
        method=exchange.method,
        raw_path=exchange.raw_path,
        raw_query=exchange.query,
        headers=exchange.header_lines,
        body=body,
        source_ip=(scope.get("client") or _NOBODY)[0],
        protocol=f"HTTP/{scope.get('http_version', '1.1')}",
        scheme=scope.get("scheme", "http"),
        port=(scope.get("server") or _NOBODY)[1],
        request_id=exchange.request_id,
        at_s=wall_time_s(),
    )

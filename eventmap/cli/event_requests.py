"""`eventmap event KIND`: requests, as API Gateway, function URLs and load balancers hand them to a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final

import typer

from eventmap.cli.event_options import Headers
from eventmap.cli.given import object_given, pairs_given, text_given
from eventmap.model import JsonObject
from eventmap.testing.origin import Origin

_Method = Annotated[str, typer.Option("--method", metavar="NAME", help="GET, POST …")]
_Path = Annotated[str, typer.Option("--path", metavar="PATH", help="With its query, if there is one.")]
_Query = Annotated[list[str] | None, typer.Option("--query", metavar="K=V", help="A query parameter; repeatable.")]
_RequestBody = Annotated[str | None, typer.Option("--body", metavar="TEXT|@FILE|-", help="The body; none.")]
_Authorizer = Annotated[
    str | None, typer.Option("--authorizer", metavar="JSON|@FILE|-", help="The request context's member authorizer.")
]


def http_v2(
    *,
    method: _Method = "GET",
    path: _Path = "/orders/7",
    route: Annotated[str, typer.Option("--route", metavar="ROUTE", help="The API's: GET /orders/{id}.")] = "$default",
    header: Headers = None,
    query: _Query = None,
    body: _RequestBody = None,
    stage: Annotated[str, typer.Option("--stage", metavar="NAME", help="The API's stage.")] = "$default",
    authorizer: _Authorizer = None,
    origin: Origin,
) -> JsonObject:
    """A request to an HTTP API of API Gateway, payload format 2.0.

    \b
    eventmap event http-v2 --path /orders/7 --route 'GET /orders/{id}' --header accept=application/json
    """
    from eventmap.testing.events import web_requests

    given = _given(header, query, body, authorizer)
    return web_requests.http_v2(method, path, route=route, stage=stage, origin=origin, **given)


def http_v1(
    *,
    method: _Method = "GET",
    path: _Path = "/orders/7",
    route: Annotated[
        str | None, typer.Option("--route", metavar="ROUTE", help="The API's: GET /orders/{id}; ANY /{proxy+}.")
    ] = None,
    header: Headers = None,
    query: _Query = None,
    body: _RequestBody = None,
    stage: Annotated[str, typer.Option("--stage", metavar="NAME", help="The API's stage.")] = "prod",
    authorizer: _Authorizer = None,
    origin: Origin,
) -> JsonObject:
    """A request to a REST API of API Gateway, payload format 1.0.

    \b
    eventmap event http-v1 --method POST --path /orders --body @order.json
    """
    from eventmap.testing.events import web_requests

    given = _given(header, query, body, authorizer)
    return web_requests.http_v1(method, path, route=route, stage=stage, origin=origin, **given)


def function_url(
    *,
    method: _Method = "GET",
    path: _Path = "/orders/7",
    header: Headers = None,
    query: _Query = None,
    body: _RequestBody = None,
    authorizer: _Authorizer = None,
    origin: Origin,
) -> JsonObject:
    """A request to a function's URL.

    \b
    eventmap event function-url --path '/orders?page=2'
    """
    from eventmap.testing.events import web_requests

    return web_requests.function_url(method, path, origin=origin, **_given(header, query, body, authorizer))


def alb(
    *,
    method: _Method = "GET",
    path: _Path = "/orders/7",
    header: Headers = None,
    query: _Query = None,
    body: _RequestBody = None,
    multi_value_headers: Annotated[
        bool, typer.Option("--multi-value-headers", help="The target group has multi-value headers on.")
    ] = False,
    origin: Origin,
) -> JsonObject:
    """A request that an Application Load Balancer passes on.

    \b
    eventmap event alb --path /health --header user-agent=ELB-HealthChecker/2.0
    """
    from eventmap.testing.events import web_requests

    given = _given(header, query, body)
    return web_requests.alb(method, path, multi_value_headers=multi_value_headers, origin=origin, **given)


def websocket(
    *,
    body: _RequestBody = None,
    route_key: Annotated[
        str, typer.Option("--route-key", metavar="KEY", help="$connect, $disconnect, or the message's.")
    ] = "$default",
    connection_id: Annotated[str | None, typer.Option("--connection-id", metavar="ID", help="The client's.")] = None,
    stage: Annotated[str, typer.Option("--stage", metavar="NAME", help="The API's stage.")] = "production",
    header: Headers = None,
    origin: Origin,
) -> JsonObject:
    """A message, a coming or a going of a client of API Gateway's WebSocket API, which is not served here.

    \b
    eventmap event websocket --route-key '$connect' --header origin=https://example.com
    """
    from eventmap.testing.events import web_sockets

    return web_sockets.websocket(
        None if body is None else text_given(body, "--body"),
        route_key=route_key,
        stage=stage,
        connection_id=connection_id,
        headers=pairs_given(header or (), "--header"),
        origin=origin,
    )


def _given(
    header: Iterable[str] | None, query: Iterable[str] | None, body: str | None, authorizer: str | None = None
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "headers": pairs_given(header or (), "--header"),
        "query": pairs_given(query or (), "--query"),
        "body": None if body is None else text_given(body, "--body"),
    }
    if authorizer is not None:
        given["authorizer"] = object_given(authorizer, "--authorizer")
    return given


REQUESTS: Final[tuple[tuple[Callable[..., JsonObject], str], ...]] = (
    (http_v2, "A request to an HTTP API."),
    (http_v1, "A request to a REST API."),
    (function_url, "A request to a function's URL."),
    (alb, "A request through a load balancer."),
    (websocket, "What a client of a WebSocket API does."),
)

"""Events of API Gateway, function URLs and load balancers: requests, as a function gets them (SRC-90..103).

`eventmap.testing.http_api` calls an application's routes, and shows how its answers are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from eventmap.errors import InvalidParameterValue
from eventmap.http_route import DEFAULT, METHODS, HttpRoute
from eventmap.model import JsonObject
from eventmap.rules.http.events import event_of, with_authorizer
from eventmap.rules.http.request import HttpRequest, Place, is_well_encoded
from eventmap.rules.http.routing import Routing
from eventmap.testing.events.content import text_of
from eventmap.testing.origin import HERE, Origin

Values = Mapping[str, str | Sequence[str]]
"""Headers or query parameters: a value for each name, or several."""

_FUNCTION: Final = "orders"
_KEPT_IN_PATHS: Final = "/%:@!$&'()*+,;=~"


def http_v2(
    method: str = "GET",
    path: str = "/",
    *,
    route: str = DEFAULT,
    headers: Values | None = None,
    query: Values | None = None,
    body: object = None,
    stage: str = DEFAULT,
    authorizer: Mapping[str, Any] | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """A request to an HTTP API, in the payload format 2.0.

    `path` may hold a query string, too. `route` such as `GET /orders/{id}` is the API's; its parameters are taken from
    the path. A `body` that is neither text nor bytes is sent as JSON; None = there is none.
    Raises: InvalidParameterValue for a route that does not take the path, or that no API can have.
    """
    declared = HttpRoute(route=route, function_name=_FUNCTION, stage=stage)
    return _event(declared, method, path, headers, query, body, authorizer, origin)


def http_v1(
    method: str = "GET",
    path: str = "/",
    *,
    route: str | None = None,
    headers: Values | None = None,
    query: Values | None = None,
    body: object = None,
    stage: str = "prod",
    authorizer: Mapping[str, Any] | None = None,
    binary_media_types: Sequence[str] = (),
    origin: Origin = HERE,
) -> JsonObject:
    """A request to a REST API, in the payload format 1.0; without a `route` its resource is `/{proxy+}`.

    A body of one of the `binary_media_types` is base64 in the event. The rest is that of `http_v2`.
    """
    if route is None:
        route = "ANY /" if path.partition("?")[0] == "/" else "ANY /{proxy+}"
    declared = HttpRoute(
        route=route,
        function_name=_FUNCTION,
        payload_format="1.0",
        stage=stage,
        binary_media_types=binary_media_types,
    )
    return _event(declared, method, path, headers, query, body, authorizer, origin)


def function_url(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Values | None = None,
    query: Values | None = None,
    body: object = None,
    authorizer: Mapping[str, Any] | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """A request to a function's URL. The rest is that of `http_v2`."""
    declared = HttpRoute(route=DEFAULT, function_name=_FUNCTION, payload_format="url")
    return _event(declared, method, path, headers, query, body, authorizer, origin)


def alb(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Values | None = None,
    query: Values | None = None,
    body: object = None,
    multi_value_headers: bool = False,
    origin: Origin = HERE,
) -> JsonObject:
    """A request that a load balancer passes on; `multi_value_headers` as its target group is set. See `http_v2`."""
    declared = HttpRoute(
        route=DEFAULT, function_name=_FUNCTION, payload_format="alb", multi_value_headers=multi_value_headers
    )
    return _event(declared, method, path, headers, query, body, None, origin)


def _event(
    route: HttpRoute,
    method: str,
    path: str,
    headers: Values | None,
    query: Values | None,
    body: object,
    authorizer: Mapping[str, Any] | None,
    origin: Origin,
) -> JsonObject:
    request = _request(route, method, path, headers, query, body, origin)
    match = Routing([route]).find(request.method, request.raw_path)
    if match is None:
        raise InvalidParameterValue(f"route {route.route!r} does not take {method} {path}")
    place = Place(origin.region, origin.account_id, origin.hexadecimal("api", length=10))
    event: JsonObject = event_of(request, match, place)
    if authorizer is not None:
        with_authorizer(event, route, authorizer, place)
    return event


def _request(
    route: HttpRoute,
    method: str,
    path: str,
    headers: Values | None,
    query: Values | None,
    body: object,
    origin: Origin,
) -> HttpRequest:
    if method == "ANY" or method not in METHODS:
        raise InvalidParameterValue(f"method {method!r} is none of {', '.join(METHODS[1:])}")
    plain, _, in_path = path.partition("?")
    raw_path = quote(plain, safe=_KEPT_IN_PATHS)
    if route.stage != DEFAULT:
        raw_path = f"/{route.stage}{raw_path}"
    raw_query = "&".join(filter(None, (in_path, urlencode(query or {}, doseq=True))))
    if not plain.startswith("/") or not is_well_encoded(raw_path, raw_query):
        raise InvalidParameterValue(f"path {path!r} is none: it begins with / and is percent-encoded where it must be")
    pairs = [
        (name.lower(), value)
        for name, given in (headers or {}).items()
        for value in ([given] if isinstance(given, str) else given)
    ]
    names = {name for name, _ in pairs}
    content = b"" if body is None else body if isinstance(body, bytes) else text_of(body).encode()
    if content and not isinstance(body, str | bytes) and "content-type" not in names:
        pairs.append(("content-type", "application/json"))
    pairs += [pair for pair in (("host", "api.example.com"), ("user-agent", "eventmap")) if pair[0] not in names]
    return HttpRequest(
        method=method,
        raw_path=raw_path,
        raw_query=raw_query,
        headers=pairs,
        body=content,
        scheme="https",
        port=443,
        request_id=origin.uuid("request"),
        at_s=origin.at.timestamp(),
    )

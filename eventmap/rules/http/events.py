"""A request as the event of each payload format (SRC-90, 91, 95, 96, 100, 101, 103)."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from eventmap.http_route import DEFAULT, HttpRoute
from eventmap.rules.http.request import (
    HttpRequest,
    Place,
    body_of,
    clf_time,
    decoded,
    forwarded,
    grouped,
    media_type,
    query_pairs,
)
from eventmap.rules.http.routing import Match
from eventmap.rules.partition import partition


def event_of(request: HttpRequest, match: Match, place: Place) -> dict[str, Any]:
    """The event of the route's payload format; its authorizer is not in it yet."""
    match match.route.payload_format:
        case "1.0":
            return _version_1(request, match, place)
        case "alb":
            return _load_balancer(request, match.route, place)
        case _:
            return _version_2(request, match, place)


def with_authorizer(event: dict[str, Any], route: HttpRoute, authorizer: Mapping[str, Any], place: Place) -> None:
    """Let the event say who asks; a function URL then tells the account as well (SRC-91, 95, 100)."""
    context = event["requestContext"]
    context["authorizer"] = dict(authorizer)
    if route.payload_format == "url":
        context["accountId"] = place.account_id


def _version_2(request: HttpRequest, match: Match, place: Place) -> dict[str, Any]:
    route = match.route
    is_url = route.payload_format == "url"
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in forwarded(request):
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": DEFAULT if is_url else route.route,
        "rawPath": request.raw_path,
        "rawQueryString": request.raw_query,
    }
    if cookies:
        event["cookies"] = cookies
    event["headers"] = headers
    if query := grouped(query_pairs(request.raw_query)):
        event["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    event["requestContext"] = _context_2(request, route, place, headers.get("user-agent", ""))
    if match.parameters and not is_url:
        event["pathParameters"] = dict(match.parameters)
    if route.stage_variables:
        event["stageVariables"] = dict(route.stage_variables)
    event["isBase64Encoded"] = False
    if request.body:
        event["body"], event["isBase64Encoded"] = body_of(request)
    return event


def _context_2(request: HttpRequest, route: HttpRoute, place: Place, user_agent: str) -> dict[str, Any]:
    is_url = route.payload_format == "url"
    identifier = url_id(route.function_name) if is_url else place.api_id
    return {
        "accountId": "anonymous" if is_url else place.account_id,
        "apiId": identifier,
        "domainName": f"{identifier}.lambda-url.{place.region}.on.aws" if is_url else _domain(place),
        "domainPrefix": identifier,
        "http": {
            "method": request.method,
            "path": request.raw_path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": user_agent,
        },
        "requestId": request.request_id,
        "routeKey": DEFAULT if is_url else route.route,
        "stage": route.stage,
        "time": clf_time(int(request.at_s)),
        "timeEpoch": int(request.at_s * 1000),
    }


def _version_1(request: HttpRequest, match: Match, place: Place) -> dict[str, Any]:
    route = match.route
    headers = grouped(forwarded(request))
    query = grouped(query_pairs(request.raw_query))
    path = decoded(request.raw_path)
    body: str | None = None
    is_base64 = False
    if request.body:
        is_base64 = is_binary(route, request.header("content-type"))
        # Without its media type declared, a body is text to a REST API, whatever that makes of it.
        body = b64encode(request.body).decode() if is_base64 else request.body.decode(errors="replace")
    return {
        "resource": route.path,
        "path": path if route.stage == DEFAULT else path.removeprefix(f"/{route.stage}") or "/",
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(match.parameters) or None,
        "stageVariables": dict(route.stage_variables) or None,
        "requestContext": _context_1(request, route, place, path),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _context_1(request: HttpRequest, route: HttpRoute, place: Place, path: str) -> dict[str, Any]:
    return {
        "accountId": place.account_id,
        "apiId": place.api_id,
        "domainName": _domain(place),
        "domainPrefix": place.api_id,
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": {
            "accessKey": None,
            "accountId": None,
            "caller": None,
            "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "principalOrgId": None,
            "sourceIp": request.source_ip,
            "user": None,
            "userAgent": request.header("user-agent") or None,
            "userArn": None,
        },
        "path": path,
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": clf_time(int(request.at_s)),
        "requestTimeEpoch": int(request.at_s * 1000),
        "resourceId": f"{zlib.crc32(route.path.encode()):08x}"[:6],
        "resourcePath": route.path,
        "stage": route.stage,
    }


def _load_balancer(request: HttpRequest, route: HttpRoute, place: Place) -> dict[str, Any]:
    headers = grouped(forwarded(request))
    query = grouped(query_pairs(request.raw_query, decode=False))
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": target_group_arn(route.function_name, place)}},
        "httpMethod": request.method,
        "path": request.raw_path,
    }
    if route.multi_value_headers:
        event["multiValueQueryStringParameters"] = query
        event["multiValueHeaders"] = headers
    else:
        event["queryStringParameters"] = _last(query)
        event["headers"] = _last(headers)
    event["body"], event["isBase64Encoded"] = body_of(request) if request.body else ("", False)
    return event


def is_binary(route: HttpRoute, media_types: str) -> bool:
    """Whether the route's binary media types hold the first of a Content-Type's or an Accept's (SRC-94)."""
    kind = media_type(media_types)
    return any(each == "*/*" or fnmatchcase(kind, each.lower()) for each in route.binary_media_types)


def url_id(function_name: str) -> str:
    """The id a function's URL seems to have: always the same for the same name."""
    return hashlib.sha256(function_name.encode()).hexdigest()[:32]


def target_group_arn(function_name: str, place: Place) -> str:
    """The target group a function seems to be the target of."""
    return (
        f"arn:{partition(place.region)}:elasticloadbalancing:{place.region}:{place.account_id}:"
        f"targetgroup/{function_name[:32]}/{url_id(function_name)[:16]}"
    )


def _domain(place: Place) -> str:
    return f"{place.api_id}.execute-api.{place.region}.amazonaws.com"


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: several[-1] for name, several in values.items()}

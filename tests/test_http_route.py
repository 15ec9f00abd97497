"""HttpRoute: what is refused, with a line that says why."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.function import Function
from eventmap.http_route import HttpRoute, check_routes, check_streams, http_route_of


def route(text: str = "GET /orders", function_name: str = "orders", **settings: Any) -> HttpRoute:
    return HttpRoute(route=text, function_name=function_name, **settings)


@pytest.mark.parametrize(
    ("text", "method", "path"),
    [
        ("GET /", "GET", "/"),
        ("ANY /a/{id}/b", "ANY", "/a/{id}/b"),
        ("POST /files/{path+}", "POST", "/files/{path+}"),
        ("GET /a/", "GET", "/a/"),
        ("$default", "ANY", "$default"),
    ],
)
def test_a_route_is_a_method_and_a_path(text: str, method: str, path: str) -> None:
    """Whatever takes everything has neither."""
    assert (route(text).method, route(text).path) == (method, path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not of the form 'METHOD /path' or '\\$default'"),
        ("GET", "is not of the form"),
        ("get /orders", "methods are ANY, DELETE"),
        ("TRACE /orders", "is not of the form"),
        ("GET orders", "is not of the form"),
        ("GET  /orders", "is not of the form"),
        ("GET /{path+}/more", "takes the rest of a path, so it must be last"),
        ("GET /{id}/{id}", "names {id} twice"),
        ("GET /a{id}", "'a{id}' must be plain text"),
        ("GET /{}", "must be plain text"),
        ("GET /a?b=c", "must be plain text"),
        ("GET /a b", "must be plain text"),
        (7, "must be a string such as"),
    ],
)
def test_a_route_nothing_could_match_is_refused(text: Any, why: str) -> None:
    """The line says what of it is wrong."""
    with pytest.raises(InvalidParameterValue, match=why):
        route(text)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"payload_format": "3.0"}, "choose one of 2.0, 1.0, url, alb"),
        ({"payload_format": "url", "stage": "dev"}, "stage is of a HTTP API .* or REST API"),
        ({"stage": "a/b"}, "stage 'a/b' must be"),
        ({"payload_format": "alb", "stage_variables": {"a": "b"}}, "stage_variables is of a"),
        ({"stage_variables": {"a b": "c"}}, "stage variable 'a b' must be named"),
        ({"stage_variables": {"a": "b c"}}, "stage variable a may hold"),
        ({"stage_variables": ["a"]}, "must be a table"),
        ({"binary_media_types": ["image/png"]}, "binary_media_types is of a REST API"),
        ({"payload_format": "1.0", "binary_media_types": "image/png"}, "must be a list"),
        ({"payload_format": "1.0", "binary_media_types": ["png"]}, "'png' must be such as"),
        ({"timeout_s": 31}, "must be 0.05..30 seconds"),
        ({"timeout_s": 0}, "must be 0.05..30 seconds"),
        ({"timeout_s": True}, "must be 0.05..30 seconds"),
        ({"timeout_s": float("nan")}, "must be 0.05..30 seconds"),
        ({"payload_format": "alb", "timeout_s": 0.5}, "must be 1..4000 seconds"),
        ({"payload_format": "url", "timeout_s": 5}, "timeout_s is of a"),
        ({"payload_format": "1.0", "cors": {}}, "cors is of a HTTP API .* or function URL"),
        ({"cors": {"AllowOrigin": ["*"]}}, "no member 'AllowOrigin'; known are AllowCredentials"),
        ({"cors": {"AllowOrigins": "*"}}, "AllowOrigins must be a list of strings"),
        ({"cors": {"AllowHeaders": ["a\r\nb"]}}, "AllowHeaders must be a list of strings"),
        ({"cors": {"AllowCredentials": 1}}, "AllowCredentials must be true or false"),
        ({"cors": {"MaxAge": 86_401}}, "MaxAge must be a whole number"),
        ({"cors": {"MaxAge": True}}, "MaxAge must be a whole number"),
        ({"cors": {"AllowOrigins": ["*"], "AllowCredentials": True}}, "no browser accepts"),
        ({"cors": ["*"]}, "must be a table"),
        ({"payload_format": "alb", "authorizer": {"a": 1}}, "authorizer is of a"),
        ({"authorizer": "me"}, "authorizer must be a table or a function"),
        ({"invoke_mode": "STREAM"}, "choose BUFFERED or RESPONSE_STREAM"),
        ({"invoke_mode": "RESPONSE_STREAM"}, "RESPONSE_STREAM is of a function URL"),
        ({"multi_value_headers": True}, "multi_value_headers is of a load balancer"),
        ({"multi_value_headers": 1}, "must be true or false"),
    ],
)
def test_a_setting_that_would_not_be_honoured_is_refused(settings: dict[str, Any], why: str) -> None:
    """What belongs to another kind of gateway, and what no gateway could do."""
    with pytest.raises(InvalidParameterValue, match=why):
        route(**settings)


@pytest.mark.parametrize(
    ("settings", "patience_s"),
    [
        ({}, 30),
        ({"payload_format": "1.0"}, 29),
        ({"payload_format": "alb"}, 60),
        ({"payload_format": "url"}, None),
        ({"timeout_s": 0.05}, 0.05),
        ({"payload_format": "1.0", "timeout_s": 300}, 300),
    ],
)
def test_src_93_99_how_long_a_client_waits(settings: dict[str, Any], patience_s: float | None) -> None:
    """SRC-93, SRC-99: 29 s of a REST API, 30 s of an HTTP API; a function URL as long as its function."""
    assert route(**settings).patience_s == patience_s


def test_named_settings_are_checked_by_name() -> None:
    """As a decorator or a file has them."""
    assert http_route_of({"route": "$default", "function_name": "f"}) == HttpRoute(route="$default", function_name="f")
    with pytest.raises(InvalidParameterValue, match="colour is not a setting of a route; known are authorizer"):
        http_route_of({"route": "$default", "function_name": "f", "colour": "red"})
    with pytest.raises(InvalidParameterValue, match="a route needs function_name"):
        http_route_of({"route": "$default"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /orders", "GET /orders"),
        ("GET /orders/{id}", "GET /orders/{name}"),
        ("ANY /{a+}", "ANY /{b+}"),
        ("$default", "$default"),
    ],
)
def test_two_routes_that_take_the_same_requests_are_refused(one: str, other: str) -> None:
    """The line names both, and their functions."""
    with pytest.raises(ConfigurationError) as raised:
        check_routes([route(one, "first"), route(other, "second")])

    for named in (one, other, "first", "second"):
        assert repr(named) in str(raised.value)


def test_routes_that_differ_in_anything_stand_together() -> None:
    """Method, shape or stage."""
    check_routes(
        [
            route("GET /orders"),
            route("ANY /orders"),
            route("GET /orders/{id}"),
            route("GET /orders/{id+}"),
            route("GET /orders/"),
            route("GET /orders", stage="dev"),
            route("$default"),
            route("$default", stage="dev"),
        ]
    )


def test_a_child_process_cannot_stream() -> None:
    """Which is told before anybody waits for a first piece."""
    stream = route("GET /s", payload_format="url", invoke_mode="RESPONSE_STREAM")
    child = Function(handler="app:handler", function_name="orders", isolation="process")

    check_streams([stream, route("GET /t")], {"orders": Function(handler="app:handler", function_name="orders")})
    check_streams([stream], {})
    check_streams([route("GET /t")], {"orders": child})
    with pytest.raises(ConfigurationError, match="route 'GET /s' streams, which function 'orders' cannot"):
        check_streams([stream], {"orders": child})

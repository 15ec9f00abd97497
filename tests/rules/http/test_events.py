"""A request as the event of each payload format, exactly."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from eventmap.http_route import HttpRoute
from eventmap.rules.http.events import event_of, with_authorizer
from eventmap.rules.http.request import HttpRequest, Place, is_well_encoded
from eventmap.rules.http.routing import Routing

PLACE = Place("eu-west-1", "123456789012")


def request(**changes: Any) -> HttpRequest:
    given: dict[str, Any] = {
        "method": "POST",
        "raw_path": "/orders/a%20b",
        "raw_query": "x=1&x=2%203&empty&y=%C3%BC+z",
        "headers": [
            ("host", "shop.example"),
            ("user-agent", "curl/8"),
            ("accept", "text/html"),
            ("accept", "text/plain"),
            ("cookie", "a=1; b=2"),
            ("cookie", "c=3"),
            ("content-type", "application/json"),
        ],
        "body": b'{"n": 1}',
        "source_ip": "192.0.2.7",
        "port": 8000,
        "request_id": "5f2c9b44-1c1a-4f0e-8e3e-5a8b9c0d1e2f",
        "at_s": 1_583_348_638.390,
    }
    return HttpRequest(**{**given, **changes})


def event(given: HttpRequest | None = None, route: str = "POST /orders/{id}", **settings: Any) -> dict[str, Any]:
    given = given or request()
    match = Routing([HttpRoute(route=route, function_name="orders", **settings)]).find(given.method, given.raw_path)
    assert match is not None
    return event_of(given, match, PLACE)


def test_src_95_96_the_event_of_an_http_api() -> None:
    """SRC-95, SRC-96: names in lower case, repetitions joined by commas, cookies apart, the query decoded."""
    assert event(stage_variables={"table": "orders"}) == {
        "version": "2.0",
        "routeKey": "POST /orders/{id}",
        "rawPath": "/orders/a%20b",
        "rawQueryString": "x=1&x=2%203&empty&y=%C3%BC+z",
        "cookies": ["a=1", "b=2", "c=3"],
        "headers": {
            "host": "shop.example",
            "user-agent": "curl/8",
            "accept": "text/html,text/plain",
            "content-type": "application/json",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "8000",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"x": "1,2 3", "empty": "", "y": "ü z"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "eventmap01",
            "domainName": "eventmap01.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "eventmap01",
            "http": {
                "method": "POST",
                "path": "/orders/a%20b",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "curl/8",
            },
            "requestId": "5f2c9b44-1c1a-4f0e-8e3e-5a8b9c0d1e2f",
            "routeKey": "POST /orders/{id}",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390,
        },
        "pathParameters": {"id": "a b"},
        "stageVariables": {"table": "orders"},
        "body": '{"n": 1}',
        "isBase64Encoded": False,
    }


def test_src_96_what_is_not_there_is_left_out() -> None:
    """SRC-96: maps that would be empty, and a body there is none of."""
    made = event(request(method="GET", raw_path="/", raw_query="", headers=[("host", "h")], body=b""), "$default")

    assert made.keys() == {
        "version",
        "routeKey",
        "rawPath",
        "rawQueryString",
        "headers",
        "requestContext",
        "isBase64Encoded",
    }
    assert (made["routeKey"], made["rawQueryString"], made["isBase64Encoded"]) == ("$default", "", False)


def test_src_95_a_named_stage_is_in_the_path() -> None:
    """SRC-95: of an HTTP API the raw path holds it, and the parameters do not."""
    made = event(request(raw_path="/dev/orders/7"), stage="dev")

    assert (made["rawPath"], made["requestContext"]["http"]["path"]) == ("/dev/orders/7", "/dev/orders/7")
    assert (made["requestContext"]["stage"], made["pathParameters"]) == ("dev", {"id": "7"})


def test_src_100_the_event_of_a_function_url() -> None:
    """SRC-100: as an HTTP API's, of nobody's account, without path parameters; the domain is the URL's."""
    made, http_api = event(payload_format="url"), event()

    assert made.keys() == http_api.keys() - {"pathParameters"}
    assert (made["routeKey"], made["version"]) == ("$default", "2.0")
    context = made["requestContext"]
    url_id = context["apiId"]
    assert (len(url_id), url_id.isalnum()) == (32, True)
    assert context == {
        **http_api["requestContext"],
        "accountId": "anonymous",
        "apiId": url_id,
        "domainName": f"{url_id}.lambda-url.eu-west-1.on.aws",
        "domainPrefix": url_id,
        "routeKey": "$default",
        "stage": "$default",
    }
    assert event(payload_format="url")["requestContext"]["apiId"] == url_id


@pytest.mark.parametrize(
    ("payload_format", "account"), [("2.0", "123456789012"), ("1.0", "123456789012"), ("url", "123456789012")]
)
def test_src_91_95_100_the_event_says_who_asks(payload_format: Any, account: str) -> None:
    """SRC-91, SRC-95, SRC-100: whoever calls a function URL with a name is of an account."""
    route = HttpRoute(route="POST /orders/{id}", function_name="orders", payload_format=payload_format)
    made = event(payload_format=payload_format)
    assert "authorizer" not in made["requestContext"]

    with_authorizer(made, route, {"iam": {"userId": "me"}}, PLACE)

    assert made["requestContext"]["authorizer"] == {"iam": {"userId": "me"}}
    assert made["requestContext"]["accountId"] == account


def test_src_90_91_the_event_of_a_rest_api() -> None:
    """SRC-90, SRC-91: every member is there, the last of repeated values and all of them."""
    given = request(raw_path="/Prod/orders/a%20b")
    made = event(given, payload_format="1.0", stage="Prod", stage_variables={"table": "orders"})
    context = made.pop("requestContext")

    assert made == {
        "resource": "/orders/{id}",
        "path": "/orders/a b",
        "httpMethod": "POST",
        "headers": {
            "host": "shop.example",
            "user-agent": "curl/8",
            "accept": "text/plain",
            "cookie": "c=3",
            "content-type": "application/json",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "8000",
            "x-forwarded-proto": "http",
        },
        "multiValueHeaders": {
            "host": ["shop.example"],
            "user-agent": ["curl/8"],
            "accept": ["text/html", "text/plain"],
            "cookie": ["a=1; b=2", "c=3"],
            "content-type": ["application/json"],
            "x-forwarded-for": ["192.0.2.7"],
            "x-forwarded-port": ["8000"],
            "x-forwarded-proto": ["http"],
        },
        "queryStringParameters": {"x": "2 3", "empty": "", "y": "ü z"},
        "multiValueQueryStringParameters": {"x": ["1", "2 3"], "empty": [""], "y": ["ü z"]},
        "pathParameters": {"id": "a b"},
        "stageVariables": {"table": "orders"},
        "body": '{"n": 1}',
        "isBase64Encoded": False,
    }
    identity = context.pop("identity")
    assert {name: value for name, value in identity.items() if value is not None} == {
        "sourceIp": "192.0.2.7",
        "userAgent": "curl/8",
    }
    assert {"accessKey", "caller", "cognitoIdentityId", "user", "userArn"} <= identity.keys()
    assert len(context.pop("resourceId")) == 6
    assert context == {
        "accountId": "123456789012",
        "apiId": "eventmap01",
        "domainName": "eventmap01.execute-api.eu-west-1.amazonaws.com",
        "domainPrefix": "eventmap01",
        "extendedRequestId": given.request_id,
        "httpMethod": "POST",
        "path": "/Prod/orders/a b",
        "protocol": "HTTP/1.1",
        "requestId": given.request_id,
        "requestTime": "04/Mar/2020:19:03:58 +0000",
        "requestTimeEpoch": 1_583_348_638_390,
        "resourcePath": "/orders/{id}",
        "stage": "Prod",
    }


def test_src_90_absent_maps_are_null() -> None:
    """SRC-90: and so is a body there is none of."""
    made = event(request(method="GET", raw_path="/", raw_query="", body=b""), "GET /", payload_format="1.0")

    absent = {name for name, value in made.items() if value is None}
    assert absent == {
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    }


def test_src_103_the_event_of_a_load_balancer() -> None:
    """SRC-103: its query is not decoded, and the last of repeated values counts."""
    made = event(payload_format="alb")
    arn = made.pop("requestContext")["elb"]["targetGroupArn"]

    assert arn.startswith("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/orders/")
    assert made == {
        "httpMethod": "POST",
        "path": "/orders/a%20b",
        "queryStringParameters": {"x": "2%203", "empty": "", "y": "%C3%BC+z"},
        "headers": {
            "host": "shop.example",
            "user-agent": "curl/8",
            "accept": "text/plain",
            "cookie": "c=3",
            "content-type": "application/json",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "8000",
            "x-forwarded-proto": "http",
        },
        "body": '{"n": 1}',
        "isBase64Encoded": False,
    }


def test_src_103_multiple_values_replace_the_single_ones() -> None:
    """SRC-103: in that mode of the target group."""
    made = event(payload_format="alb", multi_value_headers=True)

    assert not {"headers", "queryStringParameters"} & made.keys()
    assert made["multiValueHeaders"]["accept"] == ["text/html", "text/plain"]
    assert made["multiValueQueryStringParameters"] == {"x": ["1", "2%203"], "empty": [""], "y": ["%C3%BC+z"]}


def test_src_103_nothing_is_empty_rather_than_null() -> None:
    """SRC-103: of a load balancer."""
    made = event(request(method="GET", raw_path="/", raw_query="", body=b""), "GET /", payload_format="alb")

    assert (made["queryStringParameters"], made["body"], made["isBase64Encoded"]) == ({}, "", False)


@pytest.mark.parametrize("payload_format", ["2.0", "url", "alb"])
@pytest.mark.parametrize(
    ("content_type", "body", "is_base64"),
    [
        ("text/plain; charset=utf-8", "ü".encode(), False),
        ("application/json", b"{}", False),
        ("application/xml", b"<a/>", False),
        ("application/javascript", b"1", False),
        ("application/problem+json", b"{}", False),
        ("APPLICATION/JSON", b"{}", False),
        ("application/octet-stream", b"abc", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("image/png", b"\x89PNG", True),
        ("text/plain", b"\xff", True),
        ("", b"abc", False),
    ],
)
def test_src_101_103_bodies_that_are_not_text_are_base64(
    payload_format: Any, content_type: str, body: bytes, is_base64: bool
) -> None:
    """SRC-101, SRC-103: by the content type; text that is none is base64 too, so that nothing is lost."""
    made = event(request(headers=[("content-type", content_type)], body=body), payload_format=payload_format)

    assert made["isBase64Encoded"] == is_base64
    assert made["body"] == (base64.b64encode(body).decode() if is_base64 else body.decode())


@pytest.mark.parametrize("payload_format", ["2.0", "url", "alb"])
def test_src_101_103_a_compressed_body_is_base64(payload_format: Any) -> None:
    """SRC-103: whatever its content type says is inside."""
    headers = [("content-type", "application/json"), ("content-encoding", "gzip")]

    assert event(request(headers=headers, body=b"{}"), payload_format=payload_format)["isBase64Encoded"] is True


def test_the_last_of_repeated_content_types_counts() -> None:
    """As of any header that cannot be joined."""
    headers = [("content-type", "image/png"), ("content-type", "text/plain")]

    assert event(request(headers=headers, body=b"a"))["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("declared", "content_type", "is_base64"),
    [
        ([], "image/png", False),
        (["image/png"], "image/png", True),
        (["image/png"], "image/PNG; q=1", True),
        (["image/png"], "image/gif", False),
        (["image/*"], "image/gif", True),
        (["*/*"], "application/json", True),
        (["*/*"], "", True),
    ],
)
def test_src_94_binary_media_types_decide_of_a_rest_api(
    declared: list[str], content_type: str, is_base64: bool
) -> None:
    """SRC-94: nothing else does."""
    given = request(headers=[("content-type", content_type)], body=b"\x89PNG")
    made = event(given, payload_format="1.0", binary_media_types=declared)

    assert made["isBase64Encoded"] == is_base64
    assert made["body"] == ("iVBORw==" if is_base64 else "\ufffdPNG")


def test_what_proxies_said_before_us_is_kept() -> None:
    """The address they saw, and the scheme and port they were asked at."""
    headers = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "443")]

    assert event(request(headers=headers))["headers"] == {
        "x-forwarded-for": "203.0.113.9, 192.0.2.7",
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
    }


@pytest.mark.parametrize(
    ("path", "query", "is_good"),
    [
        ("/", "", True),
        ("/%41%ff", "a=%20", True),
        ("/%", "", False),
        ("/%4", "", False),
        ("/%zz", "", False),
        ("/", "%4g", False),
        ("*", "", False),
        ("", "", False),
        ("/ü", "", False),
        ("/", "ü", False),
    ],
)
def test_what_is_no_url_is_found_out(path: str, query: str, is_good: bool) -> None:
    """Before anything is made of it."""
    assert is_well_encoded(path, query) is is_good

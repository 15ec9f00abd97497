"""What a function answered, as a response."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.http_route import HttpRoute
from eventmap.rules.http.answers import ALB_LIMIT_BYTES, HttpResponse, MalformedAnswer, response_of
from eventmap.rules.http.refusals import refusal

JSON = [(b"content-type", b"application/json")]
PNG = base64.b64encode(b"\x89PNG").decode()


def response(answer: Any, payload_format: Any = "2.0", *, accept: str = "", **settings: Any) -> HttpResponse:
    route = HttpRoute(route="$default", function_name="f", payload_format=payload_format, **settings)
    return response_of(orjson.dumps(answer), route, accept)


@pytest.mark.parametrize("payload_format", ["2.0", "url"])
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ({"a": "ü"}, '{"a":"ü"}'.encode()),
        ([1, 2], b"[1,2]"),
        (None, b"null"),
        (7, b"7"),
        ("hello", b"hello"),
        ("", b""),
        ({"body": "no status"}, b'{"body":"no status"}'),
    ],
)
def test_src_98_an_answer_without_a_status_is_the_body(payload_format: Any, answer: Any, body: bytes) -> None:
    """SRC-98: 200, JSON; of a string its characters."""
    assert response(answer, payload_format) == HttpResponse(200, JSON, body)


@pytest.mark.parametrize("payload_format", ["2.0", "url"])
def test_src_97_the_full_form(payload_format: Any) -> None:
    """SRC-97: headers, cookies as headers of their own, a body in base64."""
    answer = {
        "statusCode": 201,
        "headers": {"Content-Type": "image/png", "X-Count": 3, "X-Yes": True},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": PNG,
        "isBase64Encoded": True,
    }

    assert response(answer, payload_format) == HttpResponse(
        201,
        [
            (b"content-type", b"image/png"),
            (b"x-count", b"3"),
            (b"x-yes", b"true"),
            (b"set-cookie", b"a=1; Path=/"),
            (b"set-cookie", b"b=2"),
        ],
        b"\x89PNG",
    )


@pytest.mark.parametrize(
    ("payload_format", "content_type"),
    [
        ("2.0", b"text/plain; charset=utf-8"),
        ("1.0", b"application/json"),
        ("url", b"application/json"),
        ("alb", b"application/octet-stream"),
    ],
)
def test_src_92_97_104_a_body_has_a_content_type(payload_format: Any, content_type: bytes) -> None:
    """SRC-92, SRC-97, SRC-104: the gateway's if the function names none; without a body there is none."""
    assert response({"statusCode": 200, "body": "x"}, payload_format).headers == [(b"content-type", content_type)]
    assert response({"statusCode": 200}, payload_format) == HttpResponse(200, [], b"")


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    """Whatever the function says: its client would take it for the beginning of the next answer."""
    assert response({"statusCode": status, "body": "x"}) == HttpResponse(status, [], b"")


@pytest.mark.parametrize("name", ["Connection", "Content-Length", "Transfer-Encoding", "keep-alive", "Date", "Upgrade"])
def test_headers_of_the_connection_are_the_servers(name: str) -> None:
    """A function cannot desynchronise a connection."""
    assert response({"statusCode": 200, "headers": {name: "7"}}).headers == []
    assert response({"multiValueHeaders": {name: ["7"]}}, "1.0").headers == []


def test_src_92_both_maps_of_headers_merge() -> None:
    """SRC-92: the multiple values win for a name in both, however it is spelled."""
    answer = {
        "headers": {"x-a": "1", "X-B": "1"},
        "multiValueHeaders": {"x-b": ["2", "3"], "Set-Cookie": ["a=1", "b=2"]},
    }

    assert response(answer, "1.0").headers == [
        (b"x-a", b"1"),
        (b"x-b", b"2"),
        (b"x-b", b"3"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


def test_src_92_no_member_is_mandatory() -> None:
    """SRC-92: of a REST API's answer."""
    assert response({}, "1.0") == HttpResponse(200, [], b"")


@pytest.mark.parametrize(
    ("declared", "accept", "body"),
    [
        ([], "image/png", PNG.encode()),
        (["image/png"], "image/png", b"\x89PNG"),
        (["image/png"], "image/png;q=0.8, text/html", b"\x89PNG"),
        (["image/png"], "text/html, image/png", PNG.encode()),
        (["image/png"], "", PNG.encode()),
        (["*/*"], "", b"\x89PNG"),
    ],
)
def test_src_94_base64_is_decoded_for_who_accepts_it(declared: list[str], accept: str, body: bytes) -> None:
    """SRC-94: by the first type a client accepts."""
    answer = {"body": PNG, "isBase64Encoded": True}

    assert response(answer, "1.0", accept=accept, binary_media_types=declared).body == body


def test_src_104_the_answer_to_a_load_balancer() -> None:
    """SRC-104: in the mode of the target group."""
    answer = {"statusCode": 200, "statusDescription": "200 OK", "headers": {"x": "1"}, "body": "a"}
    several = {"statusCode": 200, "multiValueHeaders": {"x": ["1", "2"]}, "isBase64Encoded": False}

    assert response(answer, "alb").headers[0] == (b"x", b"1")
    assert response(several, "alb", multi_value_headers=True).headers == [(b"x", b"1"), (b"x", b"2")]


def test_src_104_a_load_balancer_passes_one_megabyte() -> None:
    """SRC-104: and not a byte more."""
    assert len(response({"statusCode": 200, "body": "x" * ALB_LIMIT_BYTES}, "alb").body) == ALB_LIMIT_BYTES
    with pytest.raises(MalformedAnswer, match="larger than 1048576 bytes"):
        response({"statusCode": 200, "body": "x" * (ALB_LIMIT_BYTES + 1)}, "alb")


@pytest.mark.parametrize("payload_format", ["2.0", "1.0", "url", "alb"])
@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "200"},
        {"statusCode": 99},
        {"statusCode": 101},
        {"statusCode": 600},
        {"statusCode": True},
        {"statusCode": 200.5},
        {"statusCode": None},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": 7},
        {"statusCode": 200, "body": "x", "isBase64Encoded": "yes"},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": ["1"]}},
        {"statusCode": 200, "headers": {"a": None}},
        {"statusCode": 200, "headers": {"a b": "1"}},
        {"statusCode": 200, "headers": {"": "1"}},
        {"statusCode": 200, "headers": {"a": "1\r\nset-cookie: b=2"}},
        {"statusCode": 200, "headers": {"a": "1\n"}},
        {"statusCode": 200, "headers": {"a\r\nb": "1"}},
    ],
)
def test_src_92_97_104_rubbish_is_no_answer(payload_format: Any, answer: Any) -> None:
    """SRC-92, SRC-97, SRC-104: nor can a header's value write headers of its own."""
    with pytest.raises(MalformedAnswer) as raised:
        response(answer, payload_format)

    assert "set-cookie" not in str(raised.value)  # what the function said is nobody's business


@pytest.mark.parametrize("payload_format", ["2.0", "url", "alb"])
@pytest.mark.parametrize("body", ["aGk", "aGk=!", "a\nGk=", "ü"])
def test_src_97_104_base64_that_is_none(payload_format: Any, body: str) -> None:
    """SRC-97: a body that cannot be decoded, or only with something left out."""
    with pytest.raises(MalformedAnswer, match="not base64"):
        response({"statusCode": 200, "body": body, "isBase64Encoded": True}, payload_format)


@pytest.mark.parametrize(
    ("answer", "payload_format"),
    [
        ("text", "1.0"),
        (None, "1.0"),
        ([], "1.0"),
        ({"statusCode": 200, "more": 1}, "1.0"),
        ({"statusCode": 200, "cookies": []}, "1.0"),
        ({"statusCode": 200, "headers": {"a": 1}}, "1.0"),
        ({"multiValueHeaders": {"a": "1"}}, "1.0"),
        ({"multiValueHeaders": {"a": [1]}}, "1.0"),
        ({"multiValueHeaders": {"a": ["1\r\nb: c"]}}, "1.0"),
        ({"multiValueHeaders": []}, "1.0"),
        ("text", "alb"),
        ({"body": "no status"}, "alb"),
        ({"statusCode": 200, "statusDescription": 200}, "alb"),
        ({"statusCode": 200, "multiValueHeaders": {"a": ["1"]}}, "alb"),
        ({"statusCode": 200, "cookies": "a=1"}, "2.0"),
        ({"statusCode": 200, "cookies": [1]}, "2.0"),
        ({"statusCode": 200, "cookies": ["a=1\r\nb: c"]}, "url"),
    ],
)
def test_src_92_97_104_rubbish_of_each_kind(answer: Any, payload_format: Any) -> None:
    """SRC-92, SRC-97, SRC-104: what is an answer elsewhere may be none here."""
    with pytest.raises(MalformedAnswer):
        response(answer, payload_format)


def test_src_104_the_mode_of_several_values_needs_several() -> None:
    """SRC-104: headers must match the mode."""
    with pytest.raises(MalformedAnswer, match="it has headers, but the target group's mode needs multiValueHeaders"):
        response({"statusCode": 200, "headers": {"a": "1"}}, "alb", multi_value_headers=True)


def test_half_a_surrogate_pair_is_rubbish() -> None:
    """Python lets a handler return one, and its JSON holds it as an escape."""
    route = HttpRoute(route="$default", function_name="f")
    with pytest.raises(MalformedAnswer, match="no Unicode"):
        response_of(b'{"statusCode": 200, "body": "\\ud800"}', route, "")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(["statusCode", "headers", "multiValueHeaders", "cookies", "body", "isBase64Encoded", "x"])


@given(
    answer=st.dictionaries(MEMBERS, JSON_VALUES | st.integers(200, 599)) | JSON_VALUES,
    payload_format=st.sampled_from(["2.0", "1.0", "url", "alb"]),
)
def test_any_answer_is_a_response_or_rubbish(answer: Any, payload_format: Any) -> None:
    """Never anything else, and never a header that holds a line break."""
    try:
        made = response(answer, payload_format)
    except MalformedAnswer:
        return
    assert 200 <= made.status <= 599
    assert not any(byte in name + value for name, value in made.headers for byte in (b"\r", b"\n", b"\0"))


@pytest.mark.parametrize(
    ("trouble", "payload_format", "status", "body"),
    [
        ("failed", "2.0", 500, b'{"message":"Internal Server Error"}'),
        ("failed", "1.0", 502, b'{"message":"Internal server error"}'),
        ("failed", "url", 502, b'{"Message":"Internal Server Error"}'),
        ("busy", "2.0", 429, b'{"message":"Too Many Requests"}'),
        ("busy", "1.0", 429, b'{"message":"Too Many Requests"}'),
        ("busy", "url", 429, b'{"Message":"Too Many Requests"}'),
        ("late", "2.0", 503, b'{"message":"Service Unavailable"}'),
        ("late", "1.0", 504, b'{"message":"Endpoint request timed out"}'),
        ("forbidden", "2.0", 403, b'{"message":"Forbidden"}'),
        ("forbidden", "1.0", 403, b'{"Message":"User is not authorized to access this resource"}'),
        ("forbidden", "url", 403, b'{"Message":"Forbidden"}'),
        ("unknown", "2.0", 404, b'{"message":"Not Found"}'),
        ("unknown", "1.0", 403, b'{"message":"Missing Authentication Token"}'),
        ("malformed", "2.0", 400, b'{"message":"Bad Request"}'),
        ("large", "2.0", 413, b'{"message":"Request Entity Too Large"}'),
        ("large", "1.0", 413, b'{"message":"Request Too Long"}'),
        ("slow", "url", 408, b'{"Message":"Request Timeout"}'),
    ],
)
def test_src_92_93_99_102_errors_in_the_words_of_the_gateway(
    trouble: Any, payload_format: Any, status: int, body: bytes
) -> None:
    """SRC-92, SRC-93, SRC-99, SRC-102: status and body."""
    made = refusal(trouble, payload_format)

    assert (made.status, made.body, made.headers[0]) == (status, body, JSON[0])
    assert ((b"retry-after", b"1") in made.headers) == (trouble == "busy")


@pytest.mark.parametrize(
    ("trouble", "status"), [("failed", 502), ("late", 504), ("busy", 429), ("unknown", 404), ("large", 413)]
)
def test_src_104_a_load_balancer_answers_with_pages(trouble: Any, status: int) -> None:
    """SRC-104: 502 for what is malformed, as HTML."""
    made = refusal(trouble, "alb")

    assert (made.status, made.headers) == (status, [(b"content-type", b"text/html")])
    assert made.body.startswith(b"<html>\r\n<head><title>%d " % status)

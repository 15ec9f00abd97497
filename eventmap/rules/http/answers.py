"""What a function answered as the response of each payload format (SRC-92, 94, 97, 98, 104)."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from eventmap.http_route import HttpRoute
from eventmap.rules.http.events import is_binary

Headers = list[tuple[bytes, bytes]]

ALB_LIMIT_BYTES: Final = 1_048_576
"""The largest response a load balancer passes on (SRC-104); 6 MB at Lambda bound the others."""

_JSON: Final = b"application/json"
_TEXT: Final = b"text/plain; charset=utf-8"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OF_THE_CONNECTION: Final = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are the server's to send, whatever the function says."""

_BODILESS: Final = frozenset({204, 205, 304})
_REST_MEMBERS: Final = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})


class MalformedAnswer(Exception):
    """Raised for an answer that the gateway cannot read; says what is wrong with it, without its values."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What goes out."""

    status: int
    headers: Headers
    body: bytes


def response_of(payload: bytes, route: HttpRoute, accept: str) -> HttpResponse:
    """Read a function's answer; `accept` is the request's header. Raises: MalformedAnswer."""
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:  # half of a surrogate pair is text to Python, and to nobody else
        raise MalformedAnswer("it holds text that is no Unicode") from None
    match route.payload_format:
        case "1.0":
            return _version_1(answer, route, accept)
        case "alb":
            return _load_balancer(answer, route)
        case _:
            return version_2(answer, payload, _TEXT if route.payload_format == "2.0" else _JSON)


def version_2(answer: Any, payload: bytes, default_type: bytes) -> HttpResponse:
    """The full form if it has a status code, otherwise the answer itself is the body (SRC-97, 98).

    `payload` is the answer as JSON. Raises: MalformedAnswer.
    """
    if isinstance(answer, str):
        return HttpResponse(200, [(b"content-type", _JSON)], answer.encode())
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return HttpResponse(200, [(b"content-type", _JSON)], payload)
    status, headers = head_of(answer)
    return _response(status, headers, _body(answer), default_type)


def head_of(answer: Mapping[str, Any]) -> tuple[int, Headers]:
    """Status, headers and cookies of a full form, or of what a stream begins with. Raises: MalformedAnswer."""
    headers = list(_single(answer.get("headers"), (str, int, float)))
    cookies = answer.get("cookies")
    if not isinstance(cookies, list | None):
        raise MalformedAnswer("cookies is not a list")
    headers += [_header("set-cookie", _text("cookies", cookie)) for cookie in cookies or ()]
    return _status(answer.get("statusCode", 200)), headers


def _version_1(answer: Any, route: HttpRoute, accept: str) -> HttpResponse:
    """No member is mandatory, but there can be no others. Rules: SRC-92, 94."""
    if not isinstance(answer, dict):
        raise MalformedAnswer("it is not an object")
    if not answer.keys() <= _REST_MEMBERS:
        raise MalformedAnswer(f"a REST API knows {', '.join(sorted(_REST_MEMBERS))} and no other member")
    multiple = list(_multiple(answer.get("multiValueHeaders")))
    of_multiple = {name for name, _ in multiple}
    single = [header for header in _single(answer.get("headers"), str) if header[0] not in of_multiple]
    return _response(
        _status(answer.get("statusCode", 200)),
        single + multiple,
        _body(answer, decodes=is_binary(route, accept)),
        _JSON,
    )


def _load_balancer(answer: Any, route: HttpRoute) -> HttpResponse:
    """Rule: SRC-104. The phrase in `statusDescription` is the status' own: HTTP libraries do not let one choose."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        raise MalformedAnswer("it is not an object with a statusCode")
    if not isinstance(answer.get("statusDescription"), str | None):
        raise MalformedAnswer("statusDescription is not a string")
    mine, other = "headers", "multiValueHeaders"
    if route.multi_value_headers:
        mine, other = other, mine
    if answer.get(other) and not answer.get(mine):
        raise MalformedAnswer(f"it has {other}, but the target group's mode needs {mine}")
    headers = _multiple(answer.get(mine)) if route.multi_value_headers else _single(answer.get(mine), str)
    response = _response(_status(answer["statusCode"]), list(headers), _body(answer), b"application/octet-stream")
    if len(response.body) > ALB_LIMIT_BYTES:
        raise MalformedAnswer(f"its body is larger than {ALB_LIMIT_BYTES} bytes")
    return response


def _response(status: int, headers: Headers, body: bytes, default_type: bytes) -> HttpResponse:
    if status in _BODILESS:
        body = b""
    if body and not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", default_type))
    return HttpResponse(status, headers, body)


def _status(value: object) -> int:
    if not isinstance(value, int) or not 200 <= value <= 599:
        raise MalformedAnswer("statusCode is not a whole number in 200..599")
    return value


def _body(answer: Mapping[str, Any], *, decodes: bool = True) -> bytes:
    """`decodes` False = a body in base64 stays as it is."""
    body, is_base64 = answer.get("body"), answer.get("isBase64Encoded")
    if not isinstance(is_base64, bool | None):
        raise MalformedAnswer("isBase64Encoded is not true or false")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswer("body is not a string")
    if not is_base64 or not decodes:
        return body.encode()
    try:
        return b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedAnswer("body is not base64") from None


def _single(given: object, kinds: type | tuple[type, ...]) -> Iterator[tuple[bytes, bytes]]:
    for name, value in _members("headers", given).items():
        if not isinstance(value, kinds):
            raise MalformedAnswer("the value of a header is not a string")
        if name.lower() not in _OF_THE_CONNECTION:
            yield _header(name, str(value).lower() if isinstance(value, bool) else str(value))


def _multiple(given: object) -> Iterator[tuple[bytes, bytes]]:
    for name, values in _members("multiValueHeaders", given).items():
        if not isinstance(values, Sequence) or isinstance(values, str):
            raise MalformedAnswer("multiValueHeaders is not an object of lists")
        for value in values:
            header = _header(name, _text("multiValueHeaders", value))
            if name.lower() not in _OF_THE_CONNECTION:
                yield header


def _members(name: str, given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping | None):
        raise MalformedAnswer(f"{name} is not an object")
    return given or {}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise MalformedAnswer(f"{name} holds something that is not a string")
    return value


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    """A line break in either would let a value write headers of its own, or another answer."""
    if not _NAME.fullmatch(name) or _UNSAFE.search(value):
        raise MalformedAnswer("the name or value of a header holds characters that no header can")
    return name.lower().encode(), value.encode()

"""What a client is told instead of the function's answer (SRC-92, 93, 99, 102, 104)."""

from __future__ import annotations

from typing import Final, Literal

import orjson

from eventmap.http_route import PayloadFormat
from eventmap.rules.http.answers import HttpResponse

Trouble = Literal[
    "failed",  # the function raised, ran too long, or answered rubbish; or the fault is ours
    "busy",  # it runs as often as it may
    "late",  # it did not answer in time
    "forbidden",  # the authorizer said no
    "unknown",  # no route
    "malformed",  # no request anybody could understand
    "large",
    "slow",
]

REQUEST_LIMIT_BYTES: Final[dict[PayloadFormat, int]] = {
    "2.0": 10_485_760,
    "1.0": 10_485_760,
    "url": 6_291_456,
    "alb": 1_048_576,
}
"""The largest body each takes (SRC-94, 102, 104); the event it becomes is limited by Lambda's 6 MB as well."""

_PHRASES: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_STATUSES: Final[dict[Trouble, int]] = {
    "busy": 429,
    "forbidden": 403,
    "unknown": 404,
    "malformed": 400,
    "large": 413,
    "slow": 408,
}
_FAILED: Final[dict[PayloadFormat, int]] = {"2.0": 500, "1.0": 502, "url": 502, "alb": 502}
_LATE: Final[dict[PayloadFormat, int]] = {"2.0": 503, "1.0": 504, "url": 504, "alb": 504}
_OF_REST: Final[dict[Trouble, tuple[int, dict[str, str]]]] = {
    "failed": (502, {"message": "Internal server error"}),
    "late": (504, {"message": "Endpoint request timed out"}),
    "forbidden": (403, {"Message": "User is not authorized to access this resource"}),
    "unknown": (403, {"message": "Missing Authentication Token"}),
    "large": (413, {"message": "Request Too Long"}),
}


def refusal(trouble: Trouble, payload_format: PayloadFormat) -> HttpResponse:
    """In the words of the gateway whose format it is."""
    status = _STATUSES.get(trouble) or (_FAILED if trouble == "failed" else _LATE)[payload_format]
    document = {"Message" if payload_format == "url" else "message": _phrase(status, payload_format)}
    if payload_format == "alb":
        return HttpResponse(status, [(b"content-type", b"text/html")], _page(status))
    if payload_format == "1.0":
        status, document = _OF_REST.get(trouble, (status, document))
    headers = [(b"content-type", b"application/json")]
    if trouble == "busy":
        headers.append((b"retry-after", b"1"))
    return HttpResponse(status, headers, orjson.dumps(document))


def _phrase(status: int, payload_format: PayloadFormat) -> str:
    # A function URL says the same of whatever went wrong behind it.
    return "Internal Server Error" if status == 502 and payload_format == "url" else _PHRASES[status]


def _page(status: int) -> bytes:
    title = f"{status} {_PHRASES[status]}"
    lines = (
        "<html>",
        f"<head><title>{title}</title></head>",
        "<body>",
        f"<center><h1>{title}</h1></center>",
        "</body>",
        "</html>",
        "",
    )
    return "\r\n".join(lines).encode()

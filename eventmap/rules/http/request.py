"""HttpRequest: what a client sent, and the readings of it that the payload formats share."""

from __future__ import annotations

import functools
import re
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, unquote_plus

Pairs = Sequence[tuple[str, str]]

_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TEXT_TYPES: Final = frozenset({"application/json", "application/javascript", "application/xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, read whole."""

    method: str
    raw_path: str = "/"  #: percent-encoded, as it came
    raw_query: str = ""  #: without the question mark
    headers: Pairs = ()  #: in the order they came, repetitions included, names in lower case
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    protocol: str = "HTTP/1.1"
    scheme: str = "http"
    port: int = 80  #: it came in at
    request_id: str = ""
    at_s: float = 0.0  #: when, epoch seconds

    def header(self, name: str) -> str:
        """The last of that name, in lower case; "" = none."""
        for each, value in reversed(self.headers):
            if each == name:
                return value
        return ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API seems to be."""

    region: str = "us-east-1"
    account_id: str = "000000000000"
    api_id: str = "eventmap01"


def is_well_encoded(raw_path: str, raw_query: str) -> bool:
    """Whether it is a path, in ASCII, and every % is followed by two hexadecimal digits."""
    return (
        raw_path.startswith("/")
        and raw_path.isascii()
        and raw_query.isascii()
        and ("%" not in raw_path or not _BAD_PERCENT.search(raw_path))
        and ("%" not in raw_query or not _BAD_PERCENT.search(raw_query))
    )


def decoded(text: str) -> str:
    """Percent-decoded; what is no UTF-8 becomes U+FFFD."""
    return unquote(text) if "%" in text else text


def query_pairs(raw_query: str, *, decode: bool = True) -> Pairs:
    """In their order; a name without `=` has the value "". Decoded as a form's (SRC-90), or as they came (SRC-103)."""
    pairs = []
    for piece in raw_query.split("&"):
        if not piece:
            continue
        name, _, value = piece.partition("=")
        pairs.append((unquote_plus(name), unquote_plus(value)) if decode else (name, value))
    return pairs


def grouped(pairs: Pairs) -> dict[str, list[str]]:
    """All values of each name, in their order."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def forwarded(request: HttpRequest) -> Pairs:
    """The headers with those a gateway adds; what a proxy in front of us said of scheme and port stays."""
    headers = [pair for pair in request.headers if pair[0] != "x-forwarded-for"]
    names = {name for name, _ in headers}
    came = [value for name, value in request.headers if name == "x-forwarded-for"]
    headers.append(("x-forwarded-for", ", ".join([*came, request.source_ip])))
    if "x-forwarded-port" not in names:
        headers.append(("x-forwarded-port", str(request.port)))
    if "x-forwarded-proto" not in names:
        headers.append(("x-forwarded-proto", request.scheme))
    return headers


def media_type(value: str) -> str:
    """The type of a Content-Type or of the first entry of an Accept, without parameters, in lower case."""
    return value.partition(",")[0].partition(";")[0].strip().lower()


def body_of(request: HttpRequest) -> tuple[str, bool]:
    """The body as text, and whether it is base64: text-like types stay text, unless compressed (SRC-101, 103).

    Text that is no UTF-8 is base64 as well, so that nothing of it is lost.
    """
    kind = media_type(request.header("content-type"))
    is_text = not kind or kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))
    if is_text and request.header("content-encoding").lower() in ("", "identity"):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return b64encode(request.body).decode(), True


@functools.lru_cache(maxsize=4)
def clf_time(at_s: int) -> str:
    """An instant as the Common Log Format writes it."""
    t = time.gmtime(at_s)
    month = _MONTHS[t.tm_mon - 1]
    return f"{t.tm_mday:02}/{month}/{t.tm_year}:{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"

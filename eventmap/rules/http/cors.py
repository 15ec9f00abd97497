"""Cross-origin requests, answered by the gateway for its functions (SRC-102)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eventmap.rules.http.answers import Headers

_SCHEMES: Final = ("http://", "https://")


def requested_method(method: str, headers: Mapping[str, str]) -> str | None:
    """The method a preflight asks for; None = the request is no preflight."""
    if method != "OPTIONS" or "origin" not in headers:
        return None
    return headers.get("access-control-request-method") or None


def of_preflight(cors: Mapping[str, Any], origin: str) -> Headers:
    """Headers of the answer to a preflight; an origin that is not allowed gets none."""
    headers = _allowed(cors, origin)
    if headers:
        for member, name in (("AllowMethods", b"methods"), ("AllowHeaders", b"headers")):
            if values := cors.get(member):
                headers.append((b"access-control-allow-" + name, ",".join(values).encode()))
        if "MaxAge" in cors:
            headers.append((b"access-control-max-age", str(cors["MaxAge"]).encode()))
    return [*headers, *_vary(cors)]


def of_answer(cors: Mapping[str, Any], origin: str, headers: Headers) -> Headers:
    """An answer's headers: what the function itself says of CORS does not count."""
    kept = [header for header in headers if not header[0].startswith(b"access-control-")]
    if allowed := _allowed(cors, origin):
        kept += allowed
        if exposed := cors.get("ExposeHeaders"):
            kept.append((b"access-control-expose-headers", ",".join(exposed).encode()))
    return [*kept, *_vary(cors)]


def _allowed(cors: Mapping[str, Any], origin: str) -> Headers:
    origins = cors.get("AllowOrigins", ())
    if not origin or not _is_allowed(origin, origins):
        return []
    headers = [(b"access-control-allow-origin", b"*" if "*" in origins else origin.encode())]
    if cors.get("AllowCredentials"):
        headers.append((b"access-control-allow-credentials", b"true"))
    return headers


def _is_allowed(origin: str, origins: list[str]) -> bool:
    if "*" in origins or origin in origins:
        return True
    return any(f"{scheme}*" in origins and origin.startswith(scheme) for scheme in _SCHEMES)


def _vary(cors: Mapping[str, Any]) -> Headers:
    """A cache must not hand one origin's answer to another."""
    return [] if "*" in cors.get("AllowOrigins", ()) else [(b"vary", b"Origin")]

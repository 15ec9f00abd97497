"""Who calls: an optional check of AWS signatures against access keys of our own."""

from __future__ import annotations

from collections.abc import Mapping

from eventmap.clock import utc_now
from eventmap.rules.invoke_errors import Refusal
from eventmap.rules.sigv4 import SignedRequest, verify
from eventmap.server.exchange import Exchange

SERVICE = "lambda"


class Authorization:
    """`access_keys` are secrets by access key id; without any, whoever reaches the port may call."""

    def __init__(self, access_keys: Mapping[str, str]) -> None:
        self._access_keys = dict(access_keys)

    def check(self, exchange: Exchange, body: bytes, service: str = SERVICE) -> Refusal | None:
        """None = the caller may; the whole `body`, and `service`, are part of what was signed."""
        if not self._access_keys:
            return None
        request = SignedRequest(exchange.method, exchange.raw_path, exchange.query, exchange.header_lines, body)
        return verify(request, self._access_keys, service=service, now=utc_now())

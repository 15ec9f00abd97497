"""Exchange: one HTTP request and its answer, over ASGI itself: a framework's objects would halve what a core serves."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal

import anyio
from starlette.types import Receive, Scope, Send

from eventmap import telemetry
from eventmap.rules import invoke_errors
from eventmap.rules.invoke_errors import Refusal
from eventmap.server.statistics import ServerStatistics

Headers = Sequence[tuple[bytes, bytes]]

_DISCARD_LIMIT_BYTES = 67_108_864
"""How much of a refused body is let past, so that its sender, who writes all of it first, sees the answer at all."""

_DISCARD_S = 2.0
_LENGTHLESS = frozenset({204, 304})
_JSON = (b"content-type", b"application/json")
_log = telemetry.logger("eventmap.server")


class ClientGone(Exception):
    """Raised when a client hung up in the middle of its request: there is nobody to answer."""


class Exchange:
    """What came in, read once and within limits; and one answer."""

    __slots__ = (
        "_body_timeout_s",
        "_has_body_left",
        "_receive",
        "_scope",
        "_send",
        "_statistics",
        "headers",
        "is_answered",
        "request_id",
    )

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, body_timeout_s: float, statistics: ServerStatistics
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._body_timeout_s = body_timeout_s
        self._statistics = statistics
        self._has_body_left = True
        self.headers: dict[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.request_id: str = str(uuid.uuid4())
        self.is_answered: bool = False

    @property
    def method(self) -> str:
        return str(self._scope["method"])

    @property
    def raw_path(self) -> str:
        """Percent-encoded, as it came."""
        raw: bytes = self._scope["raw_path"]
        return raw.decode("latin-1")

    @property
    def query(self) -> str:
        raw: bytes = self._scope["query_string"]
        return raw.decode("latin-1")

    @property
    def header_lines(self) -> list[tuple[str, str]]:
        """As they came, repetitions included."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._scope["headers"]]

    async def read_body(self, limit_bytes: int, too_large: Refusal) -> bytes | Refusal:
        """The whole body; a body announced as too large is refused unread. Raises: ClientGone."""
        if (encoding := self.headers.get("content-encoding", "identity").lower()) not in ("identity", ""):
            return invoke_errors.encoding_refused("Content-Encoding", encoding)
        if (encoding := self.headers.get("transfer-encoding", "chunked").lower()) != "chunked":
            return invoke_errors.encoding_refused("Transfer-Encoding", encoding)
        body = await self.read(limit_bytes)
        if body == "large":
            return too_large
        return invoke_errors.too_slow(self._body_timeout_s) if body == "slow" else body

    async def read(self, limit_bytes: int) -> bytes | Literal["large", "slow"]:
        """The whole body, whatever it is; one announced as larger than the limit is not read. Raises: ClientGone."""
        if int(self.headers.get("content-length", "0")) > limit_bytes:
            return "large"
        with anyio.move_on_after(self._body_timeout_s):
            body = await self._read_piece()
            if not self._has_body_left and len(body) <= limit_bytes:
                return body
            pieces, size = [body], len(body)
            while size <= limit_bytes and self._has_body_left:
                pieces.append(await self._read_piece())
                size += len(pieces[-1])
            return b"".join(pieces) if size <= limit_bytes else "large"
        return "slow"

    async def answer(self, status: int, body: bytes, headers: Headers = (_JSON,)) -> None:
        """Send the one answer."""
        await self._start(status, headers if status in _LENGTHLESS else [_length(body), *headers])
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces; one that is never ended is cut off, which its client notices."""
        await self._start(status, headers)

    async def send_piece(self, piece: bytes) -> None:
        """Waits for a client that reads slower than we send."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, refusal: Refusal, headers: Headers = ()) -> None:
        """Answer as AWS would, count it, and let go of a connection whose request was not read to its end."""
        _log.debug(
            telemetry.REQUEST_REFUSED,
            request_id=self.request_id,
            why=refusal.why,
            status=refusal.status,
            error_type=refusal.error_type,
        )
        more = [_JSON, (b"x-amzn-errortype", refusal.error_type.encode()), *headers]
        if refusal.retry_after_s is not None:
            more.append((b"retry-after", str(refusal.retry_after_s).encode()))
        await self.turn_away(refusal.why, refusal.status, refusal.body, more)

    async def turn_away(self, why: str, status: int, body: bytes, headers: Headers) -> None:
        """The same with an answer of one's own."""
        self._statistics.refused[why] += 1
        if not self._has_body_left:
            await self.answer(status, body, headers)
            return
        await self._start(status, [_length(body), *headers, (b"connection", b"close")])
        await self.send_piece(body)
        if why != "slow" and "expect" not in self.headers:
            await self._discard()
        await self.end()

    async def _start(self, status: int, headers: Headers) -> None:
        self.is_answered = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"x-amzn-requestid", self.request_id.encode()), *headers],
            }
        )

    async def _read_piece(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._has_body_left = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

    async def _discard(self) -> None:
        """Read on without keeping anything: a connection that is closed on unread bytes loses the answer as well."""
        left = _DISCARD_LIMIT_BYTES
        with anyio.move_on_after(_DISCARD_S):
            try:
                while self._has_body_left and left > 0:
                    left -= len(await self._read_piece())
            except ClientGone:
                return


def _length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", str(len(body)).encode())

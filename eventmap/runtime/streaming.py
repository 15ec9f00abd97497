"""An `async` generator as a handler: what it yields, sent as it comes or joined. Loaded by the child too."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from .response import RESPONSE_LIMIT_BYTES

if TYPE_CHECKING:
    from eventmap.model import Stream

_HEAD = {"statusCode", "headers", "cookies"}


async def drained(pieces: AsyncGenerator[object, None], stream: Stream | None) -> object:
    """Let a handler's generator run to its end; returns its result, None if a stream took it.

    A dictionary yielded first is the head of an HTTP response: statusCode, headers, cookies. Joined, the rest becomes
    its `body`, in base64 unless it is text; without a head, text is the result itself.
    Raises: TypeError for a head with other members, or a piece that is neither str nor bytes; whatever the handler
    raises.
    """
    head: dict[str, object] | None = None
    kept: list[bytes] = []
    size, is_first = 0, True
    async with aclosing(pieces):
        async for piece in pieces:
            if is_first and isinstance(piece, dict):
                if not piece.keys() <= _HEAD:
                    raise TypeError(f"a dict yielded first is a head: {', '.join(sorted(_HEAD))} and no other member")
                head = piece
            elif not isinstance(piece, str | bytes | bytearray | memoryview):
                raise TypeError(f"a handler may yield str or bytes, and a dict before them, not {type(piece).__name__}")
            if stream is not None:
                await stream(piece if isinstance(piece, dict) else _as_bytes(piece))
            elif not isinstance(piece, dict):
                kept.append(_as_bytes(piece))
                size += len(kept[-1])
                if size > RESPONSE_LIMIT_BYTES:
                    break  # it is too large already, however it ends
            is_first = False
    if stream is None:
        return _joined(head, b"".join(kept))
    if is_first:
        await stream(b"")  # an answer all the same: an empty one
    return None


def _as_bytes(piece: object) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)  # type: ignore[call-overload]


def _joined(head: dict[str, object] | None, body: bytes) -> object:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"statusCode": 200, **(head or {}), "body": b64encode(body).decode(), "isBase64Encoded": True}
    return text if head is None else {"statusCode": 200, **head, "body": text}

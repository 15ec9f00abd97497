"""AWS' event stream: the frames InvokeWithResponseStream answers with (INV-24). Pure functions.

frame = total length, length of headers, CRC of these two, headers, payload, CRC of all before
"""

from __future__ import annotations

import struct
from binascii import crc32
from typing import Final

import orjson

MEDIA_TYPE: Final = "application/vnd.amazon.eventstream"
CHUNK_BYTES: Final = 131_072
"""How much of a payload one frame carries at most."""

_PRELUDE: Final = struct.Struct(">II")
_CRC: Final = struct.Struct(">I")
_STRING: Final = 7
"""The header type "string", the only one needed."""


def response_stream(payload: bytes, *, error: tuple[str, str] | None = None, log_result: str | None = None) -> bytes:
    """All frames of one answer: the payload in chunks, then how the invocation ended.

    `error` is (type, error object as text) of a function that failed; `log_result` base64, None = not asked for.
    """
    frames = [
        _frame("PayloadChunk", "application/octet-stream", payload[start : start + CHUNK_BYTES])
        for start in range(0, len(payload), CHUNK_BYTES)
    ]
    end = {}
    if error is not None:
        end["ErrorCode"], end["ErrorDetails"] = error
    if log_result is not None:
        end["LogResult"] = log_result
    frames.append(_frame("InvokeComplete", "application/json", orjson.dumps(end)))
    return b"".join(frames)


def _frame(event_type: str, content_type: str, payload: bytes) -> bytes:
    headers = b"".join(
        _header(name, value)
        for name, value in ((":message-type", "event"), (":event-type", event_type), (":content-type", content_type))
    )
    prelude = _PRELUDE.pack(_PRELUDE.size + 2 * _CRC.size + len(headers) + len(payload), len(headers))
    message = b"".join((prelude, _CRC.pack(crc32(prelude)), headers, payload))
    return message + _CRC.pack(crc32(message))


def _header(name: str, value: str) -> bytes:
    return struct.pack(f">B{len(name)}sBH{len(value)}s", len(name), name.encode(), _STRING, len(value), value.encode())

"""CloudWatch Logs' events: lines of a log group, gzipped into an event or a Kinesis record (SRC-130..133).

What arrived may have been written by a stranger: what is not understood raises ValueError, whose text says why.
"""

from __future__ import annotations

import gzip
import zlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from eventmap.model import JsonObject

DECODED_LIMIT_BYTES: Final = 6_291_456
"""CloudWatch Logs sends at most 1 MB, decoded (SRC-133); no event of Lambda's is larger than this."""

_GZIP: Final = 31  # zlib's word for: a gzip header, and the largest window


def decode_logs(event: Mapping[str, Any], *, limit_bytes: int = DECODED_LIMIT_BYTES) -> JsonObject:
    """What a subscription sent: `messageType`, `logGroup`, `logStream`, `logEvents` and so on (SRC-130).

    `event` is a function's event, or one record of a Kinesis event (SRC-132). Nothing beyond `limit_bytes` is unpacked.
    Raises: ValueError for what is no such event, or is larger.
    """
    packed = _packed(event)
    try:
        compressed = b64decode(packed, validate=True)
    except (NotBase64, ValueError):
        raise ValueError("it is no event of CloudWatch Logs: its data is not base64") from None
    unpacking = zlib.decompressobj(_GZIP)
    try:
        text = unpacking.decompress(compressed, limit_bytes + 1)
    except zlib.error:
        raise ValueError("it is no event of CloudWatch Logs: its data is not gzip") from None
    if len(text) > limit_bytes:
        raise ValueError(f"an event of CloudWatch Logs is larger than {limit_bytes} bytes, unpacked")
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("it is no event of CloudWatch Logs: its data is not one whole gzip member")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("it is no event of CloudWatch Logs: not JSON inside") from None
    if not isinstance(document, dict) or not isinstance(document.get("logEvents"), list):
        raise ValueError("it is no event of CloudWatch Logs: it has no logEvents")
    return document


def log_events_of(event: Mapping[str, Any], *, limit_bytes: int = DECODED_LIMIT_BYTES) -> tuple[JsonObject, ...]:
    """The lines: `id`, `timestamp` in ms and `message` each; () for CloudWatch's probe of the subscription (SRC-131).

    Raises: ValueError, as `decode_logs`.
    """
    document = decode_logs(event, limit_bytes=limit_bytes)
    if document.get("messageType") == "CONTROL_MESSAGE":
        return ()
    return tuple(cast("list[JsonObject]", document["logEvents"]))


def pack_logs(document: JsonObject) -> bytes:
    """The way back: a Kinesis record's data; equal documents give equal bytes (SRC-132)."""
    return gzip.compress(orjson.dumps(document), mtime=0)


def logs_event(document: JsonObject) -> JsonObject:
    """A function's event of it (SRC-130)."""
    return {"awslogs": {"data": b64encode(pack_logs(document)).decode()}}


def _packed(event: Mapping[str, Any]) -> str:
    for name in ("awslogs", "kinesis"):
        holder = event.get(name)
        if isinstance(holder, dict) and isinstance(holder.get("data"), str):
            return str(holder["data"])
    raise ValueError("it is no event of CloudWatch Logs: neither awslogs.data nor kinesis.data is text")

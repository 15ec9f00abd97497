"""The end of an invocation's log, for a caller who asked for it (INV-12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from eventmap.runtime.report import InvocationLog

TAIL_LIMIT_BYTES: Final = 4096
"""How much of a log Invoke answers with."""


class TailedLog:
    """An InvocationLog that passes every line on to another one and keeps the last of those somebody follows."""

    def __init__(self, log: InvocationLog) -> None:
        self._log = log
        self._tails: dict[str, LogTail] = {}

    @property
    def enabled(self) -> bool:
        return bool(self._tails) or self._log.enabled

    def line(self, function_name: str, request_id: str, text: str) -> None:
        if self._log.enabled:
            self._log.line(function_name, request_id, text)
        tail = self._tails.get(request_id)
        if tail is not None:
            tail.add(text)

    @contextmanager
    def following(self, request_id: str) -> Iterator[LogTail]:
        """Keep the lines of one request for the length of the block; nobody else follows the same one."""
        tail = self._tails[request_id] = LogTail()
        try:
            yield tail
        finally:
            del self._tails[request_id]


class LogTail:
    """The last lines of one request, each ended by a newline as in Lambda's own; of 4 KB at most."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, text: str) -> None:
        # No character takes less than a byte, so what is cut off here can never be shown.
        self._kept += text[-TAIL_LIMIT_BYTES:].encode("utf-8", "replace") + b"\n"
        if len(self._kept) > 16 * TAIL_LIMIT_BYTES:  # now and then, not with every line
            del self._kept[:-TAIL_LIMIT_BYTES]

    def __bytes__(self) -> bytes:
        """UTF-8; a character that the limit would cut in two is left out."""
        last = bytes(self._kept[-TAIL_LIMIT_BYTES:])
        start = 0
        while start < min(len(last), 3) and last[start] & 0xC0 == 0x80:
            start += 1
        return last[start:]

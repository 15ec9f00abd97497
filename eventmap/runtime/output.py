"""Everything a child and its descendants print, as records attributed to the request that was running."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from typing import Final

from eventmap.runtime.report import InvocationLog

LINE_LIMIT_BYTES: Final = 262_144
"""A longer line passes through in pieces of at most this many bytes, so that memory stays bounded."""

_READ_BYTES: Final = 65_536


class Output:
    """The reading end of a child's standard output and error, which are one pipe, so that their order is kept.

    It is read whenever the loop runs, so a child that prints is never blocked for longer than the loop is busy.
    """

    def __init__(self, fd: int, function_name: str, log: InvocationLog) -> None:
        self.request_id = ""
        self._fd: int | None = fd
        self._function_name = function_name
        self._log = log
        self._line = bytearray()
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def drain(self) -> None:
        """Pass on all that was written before this call, an unfinished last line included; never waits.

        What is written meanwhile stays in the pipe: a descendant that prints for ever cannot hold us here.
        """
        if self._fd is not None:
            waiting: int = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, b"\0\0\0\0"))[0]
            while waiting > 0 and self._fd is not None:
                waiting -= self._read(min(waiting, _READ_BYTES)) or waiting
        if self._line:
            self._emit(self._line)
            self._line = bytearray()

    def close(self) -> None:
        """Stop reading; what was not drained is dropped."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _read(self, size: int = _READ_BYTES) -> int:
        assert self._fd is not None
        try:
            piece = os.read(self._fd, size)
        except BlockingIOError:
            return 0
        if not piece:
            self.close()
        elif self._log.enabled:
            self._take(piece)
        return len(piece)

    def _take(self, piece: bytes) -> None:
        head, newline, rest = piece.rpartition(b"\n")
        if newline:
            self._line += head
            for line in self._line.split(b"\n"):
                self._emit_in_pieces(line)
            self._line = bytearray()
        self._line += rest
        if len(self._line) > LINE_LIMIT_BYTES:
            kept = self._emit_in_pieces(self._line, keep_last=True)
            self._line = bytearray(kept)

    def _emit_in_pieces(self, line: bytes | bytearray, *, keep_last: bool = False) -> bytes | bytearray:
        while len(line) > LINE_LIMIT_BYTES:
            cut = LINE_LIMIT_BYTES
            while cut > LINE_LIMIT_BYTES - 4 and line[cut] & 0xC0 == 0x80:
                cut -= 1  # not within a character
            self._emit(line[:cut])
            line = line[cut:]
        if not keep_last:
            self._emit(line)
        return line

    def _emit(self, line: bytes | bytearray) -> None:
        self._log.line(self._function_name, self.request_id, line.decode("utf-8", "replace"))

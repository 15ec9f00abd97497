"""The HTTP protocol of a connection, guarded: complete headers in time and of bounded size, few connections.

uvicorn bounds none of these, and tells what it refuses on a logger that belongs to the host application.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from eventmap.server.settings import ServerLimits
from eventmap.server.statistics import ServerStatistics

_SILENT: Final = logging.Logger("eventmap.server.silent", logging.CRITICAL + 1)
"""For uvicorn: what it would say is counted, or told by the app."""


class _BeyondLimit(Exception):
    """Raised into the parser, which stops there."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

        made ───▶ head expected ──complete──▶ body ──complete──▶ between requests ──answered──▶ idle
                        ▲                                                │                        │
                        └──────────────── first byte ────────────────────┴────────────────────────┘

    `head expected` has a deadline, `idle` one of uvicorn's, the body one of the app's.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        loop: asyncio.AbstractEventLoop,
        limits: ServerLimits,
        statistics: ServerStatistics,
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self.logger = _SILENT
        self.access_log = False
        self._limits = limits
        self._statistics = statistics
        self._head_deadline: asyncio.TimerHandle | None = None
        self._is_head_complete = False
        self._heads_begun = 0
        self._header_lines = 0
        self._head_bytes = 0  # of parts that are complete
        self._received_bytes = 0  # of a head that is not, since it began; a part may never become complete
        self._unsent_bytes: float = math.inf

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > self._limits.connection_limit:
            self._refuse(503, "Service Unavailable", "connections")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self._is_head_complete and not self._is_answering:
            self._expect_head()
        begun, was_body = self._heads_begun, self._is_head_complete
        super().data_received(data)
        # The piece that ends a body was no head, however large.
        if not was_body and not self._is_head_complete and self._heads_begun == begun:
            self._received_bytes += len(data)
            if self._received_bytes > self._limits.head_limit_bytes:
                self._refuse(431, "Request Header Fields Too Large", "head_size")

    def on_message_begin(self) -> None:
        self._heads_begun += 1
        self._header_lines = self._head_bytes = self._received_bytes = 0
        self._is_head_complete = False
        self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_head_complete:
            return  # a trailer: whatever it says comes too late to be believed
        self._header_lines += 1
        self._measure(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_head_complete = True
        self._forget_deadline()
        if len(self.pipeline) >= self._limits.pipeline_limit:
            raise _BeyondLimit
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_head_complete = False
        self._received_bytes = 0

    def on_response_complete(self) -> None:
        self._unsent_bytes = math.inf
        super().on_response_complete()
        if self.transport.is_closing():  # it stays until the client has read the answer
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; give up on a client that takes nothing of its answer."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent:
            super().timeout_keep_alive_handler()
        elif unsent < self._unsent_bytes:
            self._unsent_bytes = unsent
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            self._statistics.refused["slow_reader"] += 1
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Whatever the parser stumbled over."""
        if self._is_beyond_limit():
            self._refuse(431, "Request Header Fields Too Large", "head_size")
        else:
            self._refuse(400, "Bad Request", "malformed")

    def _measure(self, size: int) -> None:
        self._head_bytes += size
        if self._is_beyond_limit():
            raise _BeyondLimit

    def _is_beyond_limit(self) -> bool:
        return self._head_bytes > self._limits.head_limit_bytes or self._header_lines > self._limits.header_limit

    def _expect_head(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(self._limits.head_timeout_s, self._give_up_on_head)

    def _forget_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _give_up_on_head(self) -> None:
        self._head_deadline = None
        self._refuse(408, "Request Timeout", "slow_head")

    def _refuse(self, status: int, phrase: str, why: str) -> None:
        self._forget_deadline()
        if self.transport.is_closing():
            return
        self._statistics.refused[why] += 1
        if not self._is_answering:  # never into the middle of another answer
            head = f"HTTP/1.1 {status} {phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            self.transport.write(head.encode())
        self.transport.close()

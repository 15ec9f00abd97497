"""A raw HTTP client over kept connections, lean enough that it is the server that sets the pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import anyio


class Connection(asyncio.Protocol):
    """One request at a time; answers must carry Content-Length and say that all is well."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[None] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end == -1:
            return
        head = self._received[:head_end].lower()
        start = head.index(b"content-length: ") + 16
        end = head.find(b"\r\n", start)
        size = int(head[start : end if end != -1 else None])
        if len(self._received) >= head_end + 4 + size:
            assert head.startswith(b"http/1.1 20"), self._received
            assert self._answered is not None
            self._received = b""
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError("the server hung up"))

    async def call(self, request: bytes) -> None:
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answered

    def close(self) -> None:
        self._transport.abort()


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


async def calls_per_second(port: int, request: bytes, *, at_once: int, seconds: float) -> float:
    """As many as get through with `at_once` connections, each of which asks again as soon as it was answered."""
    calls = 0
    async with connections(port, at_once) as opened:
        started = perf_counter()

        async def keep_calling(connection: Connection) -> None:
            nonlocal calls
            while perf_counter() - started < seconds:
                await connection.call(request)
                calls += 1

        async with anyio.create_task_group() as tasks:
            for connection in opened:
                tasks.start_soon(keep_calling, connection)
        return calls / (perf_counter() - started)


async def latencies_ms(port: int, request: bytes, *, per_second: float, seconds: float, at_once: int) -> list[float]:
    """How long calls took that were due at a steady rate, each counted from the moment it was due."""
    took: list[float] = []
    async with connections(port, at_once) as opened:
        started = perf_counter()

        async def keep_calling(connection: Connection, first: int) -> None:
            for number in range(first, int(per_second * seconds), at_once):
                due = started + number / per_second
                await anyio.sleep(max(due - perf_counter(), 0))
                await connection.call(request)
                took.append((perf_counter() - due) * 1e3)

        async with anyio.create_task_group() as tasks:
            for first, connection in enumerate(opened):
                tasks.start_soon(keep_calling, connection, first)
    return took


async def one_by_one_ms(port: int, request: bytes, *, calls: int) -> list[float]:
    """How long calls took, one after the other."""
    took = []
    async with connections(port, 1) as (connection,):
        for _ in range(calls):
            started = perf_counter()
            await connection.call(request)
            took.append((perf_counter() - started) * 1e3)
    return took

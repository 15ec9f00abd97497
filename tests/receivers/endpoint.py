"""A receiver on a real port of this machine, as little of a server as will do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eventmap.receivers.sns import SnsReceiver


@asynccontextmanager
async def listening(receiver: SnsReceiver) -> AsyncIterator[str]:
    """Its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, text = await receiver.receive(headers, body)
            answer = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}"
            writer.write(answer.encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/sns/work"

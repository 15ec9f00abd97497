"""A client that sends whatever bytes a test gives it."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from anyio.abc import SocketStream

from .scene import Scene

PATH = "/2015-03-31/functions/orders/invocations"


@dataclass
class Client:
    """One connection."""

    stream: SocketStream
    received: bytes = b""

    @classmethod
    async def of(cls, scene: Scene) -> Client:
        stream = await anyio.connect_tcp("127.0.0.1", scene.port)
        scene.connections.append(stream)
        return cls(stream)

    async def send(self, data: bytes) -> None:
        await self.stream.send(data)

    async def send_request(self, body: bytes, *headers: str) -> None:
        await self.send(head(f"Content-Length: {len(body)}", *headers) + body)

    async def read_to_end(self) -> bytes:
        """Everything until the server closes, or resets, the connection."""
        try:
            while True:
                self.received += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            await self.stream.aclose()
            return self.received

    async def read_answer(self) -> bytes:
        """One answer of a connection that stays open."""
        while b"\r\n\r\n" not in self.received:
            self.received += await self.stream.receive()
        start, _, rest = self.received.partition(b"\r\n\r\n")
        size = int(start.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(rest) < size:
            rest += await self.stream.receive()
        self.received = rest[size:]
        return start + b"\r\n\r\n" + rest[:size]


def head(*headers: str, method: str = "POST", path: str = PATH, host: str | None = "Host: localhost") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *([host] if host else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()

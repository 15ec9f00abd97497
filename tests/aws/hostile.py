"""A server that answers HTTP requests with exactly the bytes a test gives it, or worse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from eventmap.aws.dynamodb import DynamoDbStreamsWire
from eventmap.aws.kinesis import KinesisWire
from eventmap.aws.session import AwsSettings, open_dynamodb, open_kinesis, open_sqs
from eventmap.aws.signing import Credentials
from eventmap.aws.sqs import SqsWire

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class HostileServer:
    """Answers the n-th request with the n-th answer, and every later one with the last."""

    answers: list[Answer]
    endpoint_url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)  #: (headers, lower-cased; body)
    lines: list[str] = field(default_factory=list)  #: of each request, such as "POST /path HTTP/1.1"
    received: asyncio.Event = field(default_factory=asyncio.Event)  #: set by the first request


def http(status: int, body: bytes, *headers: str) -> Answer:
    """An orderly HTTP answer."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def error(status: int, shape: str, *headers: str) -> Answer:
    """An error as AWS' JSON protocols put it."""
    return http(status, f'{{"__type":"com.amazonaws.service#{shape}","message":"said so"}}'.encode(), *headers)


def raw(data: bytes, *, then_close: bool = True) -> Answer:
    """Bytes that need not be HTTP."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if then_close:
            writer.close()

    return answer


async def reset(writer: asyncio.StreamWriter) -> None:
    """Drops the connection without an answer."""
    writer.transport.abort()


async def silence(writer: asyncio.StreamWriter) -> None:
    """Never answers."""


async def endless(writer: asyncio.StreamWriter) -> None:
    """A chunked body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    while not writer.is_closing():
        writer.write(chunk)
        await writer.drain()


@asynccontextmanager
async def hostile_server(*answers: Answer) -> AsyncIterator[HostileServer]:
    server = HostileServer(list(answers))
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                if "expect" in headers:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                server.lines.append(head[0])
                server.requests.append((headers, body))
                server.received.set()
                await server.answers[min(len(server.requests), len(server.answers)) - 1](writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        server.endpoint_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server
        for writer in writers:
            writer.transport.abort()


def settings_for(endpoint_url: str) -> AwsSettings:
    return AwsSettings(endpoint_url=endpoint_url, region="us-east-1", credentials=Credentials("test", "test"))


@asynccontextmanager
async def wire_to(endpoint_url: str, *, connection_limit: int = 8) -> AsyncIterator[SqsWire]:
    async with open_sqs(settings_for(endpoint_url), connection_limit=connection_limit) as wire:
        yield wire


@asynccontextmanager
async def kinesis_at(endpoint_url: str) -> AsyncIterator[KinesisWire]:
    async with open_kinesis(settings_for(endpoint_url), connection_limit=8) as wire:
        yield wire


@asynccontextmanager
async def dynamodb_at(endpoint_url: str) -> AsyncIterator[DynamoDbStreamsWire]:
    async with open_dynamodb(settings_for(endpoint_url), connection_limit=8) as wire:
        yield wire

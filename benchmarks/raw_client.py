"""Draining a queue over bare sockets: no library, no checks, so that it is the server that sets the pace."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import anyio
import orjson
from anyio.streams.buffered import BufferedByteReceiveStream

# Emulators tell services apart by the scope of a signature, and check nothing else of it.
_AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")


async def drain(endpoint_url: str, queue_url: str, *, connections: int) -> int:
    """Receive ten, delete the ten, until a receive comes back empty on each connection; returns messages deleted."""
    deleted = 0
    where = urlsplit(endpoint_url)
    assert where.hostname is not None
    assert where.port is not None
    host, port = where.hostname, where.port

    async def work() -> None:
        nonlocal deleted
        async with await anyio.connect_tcp(host, port) as stream:
            answers = BufferedByteReceiveStream(stream)

            async def call(operation: str, **parameters: Any) -> Any:
                body = orjson.dumps({"QueueUrl": queue_url, **parameters})
                await stream.send(_head(operation, f"{host}:{port}", len(body)) + body)
                head = await answers.receive_until(b"\r\n\r\n", 65_536)
                assert head.startswith(b"HTTP/1.1 200"), head
                announced = _LENGTH.search(head)
                assert announced is not None, head
                return orjson.loads(await answers.receive_exactly(int(announced[1])))

            while messages := (await call("ReceiveMessage", MaxNumberOfMessages=10)).get("Messages"):
                entries = [
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(messages)
                ]
                answer = await call("DeleteMessageBatch", Entries=entries)
                deleted += len(answer["Successful"])

    async with anyio.create_task_group() as tasks:
        for _ in range(connections):
            tasks.start_soon(work)
    return deleted


def _head(operation: str, host: str, length: int) -> bytes:
    lines = (
        "POST / HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/x-amz-json-1.0",
        f"X-Amz-Target: AmazonSQS.{operation}",
        f"Authorization: {_AUTHORIZATION}",
        f"Content-Length: {length}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()

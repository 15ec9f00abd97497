"""A static SQS: every receive is answered at once with as many messages as it asks for, every batch call with success.

Run as a process of its own by `stub_process`. With a backlog given it hands out so many messages and then holds long
polls for the time they ask for. Nothing is stored: it answers from prepared text, so that the client is the bottleneck.

    python -m benchmarks.stub [MESSAGES]     prints its port; ends when its standard input does
    GET /                                    calls so far as JSON, by operation
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sys
from collections import Counter
from typing import Any

import anyio

QUEUE_PATH = "/000000000000/stub"
BODY = '{"order_id": "2026-000417", "customer": "C-1093", "items": [{"sku": "A-17", "quantity": 2, "price": "19.90"}]}'

_OPERATION = re.compile(rb"(?i)x-amz-target: *AmazonSQS\.(\w+)")
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_ASKED = re.compile(rb'"MaxNumberOfMessages": *(\d+)')
_WAIT = re.compile(rb'"WaitTimeSeconds": *(\d+)')
_PLACE = b"#receive"  # becomes the number of the receive, eight hexadecimal digits: no two messages are the same


def http(document: Any) -> bytes:
    """A response of status 200."""
    body = json.dumps(document, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _message(index: int) -> dict[str, Any]:
    place = _PLACE.decode()
    return {
        "MessageId": f"{place}-0000-4000-8000-{index:012d}",
        "ReceiptHandle": f"receipt/{place}/{index}/{'x' * 80}",
        "MD5OfBody": hashlib.md5(BODY.encode(), usedforsecurity=False).hexdigest(),
        "Body": BODY,
        "Attributes": {
            "SenderId": "AIDAEVENTMAPBENCHMARK",
            "SentTimestamp": "1767225600000",
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": "1767225600005",
        },
    }


_MESSAGES = [http({"Messages": [_message(index) for index in range(count)]} if count else {}) for count in range(11)]
_CONFIRMED = [http({"Successful": [{"Id": str(index)} for index in range(count)], "Failed": []}) for count in range(11)]
_ATTRIBUTES = http(
    {
        "Attributes": {
            "QueueArn": "arn:aws:sqs:us-east-1:000000000000:stub",
            "VisibilityTimeout": "900",
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "ApproximateNumberOfMessagesDelayed": "0",
        }
    }
)


class Stub:
    """What all connections share. `backlog` None = it never runs dry."""

    def __init__(self, backlog: int | None) -> None:
        self.backlog = backlog
        self.receives = 0
        self.calls: Counter[str] = Counter()
        self.port = 0

    def take(self, asked: int) -> bytes:
        """The answer to a receive; without messages if there are none left."""
        if self.backlog is not None:
            asked = min(asked, self.backlog)
            self.backlog -= asked
        self.receives += 1
        return _MESSAGES[asked].replace(_PLACE, b"%08x" % self.receives)


class Connection(asyncio.Protocol):
    """One client. Requests may arrive in pieces and several at once; a held long poll is assumed to come alone."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._unread = b""
        self._held: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._held is not None:
            self._held.cancel()

    def data_received(self, data: bytes) -> None:
        data = self._unread + data
        at = 0
        answers = []
        while (head_end := data.find(b"\r\n\r\n", at)) != -1:
            announced = _LENGTH.search(data, at, head_end)
            end = head_end + 4 + (int(announced[1]) if announced else 0)
            if len(data) < end:
                break
            answers.append(self._answer(data, at, head_end, end))
            at = end
        self._unread = data[at:]
        self._transport.write(b"".join(answers))

    def _answer(self, data: bytes, start: int, head_end: int, end: int) -> bytes:
        """The response to the request in data[start:end]; empty when it is held."""
        stub = self._stub
        named = _OPERATION.search(data, start, head_end)
        if named is None:
            return http(stub.calls)
        operation = named[1].decode()
        stub.calls[operation] += 1
        match operation:
            case "ReceiveMessage":
                asked, wait = _ASKED.search(data, head_end, end), _WAIT.search(data, head_end, end)
                if stub.backlog == 0 and wait is not None and int(wait[1]):
                    loop = asyncio.get_running_loop()
                    self._held = loop.call_later(int(wait[1]), self._transport.write, stub.take(0))
                    return b""
                return stub.take(int(asked[1]) if asked else 1)
            case "DeleteMessageBatch" | "ChangeMessageVisibilityBatch":
                return _CONFIRMED[data.count(b'"ReceiptHandle"', head_end, end)]
            case "GetQueueUrl":
                return http({"QueueUrl": f"http://127.0.0.1:{stub.port}{QUEUE_PATH}"})
            case _:
                return _ATTRIBUTES


async def main(backlog: int | None) -> None:
    loop = asyncio.get_running_loop()
    stub = Stub(backlog)
    server = await loop.create_server(lambda: Connection(stub), "127.0.0.1", 0)
    stub.port = server.sockets[0].getsockname()[1]
    print(stub.port, flush=True)
    owner_gone = anyio.Event()

    def on_input() -> None:
        if not os.read(0, 4096):
            owner_gone.set()

    loop.add_reader(0, on_input)
    await owner_gone.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else None))

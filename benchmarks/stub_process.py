"""The stub as a child process, and what it can do at most."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.stub import QUEUE_PATH

ROOT = Path(__file__).resolve().parents[1]
_PIPELINED = 32  # requests of each kind handed over at once, on each of two connections


@dataclass(frozen=True, slots=True)
class StubProcess:
    """A running stub."""

    port: int

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def queue_url(self) -> str:
        return self.endpoint_url + QUEUE_PATH

    def calls(self) -> dict[str, int]:
        """Calls so far, by operation; a held long poll counts from its start."""
        with urllib.request.urlopen(self.endpoint_url, timeout=10) as answer:
            calls: dict[str, int] = json.load(answer)
        return calls

    def calls_per_second(self, seconds: float) -> float:
        """The stub's own ceiling: pairs of receive(10) and delete(10) from two raw, pipelined connections."""
        with self._connection() as first, self._connection() as second:
            pairs = _request("ReceiveMessage", b'{"MaxNumberOfMessages":10}') + _request(
                "DeleteMessageBatch", b'"ReceiptHandle"' * 10
            )
            first.sendall(pairs)
            answer_bytes = _read_pair(first)
            calls = 0
            started = perf_counter()
            for connection in (first, second):
                connection.sendall(pairs * _PIPELINED)
            while (elapsed_s := perf_counter() - started) < seconds:
                for connection in (first, second):
                    _read(connection, answer_bytes * _PIPELINED)
                    connection.sendall(pairs * _PIPELINED)
                    calls += 2 * _PIPELINED
            return calls / elapsed_s

    def _connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@contextmanager
def running_stub(backlog: int | None = None) -> Iterator[StubProcess]:
    """A stub for the length of the block; `backlog` as in `Stub`."""
    command = [sys.executable, "-m", "benchmarks.stub", *([] if backlog is None else [str(backlog)])]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield StubProcess(int(process.stdout.readline()))
        finally:
            process.stdin.close()  # which ends it


def _request(operation: str, body: bytes) -> bytes:
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{operation}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _read_pair(connection: socket.socket) -> int:
    """Read one answer of each kind; returns how many bytes they are, which never changes."""
    received = b""
    for _ in range(2):
        start = len(received)
        while (head_end := received.find(b"\r\n\r\n", start)) == -1:
            received += connection.recv(1)
        received += _read(connection, int(received[start:head_end].rpartition(b" ")[2]))
    return len(received)


def _read(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = connection.recv(min(size - len(received), 262_144))
        if not chunk:
            raise ConnectionError("the stub hung up")
        received += chunk
    return bytes(received)

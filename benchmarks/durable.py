"""Durable: Event invocations over HTTP: each 202 says that the event is on the disk. The handler runs meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from benchmarks.accept import syncs_per_s
from benchmarks.figure import AtLeast, Figure, number
from benchmarks.raw_http import calls_per_second
from benchmarks.stub_process import ROOT

_AT_ONCE = 64
_BODY = b'{"Records":[' + b'{"orderId":"0123456789"},' * 39 + b"{}]}"  # 1 KB
_WHERE = Path(".eventmap-benchmark")  # on the disk of the working folder: /tmp may be memory


def measure(*, quick: bool) -> list[Figure]:
    seconds, rounds = (0.3, 1) if quick else (3.0, 5)
    _WHERE.mkdir(exist_ok=True)
    try:
        with TemporaryDirectory(dir=_WHERE) as folder:
            syncs = syncs_per_s(Path(folder) / "sync", 20 if quick else 300)
        rates = tuple(_rate(seconds) for _ in range(rounds))
    finally:
        _WHERE.rmdir()
    return [
        Figure(
            benchmark="durable",
            name=f"durable 202 over HTTP, 1 KB events, {_AT_ONCE} connections, the handler running",
            unit="requests/s",
            rounds=rates,
            target=AtLeast(2_000),
            ceiling=f"the disk alone: {number(syncs)} syncs/s",
        )
    ]


def _rate(seconds: float) -> float:
    """Of a service with a new event file."""
    with TemporaryDirectory(dir=_WHERE) as folder:
        command = [sys.executable, "-m", "benchmarks.durable_side", str(Path(folder).absolute())]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                port = int(process.stdout.readline())
                return anyio.run(_calls_per_second, port, seconds)
            finally:
                process.stdin.close()  # which ends it


async def _calls_per_second(port: int, seconds: float) -> float:
    return await calls_per_second(port, _request(), at_once=_AT_ONCE, seconds=seconds)


def _request() -> bytes:
    lines = (
        "POST /2015-03-31/functions/measured/invocations HTTP/1.1",
        "Host: 127.0.0.1",
        "X-Amz-Invocation-Type: Event",
        f"Content-Length: {len(_BODY)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + _BODY

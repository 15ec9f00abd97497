"""Lambda's Invoke API over HTTP: what one core serves, how soon, and what a process of its own costs there."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from benchmarks.figure import AtLeast, AtMost, Figure, number
from benchmarks.raw_http import calls_per_second, latencies_ms, one_by_one_ms
from benchmarks.stub_process import ROOT

_AT_ONCE = 16
_SIDE = "benchmarks.invoke_side"
_SMALL = b'{"n":1}'
_TEN_KB = b'{"text":"' + b"x" * 10_229 + b'"}'


def measure(*, quick: bool) -> list[Figure]:
    seconds, rounds, calls = (0.2, 1, 20) if quick else (3.0, 5, 1_000)
    small, ten_kb = _request(_SMALL), _request(_TEN_KB)
    rates, p99s, bare_rates, bare_p99s, process, inline, bare = [], [], [], [], [], [], []
    with served(_SIDE, "inline") as here, served(_SIDE, "process") as there, served(_SIDE, "bare") as nothing:
        for port in (here, there, nothing):
            anyio.run(rate, port, small, 0.2)
        for _ in range(rounds):
            rates.append(anyio.run(rate, here, small, seconds))
            bare_rates.append(anyio.run(rate, nothing, small, seconds))
            p99s.append(anyio.run(p99_ms, here, small, rates[-1] / 2, seconds))
            bare_p99s.append(anyio.run(p99_ms, nothing, small, rates[-1] / 2, seconds))
            process.append(anyio.run(_p50_ms, there, ten_kb, calls))
            inline.append(anyio.run(_p50_ms, here, ten_kb, calls))
            bare.append(anyio.run(_p50_ms, nothing, ten_kb, calls))
    alone = statistics.median(bare_rates)
    return [
        Figure(
            benchmark="invoke",
            name=f"Invoke RequestResponse, async no-op inline, {_AT_ONCE} connections",
            unit="requests/s",
            rounds=tuple(rates),
            target=AtLeast(2_500),
            ceiling=f"uvicorn with an app that answers `null` {number(alone)}",
        ),
        Figure(
            benchmark="invoke",
            name="the same at half of that rate, p99",
            unit="ms",
            rounds=tuple(p99s),
            target=AtMost(10),
            ceiling=f"that app at the same rate {number(statistics.median(bare_p99s))} ms",
        ),
        Figure(
            benchmark="invoke",
            name="Invoke through process isolation, 10 KB event, one by one, p50",
            unit="ms",
            rounds=tuple(process),
            target=AtMost(0.75),
            ceiling=f"the app that answers `null` {number(statistics.median(bare))} ms",
            note=f"inline {number(statistics.median(inline))} ms",
        ),
    ]


async def rate(port: int, request: bytes, seconds: float) -> float:
    """Requests per second over all connections."""
    return await calls_per_second(port, request, at_once=_AT_ONCE, seconds=seconds)


async def p99_ms(port: int, request: bytes, per_second: float, seconds: float) -> float:
    """Of requests that come at that rate."""
    took = await latencies_ms(port, request, per_second=per_second, seconds=seconds, at_once=64)
    return statistics.quantiles(took, n=100)[98]


async def _p50_ms(port: int, request: bytes, calls: int) -> float:
    return statistics.median(await one_by_one_ms(port, request, calls=calls))


def _request(body: bytes) -> bytes:
    lines = (
        "POST /2015-03-31/functions/measured/invocations HTTP/1.1",
        "Host: 127.0.0.1",
        "X-Amz-Invocation-Type: RequestResponse",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@contextmanager
def served(module: str, side: str) -> Iterator[int]:
    """The port of a side's server, which runs for the length of the block."""
    command = [sys.executable, "-m", module, side]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()  # which ends it

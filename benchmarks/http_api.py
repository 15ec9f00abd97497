"""An HTTP API in front of a handler: what one core serves, and how soon."""

from __future__ import annotations

import statistics

import anyio

from benchmarks.figure import AtLeast, AtMost, Figure, number
from benchmarks.invoke import p99_ms, rate, served

_MODULE = "benchmarks.http_api_side"
_REQUEST = (
    "\r\n".join(
        (
            "GET /orders/7?expand=lines&lang=de HTTP/1.1",
            "Host: 127.0.0.1",
            "User-Agent: benchmark",
            "Accept: application/json",
            "Accept-Language: de",
            "Cookie: session=0123456789abcdef; theme=dark",
        )
    )
    + "\r\n\r\n"
).encode()


def measure(*, quick: bool) -> list[Figure]:
    seconds, rounds = (0.2, 1) if quick else (3.0, 5)
    rates, p99s, bare_rates = [], [], []
    with served(_MODULE, "routes") as here, served(_MODULE, "bare") as nothing:
        for port in (here, nothing):
            anyio.run(rate, port, _REQUEST, 0.2)
        for _ in range(rounds):
            rates.append(anyio.run(rate, here, _REQUEST, seconds))
            bare_rates.append(anyio.run(rate, nothing, _REQUEST, seconds))
            p99s.append(anyio.run(p99_ms, here, _REQUEST, rates[-1] / 2, seconds))
    return [
        Figure(
            benchmark="http_api",
            name="HTTP API 2.0, 21 routes, async inline handler, 16 connections",
            unit="requests/s",
            rounds=tuple(rates),
            target=AtLeast(2_000),
            ceiling=f"uvicorn with an app that answers `null` {number(statistics.median(bare_rates))}",
        ),
        Figure(
            benchmark="http_api",
            name="the same at half of that rate, p99",
            unit="ms",
            rounds=tuple(p99s),
            target=AtMost(10),
        ),
    ]

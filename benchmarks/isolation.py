"""What a process of its own costs: added to a warm invocation, and before the first one."""

from __future__ import annotations

import statistics
import subprocess
import sys
from time import perf_counter

import anyio

from benchmarks.figure import AtMost, Figure, number
from eventmap.function import Function, Isolation
from eventmap.model import Event, JsonObject, Returned
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.service import Silent

_EVENT: JsonObject = {"Records": [{"messageId": "m-1", "body": "x" * 980}]}
_IMPORTS = "import datetime, json, logging, os, re, uuid"


def measure(*, quick: bool) -> list[Figure]:
    invocations, rounds, starts = (20, 1, 1) if quick else (500, 7, 15)
    inline, process = anyio.run(_warm_p50s, invocations, rounds)
    added = tuple(theirs - ours for ours, theirs in zip(inline, process, strict=True))
    cold = tuple(anyio.run(_cold_start_ms) for _ in range(starts))
    bare = min(_interpreter_start_ms() for _ in range(starts))
    return [
        Figure(
            benchmark="isolation",
            name="added latency of process isolation, p50, 1 KB event",
            unit="µs",
            rounds=added,
            target=AtMost(400),
            ceiling=f"inline, p50 {number(statistics.median(inline))} µs",
        ),
        Figure(
            benchmark="isolation",
            name="cold start of a stdlib handler: spawn, Init and first answer",
            unit="ms",
            rounds=cold,
            target=AtMost(150),
            ceiling=f"the interpreter with the same imports {number(bare)} ms",
        ),
    ]


async def _warm_p50s(invocations: int, rounds: int) -> tuple[list[float], list[float]]:
    """(inline, process), microseconds, one of each per round, taken in turn."""
    inline, process = [], []
    async with (
        _runtime("inline", "benchmarks.handlers:nothing_async") as here,
        _runtime("process", "benchmarks.handlers:nothing") as there,
    ):
        await _p50_us(here, 20)
        await _p50_us(there, 20)
        for _ in range(rounds):
            inline.append(await _p50_us(here, invocations))
            process.append(await _p50_us(there, invocations))
    return inline, process


async def _p50_us(runtime: FunctionRuntime, invocations: int) -> float:
    took = []
    for _ in range(invocations):
        event = Event(dict(_EVENT))
        started = perf_counter()
        response = await runtime.invoke(event)
        took.append(perf_counter() - started)
        assert isinstance(response, Returned), response
    return statistics.median(took) * 1e6


async def _cold_start_ms() -> float:
    async with _runtime("process", "benchmarks.stdlib_handler:handler") as runtime:
        started = perf_counter()
        response = await runtime.invoke(Event(dict(_EVENT)))
        took = perf_counter() - started
    assert isinstance(response, Returned), response
    return took * 1e3


def _interpreter_start_ms() -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    return (perf_counter() - started) * 1e3


def _runtime(isolation: Isolation, handler: str) -> FunctionRuntime:
    function = Function(handler=handler, function_name="measured", isolation=isolation)
    return FunctionRuntime(function, region="us-east-1", account_id="000000000000", log=Silent())

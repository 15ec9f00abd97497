"""The pump against the loop one would write by hand with aioboto3: same server, same concurrency, in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.figure import AtLeast, Figure, number
from benchmarks.stub_process import ROOT, StubProcess, running_stub

CONCURRENCY = 10


def measure(*, quick: bool) -> list[Figure]:
    warm_up_s, seconds, rounds = (0.1, 0.2, 1) if quick else (1.0, 3.0, 5)
    pumps, loops = [], []
    with running_stub() as stub:
        ceiling = stub.calls_per_second(seconds)
        for _ in range(rounds):
            pumps.append(_side("pump", stub, warm_up_s, seconds))
            loops.append(_side("loop", stub, warm_up_s, seconds))
    pump_rate = tuple(side["messages_per_s"] for side in pumps)
    loop_rate = tuple(side["messages_per_s"] for side in loops)
    stub_alone = f"the stub alone {number(ceiling)} calls/s, so {number(ceiling * 5)} messages/s"
    return [
        Figure(
            benchmark="pump",
            name=f"pump ÷ hand-written aioboto3 loop, {CONCURRENCY} at once",
            unit="",
            rounds=tuple(ours / theirs for ours, theirs in zip(pump_rate, loop_rate, strict=True)),
            target=AtLeast(0.9),
            ceiling=stub_alone,
        ),
        _throughput("pump, static stub server", pump_rate, pumps, stub_alone),
        _throughput("hand-written aioboto3 loop, static stub server", loop_rate, loops, stub_alone),
    ]


def _throughput(name: str, rate: tuple[float, ...], sides: list[dict[str, Any]], ceiling: str) -> Figure:
    cpu = statistics.median(side["cpu_us_per_message"] for side in sides)
    return Figure(
        benchmark="pump",
        name=name,
        unit="messages/s",
        rounds=rate,
        ceiling=ceiling,
        note=f"{number(cpu)} µs CPU per message",
    )


def _side(name: str, stub: StubProcess, warm_up_s: float, seconds: float) -> dict[str, Any]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "AWS_ENDPOINT_URL": stub.endpoint_url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    arguments = [name, stub.queue_url, str(CONCURRENCY), str(warm_up_s), str(seconds)]
    side = subprocess.run(
        [sys.executable, "-m", "benchmarks.pump_side", *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    answer: dict[str, Any] = json.loads(side.stdout)
    return answer

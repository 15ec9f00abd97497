"""SIGTERM to exit: the real command, idle in a long poll that the server would hold for 20 s."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from time import perf_counter

import anyio

from benchmarks.figure import AtMost, Figure
from benchmarks.stub_process import ROOT, StubProcess, running_stub

_START_DEADLINE_S = 20.0
_EXIT_DEADLINE_S = 20.0
_LOOK_EVERY_S = 0.02


def measure(*, quick: bool) -> list[Figure]:
    settled_s, rounds = (0.0, 1) if quick else (0.5, 5)
    with running_stub(backlog=0) as stub:
        took = tuple(anyio.run(_seconds_to_exit, stub, settled_s) for _ in range(rounds))
    return [
        Figure(
            benchmark="sigterm",
            name="SIGTERM to exit, idle long poll, `eventmap run`",
            unit="s",
            rounds=took,
            target=AtMost(0.3),
            ceiling="0.1 s of it waits for what the poll may still bring",
        )
    ]


async def _seconds_to_exit(stub: StubProcess, settled_s: float) -> float:
    before = stub.calls().get("ReceiveMessage", 0)
    command = [sys.executable, "-m", "eventmap", "run", "benchmarks.handlers:nothing", "--sqs", stub.queue_url]
    with subprocess.Popen(
        [*command, "--endpoint-url", stub.endpoint_url],
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            with anyio.fail_after(_START_DEADLINE_S):
                while stub.calls().get("ReceiveMessage", 0) == before:
                    assert process.poll() is None, f"it ended by itself: {_printed(process)}"
                    await anyio.sleep(_LOOK_EVERY_S)
            await anyio.sleep(settled_s)
            started = perf_counter()
            process.send_signal(signal.SIGTERM)
            status = process.wait(_EXIT_DEADLINE_S)
            took_s = perf_counter() - started
            assert status == 0, f"exit status {status}: {_printed(process)}"
            return took_s
        finally:
            process.kill()


def _printed(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    return process.stderr.read().decode(errors="replace").strip()


def _environment() -> dict[str, str]:
    mine = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return mine | {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

"""Idle receives: what an empty queue costs per minute, counted after a burst so that the pollers must have calmed."""

from __future__ import annotations

import anyio

from benchmarks.figure import AtMost, Figure
from benchmarks.handlers import nothing_async
from benchmarks.memory_queue import filled, served, until_done
from benchmarks.stub_process import running_stub
from eventmap import App
from eventmap.aws.session import LOCAL_CREDENTIALS, AwsSettings
from eventmap.service import Settings, running
from eventmap.testing import run_in_virtual_time

_BURST = 1_000
_VIRTUAL_S = 3_600.0
_CEILING = "3: long polls of 20 s"


def measure(*, quick: bool) -> list[Figure]:
    seconds = 2.0 if quick else 60.0
    return [
        _figure("virtual time, one hour", run_in_virtual_time(_in_memory) * 60 / _VIRTUAL_S, ""),
        _figure(
            f"stub over HTTP, {seconds:g} s",
            anyio.run(_on_stub, seconds) * 60 / seconds,
            "a minute cuts one poll at each end",
        ),
    ]


def _figure(case: str, per_minute: float, note: str) -> Figure:
    return Figure(
        benchmark="idle",
        name=f"idle receives per minute and queue, {case}",
        unit="calls/min",
        rounds=(per_minute,),
        target=AtMost(4),
        ceiling=_CEILING,
        note=note,
    )


async def _in_memory() -> int:
    sqs = filled(_BURST)
    async with served(sqs, nothing_async) as service:
        await until_done(service, _BURST)
        await anyio.sleep(30)
        before = sqs.journal.calls["ReceiveMessage"]
        await anyio.sleep(_VIRTUAL_S)
        return sqs.journal.calls["ReceiveMessage"] - before


async def _on_stub(seconds: float) -> int:
    """Receives begun, the long poll under way at the end included."""
    app = App()
    with running_stub(_BURST) as stub:
        app.sqs(stub.queue_url)(nothing_async)
        aws = AwsSettings(endpoint_url=stub.endpoint_url, credentials=LOCAL_CREDENTIALS)
        async with running(app.functions(), app.mappings(), Settings(aws=aws)) as service:
            await until_done(service, _BURST)
            await anyio.sleep(2)  # the other pollers' last receives, of one second each, come back empty
            before = stub.calls()["ReceiveMessage"]
            await anyio.sleep(seconds)
            return stub.calls()["ReceiveMessage"] - before

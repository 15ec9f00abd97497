"""A fleet: real worker processes share four shards that always have records; how soon all are read as they come and go.

The times are those of records: from the moment a process is started, killed or asked to stop to the first record of the
last shard concerned that another process has handled. `leases` shows the same on virtual time, at any size.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from benchmarks.figure import AtMost, Figure
from benchmarks.stub_process import ROOT
from eventmap.aws.kinesis import KinesisWire
from eventmap.aws.session import LOCAL_CREDENTIALS, AwsSettings, open_kinesis
from eventmap.local.emulator import embedded_emulator
from eventmap.local.patience import patiently

_SHARDS = 4
_PUT_EVERY_S = 0.05
_LOOK_EVERY_S = 0.01
_RECENT_S = 1.0  # a shard is read by whoever handled a record of it within this time
_DEADLINE_S = 60.0
_STEPS = ("started", "balanced", "killed", "drained")

Round = dict[str, float]
"""Seconds of each step."""


def measure(*, quick: bool) -> list[Figure]:
    rounds = 1 if quick else 3
    figures: list[Figure] = []
    for where, failover_s, killed_s in [("table", 1.0, 2.0)] if quick else [("table", 10.0, 12.0), ("table", 3.0, 4.0)]:
        measured = [anyio.run(_round, where, failover_s) for _ in range(rounds)]
        figures += _figures("lease table", failover_s, killed_s, measured)
    measured = [anyio.run(_round, "file", 10.0) for _ in range(rounds)]
    return [*figures, *_figures("state file", 10.0, 2.0, measured)]


def _figures(where: str, failover_s: float, killed_s: float, rounds: Sequence[Round]) -> list[Figure]:
    names = (
        "first process started until it has read all shards",
        "second started until each has read its half",
        "SIGKILL until its shards are read again",
        "SIGTERM until its shards are read elsewhere",
    )
    return [
        Figure(
            benchmark="fleet",
            name=f"{where}, failover {failover_s:g} s: {name}",
            unit="s",
            rounds=tuple(each[step] for each in rounds),
            target=AtMost(target),
            note="with the start of its interpreter" if step in ("started", "balanced") else "",
        )
        for name, step, target in zip(names, _STEPS, (2.0, 10.0, killed_s, 1.0), strict=True)
    ]


async def _round(where: str, failover_s: float) -> Round:
    async with _stream() as fleet, AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="eventmap-"))
        leases = f"dynamodb:{fleet.stream}-leases" if where == "table" else str(Path(folder, "state.sqlite"))

        async def start() -> Worker:
            return await stack.enter_async_context(fleet.working(leases, failover_s))

        began = time.time()
        first = await start()
        started_s = await fleet.until(lambda: [first.since(began, shard) for shard in fleet.shards], began)
        second = await start()
        balanced_s = await _balanced(fleet, first, second)
        killed_s = await _gone(fleet, second, first, second.process.kill)
        third = await start()
        await _balanced(fleet, first, third)
        drained_s = await _gone(fleet, third, first, third.process.terminate)
    return dict(zip(_STEPS, (started_s, balanced_s, killed_s, drained_s), strict=True))


async def _balanced(fleet: Fleet, first: Worker, second: Worker) -> float:
    """Seconds from the second one's start until it has read half of the shards, none of them read by both any more."""
    half = len(fleet.shards) // 2

    def read_by_it() -> list[float | None]:
        begun = sorted(at for shard in fleet.shards if (at := second.since(0, shard)) is not None)
        return [*begun[:half], *[None] * (half - len(begun))]

    took_s = await fleet.until(read_by_it, second.started_at)
    with anyio.fail_after(_DEADLINE_S):
        while first.recent() & second.recent() or len(first.recent() | second.recent()) < len(fleet.shards):
            await anyio.sleep(_LOOK_EVERY_S)
    return took_s


async def _gone(fleet: Fleet, leaving: Worker, staying: Worker, end: Callable[[], None]) -> float:
    """Seconds from its end, or from being asked for it, until all it read is read by the other one."""
    shards, asked_at = leaving.recent(), time.time()
    end()
    return await fleet.until(lambda: [staying.since(asked_at, shard) for shard in shards], asked_at)


@dataclass
class Worker:
    """A process, and when it handled records of which shard."""

    process: Process
    started_at: float
    handled: dict[str, list[float]] = field(default_factory=dict)

    def since(self, at: float, shard: str) -> float | None:
        """When it first handled something of the shard after the epoch time `at`; None = not yet."""
        return next((each for each in self.handled.get(shard, ()) if each > at), None)

    def recent(self) -> set[str]:
        """The shards it reads now."""
        return {shard for shard, times in self.handled.items() if times[-1] > time.time() - _RECENT_S}

    async def listen(self) -> None:
        assert self.process.stdout is not None
        rest = ""
        async for text in TextReceiveStream(self.process.stdout):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                shard, at = line.split()
                self.handled.setdefault(shard, []).append(float(at))


@dataclass
class Fleet:
    """A stream that is written to, and the workers that read it."""

    endpoint_url: str
    stream: str
    shards: tuple[str, ...]

    @asynccontextmanager
    async def working(self, leases: str, failover_s: float) -> AsyncIterator[Worker]:
        arguments = (self.endpoint_url, self.stream, leases, str(failover_s))
        command = [sys.executable, "-m", "benchmarks.fleet_worker", *arguments]
        started_at = time.time()
        async with (
            await anyio.open_process(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=None) as process,
            anyio.create_task_group() as tasks,
        ):
            worker = Worker(process, started_at)
            tasks.start_soon(worker.listen)
            try:
                yield worker
            finally:
                if process.returncode is None:
                    process.kill()
                tasks.cancel_scope.cancel()

    async def until(self, look: Callable[[], Sequence[float | None]], began: float) -> float:
        """Seconds from `began` to the last of the times, once there is one for each."""
        with anyio.fail_after(_DEADLINE_S):
            while None in (times := look()):
                await anyio.sleep(_LOOK_EVERY_S)
        return max(at for at in times if at is not None) - began


@asynccontextmanager
async def _stream() -> AsyncIterator[Fleet]:
    """Four shards, each of which gets a record every 50 ms."""
    name = f"fleet-{uuid.uuid4().hex[:8]}"
    async with embedded_emulator() as endpoint_url:
        aws = AwsSettings(endpoint_url=endpoint_url, region="us-east-1", credentials=LOCAL_CREDENTIALS)
        async with open_kinesis(aws) as wire, anyio.create_task_group() as tasks:
            await wire.create_stream(name, _SHARDS)
            await _tried(lambda: _active(wire, name))
            shards = (await wire.list_shards(name))["Shards"]
            tasks.start_soon(_keep_writing, wire, name, [each["HashKeyRange"]["StartingHashKey"] for each in shards])
            yield Fleet(endpoint_url, name, tuple(each["ShardId"] for each in shards))
            tasks.cancel_scope.cancel()


async def _active(wire: KinesisWire, name: str) -> None:
    while (await wire.describe_stream_summary(name))["StreamStatus"] != "ACTIVE":
        await anyio.sleep(_LOOK_EVERY_S)


async def _keep_writing(wire: KinesisWire, name: str, hash_keys: Sequence[str]) -> None:
    data = base64.b64encode(b"measured").decode()
    entries: list[dict[str, Any]] = [{"Data": data, "PartitionKey": key, "ExplicitHashKey": key} for key in hash_keys]
    while True:
        await _tried(lambda: wire.put_records(name, entries))
        await anyio.sleep(_PUT_EVERY_S)


async def _tried(call: Callable[[], Awaitable[object]]) -> None:
    async for attempt in patiently():
        with attempt:
            await call()

"""Accept: how many asynchronous events a second become durable in the event file, and what the disk alone can sync."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from benchmarks.figure import AtLeast, Figure
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state.events_sqlite import SqliteEvents

_SENDERS = 64
_PAYLOAD = b'{"Records":[' + b'{"orderId":"0123456789"},' * 39 + b"{}]}"  # 1 KB
_FUNCTION = "orders"
_WHERE = Path(".eventmap-benchmark")  # on the disk of the working folder: /tmp may be memory


def measure(*, quick: bool) -> list[Figure]:
    rounds, count = (1, 200) if quick else (5, 20_000)
    _WHERE.mkdir(exist_ok=True)
    try:
        with TemporaryDirectory(dir=_WHERE) as folder:
            syncs = syncs_per_s(Path(folder) / "sync", 20 if quick else 300)
        accepted = tuple(_round(_accept, count) for _ in range(rounds))
        alone = tuple(_round(_accept_alone, count // 20) for _ in range(rounds))
        ended = tuple(_round(_end, count) for _ in range(rounds))
    finally:
        _WHERE.rmdir()
    ceiling = f"the disk alone: {syncs:,.0f} syncs/s"
    return [
        _figure(f"durable accepts, {_SENDERS} senders at once", accepted, AtLeast(8_000), ceiling),
        _figure("durable accepts, one sender", alone, None, ceiling),
        _figure(f"taken and ended, {_SENDERS} at once", ended, None, ceiling),
    ]


def _figure(name: str, rounds: tuple[float, ...], target: AtLeast | None, ceiling: str) -> Figure:
    return Figure(benchmark="accept", name=name, unit="events/s", rounds=rounds, target=target, ceiling=ceiling)


def syncs_per_s(file: Path, count: int) -> float:
    """One page appended and synced, as a commit does at least."""
    page = os.urandom(4096)
    with file.open("wb", buffering=0) as out:
        began_s = time.perf_counter()
        for _ in range(count):
            out.write(page)
            os.fsync(out.fileno())
        return count / (time.perf_counter() - began_s)


def _round(work: Callable[[Path, int], Awaitable[float]], count: int) -> float:
    with TemporaryDirectory(dir=_WHERE) as folder:
        return anyio.run(work, Path(folder) / "events.sqlite", count)


def _event() -> QueuedEvent:
    now = time.time()
    return QueuedEvent(
        request_id=str(uuid.uuid4()), function_name=_FUNCTION, payload=_PAYLOAD, accepted_at=now, due_at=now
    )


async def _accept(file: Path, count: int, senders: int = _SENDERS) -> float:
    store = SqliteEvents(file)
    await store.prepare()
    waiting = iter([_event() for _ in range(count)])

    async def send() -> None:
        for event in waiting:
            await store.accept(event)

    began_s = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(senders):
            tasks.start_soon(send)
    took_s = time.perf_counter() - began_s
    await store.aclose()
    return count / took_s


async def _accept_alone(file: Path, count: int) -> float:
    return await _accept(file, count, 1)


async def _end(file: Path, count: int) -> float:
    await _accept(file, count)
    store = SqliteEvents(file)
    await store.prepare()

    async def end(event: QueuedEvent) -> None:
        await store.end(event, EventEnd(condition="Success", ended_at=time.time(), invoke_count=1), ())

    began_s = time.perf_counter()
    while events := await store.due(_FUNCTION, time.time(), _SENDERS):
        async with anyio.create_task_group() as tasks:
            for event in events:
                tasks.start_soon(end, event)
    took_s = time.perf_counter() - began_s
    await store.aclose()
    return count / took_s

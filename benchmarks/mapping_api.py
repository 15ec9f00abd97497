"""A mapping made by API: how long until its queue is asked for messages."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import anyio

from benchmarks.figure import AtMost, Figure
from eventmap import App, service
from eventmap.service import HttpSettings
from eventmap.testing import MemorySqs

_ROUNDS = 20


def measure(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        rounds = anyio.run(_created, 2 if quick else _ROUNDS, Path(folder))
    return [
        Figure(
            benchmark="mapping_api",
            name="mapping created by API, durable, to the first poll of its queue",
            unit="s",
            rounds=tuple(rounds),
            target=AtMost(0.3),
        )
    ]


class _Watched(MemorySqs):
    """Remembers when each queue was first asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, float] = {}

    async def receive_message(self, queue_url: str, *args: Any, **settings: Any) -> Any:
        self.asked.setdefault(queue_url, time.perf_counter())
        return await super().receive_message(queue_url, *args, **settings)


async def _created(count: int, folder: Path) -> list[float]:
    app, queues = App(), _Watched()

    @app.function(function_name="work")
    async def work(event: Any, context: Any) -> None:
        """Nothing is sent."""

    settings = service.Settings(
        queue_api=queues,
        http=HttpSettings(),
        events_file=folder / "events.sqlite",
        schedules_file=folder / "schedules.sqlite",
        buses_file=folder / "buses.sqlite",
        control_file=folder / "control.sqlite",
    )
    took: list[float] = []
    async with service.running(app.functions(), (), settings) as running, aiohttp.ClientSession() as session:
        for number in range(count):
            url = queues.add_queue(f"queue-{number}")
            arn = f"arn:aws:sqs:us-east-1:123456789012:queue-{number}"
            began = time.perf_counter()
            async with session.post(
                f"{running.url}/2015-03-31/event-source-mappings",
                json={"FunctionName": "work", "EventSourceArn": arn},
            ) as answer:
                assert answer.status == 202, await answer.text()
            while url not in queues.asked:
                await anyio.sleep(0.001)
            took.append(queues.asked[url] - began)
    return took

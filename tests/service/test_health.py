"""`/healthz` says what stands still, and that nothing does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap import App
from eventmap.errors import TransientSourceError
from eventmap.service import HttpSettings, Running
from eventmap.testing import MemorySqs


class Interrupted(MemorySqs):
    """A queue that nothing can be received from while it is down."""

    is_down = True

    async def receive_message(self, queue_url: str, **options: Any) -> list[dict[str, Any]]:
        if self.is_down:
            raise TransientSourceError("away", code="ServiceUnavailable")
        return await super().receive_message(queue_url, **{**options, "wait_time_seconds": 0})


async def health(running: Running) -> tuple[int, str]:
    """What a probe sees."""
    assert running.url is not None
    reader, writer = await _opened(running.url)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]


async def _opened(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def until(running: Running, status: int) -> str:
    """What it says once it has that status."""
    with anyio.fail_after(20):
        while True:
            found, text = await health(running)
            if found == status:
                return text
            await anyio.sleep(0.05)


@pytest.mark.timeout(60)
async def test_a_mapping_whose_receives_fail_is_unhealthy_until_they_succeed(tmp_path: Path) -> None:
    """Three in a row: a refusal now and then is nothing; the line names the queue."""
    sqs = Interrupted()
    sqs.add_queue("orders", {})
    app = App()

    @app.sqs("orders")
    async def work(event: Any, context: Any) -> None:
        """Does nothing."""

    async with app.running(queue_api=sqs, http=HttpSettings(), events=tmp_path / "events.sqlite") as running:
        first = await health(running)
        unhealthy = await until(running, 503)
        sqs.is_down = False
        healthy = await until(running, 200)

    assert first == (200, "ok\n")
    assert "orders" in unhealthy and "receives in a row have failed" in unhealthy
    assert healthy == "ok\n"

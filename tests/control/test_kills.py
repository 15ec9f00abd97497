"""A service that was told of mappings is killed, and knows of them when it is started again."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

REPOSITORY = Path(__file__).resolve().parents[2]
PATH = "/2015-03-31/event-source-mappings"
SERVICE = """
import sys
from pathlib import Path
import anyio
from eventmap import App, HttpSettings
from eventmap.testing import MemorySqs
app = App()
@app.function(isolation="inline")
async def pay(event, context):
    print(event["Records"][0]["body"], flush=True)
async def main():
    sqs, folder = MemorySqs(), Path(sys.argv[1])
    sqs.add_queue("orders")
    files = {name: folder / f"{name}.sqlite" for name in ("control", "state", "events", "schedules", "buses")}
    async with app.running(queue_api=sqs, http=HttpSettings(), **files) as running:
        print(running.url, flush=True)
        sqs.put("orders", "a coffee")
        await anyio.sleep_forever()
anyio.run(main)
"""


@contextmanager
def service(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and where it serves; killed at the end of the block."""
    command = [sys.executable, "-c", SERVICE, str(folder)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def call(url: str, method: str, path: str = PATH, body: dict[str, Any] | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request(method, path, json.dumps(body) if body is not None else None)
    answer = connection.getresponse()
    document: dict[str, Any] = json.loads(answer.read())
    connection.close()
    assert answer.status < 300, document
    return document


async def settled(url: str, uuid: str) -> dict[str, Any]:
    """What a caller reads once the state is one to stay in."""
    with anyio.fail_after(30):
        while (shown := call(url, "GET", f"{PATH}/{uuid}"))["State"] not in ("Enabled", "Disabled"):
            await anyio.sleep(0.01)
    return shown


async def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    """Killed as soon as each change was answered; the next process has it, and polls or does not."""
    queue = "arn:aws:sqs:us-east-1:000000000000:orders"
    with service(tmp_path) as (process, url):
        uuid = call(url, "POST", body={"EventSourceArn": queue, "FunctionName": "pay", "BatchSize": 7})["UUID"]
        process.kill()
    with service(tmp_path) as (process, url):
        shown = await settled(url, uuid)
        assert (shown["State"], shown["BatchSize"]) == ("Enabled", 7)
        assert process.stdout is not None
        assert process.stdout.readline() == "a coffee\n"
        call(url, "PUT", f"{PATH}/{uuid}", {"Enabled": False, "BatchSize": 8})
        process.kill()
    with service(tmp_path) as (process, url):
        shown = await settled(url, uuid)
        assert (shown["State"], shown["BatchSize"]) == ("Disabled", 8)
        call(url, "DELETE", f"{PATH}/{uuid}")
        process.kill()
    with service(tmp_path) as (_, url), anyio.fail_after(30):
        while call(url, "GET")["EventSourceMappings"]:
            await anyio.sleep(0.01)

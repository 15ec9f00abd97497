"""What the tests of the runtime share: a log that remembers, and a function that is running."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import orjson

from eventmap.function import Function, Handler
from eventmap.model import Event, FunctionError, Response, Returned
from eventmap.runtime.invoker import FunctionRuntime

HANDLERS = Path(__file__).parent / "handlers"
REQUEST_ID = "11111111-2222-4333-8444-555555555555"


class RememberedLog:
    """An InvocationLog that keeps (request id, text)."""

    enabled = True

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def line(self, function_name: str, request_id: str, text: str) -> None:
        self.lines.append((request_id, text))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.lines]

    def between_start_and_end(self) -> list[str]:
        texts = self.texts
        first = next(index for index, text in enumerate(texts) if text.startswith("START "))
        last = next(index for index, text in enumerate(texts) if text.startswith("END "))
        return texts[first + 1 : last]

    def report(self) -> str:
        return next(text for text in reversed(self.texts) if text.startswith("REPORT "))


class Unread(RememberedLog):
    """A log that nobody reads."""

    enabled = False


def in_file(attribute: str, file: str = "ordinary") -> str:
    return f"{HANDLERS / file}.py:{attribute}"


@asynccontextmanager
async def running(
    handler: Handler | str, log: RememberedLog | None = None, *, within_s: float = 30, **settings: Any
) -> AsyncIterator[FunctionRuntime]:
    """A function that runs, under a deadline on the whole block."""
    parts = {
        name: settings.pop(name)
        for name in ("extra_environment", "init_timeout_s", "region", "account_id")
        if name in settings
    }
    function = Function(handler=handler, function_name="orders", **settings)
    with anyio.fail_after(within_s):
        async with FunctionRuntime(
            function, **({"region": "eu-west-1", "account_id": "123456789012"} | parts), log=log or RememberedLog()
        ) as runtime:
            yield runtime


@asynccontextmanager
async def in_process(
    attribute: str, log: RememberedLog | None = None, **settings: Any
) -> AsyncIterator[FunctionRuntime]:
    """A function of the ordinary handlers in a child process; 256 MB unless told."""
    async with running(in_file(attribute), log, **({"isolation": "process", "memory_size": 256} | settings)) as runtime:
        yield runtime


def event(**document: Any) -> Event:
    return Event(document)


def returned(response: Response) -> Any:
    assert isinstance(response, Returned), response
    return orjson.loads(response.payload)


def error(response: Response) -> dict[str, Any]:
    assert isinstance(response, FunctionError), response
    document = orjson.loads(response.payload)
    assert document["errorType"] == response.error_type
    return dict(document)


def is_running(pid: int) -> bool:
    """Whether a process exists and is more than a dead entry its parent has not looked at."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False

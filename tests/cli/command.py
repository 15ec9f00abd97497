"""The command as its users start it: a process with arguments, an environment and two streams."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import anyio

from eventmap.aws.session import LOCAL_CREDENTIALS, LOCAL_REGION, AwsSettings, open_dynamodb, open_kinesis
from eventmap.local.items import TableKey
from eventmap.local.seeding import create_queues, send_lines
from eventmap.local.stream_lines import StreamEntry
from eventmap.local.stream_seeding import create_table, put_items, put_records
from tests.aws.hostile import wire_to

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 40.0
COMMAND = [sys.executable, "-m", "eventmap"]


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of a fresh machine: no AWS settings at all."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return clean | {
        "HOME": str(folder),
        "PYTHONPATH": str(REPOSITORY),
        "AWS_EC2_METADATA_DISABLED": "true",
        **(more or {}),
    }


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str


def eventmap(line: str, *more: str, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None) -> Ended:
    """Run the command to its end; arguments with spaces follow the `line`."""
    ended = subprocess.run(
        [*COMMAND, *line.split(), *more],
        cwd=cwd,
        env=environment(cwd, env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


class Started:
    """A command at work, all it has printed, and a way to wait for more."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=pair)
            for pair in ((process.stdout, self.stdout), (process.stderr, self.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Until `text` was printed, on whichever stream."""
        deadline = time.monotonic() + DEADLINE_S
        while sum(line.count(text) for line in [*self.stdout, *self.stderr]) < times:
            try:
                self._news.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{text!r} was not printed in time: {self.stdout} {self.stderr}") from None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> Ended:
        """Wait for the end."""
        code = self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join()
        return Ended(code, "".join(self.stdout), "".join(self.stderr))

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        for line in stream:
            lines.append(line)
            self._news.put(None)


@contextmanager
def started(line: str, *more: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Started]:
    """Start the command; it is killed at the end of the block if it still runs."""
    with subprocess.Popen(
        [*COMMAND, *line.split(), *more],
        cwd=cwd,
        env=environment(cwd, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        run = Started(process)
        try:
            yield run
        finally:
            process.kill()
            run.end()


def make_queue(endpoint_url: str, name: str, *bodies: str, visibility_timeout: int = 30) -> None:
    """Create a queue with its dead-letter queue, and send messages to it."""

    async def make() -> None:
        async with wire_to(endpoint_url) as wire:
            made = await create_queues(wire, name, visibility_timeout=visibility_timeout)
            await send_lines(wire, made.url, [f'"{body}"' for body in bodies])

    anyio.run(make)


def send_to(endpoint_url: str, name: str, *bodies: str) -> None:
    async def send() -> None:
        async with wire_to(endpoint_url) as wire:
            await send_lines(wire, await wire.get_queue_url(name), [f'"{body}"' for body in bodies])

    anyio.run(send)


def bodies_in(endpoint_url: str, name: str) -> list[str]:
    """What a queue holds and can be received."""

    async def receive() -> list[str]:
        async with wire_to(endpoint_url) as wire:
            url, found = await wire.get_queue_url(name), []
            while messages := await wire.receive_message(url, max_number_of_messages=10, wait_time_seconds=0):
                found += [message["Body"] for message in messages]
            return found

    return anyio.run(receive)


def make_stream(endpoint_url: str, name: str, *data: str, shards: int = 1) -> None:
    """Create a Kinesis stream and put records into it, each with its own text as partition key."""

    async def make() -> None:
        async with open_kinesis(at(endpoint_url)) as wire:
            await wire.create_stream(name, shards)
            await put_records(wire, name, [StreamEntry(text.encode(), text) for text in data])

    anyio.run(make)


def make_table(endpoint_url: str, name: str, *ids: str) -> None:
    """Create a table with a stream and put items into it."""

    async def make() -> None:
        async with open_dynamodb(at(endpoint_url)) as wire:
            await create_table(wire.tables, name, TableKey())
            await put_items(wire.tables, name, [{"id": {"S": each}} for each in ids])

    anyio.run(make)


def at(endpoint_url: str) -> AwsSettings:
    return AwsSettings(endpoint_url, LOCAL_REGION, credentials=LOCAL_CREDENTIALS)

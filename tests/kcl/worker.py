"""A worker of Amazon's Kinesis Client Library, as a child process on a JVM."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.servers.process import INHERITED
from tests.servers.recipes import INSTALLED

STOPS_WITHIN_S: Final = 30
JAVA: Final = (
    "java",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djdk.net.hosts.file=/dev/null",  # the servers are given as addresses; whatever else it looks for is not there
    "-Daws.cborEnabled=false",
)


def require_kcl() -> None:
    """Skip the test on a laptop without the KCL, fail it in CI."""
    if shutil.which("java") and (INSTALLED / "kcl" / "classes" / "App.class").exists():
        return
    missing = f"no java, or no KCL in {INSTALLED}: run tests/servers/install.sh"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@dataclass
class KclWorker:
    """One that was started; `leaves`, `lost` and `failed` are what it said of its shards, in order."""

    name: str
    process: subprocess.Popen[str]
    begins: list[str] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    reader: threading.Thread = field(init=False)

    def stop(self) -> None:
        """Gracefully: it checkpoints what it has processed. Twice is fine."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(STOPS_WITHIN_S) == 0
        self.reader.join()


@contextmanager
def kcl_worker(
    name: str, arguments: list[str], on_record: Callable[[str, str, str, str], None], log: Path
) -> Iterator[KclWorker]:
    """A KCL worker until the block ends; `on_record(shard, sequence, key, data)` is called on a thread of its own."""
    home = INSTALLED / "kcl"
    command = [*JAVA, "-cp", f"{home}/classes:{home}/lib/*", "App", *arguments, name]
    if setpriv := shutil.which("setpriv"):  # Linux: a test run that is killed takes it along
        command = [setpriv, "--pdeathsig", "KILL", *command]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            env={key: os.environ[key] for key in INHERITED if key in os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    worker = KclWorker(name, process)
    worker.reader = threading.Thread(target=_read, args=(worker, on_record))
    worker.reader.start()
    try:
        yield worker
    finally:
        process.kill()
        process.wait()
        worker.reader.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _read(worker: KclWorker, on_record: Callable[[str, str, str, str], None]) -> None:
    assert worker.process.stdout is not None
    for line in worker.process.stdout:
        match line.split(maxsplit=1):
            case ["record", rest]:
                shard, sequence, key, data = rest.split()
                on_record(shard, sequence, key, data)
            case ["begins", rest]:
                worker.begins.append(rest.split()[0])
            case ["leaves", rest]:
                worker.leaves.append(rest.strip())
            case ["lost", rest]:
                worker.lost.append(rest.strip())
            case _:
                worker.failed.append(line.strip())

"""A server as a child process on a free loopback port: started, waited for, and stopped by its own process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .recipes import REGION, Recipe

START_DEADLINE_S: Final = 45.0  # ElasticMQ's JVM needs 3 s alone, and much longer on a busy machine
INHERITED: Final = ("PATH", "HOME", "LANG", "JAVA_HOME", "VIRTUAL_ENV", "PYTHONPATH")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, reachable on loopback with any credentials."""

    name: str  #: as in RECIPES
    endpoint_url: str
    account_id: str  #: the one its ARNs and queue URLs name
    region: str
    pid: int
    port: int

    def client(self, service: str, **options: Any) -> Any:
        """A plain boto3 client without retries; `options` go to botocore's Config. Close it."""
        config = Config(**{"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 30} | options)
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )


class ServerDidNotStart(Exception):
    """Raised when a server exited or did not answer in time; carries the end of what it printed."""


@contextmanager
def running(recipe: Recipe) -> Iterator[Server]:
    """The server of `recipe`, from its first real answer on until the block ends.

    Raises: ServerDidNotStart.
    """
    with tempfile.TemporaryDirectory(prefix=f"eventmap-{recipe.name}-") as name:
        folder = Path(name)
        log = folder / "server.log"
        port = _free_port()
        process = _start(recipe, port, folder, log)
        try:
            server = Server(recipe.name, f"http://127.0.0.1:{port}", recipe.account_id, REGION, process.pid, port)
            _wait_for_answer(server, recipe, process, log)
            yield server
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(recipe: Recipe, port: int, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    command = recipe.command(port, folder)
    if setpriv := shutil.which("setpriv"):  # Linux: a test run that is killed takes its servers along
        command = [setpriv, "--pdeathsig", "KILL", *command]
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    environment = inherited | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment |= recipe.environment(port, folder)
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that whatever it starts can be stopped with it
        )


def _wait_for_answer(server: Server, recipe: Recipe, process: subprocess.Popen[bytes], log: Path) -> None:
    """Not for the port or the process: ElasticMQ stays alive without a listener when its port is taken."""
    deadline = time.monotonic() + START_DEADLINE_S
    service, operation = recipe.question
    client = server.client(service, connect_timeout=2, read_timeout=5)
    try:
        while time.monotonic() < deadline:
            try:
                getattr(client, operation)(**recipe.question_parameters)
            except (BotoCoreError, ClientError) as error:
                last = error
            else:
                return
            try:
                code = process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise ServerDidNotStart(f"{server.name} exited with {code}:\n{_tail(log)}")
    finally:
        client.close()
    raise ServerDidNotStart(f"{server.name} did not answer in {START_DEADLINE_S:.0f} s ({last}):\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """At once: its state is in a folder about to be removed, and asked politely some take 5 s."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself, and so did all it had started
    process.wait()

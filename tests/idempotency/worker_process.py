"""A worker in a process of its own: `python -m tests.idempotency.worker_process FILE WORKER`.

It runs each key's handler, in an order of its own, until every key has answered. It says `begun KEY RUN` from within
the handler and `answered KEY RUN` after it, each as a line; RUN is what the handler returns.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eventmap.idempotency import AlreadyInProgress, ClaimLost, SqliteStore, idempotent

KEYS = tuple(range(30))
TIMEOUT_S = 0.5
REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def worker_process(file: Path, worker: str) -> Iterator[subprocess.Popen[str]]:
    """The process; killed at the end of the block, whatever it is doing."""
    command = [sys.executable, "-m", "tests.idempotency.worker_process", str(file), worker]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Deadline:
    """An invocation that began now, as a handler's context."""

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + TIMEOUT_S

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends_at - time.monotonic()) * 1000))


def _work(file: str, worker: str) -> None:
    dice, runs, open_keys = random.Random(worker), 0, list(KEYS)

    @idempotent(SqliteStore(file), key="key", scope="orders")
    def handler(event: Any, context: Any) -> str:
        nonlocal runs
        runs += 1
        run = f"{worker}/{runs}"
        _say("begun", event["key"], run)
        # Now and then longer than the claim: then another begins in its place.
        threading.Event().wait(TIMEOUT_S + 1.3 if dice.random() < 0.02 else 0.003)
        return run

    dice.shuffle(open_keys)
    while open_keys:
        key = open_keys.pop()
        try:
            _say("answered", key, handler({"key": key}, Deadline()))
        except (AlreadyInProgress, ClaimLost) as error:
            _say("retried", key, type(error).__name__)
            open_keys.insert(0, key)
            threading.Event().wait(0.02)


def _say(word: str, key: int, what: str) -> None:
    sys.stdout.write(f"{word} {key} {what}\n")  # in one piece: a kill may come at any moment
    sys.stdout.flush()


if __name__ == "__main__":
    _work(*sys.argv[1:])

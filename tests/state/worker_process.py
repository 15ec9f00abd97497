"""A worker in a process of its own: `python -m tests.state.worker_process FILE WORKER`.

It announces itself, takes whatever lease is nobody's, starts a child that outlives it, says what it took as a line of
JSON with the child's process id, and waits for the end of its standard input; then it leaves without a word.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from eventmap.lease import Lease
from eventmap.shard import TRIM_HORIZON
from eventmap.state.sqlite import SqliteLeases

APPLICATION = "orders"
KEYS = tuple(f"shardId-{number:012}" for number in range(12))
REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def worker_process(file: Path, worker: str) -> Iterator[subprocess.Popen[str]]:
    """The process, not yet heard of; killed at the end of the block."""
    command = [sys.executable, "-m", "tests.state.worker_process", str(file), worker]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said_by(process: subprocess.Popen[str]) -> dict[str, object]:
    """What the worker took, once it has; blocks until then."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the worker ended before it was ready"
    said: dict[str, object] = json.loads(line)
    return said


async def _work(file: str, worker: str) -> None:
    store = SqliteLeases(file, APPLICATION)
    await store.prepare()
    await store.announce(worker, 1)
    await store.create([Lease(key, TRIM_HORIZON) for key in KEYS])
    taken = []
    for lease in (await store.scan()).leases:
        if lease.owner is None and await store.take(lease, worker):
            taken.append(lease.key)
    child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(json.dumps({"taken": taken, "child": child.pid}), flush=True)
    await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    anyio.run(_work, *sys.argv[1:])

"""Several worker processes share a stream and a table while they are killed: nothing is lost, nothing overtakes."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.command import Started, started
from tests.servers.process import Server

from .fleet import ENVIRONMENT, HANDLER, ITEMS, SHARDS, STREAM_KEYS, Handled, Line, Writer, wait_until, writing

pytestmark = pytest.mark.server

KILLS = 8


@pytest.fixture
def handled(tmp_path: Path) -> Handled:
    """What the workers that run in its folder write."""
    (tmp_path / "handlers.py").write_text(HANDLER)
    return Handled(tmp_path / "handled")


def arguments(server: Server, name: str, *more: str) -> str:
    options = (
        f"--kinesis {name} --dynamodb {name} --starting-position TRIM_HORIZON --batch-size 20",
        f"--endpoint-url {server.endpoint_url}",
    )
    return " ".join(("run handlers:handler", *options, *more))


def all_is_handled(handled: Handled, writer: Writer) -> None:
    """Every number of every key, first handlings in order; says how many handlings were repetitions."""
    writer.stop()
    keys = len(STREAM_KEYS) + len(ITEMS)
    wait_until(handled.firsts, lambda seen: sum(map(len, seen.values())) >= keys * writer.written)
    assert writer.written > 20
    assert handled.firsts() == writer.expected()


def latest(handled: Handled, alive: Callable[[], set[int]], since: float) -> int:
    """The process that handled something last, and lives."""

    def found() -> list[Line]:
        return [line for line in handled.lines() if line.at > since and line.pid in alive()]

    return int(wait_until(found, bool)[-1].pid)


def test_str_192_201_workers_with_a_lease_table_are_killed_over_and_over(
    start_server: Callable[[str], Server], queue_name: str, handled: Handled, capsys: pytest.CaptureFixture[str]
) -> None:
    """STR-192, 201: three processes, whoever handled last is killed as soon as its replacement works, eight times."""
    server = start_server("moto")
    line = arguments(server, queue_name, f"--leases dynamodb:{queue_name}-leases --isolation inline")
    with ExitStack() as stack, writing(server, queue_name) as writer:
        workers: dict[int, Started] = {}

        def start() -> None:
            run = stack.enter_context(started(line, cwd=handled.path.parent, env=ENVIRONMENT))
            workers[run.process.pid] = run

        for _ in range(3):
            start()
        for run in workers.values():
            run.wait_for("polling at")
        for _ in range(KILLS):
            victim = latest(handled, lambda: set(workers), since=0)
            workers.pop(victim).process.kill()
            start()
            workers[list(workers)[-1]].wait_for("polling at")
        all_is_handled(handled, writer)
        for run in workers.values():
            run.send(signal.SIGTERM)
        codes = [run.end().code for run in workers.values()]

    with capsys.disabled():
        print(f"\n{KILLS} kills, lease table: {writer.written * 16} records, {handled.repeated} handled again")
    assert codes == [0, 0, 0]


def test_str_192_201_workers_with_a_state_file_are_killed_over_and_over(
    start_server: Callable[[str], Server], queue_name: str, handled: Handled, capsys: pytest.CaptureFixture[str]
) -> None:
    """STR-192, 201: the processes of one command; a dead one's shards are read on at once, and it is replaced."""
    server, dice = start_server("moto"), random.Random(4)
    line = arguments(server, queue_name, "--workers 3 --isolation inline")
    with (
        writing(server, queue_name) as writer,
        started(line, cwd=handled.path.parent, env=ENVIRONMENT) as run,
    ):
        run.wait_for("polling at", times=3)
        dead: set[int] = set()
        for _ in range(KILLS):
            recent = {line.pid for line in handled.lines()[-200:]} - dead
            victim = dice.choice(sorted(recent)) if recent else latest(handled, lambda: _seen(handled) - dead, 0)
            os.kill(victim, signal.SIGKILL)
            dead.add(victim)
            killed_at = time.time()
            latest(handled, lambda: _seen(handled) - dead, since=killed_at)
        all_is_handled(handled, writer)
        run.send(signal.SIGTERM)
        ended = run.end()

    with capsys.disabled():
        print(f"\n{KILLS} kills, state file: {writer.written * 16} records, {handled.repeated} handled again")
    assert ended.stderr.count("has died") == KILLS
    assert ended.code == 0


def _seen(handled: Handled) -> set[int]:
    return {line.pid for line in handled.lines()}


def test_str_213_a_drained_workers_shards_are_read_elsewhere_within_a_second(
    start_server: Callable[[str], Server], queue_name: str, handled: Handled, capsys: pytest.CaptureFixture[str]
) -> None:
    """STR-213: of two balanced workers one is told to stop; nothing of what it handled comes again."""
    server = start_server("moto")
    line = arguments(server, queue_name, f"--leases dynamodb:{queue_name}-leases --isolation inline")
    with (
        writing(server, queue_name) as writer,
        started(line, cwd=handled.path.parent, env=ENVIRONMENT) as first,
        started(line, cwd=handled.path.parent, env=ENVIRONMENT) as second,
    ):
        first.wait_for("polling at")
        second.wait_for("polling at")
        wait_until(
            lambda: [_keys_of(handled, run) for run in (first, second)],
            lambda keys: len(keys[0]) >= 4 and len(keys[1]) >= 4 and not keys[0] & keys[1],
        )
        mine, asked_at = _keys_of(handled, first), time.time()
        first.send(signal.SIGTERM)

        def taken_over() -> dict[str, float]:
            theirs = [each for each in handled.lines() if each.pid == second.process.pid and each.at > asked_at]
            return {each.key: each.at for each in reversed(theirs) if each.key in mine}

        gap_s = max(wait_until(taken_over, lambda seen: set(seen) == mine).values()) - asked_at
        all_is_handled(handled, writer)
        ended = first.end()
        second.send(signal.SIGTERM)
        second.end()

    with capsys.disabled():
        print(f"\ndrained: {len(mine)} keys of {SHARDS + 1} shards handled elsewhere {gap_s:.2f} s later")
    assert ended.code == 0
    assert handled.repeated == 0
    assert gap_s < 3  # one on a machine that does nothing else; figures are in benchmarks/fleet.py


def _keys_of(handled: Handled, run: Started, recent_s: float = 1.0) -> set[str]:
    """Those whose records it has handled lately."""
    since = time.time() - recent_s
    return {line.key for line in handled.lines() if line.pid == run.process.pid and line.at > since}

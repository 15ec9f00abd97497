from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.cli.command import bodies_in, make_queue, started

pytestmark = pytest.mark.server


def is_quick(folder: Path, endpoint_url: str, queue_name: str) -> float:
    """Seconds from SIGTERM to exit of a run that idles in a long poll."""
    with started("run", "handlers:handler", "--sqs", queue_name, "--endpoint-url", endpoint_url, cwd=folder) as run:
        run.wait_for("polling at")
        asked = time.monotonic()
        run.send(signal.SIGTERM)
        ended = run.end()
        took_s = time.monotonic() - asked
    assert ended.code == 0
    return took_s


def test_sigterm_ends_an_idle_long_poll_within_300_ms(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """The best of three counts: the machine may be busy with something else."""
    make_queue(endpoint_url, queue_name)

    assert min(is_quick(folder, endpoint_url, queue_name) for _ in range(3)) <= 0.3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_first_signal_lets_what_runs_end(
    folder: Path, endpoint_url: str, queue_name: str, number: signal.Signals
) -> None:
    """The invocation under way ends and its message is deleted; nothing further is received; exit 0."""
    make_queue(endpoint_url, queue_name, "a", "b")
    arguments = f"run handlers:slow --sqs {queue_name} --endpoint-url {endpoint_url} --batch-size 1 --timeout 20"
    with started(arguments, "--maximum-concurrency", "1", cwd=folder) as run:
        run.wait_for("began")
        run.send(number)
        run.wait_for(f"{number.name}: draining; what runs may end. A second signal stops at once")
        (folder / "go").touch()
        ended = run.end()

    assert ended.code == 0
    assert "done                       1" in ended.stdout
    assert ended.stdout.count("began") == 1


def test_a_second_signal_stops_at_once(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """Exit 1 without waiting for the handler; the message is not deleted."""
    make_queue(endpoint_url, queue_name, "a", visibility_timeout=2)
    arguments = f"run handlers:forever --sqs {queue_name} --endpoint-url {endpoint_url} --timeout 2"
    with started(arguments, cwd=folder) as run:
        run.wait_for("began")
        run.send(signal.SIGTERM)
        run.wait_for("draining")
        asked = time.monotonic()
        run.send(signal.SIGINT)
        ended = run.end()

    assert ended.code == 1
    assert time.monotonic() - asked < 1
    assert "stopped at once" in ended.stderr


def test_a_drain_that_takes_longer_than_its_budget_fails(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """Exit 1, and the summary counts what was left behind."""
    make_queue(endpoint_url, queue_name, "a", visibility_timeout=60)
    arguments = (
        f"run handlers:forever --sqs {queue_name} --endpoint-url {endpoint_url} --timeout 60 --drain-seconds 0.1"
    )
    with started(arguments, cwd=folder) as run:
        run.wait_for("began")
        run.send(signal.SIGTERM)
        ended = run.end()

    assert ended.code == 1
    assert "left behind                1" in ended.stdout


def test_workers_drain_with_their_supervisor(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """The signal is passed on; the invocation under way ends."""
    make_queue(endpoint_url, queue_name, "a")
    arguments = f"run handlers:slow --sqs {queue_name} --endpoint-url {endpoint_url} --timeout 20 --workers 2"
    with started(arguments, cwd=folder) as run:
        run.wait_for("began")
        run.wait_for("polling at", times=2)
        run.send(signal.SIGINT)
        run.wait_for("SIGTERM: draining", times=2)
        (folder / "go").touch()
        ended = run.end()

    assert ended.code == 0
    assert "done                       1" in ended.stdout
    assert bodies_in(endpoint_url, queue_name) == []


def test_workers_drain_when_their_supervisor_is_killed(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """Nobody polls on: the running invocation ends and deletes its message."""
    make_queue(endpoint_url, queue_name, "a", visibility_timeout=20)
    arguments = f"run handlers:slow --sqs {queue_name} --endpoint-url {endpoint_url} --timeout 20 --workers 2"
    with started(arguments, cwd=folder) as run:
        run.wait_for("began")
        run.send(signal.SIGKILL)
        (folder / "go").touch()
        ended = run.end()  # its pipes end with the last worker

    assert ended.code == -signal.SIGKILL
    assert bodies_in(endpoint_url, queue_name) == []

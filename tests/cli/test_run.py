from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, DEADLINE_S, bodies_in, environment, eventmap, make_queue, started

pytestmark = pytest.mark.server


def test_until_empty_works_on_any_queue_and_says_where_dead_letters_are(
    folder: Path, endpoint_url: str, queue_name: str
) -> None:
    """The run ends by itself, and its summary names the dead-letter queue and how to look into it."""
    make_queue(endpoint_url, queue_name, "a", "bad", "b", visibility_timeout=1)

    arguments = f"run handlers:picky --sqs {queue_name} --timeout 1 --until-empty --endpoint-url {endpoint_url}"
    ended = eventmap(arguments, cwd=folder)

    assert ended.code == 0, ended.stderr
    assert {"good a", "good b"} <= set(ended.stdout.splitlines())
    assert f"1 message of {queue_name} went to its dead-letter queue {queue_name}-dlq" in ended.stdout
    assert f"aws sqs receive-message --endpoint-url {endpoint_url}" in ended.stdout
    assert bodies_in(endpoint_url, f"{queue_name}-dlq") == ["bad"]


def test_json_lines_hold_everything_that_is_printed(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """With --log-format json both streams are JSON lines; the last one of the output is the summary."""
    make_queue(endpoint_url, queue_name, "a")

    arguments = f"run handlers:handler --sqs {queue_name} --until-empty --endpoint-url {endpoint_url} --log-format json"
    ended = eventmap(arguments, cwd=folder)

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.code == 0
    assert all(json.loads(line)["time"] for line in ended.stderr.splitlines())
    assert [line["line"].split()[0] for line in lines[:-1]] == ["START", "got", "END", "REPORT"]
    assert {line["function"] for line in lines[:-1]} == {"handler"}
    assert len({line["request_id"] for line in lines[:-1]}) == 1
    summary = lines[-1]["summary"]
    assert (summary["received"], summary["done"], summary["left_behind"]) == (1, 1, 0)


def test_several_targets_share_a_process_and_get_names_of_their_own(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """Two handlers called alike are told apart by their modules."""
    write("other.py", "def handler(event, context):\n    print('I am', context.function_name)\n")
    make_queue(endpoint_url, queue_name, "a", "b", "c", "d", "e", "f")

    arguments = f"run handlers:handler other.py:handler --sqs {queue_name} --batch-size 1 --endpoint-url {endpoint_url}"
    ended = eventmap(arguments, "--until-empty", cwd=folder)

    assert ended.code == 0, ended.stderr
    assert "handlers-handler" in ended.stderr and "other-handler" in ended.stderr
    assert ended.stdout.count("[handlers-handler] START") + ended.stdout.count("[other-handler] START") == 6


def test_inline_handlers_run_in_this_process(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """What they print is on standard output too."""
    write("mine.py", "import os\nasync def handler(event, context):\n    print('pid', os.getpid(), os.getppid())\n")
    make_queue(endpoint_url, queue_name, "a")

    arguments = f"run mine:handler --isolation inline --sqs {queue_name} --endpoint-url {endpoint_url} --until-empty"
    ended = eventmap(arguments, cwd=folder)

    [shown] = [line for line in ended.stdout.splitlines() if line.startswith("pid")]
    assert ended.code == 0
    assert shown.split()[2] == str(os.getpid())


def test_a_filter_and_a_batch_size_are_honoured(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """Mapping options reach the mapping."""
    make_queue(endpoint_url, queue_name, "keep", "drop", "keep")

    ended = eventmap(
        f"run handlers:handler --sqs {queue_name} --endpoint-url {endpoint_url} --until-empty --batch-size 1",
        "--filter",
        '{"body": ["keep"]}',
        cwd=folder,
    )

    assert ended.code == 0
    assert ended.stdout.count("START") == 2
    assert "filtered                   1" in ended.stdout


@pytest.mark.parametrize("isolation", ["process", "inline"])
def test_a_reader_that_leaves_does_not_stop_the_work(
    folder: Path, endpoint_url: str, queue_name: str, isolation: str
) -> None:
    """A closed pipe behind standard output loses lines, not messages, and shows no traceback."""
    make_queue(endpoint_url, queue_name, *map(str, range(50)))
    arguments = f"run handlers:handler --sqs {queue_name} --endpoint-url {endpoint_url} --batch-size 1 --until-empty"
    arguments = f"{arguments} --isolation {isolation}"

    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*COMMAND, *arguments.split()],
        cwd=folder,
        env=environment(folder),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
    )
    os.close(writing)

    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr and "Broken pipe" not in ended.stderr
    assert bodies_in(endpoint_url, queue_name) == []


def test_a_handler_that_cannot_init_is_told_before_anything_is_received(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """It imports for the look at it, and not in its environment: the message stays untouched."""
    write(
        "moody.py", "import os\nassert os.environ['AWS_LAMBDA_FUNCTION_NAME'] == 'function', 'moody'\nhandler = print\n"
    )
    make_queue(endpoint_url, queue_name, "a")

    ended = eventmap(f"run moody:handler --sqs {queue_name} --endpoint-url {endpoint_url} --until-empty", cwd=folder)

    assert ended.code == 1
    assert "cannot start: AssertionError: moody" in ended.stderr.splitlines()[-1]
    assert 'moody.py", line 2' in ended.stderr
    assert bodies_in(endpoint_url, queue_name) == ["a"]


def test_workers_share_the_queue_and_their_counts_are_added_up(
    folder: Path, endpoint_url: str, queue_name: str
) -> None:
    """Two processes poll, each message is handled once, one summary tells of all."""
    make_queue(endpoint_url, queue_name, *map(str, range(60)))

    arguments = f"run handlers:handler --sqs {queue_name} --endpoint-url {endpoint_url} --workers 2 --until-empty"
    ended = eventmap(arguments, "--batch-size", "1", cwd=folder)

    assert ended.code == 0, ended.stderr
    assert "done                      60" in ended.stdout
    assert sorted(line for line in ended.stdout.splitlines() if line.startswith("got")) == sorted(
        f"got {number}" for number in range(60)
    )


def test_a_worker_that_dies_is_replaced(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """The supervisor says so and starts another one; the end is in order."""
    make_queue(endpoint_url, queue_name)
    arguments = f"run handlers:handler --sqs {queue_name} --endpoint-url {endpoint_url} --workers 2"
    with started(arguments, cwd=folder) as run:
        run.wait_for("polling at", times=2)
        workers = subprocess.run(
            ["pgrep", "-P", str(run.process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        os.kill(int(workers[0]), 9)
        run.wait_for("has died (Runtime exited with error: signal: killed); starting it again in 1 s")
        run.wait_for("polling at", times=3)
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0
    assert len(workers) == 2


def test_workers_fail_together_when_none_can_start(folder: Path, endpoint_url: str) -> None:
    """What is wrong is told once."""
    ended = eventmap(f"run handlers:handler --sqs missing --endpoint-url {endpoint_url} --workers 3", cwd=folder)

    assert ended.code == 1
    assert ended.stderr.count("The specified queue does not exist") == 1
    assert "Traceback" not in ended.stderr

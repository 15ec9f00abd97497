from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import REPOSITORY, eventmap, started

pytestmark = pytest.mark.server


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A folder with the examples, as in a clone."""
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    return tmp_path


def test_the_first_command_of_the_readme_handles_the_orders_and_sets_the_poison_aside(examples: Path) -> None:
    """Every order but the poison one is done, once; that one is saved, and the summary tells where."""
    line = "run examples.orders:handler --local --sqs orders --send examples/orders.jsonl --until-empty"

    ended = eventmap(line, cwd=examples)

    saved = (examples / ".eventmap/dead-letters/orders-dlq.jsonl").read_text().splitlines()
    sent = (examples / "examples/orders.jsonl").read_text().splitlines()
    [poison] = [json.loads(line)["body"] for line in sent if "unicorn" in line]
    assert ended.code == 0, ended.stderr
    assert [json.loads(json.loads(line)["body"]) for line in saved] == [poison]
    assert ended.stdout.count("order 10") == len(sent) - 1
    assert "received                  22" in ended.stdout
    assert "done                      19" in ended.stdout
    assert "retried                    2" in ended.stdout
    assert "dead-lettered              1" in ended.stdout
    assert "cat .eventmap/dead-letters/orders-dlq.jsonl" in ended.stdout
    assert {line.split()[0] for line in ended.stdout.splitlines() if "RequestId" in line} == {"START", "END", "REPORT"}
    assert "eventmap: 20 messages sent to orders" in ended.stderr
    assert "ReportBatchItemFailures is on" in ended.stderr


def test_saved_dead_letters_are_what_send_takes_and_are_never_overwritten(
    folder: Path, write: Callable[[str, str], Path]
) -> None:
    """A second run adds to the file of the first."""
    function = "[functions.picky]\nhandler = 'handlers:picky'\n"
    mapping = "[[functions.picky.sqs]]\nqueue = 'orders'\nretry_backoff_s = [0]\n"
    write("eventmap.toml", f"local = true\n{function}{mapping}")
    line = "run --config eventmap.toml --until-empty --send"

    first = eventmap(line, "-", cwd=folder, stdin='{"body": "bad", "attributes": {"tenant": "a"}}\n"fine"\n')
    path = folder / ".eventmap/dead-letters/orders-dlq.jsonl"
    second = eventmap(line, str(path), cwd=folder)

    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"body": "bad", "attributes": {"tenant": "a"}},
        {"body": "bad", "attributes": {"tenant": "a"}},
    ]
    assert path.stat().st_mode & 0o077 == 0


def test_handlers_reach_the_emulator_and_no_account(folder: Path) -> None:
    """The AWS settings of the handler's process are the emulator's, whatever the user's own are."""
    own = {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_SQS": "http://elsewhere",
        "AWS_REGION": "eu-west-3",
    }

    ended = eventmap(
        "run handlers:shows_variables --local --sqs orders --send - --until-empty --env STAGE=dev",
        cwd=folder,
        stdin='"x"\n',
        env=own,
    )

    [shown] = [json.loads(line.removeprefix("VARIABLES ")) for line in ended.stdout.splitlines() if "VARIABLES" in line]
    assert shown["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert {name: shown.get(name) for name in (*own, "STAGE")} == {
        "AWS_PROFILE": None,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": None,
        "AWS_ENDPOINT_URL_SQS": None,
        "AWS_REGION": "eu-west-3",
        "STAGE": "dev",
    }


def test_an_app_gets_all_its_queues_and_its_lines_name_the_function(folder: Path) -> None:
    """Two functions, two queues; `eventmap send` in another terminal reaches them at the address that was printed."""
    with started("run", "handlers:app", "--local", "-v", cwd=folder) as run:
        run.wait_for("polling at the embedded emulator: first -> one, second -> two")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0
    assert ended.stderr.count("INFO mapping.started") == 2


def test_what_was_not_delivered_is_counted_when_the_emulator_ends(folder: Path) -> None:
    """A Ctrl-C with messages left says how many go with the emulator."""
    (folder / "many.jsonl").write_text('"x"\n' * 30)
    arguments = "run handlers:slow --local --sqs orders --send many.jsonl --batch-size 1 --maximum-concurrency 1"
    with started(arguments, "--timeout", "60", cwd=folder) as run:
        run.wait_for("began")
        run.process.terminate()
        run.wait_for("draining")
        (folder / "go").touch()
        ended = run.end()

    assert ended.code == 0
    assert "done                       1" in ended.stdout
    assert "29 messages not delivered, discarded with the embedded emulator" in ended.stdout


def test_workers_share_one_emulator(folder: Path) -> None:
    """The supervisor starts it, fills it once, and reads what it holds at the end."""
    line = "run handlers:handler --local --sqs arn:aws:sqs:eu-west-1:123456789012:orders --workers 2 --until-empty"

    ended = eventmap(line, "--send", "-", cwd=folder, stdin='"x"\n' * 20)

    assert ended.code == 0, ended.stderr
    assert "done                      20" in ended.stdout
    assert ended.stderr.count("20 messages sent to orders") == 1
    assert "discarded" not in ended.stdout

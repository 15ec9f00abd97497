"""Every wrong use is one line on standard error that says what to do, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import eventmap

CASES = [
    ("run", 2, "nothing to run: give a TARGET"),
    ("run handlers", 2, "expected|not of the form needed: module:attribute"),
    ("run handlers:handler", 2, "needs a queue: add --sqs NAME"),
    ("run handlers:app --sqs q", 2, "is an App and brings its own queues"),
    ("run handlers:app --batch-size 5", 2, "--batch-size is for --sqs queues"),
    ("run handlers:handler --sqs q --bogus", 2, "No such option: --bogus"),
    ("run handlers:handler --sqs q --batch-size 0", 2, "Value '0' at 'batchSize' failed to satisfy constraint"),
    ("run handlers:handler --sqs q --batch-size 11", 2, "Maximum batch window in seconds must be greater than 0"),
    ("run handlers:handler --sqs q --batch-size x", 2, "--batch-size"),
    ("run handlers:handler --sqs q --timeout 901", 2, "Value '901' at 'timeout'"),
    ("run handlers:handler --sqs q --memory-size 1", 2, "Value '1' at 'memorySize'"),
    ("run handlers:handler --sqs q --env NAME", 2, "not of the form NAME=VALUE"),
    ("run handlers:handler --sqs q --env AWS_REGION=x", 2, "Reserved keys used in this request: AWS_REGION"),
    ("run handlers:handler --sqs q --filter {", 2, "Invalid filter pattern definition"),
    ('run handlers:handler --sqs q --filter {"body":{"a":1}}', 2, 'field "body.a"'),
    ("run handlers:handler --sqs a/b", 2, "names no queue"),
    ("run handlers:handler --sqs q --isolation jail", 2, "'jail' is not one of 'process', 'inline'"),
    ("run handlers:handler --sqs q --isolation inline --env A_B=1", 2, "inline isolation cannot give it"),
    ("run handlers:handler --sqs q --isolation inline --watch", 2, "--watch cannot reload inline handlers"),
    ("run handlers:handler --sqs q --local --endpoint-url http://x", 2, "leave out --endpoint-url"),
    ("run handlers:handler --sqs q --local --profile x", 2, "leave out --profile"),
    ("run handlers:handler --sqs q --send missing.jsonl", 2, "missing.jsonl: No such file or directory"),
    ("run handlers:handler --sqs q --sqs r --local --send handlers.py", 2, "--send needs exactly one queue"),
    ("run handlers:handler --sqs q --local --send handlers.py", 2, "handlers.py, line 2: Expecting value"),
    ("run handlers:handler --sqs q --workers 0", 2, "--workers"),
    ("run --sqs q --config empty.toml", 2, "nothing to run"),
    ("run --config missing.toml", 2, "missing.toml: No such file or directory"),
    ("run nowhere:handler --sqs q", 1, "there is no module 'nowhere'"),
    ("run handlres:handler --sqs q", 1, "did you mean 'handlers'?"),
    ("run handlers:handlr --sqs q", 1, "did you mean 'handler'?"),
    ("run handlers:json.decoder --sqs q", 1, "is of type module: neither a handler nor an App"),
    ("run handlers:handler --sqs q", 1, "no AWS credentials found"),
    ("run handlers:handler --sqs q --region eu-west-1", 1, "or add --local to run against the embedded emulator"),
    ("run handlers:handler --sqs q --region eu-west-1 --profile x", 1, "x"),
    ("run handlers:handler --sqs q --endpoint-url ftp://x", 2, "not of the form http(s)://HOST"),
    (
        "run handlers:handler --sqs arn:aws:sqs:eu-west-1:123456789012:q --region us-east-1",
        1,
        "the region asked for is",
    ),
    ("send", 2, "Missing argument 'QUEUE'"),
    ("send a/b", 2, "names no queue"),
    ("send q missing.jsonl", 2, "missing.jsonl: No such file or directory"),
    ("send q handlers.py", 2, "handlers.py, line 2"),
    ("send q --region eu-west-1", 1, "no AWS credentials found"),
    ("invoke handlers:echo", 2, "--event"),
    ("invoke handlers:echo --event missing.json", 2, "missing.json: No such file or directory"),
    ("invoke handlers:echo --event handlers.py", 2, "handlers.py is not JSON"),
    ("invoke handlers --event empty.json", 2, "not of the form needed"),
    ("invoke handlers:app --event empty.json", 2, "is an App with 2 functions (one, two): name one handler"),
    ("invoke handlers:nothing --event empty.json", 1, "has no attribute 'nothing'"),
    ("match {} {}", 2, "Event pattern is not valid"),
    ('match {"a":1} {}', 2, 'Event pattern is not valid at "a"'),
    ('match {"a":[1]} [1]', 2, "EVENT must be a JSON object, not a list"),
    ('match {"a":[1]} {', 2, "EVENT is not JSON"),
    ("match @missing.json {}", 2, "missing.json: No such file or directory"),
    ("match - -", 2, "cannot both be standard input"),
    ("bogus", 2, "No such command 'bogus'"),
]


@pytest.mark.parametrize(("line", "code", "said"), CASES, ids=[line for line, _, _ in CASES])
def test_misuse_is_one_line_and_an_exit_code(
    line: str, code: int, said: str, folder: Path, write: Callable[[str, str], Path]
) -> None:
    """2 for what can never be right, 1 for what does not go with the world as it is."""
    write("empty.toml", "")
    write("empty.json", "{}")

    ended = eventmap(line, cwd=folder)

    assert ended.code == code, ended.stderr
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("eventmap: ")
    assert any(each in ended.stderr for each in said.split("|"))


def test_an_error_in_the_users_module_shows_the_users_own_frames(
    folder: Path, write: Callable[[str, str], Path]
) -> None:
    """The traceback is about their code only, and the last line says what could not be done."""
    write("helper.py", "import os\nTABLE = os.environ['TABLE_OF_ORDERS']\n")
    write("broken.py", "import helper\n\ndef handler(event, context): ...\n")

    ended = eventmap("run", "broken:handler", "--sqs", "q", cwd=folder)

    lines = ended.stderr.splitlines()
    assert ended.code == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "eventmap: target 'broken:handler' could not be imported: KeyError: 'TABLE_OF_ORDERS'"
    assert [line.split('"')[1] for line in lines if line.startswith("  File")] == [
        str(folder / "broken.py"),
        str(folder / "helper.py"),
    ]


def test_a_variable_given_on_the_command_line_is_there_while_the_module_is_imported(
    folder: Path, write: Callable[[str, str], Path]
) -> None:
    """So the run gets as far as the next thing that is missing."""
    write("needs.py", "import os\nTABLE = os.environ['TABLE']\n\ndef handler(event, context): ...\n")

    ended = eventmap("run", "needs:handler", "--sqs", "q", "--env", "TABLE=x", "--region", "eu-west-1", cwd=folder)

    assert "no AWS credentials found" in ended.stderr


def test_a_syntax_error_is_shown_where_it_is(folder: Path, write: Callable[[str, str], Path]) -> None:
    """File, line and text, and no frames of ours."""
    write("broken.py", "def handler(event, context:\n    pass\n")

    ended = eventmap("run", "broken:handler", "--sqs", "q", cwd=folder)

    assert ended.code == 1
    assert f'File "{folder / "broken.py"}", line 1' in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("eventmap: target 'broken:handler' could not be imported: Syntax")


def test_a_module_that_ends_the_process_is_told_so(folder: Path, write: Callable[[str, str], Path]) -> None:
    """Whatever a module does on import, the command answers."""
    write("ends.py", "import os\nos._exit(7)\n")

    ended = eventmap("run", "ends:handler", "--sqs", "q", cwd=folder)

    assert (ended.code, len(ended.stderr.splitlines())) == (1, 1)
    assert "exit status 7" in ended.stderr


def test_the_commands_alone_show_the_help(folder: Path) -> None:
    """Nothing asked for is misuse with the whole help as its message; --help is none."""
    alone, asked = eventmap("", cwd=folder), eventmap("--help", cwd=folder)

    assert (alone.code, asked.code) == (2, 0)
    assert "Usage: eventmap" in alone.stderr and "Usage: eventmap" in asked.stdout

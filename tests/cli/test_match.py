from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import REPOSITORY, environment, eventmap

# {"kind": "sale"}
KINESIS = {"data": "eyJraW5kIjogInNhbGUifQ==", "partitionKey": "k"}
PATTERN = '{"body": {"total": [{"numeric": [">", 100]}]}}'


def test_match_answers_by_its_exit_code(folder: Path) -> None:
    """0 = it matches, 1 = it does not."""
    yes = eventmap("match", PATTERN, '{"body": {"total": 101}}', cwd=folder)
    no = eventmap("match", PATTERN, '{"body": {"total": 99}}', cwd=folder)

    assert (yes.code, yes.stdout) == (0, "match\n")
    assert (no.code, no.stdout) == (1, "no match\n")


def test_explain_names_the_field_and_why(folder: Path) -> None:
    """The answer of --explain is for people; the exit code stays."""
    ended = eventmap("match", PATTERN, '{"body": {"total": 99}}', "--explain", cwd=folder)

    assert ended.code == 1
    assert '"body.total" must be a number > 100, but is 99.' in ended.stdout


def test_pattern_and_event_come_from_files_and_standard_input(folder: Path, write: Callable[[str, str], Path]) -> None:
    """@FILE and - stand for their contents."""
    write("pattern.json", PATTERN)

    ended = eventmap("match", "@pattern.json", "-", cwd=folder, stdin='{"body": {"total": 101}}')

    assert ended.code == 0


@pytest.mark.parametrize(
    ("source", "pattern", "record"),
    [
        ("sqs", {"body": {"kind": ["sale"]}}, {"body": '{"kind": "sale"}'}),
        ("kinesis", {"data": {"kind": ["sale"]}, "partitionKey": ["k"]}, {"kinesis": KINESIS}),
        ("dynamodb", {"dynamodb": {"Keys": {"id": {"S": ["a"]}}}}, {"dynamodb": {"Keys": {"id": {"S": "a"}}}}),
    ],
)
def test_fil_15_16_17_a_record_is_tried_as_its_mapping_would(
    source: str, pattern: dict[str, Any], record: dict[str, Any], folder: Path
) -> None:
    """FIL-15..17: each source's data is decoded first, and without --source the record is an event like any other."""
    arguments = (json.dumps(pattern), json.dumps(record))

    as_record = eventmap("match", *arguments, "--source", source, cwd=folder)
    other = eventmap("match", arguments[0], "{}", "--source", source, "--explain", cwd=folder)

    assert (as_record.code, as_record.stdout) == (0, "match\n")
    assert other.code == 1
    assert other.stdout != "no match\n"


def test_match_imports_neither_an_event_loop_nor_an_aws_client(folder: Path) -> None:
    """A pattern is tried in a moment."""
    heavy = ["asyncio", "anyio", "aiohttp", "botocore", "structlog", "rich", "eventmap.service"]
    program = (
        "import sys; from eventmap.cli.commands import run_command_line\n"
        f"assert run_command_line(['match', '{{\"a\": [1]}}', '{{\"a\": 1}}']) == 0\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=environment(folder), capture_output=True, text=True
    )

    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr


def test_help_costs_less_than_300_ms_of_processor_time(folder: Path) -> None:
    """The best of three, measured by the system."""
    program = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'eventmap', '--help'], stdout=subprocess.DEVNULL, check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)"
    )

    def cost_s() -> float:
        command = [sys.executable, "-c", program]
        return float(subprocess.run(command, env=environment(folder), capture_output=True, text=True).stdout)

    assert min(cost_s() for _ in range(3)) < 0.3

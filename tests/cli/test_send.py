from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import bodies_in, eventmap, make_queue

pytestmark = pytest.mark.server


def test_lines_of_a_file_are_sent_and_counted(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """A string is a body, an object may say more; blank lines are skipped."""
    make_queue(endpoint_url, queue_name)
    (folder / "lines.jsonl").write_text('"plain"\n\n{"body": {"n": 1}, "attributes": {"tenant": "a"}}\n')

    ended = eventmap("send", queue_name, "lines.jsonl", "--endpoint-url", endpoint_url, cwd=folder)

    assert (ended.code, ended.stdout) == (0, f"2 messages sent to {queue_name}\n")
    assert sorted(bodies_in(endpoint_url, queue_name)) == ["plain", '{"n":1}']


def test_standard_input_is_the_default(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """`echo … | eventmap send QUEUE` does what it looks like."""
    make_queue(endpoint_url, queue_name)

    ended = eventmap("send", queue_name, "--endpoint-url", endpoint_url, cwd=folder, stdin='"one"\n')

    assert (ended.code, ended.stdout) == (0, f"1 message sent to {queue_name}\n")


def test_a_wrong_line_sends_nothing(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """The file is checked as a whole first."""
    make_queue(endpoint_url, queue_name)

    ended = eventmap("send", queue_name, "--endpoint-url", endpoint_url, cwd=folder, stdin='"one"\n{"bodi": 1}\n')

    assert ended.code == 2
    assert "standard input, line 2" in ended.stderr
    assert bodies_in(endpoint_url, queue_name) == []


def test_a_missing_queue_is_one_line(folder: Path, endpoint_url: str) -> None:
    """Exit 1, and where it was looked for."""
    ended = eventmap("send", "missing", "--endpoint-url", endpoint_url, cwd=folder, stdin='"one"\n')

    assert ended.code == 1
    assert f'eventmap: queue "missing" does not exist at {endpoint_url}' in ended.stderr

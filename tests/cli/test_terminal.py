from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, DEADLINE_S, environment, make_queue

pytestmark = pytest.mark.server

_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_terminal_gets_lines_above_one_live_line(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """The live line is rewritten in place, gone at the end, and the cursor is back."""
    make_queue(endpoint_url, queue_name, "a", "b", "c")
    arguments = f"run handlers:handler --sqs {queue_name} --endpoint-url {endpoint_url} --until-empty"
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments.split()],
        cwd=folder,
        env=environment(folder, {"TERM": "xterm", "COLUMNS": "140", "LINES": "40"}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        written: list[bytes] = []
        reader = threading.Thread(target=_read_all, args=(ours, written))
        reader.start()
        code = process.wait(DEADLINE_S)
        reader.join()
    os.close(ours)
    raw = b"".join(written).decode()
    shown = _SEQUENCE.sub("", raw)

    assert code == 0
    assert re.search(r"received 3 · in flight 0 · done 3 · retried 0 · dead lettered 0 · \d+ messages/s", shown)
    assert {"got a", "got b", "got c"} <= {line.strip() for line in shown.splitlines()}
    assert "done                       3" in shown
    assert raw.rfind("\x1b[?25h") > raw.rfind("\x1b[?25l") >= 0


def test_a_terminal_that_goes_away_drains(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """SIGHUP and a dead terminal end the run in order."""
    make_queue(endpoint_url, queue_name)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "run", "handlers:handler", "--sqs", queue_name, "--endpoint-url", endpoint_url],
        cwd=folder,
        env=environment(folder, {"TERM": "xterm"}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        while b"polling at" not in seen:
            seen += os.read(ours, 4096)
        os.close(ours)
        process.send_signal(signal.SIGHUP)

        assert process.wait(DEADLINE_S) == 0


def _read_all(fd: int, pieces: list[bytes]) -> None:
    try:
        while piece := os.read(fd, 4096):
            pieces.append(piece)
    except OSError:  # Linux' way to say that the other side has closed
        return

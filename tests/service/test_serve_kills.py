"""`eventmap serve` is killed over and over while plain HTTP clients send it events: every 202 holds."""

from __future__ import annotations

import http.client
import json
import random
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

from eventmap.state.events_view import list_events
from tests.cli.command import Started, started

KILLS = 10
SENDERS = 4
DEADLINE_S = 60.0
PATH = "/2015-03-31/functions/record/invocations"

HANDLER = """
import os


def record(event, context):
    file = os.open("handled", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{event['n']} {context.aws_request_id}\\n".encode())  # in one piece, whoever else writes
    os.close(file)
"""


class Sender(threading.Thread):
    """Sends number after number; what a dead server did not acknowledge is not sent again."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__()
        self.acknowledged: dict[str, str] = {}  #: number -> request id
        self._port = port
        self._prefix = name
        self._stop_asked = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._stop_asked.wait(0.002):
            number += 1
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
            try:
                name = f"{self._prefix}-{number}"
                body = json.dumps({"n": name})
                connection.request("POST", PATH, body, {"X-Amz-Invocation-Type": "Event"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 202:
                    self.acknowledged[name] = answer.headers["x-amzn-requestid"]
            except (OSError, http.client.HTTPException):
                self._stop_asked.wait(0.05)  # it has been killed, and comes back
            finally:
                connection.close()

    def finish(self) -> None:
        self._stop_asked.set()
        self.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_inv_13_40_42_every_202_of_a_server_that_is_killed_over_and_over_ends_once(tmp_path: Path) -> None:
    """INV-40: acknowledged events run at least once, under the request id told, and have exactly one recorded end."""
    (tmp_path / "handlers.py").write_text(HANDLER)
    port, dice = free_port(), random.Random(5)
    line = f"serve handlers:record --port {port} --isolation inline"
    senders = [Sender(port, f"s{number}") for number in range(SENDERS)]
    with started(line, cwd=tmp_path) as first:
        first.wait_for("serving at")
        for sender in senders:
            sender.start()
        _let_work(dice)
        first.process.kill()
    for _ in range(KILLS - 1):
        with started(line, cwd=tmp_path) as run:
            run.wait_for("serving at")
            _let_work(dice)
            run.process.kill()
    with started(line, cwd=tmp_path) as last:
        last.wait_for("serving at")
        for sender in senders:
            sender.finish()
        acknowledged = {name: each for sender in senders for name, each in sender.acknowledged.items()}
        _until_all_ended(tmp_path, set(acknowledged.values()))
        ended = _stopped(last)

    ends = Counter(row.request_id for row in list_events(tmp_path / ".eventmap/events.sqlite", state="succeeded"))
    ran = dict(text.split() for text in (tmp_path / "handled").read_text().splitlines())
    assert len(acknowledged) > 20 * KILLS
    assert acknowledged.items() <= ran.items()
    assert {request_id: ends[request_id] for request_id in acknowledged.values()} == dict.fromkeys(
        acknowledged.values(), 1
    )
    assert ended == 0


def _let_work(dice: random.Random) -> None:
    threading.Event().wait(dice.uniform(0.05, 0.5))


def _until_all_ended(folder: Path, request_ids: set[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while True:
        rows = list_events(folder / ".eventmap/events.sqlite", state="succeeded")
        missing = request_ids - {row.request_id for row in rows}
        if not missing:
            return
        assert time.monotonic() < deadline, f"{len(missing)} of {len(request_ids)} have not ended"
        pause.wait(0.1)


def _stopped(run: Started) -> int:
    run.send(signal.SIGTERM)
    return run.end().code

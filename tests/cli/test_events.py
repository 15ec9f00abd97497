"""`eventmap events`: what an operator sees of accepted events, and does to them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state.events_sqlite import SqliteEvents
from tests.cli.command import COMMAND, DEADLINE_S, Ended, environment, eventmap

FILE = Path(".eventmap", "events.sqlite")
QUEUED, WAITING, FAILED, SUCCEEDED = (f"{number}f1c0a52-1f7e-4d0a-9c55-3a1f0a4f8f11" for number in range(4))
ERROR = b'{"errorMessage": "no", "errorType": "ValueError"}'


@pytest.fixture
def events(folder: Path) -> Path:
    """A folder whose event file holds an event of each kind; two functions."""

    async def fill() -> None:
        (folder / FILE).parent.mkdir()
        store = SqliteEvents(folder / FILE)
        await store.prepare()
        now = time.time()

        def event(request_id: str, function: str, **more: Any) -> QueuedEvent:
            given = {"payload": b'{"secret": 1}', "accepted_at": now - 200, "due_at": now - 200, **more}
            return QueuedEvent(request_id=request_id, function_name=function, **given)

        await store.accept(event(QUEUED, "bill"))
        await store.accept(event(WAITING, "bill", due_at=now + 3600, failures=1, last_error=ERROR))
        for request_id, condition in ((FAILED, "RetriesExhausted"), (SUCCEEDED, "Success")):
            await store.accept(ended := event(request_id, "[mail]"))
            end = EventEnd(condition=condition, ended_at=now - 20, invoke_count=3, response=ERROR)  # type: ignore[arg-type]
            await store.end(ended, end, ["arn:aws:sqs:r:1:q: it is gone"] if condition != "Success" else [])
        await store.aclose()

    anyio.run(fill)
    return folder


def listed(folder: Path, options: str = "") -> dict[str, dict[str, Any]]:
    ended = eventmap(f"events {options}", cwd=folder)
    assert (ended.code, ended.stderr) == (0, "")
    return {row["request_id"]: row for row in map(json.loads, ended.stdout.splitlines())}


def states(folder: Path) -> dict[str, str]:
    return {request_id: row["state"] for request_id, row in listed(folder).items()}


def test_events_are_json_lines_off_a_terminal(events: Path) -> None:
    """What is owed first, then what has ended; no payload."""
    shown = listed(events)

    assert [(each, row["state"], row["function"]) for each, row in shown.items()][:2] == [
        (QUEUED, "queued", "bill"),
        (WAITING, "waiting", "bill"),
    ]
    assert {FAILED: "failed", SUCCEEDED: "succeeded"}.items() <= states(events).items()
    assert (shown[WAITING]["attempts"], shown[WAITING]["error_type"]) == (1, "ValueError")
    assert shown[WAITING]["due_at"].endswith("Z")
    assert (shown[FAILED]["condition"], shown[FAILED]["due_at"]) == ("RetriesExhausted", None)
    assert shown[FAILED]["undelivered"] == ["arn:aws:sqs:r:1:q: it is gone"]
    assert "secret" not in json.dumps(shown)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ("--state failed", [FAILED]),
        ("--state dropped", []),
        ("--function bill", [QUEUED, WAITING]),
        ("--function [mail] --state succeeded", [SUCCEEDED]),
        ("--limit 1", [QUEUED]),
        ("--json --state waiting", [WAITING]),
        (f"--state queued --events {FILE}", [QUEUED]),
    ],
)
def test_events_are_chosen_by_state_and_function(options: str, ids: list[str], events: Path) -> None:
    """And no more than asked for; of any file."""
    assert list(listed(events, options)) == ids


def test_a_terminal_shows_a_table(events: Path) -> None:
    """Request ids whole, whatever else is folded; what is in brackets is text."""
    _, shown = _on_a_terminal("events", events)

    assert all(each in shown for each in (QUEUED, WAITING, FAILED, SUCCEEDED))
    assert "[mail]" in shown and "what happened" in shown and "in 60 min" in shown


def test_retry_makes_what_waits_or_was_given_up_due(events: Path) -> None:
    """All of them, or those named; the file tells."""
    ended = eventmap("events retry --all --yes", cwd=events)
    after = listed(events)

    assert (ended.code, ended.stdout, ended.stderr) == (0, "2 events due now\n", "")
    assert {after[each]["state"] for each in (QUEUED, WAITING, FAILED)} == {"queued"}
    assert (after[WAITING]["attempts"], after[FAILED]["attempts"]) == (1, 0)


def test_retry_of_a_function_leaves_the_others_alone(events: Path) -> None:
    """`--function` goes with `--all`."""
    ended = eventmap("events retry --all --function bill -y", cwd=events)

    assert ended.stdout == "1 event due now\n"
    assert states(events)[FAILED] == "failed"


def test_what_cannot_be_retried_is_named_and_the_others_are(events: Path) -> None:
    """Exit 1: one has succeeded, one nobody knows."""
    ended = eventmap(f"events retry {FAILED} {SUCCEEDED} nobody --yes", cwd=events)

    assert (ended.code, ended.stdout) == (1, "1 event due now\n")
    assert ended.stderr.splitlines() == [
        f"eventmap: {SUCCEEDED} has succeeded already",
        "eventmap: nobody is not known",
    ]


def test_drop_gives_up_what_is_owed(events: Path) -> None:
    """Those that have ended stay as they are; a dropped one can be retried."""
    ended = eventmap("events drop --all --yes", cwd=events)
    after = states(events)
    again = eventmap(f"events drop {QUEUED} --yes", cwd=events)
    back = eventmap(f"events retry {QUEUED} --yes", cwd=events)

    assert (ended.code, ended.stdout) == (0, "2 events dropped\n")
    assert after == {QUEUED: "dropped", WAITING: "dropped", FAILED: "failed", SUCCEEDED: "succeeded"}
    assert (again.code, again.stderr) == (1, f"eventmap: {QUEUED} has ended already\n")
    assert (back.code, states(events)[QUEUED]) == (0, "queued")


def test_nothing_is_changed_without_a_yes(events: Path) -> None:
    """Off a terminal nobody can be asked; on one, no is the answer that changes nothing."""
    before = states(events)

    off = eventmap("events drop --all", cwd=events)
    no, shown = _on_a_terminal("events drop --all", events, answer="n\n")
    yes, _ = _on_a_terminal(f"events drop {QUEUED}", events, answer="y\n")

    assert (off.code, no.code, yes.code) == (2, 1, 0)
    assert "add --yes" in off.stderr
    assert "Give up 2 events? No destination is told. [y/N]" in shown and "nothing was changed" in shown
    assert states(events) == {**before, QUEUED: "dropped"}


def test_nothing_to_do_is_said(events: Path) -> None:
    """Exit 0: everything is as it was asked for."""
    eventmap("events drop --all --yes", cwd=events)

    dropped = eventmap("events drop --all --yes", cwd=events)
    retried = eventmap("events retry --all --function bill --yes", cwd=events)

    assert (dropped.code, dropped.stdout) == (0, "all events have ended\n")
    assert (retried.code, retried.stdout) == (0, "no event waits or was given up\n")


@pytest.mark.parametrize("command", ["events", "events retry --all --yes", "events drop x --yes"])
def test_a_file_that_does_not_exist_is_not_made(command: str, folder: Path) -> None:
    """Exit 1, one line, and the way to name another."""
    ended = eventmap(command, cwd=folder)

    assert ended.code == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "events.sqlite" in ended.stderr and "--events" in ended.stderr
    assert not (folder / ".eventmap").exists()


def test_a_file_of_something_else_is_refused(folder: Path) -> None:
    """It is left as it is."""
    (folder / "other").write_text("no database at all, but a text of some length")

    ended = eventmap("events --events other", cwd=folder)

    assert (ended.code, len(ended.stderr.splitlines())) == (1, 1)
    assert "other" in ended.stderr


def _on_a_terminal(line: str, folder: Path, answer: str = "") -> tuple[Ended, str]:
    """Run a command on a terminal where somebody answers; how it ended, and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *line.split()],
        cwd=folder,
        env=environment(folder, {"COLUMNS": "160", "TERM": "xterm"}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # Linux' way to say that the other side has closed
            pass
        code = process.wait(DEADLINE_S)
    os.close(ours)
    return Ended(code, shown.decode(), ""), shown.decode()

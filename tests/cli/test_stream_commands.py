from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import COMMAND, DEADLINE_S, Ended, environment, eventmap, make_stream, make_table, started

pytestmark = pytest.mark.server

NUMBERS = [str(number) for number in range(10)]
FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


class Application:
    """The commands on one stream, and what they find."""

    def __init__(self, folder: Path, endpoint_url: str, name: str, kind: str = "kinesis") -> None:
        self.folder = folder
        self.source = f"{kind}:{name}"
        self.at = f"--endpoint-url {endpoint_url}"
        self.mapped = f"--{kind} {name} --starting-position TRIM_HORIZON {self.at}"

    def run(self, handler: str = "shows", more: str = "") -> list[str]:
        """One run up to now; returns what was handled."""
        ended = eventmap(f"run handlers:{handler} {self.mapped} --until-caught-up {more}", cwd=self.folder)
        assert ended.code == 0, ended.stderr
        return handled(ended)

    def streams(self, more: str = "") -> Ended:
        return self.command(f"streams {self.source} {more}")

    def shards(self, more: str = "") -> dict[str, dict[str, Any]]:
        ended = self.streams(f"--json {more}")
        assert ended.code == 0, ended.stderr
        return {line["shard"]: line for line in map(json.loads, ended.stdout.splitlines())}

    def set(self, what: str) -> Ended:
        return self.command(f"checkpoint set {self.source} {what}")

    def reset(self, what: str = "") -> Ended:
        return self.command(f"checkpoint reset {self.source} {what}")

    def replay(self, what: str) -> Ended:
        return self.command(f"replay {self.source} handlers:shows {what}")

    def command(self, line: str) -> Ended:
        return eventmap(f"{line} {self.at}", cwd=self.folder)


def handled(ended: Ended) -> list[str]:
    return sorted(line.removeprefix("got ") for line in ended.stdout.splitlines() if line.startswith("got "))


@pytest.fixture
def clicks(folder: Path, endpoint_url: str, queue_name: str) -> Application:
    """A Kinesis stream of two shards with ten records."""
    make_stream(endpoint_url, queue_name, *NUMBERS, shards=2)
    return Application(folder, endpoint_url, queue_name)


def test_streams_shows_what_is_unread_and_by_whom(clicks: Application) -> None:
    """Before the first run nothing is known; after it everything is read; a checkpoint moved back leaves work."""
    before = clicks.shards()
    clicks.run()
    after = clicks.shards()
    clicks.set(f"TRIM_HORIZON --yes --shard {FIRST}")
    moved = clicks.shards()
    table = clicks.streams().stdout.splitlines()

    assert before.keys() == after.keys() == {FIRST, SECOND}
    assert [(each["checkpoint"], each["unread"]) for each in before.values()] == [(None, None)] * 2
    assert [(each["owner"], each["unread"]["records"]) for each in after.values()] == [(None, 0)] * 2
    assert moved[FIRST]["checkpoint"] == "TRIM_HORIZON"
    assert moved[FIRST]["unread"]["records"] > 0 and moved[FIRST]["unread"]["age_s"] > 0
    assert moved[SECOND] == after[SECOND]
    assert table[0].endswith("-> shows, 0 workers")
    assert table[1].split() == ["SHARD", "PARENTS", "STATE", "OWNER", "CHECKPOINT", "UNREAD", "FOR"]
    assert table[2].split()[:5] == [FIRST, "-", "open", "-", "TRIM_HORIZON"]


def test_set_moves_one_shard_or_all(clicks: Application) -> None:
    """The next run begins behind the new checkpoints, and nowhere else."""
    assert clicks.run() == NUMBERS

    one = clicks.set(f"TRIM_HORIZON --yes --shard {FIRST}")
    of_one = clicks.run()
    every = clicks.set("TRIM_HORIZON --yes")
    of_every = clicks.run()

    assert one.stdout == "1 checkpoint moved to TRIM_HORIZON\n"
    assert every.stdout == "2 checkpoints moved to TRIM_HORIZON\n"
    assert 0 < len(of_one) < len(NUMBERS)
    assert of_every == NUMBERS


def test_str_163_set_takes_the_sequence_number_of_one_shard(clicks: Application) -> None:
    """STR-163: done up to and including it; for several shards it means nothing."""
    clicks.run()
    last = clicks.shards()[FIRST]["checkpoint"]
    clicks.set("TRIM_HORIZON --yes")

    ambiguous = clicks.set(f"{last} --yes")
    moved = clicks.set(f"{last} --yes --shard {FIRST}")
    rest = clicks.run()

    assert (ambiguous.code, moved.code) == (2, 0)
    assert "say which with --shard" in ambiguous.stderr
    assert 0 < len(rest) < len(NUMBERS)


def test_set_latest_before_the_first_run_passes_everything_by(clicks: Application) -> None:
    """Shards that this function has not begun get their first checkpoint this way; it must be named."""
    clicks.run("echo")

    moved = clicks.set("LATEST --yes --function shows")

    assert moved.code == 0, moved.stderr
    assert clicks.run() == []


def test_where_nothing_has_run_a_look_shows_the_shards_and_makes_nothing(clicks: Application) -> None:
    """What is not there cannot be mended, and a name that was given is a wrong one."""
    looked = clicks.streams()
    as_json = clicks.streams("--json --function shows")
    refused = [clicks.set("LATEST --yes"), clicks.reset("--yes --function shows")]
    elsewhere = clicks.streams("--state other.sqlite")

    assert (looked.code, as_json.code) == (0, 0)
    assert looked.stdout.splitlines()[0].endswith(", 0 workers") and "->" not in looked.stdout
    assert [json.loads(line)["checkpoint"] for line in as_json.stdout.splitlines()] == [None, None]
    for said in (looked.stderr, as_json.stderr):
        assert said.startswith("eventmap: nothing has run here yet: there is no .eventmap/state.sqlite; --state")
    assert [each.code for each in (*refused, elsewhere)] == [1, 1, 1]
    for each, name in zip((*refused, elsewhere), [".eventmap/state.sqlite"] * 2 + ["other.sqlite"], strict=True):
        path = (clicks.folder / name).resolve()
        assert each.stderr == (
            f"eventmap: state file {path} does not exist: nothing has been recorded there yet; name another with "
            "--state\n"
        )
    assert not (clicks.folder / ".eventmap").exists() and not (clicks.folder / "other.sqlite").exists()


def test_a_lease_table_needs_no_function_and_is_not_made(clicks: Application) -> None:
    """Before the first run it is missing, for every command; afterwards it is the application."""
    table = f"{clicks.source.partition(':')[2]}-leases"
    leases = f"--leases dynamodb:{table}"
    missing = [clicks.streams(leases), clicks.set(f"LATEST --yes {leases}"), clicks.streams(leases)]
    clicks.run(more=leases)
    shown = clicks.streams(leases)
    moved = clicks.set(f"TRIM_HORIZON --yes {leases}")

    assert [each.code for each in missing] == [1, 1, 1]
    assert {each.stderr for each in missing} == {
        f'eventmap: lease table "{table}" does not exist: nothing has been recorded there yet; name another with '
        "--leases dynamodb:TABLE\n"
    }
    assert shown.stdout.splitlines()[0].endswith(f"-> {table}, 0 workers")
    assert moved.stdout == "2 checkpoints moved to TRIM_HORIZON\n"
    assert not (clicks.folder / ".eventmap").exists()


def test_the_function_is_named_where_there_is_not_just_one(
    clicks: Application, endpoint_url: str, queue_name: str
) -> None:
    """One is found by itself; of several each is listed; one that never ran has no checkpoints."""
    make_stream(endpoint_url, f"{queue_name}-other")
    other = Application(clicks.folder, endpoint_url, f"{queue_name}-other")
    clicks.run()
    alone = clicks.streams()
    by_nobody = other.streams()
    nobodys = other.reset("--yes")
    clicks.run("echo")
    ambiguous = [clicks.streams(), clicks.reset("--yes")]
    named = clicks.shards("--function echo")
    unknown = clicks.shards("--function nobody")

    assert "-> shows, 0 workers" in alone.stdout
    assert (by_nobody.code, by_nobody.stderr) == (0, "")
    assert "->" not in by_nobody.stdout and FIRST in by_nobody.stdout
    assert nobodys.code == 1
    assert nobodys.stderr == (
        f"eventmap: nothing has read {other.source} yet: say for which function with --function\n"
    )
    for each in ambiguous:
        assert each.code == 1
        assert each.stderr == f"eventmap: 2 functions read {clicks.source}: echo, shows; say which with --function\n"
    assert {each["unread"]["records"] for each in named.values()} == {0}
    assert [each["checkpoint"] for each in unknown.values()] == [None, None]


def test_a_stream_is_named_by_its_arn_too(clicks: Application) -> None:
    """The service is in it."""
    clicks.run()
    arn = next(iter(clicks.shards().values()))["stream"]

    by_arn = clicks.command(f"streams {arn}")

    assert by_arn.code == 0, by_arn.stderr
    assert by_arn.stdout.splitlines()[0] == f"{arn} -> shows, 0 workers"


def test_reset_forgets_all_or_begins_one_shard_anew(clicks: Application) -> None:
    """Without a shard nothing is left; with one it is that one's start."""
    clicks.run()
    one = clicks.reset(f"--yes --shard {SECOND}")
    begun_anew = clicks.shards()
    every = clicks.reset("--yes")
    forgotten = clicks.shards()
    again = clicks.reset("--yes --function shows")

    assert (one.code, every.code, again.code) == (0, 0, 0)
    assert begun_anew[SECOND]["checkpoint"] == "TRIM_HORIZON" != begun_anew[FIRST]["checkpoint"]
    assert every.stdout == "2 checkpoints forgotten\n"
    assert [each["checkpoint"] for each in forgotten.values()] == [None, None]
    assert again.stdout == "there are no checkpoints: nothing has begun here\n"


def test_nothing_is_moved_without_a_yes(clicks: Application) -> None:
    """Off a terminal nobody can be asked; on one, no is the answer that changes nothing."""
    clicks.run()
    before = clicks.shards()

    off = clicks.reset()
    code, shown = _answered("n\n", f"checkpoint reset {clicks.source} {clicks.at}", clicks.folder)
    missing = clicks.reset("--yes --shard shardId-000000000009")

    assert (off.code, code, missing.code) == (2, 1, 1)
    assert "add --yes" in off.stderr
    assert "Forget 2 checkpoints?" in shown and "nothing was changed" in shown
    assert "has no shard 'shardId-000000000009'" in missing.stderr
    assert clicks.shards() == before


def test_a_checkpoint_is_not_moved_under_a_worker_unless_forced(clicks: Application) -> None:
    """Refused while it lives; forced, the worker loses the shard and reads it again from there."""
    with started(f"run handlers:shows {clicks.mapped}", cwd=clicks.folder) as run:
        run.wait_for("got ", times=len(NUMBERS))
        refused = clicks.set("TRIM_HORIZON --yes")
        owners = {each["owner"] for each in clicks.shards().values()}
        forced = clicks.set("TRIM_HORIZON --yes --force")
        run.wait_for("got ", times=2 * len(NUMBERS))
        run.process.terminate()
        ended = run.end()

    assert refused.code == 1
    assert len(owners) == 1
    assert f"{owners.pop()} reads there: stop it first, or add --force" in refused.stderr
    assert forced.code == 0, forced.stderr
    assert ended.code == 0, ended.stderr


def test_a_forced_reset_takes_the_shards_from_a_worker(clicks: Application) -> None:
    """It does not write its checkpoints again: whoever reads the shards next begins as a first run does."""
    with started(f"run handlers:shows {clicks.mapped}", cwd=clicks.folder) as run:
        run.wait_for("got ", times=len(NUMBERS))
        refused = clicks.reset("--yes")
        forced = clicks.reset("--yes --force")
        run.wait_for("lease.lost", times=2)
        run.process.terminate()
        ended = run.end()

    assert (refused.code, forced.code, forced.stdout) == (1, 0, "2 checkpoints forgotten\n"), forced.stderr
    assert ended.code == 0, ended.stderr
    assert clicks.run() == NUMBERS


def test_a_worker_that_died_on_this_machine_is_no_obstacle(clicks: Application) -> None:
    """Its shards can be moved at once, and the table says what became of it."""
    with started(f"run handlers:shows {clicks.mapped}", cwd=clicks.folder) as run:
        run.wait_for("got ", times=len(NUMBERS))
        run.send(signal.SIGKILL)
        run.end()

    table = clicks.streams().stdout
    moved = clicks.set("TRIM_HORIZON --yes")

    assert "(died)" in table
    assert moved.code == 0, moved.stderr
    assert "still works" not in moved.stderr


def test_replay_reads_history_and_leaves_checkpoints_alone(clicks: Application) -> None:
    """Everything, or from a time on; what `run` has done and has to do is the same as before."""
    clicks.run()
    before = clicks.shards()

    every = clicks.replay("--from TRIM_HORIZON")
    recent = clicks.replay("--from 2020-01-01")
    one = clicks.replay(f"--from 1577836800 --shard {FIRST}")

    assert (every.code, recent.code, one.code) == (0, 0, 0), every.stderr + recent.stderr + one.stderr
    assert handled(every) == handled(recent) == NUMBERS
    assert 0 < len(handled(one)) < len(NUMBERS)
    assert clicks.shards() == before


def test_replay_from_a_sequence_number_includes_its_record(clicks: Application) -> None:
    """The number of the last record of a shard replays that record; which shard must be said."""
    clicks.run()
    last = clicks.shards()[FIRST]["checkpoint"]

    ambiguous = clicks.replay(f"--from {last}")
    replayed = clicks.replay(f"--from {last} --shard {FIRST}")
    elsewhere = clicks.replay(f"--from {last} --shard shardId-9")

    assert (ambiguous.code, replayed.code, elsewhere.code) == (1, 0, 1)
    assert "say which with --shard" in ambiguous.stderr
    assert len(handled(replayed)) == 1
    assert "has no shard 'shardId-9'" in elsewhere.stderr


def test_str_16_a_table_is_replayed_from_a_time_by_the_times_of_its_records(
    folder: Path, endpoint_url: str, queue_name: str
) -> None:
    """STR-16: its stream knows no time to begin at; a filter of the user's own holds, too."""
    make_table(endpoint_url, queue_name, "a", "b")
    table = Application(folder, endpoint_url, queue_name, "dynamodb")

    every = table.replay("--from 2020-01-01T00:00:00Z")
    pattern = '--filter {"dynamodb":{"Keys":{"id":{"S":["b"]}}}}'
    one = table.replay(f"--from 2020-01-01T00:00:00Z {pattern}")
    now = table.replay(f"--from {time.time()}")

    assert handled(every) == ["INSERT a", "INSERT b"]
    assert handled(one) == ["INSERT b"]
    assert (now.code, handled(now)) == (0, [])
    assert "filtered                   2" in now.stdout


def _answered(answer: str, line: str, folder: Path) -> tuple[int, str]:
    """Run a command on a terminal where somebody answers; returns its exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *line.split()], cwd=folder, env=environment(folder), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, answer.encode())
        code = process.wait(DEADLINE_S)
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # Linux' way to say that the other side has closed
            pass
    os.close(ours)
    return code, shown.decode()

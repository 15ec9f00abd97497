from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import eventmap, make_stream, make_table, started

pytestmark = pytest.mark.server

ITEMS = '{"id": 1, "n": 1}\n\n{"id": 2}\n{"id": 1, "n": 2}\n'


def got(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.startswith("got ")]


def test_a_local_table_is_filled_and_its_changes_are_handled(folder: Path) -> None:
    """Each item is a change; the run says which attribute it made the key, and ends by itself."""
    ended = eventmap("run handlers:shows --local --dynamodb orders --send - --until-caught-up", cwd=folder, stdin=ITEMS)

    assert ended.code == 0, ended.stderr
    assert got(ended.stdout) == ["got INSERT 1", "got INSERT 2", "got MODIFY 1"]
    assert "3 items put into orders, whose key is id" in ended.stderr
    assert "polling at the embedded emulator: orders -> shows" in ended.stderr
    assert "done                       3" in ended.stdout
    assert "discarded                  0" in ended.stdout
    assert "dead-lettered" not in ended.stdout


def test_a_local_stream_is_filled_and_handled_in_order(folder: Path) -> None:
    """The lines of a queue and those of a stream can be mixed."""
    lines = '"plain"\n{"data": {"n": 1}, "partition_key": "k"}\n{"body": "body", "group": "g"}\n'

    ended = eventmap("run handlers:shows --local --kinesis s --send - --until-caught-up", cwd=folder, stdin=lines)

    assert ended.code == 0, ended.stderr
    assert got(ended.stdout) == ["got plain", 'got {"n":1}', "got body"]
    assert not (folder / ".eventmap").exists()


def test_str_41_reports_of_discarded_batches_are_saved_when_the_emulator_ends(folder: Path) -> None:
    """STR-41: attempts used up, a report; the queue for reports is made in the emulator, whatever its ARN says."""
    arguments = "--maximum-retry-attempts 0 --on-failure arn:aws:sqs:eu-west-1:123456789012:dead --until-caught-up"

    ended = eventmap(f"run handlers:fails --local --kinesis s --send - {arguments}", cwd=folder, stdin='"a"\n"b"\n')

    saved = (folder / ".eventmap/on-failure/dead.jsonl").read_text().splitlines()
    [report] = [json.loads(json.loads(line)["body"]) for line in saved]
    assert ended.code == 0, ended.stderr
    assert report["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert report["KinesisBatchInfo"]["batchSize"] == 2
    assert "discarded                  2" in ended.stdout
    assert "1 report of discarded records went to dead; saved in .eventmap/on-failure/dead.jsonl" in ended.stdout


def test_workers_of_a_local_run_share_the_shards(folder: Path) -> None:
    """Each record is handled once, and nothing is left behind on this machine."""
    lines = "".join(f'"{number}"\n' for number in range(30))

    ended = eventmap(
        "run handlers:shows --local --kinesis s --send - --workers 2 --until-caught-up", cwd=folder, stdin=lines
    )

    assert ended.code == 0, ended.stderr
    assert got(ended.stdout) == [f"got {number}" for number in range(30)]
    assert "done                      30" in ended.stdout
    assert not (folder / ".eventmap").exists()


def test_an_app_with_a_queue_and_a_stream_waits_for_both(folder: Path, write: Callable[[str, str], Path]) -> None:
    """What an App declares survives the way through the process that looks at it; each option is for its kind."""
    write(
        "both.py",
        "from eventmap import App\n"
        "app = App()\n\n"
        "@app.kinesis('clicks', starting_position='TRIM_HORIZON', maximum_retry_attempts=2)\n"
        "@app.sqs('orders')\n"
        "def handler(event, context): ...\n",
    )

    ended = eventmap("run both:app --local --until-empty --until-caught-up", cwd=folder)

    assert ended.code == 0, ended.stderr
    assert "orders -> handler" in ended.stderr and "clicks -> handler" in ended.stderr
    assert "dead-lettered" in ended.stdout and "discarded" in ended.stdout


def test_str_36_a_second_run_goes_on_where_the_first_ended(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """STR-36: checkpoints in .eventmap/state.sqlite, or where --state says, go before the starting position."""
    make_stream(endpoint_url, queue_name, "a", "b")
    line = f"run handlers:shows --kinesis {queue_name} --starting-position TRIM_HORIZON --endpoint-url {endpoint_url}"

    first = eventmap(f"{line} --until-caught-up", cwd=folder)
    second = eventmap(f"{line} --until-caught-up", cwd=folder)
    elsewhere = eventmap(f"{line} --until-caught-up --state other.sqlite", cwd=folder)

    assert [first.code, second.code, elsewhere.code] == [0, 0, 0], first.stderr + second.stderr + elsewhere.stderr
    assert [got(each.stdout) for each in (first, second, elsewhere)] == [["got a", "got b"], [], ["got a", "got b"]]
    assert (folder / ".eventmap/state.sqlite").exists() and (folder / "other.sqlite").exists()


def test_checkpoints_can_be_in_a_table(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """--leases dynamodb:TABLE makes the table, and a later run goes on from there."""
    make_table(endpoint_url, queue_name, "a", "b")
    line = (
        f"run handlers:shows --dynamodb {queue_name} --starting-position TRIM_HORIZON --endpoint-url {endpoint_url} "
        f"--leases dynamodb:{queue_name}-leases --until-caught-up"
    )

    first, second = eventmap(line, cwd=folder), eventmap(line, cwd=folder)

    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert [got(first.stdout), got(second.stdout)] == [["got INSERT a", "got INSERT b"], []]
    assert not (folder / ".eventmap").exists()


def test_streams_of_a_file_run_with_their_settings(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """A table for each kind; times may be written as TOML has them."""
    make_stream(endpoint_url, queue_name, "a", "b", "c")
    make_table(endpoint_url, f"{queue_name}-table", "x", "y")
    write(
        "eventmap.toml",
        f"""
        endpoint_url = "{endpoint_url}"

        [functions.shown]
        handler = "handlers:shows"

        [[functions.shown.kinesis]]
        stream = "{queue_name}"
        starting_position = "AT_TIMESTAMP"
        starting_position_timestamp = 2020-01-01T00:00:00Z
        batch_size = 1

        [[functions.shown.dynamodb]]
        table = "{queue_name}-table"
        starting_position = "TRIM_HORIZON"
        filter_criteria = {{ Filters = [{{ Pattern = '{{"dynamodb": {{"Keys": {{"id": {{"S": ["x"]}}}}}}}}' }}] }}
        """,
    )

    ended = eventmap("run --config eventmap.toml --until-caught-up", cwd=folder)

    assert ended.code == 0, ended.stderr
    assert sorted(got(ended.stdout)) == ["got INSERT x", "got a", "got b", "got c"]
    assert ended.stdout.count("START") == 4
    assert "filtered                   1" in ended.stdout


def test_json_lines_count_records(folder: Path) -> None:
    """The summary of a stream has no counters of queues alone."""
    line = "run handlers:shows --local --kinesis s --send - --until-caught-up --log-format json"

    ended = eventmap(line, cwd=folder, stdin='"a"\n')

    summary = json.loads(ended.stdout.splitlines()[-1])["summary"]
    assert (summary["received"], summary["done"], summary["discarded"], summary["left_behind"]) == (1, 1, 0, 0)
    assert "records_per_s" in summary and "dead_lettered" not in summary


@pytest.mark.parametrize(
    ("source", "said"), [("--kinesis missing", "Stream not found"), ("--dynamodb missing", "missing")]
)
def test_str_17_a_missing_stream_is_one_line(source: str, said: str, folder: Path, endpoint_url: str) -> None:
    """STR-17: exit 1, and nothing is made for it."""
    ended = eventmap(
        f"run handlers:shows {source} --starting-position LATEST --endpoint-url {endpoint_url}", cwd=folder
    )

    assert ended.code == 1
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_poison_record_is_warned_of_where_the_end_would_wait_for_it(folder: Path) -> None:
    """--until-caught-up without a limit of attempts says what blocks a shard; a signal ends it in order."""
    (folder / "lines.jsonl").write_text('"a"\n')

    with started("run handlers:fails --local --kinesis s --until-caught-up --send lines.jsonl", cwd=folder) as run:
        run.wait_for("a record that always fails blocks its shard until it expires")
        run.wait_for("no good", times=2)
        run.process.terminate()
        ended = run.end()

    assert "SIGTERM: draining" in ended.stderr
    assert "done                       0" in ended.stdout

"""What cannot work is told in one clear line, and whatever is there already stays as it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import DEADLINE_S, Ended, environment, eventmap
from tests.servers.process import Server

from .fleet import ENVIRONMENT, HANDLER, make

pytestmark = pytest.mark.server

LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
sys.argv[0] = "eventmap"
runpy.run_module("eventmap", run_name="__main__")
"""
"""The command on a disk on which no file can have more than so many bytes."""


UNHURRIED = """

at_once = handler


def handler(event, context):
    time.sleep(0.01)
    at_once(event, context)
"""
"""A handler that leaves time for each checkpoint to be written: on a busy machine one write would stand for many."""


@pytest.fixture
def server(start_server: Callable[[str], Server]) -> Server:
    return start_server("ministack")


@pytest.fixture
def dynamodb(server: Server) -> Iterator[Any]:
    """A plain boto3 client."""
    client = server.client("dynamodb")
    yield client
    client.close()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "handlers.py").write_text(HANDLER)
    return tmp_path


def line(server: Server, source: str) -> str:
    options = "--starting-position TRIM_HORIZON --isolation inline --until-caught-up"
    return f"run handlers:handler {source} {options} --endpoint-url {server.endpoint_url}"


def run(server: Server, here: Path, source: str) -> Ended:
    return eventmap(line(server, source), cwd=here, env=ENVIRONMENT)


def assert_refused(ended: Ended, code: int, *said: str) -> None:
    assert ended.code == code, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    for each in said:
        assert each in ended.stderr


def make_table(dynamodb: Any, name: str, key: str = "id") -> None:
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_str_17_a_table_without_a_stream_is_told_how_to_get_one(
    server: Server, dynamodb: Any, here: Path, fresh: str
) -> None:
    """STR-17: with the command that enables it."""
    make_table(dynamodb, fresh)

    ended = run(server, here, f"--dynamodb {fresh}")

    assert_refused(ended, 1, f'table "{fresh}" has no stream', f"aws dynamodb update-table --table-name {fresh}")


def test_str_150_a_disabled_stream_is_told_by_its_arn(server: Server, dynamodb: Any, here: Path, fresh: str) -> None:
    """STR-150: what it still holds can be read that way."""
    make(server, fresh)
    arn = dynamodb.describe_table(TableName=fresh)["Table"]["LatestStreamArn"]
    dynamodb.update_table(TableName=fresh, StreamSpecification={"StreamEnabled": False})

    ended = run(server, here, f"--dynamodb {fresh}")

    assert_refused(ended, 1, f'table "{fresh}" has its stream disabled', arn)


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("--kinesis arn:aws:kinesis:us-east-1:000000000000:stream/nowhere", 1, "Stream not found: arn:aws:kinesis"),
        ("--dynamodb arn:aws:dynamodb:us-east-1:000000000000:table/nowhere", 1, "Stream not found: nowhere"),
        ("--kinesis arn:aws:kinesis:us-east-1:000000000000:strm/x", 2, "is not the ARN of a Kinesis stream"),
        ("--dynamodb arn:aws:kinesis:us-east-1:000000000000:stream/x", 2, "is not the ARN of a DynamoDB table"),
        ("--kinesis arn:aws:dynamodb:us-east-1:000000000000:table/x", 2, "is not the ARN of a Kinesis stream"),
        ("--kinesis arn:aws:kinesis:us-east-1:000000000000:stream/x/consumer/c:1", 2, "enhanced fan-out"),
    ],
)
def test_str_17_18_a_wrong_arn_is_one_line(server: Server, here: Path, source: str, code: int, said: str) -> None:
    """STR-17, 18: 2 for what can never be right, 1 for what is not there."""
    assert_refused(run(server, here, source), code, said)


def test_str_160_a_table_that_is_no_lease_table_is_left_alone(
    server: Server, dynamodb: Any, here: Path, fresh: str
) -> None:
    """STR-160: told by its key."""
    make(server, fresh)
    make_table(dynamodb, f"{fresh}-users")
    dynamodb.put_item(TableName=f"{fresh}-users", Item={"id": {"S": "ada"}})

    ended = run(server, here, f"--kinesis {fresh} --leases dynamodb:{fresh}-users")

    assert_refused(ended, 1, f'table "{fresh}-users" is not a lease table', "leaseKey")
    assert dynamodb.scan(TableName=f"{fresh}-users")["Items"] == [{"id": {"S": "ada"}}]


def test_str_160_the_leases_of_another_stream_are_left_alone(
    server: Server, dynamodb: Any, here: Path, fresh: str
) -> None:
    """STR-160: a table serves one application; a mistaken name does not move its checkpoints."""
    make(server, fresh)
    make(server, f"{fresh}-other")
    table = f"{fresh}-leases"
    assert run(server, here, f"--kinesis {fresh} --leases dynamodb:{table}").code == 0
    before = _items(dynamodb, table)

    ended = run(server, here, f"--kinesis {fresh}-other --leases dynamodb:{table}")

    assert_refused(ended, 1, "the lease table of another application is in use here", f"stream/{fresh}:")
    assert _items(dynamodb, table) == before


def _items(dynamodb: Any, table: str) -> dict[str, Any]:
    leases = [each for each in dynamodb.scan(TableName=table)["Items"] if each["entityType"]["S"] == "LEASE"]
    assert len(leases) == 4
    return {each["leaseKey"]["S"]: each for each in leases}


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\x00garbage" * 1_000, "is not a SQLite database"), (b"SQLite format 3\x00" + b"\xff" * 4_096, "state file")],
    ids=["garbage", "damaged"],
)
def test_a_damaged_state_file_is_not_overwritten(
    server: Server, here: Path, fresh: str, content: bytes, said: str
) -> None:
    """Whoever named it wrongly, or has a backup, finds it as it was."""
    make(server, fresh)
    (here / "state").write_bytes(content)

    ended = run(server, here, f"--kinesis {fresh} --state state")

    assert_refused(ended, 1, said, "--state")
    assert (here / "state").read_bytes() == content
    assert not (here / "handled").exists()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/proc/version", "cannot be opened"),  # read-only for everybody
        ("/dev/full", "the disk is full"),
        (".", "cannot be opened"),
        ("no/such/folder/state", "cannot be created (No such file or directory)"),
    ],
)
def test_a_state_file_that_cannot_be_written_is_told(
    server: Server, here: Path, fresh: str, path: str, said: str
) -> None:
    """Before anything is read."""
    if path.startswith("/") and not Path(path).exists():
        pytest.skip(f"{path} is not on this system")
    make(server, fresh)

    assert_refused(run(server, here, f"--kinesis {fresh} --state {path}"), 1, said)


def test_a_disk_that_is_full_at_the_start_is_told(server: Server, here: Path, fresh: str) -> None:
    """Nothing is handled that could not be remembered."""
    make(server, fresh)

    assert_refused(limited(server, here, fresh, 4_096), 1, "state file", "check the disk, its free space")
    assert not (here / "handled").exists()


def test_str_201_a_disk_that_fills_up_costs_repetitions_and_says_why(server: Server, here: Path, fresh: str) -> None:
    """STR-201: what could not be saved is handled again, nothing is passed by; the warning names the disk."""
    make(server, fresh)
    (here / "handlers.py").write_text(HANDLER + UNHURRIED)
    kinesis = server.client("kinesis")
    for number in range(30):
        records = [{"PartitionKey": f"s{key}", "Data": f"s{key} {number}".encode()} for key in range(12)]
        kinesis.put_records(StreamName=fresh, Records=records)
    kinesis.close()

    ended = limited(server, here, fresh, 48 * 1_024)
    again = run(server, here, f"--kinesis {fresh} --state state")

    handled = {tuple(each.split()[:2]) for each in (here / "handled").read_text().splitlines()}
    assert len(handled) == 360
    assert "lease.lost" in ended.stderr and "check the disk, its free space and its quota" in ended.stderr
    assert again.code == 0, again.stderr


def limited(server: Server, here: Path, stream: str, most_bytes: int) -> Ended:
    """Run where no file can be longer than that."""
    arguments = line(server, f"--kinesis {stream} --state state --batch-size 1").split()
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(most_bytes), *arguments],
        cwd=here,
        env=environment(here, ENVIRONMENT),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)

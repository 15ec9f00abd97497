"""The servers themselves: they answer, and on loopback only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .process import Server

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
LISTENING = "0A"


def test_a_server_answers_an_independent_client(sqs_server: Server, sqs_judge: Any, queue_name: str) -> None:
    """A queue created through plain boto3 carries the account and region the fixture names."""
    url = sqs_judge.create_queue(QueueName=queue_name)["QueueUrl"]

    arn = sqs_judge.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    assert f"arn:aws:sqs:{sqs_server.region}:{sqs_server.account_id}:{queue_name}" == arn


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux' table of sockets")
def test_a_server_listens_on_loopback_only(sqs_server: Server) -> None:
    """Nothing a test starts can be reached from another machine, on any port."""
    listening = _listening_addresses(sqs_server.pid)

    assert listening
    assert listening <= LOOPBACK


@pytest.mark.server
def test_kinesalite_answers_an_independent_client(start_server: Callable[[str], Server], queue_name: str) -> None:
    """A stream created through plain boto3 carries the account and region the fixture names; loopback only, too."""
    server = start_server("kinesalite")
    client = server.client("kinesis")
    client.create_stream(StreamName=queue_name, ShardCount=1)

    summary = client.describe_stream_summary(StreamName=queue_name)["StreamDescriptionSummary"]
    client.close()

    assert f"arn:aws:kinesis:{server.region}:{server.account_id}:stream/{queue_name}" == summary["StreamARN"]
    assert not Path("/proc/net/tcp").exists() or set() < _listening_addresses(server.pid) <= LOOPBACK


def _listening_addresses(session: int) -> set[str]:
    """The local addresses, as the kernel prints them, on which any process of the server's session listens."""
    inodes = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended while we looked, or not ours
            if int((process / "stat").read_text().rpartition(")")[2].split()[3]) != session:
                continue
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):  # closed while we looked
                    inodes.add(descriptor.readlink().name)
    rows = [row.split() for table in ("tcp", "tcp6") for row in _rows(f"/proc/net/{table}")]
    return {row[1].partition(":")[0] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in inodes}


def _rows(table: str) -> list[str]:
    path = Path(table)
    return path.read_text().splitlines()[1:] if path.exists() else []

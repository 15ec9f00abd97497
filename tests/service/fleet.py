"""Worker processes on a stream and a table, a writer who never rests, and a file of all that was handled."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.process import Server

SHARDS = 4
STREAM_KEYS = tuple(f"s{number}" for number in range(12))
ITEMS = tuple(f"t{number}" for number in range(4))
DEADLINE_S = 60.0
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "PYTHONUNBUFFERED": "1",
}

HANDLER = """
import base64
import os
import time


def handler(event, context):
    lines = []
    for record in event["Records"]:
        if "kinesis" in record:
            text = base64.b64decode(record["kinesis"]["data"]).decode()
        else:
            text = record["dynamodb"]["NewImage"]["text"]["S"]
        lines.append(f"{text} {os.getpid()} {time.time()}\\n")
    file = os.open("handled", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, "".join(lines).encode())  # all of a batch or nothing, in one piece
    os.close(file)
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One handling of one record."""

    key: str
    number: int
    pid: int
    at: float  #: epoch seconds


@dataclass
class Handled:
    """What the handlers of all workers have written, in the order of its writing."""

    path: Path

    def lines(self) -> list[Line]:
        if not self.path.exists():
            return []
        split = [line.split() for line in self.path.read_text().splitlines()]
        return [Line(key, int(number), int(pid), float(at)) for key, number, pid, at in split]

    def firsts(self) -> dict[str, list[int]]:
        """By key, the numbers in the order in which each was handled for the first time."""
        found: dict[str, dict[int, None]] = {}
        for line in self.lines():
            found.setdefault(line.key, {})[line.number] = None
        return {key: list(numbers) for key, numbers in found.items()}

    @property
    def repeated(self) -> int:
        """How many handlings were not the first one of their record."""
        counts = Counter((line.key, line.number) for line in self.lines())
        return counts.total() - len(counts)


@dataclass
class Writer:
    """Writes the next number of every key, over and over, in a thread."""

    server: Server
    name: str
    written: int = 0  #: of each key
    pause_s: float = 0.05
    error: Exception | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def expected(self) -> dict[str, list[int]]:
        return {key: list(range(self.written)) for key in (*STREAM_KEYS, *ITEMS)}

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        kinesis, dynamodb = self.server.client("kinesis"), self.server.client("dynamodb")
        try:
            while not self._stop.wait(self.pause_s):
                self._write(kinesis, dynamodb)
                self.written += 1
        except Exception as error:  # raised where the test sees it
            self.error = error
        finally:
            kinesis.close()
            dynamodb.close()

    def stop(self) -> None:
        """Returns when the last round is written: until then `written` is behind what workers may have handled."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _write(self, kinesis: Any, dynamodb: Any) -> None:
        records = [{"PartitionKey": key, "Data": f"{key} {self.written}".encode()} for key in STREAM_KEYS]
        assert not kinesis.put_records(StreamName=self.name, Records=records)["FailedRecordCount"]
        for key in ITEMS:
            item = {"id": {"S": key}, "text": {"S": f"{key} {self.written}"}}
            dynamodb.put_item(TableName=self.name, Item=item)


@contextmanager
def writing(server: Server, name: str) -> Iterator[Writer]:
    """A stream and a table of that name, written to until the writer is told to stop."""
    make(server, name)
    writer = Writer(server, name)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()
    if writer.error is not None:
        raise writer.error


def make(server: Server, name: str) -> None:
    kinesis, dynamodb = server.client("kinesis"), server.client("dynamodb")
    kinesis.create_stream(StreamName=name, ShardCount=SHARDS)
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    wait_until(lambda: kinesis.describe_stream_summary(StreamName=name), lambda said: _status(said) == "ACTIVE")
    kinesis.close()
    dynamodb.close()


def _status(said: dict[str, Any]) -> str:
    return str(said["StreamDescriptionSummary"]["StreamStatus"])


def wait_until(look: Callable[[], Any], holds: Callable[[Any], bool], within_s: float = DEADLINE_S) -> Any:
    """What `look` returned when it `holds`. Raises: AssertionError when that takes too long."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        pause.wait(0.05)
    return seen

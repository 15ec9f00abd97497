"""What the tests of the command share: an emulator for all of them, and a folder with handlers for each."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.command import REPOSITORY

_EMULATOR = """
import anyio
from eventmap.local.emulator import embedded_emulator

async def main():
    async with embedded_emulator() as endpoint_url:
        print(endpoint_url, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""

_HANDLERS = """
import base64
import json
import os
import time
from pathlib import Path

from eventmap import App, each_record


def handler(event, context):
    for record in event["Records"]:
        print("got", record["body"])
    return {"count": len(event.get("Records", ()))}


def echo(event, context):
    print("echoing for", context.function_name)
    return event


def fails(event, context):
    raise ValueError("no good")


def slow(event, context):
    print("began")
    while not Path("go").exists():
        time.sleep(0.01)
    print("ended")


def forever(event, context):
    print("began")
    time.sleep(600)


def exits(event, context):
    os._exit(3)


def variables(event, context):
    return {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "STAGE"))}


def shows_variables(event, context):
    print("VARIABLES", json.dumps(variables(event, context)))


def shows(event, context):
    for record in event["Records"]:
        if "kinesis" in record:
            print("got", base64.b64decode(record["kinesis"]["data"]).decode())
        else:
            print("got", record["eventName"], *record["dynamodb"]["Keys"]["id"].values())


@each_record
def picky(record, context):
    if record["body"] == "bad":
        raise ValueError("bad")
    print("good", record["body"])


app = App()


@app.sqs("first", batch_size=1)
def one(event, context):
    print("one", context.function_name)


@app.function(timeout=5)
@app.sqs("second")
def two(event, context):
    print("two", context.function_name)


def told(event, context):
    for record in event["Records"]:
        if "Sns" in record:
            print("told", record["Sns"]["Message"], record["Sns"]["Subject"])
        else:
            print("told", record["s3"]["bucket"]["name"], record["s3"]["object"]["key"])


def exclaims(event, context):
    return event["Records"][0]["Sns"]["Message"] + "!"


pushed = App()


@pushed.function(maximum_retry_attempts=0)
@pushed.sns("placed-orders")
def bill(event, context):
    told(event, context)


@pushed.s3("photos", prefix="uploads/")
def thumbnail(event, context):
    told(event, context)


@pushed.function()
def called(event, context):
    return event
"""


@pytest.fixture(scope="session")
def endpoint_url() -> Iterator[str]:
    """An emulator that outlives the commands under test."""
    with subprocess.Popen(
        [sys.executable, "-c", _EMULATOR], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        yield owner.stdout.readline().strip()
        owner.kill()


_numbers = itertools.count(1)


@pytest.fixture
def queue_name() -> str:
    """A queue nobody else uses."""
    return f"queue-{next(_numbers)}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a module of handlers, to be the current one."""
    (tmp_path / "handlers.py").write_text(_HANDLERS)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], Path]:
    """Write a file into that folder."""

    def write(name: str, text: str) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write

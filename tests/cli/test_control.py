"""Functions and mappings made by boto3 on a server that `eventmap serve` is: real pollers, real queues, kill -9."""

from __future__ import annotations

import io
import re
import signal
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.cli.command import Started, started
from tests.servers.process import Server

pytestmark = pytest.mark.server

ROLE = "arn:aws:iam::123456789012:role/any"
WITHIN_S = 30.0
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
_SERVING = re.compile(r"serving at (http://\S+?)\. Ctrl-C")

CODE = """
import time

def handler(event, context):
    for record in event["Records"]:
        time.sleep(0.005)
        print("handled", record["body"], flush=True)
"""


def zipped(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", code)
    return buffer.getvalue()


class Scene:
    """A server of queues, and one of ours in front of it."""

    def __init__(self, run: Started, url: str, queues: Server) -> None:
        self.run = run
        self.client = boto3.client(
            "lambda",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.sqs = queues.client("sqs")

    def queue(self, name: str) -> tuple[str, str]:
        """(URL, ARN) of a new one."""
        url = self.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    def make(self, name: str = "made", code: str = CODE) -> None:
        self.client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=ROLE,
            Handler="app.handler",
            Timeout=10,
            Code={"ZipFile": zipped(code)},
        )

    def settled(self, identifier: str, state: str) -> dict[str, Any]:
        """The mapping, once it is in that state."""
        deadline = time.monotonic() + WITHIN_S
        while (found := self.client.get_event_source_mapping(UUID=identifier))["State"] != state:
            assert time.monotonic() < deadline, found
        return dict(found)

    def handled(self) -> Counter[str]:
        """What was handled, and how often."""
        return Counter(re.findall(r"handled (\S+)", "".join(self.run.stdout)))

    def wait_handled(self, count: int) -> None:
        self.run.wait_for("handled", times=count)

    def close(self) -> None:
        self.client.close()
        self.sqs.close()


@contextmanager
def served(folder: Path, queues: Server) -> Iterator[Scene]:
    line = f"serve --port 0 --endpoint-url {queues.endpoint_url}"
    with started(line, cwd=folder, env=KEYS) as run:
        run.wait_for("serving at")
        [url] = _SERVING.findall("".join(run.stderr))
        scene = Scene(run, url, queues)
        try:
            yield scene
        finally:
            scene.close()


@pytest.fixture
def queues(start_server: Callable[[str], Server]) -> Server:
    return start_server("moto")


@pytest.fixture
def fresh() -> str:
    return f"q-{uuid.uuid4().hex[:12]}"


def test_api_01_56_a_mapping_made_by_boto3_polls(folder: Path, queues: Server, fresh: str) -> None:
    """A function from a zip file, a mapping by API: a message is handled, and the mapping says how it went."""
    with served(folder, queues) as scene:
        url, arn = scene.queue(fresh)
        scene.make()
        made = scene.client.create_event_source_mapping(FunctionName="made", EventSourceArn=arn, BatchSize=1)
        scene.settled(made["UUID"], "Enabled")
        scene.sqs.send_message(QueueUrl=url, MessageBody="hello")
        scene.wait_handled(1)

    assert made["State"] == "Creating"
    assert scene.handled() == Counter({"hello": 1})


def test_api_04_05_58_to_60_changes_in_the_middle_of_work_lose_and_repeat_nothing(
    folder: Path, queues: Server, fresh: str
) -> None:
    """Updated, disabled, enabled, deleted, made anew, its code and limits changed: each message is handled once."""
    with served(folder, queues) as scene:
        url, arn = scene.queue(fresh)
        scene.make()
        client = scene.client
        identifier = client.create_event_source_mapping(FunctionName="made", EventSourceArn=arn)["UUID"]
        scene.settled(identifier, "Enabled")
        sent = 0

        def send() -> None:
            nonlocal sent
            entries = [{"Id": str(index), "MessageBody": f"m{sent + index}"} for index in range(10)]
            scene.sqs.send_message_batch(QueueUrl=url, Entries=entries)
            sent += 10

        for turn in range(6):
            for _ in range(4):
                send()
            client.update_event_source_mapping(UUID=identifier, BatchSize=1 + turn)
            send()
            scene.settled(identifier, "Enabled")
            client.update_event_source_mapping(UUID=identifier, Enabled=False)
            send()
            scene.settled(identifier, "Disabled")
            client.update_function_code(FunctionName="made", ZipFile=zipped(f"{CODE}\n# {turn}\n"))
            send()
            client.update_event_source_mapping(UUID=identifier, Enabled=True)
            scene.settled(identifier, "Enabled")
            client.put_function_concurrency(FunctionName="made", ReservedConcurrentExecutions=2 + turn)
            send()
            client.delete_event_source_mapping(UUID=identifier)
            send()
            with pytest.raises(client.exceptions.ResourceNotFoundException):
                scene.settled(identifier, "Deleting-has-no-end")
            identifier = client.create_event_source_mapping(FunctionName="made", EventSourceArn=arn)["UUID"]
            scene.settled(identifier, "Enabled")
        scene.wait_handled(sent)
        left = scene.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        deadline = time.monotonic() + WITHIN_S
        while int(left["ApproximateNumberOfMessagesNotVisible"]) and time.monotonic() < deadline:
            left = scene.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    assert scene.handled() == Counter({f"m{number}": 1 for number in range(sent)})
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_what_was_made_survives_kill_9(folder: Path, queues: Server, fresh: str) -> None:
    """Function, mapping and tags are there again with the next start, and the mapping polls."""
    with served(folder, queues) as scene:
        url, arn = scene.queue(fresh)
        scene.make()
        made = scene.client.create_event_source_mapping(
            FunctionName="made", EventSourceArn=arn, BatchSize=3, Tags={"team": "shop"}
        )
        scene.run.send(signal.SIGKILL)
        scene.run.end()

    with served(folder, queues) as again:
        found = again.settled(made["UUID"], "Enabled")
        tags = again.client.list_tags(Resource=found["EventSourceMappingArn"])["Tags"]
        again.sqs.send_message(QueueUrl=url, MessageBody="hello")
        again.wait_handled(1)

    assert (found["BatchSize"], tags) == (3, {"team": "shop"})


def test_a_second_server_in_the_folder_is_told_of_the_first(folder: Path, queues: Server) -> None:
    """One process owns the files; the other says whose they are and ends."""
    with served(folder, queues), started(f"serve --port 0 --endpoint-url {queues.endpoint_url}", cwd=folder) as second:
        ended = second.end()

    assert ended.code == 1
    assert "in use" in ended.stderr or "another process" in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if line.startswith("eventmap: ")]) == 1

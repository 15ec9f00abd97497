"""`eventmap publish`: JSON lines to a topic, as an SQS queue that is subscribed sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap.aws.sns import open_topics
from tests.aws.hostile import wire_to
from tests.cli.command import at, bodies_in, eventmap

pytestmark = pytest.mark.server


def make_topic(endpoint_url: str, name: str) -> str:
    """Create a topic, and a queue of the same name that is subscribed to it; returns the topic's ARN."""

    async def make() -> str:
        async with open_topics(at(endpoint_url)) as topics, wire_to(endpoint_url) as wire:
            arn = await topics.create_topic(name)
            url = await wire.create_queue(name, {})
            await topics.subscribe(arn, "sqs", (await wire.get_queue_attributes(url))["QueueArn"])
            return arn

    return anyio.run(make)


def published(endpoint_url: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(body) for body in bodies_in(endpoint_url, name)]


def test_lines_of_a_file_are_published_and_counted(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """A string is a message, an object may say more; blank lines are skipped."""
    make_topic(endpoint_url, queue_name)
    (folder / "lines.jsonl").write_text(
        '"plain"\n\n{"message": {"n": 1}, "subject": "one", "attributes": {"tenant": "a"}}\n'
    )

    ended = eventmap("publish", queue_name, "lines.jsonl", "--endpoint-url", endpoint_url, cwd=folder)

    assert (ended.code, ended.stdout) == (0, f"2 messages published to {queue_name}\n"), ended.stderr
    first, second = sorted(published(endpoint_url, queue_name), key=lambda each: each["Message"])
    assert (first["Message"], first.get("Subject")) == ("plain", None)
    assert (second["Message"], second["Subject"]) == ('{"n":1}', "one")
    assert second["MessageAttributes"] == {"tenant": {"Type": "String", "Value": "a"}}


def test_standard_input_is_the_default_and_a_topic_has_an_arn(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """`echo … | eventmap publish ARN` does what it looks like; the region is in the ARN."""
    arn = make_topic(endpoint_url, queue_name)

    ended = eventmap("publish", arn, "--endpoint-url", endpoint_url, cwd=folder, stdin='"one"\n')

    assert (ended.code, ended.stdout) == (0, f"1 message published to {queue_name}\n"), ended.stderr
    assert [each["Message"] for each in published(endpoint_url, queue_name)] == ["one"]


def test_a_wrong_line_publishes_nothing(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """The file is checked as a whole first."""
    make_topic(endpoint_url, queue_name)

    ended = eventmap("publish", queue_name, "--endpoint-url", endpoint_url, cwd=folder, stdin='"one"\n{"mesage": 1}\n')

    assert ended.code == 2
    assert "standard input, line 2" in ended.stderr
    assert published(endpoint_url, queue_name) == []


def test_a_missing_topic_is_one_line(folder: Path, endpoint_url: str) -> None:
    """Exit 1, and where it was looked for."""
    ended = eventmap("publish", "missing", "--endpoint-url", endpoint_url, cwd=folder, stdin='"one"\n')

    assert (ended.code, len(ended.stderr.splitlines())) == (1, 1)
    assert f'eventmap: topic "missing" does not exist at {endpoint_url}' in ended.stderr

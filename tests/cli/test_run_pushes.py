"""`eventmap run` with topics and buckets: subscribed by itself, and unsubscribed at the end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap.aws.session import open_client
from eventmap.aws.sns import open_topics
from tests.aws.hostile import wire_to
from tests.cli.command import at, eventmap, started

pytestmark = pytest.mark.server

ORDERS = '{"message": {"id": 1, "total": 5}, "subject": "one"}\n{"message": {"id": 2, "total": 500}}\n'
PHOTOS = '{"key": "uploads/a.txt", "body": "x"}\n{"key": "thumbnails/c.txt", "body": "y"}\n'


def told(stdout: str) -> list[str]:
    """What the handlers have said they were told."""
    return sorted(re.findall(r"told (.*)", stdout))


def test_a_topic_of_the_emulator_invokes_a_function(folder: Path) -> None:
    """It is made, subscribed, and what is sent is handled before the run ends."""
    ended = eventmap("run handlers:told --local --sns placed-orders --send - --until-empty", cwd=folder, stdin=ORDERS)

    assert ended.code == 0, ended.stderr
    assert told(ended.stdout) == ['{"id":1,"total":5} one', '{"id":2,"total":500} None']
    assert "subscribed at the embedded emulator: placed-orders -> told (over a queue of its own)" in ended.stderr
    assert "2 messages published to placed-orders" in ended.stderr
    assert re.search(r"accepted +2\n +done +2\n +retried +0", ended.stdout)
    assert not (folder / ".eventmap").exists()


def test_a_filter_policy_is_the_topics(folder: Path) -> None:
    """SNS-78: what does not pass never comes here."""
    options = ["--filter-policy", '{"total": [{"numeric": [">", 100]}]}', "--filter-policy-scope", "MessageBody"]

    ended = eventmap(
        "run handlers:told --local --sns placed-orders --send - --until-empty", *options, cwd=folder, stdin=ORDERS
    )

    assert ended.code == 0, ended.stderr
    assert told(ended.stdout) == ['{"id":2,"total":500} None']


def test_a_bucket_of_the_emulator_invokes_a_function(folder: Path) -> None:
    """SRC-26: only the prefix that was asked for."""
    ended = eventmap(
        "run handlers:told --local --s3 photos --s3-prefix uploads/ --send - --until-empty", cwd=folder, stdin=PHOTOS
    )

    assert ended.code == 0, ended.stderr
    assert told(ended.stdout) == ["photos uploads/a.txt"]
    assert "2 objects put into photos" in ended.stderr
    assert re.search(r"accepted +1\n +done +1", ended.stdout)


def test_an_app_gets_its_topics_and_buckets(folder: Path) -> None:
    """A topic and a bucket of the App's, and a function without a source."""
    with started("run handlers:pushed --local", cwd=folder) as run:
        run.wait_for("placed-orders -> bill (over a queue of its own), photos -> thumbnail (over a queue of its own)")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0
    assert re.search(r"accepted +0\n", ended.stdout)


def test_ends_of_events_are_saved_before_the_emulator_ends(folder: Path) -> None:
    """INV-48, INV-65: the record of the failure, and the event as it was."""
    arn = "arn:aws:sqs:eu-west-1:123456789012"
    ended = eventmap(
        f"run handlers:fails --local --sns t --send - --until-empty --maximum-retry-attempts 0 "
        f"--on-failure {arn}:failures --dead-letter {arn}:dead",
        cwd=folder,
        stdin='"x"\n',
    )

    assert ended.code == 0, ended.stderr
    folder = folder / ".eventmap/destinations"
    [record] = [json.loads(json.loads(line)["body"]) for line in (folder / "failures.jsonl").read_text().splitlines()]
    [dead] = [json.loads(line) for line in (folder / "dead.jsonl").read_text().splitlines()]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert json.loads(dead["body"]) == record["requestPayload"]
    assert dead["attributes"]["ErrorMessage"] == "no good"
    assert "1 message about asynchronous events went to failures; saved in .eventmap/destinations/failures.jsonl" in (
        ended.stdout
    )
    assert re.search(r"given up +1 ", ended.stdout)


def test_functions_of_a_file_are_subscribed(folder: Path, write: Callable[[str, str], Path]) -> None:
    """A topic with a policy, a bucket with a suffix; each with its own function."""
    write(
        "eventmap.toml",
        """
        local = true

        [functions.bill]
        handler = "handlers:told"
        maximum_retry_attempts = 0
        [[functions.bill.sns]]
        topic = "placed-orders"
        filter_policy = { total = [{ numeric = [">", 100] }] }
        filter_policy_scope = "MessageBody"
        """,
    )

    ended = eventmap("run --config eventmap.toml --until-empty --send -", cwd=folder, stdin=ORDERS)

    assert ended.code == 0, ended.stderr
    assert told(ended.stdout) == ['{"id":2,"total":500} None']


def test_a_success_goes_to_another_function_of_the_run(folder: Path, write: Callable[[str, str], Path]) -> None:
    """INV-57: by its ARN, of which only the name and the alias count in the emulator."""
    write("second.py", "def handler(event, context):\n    print('second', event['responsePayload'])\n")
    write(
        "eventmap.toml",
        """
        local = true

        [http]
        port = 0

        [functions.first]
        handler = "handlers:exclaims"
        [functions.first.destination_config.OnSuccess]
        Destination = "arn:aws:lambda:eu-west-1:123456789012:function:second:live"
        [[functions.first.sns]]
        topic = "placed-orders"

        [functions.second]
        handler = "second:handler"
        aliases = ["live"]
        """,
    )

    ended = eventmap("run --config eventmap.toml --until-empty --send -", cwd=folder, stdin='"hello"\n')

    assert ended.code == 0, ended.stderr
    assert "second hello!" in ended.stdout
    assert re.search(r"accepted +2\n +done +2", ended.stdout)


@pytest.mark.parametrize("keeps", [False, True], ids=["taken down", "kept"])
def test_what_was_set_up_is_taken_down_unless_it_is_kept(
    keeps: bool, folder: Path, endpoint_url: str, queue_name: str
) -> None:
    """Subscription, notification, and the queues of both."""
    before = anyio.run(set_up, endpoint_url, queue_name)
    arguments = (
        f"run handlers:told --sns {queue_name} --s3 {queue_name} --endpoint-url {endpoint_url} --region us-east-1"
    )

    with started(f"{arguments}{' --keep-subscriptions' if keeps else ''}", cwd=folder) as run:
        run.wait_for("subscribed at")
        during = anyio.run(look, endpoint_url, queue_name)
        run.process.terminate()
        ended = run.end()
    after = anyio.run(look, endpoint_url, queue_name)

    assert ended.code == 0, ended.stderr
    assert before == {"subscriptions": 0, "notifications": 0}
    assert during == {"subscriptions": 1, "notifications": 1}
    assert after == (during if keeps else before)


def test_a_topic_calls_the_server_over_http(folder: Path, endpoint_url: str, queue_name: str) -> None:
    """Both are on this machine, so it can; the address is told."""
    anyio.run(set_up, endpoint_url, queue_name)
    where = f"--endpoint-url {endpoint_url} --region us-east-1"

    with started(f"serve handlers:told --port 0 --sns {queue_name} {where}", cwd=folder) as run:
        run.wait_for(f"{queue_name} -> told (over HTTP)")
        run.wait_for("/sns/told")
        eventmap(f"publish {queue_name} {where}", cwd=folder, stdin='"over http"\n')
        run.wait_for("told over http")
        run.wait_for("REPORT")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0, ended.stderr


async def set_up(endpoint_url: str, name: str) -> dict[str, Any]:
    async with open_topics(at(endpoint_url)) as topics, open_client(at(endpoint_url), "s3") as s3:
        await topics.create_topic(name)
        await s3.create_bucket(Bucket=name)
    return await look(endpoint_url, name)


async def look(endpoint_url: str, name: str) -> dict[str, Any]:
    """How many subscriptions the topic has, and notifications the bucket."""
    async with (
        open_topics(at(endpoint_url)) as topics,
        open_client(at(endpoint_url), "sns") as sns,
        open_client(at(endpoint_url), "s3") as s3,
        wire_to(endpoint_url),
    ):
        arn = await topics.find_topic(name)
        subscriptions = (await sns.list_subscriptions_by_topic(TopicArn=arn))["Subscriptions"]
        notifications = await s3.get_bucket_notification_configuration(Bucket=name)
        return {
            "subscriptions": len(subscriptions),
            "notifications": len(notifications.get("QueueConfigurations", ())),
        }

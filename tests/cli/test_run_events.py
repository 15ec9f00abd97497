"""Schedules, event buses and HTTP routes from the command line and from a file."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.cli.command import eventmap, started

pytestmark = pytest.mark.server

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
HANDLER = """
def handler(event, context):
    print("got", event.get("rawPath") or event.get("detail-type") or event)
    return {"path": event.get("rawPath")}
"""

AUTHORIZED = """
from eventmap import App

app = App()


@app.http("GET /x", authorizer=lambda event: {"lambda": {"user": "ada"}})
async def who(event, context):
    return event["requestContext"]["authorizer"]["lambda"]
"""


def events_client(url: str) -> Any:
    return boto3.client(
        "events", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


def test_src_95_98_a_plain_handler_answers_requests_at_once(folder: Path, write: Callable[[str, str], Path]) -> None:
    """`--http-api`: whatever the path; the summary counts them."""
    write("web.py", HANDLER)

    with started("run web:handler --http-api 0", cwd=folder) as run:
        run.wait_for("-> handler")
        [url] = re.findall(r"ANY (http://\S+) -> handler", "".join(run.stderr))
        with urllib.request.urlopen(f"{url}/orders/7?a=1", timeout=30) as answer:
            document = json.loads(answer.read())
        run.process.terminate()
        ended = run.end()

    assert document == {"path": "/orders/7"}
    assert ended.code == 0
    assert "got /orders/7" in ended.stdout
    assert "requests                   1" in ended.stdout


def test_src_52_a_schedule_is_told_when_it_is_due_next(folder: Path, write: Callable[[str, str], Path]) -> None:
    """And remembers how far it is in a file of its own."""
    write("job.py", HANDLER)

    with started("run job:handler --schedule", "cron(0 3 1 1 ? 2199)", cwd=folder) as run:
        run.wait_for("scheduled: cron(0 3 1 1 ? 2199) -> handler")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0, ended.stderr
    assert (folder / ".eventmap/schedules.sqlite").exists()


def test_src_40_47_what_is_put_on_a_bus_reaches_the_handler(folder: Path, write: Callable[[str, str], Path]) -> None:
    """`--event-pattern` on a bus of its own; what does not match goes nowhere."""
    write("shop.py", HANDLER)
    pattern = '{"detail-type": ["Placed"]}'

    with started("serve shop:handler --port 0 --bus shop --event-pattern", pattern, cwd=folder) as run:
        run.wait_for("serving at")
        [url] = re.findall(r"serving at (http://\S+?)\. Ctrl-C", "".join(run.stderr))
        client = events_client(url)
        entry = {"Source": "shop", "Detail": "{}", "EventBusName": "shop"}
        client.put_events(Entries=[{**entry, "DetailType": each} for each in ("Cancelled", "Placed")])
        client.close()
        run.wait_for("got Placed")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0, ended.stderr
    assert "Cancelled" not in ended.stdout


@pytest.mark.parametrize("keeps", [False, True], ids=["taken down", "kept"])
def test_src_31_what_changes_in_a_bucket_reaches_the_handler_over_the_bus(
    keeps: bool, folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """`--bus-bucket`, without a server of ours; the bucket is told to notify for the length of the run."""
    write("shop.py", HANDLER)
    pattern = (
        '{"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"object": {"key": [{"prefix": "in/"}]}}}'
    )
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    s3.create_bucket(Bucket=queue_name)
    where = f"--endpoint-url {endpoint_url} --region us-east-1{' --keep-subscriptions' if keeps else ''}"

    with started(f"run shop:handler --bus-bucket {queue_name} {where} --event-pattern", pattern, cwd=folder) as run:
        run.wait_for(f"{queue_name} -> event bus default (over a queue of its own)")
        for key in ("out/a", "in/a"):
            s3.put_object(Bucket=queue_name, Key=key, Body=b"x")
        s3.delete_object(Bucket=queue_name, Key="in/a")
        run.wait_for("got Object Created")
        run.wait_for("REPORT")
        run.process.terminate()
        ended = run.end()
    left = s3.get_bucket_notification_configuration(Bucket=queue_name).get("QueueConfigurations", [])
    s3.close()

    assert ended.code == 0, ended.stderr
    assert ended.stdout.count("got Object Created") == 1
    assert "got Object Deleted" not in ended.stdout
    assert len(left) == keeps


def test_a_bucket_of_a_bus_is_made_in_the_emulator(folder: Path, write: Callable[[str, str], Path]) -> None:
    """From a file, by its ARN; what the run waits for is what is in the queue and on the bus."""
    write("all.py", HANDLER)
    write(
        "eventmap.toml",
        """
        local = true

        [functions.work]
        handler = "all:handler"

        [[functions.work.event]]
        pattern = { source = ["aws.s3"] }
        buckets = ["arn:aws:s3:::photos"]
        """,
    )

    ended = eventmap("run --config eventmap.toml --until-empty", cwd=folder)

    assert ended.code == 0, ended.stderr
    assert "subscribed at the embedded emulator: photos -> event bus default (over a queue of its own)" in ended.stderr


def test_a_file_has_all_three(folder: Path, write: Callable[[str, str], Path]) -> None:
    """Tables of schedules, rules and routes."""
    write("all.py", HANDLER)
    write(
        "eventmap.toml",
        """
        [http]
        port = 0

        [functions.work]
        handler = "all:handler"
        timeout = 20

        [[functions.work.schedule]]
        expression = "rate(1 day)"
        start_date = 2030-01-01T00:00:00Z

        [[functions.work.event]]
        pattern = { source = ["shop"] }
        input_path = "$.detail"

        [[functions.work.http]]
        route = "GET /x/{id}"
        """,
    )

    with started("run --config eventmap.toml", cwd=folder) as run:
        run.wait_for("serving at")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0, ended.stderr
    assert "scheduled: rate(1 day) -> work" in ended.stderr
    assert "events of bus default by rule work-" in ended.stderr
    assert re.search(r"GET http://127\.0\.0\.1:\d+/x/\{id\} -> work", ended.stderr)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[[functions.work.schedule]]\nexpression = "rate(0 days)"', "[[functions.work.schedule]]: Parameter Schedule"),
        ('[[functions.work.schedule]]\ntimezone = "UTC"', 'needs expression = "NAME", such as rate(5 minutes)'),
        ('[[functions.work.event]]\npattern = { source = "shop" }', "Event pattern is not valid"),
        (
            '[[functions.work.event]]\npattern = {source = ["a"]}\nbuckets = "photos"',
            'must be a list such as ["photos"]',
        ),
        ('[[functions.work.event]]\npattern = {source = ["a"]}\nbuckets = ["Photos"]', "names no bucket"),
        ('[[functions.work.event]]\npattern = "{}"\nbus = "b"', "did you mean|is not known"),
        ('[[functions.work.http]]\nroute = "FETCH /x"', "is not of the form"),
    ],
)
def test_a_wrong_table_is_one_line(folder: Path, write: Callable[[str, str], Path], table: str, said: str) -> None:
    write("all.py", HANDLER)
    write("eventmap.toml", f'[functions.work]\nhandler = "all:handler"\n{table}\n')

    ended = eventmap("run --config eventmap.toml", cwd=folder)

    assert ended.code == 2
    assert len(ended.stderr.splitlines()) == 1
    assert any(each in ended.stderr for each in said.split("|")), ended.stderr


def test_an_authorizer_that_is_a_function_needs_to_be_inline(folder: Path, write: Callable[[str, str], Path]) -> None:
    """It cannot leave the process that declares it; the line says what to do."""
    write("auth.py", AUTHORIZED)

    refused = eventmap("run auth:app --http-api 0", cwd=folder)
    with started("run auth:app --http-api 0 --isolation inline", cwd=folder) as run:
        run.wait_for("-> who")
        [url] = re.findall(r"GET (http://\S+) -> who", "".join(run.stderr))
        with urllib.request.urlopen(url, timeout=30) as answer:
            document = json.loads(answer.read())

    assert refused.code in (1, 2)
    assert len(refused.stderr.splitlines()) == 1
    assert "authorizer is a function, which only --isolation inline can call" in refused.stderr
    assert document == {"user": "ada"}

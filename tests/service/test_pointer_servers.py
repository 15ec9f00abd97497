"""Pointers on real servers: written as AWS' extended clients write them, by plain boto3 and by the outbox example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from eventmap import App
from eventmap.rules.s3_pointer import Pointer, pointer_text
from examples import outbox
from tests.servers.process import Server

pytestmark = pytest.mark.server


@pytest.fixture(params=["moto", "ministack"])
def server(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Server:
    """Each server that has SQS and S3."""
    return start_server(request.param)


async def test_sns_135_137_142_payloads_arrive_and_what_is_missing_stays(
    server: Server, fresh: str, tmp_path: Path
) -> None:
    """SNS-135, 137, 142: two payloads, a bucket that may not be read, an object that is not there, one too large."""
    sqs, s3 = server.client("sqs"), server.client("s3")
    url = sqs.create_queue(QueueName=fresh, Attributes={"VisibilityTimeout": "3"})["QueueUrl"]
    s3.create_bucket(Bucket=fresh)
    for key, payload in (("one", b"first"), ("two", "zw\u00f6lf".encode()), ("huge", b"x" * 2_000)):
        s3.put_object(Bucket=fresh, Key=key, Body=payload)
    for pointer in (
        Pointer(fresh, "one"),
        Pointer(fresh, "two"),
        Pointer("elsewhere", "one"),
        Pointer(fresh, "none"),
        Pointer(fresh, "huge"),
    ):
        size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "300000"}}
        sqs.send_message(QueueUrl=url, MessageBody=pointer_text(pointer), MessageAttributes=size)
    app, bodies = App(), []

    @app.sqs(fresh, pointer_buckets=[fresh], pointer_limit_bytes=1_000)
    async def work(event: Any, context: Any) -> None:
        bodies.extend(record["body"] for record in event["Records"])

    with anyio.fail_after(30):
        async with app.running(endpoint_url=server.endpoint_url, region=server.region) as running:
            [statistics] = running.statistics().values()
            while len(bodies) < 3 or statistics.refused < 2 or statistics.done < 3:
                await anyio.sleep(0.05)
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    sqs.close()
    s3.close()

    assert sorted(bodies) == sorted(["first", "zw\u00f6lf", pointer_text(Pointer("elsewhere", "one"))])
    left = sum(int(counted[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible"))
    assert left == 2


async def test_the_outbox_sends_reports_of_any_size(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example: a small report goes as it is, a large one through the bucket; its handler knows no difference."""
    sqs, s3 = server.client("sqs"), server.client("s3")
    url = sqs.create_queue(QueueName=outbox.QUEUE)["QueueUrl"]
    s3.create_bucket(Bucket=outbox.BUCKET)
    outbox.send(s3, sqs, url, {"id": 1, "rows": [1, 2, 3]})
    outbox.send(s3, sqs, url, {"id": 2, "rows": list(range(60_000))})
    stored = s3.list_objects_v2(Bucket=outbox.BUCKET)["KeyCount"]

    with anyio.fail_after(30):
        async with outbox.app.running(endpoint_url=server.endpoint_url, region=server.region) as running:
            await running.until_empty()
    await to_thread.run_sync(sqs.close)
    s3.close()

    printed = capsys.readouterr().out
    assert stored == 1
    assert "report 1: 3 rows, sum 6" in printed
    assert f"report 2: 60000 rows, sum {sum(range(60_000))}" in printed

"""Reports on their way: to a queue, through a topic, into a bucket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson
import pytest

from eventmap.aws.on_failure import OnFailureDestination, open_destination
from eventmap.aws.session import LOCAL_CREDENTIALS, AwsSettings
from eventmap.errors import (
    AccessRefused,
    ConfigurationError,
    QueueNotFound,
    TransientSourceError,
)
from tests.servers.process import Server

from .hostile import error, hostile_server, http, reset, settings_for

MAPPING = "14e0db71-5f35-4f9b-8a3e-000000000001"
SHARD = "shardId-000000000001"
REPORT: dict[str, Any] = {
    "requestContext": {"requestId": "r-1", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2},
    "version": "1.0",
    "timestamp": "2019-11-14T00:38:06.021Z",
    "KinesisBatchInfo": {"shardId": SHARD, "batchSize": 5},
}
EVENT = b'{"Records":[{"kinesis":{"data":"AA=="}}]}'
QUEUE = "arn:aws:sqs:us-east-1:123456789012:failures"
TOPIC = "arn:aws:sns:us-east-1:123456789012:failures"
BUCKET = "arn:aws:s3:::failures"


@pytest.fixture
def client(aws_server: Server) -> Iterator[Callable[[str], Any]]:
    """`client("s3")` is an independent client of the server."""
    opened: list[Any] = []

    def connect(service: str) -> Any:
        opened.append(aws_server.client(service, **({"s3": {"addressing_style": "path"}} if service == "s3" else {})))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def received(sqs: Any, url: str) -> list[str]:
    return [message["Body"] for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])]


def new_queue(sqs: Any, name: str) -> tuple[str, str]:
    """(URL, ARN)."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@asynccontextmanager
async def destination_at(endpoint_url: str, arn: str) -> AsyncIterator[OnFailureDestination]:
    async with open_destination(settings_for(endpoint_url), arn, mapping_uuid=MAPPING) as destination:
        yield destination


async def deliver(endpoint_url: str, arn: str, payload: bytes | None = EVENT) -> None:
    async with destination_at(endpoint_url, arn) as destination:
        await destination.check()
        await destination.send(REPORT, shard_id=SHARD, payload=payload)


async def test_str_96_a_queue_is_sent_the_report(aws_server: Server, client: Callable[[str], Any], name: str) -> None:
    """The message's body is the report, without the event."""
    sqs = client("sqs")
    url, arn = new_queue(sqs, name)

    await deliver(aws_server.endpoint_url, arn)

    [body] = received(sqs, url)
    assert list(orjson.loads(body).items()) == list(REPORT.items())


async def test_str_96_a_topic_passes_the_report_on(aws_server: Server, client: Callable[[str], Any], name: str) -> None:
    """A queue behind the topic gets the report as the notification's message."""
    sqs, sns = client("sqs"), client("sns")
    url, arn = new_queue(sqs, name)
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    await deliver(aws_server.endpoint_url, topic)

    [envelope] = received(sqs, url)
    assert orjson.loads(orjson.loads(envelope)["Message"]) == REPORT


async def test_str_97_98_a_bucket_keeps_the_report_with_the_event(
    aws_server: Server, client: Callable[[str], Any], name: str
) -> None:
    """One object under the mapping, the shard and the report's own time; the event is a string in it."""
    s3 = client("s3")
    s3.create_bucket(Bucket=name)

    await deliver(aws_server.endpoint_url, f"arn:aws:s3:::{name}")

    [listed] = s3.list_objects_v2(Bucket=name)["Contents"]
    stored = s3.get_object(Bucket=name, Key=listed["Key"])
    assert listed["Key"].startswith(f"aws/lambda/{MAPPING}/{SHARD}/2019/11/14/2019-11-14T00.38.06-")
    assert stored["ContentType"] == "application/octet-stream"
    assert orjson.loads(stored["Body"].read()) == REPORT | {"payload": EVENT.decode()}


async def test_str_98_the_same_report_sent_twice_is_one_object(
    aws_server: Server, client: Callable[[str], Any], name: str
) -> None:
    """A retry after a lost answer overwrites; without an event there is no payload."""
    s3 = client("s3")
    s3.create_bucket(Bucket=name)

    for _ in range(2):
        await deliver(aws_server.endpoint_url, f"arn:aws:s3:::{name}", payload=None)

    [listed] = s3.list_objects_v2(Bucket=name)["Contents"]
    assert orjson.loads(s3.get_object(Bucket=name, Key=listed["Key"])["Body"].read()) == REPORT


@pytest.mark.parametrize("kind", ["sqs", "sns", "s3"])
async def test_str_100_a_missing_destination_is_refused_at_the_start(aws_server: Server, kind: str, name: str) -> None:
    """The ARN is named, and nothing was sent."""
    place = ":" if kind == "s3" else f"us-east-1:{aws_server.account_id}"
    arn = f"arn:aws:{kind}:{place}:{name}"
    async with destination_at(aws_server.endpoint_url, arn) as destination:
        with pytest.raises(ConfigurationError, match=arn):
            await destination.check()


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUCKET])
async def test_str_101_a_destination_that_is_down_may_be_tried_again(arn: str) -> None:
    """A reset, a busy server and a throttled call are passing."""
    for answer in (reset, http(503, b""), http(429, b"")):
        async with hostile_server(answer) as server, destination_at(server.endpoint_url, arn) as destination:
            with pytest.raises(TransientSourceError):
                await destination.send(REPORT, shard_id=SHARD, payload=EVENT)


@pytest.mark.parametrize("body", [b"busy", b"<html><body>busy</body></html>"])
async def test_str_101_an_answer_nobody_can_read_may_be_tried_again(body: bytes) -> None:
    """Something in between may have answered for the topic."""
    async with hostile_server(http(200, body)) as server, destination_at(server.endpoint_url, TOPIC) as destination:
        with pytest.raises(TransientSourceError, match=r"127\.0\.0\.1"):
            await destination.send(REPORT, shard_id=SHARD, payload=EVENT)


async def test_str_101_a_server_that_never_answers_is_given_up() -> None:
    """It takes connections and says nothing, not even to go on with an object's content."""

    async def send(endpoint_url: str, arn: str) -> None:
        async with destination_at(endpoint_url, arn) as destination:
            with pytest.raises(TransientSourceError) as failure:
                await destination.send(REPORT, shard_id=SHARD, payload=EVENT)
            given_up.append(failure.value.code)

    given_up: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as deaf, anyio.fail_after(30):
        endpoint_url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with anyio.create_task_group() as tasks:
            for arn in (QUEUE, TOPIC, BUCKET):
                tasks.start_soon(send, endpoint_url, arn)

    assert len(given_up) == 3


async def test_str_101_nobody_listening_may_be_tried_again() -> None:
    """A refused connection says where."""
    async with hostile_server(reset) as server:
        endpoint_url = server.endpoint_url
    async with destination_at(endpoint_url, TOPIC) as destination:
        with pytest.raises(TransientSourceError, match=r"127\.0\.0\.1"):
            await destination.send(REPORT, shard_id=SHARD, payload=EVENT)


@pytest.mark.parametrize(("arn", "permission"), [(TOPIC, "sns:Publish"), (BUCKET, "s3:PutObject")])
async def test_str_100_101_a_refused_report_names_the_permission(arn: str, permission: str) -> None:
    """A delivery that is denied is final, and says what to allow."""
    body = b"<%s><Error><Code>AccessDenied</Code><Message>no</Message></Error></%s>"
    denied = http(
        403, body % ((b"ErrorResponse",) * 2) if arn == TOPIC else b"<Error><Code>AccessDenied</Code></Error>"
    )
    async with hostile_server(denied) as server, destination_at(server.endpoint_url, arn) as destination:
        with pytest.raises(AccessRefused, match=permission):
            await destination.send(REPORT, shard_id=SHARD, payload=EVENT)


async def test_str_100_permission_to_send_is_enough_for_a_queue() -> None:
    """Lambda asks for sqs:SendMessage only, so a queue that may not be looked at is sent to all the same."""
    async with hostile_server(error(403, "AccessDenied"), http(200, b'{"MessageId":"m"}')) as server:
        await deliver(server.endpoint_url, QUEUE)

    assert orjson.loads(server.requests[1][1])["QueueUrl"].endswith("/123456789012/failures")


async def test_str_100_permission_to_publish_is_enough_for_a_topic() -> None:
    """The same with sns:Publish."""
    denied = http(403, b"<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>")
    sent = http(200, b"<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>")
    async with hostile_server(denied, sent) as server:
        await deliver(server.endpoint_url, TOPIC)

    assert b"Action=Publish" in server.requests[1][1]


async def test_str_100_a_bucket_that_may_not_be_looked_at_is_refused() -> None:
    """Lambda asks for s3:ListBucket, too, and HeadBucket has no body to say more."""
    async with hostile_server(http(403, b"")) as server, destination_at(server.endpoint_url, BUCKET) as destination:
        with pytest.raises(AccessRefused, match="s3:ListBucket"):
            await destination.check()


async def test_a_queue_deleted_meanwhile_is_an_error_of_the_delivery() -> None:
    """After the start a missing queue is no matter of configuration."""
    async with (
        hostile_server(error(400, "QueueDoesNotExist")) as server,
        destination_at(server.endpoint_url, QUEUE) as destination,
    ):
        with pytest.raises(QueueNotFound):
            await destination.send(REPORT, shard_id=SHARD, payload=EVENT)


async def test_the_destination_is_asked_in_its_own_region() -> None:
    """The region of the ARN goes before that of the stream."""
    arn = QUEUE.replace("us-east-1", "eu-central-1")
    async with (
        hostile_server(http(200, b'{"QueueUrl":"u"}')) as server,
        destination_at(server.endpoint_url, arn) as destination,
    ):
        await destination.check()

    assert "/eu-central-1/sqs/" in server.requests[0][0]["authorization"]


@pytest.mark.parametrize("arn", ["failures", "arn:aws:kinesis:us-east-1:123456789012:stream/s", "arn:aws:s3:::"])
async def test_str_11_what_is_no_destination_is_refused(arn: str) -> None:
    """The text is quoted."""
    settings = AwsSettings(endpoint_url="http://127.0.0.1:1", credentials=LOCAL_CREDENTIALS)
    with pytest.raises(ConfigurationError, match=arn):
        async with open_destination(settings, arn, mapping_uuid=MAPPING):
            pass

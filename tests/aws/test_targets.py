"""Where ends are told: what arrives in a queue, a topic, a bucket, on a bus, at a function, as others see it."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from eventmap.aws.targets import Target, check, open_target
from eventmap.errors import AccessRefused, ConfigurationError, SourceError, TransientSourceError
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.rules.parcel import Parcel, dead_letter_parcel, record_parcel
from tests.servers.process import Server

from .hostile import hostile_server, http, reset, settings_for

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:ends"
TOPIC = "arn:aws:sns:us-east-1:123456789012:ends"
BUCKET = "arn:aws:s3:::ends"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/ends"
OTHER = "arn:aws:lambda:us-east-1:123456789012:function:audit:live"
EVERY_KIND = [QUEUE, TOPIC, BUCKET, BUS, OTHER]

EVENT = QueuedEvent(
    request_id="c0ffee00-0000-4000-8000-000000000001",
    function_name="work",
    payload='{"order": "\uffff\u00e9"}'.encode(),
    accepted_at=1_767_225_600.0,
    due_at=1_767_225_600.0,
)
FAILURE = EventEnd(
    condition="RetriesExhausted",
    ended_at=1_767_225_600.0,
    invoke_count=3,
    response=b'{"errorMessage":"boom","errorType":"ValueError"}',
    function_error="Unhandled",
)
EXPECTED = {
    "version": "1.0",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "requestContext": {
        "requestId": EVENT.request_id,
        "functionArn": f"{FUNCTION}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"order": "\uffff\u00e9"},
    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    "responsePayload": {"errorMessage": "boom", "errorType": "ValueError"},
}


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


def new_queue(sqs: Any, name: str) -> tuple[str, str]:
    """(URL, ARN)."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(sqs: Any, url: str) -> dict[str, Any]:
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"]
    return dict(message)


@asynccontextmanager
async def target_at(endpoint_url: str, arn: str) -> AsyncIterator[Target]:
    async with open_target(settings_for(endpoint_url), arn) as target:
        yield target


async def deliver(endpoint_url: str, arn: str, parcel: Parcel | None = None) -> None:
    """Checked at the start, then sent; by default the record of `FAILURE`."""
    async with target_at(endpoint_url, arn) as target:
        await check(target)
        await target.send(parcel or record_of(arn))


def record_of(arn: str) -> Parcel:
    return record_parcel(arn, EVENT, FAILURE, FUNCTION, datetime(2026, 1, 1, tzinfo=UTC))


async def test_inv_55_a_queue_gets_the_record_as_a_message(
    aws_server: Server, client: Callable[[str], Any], name: str
) -> None:
    """The body is the record, whatever characters the event had."""
    sqs = client("sqs")
    url, arn = new_queue(sqs, name)

    await deliver(aws_server.endpoint_url, arn)

    message = received(sqs, url)
    assert list(orjson.loads(message["Body"]).items()) == list(EXPECTED.items())
    assert "MessageAttributes" not in message


async def test_inv_56_a_topic_passes_the_record_on(aws_server: Server, client: Callable[[str], Any], name: str) -> None:
    """A queue behind the topic gets it as the notification's message."""
    sqs, sns = client("sqs"), client("sns")
    url, arn = new_queue(sqs, name)
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    await deliver(aws_server.endpoint_url, topic)

    assert orjson.loads(orjson.loads(received(sqs, url)["Body"])["Message"]) == EXPECTED


async def test_inv_65_a_dead_letter_in_a_queue_is_the_event_with_three_attributes(
    aws_server: Server, client: Callable[[str], Any], name: str
) -> None:
    """Their names, types and values are Lambda's."""
    sqs = client("sqs")
    url, arn = new_queue(sqs, name)

    await deliver(aws_server.endpoint_url, arn, dead_letter_parcel(EVENT, FAILURE))

    message = received(sqs, url)
    assert orjson.loads(message["Body"]) == {"order": "\uffff\u00e9"}
    assert message["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": EVENT.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "boom"},
    }


async def test_inv_65_a_dead_letter_through_a_topic_keeps_its_attributes(
    aws_server: Server, client: Callable[[str], Any], name: str
) -> None:
    """A queue that takes raw messages sees them as it would from Lambda."""
    sqs, sns = client("sqs"), client("sns")
    url, arn = new_queue(sqs, name)
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    await deliver(aws_server.endpoint_url, topic, dead_letter_parcel(EVENT, FAILURE))

    message = received(sqs, url)
    assert orjson.loads(message["Body"]) == {"order": "\uffff\u00e9"}
    assert {key: each["StringValue"] for key, each in message["MessageAttributes"].items()} == {
        "RequestID": EVENT.request_id,
        "ErrorCode": "200",
        "ErrorMessage": "boom",
    }


async def test_inv_58_a_rule_of_the_bus_finds_the_record(
    aws_server: Server, client: Callable[[str], Any], name: str
) -> None:
    """By source and detail type, with bus and function as its resources."""
    sqs, events = client("sqs"), client("events")
    url, arn = new_queue(sqs, name)
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    pattern = {"source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Failure"]}
    events.put_rule(Name=name, EventBusName=name, EventPattern=orjson.dumps(pattern).decode())
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": arn}])

    await deliver(aws_server.endpoint_url, bus)

    event = orjson.loads(received(sqs, url)["Body"])
    assert (event["source"], event["detail-type"]) == ("lambda", "Lambda Function Invocation Result - Failure")
    assert event["resources"] == [bus, f"{FUNCTION}:$LATEST"]
    assert event["detail"] == EXPECTED


async def test_inv_59_a_bucket_keeps_the_record_as_one_object(
    aws_server: Server, client: Callable[[str], Any], name: str
) -> None:
    """Sent again after a lost answer it is the same object."""
    s3 = client("s3")
    s3.create_bucket(Bucket=name)

    for _ in range(2):
        await deliver(aws_server.endpoint_url, f"arn:aws:s3:::{name}", record_of(BUCKET))

    [listed] = s3.list_objects_v2(Bucket=name)["Contents"]
    assert listed["Key"].startswith("aws/lambda/async/work/2026/01/01/2026-01-01T00.00.00-")
    assert orjson.loads(s3.get_object(Bucket=name, Key=listed["Key"])["Body"].read()) == EXPECTED


async def test_inv_57_a_function_elsewhere_is_invoked_asynchronously() -> None:
    """Asked first whether it may be invoked, then given the record as its event, by the alias in its ARN."""
    async with hostile_server(http(204, b""), http(202, b"")) as server:
        await deliver(server.endpoint_url, OTHER)

    assert [headers["x-amz-invocation-type"] for headers, _ in server.requests] == ["DryRun", "Event"]
    assert orjson.loads(server.requests[1][1]) == EXPECTED
    path = f"/2015-03-31/functions/{urllib.parse.quote(OTHER, safe='')}/invocations"
    assert server.lines == [f"POST {path} HTTP/1.1"] * 2


@pytest.mark.parametrize("kind", ["sqs", "sns", "s3", "events", "lambda"])
async def test_inv_63_a_missing_target_is_refused_at_the_start(aws_server: Server, kind: str, name: str) -> None:
    """In AWS' words."""
    resource = {"events": f"event-bus/{name}", "lambda": f"function:{name}"}.get(kind, name)
    place = ":" if kind == "s3" else f"us-east-1:{aws_server.account_id}"
    arn = f"arn:aws:{kind}:{place}:{resource}"
    async with target_at(aws_server.endpoint_url, arn) as target:
        with pytest.raises(ConfigurationError, match=f"^The destination ARN {arn} is invalid"):
            await check(target)


@pytest.mark.parametrize("arn", ["ends", "arn:aws:kinesis:us-east-1:123456789012:stream/s", "arn:aws:sqs:::"])
async def test_inv_63_what_is_no_target_is_refused(arn: str) -> None:
    """The text is quoted."""
    with pytest.raises(ConfigurationError, match=f"The destination ARN {arn} is invalid"):
        async with target_at("http://127.0.0.1:1", arn):
            pass


@pytest.mark.parametrize("arn", EVERY_KIND)
async def test_inv_66_a_target_that_is_down_may_be_tried_again(arn: str) -> None:
    """A reset, a busy server and a throttled call are passing."""
    for answer in (reset, http(503, b""), http(429, b"")):
        async with hostile_server(answer) as server, target_at(server.endpoint_url, arn) as target:
            with pytest.raises(TransientSourceError):
                await target.send(record_of(arn))


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ThrottlingException", TransientSourceError), ("NotAuthorizedForDetailTypeException", SourceError)],
)
async def test_inv_58_66_an_entry_that_the_bus_did_not_take_is_a_failure(code: str, kind: type[SourceError]) -> None:
    """Though the call itself succeeded; some codes may be tried again."""
    body = orjson.dumps({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]})
    async with hostile_server(http(200, body)) as server, target_at(server.endpoint_url, BUS) as target:
        with pytest.raises(kind, match=f"PutEvents .*{code}: no") as failure:
            await target.send(record_of(BUS))

    assert type(failure.value) is kind


async def test_inv_58_66_an_answer_without_entries_may_be_tried_again() -> None:
    """Something else than EventBridge said that one failed."""
    async with (
        hostile_server(http(200, b'{"FailedEntryCount":1}')) as server,
        target_at(server.endpoint_url, BUS) as target,
    ):
        with pytest.raises(TransientSourceError, match="readable"):
            await target.send(record_of(BUS))


@pytest.mark.parametrize(
    ("arn", "denied", "accepted"),
    [
        (QUEUE, b'{"__type":"AccessDeniedException"}', b'{"MessageId":"m"}'),
        (
            TOPIC,
            b"<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>",
            b"<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>",
        ),
        (BUS, b'{"__type":"AccessDeniedException"}', b'{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}'),
    ],
)
async def test_inv_55_58_permission_to_send_is_enough(arn: str, denied: bytes, accepted: bytes) -> None:
    """What may not be looked at is sent to all the same."""
    async with hostile_server(http(403, denied), http(200, accepted)) as server:
        await deliver(server.endpoint_url, arn)

    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("arn", "permission"),
    [(BUS, "events:PutEvents"), (OTHER, "lambda:InvokeFunction"), (TOPIC, "sns:Publish"), (BUCKET, "s3:PutObject")],
)
async def test_inv_66_a_refused_record_names_the_permission(arn: str, permission: str) -> None:
    """What is denied is final, and says what to allow."""
    body = {
        TOPIC: b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
        BUCKET: b"<Error><Code>AccessDenied</Code></Error>",
    }.get(arn, b'{"__type":"AccessDeniedException","message":"no"}')
    denied = http(403, body, "x-amzn-ErrorType: AccessDeniedException")
    async with hostile_server(denied) as server, target_at(server.endpoint_url, arn) as target:
        with pytest.raises(AccessRefused, match=permission):
            await target.send(record_of(arn))


async def test_inv_57_a_function_that_may_not_be_invoked_is_refused_at_the_start() -> None:
    """The question asks for no more than is needed later."""
    denied = http(403, b'{"message":"no"}', "x-amzn-ErrorType: AccessDeniedException")
    async with hostile_server(denied) as server, target_at(server.endpoint_url, OTHER) as target:
        with pytest.raises(AccessRefused, match="lambda:InvokeFunction"):
            await check(target)


@pytest.mark.parametrize("arn", [arn for arn in EVERY_KIND if arn != BUCKET])
async def test_a_target_is_asked_in_its_own_region(arn: str) -> None:
    """The region of the ARN goes before that of the settings."""
    there = arn.replace("us-east-1", "eu-central-1")
    async with hostile_server(http(400, b"")) as server, target_at(server.endpoint_url, there) as target:
        with pytest.raises(SourceError):
            await target.send(record_of(arn))

    assert f"/eu-central-1/{arn.split(':')[2]}/" in server.requests[0][0]["authorization"]

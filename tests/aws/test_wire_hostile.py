"""What the wire makes of a server that misbehaves; every test is under a deadline."""

from __future__ import annotations

import anyio
import orjson
import pytest

from eventmap.aws.session import AwsSettings, open_sqs
from eventmap.aws.signing import Credentials
from eventmap.aws.sqs import SqsWire
from eventmap.errors import (
    AccessRefused,
    ConfigurationError,
    EventmapError,
    QueueNotFound,
    SourceError,
    TransientSourceError,
)

from .hostile import Answer, endless, error, hostile_server, http, raw, reset, silence, wire_to

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
EMPTY = http(200, b"{}")


async def receive(wire: SqsWire) -> list[dict[str, object]]:
    with anyio.fail_after(25):
        return await wire.receive_message(QUEUE, max_number_of_messages=10, wait_time_seconds=0)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (reset, TransientSourceError, "ConnectionLost"),
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), TransientSourceError, "ConnectionLost"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), TransientSourceError, "ConnectionLost"),
        (http(503, b"<html>busy</html>"), TransientSourceError, "503"),
        (http(429, b""), TransientSourceError, "429"),
        (error(400, "ThrottlingException"), TransientSourceError, "ThrottlingException"),
        (error(403, "OverLimit"), TransientSourceError, "OverLimit"),
        (error(400, "QueueDoesNotExist"), QueueNotFound, "AWS.SimpleQueueService.NonExistentQueue"),
        (error(403, "AccessDenied"), AccessRefused, "AccessDenied"),
        (http(200, b"<ReceiveMessageResponse/>"), SourceError, "NotJsonProtocol"),
        (http(200, b"[]"), SourceError, "NotJsonProtocol"),
        (http(200, b'"text"'), SourceError, "NotJsonProtocol"),
        (http(404, b"<ErrorResponse/>"), SourceError, "NotJsonProtocol"),
        (http(302, b"", "Location: http://127.0.0.1:1/"), SourceError, "NotJsonProtocol"),
        (endless, SourceError, "ResponseTooLarge"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{"), SourceError, "ResponseTooLarge"),
    ],
)
async def test_a_bad_answer_is_one_error_with_a_code(answer: Answer, kind: type[SourceError], code: str) -> None:
    """Whatever comes back, the caller sees a SourceError of the right kind, and no second request is made."""
    async with hostile_server(answer) as server, wire_to(server.endpoint_url) as wire:
        with pytest.raises(EventmapError) as failure:
            await receive(wire)

    assert type(failure.value) is kind
    assert isinstance(failure.value, SourceError) and failure.value.code == code
    assert len(server.requests) == 1


async def test_after_a_failure_the_next_call_works() -> None:
    """A reset, a truncated answer and a 503 leave nothing behind, even with a single connection."""
    answers = (reset, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), http(503, b""), EMPTY)
    async with hostile_server(*answers) as server, wire_to(server.endpoint_url, connection_limit=1) as wire:
        for _ in range(3):
            with pytest.raises(TransientSourceError):
                await receive(wire)

        assert await receive(wire) == []


async def test_once_a_server_spoke_sqs_garbage_is_an_incident() -> None:
    """A worker that runs for days survives a proxy's error page."""
    async with hostile_server(EMPTY, http(200, b"<html/>"), EMPTY) as server, wire_to(server.endpoint_url) as wire:
        await receive(wire)
        with pytest.raises(TransientSourceError) as failure:
            await receive(wire)
        await receive(wire)

    assert failure.value.code == "NotJsonProtocol"


async def test_a_cancelled_call_leaves_the_wire_usable() -> None:
    """Cancelling a long poll frees its connection for the next call."""
    async with hostile_server(silence, EMPTY) as server, wire_to(server.endpoint_url, connection_limit=1) as wire:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive, wire)
            await server.received.wait()
            tasks.cancel_scope.cancel()

        assert await receive(wire) == []


async def test_a_server_that_never_answers_is_given_up() -> None:
    """The answer is awaited for the long poll's own wait and ten seconds more."""
    async with hostile_server(silence) as server, wire_to(server.endpoint_url) as wire:
        with pytest.raises(TransientSourceError) as failure:
            await receive(wire)

    assert failure.value.code == "Timeout"


async def test_nobody_listening_says_so() -> None:
    """A refused connection is worth another try and asks whether the server runs."""
    async with hostile_server(EMPTY) as server:
        endpoint_url = server.endpoint_url
    async with wire_to(endpoint_url) as wire:
        with pytest.raises(TransientSourceError, match="is the server running") as failure:
            await receive(wire)

    assert failure.value.code == "ConnectionLost"


async def test_a_host_that_never_resolved_asks_for_the_region() -> None:
    """A name without an address is most likely a misspelt region; .invalid never has one."""
    async with wire_to("http://sqs.eu-wst-1.invalid") as wire:
        with pytest.raises(SourceError, match="--region") as failure:
            await receive(wire)

    assert failure.value.code == "UnknownHost"


async def test_requests_go_to_the_endpoint_and_carry_what_sqs_needs() -> None:
    """The QueueUrl's host is only quoted, never contacted; the request is signed and wants all attributes (SQS-22)."""
    async with hostile_server(EMPTY) as server, wire_to(server.endpoint_url) as wire:
        await wire.receive_message(QUEUE, max_number_of_messages=3, wait_time_seconds=0, visibility_timeout=90)

    headers, body = server.requests[0]
    assert headers["x-amz-target"] == "AmazonSQS.ReceiveMessage"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["host"] == server.endpoint_url.removeprefix("http://")
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert orjson.loads(body) == {
        "QueueUrl": QUEUE,
        "MaxNumberOfMessages": 3,
        "WaitTimeSeconds": 0,
        "VisibilityTimeout": 90,
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["All"],
        "AttributeNames": ["All"],
    }


@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        (b'{"Successful":[{"Id":"0"},{"Id":"1"}],"Failed":[]}', {}),
        (
            b'{"Successful":[{"Id":"1"}],"Failed":[{"Id":"0","Code":"ReceiptHandleIsInvalid"}]}',
            {0: "ReceiptHandleIsInvalid"},
        ),
        (b'{"Failed":[{"Id":"1","Code":"InternalError"}]}', {0: "NotConfirmed", 1: "InternalError"}),
        (b"{}", {0: "NotConfirmed", 1: "NotConfirmed"}),
    ],
)
async def test_sqs_62_only_confirmed_entries_count_as_deleted(answer: bytes, failures: dict[int, str]) -> None:
    """An entry the answer does not confirm has failed, whether it says so or not."""
    async with hostile_server(http(200, answer)) as server, wire_to(server.endpoint_url) as wire:
        assert await wire.delete_message_batch(QUEUE, ["a", "b"]) == failures


async def test_an_empty_batch_makes_no_call() -> None:
    """AWS refuses an empty batch, so none is sent."""
    async with hostile_server(EMPTY) as server, wire_to(server.endpoint_url) as wire:
        assert await wire.delete_message_batch(QUEUE, []) == {}

    assert server.requests == []


class Rotating:
    """A credential source whose first keys have expired."""

    def __init__(self) -> None:
        self.keys = Credentials("old", "s", "t")

    async def current(self) -> Credentials:
        return self.keys

    async def renewed(self) -> Credentials:
        self.keys = Credentials("new", "s", "t")
        return self.keys


async def test_expired_credentials_are_renewed_and_the_call_is_made_again() -> None:
    """One refresh, one more attempt, and the caller notices nothing."""
    async with (
        hostile_server(error(403, "ExpiredToken"), EMPTY) as server,
        SqsWire(server.endpoint_url, region="us-east-1", credentials=Rotating()) as wire,
    ):
        assert await receive(wire) == []

    keys = [headers["authorization"].split("Credential=")[1][:3] for headers, _ in server.requests]
    assert keys == ["old", "new"]
    assert server.requests[1][0]["x-amz-security-token"] == "t"


async def test_credentials_that_stay_expired_are_refused_after_one_refresh() -> None:
    """The second refusal is final and says how to sign in again."""
    async with (
        hostile_server(error(403, "ExpiredToken")) as server,
        SqsWire(server.endpoint_url, region="us-east-1", credentials=Rotating()) as wire,
    ):
        with pytest.raises(AccessRefused, match="aws sso login"):
            await receive(wire)

    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "endpoint_url", ["", "localhost:4566", "ftp://h", "http://", "http://h?x=1", "http://u:p@h", "http://h:x"]
)
async def test_a_bad_endpoint_is_refused_before_any_call(endpoint_url: str) -> None:
    """What is not http(s)://HOST[:PORT] is quoted in the message."""
    with pytest.raises(ConfigurationError, match="endpoint URL"):
        SqsWire(endpoint_url, region="us-east-1", credentials=Rotating())


async def test_a_closed_wire_says_how_to_use_it() -> None:
    """Forgetting `async with` is a programming error, not a lost connection."""
    settings = AwsSettings(endpoint_url="http://127.0.0.1:1", credentials=Credentials("test", "test"))
    async with open_sqs(settings) as wire:
        pass

    with pytest.raises(RuntimeError, match="async with"):
        await receive(wire)

"""Paths, methods, receivers, health, and who is let in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from eventmap.server.door import is_expected
from eventmap.server.settings import ServerLimits, ServerSettings

from .scene import functions, request


@dataclass
class Postbox:
    """A receiver that keeps what comes."""

    body_limit_bytes: int = 1_000
    is_self_proving: bool = True
    status: int = 200
    received: list[tuple[str, bytes]] = field(default_factory=list)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        self.received.append((headers.get("x-amz-sns-message-type", ""), body))
        return self.status, "thank you"


@dataclass
class Broken:
    """A receiver with a defect."""

    body_limit_bytes: int = 1_000
    is_self_proving: bool = True

    async def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        raise RuntimeError("a defect")


async def test_a_receiver_gets_headers_and_body_and_answers_in_its_words() -> None:
    """Whatever it says is sent; counted by whether it took the request."""
    postbox = Postbox()

    async with functions(receivers={"/sns/orders": postbox}) as scene:
        taken = await request(scene.app, "/sns/orders", b"{}", x_amz_sns_message_type="Notification")
        encoded = await request(scene.app, "/sns%2Forders", b"{}")
        postbox.status = 403
        refused = await request(scene.app, "/sns/orders", b"{}")

    assert (taken.status, taken.body, encoded.status, refused.status) == (200, b"thank you\n", 200, 403)
    assert postbox.received[0] == ("Notification", b"{}")
    assert (scene.statistics.pushes, scene.statistics.pushes_refused) == (2, 1)


async def test_a_receiver_that_proves_nothing_itself_is_for_signed_callers() -> None:
    """With access keys, as for the API; one that judges its senders itself, as SNS' does, is for everybody."""
    settings = ServerSettings(access_keys={"AKID": "secret"})
    trusting, proving = Postbox(is_self_proving=False), Postbox()
    signed = AWSRequest("POST", "http://127.0.0.1/s3/orders", data=b"{}", headers={"Host": "127.0.0.1"})
    SigV4Auth(Credentials("AKID", "secret"), "lambda", "us-east-1").add_auth(signed)

    async with functions(receivers={"/s3/orders": trusting, "/sns/orders": proving}, settings=settings) as scene:
        refused = await request(scene.app, "/s3/orders", b"{}")
        taken = await request(
            scene.app,
            "/s3/orders",
            b"{}",
            host="127.0.0.1",
            authorization=signed.headers["Authorization"],
            x_amz_date=signed.headers["X-Amz-Date"],
        )
        open_to_all = await request(scene.app, "/sns/orders", b"{}")

    assert (refused.status, taken.status, open_to_all.status) == (403, 200, 200)
    assert (len(trusting.received), len(proving.received)) == (1, 1)


async def test_a_receivers_limit_holds_before_it_is_asked() -> None:
    """A request that is too large, compressed or slow never reaches it."""
    postbox = Postbox(body_limit_bytes=10)

    async with functions(receivers={"/sns/orders": postbox}) as scene:
        answers = [
            await request(scene.app, "/sns/orders", b"x" * 11),
            await request(scene.app, "/sns/orders", b"x", content_encoding="gzip"),
            await request(scene.app, "/sns/orders", b"x", transfer_encoding="gzip, chunked"),
        ]

    assert [answer.status for answer in answers] == [413, 415, 415]
    assert (postbox.received, scene.refused) == ([], {"size": 1, "encoding": 2})


async def test_an_identity_encoding_is_none() -> None:
    """Some clients say so."""
    async with functions() as scene:
        assert (await request(scene.app, body=b"{}", content_encoding="identity")).status == 200


@pytest.mark.virtual_time
async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """408 after the time there is for it; the deadline is for the whole body."""
    import anyio

    settings = ServerSettings(limits=ServerLimits(body_timeout_s=20))
    sent = []

    async with functions(settings=settings) as scene:
        pieces = iter(range(100))

        async def receive() -> dict[str, object]:
            await anyio.sleep(7)
            next(pieces)
            return {"type": "http.request", "body": b" ", "more_body": True}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/2015-03-31/functions/orders/invocations",
            "raw_path": b"/2015-03-31/functions/orders/invocations",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        await scene.app(scope, receive, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == 408
    assert scene.refused == {"slow": 1}


async def test_a_client_that_hangs_up_is_not_answered() -> None:
    """There is nobody; the function does not run on half a request."""
    async with functions() as scene:
        with pytest.raises(ValueError, match="not enough values"):
            await request(scene.app, body=[])

    assert (scene.refused, scene.statistics.invocations) == ({"disconnected": 1}, 0)


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/", (404, "UnknownOperationException")),
        ("POST", "/2015-03-31/functions", (404, "UnknownOperationException")),
        ("POST", "/2015-03-31/functions/orders/code", (404, "UnknownOperationException")),
        ("POST", "/2015-03-31/functions/orders/invoke-async", (404, "UnknownOperationException")),
        ("POST", "//2015-03-31/functions/orders/invocations", (404, "UnknownOperationException")),
        ("GET", "/2015-03-31/functions/orders/invocations", (405, "MethodNotAllowedException")),
        ("PUT", "/sns/orders", (405, "MethodNotAllowedException")),
        ("POST", "/healthz", (405, "MethodNotAllowedException")),
    ],
)
async def test_unknown_paths_and_methods(method: str, path: str, error: tuple[int, str]) -> None:
    """In AWS' form; a wrong method is told which one is right."""
    async with functions(receivers={"/sns/orders": Postbox()}) as scene:
        answer = await request(scene.app, path, method=method)

    assert answer.error == error
    assert answer.json["message"]
    assert ("allow" in answer.headers) is (answer.status == 405)
    assert scene.refused == {"path": 1}


async def test_ping_and_health() -> None:
    """As the emulator answers, and what stands still."""
    problems: list[str] = []

    async with functions(problems=lambda: problems) as scene:
        ping = await request(scene.app, "/2018-06-01/ping", method="GET")
        well = await request(scene.app, "/healthz", method="GET")
        problems.append("mapping of queue orders: no receive ended for 90 s")
        ill = await request(scene.app, "/healthz", method="GET")

    assert (ping.body, well.status, well.body) == (b"pong", 200, b"ok\n")
    assert (ill.status, ill.body) == (503, b"mapping of queue orders: no receive ended for 90 s\n")


async def test_a_defect_is_answered_with_500_and_the_next_request_is_served(caplog: pytest.LogCaptureFixture) -> None:
    """With a traceback in the log and nothing of it in the answer."""
    async with functions(receivers={"/broken": Broken()}) as scene:
        answer = await request(scene.app, "/broken")
        after = await request(scene.app, body=b"{}")

    assert answer.error == (500, "ServiceException")
    assert b"defect" not in answer.body
    assert after.status == 200
    assert "a defect" in caplog.text
    assert "request.failed" in caplog.text


async def test_what_is_no_http_is_left_alone() -> None:
    """A host application may send its lifespan here."""
    async with functions() as scene:
        await scene.app({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert scene.statistics.requests == 0


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST:9000", True),
        ("127.0.0.1:9000", True),
        ("10.0.0.7", True),
        ("[::1]:9000", True),
        ("[::1]", True),
        ("hooks.example.com", True),
        ("Hooks.Example.com:443", True),
        ("", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.nip.example:9000", False),
        ("[::1", False),
        ("[::1]x", False),
        ("hooks.example.com.", False),
        ("hooks.example.com@evil", False),
    ],
)
def test_hosts_by_which_this_server_is_known(host: str, expected: bool) -> None:
    """An address, localhost, or the public name; the port does not matter."""
    assert is_expected(host, frozenset({"hooks.example.com"})) is expected


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}])
@pytest.mark.parametrize("path", ["/2015-03-31/functions/orders/invocations", "/sns/orders", "/nowhere"])
async def test_requests_of_web_pages_are_refused(path: str, headers: dict[str, str]) -> None:
    """A page in a browser of this machine, with its own name for us or ours."""
    async with functions(receivers={"/sns/orders": Postbox()}) as scene:
        answer = await request(scene.app, path, b"{}", **headers)

    assert answer.error == (403, "AccessDeniedException")
    assert (scene.refused, scene.statistics.invocations) == ({"host": 1}, 0)

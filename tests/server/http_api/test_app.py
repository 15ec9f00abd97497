"""The gateway over ASGI, in front of functions that really run, on virtual time."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.errors import ConfigurationError
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.testing import http_api

pytestmark = pytest.mark.virtual_time

FORMATS = ("2.0", "1.0", "url", "alb")


def route(text: str, function_name: str, **settings: Any) -> HttpRoute:
    return HttpRoute(route=text, function_name=function_name, **settings)


async def echo(event, context):
    return {"event": event, "request_id": context.aws_request_id}


async def hello(event, context):
    return {"statusCode": 200, "headers": {"access-control-allow-origin": "https://of-the-handler"}, "body": "hello"}


def raises(event, context):
    raise ValueError("boom")


async def nap(event, context):
    await anyio.sleep(10)
    return {"statusCode": 200, "body": "rested"}


async def test_a_request_is_one_invocation() -> None:
    """The id of the request is the invocation's, and the answer tells it."""
    async with http_api(echo, route="GET /orders/{id}") as client:
        answer = await client.get("/orders/7", params={"a": "b c"}, headers={"X-Amzn-Trace-Id": "Root=1-a"})
        told = answer.json()

    assert answer.status_code == 200
    assert told["event"]["pathParameters"] == {"id": "7"}
    assert told["event"]["rawQueryString"] == "a=b+c"
    assert told["request_id"] == told["event"]["requestContext"]["requestId"] == answer.headers["x-amzn-requestid"]
    assert client.statistics.invocations == 1


async def test_each_route_has_its_function() -> None:
    """And its format."""

    async def named(event, context):
        return {"statusCode": 200, "body": context.function_name}

    routes = [route("GET /a", "one"), route("GET /b", "other", payload_format="1.0"), route("$default", "one")]
    async with http_api({"one": named, "other": named}, routes=routes) as client:
        answers = [await client.get(path) for path in ("/a", "/b", "/c")]

    assert [answer.text for answer in answers] == ["one", "other", "one"]
    assert [answer.headers["content-type"].split(";")[0] for answer in answers] == [
        "text/plain",
        "application/json",
        "text/plain",
    ]


async def test_routes_that_collide_start_nothing() -> None:
    """Both are named."""
    with pytest.raises(ConfigurationError, match=r"'GET /\{a\}' of function 'one' and route 'GET /\{b\}'"):
        async with http_api({"one": echo}, routes=[route("GET /{a}", "one"), route("GET /{b}", "one")]):
            pass


@pytest.mark.parametrize(("payload_format", "status"), [("2.0", 404), ("1.0", 403), ("url", 404), ("alb", 404)])
async def test_a_path_of_no_route(payload_format: Any, status: int) -> None:
    """What the gateway says of it; no function runs."""
    async with http_api(echo, route="GET /a", payload_format=payload_format) as client:
        assert (await client.get("/b")).status_code == status
        assert (await client.post("/a")).status_code == status
        assert (await client.head("/a")).status_code == status

    assert (client.statistics.invocations, client.statistics.refused) == (0, {"unknown": 3})


@pytest.mark.parametrize(("payload_format", "status"), [("2.0", 500), ("1.0", 502), ("url", 502), ("alb", 502)])
async def test_src_93_99_102_104_a_function_that_fails(payload_format: Any, status: int) -> None:
    """SRC-93, SRC-99, SRC-102, SRC-104: and nothing of what it raised is told."""
    async with http_api(raises, payload_format=payload_format) as client:
        answer = await client.get("/")

    assert answer.status_code == status
    assert "boom" not in answer.text
    assert (client.statistics.invocations, client.statistics.refused) == (1, {"failed": 1})


@pytest.mark.parametrize(("payload_format", "status"), [("2.0", 500), ("1.0", 502), ("url", 502), ("alb", 502)])
async def test_src_92_97_104_a_function_that_answers_rubbish(
    payload_format: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """SRC-92, SRC-97, SRC-104: the client gets an error, the log says which member is wrong."""

    async def rubbish(event, context):
        return {"statusCode": 200, "body": {"secret": 1}}

    async with http_api(rubbish, payload_format=payload_format) as client:
        assert (await client.get("/")).status_code == status

    assert "body is not a string" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("payload_format", FORMATS)
async def test_src_93_102_a_function_that_is_busy(payload_format: Any) -> None:
    """SRC-93, SRC-102: 429; a function reserved to 0 is always busy."""
    function = Function(handler=echo, function_name="f", reserved_concurrent_executions=0)
    async with http_api({"f": function}, routes=[route("$default", "f", payload_format=payload_format)]) as client:
        answer = await client.get("/")

    assert (answer.status_code, client.statistics.refused) == (429, {"busy": 1})


async def test_a_function_that_left_is_told_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """The log names it."""
    async with http_api({}, routes=[route("$default", "gone")]) as client:
        assert (await client.get("/")).status_code == 500

    assert "there is no function 'gone'" in caplog.text


@pytest.mark.parametrize(
    ("payload_format", "timeout_s", "status"),
    [("2.0", None, 503), ("1.0", None, 504), ("2.0", 5, 503), ("alb", 5, 504)],
)
async def test_src_93_99_a_client_waits_so_long(payload_format: Any, timeout_s: float | None, status: int) -> None:
    """SRC-93, SRC-99: then it is told; the function runs on to its end, as on AWS."""
    ended_at = []

    async def slow(event, context):
        await anyio.sleep(100)
        ended_at.append(elapsed_s())

    function = Function(handler=slow, function_name="f", timeout=900)
    routes = [route("$default", "f", payload_format=payload_format, timeout_s=timeout_s)]
    async with http_api({"f": function}, routes=routes) as client:
        answer = await client.get("/")

    assert answer.status_code == status
    assert answer.arrived_at == [{"2.0": 30, "1.0": 29}[payload_format] if timeout_s is None else timeout_s]
    assert ended_at == [100]
    assert client.statistics.refused == {"late": 1}


async def test_a_function_that_is_in_time_is_answered_for() -> None:
    """Though it might have taken longer than the client would wait."""
    function = Function(handler=nap, function_name="f", timeout=60)
    async with http_api({"f": function}, routes=[route("$default", "f")]) as client:
        answer = await client.get("/")

    assert (answer.text, answer.arrived_at) == ("rested", [10])


@pytest.mark.parametrize(("payload_format", "status"), [("2.0", 500), ("1.0", 502), ("url", 502)])
async def test_src_93_99_102_a_function_that_times_out(payload_format: Any, status: int) -> None:
    """SRC-93, SRC-99, SRC-102: at its own timeout, if that comes first."""
    async with http_api(nap, payload_format=payload_format) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.arrived_at) == (status, [3])


@pytest.mark.parametrize(
    ("payload_format", "limit_bytes"),
    [("2.0", 10_485_760), ("1.0", 10_485_760), ("url", 6_291_456), ("alb", 1_048_576)],
)
async def test_src_94_102_104_bodies_are_limited(payload_format: Any, limit_bytes: int) -> None:
    """SRC-94, SRC-102, SRC-104: one announced as larger is not even read; what Lambda would not take is told too."""
    headers = {"content-type": "text/plain"}
    async with http_api(echo, payload_format=payload_format) as client:
        announced = await client.post("/", headers={**headers, "content-length": str(limit_bytes + 1)}, content=b"x")
        larger = await client.post("/", headers=headers, content=b"x" * (limit_bytes + 1))
        within = await client.post("/", headers=headers, content=b"x" * min(limit_bytes, 6_280_000))
        no_event = await client.post("/", headers=headers, content=b"x" * min(limit_bytes, 6_291_400))

    assert (announced.status_code, announced.headers["connection"]) == (413, "close")
    assert larger.status_code == 413
    assert within.status_code in (200, 502, 500)  # the function ran; its answer may be too large in turn
    assert no_event.status_code == (502 if payload_format == "alb" else 413)
    assert client.statistics.invocations == (2 if payload_format == "alb" else 1)


async def test_a_body_in_no_hurry_is_not_waited_for() -> None:
    """408 after the server's patience."""
    answers: list[Any] = []

    async with http_api(echo) as client:
        scope = {
            "type": "http",
            "method": "POST",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-length", b"5")],
        }

        async def receive() -> Any:
            await anyio.sleep_forever()

        async def send(message: Any) -> None:
            answers.append(message)

        await client.app(scope, receive, send)

    assert answers[0]["status"] == 408
    assert (elapsed_s(), client.statistics.refused) == (20, {"slow": 1})


@pytest.mark.parametrize("path", ["/%", "/%zz", "/a?b=%4", "*"])
async def test_a_url_that_is_none_reaches_no_function(path: str) -> None:
    """400."""
    async with http_api(echo) as client:
        answer = await client.get(path)

    assert (answer.status_code, client.statistics.refused) == (400, {"malformed": 1})


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 403), ("", 403)],
)
async def test_a_host_that_is_not_ours_is_refused(host: str, status: int) -> None:
    """A web page could have let its own name lead here (DNS rebinding); the line says what to do."""
    async with http_api(hello) as client:
        answer = await client.get("/", headers={"host": host})

    assert answer.status_code == status
    assert ("public URL" in answer.text) == (status == 403)


async def test_web_pages_may_call() -> None:
    """Unlike the API of AWS' beside: a gateway is for them; without CORS they see nothing of the answer."""
    async with http_api(echo) as client:
        answer = await client.post("/", headers={"origin": "https://a.example"})

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


CORS = {
    "AllowOrigins": ["https://a.example", "http://*"],
    "AllowMethods": ["GET", "PUT"],
    "AllowHeaders": ["x-a", "x-b"],
    "ExposeHeaders": ["x-c"],
    "AllowCredentials": True,
    "MaxAge": 600,
}


def preflight(origin: str, method: str = "GET") -> dict[str, str]:
    return {"origin": origin, "access-control-request-method": method}


@pytest.mark.parametrize("payload_format", ["2.0", "url"])
async def test_src_102_a_preflight_is_answered_for_the_function(payload_format: Any) -> None:
    """SRC-102: which is not even asked."""
    async with http_api(hello, payload_format=payload_format, cors=CORS) as client:
        answer = await client.options("/", headers=preflight("https://a.example"))

    assert (answer.status_code, answer.content, client.statistics.invocations) == (204, b"", 0)
    assert {name: value for name, value in answer.headers.items() if name.startswith(("access", "vary"))} == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-a,x-b",
        "access-control-max-age": "600",
        "vary": "Origin",
    }


@pytest.mark.parametrize("origin", ["https://b.example", "null", "ftp://a.example"])
async def test_src_102_another_origin_is_allowed_nothing(origin: str) -> None:
    """SRC-102: and its requests are answered without a word of CORS, the handler's own included."""
    async with http_api(hello, cors=CORS) as client:
        before = await client.options("/", headers=preflight(origin))
        answer = await client.get("/", headers={"origin": origin})

    assert (before.status_code, answer.status_code) == (204, 200)
    for each in (before, answer):
        assert not any(name.startswith("access-control") for name in each.headers)
        assert each.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://a.example", "http://b.example"])
async def test_src_102_an_allowed_origin_sees_the_answer(origin: str) -> None:
    """SRC-102: the configuration's headers replace the handler's."""
    async with http_api(hello, cors=CORS) as client:
        answer = await client.get("/", headers={"origin": origin})

    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-expose-headers"] == "x-c"
    assert answer.headers["access-control-allow-credentials"] == "true"


async def test_src_102_any_origin() -> None:
    """SRC-102: is a star, and caches need not know; errors are seen too."""
    async with http_api(raises, cors={"AllowOrigins": ["*"]}) as client:
        answer = await client.get("/", headers={"origin": "https://a.example"})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (500, "*")
    assert "vary" not in answer.headers


@pytest.mark.parametrize(
    ("cors", "headers"),
    [(None, preflight("https://a.example")), (CORS, {}), (CORS, {"access-control-request-method": "GET"})],
)
async def test_options_is_a_method_like_any_other(cors: Any, headers: dict[str, str]) -> None:
    """Without CORS, and without being a preflight."""
    async with http_api(hello, cors=cors) as client:
        answer = await client.options("/", headers=headers)

    assert (answer.text, client.statistics.invocations) == ("hello", 1)


async def test_a_preflight_is_of_the_route_it_asks_for() -> None:
    """Not of one that OPTIONS itself would find."""
    routes = [route("PUT /a", "f", cors=CORS), route("GET /a", "f")]
    async with http_api({"f": hello}, routes=routes) as client:
        allowed = await client.options("/a", headers=preflight("https://a.example", "PUT"))
        unknown = await client.options("/a", headers=preflight("https://a.example", "GET"))

    assert (allowed.status_code, unknown.status_code) == (204, 404)


@pytest.mark.parametrize("payload_format", ["2.0", "1.0", "url"])
async def test_src_91_95_100_an_authorizer_is_in_the_event(payload_format: Any) -> None:
    """SRC-91, SRC-95, SRC-100: as it is given, or as it is decided by the event."""
    given = {"jwt": {"claims": {"sub": "me"}, "scopes": ["a"]}}

    def decide(event):
        return {"lambda": {"path": event.get("rawPath", event.get("path"))}}

    async def decide_later(event):
        await anyio.sleep(1)
        return decide(event)

    seen = []
    for authorizer in (given, decide, decide_later):
        async with http_api(echo, payload_format=payload_format, authorizer=authorizer) as client:
            answer = await client.get("/a")
        seen.append(answer.json()["event"]["requestContext"]["authorizer"] if answer.status_code == 200 else None)

    expected = [given, {"lambda": {"path": "/a"}}, {"lambda": {"path": "/a"}}]
    assert seen == (expected if payload_format != "1.0" else [None] * 3)  # a REST API does not know this answer


async def test_src_91_an_authorizer_of_a_rest_api() -> None:
    """SRC-91: where handlers look for claims."""

    async def who(event, context):
        return {"body": event["requestContext"]["authorizer"]["claims"]["sub"]}

    async with http_api(who, payload_format="1.0", authorizer={"claims": {"sub": "me"}}) as client:
        assert (await client.get("/")).text == "me"


@pytest.mark.parametrize(
    ("payload_format", "body"),
    [
        ("2.0", {"message": "Forbidden"}),
        ("1.0", {"Message": "User is not authorized to access this resource"}),
        ("url", {"Message": "Forbidden"}),
    ],
)
async def test_src_102_who_may_not_is_told_so(payload_format: Any, body: dict[str, str]) -> None:
    """SRC-102: 403, and the function does not run."""
    async with http_api(echo, payload_format=payload_format, authorizer=lambda event: None) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.json(), client.statistics.invocations) == (403, body, 0)


async def test_an_authorizer_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    """The log has its traceback, the client an error."""
    async with http_api(echo, authorizer=raises_alone) as client:
        answer = await client.get("/")

    assert (answer.status_code, client.statistics.invocations) == (500, 0)
    assert "boom" in caplog.text
    assert "boom" not in answer.text


def raises_alone(event: Any) -> None:
    raise ValueError("boom")


async def test_src_105_health_checks_reach_the_function() -> None:
    """SRC-105: as any other request."""
    async with http_api(hello, payload_format="alb") as client:
        answer = await client.get("/health", headers={"user-agent": "ELB-HealthChecker/2.0"})

    assert (answer.status_code, answer.text) == (200, "hello")


async def test_a_plain_handler_runs_in_its_thread() -> None:
    """A `def` blocks nobody."""

    def blocking(event, context):
        return threading.current_thread() is threading.main_thread()

    async with http_api(blocking) as client:
        assert (await client.get("/")).json() is False


async def test_head_is_answered_without_a_body() -> None:
    """Whatever the function says; the length stays."""
    async with http_api(hello) as client:
        answer = await client.head("/")

    assert (answer.content, answer.headers["content-length"]) == (b"", "5")


async def test_an_app_is_served_with_its_routes() -> None:
    """What it says of functions and routes; the rest is left out."""

    class Declared:
        def functions(self):
            return [Function(handler=echo, function_name="f")]

        def mappings(self):
            return ["a queue's", route("GET /a", "f")]

    async with http_api(Declared()) as client:
        assert [(await client.get(path)).status_code for path in ("/a", "/b")] == [200, 404]
    with pytest.raises(ConfigurationError, match="stage cannot be given beside an App"):
        async with http_api(Declared(), stage="dev"):
            pass

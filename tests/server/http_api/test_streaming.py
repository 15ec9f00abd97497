"""What an `async` generator yields: sent as it comes, or joined."""

from __future__ import annotations

import base64
from typing import Any

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.runtime.response import RESPONSE_LIMIT_BYTES
from eventmap.testing import http_api

pytestmark = pytest.mark.virtual_time

HEAD = {"statusCode": 202, "headers": {"content-type": "text/event-stream"}, "cookies": ["a=1", "b=2"]}


def streaming(handler: Any, **settings: Any) -> Any:
    return http_api(handler, payload_format="url", invoke_mode="RESPONSE_STREAM", **settings)


async def ticks(event, context):
    yield HEAD
    for n in range(3):
        await anyio.sleep(0.5)
        yield f"tick {n}\n"


async def raw(event, context):
    yield b"\xff"
    yield "ü"


async def breaks(event, context):
    yield "begun"
    raise ValueError("boom")


async def nothing(event, context):
    return
    yield


async def fails_at_once(event, context):
    raise ValueError("boom")
    yield


async def test_src_102_pieces_go_out_as_they_come() -> None:
    """SRC-102: after the head, each at its own time."""
    async with streaming(ticks) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.headers["content-type"]) == (202, "text/event-stream")
    assert answer.cookies == {"a": "1", "b": "2"}
    assert "content-length" not in answer.headers
    assert list(zip(answer.arrived_at, answer.pieces, strict=True)) == [
        (0.5, b"tick 0\n"),
        (1.0, b"tick 1\n"),
        (1.5, b"tick 2\n"),
    ]
    assert answer.is_complete
    assert client.statistics.invocations == 1


async def test_src_102_without_a_head_it_is_200() -> None:
    """SRC-102: of bytes, whatever they are."""
    async with streaming(raw) as client:
        answer = await client.get("/")
    async with streaming(nothing) as client:
        empty = await client.get("/")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert (answer.pieces, answer.is_complete) == ([b"\xff", "ü".encode()], True)
    assert (empty.status_code, empty.content, empty.is_complete) == (200, b"", True)


async def test_src_102_a_stream_that_breaks_ends_short() -> None:
    """SRC-102: its status is out, so its client learns it from the missing end."""
    async with streaming(breaks) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.content, answer.is_complete) == (200, b"begun", False)


async def test_src_102_before_anything_is_out_a_failure_is_an_error() -> None:
    """SRC-102: as of any function."""
    async with streaming(fails_at_once) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.is_complete) == (502, True)


@pytest.mark.parametrize(
    "head",
    [{"statusCode": "many"}, {"statusCode": 200, "body": "x"}, {"headers": {"a": "b\r\nc: d"}}, {"cookies": "a"}],
)
async def test_src_102_a_head_that_is_none_is_an_error(head: dict[str, Any]) -> None:
    """SRC-102: nothing has been sent by then."""

    async def handler(event, context):
        yield head
        yield "piece"

    async with streaming(handler) as client:
        assert (await client.get("/")).status_code == 502


async def test_a_piece_that_is_neither_text_nor_bytes_breaks_the_stream() -> None:
    """A head comes first or not at all."""
    for later in ({"statusCode": 200}, 7, None):

        async def handler(event, context, later=later):
            yield "a"
            yield later

        async with streaming(handler) as client:
            answer = await client.get("/")
        assert (answer.content, answer.is_complete) == (b"a", False)


async def test_a_stream_has_the_functions_timeout() -> None:
    """It is cut off then, and closed behind."""
    closed = []

    async def endless(event, context):
        try:
            while True:
                yield "x"
                await anyio.sleep(1)
        finally:
            closed.append(True)

    async with streaming(endless) as client:
        answer = await client.get("/")

    assert (answer.arrived_at, answer.is_complete, closed) == ([0, 1, 2], False, [True])


async def test_a_handler_that_does_not_stream_is_answered_for_at_once() -> None:
    """In that mode too."""

    async def plain(event, context):
        return {"statusCode": 201, "body": "whole"}

    async with streaming(plain) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.text, answer.headers["content-length"]) == (201, "whole", "5")


@pytest.mark.parametrize("payload_format", ["2.0", "url", "alb", "1.0"])
async def test_a_generator_is_joined_where_nothing_streams(payload_format: Any) -> None:
    """What it yields first is the head of the answer."""

    async def handler(event, context):
        yield {"statusCode": 202, "headers": {"x-a": "1"}}
        yield "a"
        yield b"b"

    async with http_api(handler, payload_format=payload_format) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.text, answer.headers["x-a"], len(answer.pieces)) == (202, "ab", "1", 1)


async def test_joined_bytes_are_base64() -> None:
    """In the answer of the invocation; the gateway decodes it."""
    async with http_api(raw) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.content) == (200, b"\xff" + "ü".encode())


async def test_joined_text_without_a_head_is_the_result() -> None:
    """A string, as one that is returned."""

    async def handler(event, context):
        yield "a"
        yield "b"

    async with http_api(handler) as client:
        assert (await client.get("/")).text == "ab"


async def test_what_is_joined_is_bounded() -> None:
    """A generator without an end is not read further than the largest answer."""
    read, closed = [], []

    async def endless(event, context):
        try:
            while True:
                read.append(1)
                yield b"x" * 1_000_000
        finally:
            await anyio.sleep(1)
            closed.append(elapsed_s())

    async with http_api(endless) as client:
        answer = await client.get("/")

    assert answer.status_code == 500
    assert len(read) == RESPONSE_LIMIT_BYTES // 1_000_000 + 1
    assert closed == answer.arrived_at == [1]


async def test_src_102_a_stream_ends_at_200_megabytes() -> None:
    """SRC-102: what is more is not sent."""
    piece = b"x" * 10_485_760

    async def endless(event, context):
        while True:
            yield piece

    async with streaming(endless) as client:
        answer = await client.get("/")

    assert (len(answer.pieces), answer.is_complete) == (20, False)


async def test_streams_run_beside_each_other() -> None:
    """Within the function's concurrency."""
    function = Function(handler=ticks, function_name="f", reserved_concurrent_executions=2)
    routes = [HttpRoute(route="$default", function_name="f", payload_format="url", invoke_mode="RESPONSE_STREAM")]
    statuses = []
    async with http_api({"f": function}, routes=routes) as client:

        async def call() -> None:
            statuses.append((await client.get("/")).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(call)

    assert sorted(statuses) == [202, 202, 429]


async def test_a_child_process_joins_what_its_handler_yields() -> None:
    """Streams come from handlers of this process only; elsewhere the answer is sent when it is whole."""
    function = Function(handler="tests.server.http_api.test_streaming:in_child", function_name="f", isolation="process")
    async with http_api({"f": function}, routes=[HttpRoute(route="$default", function_name="f")]) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.content) == (203, b"\xffx")


async def in_child(event, context):
    yield {"statusCode": 203}
    yield base64.b64decode("/w==")
    yield "x"

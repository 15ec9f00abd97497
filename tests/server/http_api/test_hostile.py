"""Clients that mean harm, over real sockets: each is refused, and others are served meanwhile."""

from __future__ import annotations

import anyio
import pytest

from eventmap.server.settings import ServerLimits
from tests.server.hostile import Client, head
from tests.server.scene import Scene

from .scene import gateway

IMPATIENT = ServerLimits(head_timeout_s=0.3, body_timeout_s=0.3, keep_alive_s=1)


async def path_of(event, context):
    return {"statusCode": 200, "body": event["rawPath"]}


async def answer_to(scene: Scene, *data: bytes) -> bytes:
    client = await Client.of(scene)
    for piece in data:
        try:
            await client.send(piece)
        except anyio.BrokenResourceError:
            break
    return await client.read_to_end()


async def still_serves(scene: Scene) -> None:
    request = head("Connection: close", method="GET", path="/well")
    assert (await answer_to(scene, request)).endswith(b"\r\n\r\n/well")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: -1"],
        ["Content-Length: 5x"],
        ["X-A: a\0b"],
    ],
)
async def test_a_request_of_two_readings_is_refused(lines: list[str]) -> None:
    """Two proxies could disagree on where it ends (request smuggling)."""
    async with gateway(path_of) as scene:
        answer = await answer_to(
            scene, head(*lines, "Connection: close", path="/a") + b"0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
        )
        await still_serves(scene)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert scene.statistics.invocations == 1


async def test_a_name_with_a_space_is_one_header_or_none() -> None:
    """Refused, or, by the oldest parser, taken for a name; never the end of a request or a second one."""
    async with gateway(path_of) as scene:
        answer = await answer_to(scene, head("X Y: z", "Connection: close", path="/a") + b"GET /b HTTP/1.1\r\n\r\n")
        await still_serves(scene)

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 "))
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("target", [b"/%zz", b"/%", b"/a?b=%4", b"/\xff", b"/\xc3\xbc", b"/a?\xff"])
async def test_a_path_that_cannot_be_read_is_refused(target: bytes) -> None:
    """400, whoever of us finds out."""
    async with gateway(path_of) as scene:
        request = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await answer_to(scene, request)
        await still_serves(scene)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert scene.statistics.invocations == 1


@pytest.mark.parametrize("path", ["/a/../b", "/%2e%2e/etc", "//b", "/a;b=c", "/%00"])
async def test_a_path_is_not_tidied_up(path: str) -> None:
    """It names nothing on a disk: the function gets it as it came."""
    async with gateway(path_of) as scene:
        answer = await answer_to(scene, head("Connection: close", method="GET", path=path))

    assert answer.endswith(f"\r\n\r\n{path}".encode())


async def test_a_body_announced_too_large_is_not_read() -> None:
    """Its sender is told at once, without being asked to go on."""
    async with gateway(path_of) as scene:
        answer = await answer_to(scene, head("Content-Length: 10485761", "Expect: 100-continue", path="/a"))
        await still_serves(scene)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer
    assert scene.refused == {"large": 1}


async def test_a_body_without_an_end_is_cut_off() -> None:
    """In chunks, so that nobody knew."""
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    async with gateway(path_of) as scene:
        answer = await answer_to(scene, head("Transfer-Encoding: chunked", path="/a"), *[chunk] * 12)
        await still_serves(scene)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert scene.statistics.invocations == 1


async def test_a_body_that_trickles_is_not_waited_for() -> None:
    """408, and the connection is gone."""
    async with gateway(path_of, limits=IMPATIENT) as scene:
        answer = await answer_to(scene, head("Content-Length: 100", path="/a") + b"x")
        await still_serves(scene)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert scene.refused == {"slow": 1}


async def test_a_client_that_leaves_costs_nothing() -> None:
    """In the middle of its body: no function runs."""
    async with gateway(path_of) as scene:
        client = await Client.of(scene)
        await client.send(head("Content-Length: 100", path="/a") + b"x")
        await client.stream.aclose()
        with anyio.fail_after(5):
            while not scene.refused:
                await anyio.sleep(0.01)
        await still_serves(scene)

    assert scene.refused == {"disconnected": 1}
    assert scene.statistics.invocations == 1


async def test_a_client_that_leaves_does_not_stop_the_function() -> None:
    """It has begun, and runs to its end, as on AWS."""
    begun, ended = anyio.Event(), anyio.Event()

    async def slow(event, context):
        begun.set()
        await anyio.sleep(0.2)
        ended.set()

    async with gateway(slow) as scene:
        client = await Client.of(scene)
        await client.send(head(method="GET", path="/a"))
        await begun.wait()
        await client.stream.aclose()
        await ended.wait()


async def test_a_handler_cannot_write_into_the_next_answer() -> None:
    """A line break in a header is an error, not two headers."""

    async def splits(event, context):
        return {"statusCode": 200, "headers": {"x": "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\nforged"}}

    async with gateway(splits) as scene:
        answer = await answer_to(scene, head("Connection: close", method="GET", path="/a"))

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"forged" not in answer

"""Real clients over loopback: aiohttp, httpx, the standard library's."""

from __future__ import annotations

import base64
import gzip
import http.client
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import httpx
import pytest

from .scene import gateway


async def echo(event, context):
    body = event.get("body") or ""
    return {
        "statusCode": 200,
        "headers": {"content-type": event["headers"].get("content-type", "text/plain")},
        "cookies": [f"{cookie}; Path=/" for cookie in event.get("cookies", ())],
        "body": body,
        "isBase64Encoded": event["isBase64Encoded"],
    }


async def what_came(event, context):
    return event


async def ticks(event, context):
    yield {"statusCode": 200, "headers": {"content-type": "text/plain"}}
    for n in range(3):
        yield f"tick {n}\n"
        await anyio.sleep(0.05)


async def breaks(event, context):
    yield "begun"
    await anyio.sleep(0.05)
    raise ValueError("boom")


BINARY = bytes(range(256))


async def test_aiohttp_sends_and_gets_bytes_and_cookies() -> None:
    """Both ways, on a connection that stays."""
    async with gateway(echo) as scene, aiohttp.ClientSession(cookies={"a": "1"}) as session:
        for body in (BINARY, b"second"):
            headers = {"content-type": "application/octet-stream"}
            async with session.post(f"{scene.url}/x", data=body, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (200, body)
                assert answer.cookies["a"].value == "1"
        async with session.post(f"{scene.url}/x", json={"a": "ü"}) as answer:
            assert await answer.json() == {"a": "ü"}


async def test_httpx_sends_forms_files_and_compressed_bodies() -> None:
    """A gateway decompresses nothing; whatever is no text is base64 in the event."""
    async with gateway(what_came) as scene, httpx.AsyncClient(base_url=scene.url) as client:
        form = (await client.post("/f", data={"a": "1", "b": "ü"})).json()
        file = (await client.post("/f", files={"file": ("a.bin", BINARY)})).json()
        packed = gzip.compress(b'{"a":1}')
        headers = {"content-encoding": "gzip", "content-type": "application/json"}
        compressed = (await client.post("/f", content=packed, headers=headers)).json()
        several = (await client.get("/f", params=[("a", "1"), ("a", "2")], headers=[("x-a", "1"), ("x-a", "2")])).json()

    assert base64.b64decode(form["body"]) == b"a=1&b=%C3%BC"
    assert BINARY in base64.b64decode(file["body"])
    assert base64.b64decode(compressed["body"]) == packed
    assert (several["queryStringParameters"], several["headers"]["x-a"]) == ({"a": "1,2"}, "1,2")


async def test_httpx_streams() -> None:
    """Pieces before the end, and an error if there is no end."""
    settings: dict[str, Any] = {"payload_format": "url", "invoke_mode": "RESPONSE_STREAM"}
    async with (
        gateway(ticks, **settings) as scene,
        httpx.AsyncClient() as client,
        client.stream("GET", scene.url) as answer,
    ):
        pieces = [piece async for piece in answer.aiter_text()]
    async with gateway(breaks, **settings) as scene, httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await client.get(scene.url)

    assert pieces == ["tick 0\n", "tick 1\n", "tick 2\n"]


async def test_the_standard_library_reads_every_kind_of_answer() -> None:
    """HEAD, 204, 304 and an empty 200, one after the other on one connection, none of which upsets the next."""

    async def by_path(event, context):
        status = int(event["rawPath"].strip("/"))
        return {"statusCode": status, "headers": {"x-status": str(status)}, "body": "body"}

    def work(port: int) -> list[tuple[int, bytes, str | None]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        answers = []
        for method, path in (("HEAD", "/200"), ("GET", "/204"), ("GET", "/304"), ("GET", "/404"), ("GET", "/599")):
            connection.request(method, path)
            answer = connection.getresponse()
            answers.append((answer.status, answer.read(), answer.getheader("content-length")))
        connection.close()
        return answers

    async with gateway(by_path) as scene:
        answers = await anyio.to_thread.run_sync(work, scene.port)

    assert answers == [
        (200, b"", "4"),
        (204, b"", None),
        (304, b"", None),
        (404, b"body", "4"),
        (599, b"body", "4"),
    ]


async def test_a_body_in_chunks() -> None:
    """Nobody has to know its length."""

    async def pieces() -> Any:
        for n in range(5):
            yield f"{n}".encode() * 1000

    async with gateway(echo) as scene, httpx.AsyncClient() as client:
        answer = await client.post(scene.url, content=pieces(), headers={"content-type": "text/plain"})

    assert answer.text == "".join(f"{n}" * 1000 for n in range(5))


async def test_what_runs_at_the_end_is_answered() -> None:
    """Within the budget of the drain; then the port is gone."""
    answers = []

    async def slow(event, context):
        await anyio.sleep(0.3)
        return "done"

    async def call(url: str) -> None:
        async with httpx.AsyncClient() as client:
            answers.append((await client.get(url)).text)

    async with anyio.create_task_group() as tasks, gateway(slow) as scene:
        tasks.start_soon(call, scene.url)
        with anyio.fail_after(5):
            while not scene.statistics.requests:
                await anyio.sleep(0.01)
    with pytest.raises(OSError):
        await anyio.connect_tcp("127.0.0.1", scene.port)

    assert answers == ["done"]

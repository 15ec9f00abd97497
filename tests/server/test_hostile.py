"""Clients that mean harm, over real sockets: each is refused and counted, and others are served meanwhile."""

from __future__ import annotations

import gzip

import anyio
import pytest

from eventmap.server.settings import ServerLimits

from . import handlers
from .hostile import Client, head
from .scene import Scene, server

IMPATIENT = ServerLimits(head_timeout_s=0.8, body_timeout_s=0.8, keep_alive_s=1, connection_limit=5)


async def still_serves(scene: Scene) -> None:
    client = await Client.of(scene)
    await client.send_request(b"{}", "Connection: close")
    assert (await client.read_to_end()).endswith(b"\r\n\r\n{}")


async def answer_to(scene: Scene, *data: bytes) -> bytes:
    client = await Client.of(scene)
    for piece in data:
        try:
            await client.send(piece)
        except anyio.BrokenResourceError:
            break
    return await client.read_to_end()


@pytest.mark.parametrize("started", [b"", b"POST ", b"POST / HTTP/1.1\r\nHost: localhost\r\nX-", b"\r\n"])
async def test_headers_that_do_not_come_are_not_waited_for(started: bytes) -> None:
    """A client that says nothing, or never ends its headers, is let go after its time."""
    async with server(limits=IMPATIENT) as scene:
        client = await Client.of(scene)
        if started:
            await client.send(started)
        received = await client.read_to_end()
        await still_serves(scene)

    assert received.startswith(b"HTTP/1.1 408 ")
    assert scene.refused == {"slow_head": 1}


async def test_headers_that_trickle_have_one_deadline() -> None:
    """A byte now and then extends nothing, on the second request of a connection neither."""
    async with server(limits=IMPATIENT) as scene:
        client = await Client.of(scene)
        await client.send_request(b"{}")
        assert (await client.read_answer()).startswith(b"HTTP/1.1 200 ")

        with anyio.fail_after(2):
            try:
                for byte in head("X: y" * 1_000):
                    await client.send(bytes([byte]))
                    await anyio.sleep(0.02)
            except anyio.BrokenResourceError:
                pass
        await client.read_to_end()

    assert scene.refused == {"slow_head": 1}


async def test_a_body_that_trickles_has_one_deadline() -> None:
    """408 after its time, and the connection ends."""
    async with server(limits=IMPATIENT) as scene:
        client = await Client.of(scene)
        await client.send(head("Content-Length: 1000"))
        async with anyio.create_task_group() as tasks:

            async def trickle() -> None:
                try:
                    while True:
                        await client.send(b" ")
                        await anyio.sleep(0.02)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return

            tasks.start_soon(trickle)
            with anyio.fail_after(2):
                received = await client.read_to_end()
        await still_serves(scene)

    assert received.startswith(b"HTTP/1.1 408 ")
    assert scene.refused == {"slow": 1}


@pytest.mark.parametrize(
    "sent",
    [
        head(*[f"X-{number}: y" for number in range(1_000)]),
        head("X: " + "y" * 70_000),
        head("X" * 70_000 + ": y"),
        head(path="/" + "x" * 70_000),
        head("X: " + "y" * 1_000_000),
    ],
    ids=["1000 lines", "one value", "one name", "path", "a megabyte"],
)
async def test_headers_have_a_size(sent: bytes) -> None:
    """At most 64 KiB and 128 lines, in one piece or many."""
    async with server() as scene:
        whole = await answer_to(scene, sent)
        pieces = await answer_to(scene, *[sent[start : start + 1_000] for start in range(0, len(sent), 1_000)])
        await still_serves(scene)

    assert all(each.startswith(b"HTTP/1.1 431 ") or each == b"" for each in (whole, pieces))
    assert scene.refused == {"head_size": 2}
    assert scene.statistics.requests == 1


async def test_a_head_without_an_end_is_cut_off() -> None:
    """A single header that never ends is not collected."""
    async with server() as scene:
        client = await Client.of(scene)
        await client.send(b"POST / HTTP/1.1\r\nX: ")
        sent = 0
        with anyio.fail_after(5):
            try:
                while sent < 50_000_000:
                    await client.send(b"y" * 10_000)
                    sent += 10_000
            except anyio.BrokenResourceError:
                pass
        await client.read_to_end()

    assert sent < 50_000_000
    assert scene.refused == {"head_size": 1}


async def test_inv_19_a_chunked_body_without_an_end_is_cut_off() -> None:
    """INV-19: refused once it is too large, then let past for a while, never kept; at last the connection ends."""
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    sent = 0

    async with server() as scene:
        client = await Client.of(scene)
        await client.send(head("Transfer-Encoding: chunked"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.read_to_end)
            with anyio.fail_after(20):
                try:
                    while sent < 500:
                        await client.send(chunk)
                        sent += 1
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    pass
        await still_serves(scene)

    assert 6 < sent < 200
    assert client.received.startswith(b"HTTP/1.1 413 ")
    assert scene.refused == {"size": 1}


async def test_inv_19_a_body_announced_as_too_large_is_refused_before_it_comes() -> None:
    """INV-19: nobody waits for it."""
    async with server() as scene:
        client = await Client.of(scene)
        await client.send(head("Content-Length: 99999999999"))
        with anyio.fail_after(2):
            while b"RequestTooLargeException" not in client.received:
                client.received += await client.stream.receive()
        await client.stream.aclose()

    assert client.received.startswith(b"HTTP/1.1 413 ")


async def test_expectations_are_not_met_for_what_will_be_refused() -> None:
    """A client that asks before it sends is told no at once, and yes when it may."""
    async with server() as scene:
        refused, let_in = await Client.of(scene), await Client.of(scene)
        await refused.send(head("Content-Length: 7000000", "Expect: 100-continue"))
        await let_in.send(head("Content-Length: 2", "Expect: 100-continue"))
        first = await refused.stream.receive()
        second = await let_in.stream.receive()
        await let_in.send(b"{}")
        answer = await let_in.read_answer()

    assert first.startswith(b"HTTP/1.1 413 ")
    assert second == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.endswith(b"{}")


async def test_a_bomb_is_not_unpacked() -> None:
    """Compressed bodies are refused as they are."""
    bomb = gzip.compress(b"0" * 5_000_000)

    async with server() as scene:
        received = await answer_to(scene, head(f"Content-Length: {len(bomb)}", "Content-Encoding: gzip") + bomb)

    assert received.startswith(b"HTTP/1.1 415 ")
    assert scene.refused == {"encoding": 1}


@pytest.mark.parametrize(
    "sent",
    [
        head("Content-Length: 2", "Content-Length: 40") + b"{}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        head("Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n",
        head("Content-Length: -1"),
        head("Content-Length: 2x") + b"{}",
        head("Content-Length : 2") + b"{}",
        head("Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
        head("X: a\rb"),
        head("X: a\0b"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
    ],
    ids=[
        "two lengths",
        "length and chunks",
        "negative length",
        "no number",
        "space before colon",
        "no chunk size",
        "lone CR",
        "NUL",
        "TLS",
        "no path",
        "version",
    ],
)
async def test_malformed_requests_are_refused_and_smuggle_nothing(sent: bytes) -> None:
    """One answer at most, then the connection ends; nothing behind it is looked at."""
    async with server() as scene:
        with anyio.fail_after(5):
            received = await answer_to(scene, sent)
        await still_serves(scene)

    assert received.count(b"HTTP/1.1 ") <= 1
    assert b"HTTP/1.1 200 " not in received
    assert scene.refused.get("malformed", 0) == 1


async def test_trailers_change_nothing() -> None:
    """What stands behind a body comes too late to say how it was meant."""
    async with server() as scene:
        received = await answer_to(
            scene,
            head("Transfer-Encoding: chunked", "Connection: close")
            + b"2\r\n{}\r\n0\r\nX-Amz-Invocation-Type: Event\r\nHost: evil.example\r\n\r\n",
        )

    assert received.startswith(b"HTTP/1.1 200 ")
    assert scene.accepted.events == []


async def test_connections_are_counted() -> None:
    """Beyond the limit 503, without a thought for what is asked; room again once others leave."""
    async with server(limits=ServerLimits(connection_limit=3)) as scene:
        clients = [await Client.of(scene) for _ in range(3)]
        for client in clients:
            await client.send_request(b"{}")
            await client.read_answer()
        refused = await (await Client.of(scene)).read_to_end()
        await clients[0].stream.aclose()
        await anyio.sleep(0.05)
        await still_serves(scene)

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert scene.refused == {"connections": 1}


async def test_idle_connections_are_closed() -> None:
    """After their time; an answer that nobody reads does not keep one for ever."""
    async with server(handlers.of_size, limits=IMPATIENT) as scene:
        idle, deaf = await Client.of(scene), await Client.of(scene)
        await idle.send_request(b'{"size":10}')
        await deaf.send_request(b'{"size":6000000}')
        with anyio.fail_after(5):
            received = await idle.read_to_end()
            while not scene.refused:
                await anyio.sleep(0.05)

    assert received.endswith(b'"xxxxxxxx"')
    assert scene.refused == {"slow_reader": 1}


async def test_pipelined_requests_are_answered_in_order_and_bounded() -> None:
    """A few are fine; a flood ends the connection."""
    few = b"".join(head("Content-Length: 1") + b"%d" % number for number in range(5))

    async with server() as scene:
        client = await Client.of(scene)
        await client.send(few)
        bodies = [(await client.read_answer())[-1:] for _ in range(5)]
        flood = await answer_to(scene, (head("Content-Length: 1") + b"1") * 2_000)
        await still_serves(scene)

    assert bodies == [b"0", b"1", b"2", b"3", b"4"]
    assert flood.count(b"HTTP/1.1 ") < 20
    assert scene.statistics.requests < 30


async def test_a_browser_is_refused_on_the_wire() -> None:
    """A page's request, and one through a name of the page's own."""
    async with server() as scene:
        page = await answer_to(scene, head("Origin: http://evil.example", "Content-Length: 2") + b"{}")
        rebound = await answer_to(scene, head("Content-Length: 2", host="Host: evil.example:80") + b"{}")
        nameless = await answer_to(scene, head("Content-Length: 2", host=None) + b"{}")
        preflight = await answer_to(
            scene, head("Origin: http://evil.example", "Access-Control-Request-Method: POST", method="OPTIONS")
        )

    for received in (page, rebound, nameless, preflight):
        assert received.startswith(b"HTTP/1.1 403 ")
        assert b"access-control" not in received.lower()
    assert scene.refused == {"host": 4}


async def test_an_upgrade_is_not_taken() -> None:
    """No websocket is spoken here."""
    async with server() as scene:
        received = await answer_to(
            scene,
            head(
                "Upgrade: websocket",
                "Connection: Upgrade, close",
                "Sec-WebSocket-Key: x",
                method="GET",
                path="/healthz",
            ),
        )

    assert b" 101 " not in received

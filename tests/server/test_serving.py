"""The life of the listener: an address to be had, and a stop that lets running requests end."""

from __future__ import annotations

import logging
import signal
import threading

import anyio
import pytest

from eventmap.errors import ConfigurationError
from eventmap.server.serving import bind, url_of

from . import handlers
from .hostile import Client
from .scene import server


def test_a_port_of_ones_own() -> None:
    """Port 0 is any that is free, told afterwards."""
    with bind("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    with bind("0.0.0.0", 0) as listener:
        assert url_of(listener).startswith("http://127.0.0.1:")


def test_a_port_in_use_is_told_with_the_option_to_change() -> None:
    """Before anything starts."""
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 is in use .* --http"):
            bind("127.0.0.1", port, option="--http")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    """A typo in --host."""
    with pytest.raises(ConfigurationError, match=host):
        bind(host, 0)


async def test_a_stop_lets_running_requests_end_and_no_new_ones_in() -> None:
    """The answer arrives whole; idle connections are closed at once."""
    async with anyio.create_task_group() as tasks, server(handlers.nap) as scene:
        busy, idle = await Client.of(scene), await Client.of(scene)
        await busy.send_request(b'{"s":0.3}')
        await scene_is_busy(scene)
        tasks.start_soon(busy.read_to_end)
        tasks.start_soon(idle.read_to_end)

    assert busy.received.startswith(b"HTTP/1.1 200 OK")
    assert busy.received.endswith(b'"rested"')
    assert idle.received == b""
    with pytest.raises(OSError):
        await anyio.connect_tcp("127.0.0.1", scene.port)


async def test_a_stop_waits_no_longer_than_its_budget() -> None:
    """What runs then is cancelled, and its environment is free for nothing more."""
    async with anyio.create_task_group() as tasks:
        async with server(handlers.nap, timeout=100, stop_budget_s=0.2) as scene:
            client = await Client.of(scene)
            await client.send_request(b'{"s":60}')
            await scene_is_busy(scene)
            tasks.start_soon(client.read_to_end)
            started = anyio.current_time()

        assert anyio.current_time() - started < 3
    assert scene.statistics.invocations == 0


async def scene_is_busy(scene) -> None:
    while scene.statistics.requests == 0:
        await anyio.sleep(0.005)
    await anyio.sleep(0.02)


async def test_the_host_applications_signals_and_logs_are_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    """No handler is installed, no logger of uvicorn's is touched, nothing is printed."""
    assert threading.current_thread() is threading.main_thread()
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    access = logging.getLogger("uvicorn.access")

    async with server() as scene:
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
        client = await Client.of(scene)
        await client.send(b"nonsense\r\n\r\n")
        await client.read_to_end()

    assert (access.handlers, access.propagate) == ([], True)
    assert capfd.readouterr() == ("", "")


async def test_answers_carry_the_date() -> None:
    """By which clients correct their clock."""
    async with server() as scene:
        await anyio.sleep(0)
        client = await Client.of(scene)
        await client.send_request(b"{}", "Connection: close")
        await client.read_to_end()

    assert b"\r\ndate: " in client.received
    assert b"uvicorn" not in client.received

"""The life of the listener: bound first, served for the length of a block, drained at its end.

uvicorn's connections without uvicorn's server: that one takes the process' signal handlers and looks ten times a second
whether it is to end.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from typing import Final, cast

import anyio
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from eventmap.clock import wall_time_s
from eventmap.errors import ConfigurationError
from eventmap.server.protocol import GuardedProtocol
from eventmap.server.settings import ServerLimits
from eventmap.server.statistics import ServerStatistics

_BACKLOG: Final = 512
_END_OF_CANCELLED_S: Final = 2.0


def bind(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A socket on that address; nobody is let in before `serving`. Port 0 = any that is free.

    `option` is what a user would change, for the message. Raises: ConfigurationError.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host!r}: {error.strerror}; name an address of this machine"
        ) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            why = f"in use by another program; choose another with {option}, 0 for any that is free"
        else:
            why = f"not to be had: {error.strerror}; choose another address, or another port with {option}"
        raise ConfigurationError(f"port {port} of {host} is {why}") from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where clients of this machine reach a bound socket."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(
    app: ASGIApp, listener: socket.socket, *, limits: ServerLimits, statistics: ServerStatistics, stop_budget_s: float
) -> AsyncIterator[None]:
    """Serve `app` on a bound socket for the length of the block; the socket is closed afterwards.

    At the end nobody new is let in, requests under way have `stop_budget_s` to be answered, then they are cancelled.
    """
    state = ServerState()
    config = Config(
        app,
        interface="asgi3",
        http=GuardedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,  # the host application's business
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive_s,
    )
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GuardedProtocol(config, state, loop, limits, statistics), sock=listener, backlog=_BACKLOG
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_tell_date, state)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()
            server.close()
            with anyio.CancelScope(shield=True):  # bounded by the budget
                await _drain(state, stop_budget_s)


async def _drain(state: ServerState, budget_s: float) -> None:
    for connection in list(state.connections):
        connection.shutdown()
    with anyio.move_on_after(budget_s):
        await _ended(state)
    for task in list(state.tasks):
        task.cancel()
    with anyio.move_on_after(_END_OF_CANCELLED_S):
        await _ended(state)
    for connection in list(state.connections):
        cast(GuardedProtocol, connection).transport.abort()


async def _ended(state: ServerState) -> None:
    while state.tasks:
        with suppress(ValueError):  # the last of them ended in between
            await asyncio.wait(set(state.tasks))


async def _tell_date(state: ServerState) -> None:
    """Clients correct their clock by it when a signature was too old."""
    while True:
        state.default_headers = [(b"date", formatdate(wall_time_s(), usegmt=True).encode())]
        await anyio.sleep(1)

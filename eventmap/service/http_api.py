"""The listener of a service's HTTP routes, beside the server of the Lambda API."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from eventmap.errors import ConfigurationError
from eventmap.http_route import HttpRoute, check_routes
from eventmap.service.settings import HttpApiSettings

if TYPE_CHECKING:
    from eventmap.server.ports import InvokableFunction
    from eventmap.server.statistics import ServerStatistics


class HttpApiListener:
    """A port that is ours from the start, so that it can be told to others."""

    def __init__(self, routes: Sequence[HttpRoute], settings: HttpApiSettings) -> None:
        """Raises: ConfigurationError: no or colliding routes, a port that is not to be had, something not installed."""
        try:
            from eventmap.server.serving import bind, url_of
            from eventmap.server.statistics import ServerStatistics
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"HTTP routes need {error.name}, which is not installed: pip install 'eventmap[server]'"
            ) from None
        if not routes:
            raise ConfigurationError("a listener of HTTP routes has nothing to serve: declare a route with @app.http")
        check_routes(routes)
        self.routes: tuple[HttpRoute, ...] = tuple(routes)
        self._listener: socket.socket = bind(settings.host, settings.port, option="--http-api")
        self.url: str = url_of(self._listener)
        self.public_hosts: frozenset[str] | None = settings.public_hosts
        self.statistics: ServerStatistics = ServerStatistics()

    def close(self) -> None:
        """Let go of the port; after serving it is gone already."""
        self._listener.close()

    def serving(
        self, functions: Mapping[str, InvokableFunction], place: tuple[str, str], *, stop_budget_s: float
    ) -> ServedHttpApi:
        """The part of a service that answers; `place` is (region, account id) of its events."""
        return ServedHttpApi(self, self._listener, functions, place, stop_budget_s)


class ServedHttpApi:
    """A `Part`: answers requests until it is drained; those under way then have `stop_budget_s` to be answered."""

    def __init__(
        self,
        api: HttpApiListener,
        listener: socket.socket,
        functions: Mapping[str, InvokableFunction],
        place: tuple[str, str],
        stop_budget_s: float,
    ) -> None:
        self._api = api
        self._listener = listener
        self._functions = functions
        self._region, self._account_id = place
        self._stop_budget_s = stop_budget_s
        self._closing, self._ended = anyio.Event(), anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        from eventmap.server.http_api.app import HttpApiApp
        from eventmap.server.serving import serving
        from eventmap.server.settings import ServerLimits

        limits, statistics = ServerLimits(), self._api.statistics
        app = HttpApiApp(
            self._api.routes,
            self._functions,
            region=self._region,
            account_id=self._account_id,
            statistics=statistics,
            limits=limits,
            public_hosts=self._api.public_hosts,
        )
        try:
            async with serving(
                app, self._listener, limits=limits, statistics=statistics, stop_budget_s=self._stop_budget_s
            ):
                task_status.started()
                await self._closing.wait()
        finally:
            self._ended.set()

    async def drain(self, budget_s: float) -> int:
        """Let nobody in any more; returns 0: a request that was cut off was told so."""
        self._closing.set()
        with anyio.move_on_after(budget_s):
            await self._ended.wait()
        return 0

    def troubles(self) -> Sequence[str]:
        """None: what stands still is behind it."""
        return ()

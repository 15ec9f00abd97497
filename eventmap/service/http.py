"""The server of a service: the Invoke API of its functions, and the paths of its receivers."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from eventmap.errors import ConfigurationError
from eventmap.service.settings import HttpSettings

if TYPE_CHECKING:
    from eventmap.server.ports import Api, InvokableFunction, Receiver
    from eventmap.server.statistics import ServerStatistics


class HttpServer:
    """A port that is ours from the start, so that it can be told to others, and answers once it is `serving`."""

    def __init__(self, settings: HttpSettings) -> None:
        """Raises: ConfigurationError if the port cannot be had, or what serves it is not installed."""
        try:
            from eventmap.server.serving import bind, url_of
            from eventmap.server.statistics import ServerStatistics
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"a server needs {error.name}, which is not installed: pip install 'eventmap[server]'"
            ) from None
        self._settings = settings
        self._listener: socket.socket = bind(settings.host, settings.port)
        self.url: str = url_of(self._listener)
        self.statistics: ServerStatistics = ServerStatistics()

    @property
    def reachable_url(self) -> str:
        """Where senders of pushes reach it: the public URL, or its own."""
        return (self._settings.public_url or self.url).rstrip("/")

    @property
    def is_public(self) -> bool:
        """Whether senders beyond this machine have been told to be able to reach it."""
        return self._settings.public_url is not None

    @property
    def is_on_loopback(self) -> bool:
        """Whether nobody beyond this machine can reach it."""
        address = self._listener.getsockname()[0]
        return ip_address(address).is_loopback and not self.is_public

    @property
    def trusts_callers(self) -> bool:
        """Whether only this machine's own programs, or who signs, can call: others may not bring code."""
        return self.is_on_loopback or bool(self._settings.access_keys)

    def close(self) -> None:
        """Let go of the port; after `serving` it is gone already."""
        self._listener.close()

    @asynccontextmanager
    async def serving(
        self,
        functions: Mapping[str, InvokableFunction],
        receivers: Mapping[str, Receiver],
        apis: Sequence[Api],
        place: tuple[str, str],
        *,
        problems: Callable[[], Sequence[str]],
        stop_budget_s: float,
    ) -> AsyncIterator[None]:
        """Answer for the length of the block; requests under way at its end have `stop_budget_s` to be answered.

        `place` is (region, account id) of functions that do not exist.
        """
        from eventmap.server.app import ServerApp
        from eventmap.server.serving import serving
        from eventmap.server.settings import ServerSettings

        region, account_id = place
        public = urlsplit(self._settings.public_url or "").hostname
        settings = ServerSettings(
            access_keys=self._settings.access_keys,
            public_hosts=frozenset() if public is None else frozenset({public.lower()}),
            region=region,
            account_id=account_id,
        )
        app = ServerApp(functions, receivers, settings, self.statistics, apis=apis, problems=problems)
        async with serving(
            app, self._listener, limits=settings.limits, statistics=self.statistics, stop_budget_s=stop_budget_s
        ):
            yield

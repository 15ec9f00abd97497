"""EventBridge's API over buses that really run, on a port of its own; their targets are in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from eventmap.delivery.bus.engine import BusEngine
from eventmap.server.app import ServerApp
from eventmap.server.events_api import EventsApi
from eventmap.server.serving import bind, serving, url_of
from eventmap.server.settings import ServerLimits, ServerSettings
from eventmap.server.statistics import ServerStatistics
from tests.delivery.bus.scene import REGION, Scene


@dataclass
class Served:
    """A running server."""

    scene: Scene
    app: ServerApp
    statistics: ServerStatistics
    url: str

    @property
    def engine(self) -> BusEngine:
        return self.scene.engine

    def client(self, *, key: str = "test", secret: str = "test", checks: bool = True) -> Any:
        """A plain boto3 client without retries; blocking, so call it in a thread. `checks` = its own, beforehand."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=30, parameter_validation=checks)
        keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        return boto3.client("events", endpoint_url=self.url, region_name=REGION.name, config=config, **keys)

    async def call(self, operation: str, *, checks: bool = True, **parameters: Any) -> Any:
        """One call of boto3, in a thread; the answer without its metadata."""

        def work() -> Any:
            client = self.client(checks=checks)
            try:
                return client._make_api_call(operation, parameters)
            finally:
                client.close()

        answer = await anyio.to_thread.run_sync(work)
        answer.pop("ResponseMetadata")
        return answer

    async def refused(self, operation: str, *, checks: bool = False, **parameters: Any) -> tuple[str, str]:
        """(AWS' name of the error, its message) of a call that is refused."""
        with pytest.raises(ClientError) as raised:
            await self.call(operation, checks=checks, **parameters)
        error = raised.value.response["Error"]
        return error["Code"], error["Message"]


@asynccontextmanager
async def served(
    scene: Scene | None = None, *, access_keys: Mapping[str, str] | None = None, within_s: float = 60
) -> AsyncIterator[Served]:
    """Buses at work behind the API."""
    scene, statistics, limits = scene or Scene(), ServerStatistics(), ServerLimits()
    settings = ServerSettings(region=REGION.name, account_id=REGION.account_id, access_keys=access_keys or {})
    listener = bind("127.0.0.1", 0)
    with anyio.fail_after(within_s):
        async with scene.running() as engine:
            app = ServerApp({}, {}, settings, statistics, apis=[EventsApi(engine)])
            url = url_of(listener)
            async with serving(app, listener, limits=limits, statistics=statistics, stop_budget_s=5):
                yield Served(scene, app, statistics, url)

"""The API of mappings and functions in a service: what it was told, and what it moves."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from eventmap.control.function_routes import function_routes
from eventmap.control.functions import ControlledFunctions
from eventmap.control.mapping_routes import mapping_routes
from eventmap.control.mappings import ControlledMappings, DeclaredMapping
from eventmap.control.ports import ControlStore
from eventmap.control.refused import refused_routes
from eventmap.control.tags import Tagged, tag_routes
from eventmap.rules.configuration import mapping_uuid, processing_result
from eventmap.server.lambda_api import LambdaApi
from eventmap.service.asynchronous import Here
from eventmap.service.functions import LiveFunctions
from eventmap.service.pollers import LivePollers
from eventmap.service.queues import RunningQueue
from eventmap.service.settings import CONTROL_PATH
from eventmap.service.streams import RunningStream, StreamPreparation
from eventmap.service.when_needed import ControlWhenNeeded
from eventmap.state.control_memory import MemoryControl

if TYPE_CHECKING:
    from eventmap.service.http import HttpServer


class Control:
    """A `Part`: functions first, then the mappings to them; the other way round at the end."""

    def __init__(self, functions: ControlledFunctions, mappings: ControlledMappings, pollers: LivePollers) -> None:
        self.pollers: LivePollers = pollers
        self._functions = functions
        self._mappings = mappings

    @property
    def api(self) -> LambdaApi:
        """What callers change them by."""
        tagged: dict[str, Tagged] = {"function": self._functions, "event-source-mapping": self._mappings}
        return LambdaApi(
            mapping_routes(self._mappings), function_routes(self._functions), tag_routes(tagged), refused_routes()
        )

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Raises: StateError."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self.pollers.run)
            await tasks.start(self._run_functions)
            await tasks.start(self._run_mappings)
            task_status.started()

    async def drain(self, budget_s: float) -> int:
        await self._mappings.drain()
        await self._functions.drain()
        return await self.pollers.drain(budget_s)

    def troubles(self) -> Sequence[str]:
        return self.pollers.troubles()

    async def _run_functions(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await self._functions.run(task_status=task_status)

    async def _run_mappings(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await self._mappings.run(task_status=task_status)


async def open_control(
    here: Here,
    live: LiveFunctions,
    server: HttpServer,
    streams: StreamPreparation,
    stack: AsyncExitStack,
    *,
    polling: Sequence[RunningQueue | RunningStream],
) -> Control:
    """With what was made by API before; `polling` are the declared mappings. Raises: StateError."""
    store, code_dir = await _open_store(here, stack)
    functions = ControlledFunctions(
        live, store, code_dir, declared=tuple(here.functions.values()), accepts_code=server.trusts_callers
    )
    pollers = LivePollers(here, streams)
    mappings = ControlledMappings(pollers, functions, store, declared=[_declared(each) for each in polling])
    return Control(functions, mappings, pollers)


async def _open_store(here: Here, stack: AsyncExitStack) -> tuple[ControlStore, Path]:
    """And where code is unpacked."""
    if here.settings.is_forgetful:
        return MemoryControl(), Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eventmap-code-")))
    path = here.settings.control_file or CONTROL_PATH
    store = ControlWhenNeeded(path, stack)
    await store.prepare()
    return store, path.with_name(f"{path.stem}-code")


def _declared(polled: RunningQueue | RunningStream) -> DeclaredMapping:
    statistics = polled.loop.statistics
    return DeclaredMapping(
        mapping_uuid(polled.arn, polled.function.function_name),
        polled.loop.mapping,
        polled.arn,
        lambda: processing_result(statistics.invocations, last_failed=statistics.last_failed),
    )

"""The functions and pollers of a service that change while it runs, without the service around them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio

from eventmap import Function, service
from eventmap.delivery.slots import FunctionSlots
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from eventmap.service.asynchronous import AsynchronousQueues, Here
from eventmap.service.connections import Connections
from eventmap.service.functions import LiveFunctions
from eventmap.service.pollers import LivePollers
from eventmap.service.streams import StreamPreparation
from eventmap.state.events_memory import MemoryEvents

REGION, ACCOUNT = "us-east-1", "123456789012"
BUDGET_S = 60.0


class Live:
    """Both, at work."""

    def __init__(self, functions: LiveFunctions, pollers: LivePollers, events: MemoryEvents) -> None:
        self.functions = functions
        self.pollers = pollers
        self.events = events


@asynccontextmanager
async def live(*declared: Function, events: MemoryEvents | None = None, **settings: Any) -> AsyncIterator[Live]:
    """With the functions that were there from the start."""
    events = events or MemoryEvents()
    random.seed(7)
    async with AsyncExitStack() as stack:
        log = TailedLog(service.Silent())
        chosen = service.Settings(events="memory", event_store=events, leases="memory", log=log, **settings)
        here = Here({}, {}, {}, chosen, Connections(chosen, stack), REGION, ACCOUNT)
        queues = AsynchronousQueues(here, stack)
        await queues.prepare()
        for function in declared:
            name = function.function_name
            here.functions[name] = function
            here.slots[name] = FunctionSlots(function.concurrency)
            here.runtimes[name] = await stack.enter_async_context(
                FunctionRuntime(function, region=REGION, account_id=ACCOUNT, log=log)
            )
            await queues.open(function)
        functions = LiveFunctions(here, queues, log, BUDGET_S)
        pollers = LivePollers(here, StreamPreparation(chosen, here.connections, stack, []))
        async with anyio.create_task_group() as tasks:
            await tasks.start(functions.run)
            await tasks.start(pollers.run)
            yield Live(functions, pollers, events)
            await pollers.drain(BUDGET_S)
            await functions.drain(BUDGET_S)

"""The functions of a service, as they come, change and go.

start ──▶ running ──replace──▶ running ──stop──▶ gone      (declared ones run from the beginning to the drain)
"""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
from eventmap.delivery.direct import DirectInvocation
from eventmap.delivery.slots import FunctionSlots
from eventmap.errors import ResourceConflict
from eventmap.function import Function
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.tail import TailedLog
from eventmap.service.asynchronous import AsynchronousQueues, Here, Queue


class LiveFunctions:
    """Those that are invoked by callers, and whose asynchronous events are run: a `control.ports.Functions`."""

    def __init__(self, here: Here, queues: AsynchronousQueues, log: TailedLog, drain_budget_s: float) -> None:
        """`log` is the one the runtimes write to. Those that are in `here` are open in `queues` already."""
        self.invokable: dict[str, DirectInvocation] = {}
        """By name; what the Invoke API serves, as it stands now."""

        self._here = here
        self._queues = queues
        self._log = log
        self._drain_budget_s = drain_budget_s
        self._leaving: dict[str, anyio.Event] = {}  # of those that came later
        self._tasks: TaskGroup | None = None
        self._closing = anyio.Event()
        for name in here.functions:
            self.invokable[name] = self._invocation(name)

    @property
    def queues(self) -> dict[str, Queue]:
        """The asynchronous queue of each."""
        return self._queues.queues

    @property
    def statistics(self) -> dict[str, AsynchronousStatistics]:
        """The live counters of each function's asynchronous queue."""
        return {name: queue.statistics for name, queue in self.queues.items()}

    def troubles(self) -> list[str]:
        """A line for each queue of events that stands still now."""
        troubles = [(name, queue.trouble) for name, queue in self.queues.items()]
        return [f"events of {name}: {trouble}" for name, trouble in troubles if trouble is not None]

    async def owed(self) -> bool:
        """Whether any function's event has not ended. Raises: StateError, SourceError."""
        return any([await each.owed() for each in list(self.queues.values())])

    async def tell_orphans(self) -> None:
        """Tell of events that wait for functions which are not here. Raises: StateError, SourceError."""
        await self._queues.tell_orphans()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Attempt accepted events until `drain` has ended."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            for queue in self.queues.values():
                tasks.start_soon(queue.run)
            task_status.started()
            await self._closing.wait()

    async def drain(self, budget_s: float) -> int:
        """Begin no attempt any more; returns how many were cut off after `budget_s` seconds. Their events stay owed."""
        left: list[int] = []

        async def drain(queue: Queue) -> None:
            left.append(await queue.drain(budget_s))

        async with anyio.create_task_group() as draining:
            for queue in self.queues.values():
                draining.start_soon(drain, queue)
        for leaving in self._leaving.values():
            leaving.set()
        self._closing.set()
        return sum(left)

    def arn(self, name: str) -> str:
        return self._here.runtimes[name].arn

    def arn_of_absent(self, name: str) -> str:
        return self._here.arn(name)

    async def start(self, function: Function) -> None:
        name, here = function.function_name, self._here
        if name in here.functions:
            raise ResourceConflict(f"Function already exist: {name}")
        assert self._tasks is not None, "start comes after run"
        runtime = FunctionRuntime(
            function,
            region=here.region,
            account_id=here.account_id,
            log=here.settings.log,
            extra_environment=here.settings.extra_environment,
        )
        here.functions[name] = function
        here.slots[name] = FunctionSlots(function.concurrency)
        here.runtimes[name] = runtime
        self._leaving[name] = leaving = anyio.Event()
        await self._tasks.start(_hosted, runtime, leaving)
        try:
            queue = await self._queues.open(function)
        except BaseException:
            self._remove(name)
            leaving.set()
            raise
        self._tasks.start_soon(queue.run)
        self.invokable[name] = self._invocation(name)

    async def replace(self, function: Function) -> None:
        name, here = function.function_name, self._here
        ends = await self._queues.ends(function)
        here.runtimes[name].replace(function)
        here.functions[name] = function
        here.slots[name].resize(function.concurrency)
        self.queues[name].replace(function, ends)
        self.invokable[name].replace(function)

    async def stop(self, name: str) -> None:
        if name not in self._leaving:
            return
        self.invokable.pop(name)
        queue, runtime = self.queues[name], self._here.runtimes[name]
        await queue.drain(self._drain_budget_s)
        with anyio.move_on_after(self._drain_budget_s):
            await runtime.idle()
        leaving = self._leaving[name]
        self._remove(name)
        leaving.set()

    def _remove(self, name: str) -> None:
        here = self._here
        self.queues.pop(name, None)
        for part in (here.functions, here.runtimes, here.slots, self._leaving):
            part.pop(name)

    def _invocation(self, name: str) -> DirectInvocation:
        here = self._here
        return DirectInvocation(
            here.functions[name],
            here.runtimes[name],
            slots=here.slots[name].share(),
            log=self._log,
            accept=self._queues.accepted_by(name),
        )


async def _hosted(
    runtime: FunctionRuntime, leaving: anyio.Event, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    async with runtime:
        task_status.started()
        await leaving.wait()

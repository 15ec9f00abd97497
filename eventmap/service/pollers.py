"""The pollers of mappings that come and go while a service runs: a `control.ports.Pollers`.

resolve ──▶ start ──▶ polling ──stop: what was received ends──▶ stopped ──start──▶ … ──forget──▶ gone
"""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap.control.ports import PolledMapping
from eventmap.delivery.statistics import Statistics
from eventmap.errors import ConfigurationError
from eventmap.function import Function
from eventmap.rules.configuration import processing_result
from eventmap.service.asynchronous import Here
from eventmap.service.queues import PreparedQueue, RunningQueue, check_queue, prepare_queue
from eventmap.service.streams import PreparedStream, RunningStream, StreamPreparation
from eventmap.stream_mapping import StreamMapping

_LAST_RECORDS_S = 5.0  # beside the function's timeout: to confirm deletions, to save checkpoints


class LivePollers:
    """Each by a key of the caller's choice."""

    def __init__(self, here: Here, streams: StreamPreparation) -> None:
        self.polled: dict[str, RunningQueue | RunningStream] = {}
        """What is being polled now, by key."""

        self._here = here
        self._streams = streams
        self._results: dict[str, str] = {}  # of those that were stopped
        self._tasks: TaskGroup | None = None
        self._closing = anyio.Event()

    def troubles(self) -> list[str]:
        """A line for each mapping that stands still now."""
        loops = [each.loop for each in self.polled.values()]
        return [f"mapping of {loop.mapping.event_source_arn}: {loop.trouble}" for loop in loops if loop.trouble]

    @property
    def statistics(self) -> dict[tuple[str, str], Statistics]:
        """The live counters of each, by (ARN of its source, function name)."""
        return {(each.arn, each.loop.mapping.function_name): each.loop.statistics for each in self.polled.values()}

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until `drain` has ended."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            task_status.started()
            await self._closing.wait()

    async def drain(self, budget_s: float) -> int:
        """Stop all; returns how much was cut off after `budget_s` seconds. It comes back where it came from."""
        left: list[int] = []

        async def drain(polled: RunningQueue | RunningStream) -> None:
            left.append(await polled.loop.drain(budget_s))

        async with anyio.create_task_group() as draining:
            for polled in self.polled.values():
                draining.start_soon(drain, polled)
        self._closing.set()
        return sum(left)

    async def resolve(self, mapping: PolledMapping) -> str:
        function = self._function(mapping)
        if isinstance(mapping, StreamMapping):
            return await self._streams.check(mapping, function)
        return await check_queue(mapping, function, self._here.connections)

    async def start(self, key: str, mapping: PolledMapping) -> None:
        assert self._tasks is not None, "start comes after run"
        prepared = await self._prepare(mapping)
        name = prepared.function.function_name
        running = prepared.running(self._here.runtimes[name], self._here.slots)
        if isinstance(running, RunningStream):
            try:
                await running.loop.prepare()
            except BaseException:
                running.slots.leave()
                raise
        self.polled[key] = running
        self._tasks.start_soon(running.loop.run)

    async def stop(self, key: str) -> None:
        running = self.polled.get(key)
        if running is None:
            return
        await running.loop.drain(running.function.timeout + _LAST_RECORDS_S)
        self._results[key] = self.last_processing_result(key)
        running.slots.leave()
        del self.polled[key]

    async def forget(self, key: str, mapping: PolledMapping) -> None:
        await self.stop(key)
        self._results.pop(key, None)
        if isinstance(mapping, StreamMapping):
            await self._streams.forget(mapping)

    def trouble(self, key: str) -> str | None:
        polled = self.polled.get(key)
        return None if polled is None else polled.loop.trouble

    def last_processing_result(self, key: str) -> str:
        if (running := self.polled.get(key)) is None:
            return self._results.get(key, processing_result(0, last_failed=False))
        statistics = running.loop.statistics
        return processing_result(statistics.invocations, last_failed=statistics.last_failed)

    async def _prepare(self, mapping: PolledMapping) -> PreparedQueue | PreparedStream:
        function = self._function(mapping)
        if isinstance(mapping, StreamMapping):
            return await self._streams.prepare(mapping, function)
        return await prepare_queue(mapping, function, self._here.connections)

    def _function(self, mapping: PolledMapping) -> Function:
        """By its name; behind a colon may be the alias or version whose code runs."""
        name, _, qualifier = mapping.function_name.partition(":")
        function = self._here.functions.get(name)
        if function is None:
            raise ConfigurationError(f"Function does not exist: {mapping.function_name}")
        return function.runs(qualifier) or function

"""Pushes: a service's server, its asynchronous queues, and what topics and buckets deliver to it.

          ┌─ server: Invoke API, receivers ─┐
sources ──┤                                 ├──▶ asynchronous queues ──▶ functions
          └─ intakes: queues of our own ────┘

run ──▶ serving ──connect──▶ subscribed ──disconnect──▶ unsubscribed, what had arrived is taken ──drain──▶ ended
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap import telemetry
from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.stream.loop import StreamLoop
from eventmap.errors import SourceError, StateError
from eventmap.receivers.s3 import S3Receiver, S3Statistics
from eventmap.receivers.sns import SnsReceiver, SnsStatistics
from eventmap.runtime.tail import TailedLog
from eventmap.service.asynchronous import Here, Queue
from eventmap.service.buckets import PreparedBucket
from eventmap.service.buckets import receivers_of as bucket_receivers
from eventmap.service.http import HttpServer
from eventmap.service.intake import RunningIntake
from eventmap.service.topics import PreparedTopic
from eventmap.service.topics import receivers_of as topic_receivers

_LOOK_AGAIN_S = 0.25
_EMPTY_LOOKS = 2  # in a row: a queue's own figures are approximate
_LAST_ARRIVALS_S = 5.0  # for what was on its way when a source was disconnected

_log = telemetry.logger("eventmap.service")


class Pushes:
    """See the module for its life. `server` None = nobody can call: topics and buckets deliver to queues of our own."""

    def __init__(
        self,
        here: Here,
        queues: Mapping[str, Queue],
        sources: Sequence[PreparedTopic | PreparedBucket],
        server: HttpServer | None,
        log: TailedLog,
        *,
        loops: Sequence[MappingLoop | StreamLoop],
        stop_budget_s: float,
    ) -> None:
        """`loops` are the service's own, whose troubles the server tells of. `stop_budget_s` is for requests that are
        being answered when the server stops.
        """
        self.server: HttpServer | None = server
        self.endpoints: dict[str, SnsStatistics | S3Statistics] = {}
        """The live counters of each receiver, by its path; {} without a server."""

        self._here = here
        self._queues = dict(queues)
        self._sources = tuple(sources)
        self._log_lines = log
        self._intakes: list[RunningIntake] = []
        self._connected: list[PreparedTopic | PreparedBucket] = []
        self._tasks: TaskGroup | None = None
        self._loops = tuple(loops)
        self._closing = anyio.Event()
        self._stop_budget_s = stop_budget_s

    @property
    def statistics(self) -> dict[str, AsynchronousStatistics]:
        """The live counters of each function's asynchronous queue."""
        return {name: queue.statistics for name, queue in self._queues.items()}

    @property
    def arrows(self) -> tuple[tuple[str, str, str], ...]:
        """(source ARN, function name, "http" or "queue") of each source that is connected."""
        return tuple((each.arn, each.function_name, each.way) for each in self._connected)

    def troubles(self) -> list[str]:
        """A line for each mapping and queue of events that stands still now."""
        named = [
            *((f"mapping of {loop.mapping.event_source_arn}", loop.trouble) for loop in self._loops),
            *((f"deliveries by {each.queue.arn}", each.loop.trouble) for each in self._intakes),
            *((f"events of {name}", queue.trouble) for name, queue in self._queues.items()),
        ]
        return [f"{what}: {trouble}" for what, trouble in named if trouble is not None]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until `drain` has ended; whoever is cancelled around it drains first."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                for queue in self._queues.values():
                    tasks.start_soon(queue.run)
                if self.server is not None:
                    await tasks.start(self._serve, self.server)
                task_status.started()

    async def connect(self) -> None:
        """Let every topic and bucket deliver here. Raises: ConfigurationError, SourceError."""
        for source in self._sources:
            self._connected.append(source)  # before: what fails half-way is taken back, too
            accept = self._queues[source.function_name].accept
            if isinstance(source, PreparedTopic):
                over_queue = self._here.settings.pushes_over == "queue"
                intake = await source.connect(self.server, accept, over_queue=over_queue)
            else:
                intake = await source.connect(accept)
            _log.info(telemetry.SOURCE_CONNECTED, source=source.arn, function=source.function_name, way=source.way)
            if intake is not None:
                assert self._tasks is not None
                self._intakes.append(intake)
                self._tasks.start_soon(intake.loop.run)

    async def until_idle(self) -> None:
        """Wait until no push is on its way in a queue of ours and every event has ended, retries included."""
        idle = 0
        while idle < _EMPTY_LOOKS:
            await anyio.sleep(_LOOK_AGAIN_S)
            idle = idle + 1 if await self._is_idle() else 0

    async def disconnect(self) -> None:
        """Ask nobody to deliver here any more, and take what had been delivered. Never raises; twice is fine."""
        connected, self._connected = self._connected, []
        if self._here.settings.keep_subscriptions:
            return
        for source in connected:
            try:
                await source.disconnect()
            except (SourceError, StateError) as error:
                _log.warning(telemetry.SOURCE_LEFT, source=source.arn, error=str(error))
        with anyio.move_on_after(_LAST_ARRIVALS_S):
            empty = 0
            while self._intakes and empty < _EMPTY_LOOKS:
                await anyio.sleep(_LOOK_AGAIN_S)
                empty = empty + 1 if all([await each.is_empty() for each in self._intakes]) else 0

    async def drain(self, budget_s: float) -> int:
        """Stop, within `budget_s` seconds for what runs; returns how much of that was left. Twice is fine.

        What was accepted and has not ended stays owed.
        """
        if self._closing.is_set():
            return 0
        self._closing.set()
        left: list[int] = []

        async def drain(one: RunningIntake | Queue) -> None:
            left.append(await (one.loop if isinstance(one, RunningIntake) else one).drain(budget_s))

        async with anyio.create_task_group() as draining:
            for intake in self._intakes:
                draining.start_soon(drain, intake)
        async with anyio.create_task_group() as draining:
            for queue in self._queues.values():
                draining.start_soon(drain, queue)
        await self._remove_queues()
        return sum(left)

    async def _remove_queues(self) -> None:
        intakes, self._intakes = self._intakes, []
        if self._here.settings.keep_subscriptions:
            return
        for intake in intakes:
            try:
                await intake.remove()
            except SourceError as error:
                _log.warning(telemetry.SOURCE_LEFT, source=intake.queue.arn, error=str(error))

    async def _is_idle(self) -> bool:
        try:
            if not all([await each.is_empty() for each in self._intakes]):
                return False
            return not any([await each.owed() for each in self._queues.values()])
        except (SourceError, StateError) as error:
            _log.warning(telemetry.EVENTS_UNREACHABLE, error=str(error))
            return False

    async def _serve(self, server: HttpServer, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        topics = [each for each in self._sources if isinstance(each, PreparedTopic)]
        buckets = [each for each in self._sources if isinstance(each, PreparedBucket)]
        receivers: dict[str, SnsReceiver | S3Receiver] = {
            **topic_receivers(topics, self._queues, server),
            **bucket_receivers(buckets, self._queues),
        }
        self.endpoints = {path: receiver.statistics for path, receiver in receivers.items()}
        async with server.serving(
            self._here, self._queues, self._log_lines, receivers, self.troubles, stop_budget_s=self._stop_budget_s
        ):
            task_status.started()
            await self._closing.wait()

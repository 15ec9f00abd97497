"""Pushes: a service's server, and what topics, buckets and its other parts bring to its asynchronous queues.

          ┌─ server: Invoke and other APIs, receivers ─┐
sources ──┤                                            ├──▶ asynchronous queues ──▶ functions
          └─ intakes: queues of our own ───────────────┤
parts: clockwork, event buses ─────────────────────────┘
                       ▲
buckets of buses ──────┴─ intakes

run ──▶ serving ──connect──▶ subscribed ──disconnect──▶ unsubscribed, what had arrived is taken ──drain──▶ ended
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap import telemetry
from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.schedule.clockwork import Clockwork
from eventmap.delivery.stream.loop import StreamLoop
from eventmap.errors import SourceError, StateError
from eventmap.receivers.s3 import S3Receiver, S3Statistics
from eventmap.receivers.sns import SnsReceiver, SnsStatistics
from eventmap.server.events_api import EventsApi
from eventmap.service.asynchronous import Here
from eventmap.service.buckets import PreparedBucket
from eventmap.service.buckets import receivers_of as bucket_receivers
from eventmap.service.bus_buckets import BusBucket
from eventmap.service.buses import EventBuses
from eventmap.service.control import Control
from eventmap.service.functions import LiveFunctions
from eventmap.service.http import HttpServer
from eventmap.service.http_api import HttpApiListener
from eventmap.service.intake import RunningIntake
from eventmap.service.parts import Part
from eventmap.service.topics import PreparedTopic
from eventmap.service.topics import receivers_of as topic_receivers

if TYPE_CHECKING:
    from eventmap.server.ports import Api

_Source = PreparedTopic | PreparedBucket | BusBucket
_LOOK_AGAIN_S = 0.25
_EMPTY_LOOKS = 2  # in a row: a queue's own figures are approximate
_LAST_ARRIVALS_S = 5.0  # for what was on its way when a source was disconnected

_log = telemetry.logger("eventmap.service")


class Pushes:
    """See the module for its life. `server` None = nobody can call: topics and buckets deliver to queues of our own."""

    def __init__(
        self,
        here: Here,
        functions: LiveFunctions,
        sources: Sequence[PreparedTopic | PreparedBucket],
        server: HttpServer | None,
        http_api: HttpApiListener | None,
        *,
        clockwork: Clockwork | None,
        buses: EventBuses | None,
        control: Control | None,
        parts: Sequence[Part],
        loops: Sequence[MappingLoop | StreamLoop],
        stop_budget_s: float,
    ) -> None:
        """`loops` are the service's own, whose troubles the server tells of. `clockwork`, `buses` and `control` are
        among the `parts`; None = there are none. `stop_budget_s` is for requests that are being answered when the
        server stops.
        """
        self.server: HttpServer | None = server
        self.http_api: HttpApiListener | None = http_api
        self.clockwork: Clockwork | None = clockwork
        self.buses: EventBuses | None = buses
        self.control: Control | None = control
        self.endpoints: dict[str, SnsStatistics | S3Statistics] = {}
        """The live counters of each receiver, by its path; {} without a server."""

        self._here = here
        self._functions = functions
        self._parts = tuple(parts)
        self._sources = tuple(sources)
        self._intakes: list[RunningIntake] = []
        self._connected: list[_Source] = []
        self._tasks: TaskGroup | None = None
        self._loops = tuple(loops)
        self._closing = anyio.Event()
        self._stop_budget_s = stop_budget_s

    @property
    def statistics(self) -> dict[str, AsynchronousStatistics]:
        """The live counters of each function's asynchronous queue."""
        return self._functions.statistics

    @property
    def arrows(self) -> tuple[tuple[str, str, str], ...]:
        """(source ARN, name of the function or bus, "http" or "queue") of each source that is connected."""
        return tuple((each.arn, _addressee(each), each.way) for each in self._connected)

    def troubles(self) -> list[str]:
        """A line for each mapping and queue of events that stands still now."""
        named = [
            *((f"mapping of {loop.mapping.event_source_arn}", loop.trouble) for loop in self._loops),
            *((f"deliveries by {each.queue.arn}", each.loop.trouble) for each in self._intakes),
        ]
        troubles = [f"{what}: {trouble}" for what, trouble in named if trouble is not None]
        return [*troubles, *self._functions.troubles(), *(line for part in self._parts for line in part.troubles())]

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until `drain` has ended; whoever is cancelled around it drains first."""
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                await tasks.start(self._functions.run)
                for part in self._parts:
                    await tasks.start(part.run)
                await self._functions.tell_orphans()
                if self.server is not None:
                    await tasks.start(self._serve, self.server)
                task_status.started()

    async def connect(self) -> None:
        """Let every topic and bucket deliver here. Raises: ConfigurationError, SourceError."""
        for source in (*self._sources, *(self.buses.buckets if self.buses is not None else ())):
            self._connected.append(source)  # before: what fails half-way is taken back, too
            intake = await self._connected_intake(source)
            _log.info(telemetry.SOURCE_CONNECTED, source=source.arn, function=_addressee(source), way=source.way)
            if intake is not None:
                assert self._tasks is not None
                self._intakes.append(intake)
                self._tasks.start_soon(intake.loop.run)

    async def _connected_intake(self, source: _Source) -> RunningIntake | None:
        """Have it deliver here; None = over HTTP."""
        if isinstance(source, BusBucket):
            return await source.connect()
        accept = self._functions.queues[source.function_name].accept
        if isinstance(source, PreparedBucket):
            return await source.connect(accept)
        over_queue = self._here.settings.pushes_over == "queue"
        return await source.connect(self.server, accept, over_queue=over_queue)

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

        async def drain(intake: RunningIntake) -> None:
            left.append(await intake.loop.drain(budget_s))

        async with anyio.create_task_group() as draining:
            for intake in self._intakes:
                draining.start_soon(drain, intake)
        for part in reversed(self._parts):
            left.append(await part.drain(budget_s))
        left.append(await self._functions.drain(budget_s))
        await self._remove_queues()
        return sum(left)

    def _apis(self) -> list[Api]:
        """What the server serves beside Invoke."""
        apis: list[Api] = []
        if self.buses is not None:
            apis.append(EventsApi(self.buses.engine))
        if self.control is not None:
            apis.append(self.control.api)
        return apis

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
            is_owed = await self._functions.owed() or (self.buses is not None and await self.buses.engine.owed())
            return not is_owed
        except (SourceError, StateError) as error:
            _log.warning(telemetry.EVENTS_UNREACHABLE, error=str(error))
            return False

    async def _serve(self, server: HttpServer, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        topics = [each for each in self._sources if isinstance(each, PreparedTopic)]
        buckets = [each for each in self._sources if isinstance(each, PreparedBucket)]
        receivers: dict[str, SnsReceiver | S3Receiver] = {
            **topic_receivers(topics, self._functions.queues, server),
            **bucket_receivers(buckets, self._functions.queues),
        }
        self.endpoints = {path: receiver.statistics for path, receiver in receivers.items()}
        place = (self._here.region, self._here.account_id)
        async with server.serving(
            self._functions.invokable,
            receivers,
            self._apis(),
            place,
            problems=self.troubles,
            stop_budget_s=self._stop_budget_s,
        ):
            task_status.started()
            await self._closing.wait()


def _addressee(source: _Source) -> str:
    return source.addressee if isinstance(source, BusBucket) else source.function_name

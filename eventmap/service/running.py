"""Running: a service at work, as its host sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from eventmap import telemetry
from eventmap.clock import wall_time_s
from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.statistics import Statistics
from eventmap.delivery.stream.loop import StreamLoop
from eventmap.errors import ConfigurationError, SourceError
from eventmap.model import FunctionError, JsonObject
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.service.queues import RunningQueue
from eventmap.service.streams import RunningStream
from eventmap.sources.dynamodb import TableStreamDescription
from eventmap.sources.kinesis import StreamDescription
from eventmap.sources.sqs import Backlog, QueueDescription

if TYPE_CHECKING:
    from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
    from eventmap.delivery.bus.statistics import BusStatistics
    from eventmap.delivery.schedule.statistics import ScheduleStatistics
    from eventmap.receivers.s3 import S3Statistics
    from eventmap.receivers.sns import SnsStatistics
    from eventmap.server.statistics import ServerStatistics
    from eventmap.service.pushes import Pushes

_log = telemetry.logger("eventmap.service")
_EMPTY_CHECKS = 2  # in a row: a queue's own figures are approximate


class Running:
    """A service at work. Its mappings poll until the block that started it ends."""

    def __init__(
        self,
        mappings: Sequence[RunningQueue | RunningStream],
        runtimes: Mapping[str, FunctionRuntime],
        drain_budget_s: float,
        pushes: Pushes | None = None,
    ) -> None:
        """`pushes` None = there is neither a server, nor a topic, nor a bucket."""
        self._pushes = pushes
        self._mappings = tuple(mappings)
        self._queues = tuple(each for each in mappings if isinstance(each, RunningQueue))
        self._streams = tuple(each for each in mappings if isinstance(each, RunningStream))
        self._runtimes = dict(runtimes)
        self._drain_budget_s = drain_budget_s

    @property
    def loops(self) -> tuple[MappingLoop | StreamLoop, ...]:
        return tuple(each.loop for each in self._mappings)

    @property
    def url(self) -> str | None:
        """Of the server, as this machine reaches it; None = there is none."""
        return self._pushes.server.url if self._pushes and self._pushes.server else None

    @property
    def http_api_url(self) -> str | None:
        """Where HTTP routes are served, as this machine reaches it; None = there are none."""
        return self._pushes.http_api.url if self._pushes and self._pushes.http_api else None

    def http_api_requests(self) -> ServerStatistics | None:
        """The live counters of HTTP routes; None if there are none."""
        return self._pushes.http_api.statistics if self._pushes and self._pushes.http_api else None

    def asynchronous(self) -> dict[str, AsynchronousStatistics]:
        """The live counters of each function's asynchronous queue; {} if nothing accepts events."""
        return self._pushes.statistics if self._pushes else {}

    def requests(self) -> ServerStatistics | None:
        """The live counters of the server: what came, what was refused and why; None if there is none."""
        return self._pushes.server.statistics if self._pushes and self._pushes.server else None

    def endpoints(self) -> dict[str, SnsStatistics | S3Statistics]:
        """The live counters of each receiver, by its path, such as `/sns/orders`."""
        return self._pushes.endpoints if self._pushes else {}

    def pushes(self) -> tuple[tuple[str, str, str], ...]:
        """(ARN of the topic or bucket, function name or `event bus NAME`, the way it delivers: "http" or "queue") of
        each push source.
        """
        return self._pushes.arrows if self._pushes else ()

    async def put_events(self, entries: Sequence[Mapping[str, Any]]) -> JsonObject:
        """Put events on buses of this service, in the members and with the answer of PutEvents; taken = durable.

        Raises: ConfigurationError if there are no buses, or for the request as a whole; StateError, SourceError.
        """
        if self._pushes is None or self._pushes.buses is None:
            raise ConfigurationError("there are no event buses: declare a rule with @app.event, or serve the API")
        return await self._pushes.buses.put_events(entries)

    def buses(self) -> BusStatistics | None:
        """The live counters of the event buses; None if there are none."""
        return self._pushes.buses.engine.statistics if self._pushes and self._pushes.buses else None

    def schedules(self) -> ScheduleStatistics | None:
        """The live counters of the schedules; None if nothing is scheduled."""
        return self._pushes.clockwork.statistics if self._pushes and self._pushes.clockwork else None

    def next_runs(self) -> Mapping[str, float | None]:
        """By name of each schedule, when it is next begun, epoch seconds; None = never again, or not known yet."""
        return self._pushes.clockwork.next_runs() if self._pushes and self._pushes.clockwork else {}

    async def prepare(self) -> None:
        """What must be known before anything is read. Raises: ConfigurationError, SourceError, StateError."""
        for each in self._streams:
            await each.loop.prepare()

    def statistics(self) -> dict[tuple[str, str], Statistics]:
        """The live counters of each mapping that polls now, by (ARN of its source, function name)."""
        statistics = {(each.arn, each.function.function_name): each.loop.statistics for each in self._mappings}
        return {**self._made_by_api(), **statistics}

    def queues(self) -> tuple[QueueDescription, ...]:
        """The mapped queues, as they were described at the start."""
        return tuple(each.queue for each in self._queues)

    def streams(self) -> tuple[StreamDescription | TableStreamDescription, ...]:
        """The mapped streams, as they were described at the start."""
        return tuple(each.stream for each in self._streams)

    def configurations(self) -> list[JsonObject]:
        """Each mapping as `CreateEventSourceMapping` would answer it (SQS-17, STR-15)."""
        return [each.configuration() for each in self._mappings]

    async def backlog(self) -> dict[str, Backlog]:
        """What each queue says it holds, by ARN. Raises: SourceError."""
        return {each.arn: await each.source.backlog() for each in self._queues}

    async def warm(self) -> dict[str, FunctionError]:
        """Start one environment of each function now; returns, by function name, the errors of those that cannot Init.

        Raises: EnvironmentNotStarted.
        """
        errors = {}
        for name, runtime in self._runtimes.items():
            error = await runtime.warm()
            if error is not None:
                errors[name] = error
        return errors

    def reload(self) -> None:
        """Import handlers anew from the next invocation on. Raises: ConfigurationError for inline functions."""
        for runtime in self._runtimes.values():
            runtime.reload()

    async def until_empty(self, *, check_every_s: float = 0.25) -> None:
        """Wait until nothing is visible, delayed or in flight in any queue, and nothing is held here.

        A queue whose figures cannot be had is asked again; what it says must hold twice in a row.
        """
        empty = 0
        while empty < _EMPTY_CHECKS:
            await anyio.sleep(check_every_s)
            empty = empty + 1 if await self._is_empty() else 0

    async def until_caught_up(self, *, check_every_s: float = 0.1) -> None:
        """Wait until every shard of every stream has been read, and is done, up to the moment of this call.

        A shard that nobody reads yet is waited for; what other workers read is theirs to finish.
        Raises: StateError if the leases cannot be read, and will not be by waiting.
        """
        as_of = wall_time_s()
        while True:
            if await self._is_caught_up(as_of):
                return
            await anyio.sleep(check_every_s)

    async def until_idle(self) -> None:
        """Wait until no push is under way and every accepted event has ended, those included that wait for a retry.

        What a topic or bucket has yet to deliver over HTTP is not known here.
        """
        if self._pushes is not None:
            await self._pushes.until_idle()

    def _made_by_api(self) -> dict[tuple[str, str], Statistics]:
        control = self._pushes.control if self._pushes else None
        return {} if control is None else control.pollers.statistics

    async def _is_caught_up(self, as_of: float) -> bool:
        try:
            return all([await each.loop.caught_up(as_of) for each in self._streams])
        except SourceError as error:  # a table of leases that is busy is asked again
            _log.warning(telemetry.LEASES_UNREACHABLE, error=str(error))
            return False

    async def _is_empty(self) -> bool:
        if not all(each.loop.quiet for each in self._queues):
            return False
        try:
            return all([(await each.source.backlog()).total == 0 for each in self._queues])
        except SourceError as error:
            _log.warning(telemetry.POLL_FAILED, code=error.code, error=str(error))
            return False

    async def drain(self) -> int:
        """Stop receiving and let what runs end; see `drain` of the loops. Returns how much of it was left undone."""
        left: list[int] = []
        if self._pushes is not None:
            await self._pushes.disconnect()

        async def drain(loop: MappingLoop | StreamLoop) -> None:
            left.append(await loop.drain(self._drain_budget_s))

        async with anyio.create_task_group() as draining:
            for loop in self.loops:
                draining.start_soon(drain, loop)
            if self._pushes is not None:
                left.append(await self._pushes.drain(self._drain_budget_s))
        return sum(left)

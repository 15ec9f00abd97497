"""The composition root: functions and mappings in, one running service out. The only file that names concrete rooms."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventmap import telemetry
from eventmap.aws.arn import parse_queue
from eventmap.aws.session import AwsSettings, open_wire
from eventmap.clock import utc_now
from eventmap.delivery.loop import MappingLoop
from eventmap.delivery.slots import FunctionSlots
from eventmap.delivery.statistics import Statistics
from eventmap.errors import (
    ConfigurationError,
    FunctionNotInitialized,
    QueueNotFound,
    ResourceConflict,
    SourceError,
    TransientSourceError,
)
from eventmap.function import Function
from eventmap.mapping import EventSourceMapping
from eventmap.model import FunctionError, JsonObject
from eventmap.rules import configuration, queue
from eventmap.rules.filtering import SqsFilter
from eventmap.runtime.invoker import FunctionRuntime
from eventmap.runtime.report import InvocationLog
from eventmap.sources.sqs import Backlog, QueueApi, QueueDescription, SqsSource, describe_queue, missing_queue

_log = telemetry.logger("eventmap.service")
_EMPTY_CHECKS = 2  # in a row: a queue's own figures are approximate
_CONNECTIONS = 256


class Silent:
    """The invocation log nobody reads."""

    enabled = False

    def line(self, function_name: str, request_id: str, text: str) -> None:
        """Never called while `enabled` is False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where a service runs and how it stops; everything has a default."""

    aws: AwsSettings = field(default_factory=AwsSettings)
    queue_api: QueueApi | None = None
    """Ask this instead of AWS: the in-memory queue of `eventmap.testing`, or one of your own."""

    log: InvocationLog = field(default_factory=Silent)
    """Takes the START, END and REPORT lines, and what handlers print under process isolation."""

    drain_budget_s: float | None = None
    """How long running invocations may take to end at the stop; None = the longest function timeout + 5 s."""

    extra_environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for child processes, below the function's own."""

    warm: bool = False
    """Init an environment of each function before anything is received; raises FunctionNotInitialized."""


@dataclass(frozen=True, slots=True)
class _RunningMapping:
    loop: MappingLoop
    source: SqsSource
    queue: QueueDescription
    function: Function


class Running:
    """A service at work. Its mappings poll until the block that started it ends."""

    def __init__(
        self, mappings: Sequence[_RunningMapping], runtimes: Mapping[str, FunctionRuntime], drain_budget_s: float
    ) -> None:
        self._mappings = tuple(mappings)
        self._runtimes = dict(runtimes)
        self._drain_budget_s = drain_budget_s

    def statistics(self) -> dict[tuple[str, str], Statistics]:
        """The live counters of each mapping, by (queue ARN, function name)."""
        return {(each.queue.arn, each.function.function_name): each.loop.statistics for each in self._mappings}

    def queues(self) -> tuple[QueueDescription, ...]:
        """The mapped queues, as they were described at the start."""
        return tuple(each.queue for each in self._mappings)

    def configurations(self) -> list[JsonObject]:
        """Each mapping as `CreateEventSourceMapping` would answer it (SQS-17)."""
        return [
            configuration.created(each.loop.mapping, each.queue.arn, each.function.function_name, utc_now())
            for each in self._mappings
        ]

    async def backlog(self) -> dict[str, Backlog]:
        """What each queue says it holds, by ARN. Raises: SourceError."""
        return {each.queue.arn: await each.source.backlog() for each in self._mappings}

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

    async def _is_empty(self) -> bool:
        if not all(each.loop.quiet for each in self._mappings):
            return False
        try:
            return all([(await each.source.backlog()).total == 0 for each in self._mappings])
        except SourceError as error:
            _log.warning(telemetry.POLL_FAILED, code=error.code, error=str(error))
            return False

    async def drain(self) -> int:
        """Stop receiving and let what runs end; see `MappingLoop.drain`. Returns how many messages were left."""
        left: list[int] = []

        async def drain(loop: MappingLoop) -> None:
            left.append(await loop.drain(self._drain_budget_s))

        async with anyio.create_task_group() as draining:
            for each in self._mappings:
                draining.start_soon(drain, each.loop)
        return sum(left)


@asynccontextmanager
async def running(
    functions: Sequence[Function], mappings: Sequence[EventSourceMapping], settings: Settings | None = None
) -> AsyncIterator[Running]:
    """Run the mappings for the length of the block, then drain.

    Everything is checked before the first receive. Raises: ConfigurationError, SourceError, and what the block raises,
    as it is. Cancelling the block drains within the budget; cancelling again from outside is not waited for.
    """
    settings = settings or Settings()
    by_name = {function.function_name: function for function in functions}
    if len(by_name) != len(functions):
        raise ConfigurationError("two functions have the same function_name; give each one of its own")
    budget_s = settings.drain_budget_s
    if budget_s is None:
        budget_s = 5.0 + max((function.timeout for function in functions), default=0)
    async with AsyncExitStack() as stack:
        connections = _Connections(settings, stack)
        prepared = [await _prepare(mapping, by_name, connections) for mapping in mappings if mapping.enabled]
        _refuse_duplicates(prepared)
        runtimes = {}
        for function in functions:
            region, account = _place(function, prepared)
            runtimes[function.function_name] = await stack.enter_async_context(
                FunctionRuntime(
                    function,
                    region=region,
                    account_id=account,
                    log=settings.log,
                    extra_environment=settings.extra_environment,
                )
            )
        slots = {name: FunctionSlots(function.concurrency) for name, function in by_name.items()}
        service = Running(
            [_loop(each, runtimes[each.function.function_name], slots) for each in prepared], runtimes, budget_s
        )
        if settings.warm and (errors := await service.warm()):
            raise FunctionNotInitialized({name: _read(error) for name, error in errors.items()})
        raised: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_polling, [each.loop for each in service._mappings])
            try:
                yield service
            except Exception as error:  # the caller's own: raised below, where no group wraps it
                raised = error
            finally:
                with anyio.CancelScope(shield=True):  # bounded by the budget
                    await service.drain()
        if raised is not None:
            raise raised


async def _keep_polling(loops: Sequence[MappingLoop]) -> None:
    """Run the loops until each is drained. Whoever is cancelled around them still drains them first."""
    with anyio.CancelScope(shield=True):
        async with anyio.create_task_group() as tasks:
            for loop in loops:
                tasks.start_soon(loop.run)


def _read(error: FunctionError) -> tuple[str, str, list[str]]:
    document = json.loads(error.payload)
    return error.error_type, str(document["errorMessage"]), document.get("stackTrace", [])


@dataclass(frozen=True, slots=True)
class _Prepared:
    mapping: EventSourceMapping
    function: Function
    api: QueueApi
    queue: QueueDescription
    filters: SqsFilter


class _Connections:
    """One wire per region and endpoint, opened when the first mapping needs it."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._wires: dict[AwsSettings, QueueApi] = {}

    async def for_queue(self, region: str | None, endpoint_url: str | None) -> QueueApi:
        if self._settings.queue_api is not None:
            return self._settings.queue_api
        asked = self._settings.aws
        if region and asked.region and region != asked.region:
            raise ConfigurationError(
                f"the queue is in {region}, but the region asked for is {asked.region}: leave one out (SQS-19)"
            )
        aws = AwsSettings(
            endpoint_url=asked.endpoint_url or endpoint_url,
            region=asked.region or region,
            profile=asked.profile,
            credentials=asked.credentials,
        )
        if aws not in self._wires:
            self._wires[aws] = await self._stack.enter_async_context(open_wire(aws, connection_limit=_CONNECTIONS))
        return self._wires[aws]


async def _prepare(
    mapping: EventSourceMapping, functions: Mapping[str, Function], connections: _Connections
) -> _Prepared:
    function = functions.get(mapping.function_name)
    if function is None:
        raise ConfigurationError(
            f"mapping of {mapping.event_source_arn!r} names function {mapping.function_name!r}, which is not declared"
        )
    filters = SqsFilter(
        [text if isinstance(text, str) else json.dumps(text) for text in mapping.patterns],
        maximum_filters=mapping.filter_quota,
    )
    if filters.unusual_keys:
        _log.warning(telemetry.FILTER_UNUSUAL, mapping=mapping.event_source_arn, keys=list(filters.unusual_keys))
    reference = parse_queue(mapping.event_source_arn)
    api = await connections.for_queue(reference.region, reference.endpoint_url)
    async for attempt in _patiently():
        with attempt:
            try:
                url = reference.url or await api.get_queue_url(reference.name, reference.account)
            except QueueNotFound as error:
                raise missing_queue(error) from error
            described = await describe_queue(api, url)
    queue.check_visibility(described.visibility_timeout_s, function.timeout)
    return _Prepared(mapping, function, api, described, filters)


def _patiently() -> AsyncRetrying:
    """For the questions at the start: a second or two of patience with a server that is busy or not quite up."""
    return AsyncRetrying(
        retry=retry_if_exception_type(TransientSourceError),
        wait=wait_random_exponential(multiplier=0.2, max=1),
        stop=stop_after_attempt(5),
        sleep=anyio.sleep,
        reraise=True,
    )


def _refuse_duplicates(prepared: Sequence[_Prepared]) -> None:
    seen = set()
    for each in prepared:
        key = (each.queue.arn, each.function.function_name)
        if key in seen:
            raise ResourceConflict(configuration.already_exists(*key))
        seen.add(key)


def _place(function: Function, prepared: Sequence[_Prepared]) -> tuple[str, str]:
    """(region, account) of a function: those of its first queue."""
    for each in prepared:
        if each.function is function:
            return each.queue.region, each.queue.arn.split(":")[4]
    return "us-east-1", "000000000000"


def _loop(prepared: _Prepared, runtime: FunctionRuntime, slots: Mapping[str, FunctionSlots]) -> _RunningMapping:
    mapping, function, described = prepared.mapping, prepared.function, prepared.queue
    asked = queue.receive_visibility(mapping, function.timeout, described.visibility_timeout_s)
    source = SqsSource(prepared.api, described, visibility_timeout=asked)
    loop = MappingLoop(
        mapping,
        source,
        described,
        runtime.invoke,
        slots=slots[function.function_name].share(mapping.maximum_concurrency),
        visibility_timeout_s=asked or described.visibility_timeout_s,
        function_timeout_s=function.timeout,
        passes=prepared.filters.passes if mapping.patterns else None,
    )
    return _RunningMapping(loop, source, described, function)

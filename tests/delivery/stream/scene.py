"""A function on a stream in memory, and what can be seen of it from outside."""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from eventmap import App
from eventmap.clock import elapsed_s
from eventmap.delivery.statistics import Statistics
from eventmap.delivery.stream.ports import LeaseStore
from eventmap.errors import SourceError, TransientSourceError
from eventmap.model import JsonObject
from eventmap.rules.leases import LeaseSettings
from eventmap.service import Running, Settings, running
from eventmap.testing import MemoryDynamoDb, MemoryKinesis
from eventmap.testing.memory_leases import MemoryLeases, MemoryLeaseTable

REPORTS: dict[str, Any] = {"function_response_types": ["ReportBatchItemFailures"]}
TO_QUEUE: dict[str, Any] = {
    "destination_config": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:dead"}}
}
STREAM = "orders"

RawRecord = dict[str, Any]
Then = Callable[[list[RawRecord]], object]


def text_of(record: RawRecord) -> str:
    """What was written: a Kinesis record's data, or the attribute `text` of an item, `-` once it is deleted."""
    if "kinesis" in record:
        return base64.b64decode(record["kinesis"]["data"]).decode()
    image = record["dynamodb"].get("NewImage", {})
    return str(image.get("text", {}).get("S", "-"))


def sequence_of(record: RawRecord) -> str:
    if "kinesis" in record:
        return str(record["kinesis"]["sequenceNumber"])
    return str(record["dynamodb"]["SequenceNumber"])


@dataclass
class Invocation:
    """One run of the handler, as it saw it."""

    at: float
    event: dict[str, Any]
    request_id: str
    ended_at: float | None = None  #: None = still running, or cut off

    @property
    def records(self) -> list[RawRecord]:
        found: list[RawRecord] = self.event["Records"]
        return found

    @property
    def texts(self) -> list[str]:
        return [text_of(record) for record in self.records]


class Handler:
    """An async handler that takes `seconds` and then answers what `then(records)` returns or raises."""

    def __init__(self, seconds: float = 0.0, then: Then | None = None) -> None:
        self.seconds = seconds
        self.then = then
        self.invocations: list[Invocation] = []
        self.running = 0
        self.most_running = 0

    async def __call__(self, event: dict[str, Any], context: Any) -> object:
        invocation = Invocation(elapsed_s(), event, context.aws_request_id)
        self.invocations.append(invocation)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.seconds:
                await anyio.sleep(self.seconds)
        finally:
            self.running -= 1
        invocation.ended_at = elapsed_s()
        return self.then(invocation.records) if self.then else None

    @property
    def texts(self) -> list[str]:
        """Everything it was given, in order."""
        return [text for invocation in self.invocations for text in invocation.texts]

    @property
    def batches(self) -> list[list[str]]:
        return [invocation.texts for invocation in self.invocations]

    @property
    def times(self) -> list[float]:
        return [round(invocation.at, 3) for invocation in self.invocations]

    @property
    def gaps(self) -> list[float]:
        """Between two beginnings each."""
        return [round(later.at - earlier.at, 3) for earlier, later in itertools.pairwise(self.invocations)]

    @property
    def request_ids(self) -> list[str]:
        return [invocation.request_id for invocation in self.invocations]


def fail(_records: object) -> object:
    raise ValueError("boom")


def fail_for(*texts: str) -> Then:
    """Raise when one of these is in the batch."""

    def then(records: list[RawRecord]) -> object:
        if any(text_of(record) in texts for record in records):
            raise ValueError("boom")
        return None

    return then


def fail_times(count: int) -> Then:
    """Raise in the first `count` invocations."""
    left = iter(range(count))

    def then(_records: list[RawRecord]) -> object:
        if next(left, None) is not None:
            raise ValueError("boom")
        return None

    return then


def report(*texts: str) -> Then:
    """Answer those of the batch with these texts as item failures."""

    def then(records: list[RawRecord]) -> object:
        return failures(sequence_of(record) for record in records if text_of(record) in texts)

    return then


def failures(sequences: Iterable[object]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in sequences]}


@dataclass
class Destination:
    """Where reports go, in place of a queue, topic or bucket. The next `down` sends find it throttled."""

    reports: list[JsonObject] = field(default_factory=list)
    payloads: list[bytes | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    down: int = 0
    is_refused: bool = False

    async def send(self, report: JsonObject, *, shard_id: str, payload: bytes | None) -> None:
        await anyio.lowlevel.checkpoint()
        if self.is_refused:
            raise SourceError("denied", code="AccessDenied")
        if self.down:
            self.down -= 1
            raise TransientSourceError("throttled", code="ThrottlingException")
        self.reports.append(report)
        self.payloads.append(payload)
        self.times.append(elapsed_s())

    @property
    def conditions(self) -> list[tuple[object, object, object]]:
        """(condition, invocations, records) of each report."""
        return [
            (request["condition"], request["approximateInvokeCount"], batch_info(report).get("batchSize"))  # type: ignore[index,call-overload]
            for report in self.reports
            for request in [report["requestContext"]]
        ]


def batch_info(report: JsonObject) -> JsonObject:
    info = report.get("KinesisBatchInfo") or report.get("DDBStreamBatchInfo")
    assert isinstance(info, dict)
    return info


def app_of(
    api: object,
    handler: Callable[[Any, Any], object],
    stream: str = STREAM,
    *,
    timeout: int = 3,
    concurrency: int | None = None,
    **mapping: Any,
) -> App:
    """One function, called `work`, on one stream of `api`'s kind; `mapping` are settings of the mapping."""
    app = App()
    app.function(timeout=timeout, reserved_concurrent_executions=concurrency)(handler)
    declare = app.dynamodb if is_dynamodb(api) else app.kinesis
    declare(stream, **{"function_name": "work", "starting_position": "TRIM_HORIZON", **mapping})(handler)
    return app


def is_dynamodb(api: object) -> bool:
    while not isinstance(api, MemoryKinesis | MemoryDynamoDb):
        api = api.api  # type: ignore[attr-defined]  # a wrapper
    return isinstance(api, MemoryDynamoDb)


@asynccontextmanager
async def working(
    api: Any,
    handler: Callable[[Any, Any], object],
    *,
    store: LeaseStore | None = None,
    reports: Destination | None = None,
    drain_budget_s: float | None = None,
    failover_s: float = 10.0,
    **settings: Any,
) -> AsyncIterator[Running]:
    """`app_of(api, handler, …)` at work. `store` None = leases that nobody else sees; `reports`: on failure, there."""
    store = store or MemoryLeaseTable().store_for("worker")
    app = app_of(api, handler, **({} if reports is None else TO_QUEUE), **settings)
    kind = "dynamodb_api" if is_dynamodb(api) else "kinesis_api"
    chosen = Settings(
        **{kind: api},
        lease_store=lambda _: store,
        on_failure=None if reports is None else lambda _: reports,
        lease_settings=LeaseSettings(failover_s=failover_s),
        drain_budget_s=drain_budget_s,
    )
    async with running(app.functions(), app.mappings(), chosen) as service:
        yield service


class Machine:
    """What a worker runs on: its way to the stream, to the leases, and to its own handler. `cut` ends all of them."""

    def __init__(self, api: Any, store: MemoryLeases, handler: Callable[[Any, Any], Awaitable[object]]) -> None:
        self.api = api
        self.store = store
        self.is_cut = False
        self._handler = handler
        self._ended = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.api, name)

        async def answered(*arguments: Any, **options: Any) -> Any:
            if self.is_cut:
                raise TransientSourceError("there is no network")
            answer = await call(*arguments, **options)
            if self.is_cut:
                raise TransientSourceError("there is no network")
            return answer

        return answered

    async def handler(self, event: Any, context: Any) -> object:
        """What the machine's end stops wherever it is, and of what nobody ever hears."""
        answers: list[Callable[[], object]] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop, tasks.cancel_scope)
            try:
                answer = await self._handler(event, context)
                answers.append(lambda: answer)
            except Exception as error:  # the handler's own failure goes on below, where no group wraps it
                raised = error
                answers.append(lambda: _raise(raised))
            tasks.cancel_scope.cancel()
        if not answers:
            await anyio.sleep_forever()
        return answers[0]()

    def cut(self) -> None:
        """The machine is gone: no call takes effect any more, no handler goes on."""
        self.is_cut = True
        self.store.is_reachable = False
        self._ended.set()

    async def _stop(self, scope: anyio.CancelScope) -> None:
        await self._ended.wait()
        scope.cancel()


def _raise(error: Exception) -> object:
    raise error


@asynccontextmanager
async def crashing(
    api: Any, handler: Callable[[Any, Any], Awaitable[object]], *, leases: MemoryLeaseTable, **settings: Any
) -> AsyncIterator[Machine]:
    """A worker whose machine is gone at the end of the block: nothing is drained, saved or released."""
    machine = Machine(api, leases.store_for("crashing"), handler)
    settings.setdefault("drain_budget_s", 0.001)
    with anyio.CancelScope() as life:
        async with working(machine, machine.handler, store=machine.store, **settings):
            try:
                yield machine
            finally:
                machine.cut()
                life.cancel()


def statistics(service: Running) -> Statistics:
    """Of the only mapping."""
    (only,) = service.statistics().values()
    return only


def kinesis(shards: int = 1, **options: Any) -> MemoryKinesis:
    """With one stream, `orders`."""
    service = MemoryKinesis(**options)
    service.create_stream(STREAM, shards)
    return service


def dynamodb(shards: int = 1, **options: Any) -> MemoryDynamoDb:
    """With one table, `orders`."""
    service = MemoryDynamoDb(**options)
    service.create_table(STREAM, shards=shards)
    return service


def put(api: MemoryKinesis | MemoryDynamoDb, *texts: str, key: str | None = None) -> list[str]:
    """Write records; `key` None = each has a key of its own. Returns their sequence numbers."""
    placed = []
    for text in texts:
        if isinstance(api, MemoryKinesis):
            placed.append(api.put_record(STREAM, text.encode(), key or text))
        else:
            placed.append(api.put_item(STREAM, {"id": {"S": key or text}, "text": {"S": text}}))
    return [each.sequence for each in placed if each is not None]


def checkpoints(leases: MemoryLeaseTable) -> list[str]:
    """By shard id."""
    return [leases.leases[key].checkpoint for key in sorted(leases.leases)]


def numbered(count: int, prefix: str = "r") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def spread(count: int, shards: Sequence[str], api: MemoryKinesis) -> dict[str, list[str]]:
    """Put `count` records on each of these shards; returns their texts by shard."""
    written: dict[str, list[str]] = {shard_id: [] for shard_id in shards}
    number = itertools.count()
    while any(len(texts) < count for texts in written.values()):
        text = f"t{next(number)}"
        shard_id, _ = api.put_record(STREAM, text.encode(), text)
        if shard_id in written:
            written[shard_id].append(text)
    return written

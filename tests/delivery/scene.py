"""A function on a queue in memory, and what can be seen of it from outside."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from eventmap import App, EventSourceMapping, Function
from eventmap.clock import elapsed_s
from eventmap.delivery.statistics import Statistics
from eventmap.service import Running
from eventmap.sources.sqs import QueueApi, RawMessage

REPORTS: dict[str, Any] = {"function_response_types": ["ReportBatchItemFailures"]}


@dataclass
class Invocation:
    """One run of the handler, as it saw it."""

    at: float
    records: list[dict[str, Any]]
    ended_at: float | None = None  #: None = still running, or cut off

    @property
    def bodies(self) -> list[str]:
        return [record["body"] for record in self.records]


class Handler:
    """An async handler that takes `seconds` and then answers what `then(records)` returns or raises."""

    def __init__(self, seconds: float = 0.0, then: Callable[[list[dict[str, Any]]], object] | None = None) -> None:
        self.seconds = seconds
        self.then = then
        self.invocations: list[Invocation] = []
        self.running = 0
        self.most_running = 0

    async def __call__(self, event: dict[str, Any], context: object) -> object:
        invocation = Invocation(elapsed_s(), event["Records"])
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
    def bodies(self) -> list[str]:
        """Everything it was given, in order."""
        return [body for invocation in self.invocations for body in invocation.bodies]

    @property
    def batches(self) -> list[list[str]]:
        return [invocation.bodies for invocation in self.invocations]

    @property
    def times(self) -> list[float]:
        return [round(invocation.at, 3) for invocation in self.invocations]

    def receive_counts(self, body: str) -> list[int]:
        """Of one message, over its deliveries."""
        return [
            int(record["attributes"]["ApproximateReceiveCount"])
            for invocation in self.invocations
            for record in invocation.records
            if record["body"] == body
        ]


def fail(_records: object) -> object:
    raise ValueError("boom")


def fail_for(*bodies: str) -> Callable[[list[dict[str, Any]]], object]:
    """Raise when one of these is in the batch."""

    def then(records: list[dict[str, Any]]) -> object:
        if any(record["body"] in bodies for record in records):
            raise ValueError("boom")
        return None

    return then


def report(*bodies: str) -> Callable[[list[dict[str, Any]]], object]:
    """Answer those of the batch with these bodies as item failures."""

    def then(records: list[dict[str, Any]]) -> object:
        return failures(record["messageId"] for record in records if record["body"] in bodies)

    return then


def failures(message_ids: Iterable[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


def app_of(
    handler: Callable[[Any, Any], object],
    queue: str = "orders",
    *,
    timeout: int = 3,
    concurrency: int | None = None,
    **mapping: Any,
) -> App:
    """One function, called `work`, on one queue; `mapping` are settings of the mapping."""
    app = App()
    function = Function(
        handler=handler, function_name="work", timeout=timeout, reserved_concurrent_executions=concurrency
    )
    app.add(function, EventSourceMapping(event_source_arn=queue, function_name="work", **mapping))
    return app


@asynccontextmanager
async def working(api: QueueApi, handler: Callable[[Any, Any], object], **settings: Any) -> AsyncIterator[Running]:
    """`app_of(handler, …)` at work on `api`."""
    budget = settings.pop("drain_budget_s", None)
    async with app_of(handler, **settings).running(queue_api=api, drain_budget_s=budget) as running:
        yield running


def statistics(running: Running) -> Statistics:
    """Of the only mapping."""
    (only,) = running.statistics().values()
    return only


class Relay:
    """A queue seen through a wire: every call takes `latency_s` before and after it takes effect.

    Writes down which messages were in flight when each call began, and refuses to let two calls for one message be
    under way at once. `unplug` lets nothing more through, as when the worker's machine is gone.
    """

    def __init__(self, queue: Any, *, latency_s: float = 0.0) -> None:
        self.queue = queue
        self.latency_s = latency_s
        self.receives: list[tuple[float, int, int, int | None]] = []  #: (at, number asked for, wait, visibility)
        self.deletes: list[tuple[float, list[str]]] = []
        self.changes: list[tuple[float, list[tuple[str, int]]]] = []
        self.overlaps: list[str] = []
        self.is_unplugged = False
        self._message_of: dict[str, str] = {}  # receipt -> message id
        self._under_way: set[str] = set()

    async def get_queue_url(self, name: str, account: str | None = None) -> str:
        return str(await self.queue.get_queue_url(name, account))

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        attributes: dict[str, str] = await self.queue.get_queue_attributes(queue_url)
        return attributes

    async def receive_message(
        self,
        queue_url: str,
        *,
        max_number_of_messages: int,
        wait_time_seconds: int,
        visibility_timeout: int | None = None,
    ) -> list[RawMessage]:
        self.receives.append((elapsed_s(), max_number_of_messages, wait_time_seconds, visibility_timeout))
        await self._travel()
        messages: list[RawMessage] = await self.queue.receive_message(
            queue_url,
            max_number_of_messages=max_number_of_messages,
            wait_time_seconds=wait_time_seconds,
            visibility_timeout=visibility_timeout,
        )
        for message in messages:
            self._message_of[message["ReceiptHandle"]] = message["MessageId"]
        await self._travel()
        return messages

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]:
        ids = [self._message_of[receipt] for receipt in receipts]
        self.deletes.append((elapsed_s(), ids))
        return await self._settle(ids, lambda: self.queue.delete_message_batch(queue_url, receipts))

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]:
        ids = [self._message_of[receipt] for receipt, _ in entries]
        self.changes.append((elapsed_s(), [(each, entry[1]) for each, entry in zip(ids, entries, strict=True)]))
        return await self._settle(ids, lambda: self.queue.change_message_visibility_batch(queue_url, entries))

    async def _settle(self, ids: list[str], call: Callable[[], Any]) -> dict[int, str]:
        if len(set(ids)) != len(ids) or self._under_way & set(ids):
            self.overlaps.append(f"at {elapsed_s()}: {ids}")
        self._under_way |= set(ids)
        try:
            await self._travel()
            failed: dict[int, str] = await call()
            await self._travel()
        finally:
            self._under_way -= set(ids)
        return failed

    async def _travel(self) -> None:
        if self.is_unplugged:
            await anyio.sleep_forever()
        if self.latency_s:
            await anyio.sleep(self.latency_s)
        if self.is_unplugged:
            await anyio.sleep_forever()

    def unplug(self) -> None:
        self.is_unplugged = True

    def message_of(self, receipt: str) -> str:
        return self._message_of[receipt]


def numbered(count: int, prefix: str = "m") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def calls_per(sqs: Any) -> int:
    """Receives, deletes and visibility changes so far."""
    calls = sqs.journal.calls
    return int(sum(calls[name] for name in ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")))


def gaps(times: Sequence[float]) -> list[float]:
    return [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]

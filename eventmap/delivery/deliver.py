"""Deliver: one batch through the function and back: invoke, read the outcome, settle every record, free the slot."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.delivery.ledger import Ledger
from eventmap.delivery.slots import MappingSlots
from eventmap.delivery.statistics import Statistics
from eventmap.mapping import EventSourceMapping
from eventmap.model import Batch, Event, Outcome, Record, Refused, Response, Settlement, Succeeded, Throttled
from eventmap.rules import partial, queue
from eventmap.rules.fifo import GroupOrder

Invoke = Callable[[Event], Awaitable[Response]]
"""Runs the function once. Never raises: what goes wrong inside is a response."""


class QueueSettings(Protocol):
    """What is known of the queue."""

    @property
    def fifo(self) -> bool: ...
    @property
    def visibility_timeout_s(self) -> int: ...
    @property
    def maximum_receive_count(self) -> int | None: ...


class Delivery:
    """The way of one mapping's batches. `order` is None on a standard queue."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        queue_settings: QueueSettings,
        invoke: Invoke,
        *,
        ledger: Ledger,
        slots: MappingSlots,
        statistics: Statistics,
    ) -> None:
        self._mapping = mapping
        self._queue = queue_settings
        self._invoke = invoke
        self._ledger = ledger
        self._slots = slots
        self._statistics = statistics
        self._stopping = anyio.Event()
        self._abandoned = False
        self._idle = anyio.Event()
        self._workers_waiting: list[asyncio.Future[Batch]] = []  # as many at most as there are slots
        self._log = telemetry.logger("eventmap.delivery").bind(
            mapping=mapping.event_source_arn, function=mapping.function_name
        )
        self.order: GroupOrder | None = GroupOrder() if queue_settings.fifo else None

    def stop_retrying(self) -> None:
        """The drain has begun: a refused batch is tried once more, at once, and then given back."""
        self._stopping.set()

    def abandon(self) -> None:
        """The drain is over: what still ends, in the instant before it is cut off, settles nothing any more."""
        self._abandoned = True

    async def idle(self) -> None:
        """Wait until no batch is under way."""
        while self._statistics.running:
            self._idle = anyio.Event()
            await self._idle.wait()

    def begin(self, batch: Batch, tasks: TaskGroup) -> None:
        """`start` a batch and `deliver` it in `tasks`, in a task that has nothing else to do or in a new one."""
        self.start(batch)
        if self._workers_waiting:
            self._workers_waiting.pop().set_result(batch)  # a third of the price of a task
        else:
            tasks.start_soon(self._keep_delivering, batch)

    async def _keep_delivering(self, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.deliver(batch)
            handed_over: asyncio.Future[Batch] = loop.create_future()
            self._workers_waiting.append(handed_over)
            batch = await handed_over

    def start(self, batch: Batch) -> None:
        """Count the batch as running; called in the same breath as its task is started, so that order holds."""
        self._statistics.running += 1
        if self.order is not None:
            self.order.started(batch.records)

    async def deliver(self, batch: Batch) -> None:
        """See `start`. Takes one reserved slot and gives it back. Cancelled, its messages come back by themselves."""
        started_at = elapsed_s()
        settlement: Settlement | None = None
        try:
            response = await self._respond(batch)
            outcome = partial.outcome(
                response,
                batch,
                reports_item_failures=self._mapping.reports_item_failures,
                lenient_empty_entry=self._mapping.lenient_empty_entry,
            )
            settlement = self._settlement(batch, outcome)
        finally:
            self._finish(batch, settlement)
        self._tell(batch, outcome, settlement, elapsed_s() - started_at)

    async def _respond(self, batch: Batch) -> Response:
        event = Event.of_records(batch.records)
        attempt = 0
        while True:
            response = await self._invoke(event)
            if not isinstance(response, Refused):
                self._statistics.invocations += 1
                return response
            attempt += 1
            self._statistics.throttles += 1
            self._slots.slow_down()
            wait = queue.throttle_wait(
                attempt,
                min(record.received_at for record in batch.records),
                elapsed_s(),
                self._queue.visibility_timeout_s,
                random.random(),
            )
            if wait is None or self._stopping.is_set():
                return response
            with anyio.move_on_after(wait):
                await self._stopping.wait()

    def _settlement(self, batch: Batch, outcome: Outcome) -> Settlement:
        if isinstance(outcome, Throttled) and self._stopping.is_set():
            self._statistics.released += len(batch.records)
            return Settlement((), tuple((record, 0.0) for record in batch.records))
        return queue.settle(batch, outcome, self._mapping.retry_backoff_s)

    def _finish(self, batch: Batch, settlement: Settlement | None) -> None:
        """Carry the settlement out and free the slot. None = cancelled in the middle: nothing is known."""
        failed: list[tuple[Record, float]] = []
        if settlement is not None and not self._abandoned:
            for record, wait_s in settlement.retry:
                failed.append((record, self._come_back(record, wait_s)))
            self._ledger.done(settlement.done)
        if self.order is not None:
            owed = [entry for entry in failed if not self._dead_lettered(entry[0])]
            self.order.finished(batch.records, owed, elapsed_s())
        self._statistics.running -= 1
        self._slots.release()
        if not self._statistics.running:
            self._idle.set()

    def _come_back(self, record: Record, wait_s: float | None) -> float:
        due = self._ledger.deadline(record) if wait_s is None else elapsed_s() + wait_s
        self._ledger.retry(record, wait_s)
        return due

    def _dead_lettered(self, record: Record) -> bool:
        return queue.dead_letters_next(record, self._queue.maximum_receive_count)

    def _tell(self, batch: Batch, outcome: Outcome, settlement: Settlement, duration_s: float) -> None:
        if isinstance(outcome, Succeeded):
            self._slots.speed_up()
            self._statistics.last_failed = False
        else:
            self._count_failures(outcome, settlement)
        if self._log.isEnabledFor(logging.INFO):
            self._log.info(
                telemetry.BATCH_SETTLED,
                outcome=type(outcome).__name__,
                records=len(batch.records),
                done=len(settlement.done),
                retried=len(settlement.retry),
                duration_s=round(duration_s, 6),
                running=self._statistics.running,
            )

    def _count_failures(self, outcome: Outcome, settlement: Settlement) -> None:
        if isinstance(outcome, Throttled):
            return  # counted where it was refused
        if not self._mapping.reports_item_failures:
            self._slots.slow_down()  # with partial responses failures do not (SQS-55, SQS-102)
        self._statistics.failed_invocations += 1
        self._statistics.last_failed = True
        for record, _ in settlement.retry:
            if self._dead_lettered(record):
                self._statistics.dead_lettered += 1
                self._log.warning(
                    telemetry.RECORD_DEAD_LETTERED, message_id=record.item_id, receive_count=record.receive_count
                )
            else:
                self._statistics.retried += 1

"""Loop: one mapping at work, from its first receive to the end of its drain.

run: polling ──drain──▶ absorb the receives under way ──▶ cancel them ──▶ running batches end ──▶ the queue confirms
                        (a moment)                         (an idle long poll)      └──── within the budget ────┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskStatus

from eventmap import telemetry
from eventmap.delivery.deliver import Delivery, Invoke, QueueSettings
from eventmap.delivery.gather import Gatherer
from eventmap.delivery.intake import Intake
from eventmap.delivery.ledger import Ledger
from eventmap.delivery.poller import Poller
from eventmap.delivery.slots import MappingSlots
from eventmap.delivery.statistics import Statistics
from eventmap.mapping import EventSourceMapping
from eventmap.model import EntryFailure, JsonObject, Record

ABSORB_S = 0.1  # a receive under way when the drain begins may still bring its messages, so that none is left invisible


class Source(Protocol):
    """A queue: `receive` as in `Intake`, the other two as in `Ledger`."""

    async def receive(self, count: int, wait_s: int) -> tuple[Sequence[Record], int]: ...

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, EntryFailure]: ...

    async def change_visibility(self, entries: Sequence[tuple[str, int]]) -> Mapping[int, EntryFailure]: ...


class MappingLoop:
    """Polls `source` for `mapping` and runs its batches; see the module for its life.

    `visibility_timeout_s` is what each receive grants; `passes` is None when nothing is filtered.
    """

    def __init__(
        self,
        mapping: EventSourceMapping,
        source: Source,
        queue: QueueSettings,
        invoke: Invoke,
        *,
        slots: MappingSlots,
        visibility_timeout_s: int,
        function_timeout_s: int,
        passes: Callable[[JsonObject], bool] | None,
    ) -> None:
        name = mapping.event_source_arn
        self.mapping = mapping
        self.statistics: Statistics = Statistics()
        self._log = telemetry.logger("eventmap.delivery").bind(mapping=name, function=mapping.function_name)
        self._ledger = Ledger(
            source,
            visibility_timeout_s=visibility_timeout_s,
            heartbeat=mapping.heartbeat,
            statistics=self.statistics,
            mapping=name,
        )
        self._delivery = Delivery(mapping, queue, invoke, ledger=self._ledger, slots=slots, statistics=self.statistics)
        self._intake = intake = Intake(
            source.receive,
            ledger=self._ledger,
            statistics=self.statistics,
            passes=passes,
            order=self._delivery.order,
            mapping=name,
        )
        self._poller = self._poller_for(queue, intake, slots, function_timeout_s)
        self._polling = anyio.CancelScope()
        self._polled = anyio.Event()
        self._drained = anyio.Event()

    def _poller_for(
        self, queue: QueueSettings, intake: Intake, slots: MappingSlots, function_timeout_s: int
    ) -> Poller | Gatherer:
        if self.mapping.maximum_batching_window_in_seconds:
            return Gatherer(
                batch_size=self.mapping.batch_size,
                window_s=self.mapping.maximum_batching_window_in_seconds,
                function_timeout_s=function_timeout_s,
                intake=intake,
                delivery=self._delivery,
                ledger=self._ledger,
                slots=slots,
            )
        return Poller(
            batch_size=self.mapping.batch_size,
            fifo=queue.fifo,
            intake=intake,
            delivery=self._delivery,
            ledger=self._ledger,
            slots=slots,
        )

    @property
    def trouble(self) -> str | None:
        """What stands still now, in words; None = nothing does."""
        failures = self._intake.failures
        return f"{failures} receives in a row have failed" if failures > 2 else None

    @property
    def quiet(self) -> bool:
        """No message is held and no batch runs."""
        return not len(self._ledger) and not self.statistics.running

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Poll until `drain` has ended, or cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ledger.run)
            self._log.info(telemetry.MAPPING_STARTED)
            task_status.started()
            try:
                with self._polling:
                    await self._poller.run(tasks)
            finally:
                self._polled.set()
            await self._drained.wait()
            tasks.cancel_scope.cancel()

    async def drain(self, budget_s: float) -> int:
        """Stop receiving, let what runs end within `budget_s` seconds, give back what never started.

        Returns how many messages were left: still running when the budget was over, or their deletion not confirmed.
        They come back when their visibility ends. Draining twice is fine.
        """
        self._poller.stop()
        self._intake.stop()
        with anyio.move_on_after(ABSORB_S):
            await self._polled.wait()
        self._polling.cancel()
        await self._polled.wait()
        self._intake.stopped()
        self._delivery.stop_retrying()
        with anyio.move_on_after(budget_s):
            await self._delivery.idle()
            await self._ledger.confirmed()
        self._delivery.abandon()
        left = self._ledger.abandon()
        self._log.info(telemetry.MAPPING_DRAINED, left=left, done=self.statistics.done)
        self._drained.set()
        return left

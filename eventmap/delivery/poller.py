"""The queue loop: capacity first, then receive, then many batches at once.

How many receives are under way follows the queue: one idle long poll while it is empty, one more with each receive that
comes back full, one less with each that comes back empty.
"""

from __future__ import annotations

import asyncio
import math

import anyio
from anyio.abc import TaskGroup

from eventmap.delivery.deliver import Delivery
from eventmap.delivery.intake import Intake
from eventmap.delivery.ledger import Ledger
from eventmap.delivery.slots import MappingSlots
from eventmap.model import Record
from eventmap.rules.batching import batches
from eventmap.rules.queue import LONG_POLL_S, messages_per_receive, slots_per_receive

RECEIVERS_LIMIT = 50
LEND_AFTER_S = 0.1  # a receive still waiting then is an idle long poll: its slots may serve other mappings
BUSY_POLL_S = 1  # the wait of a receive that is not the only one


class Poller:
    """Polls one queue without a batching window. `run` until the drain; batches run in `tasks`."""

    def __init__(
        self,
        *,
        batch_size: int,
        fifo: bool,
        intake: Intake,
        delivery: Delivery,
        ledger: Ledger,
        slots: MappingSlots,
    ) -> None:
        self._batch_size = batch_size
        self._fifo = fifo
        self._intake = intake
        self._delivery = delivery
        self._ledger = ledger
        self._slots = slots
        self._slots_wanted = slots_per_receive(batch_size, fifo=fifo)
        self._receivers = 0
        self._receivers_limit = min(RECEIVERS_LIMIT, max(1, math.ceil(slots.capacity / self._slots_wanted)))
        self._stopping = False

    def stop(self) -> None:
        """Start no further receive; what is under way may still bring messages, which are given back."""
        self._stopping = True

    async def run(self, tasks: TaskGroup) -> None:
        async with anyio.create_task_group() as receivers:
            self._add_receiver(receivers, tasks)

    def _add_receiver(self, receivers: TaskGroup, tasks: TaskGroup) -> None:
        self._receivers += 1
        receivers.start_soon(self._keep_receiving, receivers, tasks)

    async def _keep_receiving(self, receivers: TaskGroup, tasks: TaskGroup) -> None:
        while not self._stopping:
            await self._ledger.room()
            asked, returned = await self._receive_once(tasks)
            if returned >= asked and self._receivers < self._receivers_limit:
                self._add_receiver(receivers, tasks)
            elif not returned and self._receivers > 1:
                break
        self._receivers -= 1

    async def _receive_once(self, tasks: TaskGroup) -> tuple[int, int]:
        """Returns (messages asked for, messages the queue returned)."""
        reserved = await self._slots.reserve(self._slots_wanted)
        records: list[Record] = []
        lending = asyncio.get_running_loop().call_later(LEND_AFTER_S, reserved.lend)
        try:
            count = messages_per_receive(self._batch_size, reserved.count, fifo=self._fifo)
            records, returned = await self._intake.take(count, LONG_POLL_S if self._receivers == 1 else BUSY_POLL_S)
            lending.cancel()
            reserved.recall()
            while records and not self._stopping:
                if not reserved.take():
                    (await self._slots.reserve(1, urgent=True)).take()
                batch = next(batches(records, self._batch_size))
                del records[: len(batch.records)]
                if self._fifo and records:  # cut by size (SQS-24): what follows in the same groups waits in the queue
                    groups = {record.group for record in batch.records}
                    self._intake.release([record for record in records if record.group in groups])
                    records = [record for record in records if record.group not in groups]
                self._delivery.begin(batch, tasks)
        finally:
            lending.cancel()
            reserved.give_back()
            self._intake.release(records)
        return count, returned

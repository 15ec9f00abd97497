"""Gather: batches filled over a window from several receives (SQS-20, 23, 26, 164).

    window begins ─▶ receive, receive … ─▶ size, window or 6 MB reached ─▶ invoke ─▶ window begins
                                       └▶ the oldest message would not outlive the function: sent early

Each gatherer is one poller with one window, and waits for its own invocation. More of them run while batches fill up.
"""

from __future__ import annotations

import math

import anyio
from anyio.abc import TaskGroup

from eventmap.clock import elapsed_s
from eventmap.delivery.deliver import Delivery
from eventmap.delivery.intake import Intake
from eventmap.delivery.ledger import Ledger
from eventmap.delivery.slots import MappingSlots
from eventmap.model import Batch, Record
from eventmap.rules.batching import BatchRoom
from eventmap.rules.queue import FLUSH_MARGIN_S, LONG_POLL_S, RECEIVE_LIMIT

GATHERERS_LIMIT = 50
RECEIVES_AT_ONCE = 10  # by all gatherers; one each until a receive comes back full, then twice as many each round


class Gatherer:
    """Polls one queue with a batching window of `window_s`. `run` until the drain; batches run in `tasks`."""

    def __init__(
        self,
        *,
        batch_size: int,
        window_s: int,
        function_timeout_s: int,
        intake: Intake,
        delivery: Delivery,
        ledger: Ledger,
        slots: MappingSlots,
    ) -> None:
        self._batch_size = batch_size
        self._window_s = window_s
        self._function_timeout_s = function_timeout_s
        self._intake = intake
        self._delivery = delivery
        self._ledger = ledger
        self._slots = slots
        self._gatherers = 0
        self._gatherers_limit = min(GATHERERS_LIMIT, max(1, slots.capacity))
        self._stopping = False

    def stop(self) -> None:
        """Start no further receive; what was gathered and not sent is given back."""
        self._stopping = True

    async def run(self, tasks: TaskGroup) -> None:
        async with anyio.create_task_group() as gatherers:
            self._add_gatherer(gatherers, tasks)

    def _add_gatherer(self, gatherers: TaskGroup, tasks: TaskGroup) -> None:
        self._gatherers += 1
        gatherers.start_soon(self._keep_gathering, gatherers, tasks)

    async def _keep_gathering(self, gatherers: TaskGroup, tasks: TaskGroup) -> None:
        waiting: list[Record] = []  # received, and too large for the batch before
        try:
            while not self._stopping:
                await self._ledger.room()
                reserved = await self._slots.reserve(1)
                reserved.lend()
                room: BatchRoom[Record] = BatchRoom(self._batch_size)
                try:
                    only_one = self._gatherers == 1
                    await self._fill(room, waiting, may_idle=only_one)
                    if room.records and not self._stopping:
                        if room.full and self._gatherers < self._gatherers_limit:
                            self._add_gatherer(gatherers, tasks)
                        reserved.recall()
                        if not reserved.take():
                            (await self._slots.reserve(1, urgent=True)).take()
                        await self._send(room, tasks)
                    elif self._gatherers > 1 and not room.records:  # counted now: one of them has to stay
                        break
                finally:
                    reserved.give_back()
                    self._intake.release(room.records)
        finally:
            self._gatherers -= 1
            self._intake.release(waiting)

    async def _send(self, room: BatchRoom[Record], tasks: TaskGroup) -> None:
        batch = Batch(tuple(room.records))
        room.records = []  # the delivery's from here on
        settled = anyio.Event()

        async def deliver() -> None:
            try:
                await self._delivery.deliver(batch)
            finally:
                settled.set()

        self._delivery.start(batch)
        tasks.start_soon(deliver)
        await settled.wait()

    async def _fill(self, room: BatchRoom[Record], waiting: list[Record], *, may_idle: bool) -> None:
        """Receive until the batch is to be sent. Empty windows follow each other; the last gatherer sits them out."""
        began_at = elapsed_s()
        receives = 1
        if not self._stow(waiting, room):
            return
        was_empty = True
        while not room.full and not self._stopping:
            now = elapsed_s()
            if not room.records and not may_idle and now >= began_at + self._window_s:
                return
            if was_empty:  # the first records, too, belong to the window they came in
                began_at += math.floor((now - began_at) / self._window_s) * self._window_s
                was_empty = not room.records
            left_s = began_at + self._window_s - now
            if room.records:
                left_s = min(left_s, self._patience_s(room, now))
            if left_s <= 0:
                return
            wait_s = LONG_POLL_S if not room.records and may_idle else min(LONG_POLL_S, math.floor(left_s))
            received, full = await self._round(receives, self._batch_size - len(room.records), wait_s)
            waiting.extend(received)
            receives = min(max(1, RECEIVES_AT_ONCE // self._gatherers), receives * 2) if full else 1
            if not self._stow(waiting, room):
                return
            if wait_s == 0 and not received and not room.full:
                await anyio.sleep(left_s)  # less than a second is left: no whole second to wait at the queue

    async def _round(self, receives: int, wanted: int, wait_s: int) -> tuple[list[Record], bool]:
        """Receive several times at once. Returns (records, whether every receive was full); waits only in the first."""
        counts = [
            min(RECEIVE_LIMIT, wanted - index * RECEIVE_LIMIT)
            for index in range(min(receives, math.ceil(wanted / RECEIVE_LIMIT)))
        ]
        if len(counts) == 1:
            records, returned = await self._intake.take(counts[0], wait_s)
            return records, returned >= counts[0]
        received: list[Record] = []
        all_full = True

        async def receive(count: int, wait: int) -> None:
            nonlocal all_full
            records, returned = await self._intake.take(count, wait)
            received.extend(records)
            all_full = all_full and returned >= count

        try:
            async with anyio.create_task_group() as round_tasks:
                for index, count in enumerate(counts):
                    round_tasks.start_soon(receive, count, min(wait_s, 1) if index == 0 else 0)
        except BaseException:
            self._intake.release(received)
            raise
        return received, all_full

    def _stow(self, waiting: list[Record], room: BatchRoom[Record]) -> bool:
        """Move what fits into the room; False = the next one did not: the batch is to be sent as it is."""
        while waiting:
            if not room.take(waiting[0]):
                return False
            del waiting[0]
        return True

    def _patience_s(self, room: BatchRoom[Record], now: float) -> float:
        """How long until the oldest message would no longer outlive the function (SQS-164)."""
        earliest = min(self._ledger.deadline(record) for record in room.records)
        return earliest - (self._function_timeout_s + FLUSH_MARGIN_S) - now

"""Ledger: the one owner of every received message until the queue has confirmed what became of it.

                  ┌──heartbeat──┐
    own ──▶ held ─┴─────────────┘──settle──▶ done      ──delete────────▶ confirmed, or given up: may be delivered twice
                                        ├──▶ retry     ──(backoff)─────▶ confirmed
                                        └──▶ handed back ──visibility──▶ confirmed

At most one call is under way for a message at any time; what is wished meanwhile follows it, with the newest receipt.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.delivery.coalesce import Coalescer
from eventmap.delivery.statistics import Statistics
from eventmap.errors import SourceError, TransientSourceError
from eventmap.model import EntryFailure, Record
from eventmap.rules.queue import heartbeat_s

_WORKERS = 4  # deletes, and visibility changes, under way at once
_ATTEMPTS = 10  # per call and per entry; with the waits below about half a minute
_ENTRY_WAIT_S = 0.2  # before an entry the queue refused is tried again, times the attempt
_BACKLOG_LIMIT = 1_000  # messages settled but not yet confirmed, above which nothing more is received


class Acknowledgements(Protocol):
    """What the ledger asks of a queue: two batched calls of 1..10 entries, answering which entries failed, by index."""

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, EntryFailure]: ...

    async def change_visibility(self, entries: Sequence[tuple[str, int]]) -> Mapping[int, EntryFailure]: ...


class _Wish(enum.Enum):
    DELETE = enum.auto()
    HEARTBEAT = enum.auto()
    VISIBILITY = enum.auto()  # a backoff or a release: the last that is ever asked for the message


class _Entry:
    __slots__ = (
        "attempts",
        "deadline",
        "item_id",
        "lost",
        "next",
        "receipt",
        "received_at",
        "seconds",
        "settled",
        "under_way",
    )

    def __init__(self, record: Record, deadline: float) -> None:
        self.item_id = record.item_id
        self.receipt = record.receipt
        self.received_at = record.received_at
        self.deadline = deadline  # when its visibility ends, as far as we know
        self.lost = False  # the queue no longer knows the receipt: someone else may have the message
        self.settled = False
        self.under_way: _Wish | None = None
        self.next: _Wish | None = None
        self.seconds = 0  # for VISIBILITY
        self.attempts = 0


class Ledger:
    """Owns the messages of one mapping. `visibility_timeout_s` is what each receive grants them."""

    def __init__(
        self,
        queue: Acknowledgements,
        *,
        visibility_timeout_s: float,
        heartbeat: bool,
        statistics: Statistics,
        mapping: str,
    ) -> None:
        self._queue = queue
        self._visibility_s = visibility_timeout_s
        self._heartbeat = heartbeat
        self._statistics = statistics
        self._log = telemetry.logger("eventmap.delivery").bind(mapping=mapping)
        self._entries: dict[str, _Entry] = {}
        self._beats: deque[tuple[float, _Entry]] = deque()  # one visibility timeout for all, so always in order
        self._settled = 0  # entries settled and not yet confirmed
        self._relieved = anyio.Event()
        self._deletes: Coalescer[_Entry] = Coalescer(self._send_deletes, workers=_WORKERS)
        self._changes: Coalescer[_Entry] = Coalescer(self._send_changes, workers=_WORKERS)
        self._beat_due = anyio.Event()
        self._beat_interval_s = visibility_timeout_s * (2 / 3 if visibility_timeout_s >= 3 else 1 / 2)

    def __len__(self) -> int:
        return len(self._entries)

    def own(self, records: Iterable[Record]) -> list[Record]:
        """Take messages on; returns those to run. A second copy of one that is here only brings its newest receipt."""
        fresh: list[Record] = []
        for record in records:
            entry = self._entries.get(record.item_id)
            if entry is not None:
                entry.receipt = record.receipt
                entry.received_at = record.received_at
                entry.deadline = record.received_at + self._visibility_s
                entry.lost = False
                self._statistics.redelivered_while_held += 1
                continue
            entry = _Entry(record, record.received_at + self._visibility_s)
            self._entries[record.item_id] = entry
            fresh.append(record)
            if self._heartbeat:
                self._beats.append((record.received_at + self._beat_interval_s, entry))
        self._skip_settled_beats()
        if self._beats:
            self._beat_due.set()
        self._statistics.in_flight = len(self._entries)
        return fresh

    def deadline(self, record: Record) -> float:
        """When the visibility of a record that is here ends, on the loop's clock."""
        return self._entries[record.item_id].deadline

    def done(self, records: Iterable[Record]) -> None:
        """Delete them."""
        for record in records:
            self._settle(self._entries[record.item_id], _Wish.DELETE)

    def retry(self, record: Record, wait_s: float | None) -> None:
        """Let it reappear: after `wait_s` seconds (0 = at once), or None = when its visibility ends by itself."""
        entry = self._entries[record.item_id]
        if wait_s is not None:
            entry.seconds = int(wait_s)
            entry.deadline = elapsed_s() + entry.seconds
            self._settle(entry, _Wish.VISIBILITY)
        elif entry.under_way is None:
            self._forget(entry)
        else:  # a heartbeat is under way; it ends with the entry
            self._settle(entry, None)

    async def run(self) -> None:
        """Carry out what is wished, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._deletes.run)
            tasks.start_soon(self._changes.run)
            if self._heartbeat:
                tasks.start_soon(self._beat)

    async def room(self) -> None:
        """Wait while the queue is far behind in confirming; nothing more should be received meanwhile."""
        while self._settled > _BACKLOG_LIMIT:
            await self._relieved.wait()

    async def confirmed(self) -> None:
        """Wait until the queue has confirmed everything settled; from now on nothing lingers."""
        self._deletes.hurry()
        self._changes.hurry()
        while self._settled:
            await self._relieved.wait()

    def abandon(self) -> int:
        """Forget what is left, at the end of a drain; returns how many messages will come back by themselves."""
        left = len(self._entries)
        self._entries.clear()
        self._settled = 0
        self._relieved.set()
        self._statistics.in_flight = 0
        return left

    # Wishes ----------------------------------------------------------------------------------------------------------

    def _settle(self, entry: _Entry, wish: _Wish | None) -> None:
        entry.settled = True
        self._settled += 1
        if wish is not None:
            self._wish(entry, wish)

    def _wish(self, entry: _Entry, wish: _Wish) -> None:
        if entry.under_way is not None:
            entry.next = wish
            return
        entry.under_way = wish
        entry.attempts = 0
        (self._deletes if wish is _Wish.DELETE else self._changes).put(entry)

    def _concluded(self, entry: _Entry) -> None:
        entry.under_way = None
        if entry.next is not None:
            wish, entry.next = entry.next, None
            self._wish(entry, wish)
        elif entry.settled:
            self._forget(entry)

    def _forget(self, entry: _Entry) -> None:
        if self._entries.pop(entry.item_id, None) is None:
            return
        self._statistics.in_flight = len(self._entries)
        if entry.settled:
            self._settled -= 1
            if not self._settled or self._settled == _BACKLOG_LIMIT:
                relieved, self._relieved = self._relieved, anyio.Event()
                relieved.set()
        entry.settled = True  # for the heartbeat, which may still hold it

    # Heartbeat -------------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            self._skip_settled_beats()
            if not self._beats:
                self._beat_due = anyio.Event()
                await self._beat_due.wait()
                continue
            due, entry = self._beats[0]
            now = elapsed_s()
            if due > now:
                await anyio.sleep(due - now)
                continue
            self._beats.popleft()
            if heartbeat_s(self._visibility_s, now - entry.received_at) > 0:
                if entry.under_way is None:
                    self._wish(entry, _Wish.HEARTBEAT)
                self._beats.append((now + self._beat_interval_s, entry))

    def _skip_settled_beats(self) -> None:
        beats = self._beats
        while beats and beats[0][1].settled:
            beats.popleft()
        if len(beats) > 2 * len(self._entries) + 1_000:  # one long runner at the head holds up the skipping
            self._beats = deque(beat for beat in beats if not beat[1].settled)

    # Calls -----------------------------------------------------------------------------------------------------------

    async def _send_deletes(self, entries: list[_Entry]) -> None:
        await self._send(entries, lambda receipts: self._queue.delete(receipts))

    async def _send_changes(self, entries: list[_Entry]) -> None:
        for entry in [entry for entry in entries if entry.under_way is _Wish.HEARTBEAT and entry.settled]:
            entries.remove(entry)  # its message ended while the heartbeat waited: not worth a call
            self._concluded(entry)
        if not entries:
            return
        sent_at = elapsed_s()
        for entry in entries:
            if entry.under_way is _Wish.HEARTBEAT:
                entry.seconds = heartbeat_s(self._visibility_s, sent_at - entry.received_at)
                entry.deadline = sent_at + entry.seconds
        seconds = [entry.seconds for entry in entries]
        await self._send(
            entries, lambda receipts: self._queue.change_visibility(list(zip(receipts, seconds, strict=True)))
        )

    async def _send(
        self, entries: list[_Entry], call: Callable[[list[str]], Awaitable[Mapping[int, EntryFailure]]]
    ) -> None:
        receipts = [entry.receipt for entry in entries]
        try:
            failures = await call(receipts)
        except TransientSourceError:
            try:
                async for attempt in _retrying():
                    with attempt:
                        # Read anew: a redelivery may have brought newer receipts.
                        receipts = [entry.receipt for entry in entries]
                        failures = await call(receipts)
            except SourceError as error:
                self._calls_failed(entries, error)
                return
        except SourceError as error:
            self._calls_failed(entries, error)
            return
        again = []
        now = elapsed_s()
        for index, entry in enumerate(entries):
            failure = failures.get(index)
            replaced = entry.receipt != receipts[index]
            if failure is None and not (replaced and entry.under_way is _Wish.DELETE):
                self._confirmed(entry, now)
            elif failure is EntryFailure.RECEIPT_LOST and not replaced:
                entry.lost = True
                self._given_up(entry)
            else:  # "deleted" by a receipt that was replaced meanwhile may mean nothing (SQS-67)
                again.append(entry)
        if again:
            await self._send_again(again)

    async def _send_again(self, entries: list[_Entry]) -> None:
        await anyio.sleep(_ENTRY_WAIT_S * min(10, 1 + max(entry.attempts for entry in entries)))
        for entry in entries:
            entry.attempts += 1
            if entry.attempts >= _ATTEMPTS:
                self._given_up(entry)
            else:
                (self._deletes if entry.under_way is _Wish.DELETE else self._changes).put(entry)

    def _confirmed(self, entry: _Entry, now: float) -> None:
        if entry.under_way is _Wish.DELETE:
            # A queue may answer "deleted" to a receipt whose time was up and do nothing (SQS-67).
            if entry.lost or now > entry.deadline:
                self._statistics.possible_duplicates += 1
                self._log.warning(telemetry.RECEIPT_LOST, message_id=entry.item_id)
            else:
                self._statistics.done += 1
        self._concluded(entry)

    def _calls_failed(self, entries: list[_Entry], error: SourceError) -> None:
        self._log.error(telemetry.SETTLEMENT_FAILED, messages=len(entries), code=error.code, error=str(error))
        for entry in entries:
            self._given_up(entry)

    def _given_up(self, entry: _Entry) -> None:
        if entry.under_way is _Wish.DELETE:
            self._statistics.possible_duplicates += 1
            self._log.warning(telemetry.RECEIPT_LOST, message_id=entry.item_id)
        self._concluded(entry)


def _retrying() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(TransientSourceError),
        wait=wait_random_exponential(multiplier=0.1, max=10),
        stop=stop_after_attempt(_ATTEMPTS),
        sleep=anyio.sleep,
        reraise=True,
    )

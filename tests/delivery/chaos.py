"""One random history of a queue and a function, by seed: what is sent, what fails, what breaks, who crashes when."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import anyio

from eventmap.errors import EventmapError
from eventmap.testing import FaultyQueue, MemorySqs
from tests.testing.queues import queue, redrive

from .scene import REPORTS, Relay, failures, working

BOUND_S = 4 * 3_600.0
"""Every history ends within this virtual time, or something is stuck."""


class History:
    """A queue, what was sent to it, and what the function did; `check` holds it to the promises."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = random.Random(seed)
        self.fifo = dice.random() < 0.5
        self.name = "orders.fifo" if self.fifo else "orders"
        self.receives = dice.choice([None, 2, 4])
        self.visibility = dice.choice([4, 10, 30])
        self.sqs = MemorySqs(
            seed=seed,
            disorder=not self.fifo and dice.random() < 0.5,
            duplicates=0.1 if not self.fifo and dice.random() < 0.5 else 0.0,
        )
        attributes: dict[str, Any] = {"VisibilityTimeout": str(self.visibility)}
        if self.receives:
            queue(self.sqs, "dead.fifo" if self.fifo else "dead")
            attributes["RedrivePolicy"] = redrive("dead.fifo" if self.fifo else "dead", self.receives)
        self.orders = queue(self.sqs, self.name, **attributes)
        self.timeout = dice.randint(1, min(self.visibility, 6))
        self.concurrency = dice.randint(1, 8)
        self.settings = self._settings()
        self.limit = min(self.concurrency, self.settings["maximum_concurrency"] or self.concurrency)
        self.sent: dict[str, str] = {}  # message id -> group
        self.succeeded: list[str] = []
        self.running = 0
        self.broken: list[str] = []  # promises that were broken on the way
        self.poison: set[str] = set()

    def _settings(self) -> dict[str, Any]:
        dice = self.dice
        window = 0 if self.fifo else dice.choice([0, 0, 1, 3])
        settings: dict[str, Any] = {
            "queue": self.name,
            "timeout": self.timeout,
            "concurrency": self.concurrency,
            "batch_size": dice.choice([1, 2, 5, 10, *([25] if window else [])]),
            "maximum_batching_window_in_seconds": window,
            "maximum_concurrency": dice.choice([None, None, 1, 3]),
            "heartbeat": dice.random() < 0.7,
            "retry_backoff_s": dice.choice([(), (), (0,), (1, 3)]),
            "drain_budget_s": dice.choice([None, 0.5]),
        }
        return settings | (REPORTS if dice.random() < 0.5 else {})

    def send(self) -> None:
        group = self.dice.choice("abc") if self.fifo else None
        [message_id] = self.orders.put(f"m{len(self.sent)}", group=group)
        self.sent[message_id] = group or ""
        if self.receives and self.dice.random() < 0.1:
            self.poison.add(message_id)

    async def handler(self, event: dict[str, Any], _context: object) -> object:
        """Succeeds, fails, names failures, takes its time or too long; what it did not report as failed succeeded."""
        self.running += 1
        if self.running > self.limit:
            self.broken.append(f"{self.running} run at once, the limit is {self.limit}")
        try:
            records = event["Records"]
            too_long = self.timeout * 3 if self.dice.random() < 0.2 else 0
            await anyio.sleep(self.dice.choice([0, 0, 0.01, 0.3, 1, too_long]))
            return self._answer(records)
        finally:
            self.running -= 1

    def _answer(self, records: Sequence[dict[str, Any]]) -> object:
        failed: list[str] = []
        closed: set[str] = set()
        for record in records:
            group = self.sent[record["messageId"]]
            fails = record["messageId"] in self.poison or self.dice.random() < 0.15
            if fails or (self.fifo and group in closed):
                failed.append(record["messageId"])
                closed.add(group)
        if failed and "function_response_types" not in self.settings:
            raise ValueError("the whole batch fails")
        if failed and self.dice.random() < 0.2:
            raise ValueError("raised instead of reported")
        if len(failed) < len(records):
            self.succeeded.extend(r["messageId"] for r in records if r["messageId"] not in failed)
        return failures(failed)

    async def unfold(self) -> None:
        """Several lives of the worker, ended by drains and crashes; the last one works until nothing is left."""
        for _ in range(self.dice.randint(3, 20)):
            self.send()
        with anyio.fail_after(BOUND_S):
            for _ in range(self.dice.choice([0, 0, 1, 2])):
                await self._live(self.dice.uniform(0, 20), crashes=self.dice.random() < 0.6)
            await self._live(None, crashes=False)

    async def _live(self, seconds: float | None, *, crashes: bool) -> None:
        faults = {"throttle": 0.04, "lost_answers": 0.02, "resets": 0.02, "entry_failures": 0.02}
        queue_ = FaultyQueue(self.sqs, seed=self.dice.randrange(10**9), **faults)  # type: ignore[arg-type]
        wire = Watched(self, queue_, latency_s=self.dice.choice([0.0, 0.005, 0.2]))
        with anyio.CancelScope() as life:
            async with working(wire, self.handler, **self.settings) as running:
                if seconds is None:
                    for _ in range(self.dice.randint(0, 10)):
                        self.send()
                        await anyio.sleep(self.dice.choice([0, 0.1, 2]))
                    while sum(self.sqs.counts(self.name)) or self.running:
                        await anyio.sleep(0.5)
                else:
                    await anyio.sleep(seconds)
                if crashes:
                    wire.unplug()
                    life.cancel()
                    await anyio.sleep_forever()
                if self.dice.random() < 0.5:
                    await running.drain()
        self.broken += wire.overlaps

    def check(self) -> None:
        """Nothing lost, nothing deleted early, order per group, never too many at once."""
        if self.broken:
            raise EventmapError("; ".join(self.broken))
        dead: set[str] = set()
        if self.receives:
            dead = {message.message_id for message in self.sqs.messages("dead.fifo" if self.fifo else "dead")}
        lost = self.sent.keys() - set(self.succeeded) - dead
        if lost:
            raise EventmapError(f"lost: {lost}")
        order = {message_id: number for number, message_id in enumerate(self.sent)}
        if self.fifo:
            for group in "abc":
                first = [m for m in dict.fromkeys(self.succeeded) if self.sent[m] == group]
                if first != sorted(first, key=order.__getitem__):
                    raise EventmapError(f"group {group} succeeded in the order {[order[m] for m in first]}")
        if not self.receives and Counter(self.succeeded).keys() != self.sent.keys():
            raise EventmapError("without a dead-letter queue every message must succeed")


class Watched(Relay):
    """Knows which messages may be deleted."""

    def __init__(self, history: History, queue_: Any, *, latency_s: float) -> None:
        super().__init__(queue_, latency_s=latency_s)
        self._history = history

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]:
        for receipt in receipts:
            if (message_id := self.message_of(receipt)) not in self._history.succeeded:
                self._history.broken.append(f"{message_id} was deleted before it succeeded")
        return await super().delete_message_batch(queue_url, receipts)

"""One random history of an asynchronous queue, by seed: what is accepted, what fails, what breaks, who dies when."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from eventmap.delivery.asynchronous.queue import AsynchronousQueue
from eventmap.errors import TransientSourceError
from eventmap.model import Response
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state import events_view
from eventmap.state.events_memory import MemoryEvents
from eventmap.state.events_sqlite import SqliteEvents
from eventmap.state.events_view import EventRow

from .scene import BOOM, BROKEN, DONE, THROTTLED, FaultyEvents, Scene

BOUND_S = 3600.0
"""Every history ends within this virtual time after its last crash, or something is stuck."""


class History(Scene):
    """What was accepted, run and told; `unfold` lives it, then holds it to the promises. `file` None = in memory."""

    def __init__(self, seed: int, file: Path | None = None) -> None:
        super().__init__()
        self.seed = seed
        self.dice = dice = random.Random(seed)
        self.file = file
        self.memory = MemoryEvents()
        self.concurrency = dice.choice([1, 2, 5, 20])
        self.settings: dict[str, Any] = {
            "maximum_retry_attempts": dice.choice([0, 1, 2, 2]),
            "maximum_event_age_in_seconds": dice.choice([60, 200, 500, 1_500]),
        }
        self.rates = dice.choice([{}, {"throttle": 0.1, "lost_answers": 0.1, "resets": 0.05, "slow": 0.05}])
        self.moods = dice.choice([[DONE], [DONE, BOOM], [DONE, BOOM, THROTTLED, BROKEN], [BOOM], [THROTTLED]])
        self.acknowledged: dict[str, bytes] = {}
        self.dropped: set[str] = set()
        self.retried: set[str] = set()
        self.runs: Counter[str] = Counter()
        self.broken: list[str] = []

    async def invoke(self, event: QueuedEvent) -> Response:
        self.running += 1
        if self.running > self.concurrency:
            self.broken.append(f"{self.running} run at once, the limit is {self.concurrency}")
        if self.acknowledged.get(event.request_id, event.payload) != event.payload:
            self.broken.append(f"{event.request_id} runs with another payload")
        try:
            await anyio.sleep(self.dice.choice([0, 0.1, 3, 30]))
        finally:
            self.running -= 1
        answer = self.dice.choice(self.moods)
        self.runs[event.request_id] += answer in (DONE, BOOM)
        return answer

    async def deliver(self, event: QueuedEvent, end: EventEnd) -> Sequence[str]:
        await anyio.sleep(self.dice.choice([0, 0, 1]))
        self.delivered.append((event.request_id, end))
        return ["unreachable"] if self.dice.random() < 0.1 else ()

    async def unfold(self) -> None:
        """Several lives, each cut off somewhere but the last; then everything owed must have ended."""
        for life in range(self.dice.randint(1, 5)):
            await self._live(life, self.dice.uniform(0, 80))
        await self._live(99, None)
        self.check()

    async def _live(self, life: int, until_s: float | None) -> None:
        store = await self._opened()
        faulty = FaultyEvents(store, self.dice.randrange(10**9), **({} if until_s is None else self.rates))
        async with self.queue(faulty, concurrency=self.concurrency, seed=life, **self.settings) as queue:
            if until_s is None:
                with anyio.fail_after(BOUND_S):
                    await queue.idle()
            else:
                with anyio.move_on_after(until_s):
                    await self._send(queue, life)
                if self.dice.random() < 0.3:
                    await queue.drain(self.dice.choice([0, 5]))
        if isinstance(store, SqliteEvents):
            await store.aclose()

    async def _opened(self) -> MemoryEvents | SqliteEvents:
        if self.file is None:
            self.memory = self.memory.restarted()
            return self.memory
        store = SqliteEvents(self.file)
        await store.prepare()
        return store

    async def _send(self, queue: AsynchronousQueue, life: int) -> None:
        for number in range(1_000):
            await anyio.sleep(self.dice.choice([0, 0, 1, 20]))
            request_id = f"id-{life}-{number}"
            if self.acknowledged and self.dice.random() < 0.2:
                request_id = self.dice.choice(sorted(self.acknowledged))  # the sender repeats itself
            payload = self.acknowledged.get(request_id, b'"%s"' % request_id.encode())
            try:
                await queue.accept(payload, request_id=request_id)
                self.acknowledged[request_id] = payload
            except TransientSourceError:
                continue
            if self.dice.random() < 0.05:
                self._operate(request_id)

    def _operate(self, request_id: str) -> None:
        retries = self.dice.random() < 0.5
        if self.file is None:
            answer: str = (self.memory.retry if retries else self.memory.drop)([request_id])[request_id]
        else:
            answer = (events_view.retry if retries else events_view.drop)(self.file, [request_id])[request_id]
        if answer == "dropped":
            self.dropped.add(request_id)
        if answer == "owed anew":
            self.retried.add(request_id)
            self.dropped.discard(request_id)

    def check(self) -> None:
        """The conservation law, and what each end says."""
        rows: Sequence[EventRow] = (
            self.memory.list_events() if self.file is None else events_view.list_events(self.file)
        )
        ended = {row.request_id: row for row in rows}
        assert self.broken == []
        assert len(ended) == len(rows)
        assert self.acknowledged.keys() <= ended.keys(), "an accepted event has no end"
        assert {row.state for row in rows} <= {"succeeded", "failed", "dropped"}
        told = {request_id for request_id, _ in self.delivered}
        for row in rows:
            assert (row.state == "dropped") == (row.request_id in self.dropped)
            if row.state == "dropped":
                continue
            assert row.request_id in told, "an end was recorded before the destinations were told"
            assert row.attempts <= 1 + self.settings["maximum_retry_attempts"]
            if row.condition in ("Success", "RetriesExhausted"):
                assert self.runs[row.request_id] >= row.attempts >= 1
            if row.condition == "RetriesExhausted":
                assert row.attempts == 1 + self.settings["maximum_retry_attempts"]
            if row.condition == "EventAgeExceeded":
                assert row.age_s >= min(60, self.settings["maximum_event_age_in_seconds"]) or row.attempts

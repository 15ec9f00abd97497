"""One random history of event buses, by seed: what is put, what fails, what breaks, who dies when."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import anyio

from eventmap.delivery.bus.ports import BusStore
from eventmap.errors import AccessRefused, EventmapError, TransientSourceError
from eventmap.state.buses_memory import MemoryBuses
from eventmap.state.buses_sqlite import SqliteBuses
from eventmap.testing.fault_dice import FaultDice

from .scene import DEAD, FUNCTION, QUEUE, REGION, Scene

BOUND_S = 3 * 86_400.0
"""Every history ends within this virtual time after its last crash, or something is stuck."""

CALLS = ("take", "again", "done", "next_due", "change", "owed", "archived")


class FaultyBuses:
    """A store whose calls go wrong by a dice: refused, cut off before or after they take effect, or slow."""

    def __init__(self, store: BusStore, seed: int, rates: dict[str, float]) -> None:
        usual: dict[str, Any] = {"throttle": 0.0, "lost_answers": 0.0, "resets": 0.0, "slow": 0.0, "slow_s": 1.0}
        self._store = store
        # The answer of `due` is not lost: a store that holds what nobody was given would hold it for ever.
        self._dice = FaultDice(seed, **(usual | rates), calls=CALLS)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)
        if name not in CALLS:
            return call
        return lambda *args, **kwargs: self._dice.disturbed(name, lambda: call(*args, **kwargs))


class History(Scene):
    """What was put, and what became of it; `unfold` lives it, then holds it to the promises.

    `file` None = in memory.
    """

    def __init__(self, seed: int, file: Path | None = None) -> None:
        super().__init__()
        self.dice = dice = random.Random(seed)
        self.file = file
        self.memory = MemoryBuses()
        self.attempts_limit = dice.choice([0, 1, 5, 185])
        self.has_dead_letters = dice.random() < 0.7
        self.rates = dice.choice([{}, {"throttle": 0.1, "lost_answers": 0.1, "resets": 0.05, "slow": 0.05}])
        self.moods: list[EventmapError | None] = dice.choice(
            [
                [None],
                [None, TransientSourceError("down", code="ServiceUnavailable")],
                [TransientSourceError("down")],
                [None, AccessRefused("no", code="AccessDenied"), TransientSourceError("down")],
            ]
        )
        self.acknowledged: Counter[str] = Counter()
        self.sent: set[str] = set()
        self.dropped = 0

    async def open_target(self, arn: str, *, message_group_id: str | None) -> Any:
        endpoint = await super().open_target(arn, message_group_id=message_group_id)
        endpoint.takes_s = self.dice.choice([0, 0, 0.1, 3, 40])
        endpoint.answers = [None if arn == DEAD and self.dice.random() < 0.5 else self.dice.choice(self.moods)]
        return endpoint

    async def unfold(self) -> None:
        """Several lives, each cut off somewhere but the last; then everything owed must have ended."""
        for life in range(self.dice.randint(1, 4)):
            await self._live(life, self.dice.uniform(0, 90))
        await self._live(99, None)
        self.check()

    async def _live(self, life: int, until_s: float | None) -> None:
        store = await self._opened()
        self.store = FaultyBuses(store, self.dice.randrange(10**9), {} if until_s is None else self.rates)  # type: ignore[assignment]
        self.seed = life
        try:
            async with self.running() as engine:
                if until_s is None:
                    with anyio.fail_after(BOUND_S):
                        await engine.idle()
                else:
                    with anyio.move_on_after(until_s):
                        await self._put_many()
                    if self.dice.random() < 0.3:
                        await engine.drain(self.dice.choice([0, 5]))
                self.dropped += engine.statistics.dropped
        except* TransientSourceError:
            pass  # it could not be prepared: that process ends
        if isinstance(store, SqliteBuses):
            await store.aclose()

    async def _opened(self) -> MemoryBuses | SqliteBuses:
        if self.file is None:
            self.memory = self.memory.restarted()
            return self.memory
        store = SqliteBuses(self.file)
        await store.prepare()
        return store

    async def _put_many(self) -> None:
        while not await self._define():
            await anyio.sleep(1)
        for number in range(1_000):
            await anyio.sleep(self.dice.choice([0, 0, 1, 20]))
            details = [{"n": number}] * self.dice.choice([1, 3, 10])
            try:
                answer: Any = await self.put(*details)
            except TransientSourceError:
                continue
            self.acknowledged.update(entry["EventId"] for entry in answer["Entries"])

    async def _define(self) -> bool:
        dead = {"DeadLetterConfig": {"Arn": DEAD}} if self.has_dead_letters else {}
        policy = {"RetryPolicy": {"MaximumRetryAttempts": self.attempts_limit}}
        try:
            if "b" not in self.engine.definitions.buses:
                await self.call("CreateEventBus", Name="b")
            await self.rule(*({"Arn": arn, **policy, **dead} for arn in (FUNCTION, REGION.bus_arn("b"))))
            await self.rule({"Arn": QUEUE, **policy, **dead}, bus="b")
        except TransientSourceError:
            return False
        return True

    def check(self) -> None:
        """The conservation law: what was acknowledged reached each target, or its dead-letter queue, or was dropped."""
        letters = zip(self.endpoints[DEAD].parcels, self.endpoints[DEAD].documents, strict=True)
        dead = {(parcel.attributes["TARGET_ARN"][1], document["id"]) for (_, parcel), document in letters}
        missing = 0
        for arn in (FUNCTION, QUEUE):
            reached = Counter(document["id"] for document in self.endpoints[arn].documents)
            missing += sum(event_id not in reached and (arn, event_id) not in dead for event_id in self.acknowledged)
        assert missing <= self.dropped, f"{missing} deliveries have no end, {self.dropped} were dropped"
        if self.moods == [None] and self.attempts_limit == 185:
            assert missing == self.dropped == 0
            assert not dead
        for number, parcel in self.endpoints[FUNCTION].parcels:
            assert parcel.request_id, number

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, ClassVar, TypeVar

import anyio
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import booleans, integers, sampled_from

from eventmap.testing import MemorySqs, VirtualTimeLoop

from .queues import Queue, queue, redrive

T = TypeVar("T")

VISIBILITY_S = 30
RETENTION_S = 600
RECEIVES = 3


class QueueLaws(RuleBasedStateMachine):
    """Sends, receives, deletes with any receipt ever seen, moves visibility and lets time pass, in any order."""

    name = "orders"
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.sqs = MemorySqs(**self.options)
        suffix = ".fifo" if self.name.endswith(".fifo") else ""
        self.dead = queue(self.sqs, "dead" + suffix, MessageRetentionPeriod=str(RETENTION_S))
        self.orders = queue(
            self.sqs,
            self.name,
            VisibilityTimeout=str(VISIBILITY_S),
            MessageRetentionPeriod=str(RETENTION_S),
            RedrivePolicy=redrive("dead" + suffix, RECEIVES),
        )
        self.sent_at: dict[str, float] = {}
        self.order: dict[str, int] = {}
        self.groups: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.moved_at: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.receipts: list[tuple[Queue, dict[str, Any]]] = []

    def teardown(self) -> None:
        self.runner.close()

    def run(self, work: Awaitable[T]) -> T:
        async def main() -> T:
            return await work

        return self.runner.run(main())

    @property
    def now(self) -> float:
        return self.runner.get_loop().time()

    @rule(group=sampled_from("abc"), amount=integers(1, 4))
    def send(self, group: str, amount: int) -> None:
        for _ in range(amount):
            [message_id] = self.run(self.put(group))
            self.sent_at[message_id] = self.now
            self.order[message_id] = len(self.order)
            self.groups[message_id] = group

    async def put(self, group: str) -> list[str]:
        return self.orders.put(str(len(self.order)), group=group)

    @rule(limit=integers(1, 10), from_dead=booleans(), visibility=sampled_from([None, 0, 5, 60]))
    def receive(self, limit: int, from_dead: bool, visibility: int | None) -> None:
        source = self.dead if from_dead else self.orders
        handed: set[str] = set()
        for message in self.run(source.receive(limit, visibility=visibility)):
            message_id = message["MessageId"]
            count = int(message["Attributes"]["ApproximateReceiveCount"])
            assert count == self.counts.get(message_id, 0) + 1
            assert message_id not in self.deleted
            assert from_dead == (message_id in self.in_queue(self.dead))
            if not from_dead:
                assert count <= RECEIVES
                self.check_order(message_id, handed)
            handed.add(message_id)
            self.counts[message_id] = count
            self.receipts.append((source, message))

    def check_order(self, message_id: str, handed: set[str]) -> None:
        """What is older in its FIFO group was handed out before it in the same receive, or is not in the queue."""
        if self.name.endswith(".fifo"):
            older = {
                view.message_id
                for view in self.sqs.messages(self.name)
                if view.group == self.groups[message_id] and self.order[view.message_id] < self.order[message_id]
            }
            assert older <= handed

    @rule(pick=integers(0, 10_000))
    def delete(self, pick: int) -> None:
        if self.receipts:
            source, message = self.receipts[pick % len(self.receipts)]
            before = self.in_queue(source)
            self.run(source.delete(message))
            gone = before - self.in_queue(source)
            assert gone <= {message["MessageId"]}
            self.deleted |= gone

    @rule(pick=integers(0, 10_000), seconds=sampled_from([0, 1, 45, 43_200]))
    def change_visibility(self, pick: int, seconds: int) -> None:
        if self.receipts:
            source, message = self.receipts[pick % len(self.receipts)]
            self.run(source.show_in(seconds, message))

    @rule(seconds=sampled_from([1, 4, 29, 30, 200]))
    def wait(self, seconds: int) -> None:
        self.run(self.sleep(seconds))

    async def sleep(self, seconds: int) -> None:
        await anyio.sleep(seconds)
        self.sqs.counts(self.name)  # outside a loop the queue's clock stands where it was last asked

    @invariant()
    def nothing_vanishes(self) -> None:
        """Every message is in exactly one queue, or was deleted, or is older than the retention period."""
        live, dead = self.in_queue(self.orders), self.in_queue(self.dead)
        assert not live & dead
        for message_id in dead:
            self.moved_at.setdefault(message_id, self.now)
        restarts = self.name.endswith(".fifo")
        for message_id, sent_at in self.sent_at.items():
            born = self.moved_at.get(message_id, sent_at) if restarts else sent_at
            expired = self.now >= born + RETENTION_S
            present = message_id in live or message_id in dead
            assert present != (message_id in self.deleted or expired), json.dumps([message_id, sent_at, self.now])

    @invariant()
    def counts_agree(self) -> None:
        for source in (self.orders, self.dead):
            views = self.sqs.messages(source.name)
            states = [view.state.value for view in views]
            assert self.sqs.counts(source.name) == tuple(map(states.count, ("visible", "delayed", "in_flight")))

    def in_queue(self, source: Queue) -> set[str]:
        return {view.message_id for view in self.sqs.messages(source.name)}


class FifoLaws(QueueLaws):
    name = "orders.fifo"


class RoughLaws(QueueLaws):
    options: ClassVar[dict[str, Any]] = {"disorder": True, "duplicates": 0.3}


@pytest.mark.parametrize("laws", [QueueLaws, FifoLaws, RoughLaws], ids=["standard", "fifo", "disordered"])
def test_sqs_30_31_47_50_68_72_the_laws_hold_in_any_order_of_events(laws: type[QueueLaws]) -> None:
    """Conservation, monotone receive counts and order per group, over random histories."""
    machine = laws.TestCase
    machine.settings = settings(max_examples=80, stateful_step_count=30, deadline=None, database=None)
    machine("runTest").runTest()

"""Deliveries of the in-memory SNS under way: tried, tried again, given up (SNS-100..116, 120..122).

start ──▶ attempt ──delivered──▶ done
            │ ▲
     failed │ └─ wait, as the endpoint's retry policy says; until it says no more
            ▼
     refused, or given up ──▶ dead-letter queue, if there is one ──▶ done
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from eventmap.clock import elapsed_s, wall_time_s
from eventmap.rules.delivery_policy import (
    AWS_MANAGED,
    MAXIMUM_TOTAL_S,
    PLAIN_TEXT,
    Verdict,
    aws_verdict,
    http_verdict,
)
from eventmap.rules.sns_message import MessageType
from eventmap.testing.sns_delivery import Delivery, Endpoints


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a delivery, as the journal keeps it."""

    at_s: float  #: epoch seconds, when it had ended
    subscription_arn: str
    kind: MessageType
    message_id: str
    status: int | None  #: None = no answer
    verdict: Verdict


class Sending:
    """The deliveries of one SNS. `jitter` lengthens each wait by up to that share of it."""

    def __init__(self, endpoints: Endpoints, metrics: Counter[str], dice: random.Random, jitter: float) -> None:
        self.journal: list[Attempt] = []
        self._endpoints = endpoints
        self._metrics = metrics
        self._dice = dice
        self._jitter = jitter
        self._open: dict[Delivery, None] = {}  # in order
        self._lanes: dict[tuple[str, str], deque[Delivery]] = {}
        self._tasks: TaskGroup | None = None
        self._idle = anyio.Event()

    def start(self, delivery: Delivery) -> None:
        """At once inside `running`, else when it begins."""
        self._open[delivery] = None
        if self._tasks is not None:
            self._begin(self._tasks, delivery)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver for the length of the block. Raises: RuntimeError inside another such block."""
        if self._tasks is not None:
            raise RuntimeError("this SNS is delivering already")
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._lanes.clear()
            for delivery in self._open:
                self._begin(tasks, delivery)
            try:
                yield
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()

    async def settled(self) -> None:
        """Wait until every delivery has ended. Raises: RuntimeError outside `running`."""
        while self._open:
            if self._tasks is None:
                raise RuntimeError("nothing is delivered outside `async with sns.delivering():`")
            self._idle = anyio.Event()
            await self._idle.wait()

    def _begin(self, tasks: TaskGroup, delivery: Delivery) -> None:
        if delivery.deduplication_id is None:
            tasks.start_soon(self._deliver, delivery)
            return
        key = (delivery.subscription.arn, str(delivery.group))
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append(delivery)
            return
        self._lanes[key] = deque([delivery])
        tasks.start_soon(self._deliver_in_turn, key)

    async def _deliver_in_turn(self, key: tuple[str, str]) -> None:
        """A group of a FIFO topic: nothing overtakes what is being retried."""
        lane = self._lanes[key]
        while lane:
            await self._deliver(lane[0])
            lane.popleft()
        del self._lanes[key]

    async def _deliver(self, delivery: Delivery) -> None:
        verdict = await self._tried(delivery)
        if verdict == "delivered":
            self._metrics["NumberOfNotificationsDelivered"] += delivery.kind == "Notification"
        elif delivery.kind == "Notification" and not delivery.subscription.is_removed:
            self._metrics["NumberOfNotificationsFailed"] += 1
            await self._redrive(delivery)
        del self._open[delivery]
        if not self._open:
            self._idle.set()

    async def _tried(self, delivery: Delivery) -> Verdict:
        """How it ended. A confirmation is never a dead letter, but tried as often (SNS-114)."""
        waits = (AWS_MANAGED if delivery.http is None else delivery.http.retry).waits()
        waited_s = 0.0
        verdict = await self._attempt(delivery)
        for wait_s in waits:
            wait_s += wait_s * self._jitter * self._dice.random()
            waited_s += wait_s
            if verdict != "failed" or (delivery.http is not None and waited_s > MAXIMUM_TOTAL_S):
                break
            await anyio.sleep(wait_s)
            if delivery.subscription.is_removed and delivery.kind == "Notification":
                break
            verdict = await self._attempt(delivery)
        return verdict

    async def _attempt(self, delivery: Delivery) -> Verdict:
        http = delivery.http
        if http is not None and http.max_receives_per_second is not None:
            await self._await_turn(delivery, 1 / http.max_receives_per_second)
        status = await self._endpoints.answer(delivery, PLAIN_TEXT if http is None else http.content_type)
        verdict = aws_verdict(status) if http is None else http_verdict(status)
        self.journal.append(
            Attempt(wall_time_s(), delivery.subscription.arn, delivery.kind, delivery.message_id, status, verdict)
        )
        return verdict

    async def _await_turn(self, delivery: Delivery, apart_s: float) -> None:
        """Rule: SNS-112."""
        subscription, now = delivery.subscription, elapsed_s()
        turn = min(max(now, subscription.free_at), now + apart_s * len(self._open))  # another loop's clock is another's
        subscription.free_at = turn + apart_s
        await anyio.sleep(turn - now)

    async def _redrive(self, delivery: Delivery) -> None:
        """A dead letter is a delivery to a queue, and tried like one."""
        arn = delivery.subscription.settings.dead_letter_arn
        if arn is None:
            return
        verdict = aws_verdict(await self._endpoints.dead_letter(delivery, arn))
        for wait_s in AWS_MANAGED.waits():
            if verdict != "failed":
                break
            await anyio.sleep(wait_s)
            verdict = aws_verdict(await self._endpoints.dead_letter(delivery, arn))
        outcome = "RedrivenToDlq" if verdict == "delivered" else "FailedToRedriveToDlq"
        self._metrics[f"NumberOfNotifications{outcome}"] += 1

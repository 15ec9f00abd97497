"""Dispatch: deliveries that are due, attempted until they are made or given up (SRC-45, 46).

owed ──due──▶ attempt ─┬─ taken by the target ─────────────────────────▶ done
  ▲                    ├─ failed, to be tried again ─▶ owed, due later
  │                    └─ given up ─┬─ no dead-letter queue ───────────▶ done, and dropped
  └── due later ◀── not reachable ──┴─ dead-letter queue ── has it ────▶ done
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap import telemetry
from eventmap.clock import look_again_s, wall_time_s
from eventmap.delivery.bus.patience import Patience
from eventmap.delivery.bus.ports import BusStore, OpenTarget
from eventmap.delivery.bus.statistics import BusStatistics
from eventmap.errors import EventmapError
from eventmap.rules.bus.delivery import (
    AttemptError,
    Delivery,
    after_failure,
    after_lost_dead_letter,
    attempt_error,
    before_attempt,
    dead_letter_attributes,
)
from eventmap.rules.bus.input import body_of, bus_entry
from eventmap.rules.bus.taken import Taken
from eventmap.rules.bus.template import InvalidOutput
from eventmap.rules.parcel import Parcel

ATTEMPT_TIMEOUT_S: Final = 30.0
UNDER_WAY_LIMIT: Final = 256
"""Attempts at once."""

TAKEN_AT_ONCE: Final = 64
"""Deliveries asked for in one call; a target that has as many under way gets no more, so that one that hangs does not
hold up the others."""

Forward = Callable[[Delivery], Taken | AttemptError | None]
"""What a bus of this process makes of a delivery; None = its target is none."""


class Dispatch:
    """The attempts of one process."""

    def __init__(
        self,
        store: BusStore,
        open_target: OpenTarget,
        forward: Forward,
        *,
        statistics: BusStatistics,
        patiently: Patience,
        dice: random.Random,
    ) -> None:
        self._store = store
        self._open_target = open_target
        self._forward = forward
        self._statistics = statistics
        self._patiently = patiently
        self._dice = dice
        self._log = telemetry.logger("eventmap.delivery")
        self._under_way: Counter[str] = Counter()  # by ARN
        self._room = anyio.Semaphore(UNDER_WAY_LIMIT)
        self._woken = anyio.Event()
        self._settled = anyio.Event()
        self._taking = anyio.CancelScope()
        self._taken = anyio.Event()
        self._drained = anyio.Event()

    @property
    def under_way(self) -> int:
        """Deliveries taken from the store, and not yet back in it."""
        return self._under_way.total()

    @property
    def settled(self) -> anyio.Event:
        """Set when the next attempt has ended."""
        return self._settled

    def wake(self) -> None:
        """Something may be due that was not."""
        self._woken.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Attempt what is due until `drain` has ended, or cancelled."""
        async with anyio.create_task_group() as tasks:
            task_status.started()
            try:
                with self._taking:
                    while True:
                        await self._take_due(tasks)
            finally:
                self._taken.set()
            await self._drained.wait()
            tasks.cancel_scope.cancel()

    async def drain(self, budget_s: float) -> int:
        """Begin no further attempt, let those under way end within `budget_s`; returns how many did not."""
        self._taking.cancel()
        await self._taken.wait()
        with anyio.move_on_after(budget_s):
            while self.under_way:
                await self._settled.wait()
        left = self.under_way
        self._drained.set()
        return left

    async def _take_due(self, tasks: TaskGroup) -> None:
        """Wait until something is due, then begin attempts."""
        self._woken = woken = anyio.Event()  # before the look: nothing that comes after it is slept through
        busy = {arn for arn, count in self._under_way.items() if count >= TAKEN_AT_ONCE}
        due_at = await self._patiently(lambda: self._store.next_due(without=busy))
        wait_s = look_again_s() if due_at is None else min(due_at - wall_time_s(), look_again_s())
        if wait_s > 0:
            with anyio.move_on_after(wait_s):
                await woken.wait()
            return
        await self._room.acquire()
        room = 1
        try:
            while room < TAKEN_AT_ONCE and self._room.value:
                self._room.acquire_nowait()
                room += 1
            due = functools.partial(self._store.due, wall_time_s(), room, without=busy)
            for delivery in await self._patiently(due):
                room -= 1
                self._under_way[delivery.addressee] += 1
                tasks.start_soon(self._attempt, delivery)
        finally:
            for _ in range(room):
                self._room.release()

    async def _attempt(self, delivery: Delivery) -> None:
        self._statistics.running += 1
        try:
            await (self._deliver(delivery) if delivery.given_up is None else self._bury(delivery))
        finally:
            self._statistics.running -= 1
            self._under_way[delivery.addressee] -= 1
            self._under_way += Counter()  # drops those at zero
            self._room.release()
            self._woken.set()
            self._settled.set()
            self._settled = anyio.Event()

    async def _deliver(self, delivery: Delivery) -> None:
        if (expired := before_attempt(delivery, wall_time_s())) is not None:
            await self._bury(replace(delivery, given_up=expired))
            return
        self._statistics.attempts += 1
        outcome = await self._send(delivery)
        if isinstance(outcome, Taken):
            await self._patiently(lambda: self._store.done(delivery, outcome))
            self._statistics.delivered += 1
            self._statistics.matched += len(outcome.deliveries)
            self._statistics.archived += len(outcome.archived)
            return
        later = after_failure(delivery, outcome, wall_time_s(), self._dice.random())
        if later.given_up is not None:
            await self._bury(later)
            return
        self._statistics.retried += 1
        self._log.debug(telemetry.DELIVERY_RETRIED, **_told(later, outcome))
        await self._patiently(lambda: self._store.again(later))

    async def _send(self, delivery: Delivery) -> Taken | AttemptError:
        if (forwarded := self._forward(delivery)) is not None:
            return forwarded
        event, target = delivery.event, delivery.target
        try:
            is_bus = target.kind == "bus"
            body = bus_entry(event, target.arn) if is_bus else body_of(event, target, delivery.rule_arn)
        except InvalidOutput as error:
            return attempt_error(error)
        parcel = Parcel(body=body, request_id=delivery.delivery_id, trace_id=event.trace_id)
        return await self._hand_over(target.arn, target.message_group_id, parcel) or Taken()

    async def _hand_over(self, arn: str, message_group_id: str | None, parcel: Parcel) -> AttemptError | None:
        try:
            with anyio.fail_after(ATTEMPT_TIMEOUT_S):
                target = await self._open_target(arn, message_group_id=message_group_id)
                await target.send(parcel)
        except TimeoutError:
            return attempt_error(TimeoutError(f"no answer within {ATTEMPT_TIMEOUT_S:.0f} s"))
        except EventmapError as error:
            return attempt_error(error)
        except Exception as error:  # a defect that one target meets: the others are delivered to
            self._log.exception(telemetry.DELIVERY_RETRIED, target=arn)
            return attempt_error(error)
        return None

    async def _bury(self, delivery: Delivery) -> None:
        """Of a delivery that is given up: its dead letter, now or later; without one it is dropped."""
        assert delivery.given_up is not None
        queue = delivery.target.dead_letter_arn
        if delivery.dead_letter_attempts == 0:
            self._statistics.given_up += 1
        error = None
        if queue is not None:
            parcel = Parcel(body=delivery.event.text(), attributes=dead_letter_attributes(delivery))
            error = await self._hand_over(queue, None, parcel)
            if error is None:
                await self._patiently(lambda: self._store.done(delivery))
                self._statistics.dead_lettered += 1
                self._log.warning(telemetry.DELIVERY_GIVEN_UP, queue=queue, **_told(delivery, delivery.given_up))
                return
            later = after_lost_dead_letter(delivery, error, wall_time_s(), self._dice.random())
            if later is not None:
                await self._patiently(lambda: self._store.again(later))
                return
        await self._patiently(lambda: self._store.done(delivery))
        self._statistics.dropped += 1
        self._log.error(
            telemetry.DELIVERY_DROPPED,
            **_told(delivery, delivery.given_up),
            queue=queue,
            queue_error=None if error is None else error.message,
        )


def _told(delivery: Delivery, error: object) -> dict[str, object]:
    """For the log, which never shows events."""
    return {
        "rule": delivery.rule_arn,
        "target": delivery.target.arn,
        "event_id": delivery.event.event_id,
        "attempts": delivery.attempts,
        "error_code": getattr(error, "code", ""),
        "error": getattr(error, "message", ""),
    }

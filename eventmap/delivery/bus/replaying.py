"""Replaying: archived events brought to their bus once more, in the order in which the archive took them.

STARTING ─▶ RUNNING ─┬─▶ COMPLETED
              │      └─▶ FAILED (its bus is gone)
              └─▶ CANCELLING ─▶ CANCELLED

A step brings some events and records how far it came, in one write: a crash neither loses nor repeats any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

import anyio

from eventmap import telemetry
from eventmap.clock import wall_time_s
from eventmap.delivery.bus.buses import Buses
from eventmap.delivery.bus.dispatch import Dispatch
from eventmap.delivery.bus.patience import Patience
from eventmap.delivery.bus.ports import BusStore
from eventmap.delivery.bus.statistics import BusStatistics
from eventmap.rules.bus.definitions import UNFINISHED, Definitions, Replay, ReplayState
from eventmap.rules.bus.event import read_timestamp, replayed
from eventmap.rules.bus.taken import ArchivedEvent, Taken, together

STEP: Final = 100
"""Events in one write."""

DUE_LIMIT: Final = 1_000
"""Deliveries that may be due when a step begins: what happens now is not kept waiting by what happened once."""

Change = Callable[[Definitions, float], tuple[Definitions, Taken]]


class Replaying:
    """The replays of one process, one after the other, in the order in which they were started."""

    def __init__(
        self,
        buses: Buses,
        store: BusStore,
        dispatch: Dispatch,
        commit: Callable[[Change], Awaitable[None]],
        statistics: BusStatistics,
        patiently: Patience,
    ) -> None:
        """`commit` makes a change of the definitions, and what is owed with it, durable at once."""
        self._buses = buses
        self._store = store
        self._dispatch = dispatch
        self._commit = commit
        self._statistics = statistics
        self._patiently = patiently
        self._running = anyio.CancelScope()
        self._log = telemetry.logger("eventmap.delivery")

    async def run(self, changed: Callable[[Definitions], Awaitable[Definitions]]) -> None:
        """Until `stop`, or cancelled; `changed` waits for other definitions than those given."""
        with self._running:
            while True:
                definitions = self._buses.definitions
                unfinished = [replay for replay in definitions.replays.values() if replay.state in UNFINISHED]
                if not unfinished:
                    await changed(definitions)
                    continue
                # Those to be cancelled do not wait for the others to end.
                first = min(unfinished, key=lambda replay: (replay.state != "CANCELLING", replay.started_at))
                await self._step(first)

    def stop(self) -> None:
        """Go no further; a replay goes on from there when the engine is next started."""
        self._running.cancel()

    async def _step(self, replay: Replay) -> None:
        if replay.state == "CANCELLING":
            await self._end(replay, "CANCELLED")
        elif replay.bus not in self._buses.definitions.buses:
            await self._end(replay, "FAILED", f"Event bus {replay.bus} does not exist.")
        else:
            await self._until_there_is_room()
            found = await self._patiently(lambda: self._store.archived(replay.archive, replay.position, STEP))
            if found:
                await self._bring(replay, found)
            else:
                await self._end(replay, "COMPLETED")

    async def _bring(self, replay: Replay, found: Sequence[ArchivedEvent]) -> None:
        only = frozenset(replay.rule_arns)
        chosen = [
            each.event for each in found if replay.start_time <= read_timestamp(each.event.time) < replay.end_time
        ]
        moved = replace(
            replay,
            state="RUNNING",
            position=found[-1].position,
            last_event_time=read_timestamp(chosen[-1].time) if chosen else replay.last_event_time,
        )

        def brought(definitions: Definitions, now: float) -> tuple[Definitions, Taken]:
            if definitions.replays.get(replay.name) is not replay:
                return definitions, Taken()  # it was cancelled meanwhile
            events = [replayed(event, replay.name, now) for event in chosen]
            taken = [self._buses.take(replay.bus, event, only=only) for event in events]
            return definitions.with_replay(moved), together(taken)

        await self._patiently(lambda: self._commit(brought))
        after = self._buses.definitions.replays.get(replay.name)
        if after is not None and after.position == moved.position:
            self._statistics.replayed += len(chosen)

    async def _end(self, replay: Replay, state: ReplayState, reason: str | None = None) -> None:
        def ended(definitions: Definitions, now: float) -> tuple[Definitions, Taken]:
            if definitions.replays.get(replay.name) is not replay:
                return definitions, Taken()
            return definitions.with_replay(replace(replay, state=state, state_reason=reason, ended_at=now)), Taken()

        await self._patiently(lambda: self._commit(ended))
        self._log.info(telemetry.REPLAY_ENDED, replay=replay.name, state=state, reason=reason)

    async def _until_there_is_room(self) -> None:
        while True:
            settled = self._dispatch.settled
            count = await self._patiently(lambda: self._store.owed(DUE_LIMIT + 1, due_by=wall_time_s()))
            if count <= DUE_LIMIT:
                return
            await settled.wait()

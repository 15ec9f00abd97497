"""Timed: something that is due at times, and how it is begun."""

from __future__ import annotations

from dataclasses import dataclass

from eventmap.delivery.schedule.ports import Fire
from eventmap.queued_event import Accept
from eventmap.rules.schedule.event import Run
from eventmap.rules.schedule.misfire import Misfire
from eventmap.rules.schedule.timetable import Timetable
from eventmap.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What a clockwork runs: a function's schedule, or a rule of an event bus."""

    name: str  #: another for each in a clockwork
    key: str  #: what its position is known by: another one when its times are others
    timetable: Timetable
    fire: Fire
    misfire: Misfire = "once"
    enabled: bool = True  #: False = never due; enabled later, it begins anew

    @classmethod
    def of(cls, schedule: Schedule, fire: Fire) -> Timed:
        """A function's schedule."""
        return cls(
            name=schedule.schedule_name,
            key=schedule.key,
            timetable=schedule.timetable,
            fire=fire,
            misfire=schedule.misfire,
            enabled=schedule.enabled,
        )


def into_queue(schedule: Schedule, accept: Accept, *, region: str, account_id: str) -> Fire:
    """Begin runs by handing their event to the function's asynchronous queue (SRC-83).

    Begun again after a crash, a run has the same request id, by which a queue on one machine knows it.
    """

    async def fire(run: Run) -> bool:
        payload = schedule.payload(run, region=region, account_id=account_id)
        return await accept(payload, request_id=run.request_id)

    return fire

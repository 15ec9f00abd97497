"""Which runs are to begin now, and what becomes of those that were missed while nothing ran here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, assert_never

from eventmap.rules.schedule.timetable import Timetable

Misfire = Literal["once", "all", "skip"]
"""What becomes of missed runs: one makes up for them all, each is made up for, or none is."""

LATE_S: Final = 60
"""A run that begins so many seconds after its time, or after the end of its window, is late, not missed (SRC-66)."""

MADE_UP_LIMIT: Final = 1440
"""Missed runs made up for with "all", the latest: those of a day, if there is one a minute."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done now."""

    times: tuple[int, ...]  #: of the runs that are to begin, in order; epoch seconds
    position: int  #: up to where all is done once they have begun
    missed_until: int | None = None  #: the time of the last run that was missed; None = none was


def due(timetable: Timetable, position: int, now: int, misfire: Misfire, seed: str) -> Due:
    """What is due at `now` of a schedule that is done up to `position`, the time of its last run or of its making.

    A run begins after the one before it, even where the window would let it begin earlier.
    """
    missed_until = now - LATE_S - timetable.window_s - 1
    missed = timetable.latest(position, missed_until, MADE_UP_LIMIT if misfire == "all" else 1)
    timely: list[int] = []
    for time in timetable.times(missed[-1] if missed else position):
        if timetable.moment(time, seed) > now:
            break
        timely.append(time)
    times: list[int]
    match misfire:
        case "all":
            times = missed + timely
        case "skip":
            times = timely
        case "once":
            times = timely or missed[-1:]  # what is due anyway makes up for what is not
        case _:
            assert_never(misfire)
    return Due(tuple(times), [position, *missed, *timely][-1], missed[-1] if missed else None)


def next_moment(timetable: Timetable, position: int, seed: str) -> int | None:
    """When the first run after `position` begins; None = there is none."""
    time = timetable.next(position)
    return None if time is None else timetable.moment(time, seed)

"""Timetable: when an expression is due, in its time zone, between its start and its end (SRC-52, 66, 80, 81)."""

from __future__ import annotations

import hashlib
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from eventmap.errors import InvalidParameterValue, InvalidSchedule
from eventmap.rules.schedule.expression import At, Cron, Expression, Rate

END_OF_TIME: Final = 7_258_118_400
"""2200-01-01, epoch seconds: nothing is due from then on (SRC-59)."""

_SPANS_S: Final = (60, 3600, 86_400, 32 * 86_400, 366 * 86_400, 9 * 366 * 86_400, END_OF_TIME)


@dataclass(frozen=True, slots=True)
class Timetable:
    """When something is due. Times are whole epoch seconds; None = no limit.

    A rate counts from `start`, which is its first time, or else from the moment one asks about: whoever asks again with
    the time that was answered stays on the grid. It is not aligned to the clock (SRC-52). `at()` knows neither `start`
    nor `end`.
    """

    expression: Expression
    zone: tzinfo = UTC
    start: int | None = None
    end: int | None = None
    window_s: int = 0  #: how long a run may take to begin: the flexible time window (SRC-81)

    def next(self, after: int) -> int | None:
        """The first time later than `after`; None = there is none."""
        match self.expression:
            case At(local):
                at = instant(local, self.zone)
                return at if at is not None and at > after else None
            case Rate(interval_s):
                found: int | None = self._by_rate(interval_s, after)
            case cron:
                found = self._by_cron(cron, after if self.start is None else max(after, self.start - 1))
        return None if found is None or found > self._end else found

    def times(self, after: int) -> Iterator[int]:
        """All times later than `after`, in order."""
        time = self.next(after)
        while time is not None:
            yield time
            time = self.next(time)

    def latest(self, after: int, until: int, limit: int) -> list[int]:
        """Of the times later than `after` and up to `until` the last ones, at most `limit`, in order.

        Looks back from `until` step by step: what lies years back costs no more than what lies minutes back.
        """
        if isinstance(self.expression, Rate):
            return self._latest_by_rate(self.expression.interval_s, after, until, limit)
        found: list[int] = []
        for span_s in _SPANS_S:
            begin = max(after, until - span_s)
            found = []
            for time in self.times(begin):
                if time > until:
                    break
                found.append(time)
            if len(found) >= limit or begin == after:
                break
        return found[-limit:]

    def moment(self, time: int, seed: str) -> int:
        """When the run of that time begins: the same moment of its window whenever one asks (SRC-81)."""
        if not self.window_s:
            return time
        dice = hashlib.sha256(f"{seed}\0{time}".encode()).digest()
        return time + int.from_bytes(dice[:8]) % self.window_s

    @property
    def _end(self) -> int:
        return END_OF_TIME - 1 if self.end is None else min(self.end, END_OF_TIME - 1)

    def _by_rate(self, interval_s: int, after: int) -> int:
        if self.start is None:
            return after + interval_s
        return self.start + max(0, (after - self.start) // interval_s + 1) * interval_s

    def _latest_by_rate(self, interval_s: int, after: int, until: int, limit: int) -> list[int]:
        first = self._by_rate(interval_s, after)
        last = first + (min(until, self._end) - first) // interval_s * interval_s
        return list(range(max(first, last - (limit - 1) * interval_s), last + 1, interval_s))

    def _by_cron(self, cron: Cron, after: int) -> int | None:
        """A local time that the clocks skip is passed over; one they show twice is due the first time (SRC-80)."""
        if after >= END_OF_TIME:
            return None
        local = cron.next_local(datetime.fromtimestamp(max(after, 0), self.zone).replace(tzinfo=None))
        while local is not None:
            time = instant(local, self.zone)
            if time is not None and time > after:
                return time
            local = cron.next_local(local)
        return None


def instant(local: datetime, zone: tzinfo) -> int | None:
    """Epoch seconds of a local time, the first time the clocks show it; None = they never do (SRC-80)."""
    aware = local.replace(tzinfo=zone)
    seconds = aware.timestamp()
    return int(seconds) if datetime.fromtimestamp(seconds, zone).replace(tzinfo=None) == local else None


def zone_of(name: object) -> tzinfo:
    """Of an IANA name. Raises: InvalidParameterValue for one this machine does not know."""
    if name == "UTC":
        return UTC
    try:
        if isinstance(name, str) and name:
            return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise InvalidParameterValue(
        f"Invalid Schedule Expression Timezone {name!r}: write an IANA name such as Europe/Berlin; a machine without a "
        "list of them gets one by `pip install tzdata` (SRC-80)"
    )


def check_possible(timetable: Timetable) -> None:
    """Raises: InvalidSchedule for a time that its zone's clocks never show."""
    if isinstance(timetable.expression, At) and instant(timetable.expression.local, timetable.zone) is None:
        raise InvalidSchedule(
            f"at({timetable.expression.local.isoformat()}) is impossible: the clocks of {timetable.zone} skip that "
            "time (SRC-80)"
        )

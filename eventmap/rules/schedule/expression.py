"""Schedule expressions as AWS writes them: rate(), cron() and at() (SRC-50..69, 80)."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from eventmap.errors import InvalidSchedule
from eventmap.rules.schedule.cron_days import Days, days_of, months_with
from eventmap.rules.schedule.cron_field import HOURS, MINUTES, MONTH, YEAR, numbers

LONGEST_EXPRESSION: Final = 256
"""Characters (SRC-42)."""

_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86_400}
_RATE: Final = re.compile(r"rate\(([0-9]{1,9}) (minute|hour|day)(s?)\)")
_AT: Final = re.compile(r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)")
_CRON: Final = re.compile(r"cron\((.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so often."""

    interval_s: int


@dataclass(frozen=True, slots=True)
class At:
    """Once."""

    local: datetime  #: without a zone


@dataclass(frozen=True, slots=True)
class Cron:
    """By the calendar; all fields in order, none empty."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def next_local(self, after: datetime) -> datetime | None:
        """The next one, to the minute, that is later than `after`; both without a zone. None = there is none."""
        for year in self.years[bisect_left(self.years, after.year) :]:
            months = self.months[bisect_left(self.months, after.month) :] if year == after.year else self.months
            for month in months:
                is_first = (year, month) == (after.year, after.month)
                for day in self.days.of(year, month):
                    if is_first and day < after.day:
                        continue
                    found = self._on(datetime(year, month, day), after)  # noqa: DTZ001 - local times have no zone here
                    if found is not None:
                        return found
        return None

    def _on(self, day: datetime, after: datetime) -> datetime | None:
        """The first of that day later than `after`."""
        if day.date() > after.date():
            return day.replace(hour=self.hours[0], minute=self.minutes[0])
        for hour in self.hours[bisect_left(self.hours, after.hour) :]:
            if hour > after.hour:
                return day.replace(hour=hour, minute=self.minutes[0])
            later = bisect_left(self.minutes, after.minute + 1)
            if later < len(self.minutes):
                return day.replace(hour=hour, minute=self.minutes[later])
        return None


Expression = Rate | Cron | At


def parse_expression(text: object) -> Expression:
    """Raises: InvalidSchedule, in AWS' words with the reason."""
    if not isinstance(text, str) or not text:
        raise InvalidSchedule(f"{text!r} is not text such as rate(5 minutes) or cron(0 2 * * ? *)")
    if len(text) > LONGEST_EXPRESSION:
        raise InvalidSchedule(f"it has {len(text)} characters; {LONGEST_EXPRESSION} are allowed (SRC-42)")
    try:
        return _parsed(text)
    except ValueError as error:
        raise InvalidSchedule(f"{text!r}: {error}") from None


def _parsed(text: str) -> Expression:
    """Raises: ValueError."""
    if text.startswith("rate("):
        return _rate(text)
    if found := _CRON.fullmatch(text):
        return _cron(found[1].split())
    if text.startswith("at("):
        if not (at := _AT.fullmatch(text)):
            raise ValueError("a single time is written at(yyyy-mm-ddThh:mm:ss) (SRC-80)")
        return At(datetime.fromisoformat(at[1]))
    raise ValueError("it is neither rate(…) nor cron(…) nor at(…), in lower case and without spaces around (SRC-50)")


def _rate(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if not found or int(found[1]) < 1:
        raise ValueError("a rate is written rate(VALUE UNIT): a number from 1 on, and minutes, hours or days (SRC-50)")
    value, unit = int(found[1]), found[2]
    if (value == 1) == bool(found[3]):
        raise ValueError(f"the unit of {value} is {unit if value == 1 else unit + 's'} (SRC-50)")
    return Rate(value * _SECONDS[unit])


def _cron(fields: list[str]) -> Cron:
    if len(fields) != 6:
        raise ValueError(
            "cron has six fields, Minutes Hours Day-of-month Month Day-of-week Year, "
            f"separated by spaces, not {len(fields)} (SRC-53)"
        )
    minutes, hours, day_of_month, month, day_of_week, year = fields
    cron = Cron(
        minutes=numbers(MINUTES, minutes),
        hours=numbers(HOURS, hours),
        days=days_of(day_of_month, day_of_week),
        months=numbers(MONTH, month),
        years=numbers(YEAR, year),
    )
    if not any(months_with(cron.days, cron.years, cron.months)):
        raise ValueError("it is impossible: no month it names ever has such a day (SRC-69)")
    return cron

"""The days of a month on which a cron expression runs, by one of its two fields for days (SRC-56, 58, 60..64)."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from eventmap.rules.schedule.cron_field import DAY_OF_MONTH, DAY_OF_WEEK, number, numbers

_ANY: Final = "?"
_LAST: Final = "L"
_SATURDAY: Final = 7
_NEAREST: Final = re.compile(r"([0-9]{1,2})W", re.IGNORECASE)
_LAST_OF_WEEKDAY: Final = re.compile(r"([1-7]|[A-Z]{3})L", re.IGNORECASE)


class Days(Protocol):
    """Which days of a month."""

    def of(self, year: int, month: int) -> list[int]:
        """In order; [] = this month has none."""
        ...


@lru_cache(maxsize=4096)  # thousands of schedules share a few
def days_of(day_of_month: str, day_of_week: str) -> Days:
    """Of the two fields, just one of which is `?` (SRC-60). Raises: ValueError saying what is wrong with them."""
    if (day_of_month == _ANY) == (day_of_week == _ANY):
        raise ValueError(
            f"just one of Day-of-month and Day-of-week must be ?, not {day_of_month} and {day_of_week} (SRC-60)"
        )
    return _weekdays(day_of_week) if day_of_month == _ANY else _days_of_month(day_of_month)


@dataclass(frozen=True, slots=True)
class _DaysOfMonth:
    numbers: frozenset[int]  #: those a month does not have are passed over (SRC-69)
    is_last: bool
    is_last_weekday: bool
    nearest: frozenset[int]  #: the weekday nearest to each of them, within the month (SRC-63)

    def of(self, year: int, month: int) -> list[int]:
        last = calendar.monthrange(year, month)[1]
        found = {day for day in self.numbers if day <= last}
        if self.is_last:
            found.add(last)
        if self.is_last_weekday:
            found.add(_nearest_weekday(year, month, last, last))
        found.update(_nearest_weekday(year, month, day, last) for day in self.nearest if day <= last)
        return sorted(found)


@dataclass(frozen=True, slots=True)
class _Weekdays:
    """Weekdays as AWS counts them, 1 = Sunday."""

    every: frozenset[int]
    last: frozenset[int]  #: only the last of the month
    kth: tuple[int, int] | None  #: (weekday, which of the month's)

    def of(self, year: int, month: int) -> list[int]:
        first, length = calendar.monthrange(year, month)
        return [day for day in range(1, length + 1) if self._is_one((first + day) % 7 + 1, day, length)]

    def _is_one(self, weekday: int, day: int, length: int) -> bool:
        return (
            weekday in self.every
            or (weekday in self.last and day + 7 > length)
            or self.kth == (weekday, (day + 6) // 7)
        )


def _days_of_month(text: str) -> Days:
    plain: set[int] = set()
    nearest: set[int] = set()
    is_last = is_last_weekday = False
    for part in text.split(","):
        if part.upper() == _LAST:
            is_last = True
        elif part.upper() == "LW":
            is_last_weekday = True
        elif part.upper().startswith("L-"):
            raise ValueError(f"Day-of-month: {part} is not supported; L alone is the last day (SRC-62)")
        elif found := _NEAREST.fullmatch(part):
            nearest.add(number(DAY_OF_MONTH, found[1]))
        else:
            plain.update(numbers(DAY_OF_MONTH, part))
    return _DaysOfMonth(frozenset(plain), is_last, is_last_weekday, frozenset(nearest))


def _weekdays(text: str) -> Days:
    if "#" in text:
        return _Weekdays(frozenset(), frozenset(), _kth(text))
    every: set[int] = set()
    last: set[int] = set()
    for part in text.split(","):
        if part.upper() == _LAST:
            every.add(_SATURDAY)
        elif found := _LAST_OF_WEEKDAY.fullmatch(part):
            last.add(number(DAY_OF_WEEK, found[1]))
        else:
            every.update(numbers(DAY_OF_WEEK, part))
    return _Weekdays(frozenset(every), frozenset(last), None)


def _kth(text: str) -> tuple[int, int]:
    weekday, _, which = text.partition("#")
    if which not in ("1", "2", "3", "4", "5"):
        raise ValueError(f"Day-of-week: {text} must be one weekday, # and a number from 1 to 5, such as 3#2 (SRC-64)")
    return number(DAY_OF_WEEK, weekday), int(which)


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    """Monday to Friday, never in another month: from a Saturday back, from a Sunday on, or the other way (SRC-63)."""
    match calendar.weekday(year, month, day):
        case calendar.SATURDAY:
            return day - 1 if day > 1 else day + 2
        case calendar.SUNDAY:
            return day + 1 if day < last else day - 2
        case _:
            return day


def months_with(days: Days, years: Sequence[int], months: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(year, month) of each that has such a day, in order."""
    return ((year, month) for year in years for month in months if days.of(year, month))

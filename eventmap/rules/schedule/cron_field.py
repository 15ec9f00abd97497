"""One field of a cron expression: which numbers it stands for (SRC-53..65)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class Field:
    """What may stand in one place of the expression."""

    name: str  #: as AWS calls it
    first: int
    last: int
    rule: str  #: its id
    names: tuple[str, ...] = ()  #: of its numbers, from the first; in any case (SRC-65)
    is_cyclic: bool = True  #: whether a range may go over the end: hours 20-2 are 20..23 and 0..2 (SRC-65)


MINUTES: Final = Field("Minutes", 0, 59, "SRC-54")
HOURS: Final = Field("Hours", 0, 23, "SRC-55")
DAY_OF_MONTH: Final = Field("Day-of-month", 1, 31, "SRC-56")
MONTH: Final = Field("Month", 1, 12, "SRC-57", _MONTHS)
DAY_OF_WEEK: Final = Field("Day-of-week", 1, 7, "SRC-58", _WEEKDAYS)
YEAR: Final = Field("Year", 1970, 2199, "SRC-59", is_cyclic=False)


@lru_cache(maxsize=4096)  # thousands of schedules share a few texts, such as the year's *, which is 230 numbers
def numbers(field: Field, text: str) -> tuple[int, ...]:
    """Of a list such as `1,5-10,20/5`, in order. Raises: ValueError saying what is wrong with it."""
    return tuple(sorted({number for part in text.split(",") for number in _part(field, part)}))


def number(field: Field, text: str) -> int:
    """Of one number or name. Raises: ValueError."""
    if text.upper() in field.names:
        return field.first + field.names.index(text.upper())
    if not _is_digits(text) or len(text) > 4:
        what = "a number or a name" if field.names else "a number"
        raise ValueError(f"{field.name}: {text!r} is not {what} ({field.rule})")
    value = int(text)
    if not field.first <= value <= field.last:
        raise ValueError(f"{field.name}: {text} is not between {field.first} and {field.last} ({field.rule})")
    return value


def _part(field: Field, text: str) -> range | list[int]:
    span, slash, stride = text.partition("/")
    step = _step(field, stride) if slash else 1
    if span == "*":
        return range(field.first, field.last + 1, step)
    first, dash, last = span.partition("-")
    start = number(field, first)
    if not dash:
        return range(start, (field.last if slash else start) + 1, step)
    end = number(field, last)
    if end >= start:
        return range(start, end + 1, step)
    if not field.is_cyclic:
        raise ValueError(f"{field.name}: the range {span} ends before it begins ({field.rule})")
    return [*range(start, field.last + 1), *range(field.first, end + 1)][::step]


def _step(field: Field, text: str) -> int:
    if not _is_digits(text) or len(text) > 4 or not 1 <= int(text) <= field.last:
        raise ValueError(f"{field.name}: the step /{text} is not a number from 1 to {field.last} (SRC-61)")
    return int(text)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()

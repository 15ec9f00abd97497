"""The next times of generated expressions against cronsim, a cron library that shares nothing with ours.

Compared: `*`, numbers, names, lists, ranges, ranges over the end, steps of all three forms, L, LW, weekday L and #, and
years, by leaving out cronsim's times in other years. cronsim has no nW: that is compared with its definition below.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, takewhile

import pytest
from cronsim import CronSim

from eventmap.rules.schedule.cron_days import days_of
from eventmap.rules.schedule.expression import parse_expression
from eventmap.rules.schedule.timetable import Timetable

EXPRESSIONS = 240
TIMES = 1_000
AFTER = datetime(2024, 2, 27, 11, 17, tzinfo=UTC)
LAST_YEAR = 2199

MONTHS = [name.upper() for name in calendar.month_abbr]
WEEKDAYS = ["", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def part(dice: random.Random, first: int, last: int, names: list[str]) -> tuple[str, str]:
    """One element of a list: as AWS writes it, and as plain numbers that cronsim understands, in AWS' counting."""
    a, b = dice.randint(first, last), dice.randint(first, last)
    step = dice.randint(1, max(1, (last - first) // 2))

    def named(number: int) -> str:
        name = names[number] if names and dice.random() < 0.5 else ""
        return dice.choice([name.lower(), name]) if name else dice.choice([str(number), f"{number:02}"])

    match dice.randrange(6):
        case 0:
            numbers = list(range(first, last + 1, step))
            return f"*/{step}", ",".join(map(str, numbers))
        case 1:
            return f"{named(a)}/{step}", ",".join(map(str, range(a, last + 1, step)))
        case 2 | 3:
            span = list(range(a, b + 1)) if a <= b else [*range(a, last + 1), *range(first, b + 1)]
            return f"{named(a)}-{named(b)}", ",".join(map(str, span))
        case _:
            return named(a), str(a)


def field(dice: random.Random, first: int, last: int, names: list[str], star: float) -> tuple[str, str]:
    if dice.random() < star:
        return "*", "*"
    parts = [part(dice, first, last, names) for _ in range(dice.choice([1, 1, 1, 2, 3]))]
    return ",".join(ours for ours, _ in parts), ",".join(theirs for _, theirs in parts)


def days(dice: random.Random) -> tuple[str, str, str, str]:
    """(day of month, day of week, the same for cronsim)."""
    weekday = dice.randint(1, 7)
    name = dice.choice([str(weekday), WEEKDAYS[weekday]])
    match dice.randrange(8):
        case 0:
            return "L", "?", "L", "*"
        case 1:
            return "LW", "?", "LW", "*"
        case 2:
            return "?", f"{name}L", "*", f"{weekday - 1}L"
        case 3:
            which = dice.randint(1, 5)
            return "?", f"{name}#{which}", "*", f"{weekday - 1}#{which}"
        case 4 | 5:
            ours, theirs = field(dice, 1, 7, WEEKDAYS, 0.1)
            counted = theirs if theirs == "*" else ",".join(str(int(number) - 1) for number in theirs.split(","))
            return "?", ours, "*", counted
        case _:
            ours, theirs = field(dice, 1, 31, [], 0.3)
            return ours, "?", theirs, "*"


def generated(seed: int) -> tuple[str, str, range]:
    """(our expression, cronsim's, the years it is limited to)."""
    dice = random.Random(seed)
    minute, their_minute = field(dice, 0, 59, [], 0.1)
    hour, their_hour = field(dice, 0, 23, [], 0.2)
    month, their_month = field(dice, 1, 12, MONTHS, 0.5)
    day, weekday, their_day, their_weekday = days(dice)
    year, years = dice.choice(
        [("*", range(1970, 2200)), ("2025-2099", range(2025, 2100)), ("2024/4", range(2024, 2200, 4))]
    )
    ours = f"cron({minute} {hour} {day} {month} {weekday} {year})"
    return ours, f"{their_minute} {their_hour} {their_day} {their_month} {their_weekday}", years


def expected(theirs: str, years: range) -> Iterator[int]:
    times = takewhile(lambda time: time.year <= LAST_YEAR, CronSim(theirs, AFTER))
    return (int(time.timestamp()) for time in times if time.year in years)


@pytest.mark.parametrize("seed", range(EXPRESSIONS))
def test_src_54_to_64_the_next_thousand_times_are_those_of_another_library(seed: int) -> None:
    """SRC-54..64: a thousand, or all until 2199 where there are fewer."""
    ours, theirs, years = generated(seed)
    timetable = Timetable(parse_expression(ours))
    found = list(islice(timetable.times(int(AFTER.timestamp())), TIMES))

    assert found == list(islice(expected(theirs, years), TIMES)), ours


def test_src_63_the_nearest_weekday_is_the_weekday_that_is_nearest() -> None:
    """SRC-63: of all weekdays of the month the one the fewest days away; for every day of 28 years."""
    for number in range(1, 32):
        days = days_of(f"{number}W", "?")
        for year in range(2000, 2028):
            for month in range(1, 13):
                length = calendar.monthrange(year, month)[1]
                weekdays = [day for day in range(1, length + 1) if calendar.weekday(year, month, day) < 5]
                nearest = [min(weekdays, key=lambda day: abs(day - number))] if number <= length else []
                assert days.of(year, month) == nearest

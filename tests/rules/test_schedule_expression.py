from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from eventmap.errors import InvalidSchedule
from eventmap.rules.schedule.expression import At, Cron, Rate, parse_expression
from eventmap.rules.schedule.timetable import Timetable

MINUTE, HOUR, DAY = 60, 3600, 86_400


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def shown(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M")


def next_times(expression: str, after: str, count: int) -> list[str]:
    return [shown(time) for time in islice(Timetable(parse_expression(expression)).times(epoch(after)), count)]


@pytest.mark.parametrize(
    ("text", "interval_s"),
    [
        ("rate(1 minute)", MINUTE),
        ("rate(5 minutes)", 5 * MINUTE),
        ("rate(1 hour)", HOUR),
        ("rate(36 hours)", 36 * HOUR),
        ("rate(1 day)", DAY),
        ("rate(10 days)", 10 * DAY),
    ],
)
def test_src_50_a_rate_is_a_number_and_a_unit(text: str, interval_s: int) -> None:
    """SRC-50: the unit is singular just for 1."""
    assert parse_expression(text) == Rate(interval_s)


@pytest.mark.parametrize(
    "text",
    [
        "rate(10 seconds)",
        "rate(10 years)",
        "rate(1 minutes)",
        "rate(10 minute)",
        "rate()",
        "rate(10)",
        "rate(10 minutess)",
        "rate(foo minutes)",
        "rate(0 minutes)",
        "rate(-10 minutes)",
        "rate(10 MINUTES)",
        "rate( 10 minutes )",
        " rate(10 minutes)",
        "rate(10  minutes)",
        "rate(10 minutes) ",
        "rate(10 minutes)\n",
        "rate(1.5 hours)",
        "rate(\u0661 minute)",
        "RATE(10 minutes)",
        "rate(99999999999 minutes)",
    ],
)
def test_src_51_what_is_no_rate_is_refused_in_aws_words(text: str) -> None:
    """SRC-51: with AWS' sentence in front, and the reason."""
    with pytest.raises(InvalidSchedule, match=r"^Parameter ScheduleExpression is not valid\. .*SRC-50"):
        parse_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 2 ? * SAT *)",
        "cron(5,35 14 * * ? *)",
        "cron(15 10 ? * 6L 2002-2005)",
        "cron(0 2 ? * SAT#3 *)",
        "cron(* * ? * SAT#3 *)",
        "cron(0/5 5 ? JAN 1-5 2022)",
        "cron(0/15 * * * ? *)",
        "cron(0/5 8-17 ? * MON-FRI *)",
        "cron(0 18 ? * MON-FRI *)",
        "cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)",
        "cron(30-30 13-13 ? * 2,4,6 *)",
        "cron(1-31/30 1-1 ? * 1,7 *)",
        "cron(00 05 01 jan ? 1970)",
        "cron(0 0 29 FEB ? *)",
        "cron(59 23 LW 12 ? 2199)",
        "cron(0  10\t* * ? *)",
    ],
)
def test_src_53_to_67_valid_expressions(text: str) -> None:
    """SRC-53..67: as AWS was seen to take them; in between there may be any white space."""
    assert isinstance(parse_expression(text), Cron)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cron(0 1 * * * *)", "SRC-60"),
        ("cron(0 1 ? * ? *)", "SRC-60"),
        ("cron(0 1 1 * MON *)", "SRC-60"),
        ("cron(7 20 * * NOT *)", "SRC-60"),
        ("cron(7 20 ? * NOT *)", "'NOT' is not a number or a name"),
        ("cron(INVALID)", "six fields"),
        ("cron()", "six fields"),
        ("cron(0 0 1 1 ?)", "not 5"),
        ("cron(0 0 0 1 1 ? *)", "not 7"),
        ("cron(0 dummy ? * MON-FRI *)", "Hours: 'dummy' is not a number "),
        ("cron(71 8 1 * ? *)", "Minutes: 71 is not between 0 and 59"),
        ("cron(0 24 1 * ? *)", "Hours: 24 is not between 0 and 23"),
        ("cron(0 8 0 * ? *)", "Day-of-month: 0 is not between 1 and 31"),
        ("cron(0 8 1 13 ? *)", "Month: 13 is not between 1 and 12"),
        ("cron(0 8 ? * 0 *)", "Day-of-week: 0 is not between 1 and 7"),
        ("cron(0 8 ? * 8 *)", "Day-of-week: 8 is not between 1 and 7"),
        ("cron(0 8 1 * ? 1969)", "Year: 1969 is not between 1970 and 2199"),
        ("cron(0 8 1 * ? 2200)", "Year: 2200 is not between 1970 and 2199"),
        ("cron(0 8 1 * ? 2030-2020)", "ends before it begins"),
        ("cron(0/0 8 1 * ? *)", "step /0"),
        ("cron(0/60 8 1 * ? *)", "step /60"),
        ("cron(0/ 8 1 * ? *)", "step /"),
        ("cron(0/-5 8 1 * ? *)", "step /-5"),
        ("cron(1, 8 1 * ? *)", "'' is not a number"),
        ("cron(-1 8 1 * ? *)", "'' is not a number"),
        ("cron(? 8 1 * ? *)", "'[?]' is not a number"),
        ("cron(0 8 1 ? ? *)", "SRC-60|'[?]' is not a number"),
        ("cron(0 8 1,? * ? *)", "'[?]' is not a number"),
        ("cron(0 L 1 * ? *)", "'L' is not a number"),
        ("cron(0 8 L-3 * ? *)", "SRC-62"),
        ("cron(0 8 32W * ? *)", "32 is not between 1 and 31"),
        ("cron(0 8 W * ? *)", "'W' is not a number"),
        ("cron(0 8 ? * 2W *)", "'2W' is not a number"),
        ("cron(0 8 ? * 8L *)", "'8L' is not a number"),
        ("cron(0 8 ? * XYZL *)", "'XYZ' is not a number"),
        ("cron(0 8 ? * 3#1,6#3 *)", "SRC-64"),
        ("cron(0 8 ? * 3#6 *)", "SRC-64"),
        ("cron(0 8 ? * 3#0 *)", "SRC-64"),
        ("cron(0 8 ? * #1 *)", "'' is not a number"),
        ("cron(0 8 1#2 * ? *)", "'1#2' is not a number"),
        ("cron(0 8 1 MONDAY ? *)", "'MONDAY' is not a number"),
        ("cron(0 8 ? * JAN *)", "'JAN' is not a number"),
        ("Cron(0 8 1 * ? *)", "neither"),
        (" cron(0 8 1 * ? *)", "neither"),
        ("cron(0 8 1 * ? *) ", "neither"),
        ("0 8 1 * ? *", "neither"),
        ("", "is not text"),
        (None, "is not text"),
        (5, "is not text"),
        (f"cron({' ' * 300}0 8 1 * ? *)", "SRC-42"),
    ],
)
def test_src_68_invalid_expressions_are_refused_with_the_reason(text: str, reason: str) -> None:
    """SRC-54..68: the message names the field and what is wrong with it, behind AWS' sentence."""
    with pytest.raises(InvalidSchedule, match=r"^Parameter ScheduleExpression is not valid\. ") as caught:
        parse_expression(text)

    caught.match(reason)


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 0 31 2 ? *)",
        "cron(0 0 30,31 FEB ? *)",
        "cron(0 0 31 4,6,9,11 ? *)",
        "cron(0 0 29 2 ? 2023)",
        "cron(0 0 ? 2 1#5 2030)",
        "cron(0 0 31W 6 ? *)",
    ],
)
def test_src_69_what_can_never_be_due_is_refused(text: str) -> None:
    """SRC-69: a day that none of its months ever has; a year that is over is another matter (SRC-67)."""
    with pytest.raises(InvalidSchedule, match="impossible"):
        parse_expression(text)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        pytest.param(
            "cron(0 10 * * ? *)", "2024-02-28T10:00:01", ["2024-02-29 10:00", "2024-03-01 10:00"], id="SRC-70"
        ),
        pytest.param(
            "cron(15 10 ? * 6L 2024)",
            "2024-01-01T00:00:00",
            ["2024-01-26 10:15", "2024-02-23 10:15", "2024-03-29 10:15"],
            id="SRC-71",
        ),
        pytest.param("cron(0 8 L * ? *)", "2024-02-01T00:00:00", ["2024-02-29 08:00", "2024-03-31 08:00"], id="SRC-72"),
        pytest.param(
            "cron(0 9 15W * ? *)",
            "2024-06-01T00:00:00",
            ["2024-06-14 09:00", "2024-07-15 09:00", "2024-08-15 09:00", "2024-09-16 09:00"],
            id="SRC-73",
        ),
        pytest.param(
            "cron(0 9 1W * ? *)", "2024-06-01T00:00:00", ["2024-06-03 09:00", "2024-07-01 09:00"], id="SRC-74"
        ),
        pytest.param(
            "cron(0 12 ? * 3#2 *)", "2024-05-01T00:00:00", ["2024-05-14 12:00", "2024-06-11 12:00"], id="SRC-75"
        ),
        pytest.param(
            "cron(0 0 31 * ? *)", "2024-04-01T00:00:00", ["2024-05-31 00:00", "2024-07-31 00:00"], id="SRC-76"
        ),
        pytest.param(
            "cron(0/20 9 ? * MON-FRI *)",
            "2024-05-10T09:21:00",
            ["2024-05-10 09:40", "2024-05-13 09:00", "2024-05-13 09:20"],
            id="SRC-77",
        ),
        pytest.param("cron(0 9 31W * ? *)", "2024-03-01T00:00:00", ["2024-03-29 09:00", "2024-05-31 09:00"], id="31W"),
        pytest.param("cron(0 9 LW * ? *)", "2024-06-01T00:00:00", ["2024-06-28 09:00", "2024-07-31 09:00"], id="LW"),
        pytest.param("cron(0 9 ? * L *)", "2024-06-01T10:00:00", ["2024-06-08 09:00", "2024-06-15 09:00"], id="L=SAT"),
        pytest.param(
            "cron(0 9 ? * FRIL *)", "2024-01-01T00:00:00", ["2024-01-26 09:00", "2024-02-23 09:00"], id="FRIL"
        ),
        pytest.param("cron(0 9 ? * tue#2 *)", "2024-05-01T00:00:00", ["2024-05-14 09:00"], id="any case"),
        pytest.param("cron(0 9 ? * 1#5 *)", "2024-01-01T00:00:00", ["2024-03-31 09:00", "2024-06-30 09:00"], id="#5"),
        pytest.param(
            "cron(0 20-2 1 * ? *)",
            "2024-01-01T00:30:00",
            [f"2024-01-01 {hour:02}:00" for hour in (1, 2, 20, 21, 22, 23)] + ["2024-02-01 00:00"],
            id="SRC-65 hours over midnight",
        ),
        pytest.param(
            "cron(0 9 ? * FRI-MON *)",
            "2024-05-09T09:00:00",
            [f"2024-05-{day} 09:00" for day in (10, 11, 12, 13, 17)],
            id="SRC-65 weekdays over Sunday",
        ),
        pytest.param(
            "cron(0 22-4/2 * * ? *)",
            "2024-01-01T01:00:00",
            ["2024-01-01 02:00", "2024-01-01 04:00", "2024-01-01 22:00", "2024-01-02 00:00"],
            id="a step over the end",
        ),
        pytest.param(
            "cron(0 0 1 NOV-FEB/3 ? *)", "2024-01-02T00:00:00", ["2024-02-01 00:00", "2024-11-01 00:00"], id="m"
        ),
        pytest.param(
            "cron(0/20 9 1 1 ? *)", "2024-01-01T09:40:00", ["2025-01-01 09:00"], id="SRC-61 a/b ends the hour"
        ),
        pytest.param("cron(*/25 9 1 1 ? *)", "2024-01-01T09:00:00", ["2024-01-01 09:25", "2024-01-01 09:50"], id="*/b"),
        pytest.param("cron(0 0 1 1 ? 2020/4)", "2021-01-01T00:00:00", ["2024-01-01 00:00", "2028-01-01 00:00"], id="y"),
        pytest.param("cron(0 0 29 2 ? *)", "2096-03-01T00:00:00", ["2104-02-29 00:00"], id="2100 is no leap year"),
        pytest.param("cron(0 0 1 1 ? 2002-2005)", "2024-01-01T00:00:00", [], id="SRC-67 a year that is over"),
        pytest.param("cron(59 23 31 12 ? *)", "2198-12-31T23:59:00", ["2199-12-31 23:59"], id="the last of all"),
    ],
)
def test_src_70_to_77_next_times_of_an_expression(expression: str, after: str, expected: list[str]) -> None:
    """SRC-54..77: strictly later than the moment asked about, to the minute, in UTC."""
    assert next_times(expression, after, max(1, len(expected))) == expected


def test_src_52_a_rate_counts_from_where_it_is_asked_about() -> None:
    """SRC-52: the first run is one interval later, and the grid is not the clock's."""
    assert next_times("rate(10 minutes)", "2024-01-01T00:03:00", 3) == [
        "2024-01-01 00:13",
        "2024-01-01 00:23",
        "2024-01-01 00:33",
    ]


def test_src_80_at_is_once() -> None:
    """SRC-80: to the second, and never again."""
    expression = parse_expression("at(2024-02-29T12:00:07)")

    assert expression == At(datetime.fromisoformat("2024-02-29T12:00:07"))
    assert list(Timetable(expression).times(epoch("2024-01-01T00:00:00"))) == [epoch("2024-02-29T12:00:07")]
    assert list(Timetable(expression).times(epoch("2024-02-29T12:00:07"))) == []


@pytest.mark.parametrize(
    "text",
    ["at(2024-02-30T12:00:00)", "at(2024-02-28 12:00:00)", "at(2024-02-28T12:00)", "at()", "at(2024-02-28T24:00:01)"],
)
def test_src_80_what_is_no_time_is_refused(text: str) -> None:
    """SRC-80: only yyyy-mm-ddThh:mm:ss, and a day that exists."""
    with pytest.raises(InvalidSchedule):
        parse_expression(text)

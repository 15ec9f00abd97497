from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue, InvalidSchedule
from eventmap.rules.schedule.expression import parse_expression
from eventmap.rules.schedule.misfire import MADE_UP_LIMIT, Misfire, due, next_moment
from eventmap.rules.schedule.timetable import END_OF_TIME, Timetable, check_possible, zone_of

MINUTE, HOUR, DAY = 60, 3600, 86_400
NOON = 1_767_268_800  # 2026-01-01T12:00:00Z

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def table(expression: str, **settings: object) -> Timetable:
    return Timetable(parse_expression(expression), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        pytest.param(
            BERLIN,
            "cron(30 2 * * ? *)",
            "2026-03-28T00:00",
            ["2026-03-28T01:30", "2026-03-30T00:30"],  # 29 March has no 02:30
            id="Berlin, skipped",
        ),
        pytest.param(
            BERLIN,
            "cron(0 2,3 29 3 ? 2026)",
            "2026-03-28T00:00",
            ["2026-03-29T01:00"],  # 02:00 is skipped, 03:00 is that very moment
            id="Berlin, the edges of the gap",
        ),
        pytest.param(
            BERLIN,
            "cron(0/20 * 29 3 ? *)",
            "2026-03-29T00:20",
            ["2026-03-29T00:40", "2026-03-29T01:00", "2026-03-29T01:20"],
            id="Berlin, every 20 minutes over the gap",
        ),
        pytest.param(
            BERLIN,
            "cron(30 2 * * ? *)",
            "2026-10-24T12:00",
            ["2026-10-25T00:30", "2026-10-26T01:30"],
            id="Berlin, twice on the clock",
        ),
        pytest.param(
            BERLIN,
            "cron(0/30 * 25 10 ? 2026)",
            "2026-10-24T23:00",
            ["2026-10-24T23:30", "2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T02:00"],
            id="Berlin, every 30 minutes, the second hour is none",
        ),
        pytest.param(
            BERLIN,
            "cron(30 2 * * ? *)",
            "2026-10-25T01:10",
            ["2026-10-26T01:30"],
            id="Berlin, asked in the second hour",
        ),
        pytest.param(
            NEW_YORK,
            "cron(30 2 * * ? *)",
            "2026-03-07T00:00",
            ["2026-03-07T07:30", "2026-03-09T06:30"],
            id="New York, skipped",
        ),
        pytest.param(
            NEW_YORK,
            "cron(30 1 * * ? *)",
            "2026-10-31T12:00",
            ["2026-11-01T05:30", "2026-11-02T06:30"],
            id="New York, twice on the clock",
        ),
        pytest.param(
            LORD_HOWE,
            "cron(15 2 * * ? *)",
            "2026-10-02T00:00",
            ["2026-10-02T15:45", "2026-10-04T15:15"],
            id="Lord Howe, the half hour that is skipped",
        ),
        pytest.param(
            LORD_HOWE,
            "cron(30 2 4 10 ? 2026)",
            "2026-10-02T00:00",
            ["2026-10-03T15:30"],
            id="Lord Howe, the first minute after it",
        ),
        pytest.param(
            LORD_HOWE,
            "cron(45 1 * * ? *)",
            "2026-04-04T00:00",
            ["2026-04-04T14:45", "2026-04-05T15:15"],
            id="Lord Howe, the half hour that comes twice",
        ),
    ],
)
def test_src_80_daylight_saving(zone: str, expression: str, after: str, expected: list[str]) -> None:
    """SRC-80: a local time the clocks skip is not run, one they show twice is run the first time; here in UTC."""
    times = islice(table(expression, zone=zone_of(zone)).times(epoch(after)), len(expected))

    assert [datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M") for time in times] == expected


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE, "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu"])
@pytest.mark.parametrize("expression", ["cron(0/15 * * * ? *)", "cron(30 1,2 * * ? *)", "cron(45 23 * * ? *)"])
def test_src_80_every_local_time_the_clocks_show_is_run_once(zone: str, expression: str) -> None:
    """SRC-80: over the years 2010 to 2012, against a walk through their quarters of an hour on the clock's face."""
    here, timetable = ZoneInfo(zone), table(expression, zone=zone_of(zone))
    minutes, hours = set(timetable.expression.minutes), set(timetable.expression.hours)  # type: ignore[union-attr]
    shown: dict[datetime, int] = {}
    for time in range(epoch("2010-01-01T00:00"), epoch("2012-03-01T00:00"), 15 * MINUTE):
        moment = datetime.fromtimestamp(time, here)
        if moment.minute in minutes and moment.hour in hours:
            shown.setdefault(moment.replace(tzinfo=None, fold=0), time)

    times = timetable.times(epoch("2010-01-01T00:00") - 1)

    assert list(islice(times, len(shown))) == sorted(shown.values())


def test_src_80_a_rate_of_days_is_of_24_hours_each() -> None:
    """SRC-80: whatever the clocks do meanwhile."""
    timetable = table("rate(1 day)", zone=zone_of(BERLIN), start=epoch("2026-03-28T12:00"))

    assert list(islice(timetable.times(0), 3)) == [epoch(f"2026-03-{day}T12:00") for day in (28, 29, 30)]


def test_src_80_at_is_in_its_zone() -> None:
    """SRC-80: and of two moments with that name it is the first."""
    at = table("at(2026-10-25T02:30:00)", zone=zone_of(BERLIN))

    assert list(at.times(0)) == [epoch("2026-10-25T00:30")]


def test_src_80_at_a_time_the_clocks_skip_is_refused() -> None:
    """SRC-80: it would never be due."""
    with pytest.raises(InvalidSchedule, match="clocks of Europe/Berlin skip"):
        check_possible(table("at(2026-03-29T02:30:00)", zone=zone_of(BERLIN)))
    check_possible(table("at(2026-03-29T03:00:00)", zone=zone_of(BERLIN)))


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../etc/passwd", "/etc/passwd", "Berlin\0", None, 5, "Europe"])
def test_src_80_an_unknown_zone_is_refused(name: object) -> None:
    """SRC-80: in AWS' words, with an example."""
    with pytest.raises(InvalidParameterValue, match="Invalid Schedule Expression Timezone"):
        zone_of(name)


@pytest.mark.parametrize(
    ("expression", "start", "end", "after", "expected"),
    [
        ("rate(10 minutes)", NOON, None, 0, [NOON, NOON + 600]),
        ("rate(10 minutes)", NOON, None, NOON, [NOON + 600]),
        ("rate(10 minutes)", NOON, None, NOON + 599, [NOON + 600]),
        ("rate(10 minutes)", NOON, None, NOON + 6001, [NOON + 6600]),
        ("rate(10 minutes)", None, NOON + 600, NOON, [NOON + 600, None]),
        ("rate(10 minutes)", None, NOON + 599, NOON, [None]),
        ("cron(0 12 * * ? *)", NOON, None, 0, [NOON, NOON + DAY]),
        ("cron(0 12 * * ? *)", NOON + 1, None, 0, [NOON + DAY]),
        ("cron(0 12 * * ? *)", None, NOON, NOON - 1, [NOON, None]),
        ("at(2026-01-01T12:00:00)", NOON + DAY, NOON - DAY, 0, [NOON, None]),
    ],
)
def test_src_80_start_and_end(
    expression: str, start: int | None, end: int | None, after: int, expected: list[int | None]
) -> None:
    """SRC-80: a rate counts from its start, which is its first time; both ends are in; at() knows neither."""
    times = table(expression, start=start, end=end).times(after)

    assert [next(times, None) for _ in expected] == expected


def test_nothing_is_due_after_2199() -> None:
    """SRC-59: a rate ends with the calendar of cron."""
    assert table("rate(999999999 days)").next(NOON) is None
    assert table("rate(1 day)").next(END_OF_TIME - DAY) is None
    assert table("rate(1 day)").next(END_OF_TIME - DAY - 1) == END_OF_TIME - 1
    assert table("cron(0 0 * * ? *)").next(END_OF_TIME + 1) is None


def test_src_81_a_run_begins_at_a_moment_of_its_window_that_stays() -> None:
    """SRC-81: the same for who asks again, spread over the window, another for each schedule and time."""
    timetable = table("rate(1 hour)", window_s=15 * MINUTE)
    moments = [timetable.moment(NOON + n * HOUR, "a") - NOON - n * HOUR for n in range(1000)]

    assert moments == [timetable.moment(NOON + n * HOUR, "a") - NOON - n * HOUR for n in range(1000)]
    assert 0 <= min(moments) < MINUTE
    assert 14 * MINUTE < max(moments) < 15 * MINUTE
    assert 6 * MINUTE < sum(moments) / 1000 < 9 * MINUTE
    assert timetable.moment(NOON, "a") != timetable.moment(NOON, "b")


def test_src_81_without_a_window_it_begins_at_its_time() -> None:
    """SRC-81: mode OFF."""
    assert table("rate(1 hour)").moment(NOON, "a") == NOON


@given(
    expression=st.sampled_from(
        [
            "rate(7 minutes)",
            "cron(0/7 * * * ? *)",
            "cron(0 9 ? * MON *)",
            "cron(0 0 1 1 ? *)",
            "at(2026-01-01T11:00:00)",
        ]
    ),
    back_s=st.integers(0, 40 * DAY),
    limit=st.integers(1, 50),
    start=st.none() | st.integers(NOON - 20 * DAY, NOON + DAY),
    end=st.none() | st.integers(NOON - 20 * DAY, NOON + DAY),
)
def test_the_latest_times_are_the_last_of_all_times(
    expression: str, back_s: int, limit: int, start: int | None, end: int | None
) -> None:
    """However they are looked for: those later than one moment, up to another one, the last so many."""
    timetable = table(expression, start=start, end=end)
    every = []
    for time in timetable.times(NOON - back_s):
        if time > NOON:
            break
        every.append(time)

    assert timetable.latest(NOON - back_s, NOON, limit) == every[-limit:]


HOURLY = table("cron(0 * * * ? *)")


@pytest.mark.parametrize(
    ("misfire", "down_s", "times", "position"),
    [
        # On time, or late by up to a minute: nothing was missed.
        ("once", HOUR, [1], 1),
        ("once", HOUR + 60, [1], 1),
        ("all", HOUR + 60, [1], 1),
        ("skip", HOUR + 60, [1], 1),
        # One was missed.
        ("once", HOUR + 61, [1], 1),
        ("all", HOUR + 61, [1], 1),
        ("skip", HOUR + 61, [], 1),
        # Several were.
        ("once", 3 * HOUR + 600, [3], 3),
        ("all", 3 * HOUR + 600, [1, 2, 3], 3),
        ("skip", 3 * HOUR + 600, [], 3),
        # Several were, and one is due just now: it makes up for them.
        ("once", 3 * HOUR, [3], 3),
        ("all", 3 * HOUR, [1, 2, 3], 3),
        ("skip", 3 * HOUR, [3], 3),
        # None is due.
        ("once", HOUR - 1, [], 0),
        ("all", 0, [], 0),
        # The clock was set back.
        ("all", -HOUR, [], 0),
    ],
)
def test_missed_runs_follow_the_policy(misfire: Misfire, down_s: int, times: list[int], position: int) -> None:
    """A run up to a minute late is not missed; of missed ones one, all or none are made up for. Hours since noon."""
    found = due(HOURLY, NOON, NOON + down_s, misfire, "a")

    assert [(time - NOON) / HOUR for time in found.times] == times
    assert found.position == NOON + position * HOUR


def test_only_what_was_missed_is_called_missed() -> None:
    """What operators are told."""
    assert due(HOURLY, NOON, NOON + HOUR + 60, "once", "a").missed_until is None
    assert due(HOURLY, NOON, NOON + HOUR + 61, "skip", "a").missed_until == NOON + HOUR
    assert due(HOURLY, NOON, NOON + 4 * HOUR, "once", "a").missed_until == NOON + 3 * HOUR


def test_a_year_of_missed_minutes_is_bounded() -> None:
    """At most a day of them is made up for, the latest."""
    now = NOON + 365 * DAY + 30
    every_minute = table("cron(* * * * ? *)")

    assert due(every_minute, NOON, now, "once", "a").times == (now - 30,)
    found = due(every_minute, NOON, now, "all", "a").times
    assert len(found) == MADE_UP_LIMIT + 1
    assert found[-1] == now - 30
    assert found[0] == now - 30 - (len(found) - 1) * MINUTE


def test_src_81_a_run_in_its_window_is_not_missed() -> None:
    """SRC-81: it is a minute after the window that it is; before its moment it is not due."""
    timetable = table("cron(0 * * * ? *)", window_s=30 * MINUTE)
    moment = timetable.moment(NOON + HOUR, "a")

    assert next_moment(timetable, NOON, "a") == moment
    assert due(timetable, NOON, moment - 1, "skip", "a").times == ()
    assert due(timetable, NOON, moment, "skip", "a").times == (NOON + HOUR,)
    assert due(timetable, NOON, NOON + HOUR + 31 * MINUTE, "skip", "a").times == (NOON + HOUR,)
    assert due(timetable, NOON, NOON + HOUR + 31 * MINUTE + 1, "skip", "a").times == ()


@given(
    back_s=st.integers(0, 3 * DAY),
    window=st.integers(0, 90),
    misfire=st.sampled_from(["once", "all", "skip"]),
    expression=st.sampled_from(["rate(5 minutes)", "cron(0/20 * * * ? *)", "cron(0 3 * * ? *)"]),
)
def test_what_is_due_never_goes_back_and_never_repeats(
    back_s: int, window: int, misfire: Misfire, expression: str
) -> None:
    """The position never moves back; what is due lies behind it and is due once."""
    timetable = table(expression, window_s=window * MINUTE)
    found = due(timetable, NOON - back_s, NOON, misfire, "a")

    assert found.position >= NOON - back_s
    assert list(found.times) == sorted(set(found.times))
    assert all(NOON - back_s < time <= found.position <= NOON for time in found.times)
    again = due(timetable, found.position, NOON, misfire, "a")
    assert (again.times, again.position) == ((), found.position)


def test_decades_of_missed_years_are_found() -> None:
    """However far back the last run is."""
    found = due(table("cron(0 0 1 1 ? *)"), epoch("1990-06-01T00:00"), NOON, "all", "a")

    assert [datetime.fromtimestamp(time, UTC).year for time in found.times] == list(range(1991, 2027))

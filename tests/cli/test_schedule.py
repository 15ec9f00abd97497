from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import eventmap


def test_src_80_the_next_times_in_the_zone_and_in_utc(folder: Path) -> None:
    """SRC-80: one line each; the night on which the clocks skip that time is left out."""
    ended = eventmap(
        "schedule next --timezone Europe/Berlin --count 3 --from 2026-03-27T12:00:00Z",
        "cron(30 2 * * ? *)",
        cwd=folder,
    )

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "Sat 2026-03-28 02:30:00 +0100  2026-03-28T01:30:00Z",
        "Mon 2026-03-30 02:30:00 +0200  2026-03-30T00:30:00Z",
        "Tue 2026-03-31 02:30:00 +0200  2026-03-31T00:30:00Z",
    ]


def test_src_52_a_rate_counts_from_the_moment_asked_at(folder: Path) -> None:
    """SRC-52: in UTC; the moment may lie ahead."""
    ended = eventmap("schedule next --count 2 --from 2199-01-05", "rate(36 hours)", cwd=folder)

    assert ended.stdout.splitlines() == [
        "Sun 2199-01-06 12:00:00 +0000  2199-01-06T12:00:00Z",
        "Tue 2199-01-08 00:00:00 +0000  2199-01-08T00:00:00Z",
    ]


def test_ten_times_from_now_are_usual(folder: Path) -> None:
    """Without options."""
    ended = eventmap("schedule next", "cron(* * * * ? *)", cwd=folder)

    assert len(set(ended.stdout.splitlines())) == 10


def test_fewer_times_are_printed_where_there_are_fewer(folder: Path) -> None:
    """`at()` has one."""
    ended = eventmap("schedule next --from 2026-01-01", "at(2026-02-01T00:00:00)", cwd=folder)

    assert (ended.code, ended.stdout) == (0, "Sun 2026-02-01 00:00:00 +0000  2026-02-01T00:00:00Z\n")


def test_src_67_what_is_over_is_said(folder: Path) -> None:
    """SRC-67: a valid expression that is never due again ends with 1."""
    ended = eventmap("schedule next", "cron(15 10 ? * 6L 2002-2005)", cwd=folder)

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("eventmap: cron(15 10 ? * 6L 2002-2005) is never due after ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cron(0 0 31 2 ? *)"], "impossible"),
        (["cron(0 1 * * * *)"], "Parameter ScheduleExpression is not valid."),
        (["rate(10 seconds)"], "a rate is written rate(VALUE UNIT)"),
        (["rate(1 day)", "--timezone", "Mars/Olympus"], "Invalid Schedule Expression Timezone 'Mars/Olympus'"),
        (["rate(1 day)", "--from", "soon"], "--from 'soon' is no time"),
        (["rate(1 day)", "--from", "2200-01-01"], "--from '2200-01-01' is not between 1970 and 2199"),
        (["rate(1 day)", "--count", "0"], "--count"),
        ([], "EXPRESSION"),
    ],
)
def test_what_cannot_be_right_is_one_line_and_exit_2(arguments: list[str], message: str, folder: Path) -> None:
    """Nothing is printed on standard output."""
    ended = eventmap("schedule next", *arguments, cwd=folder)

    assert (ended.code, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert message in ended.stderr

"""`eventmap schedule`: when a schedule expression is due."""

from __future__ import annotations

from datetime import datetime, tzinfo
from itertools import islice
from typing import Annotated

import typer

from eventmap.cli.failure import DONE, FAILED, Misuse

schedule_app = typer.Typer(
    name="schedule", no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__.strip()
)


@schedule_app.callback()
def _group() -> None:
    """When a schedule expression is due."""


@schedule_app.command("next", short_help="Print the next times of an expression.")
def next_(
    expression: Annotated[str, typer.Argument(metavar="EXPRESSION", help="rate(…), cron(…) or at(…).")],
    count: Annotated[int, typer.Option("--count", metavar="N", help="So many times.", min=1, max=100_000)] = 10,
    timezone: Annotated[str, typer.Option("--timezone", metavar="TZ", help="Its time zone, an IANA name.")] = "UTC",
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Later than this: epoch seconds or ISO 8601. Now.", show_default=False
        ),
    ] = None,
) -> int:
    """Print the next times of an expression: in its time zone, and in UTC. A rate counts from the time it is asked at.

    \b
    eventmap schedule next 'cron(0 2 ? * MON-FRI *)' --timezone Europe/Berlin
    eventmap schedule next 'rate(36 hours)' --from 2026-01-05T10:00:00Z --count 3
    """
    from eventmap.cli.instant import moment_of
    from eventmap.clock import wall_time_s
    from eventmap.errors import ConfigurationError
    from eventmap.rules.schedule.timetable import END_OF_TIME
    from eventmap.schedule import Schedule

    try:
        # What is asked of it does not depend on whose schedule it is.
        schedule = Schedule(
            schedule_expression=expression, function_name="function", schedule_expression_timezone=timezone
        )
    except ConfigurationError as error:
        raise Misuse(str(error)) from None
    after = wall_time_s() if from_ is None else moment_of(from_, "--from")
    if not 0 <= after < END_OF_TIME:
        raise Misuse(f"--from {from_!r} is not between 1970 and 2199")
    times = list(islice(schedule.timetable.times(int(after)), count))
    for time in times:
        typer.echo(_shown(time, schedule.timetable.zone))
    if not times:
        typer.echo(f"eventmap: {expression} is never due after {_shown(int(after), schedule.timetable.zone)}", err=True)
    return DONE if times else FAILED


def _shown(time: int, zone: tzinfo) -> str:
    from eventmap.rules.schedule.event import timestamp

    return f"{datetime.fromtimestamp(time, zone).strftime('%a %Y-%m-%d %H:%M:%S %z')}  {timestamp(time)}"

"""What became of a run's asynchronous events, told at its end."""

from __future__ import annotations

from typing import Final

from eventmap.cli.plan import Plan
from eventmap.cli.run_options import RunOptions
from eventmap.cli.server import event_place
from eventmap.cli.tally import GIVEN_UP, Tally
from eventmap.service.settings import EVENTS_PATH
from eventmap.state.events_view import EventState, list_events

OWED: Final[tuple[EventState, ...]] = ("queued", "waiting")


def owed_events(options: RunOptions, plan: Plan, tally: Tally) -> int:
    """How many events of the plan's functions have not ended; those in SQS, and in memory, as far as this run knows.

    Raises: StateError.
    """
    if not tally.functions:
        return 0
    events, file = event_place(options)
    if events != "sqlite":
        return max(0, tally.events("received") - tally.events("done", *GIVEN_UP))
    names = {function.function_name for function in plan.functions}
    owed = [row for state in OWED for row in list_events(file or EVENTS_PATH, state=state)]
    return sum(row.function in names for row in owed)


def events_document(tally: Tally) -> dict[str, int]:
    """For the summary as JSON."""
    counts = ("done", "retried", *GIVEN_UP, "throttles", "repeated", "destination_failures")
    return {"accepted": tally.events("received"), **{name: tally.events(name) for name in counts}, "owed": tally.owed}


def event_lines(options: RunOptions, tally: Tally) -> list[str]:
    """For the summary as text."""
    shown = [
        ("accepted", tally.events("received"), ""),
        ("done", tally.events("done"), ""),
        ("retried", tally.events("retried"), "failed attempts that were, or will be, repeated"),
        ("given up", tally.events(*GIVEN_UP), "retries used up, too old, or no concurrency reserved"),
        ("waiting", tally.owed, _where(options) if tally.owed else ""),
    ]
    shown += [
        (label, count, note)
        for label, count, note in (
            ("throttled", tally.events("throttles"), "attempts that could not start; they use up no retry"),
            ("repeated", tally.events("repeated"), "accepted before, so not again"),
            ("reports failed", tally.events("destination_failures"), "destinations that could not be told of an end"),
        )
        if count
    ]
    return [
        "Asynchronous events",
        *(f"  {label:<20}{count:>8,}{f'   ({note})' if note else ''}" for label, count, note in shown),
    ]


def _where(options: RunOptions) -> str:
    if event_place(options)[0] == "memory":
        return "discarded with the embedded emulator"
    return f"the next run goes on; look with `eventmap events{f' --events {options.events}' if options.events else ''}`"

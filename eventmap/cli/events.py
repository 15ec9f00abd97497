"""`eventmap events`: the asynchronous events that were accepted, what became of them, and another try for some."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eventmap.cli.failure import DONE, Misuse


class State(StrEnum):
    """Where an event is."""

    QUEUED = "queued"
    WAITING = "waiting"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    DROPPED = "dropped"


_Events = Annotated[
    str | None,
    typer.Option("--events", metavar="FILE", help="As in `eventmap run`; .eventmap/events.sqlite.", show_default=False),
]
_Function = Annotated[str | None, typer.Option("--function", metavar="NAME", help="Only of this function.")]
_Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Request ids.", show_default=False)]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

events_app = typer.Typer(
    name="events",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)


@events_app.callback()
def list_(
    context: typer.Context,
    state: Annotated[State | None, typer.Option("--state", help="Only these.", show_default=False)] = None,
    function: _Function = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="So many at most.", min=1)] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each event.")] = False,
    events: _Events = None,
) -> int:
    """Show asynchronous events: those owed first, the longest due in front, then those that ended, the latest first.

    queued = an attempt is due or under way, waiting = for its next attempt, failed = given up. On a terminal a table,
    else JSON lines.

    \b
    eventmap events
    eventmap events --state failed --function handler
    eventmap events retry --all
    eventmap events drop 6f1c0a52-1f7e-4d0a-9c55-3a1f0a4f8f11
    """
    if context.invoked_subcommand is not None:
        if any((state, function, limit, json, events)):
            raise Misuse(f"options stand behind the command: eventmap events {context.invoked_subcommand} --…")
        return DONE
    from eventmap.cli.event_table import event_file, show_events

    show_events(event_file(events), state.value if state else None, function, limit, as_json=json)
    return DONE


@events_app.command("retry", short_help="Try events now.")
def retry(
    ids: _Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait or were given up.")] = False,
    function: _Function = None,
    events: _Events = None,
    yes: _Yes = False,
) -> int:
    """Try events now: one that waits at once, one that was given up or dropped anew, with all its attempts.

    \b
    eventmap events retry 6f1c0a52-1f7e-4d0a-9c55-3a1f0a4f8f11
    eventmap events retry --all --function handler --yes
    """
    from eventmap.cli.event_table import event_file
    from eventmap.cli.mending import Chosen, retry_events

    return retry_events(event_file(events), Chosen(tuple(ids or ()), every, function), yes=yes)


@events_app.command("drop", short_help="Give events up.")
def drop(
    ids: _Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that have not ended.")] = False,
    function: _Function = None,
    events: _Events = None,
    yes: _Yes = False,
) -> int:
    """Give up events that have not ended: no further attempt, and no destination is told.

    \b
    eventmap events drop 6f1c0a52-1f7e-4d0a-9c55-3a1f0a4f8f11
    eventmap events drop --all --function handler
    """
    from eventmap.cli.event_table import event_file
    from eventmap.cli.mending import Chosen, drop_events

    return drop_events(event_file(events), Chosen(tuple(ids or ()), every, function), yes=yes)

"""`eventmap event`: events of AWS' shapes, made for `invoke` and for tests."""

from __future__ import annotations

from typing import Final

import typer

from eventmap.cli.event_batches import BATCHES
from eventmap.cli.event_kinds import kinds
from eventmap.cli.event_options import printing
from eventmap.cli.event_pushes import PUSHES
from eventmap.cli.event_requests import REQUESTS

event_app: Final = typer.Typer(
    name="event",
    help="""Print an event of AWS' shape, for `eventmap invoke` and for tests: the same line prints the same event.

    Events that were accepted and wait for their turn are another matter: see `eventmap events`.

    \b
    eventmap event sqs --body '{"id": 7}' | eventmap invoke app:handler -
    eventmap event kinds
    """,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
event_app.command("kinds", short_help="List the kinds of events, or name that of one.")(kinds)
for _build, _gist in (*BATCHES, *PUSHES, *REQUESTS):
    event_app.command(_build.__name__.replace("_", "-"), short_help=_gist)(printing(_build))

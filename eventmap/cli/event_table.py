"""Asynchronous events as an operator sees them: a table on a terminal, JSON lines off it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from eventmap import clock
from eventmap.cli.checks import check_events
from eventmap.cli.failure import Misuse
from eventmap.service.settings import EVENTS_IN_SQS, EVENTS_PATH
from eventmap.state.events_view import EventRow, EventState, list_events

_HEAD = ("request id", "function", "state", "age", "attempts", "next attempt", "what happened")


def event_file(events: str | None) -> Path:
    """The file that `--events` names. Raises: Misuse, also for events that are in SQS."""
    check_events(events)
    if events is not None and events.startswith(EVENTS_IN_SQS):
        raise Misuse(
            f"events in SQS are seen there: aws sqs get-queue-attributes and receive-message on "
            f"{events.removeprefix(EVENTS_IN_SQS)}; eventmap shows those of a file"
        )
    return Path(events) if events is not None else EVENTS_PATH


def show_events(
    path: Path, state: EventState | None, function: str | None, limit: int | None, *, as_json: bool
) -> None:
    """Print what is in the file. Raises: StateError."""
    rows = list_events(path, state=state, function=function, limit=limit)
    if as_json or not sys.stdout.isatty():
        for row in rows:
            typer.echo(_json(row))
    elif rows:
        _show_table(rows)
    else:
        typer.echo("no events")


def _json(row: EventRow) -> str:
    return json.dumps({**asdict(row), "due_at": _iso(row.due_at), "ended_at": _iso(row.ended_at)}, ensure_ascii=False)


def _show_table(rows: Sequence[EventRow]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in _HEAD:
        table.add_column(name, overflow="fold", no_wrap=name == "request id")
    now = clock.wall_time_s()
    for row in rows:
        # As text: square brackets in a name are no markup.
        table.add_row(*map(Text, _cells(row, now)))
    Console().print(table)


def _cells(row: EventRow, now: float) -> tuple[str, ...]:
    name = f"{row.function}:{row.qualifier}" if row.qualifier else row.function
    due = "-" if row.due_at is None else "now" if row.due_at <= now else f"in {_duration(row.due_at - now)}"
    happened = [row.condition, row.error_type, *row.undelivered]
    happened += [f"{row.refusals} times refused"] if row.refusals else []
    return (
        row.request_id,
        name,
        row.state,
        _duration(row.age_s),
        f"{row.attempts}",
        due,
        "; ".join(filter(None, happened)) or "-",
    )


def _duration(seconds: float) -> str:
    """`42 s`, `7 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""`eventmap event kinds`: what kinds of events there are, a sample of each, and which one a given event is."""

from __future__ import annotations

from typing import Annotated

import typer

from eventmap.cli.failure import DONE, FAILED, Misuse
from eventmap.cli.given import file_given


def kinds(
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object for each shape, a sample event among it.")
    ] = False,
    of: Annotated[
        str | None, typer.Option("--of", metavar="FILE|-", help="Name the kind of this event.", show_default=False)
    ] = None,
) -> int:
    """List the kinds of events, where each comes from and what it is recognised by; or name the kind of one.

    With --of exit 1 = the event is of none of them: a direct invocation's, then.

    \b
    eventmap event kinds
    eventmap event kinds --json | jq 'select(.kind == "s3").event'
    eventmap event kinds --of event.json
    """
    if of is not None:
        if json:
            raise Misuse("--of and --json exclude each other")
        return _name(of)
    if json:
        _print_samples()
    else:
        _print_table()
    return DONE


def _name(file: str) -> int:
    import orjson

    from eventmap.rules.events import kind_of

    try:
        event = orjson.loads(file_given(file, "the event"))
    except ValueError as error:
        raise Misuse(f"the event in {'standard input' if file == '-' else file} is not JSON: {error}") from None
    kind = kind_of(event)
    typer.echo(kind or "unknown")
    return DONE if kind else FAILED


def _print_samples() -> None:
    import orjson

    from eventmap.rules.events import KINDS
    from eventmap.testing.events.samples import shapes

    for kind in KINDS:
        told = {
            "kind": kind.name,
            "source": kind.source,
            "recognised_by": kind.recognised_by.replace("`", ""),
            "invocation": "synchronous" if kind.is_synchronous else "asynchronous",
            "rules": kind.rules.split(", "),
        }
        for trigger, event in shapes(kind.name):
            told_here = told if trigger is None else {**told, "trigger": trigger}
            typer.echo(orjson.dumps({**told_here, "event": event}).decode())


def _print_table() -> None:
    from eventmap.rules.events import KINDS

    rows = [("kind", "source", "recognised by")]
    rows += [(kind.name, kind.source, kind.recognised_by.replace("`", "")) for kind in KINDS]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, source, recognised_by in rows:
        typer.echo(f"{name:{widths[0]}}  {source:{widths[1]}}  {recognised_by}")

"""`eventmap match`: does a pattern match an event, and if not, why."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from eventmap.cli.failure import Misuse, reason_of


def match(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="JSON text, @FILE, or - for standard input.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="JSON text, @FILE, or - for standard input.")],
    explain: Annotated[bool, typer.Option("--explain", help="Say which field keeps the event from matching.")] = False,
) -> int:
    """Does an event pattern match an event? Exit 0 = yes, 1 = no, 2 = one of them is invalid.

    \b
    eventmap match '{"body": {"total": [{"numeric": [">", 100]}]}}' @event.json --explain
    """
    from eventmap.errors import InvalidPattern
    from eventmap.rules.pattern import EventPattern

    if pattern == event == "-":
        raise Misuse("PATTERN and EVENT cannot both be standard input: give one as @FILE")
    pattern_text, event_text = _text(pattern, "PATTERN"), _text(event, "EVENT")
    try:
        compiled = EventPattern(pattern_text)
    except InvalidPattern as error:
        raise Misuse(str(error)) from None
    _check_event(event_text)
    matched = compiled.matches(event_text)
    if explain:
        typer.echo(compiled.explain(event_text))
    else:
        typer.echo("match" if matched else "no match")
    return 0 if matched else 1


def _text(argument: str, name: str) -> str:
    try:
        if argument == "-":
            return sys.stdin.read()
        if argument.startswith("@"):
            with open(argument[1:], encoding="utf-8") as file:
                return file.read()
    except OSError as error:
        raise Misuse(f"{name} cannot be read: {reason_of(error)}") from None
    except UnicodeDecodeError as error:
        raise Misuse(f"{name} is not UTF-8 text: {error}") from None
    return argument


def _check_event(text: str) -> None:
    """What can never match because it is no event at all is an error, not a "no"."""
    from eventmap.rules.pattern.document import MAXIMUM_DOCUMENT_BYTES, parse_document, reject_constant

    if parse_document(text) is not None:
        return
    if len(text) > MAXIMUM_DOCUMENT_BYTES:
        raise Misuse("EVENT is larger than 6 MB")
    try:
        kind = type(json.loads(text, parse_constant=reject_constant)).__name__
    except (ValueError, RecursionError) as error:
        raise Misuse(f"EVENT is not JSON: {error}") from None
    raise Misuse(f"EVENT must be a JSON object, not a {kind}")

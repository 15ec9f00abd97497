"""`eventmap match`: does a pattern match an event, or a filter let a record through, and if not, why."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from eventmap.cli.failure import Misuse
from eventmap.cli.given import text_given

if TYPE_CHECKING:
    from eventmap.model import JsonObject


class FilteredSource(StrEnum):
    """Whose records a filter sees."""

    SQS = "sqs"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"


def match(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="JSON text, @FILE, or - for standard input.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="JSON text, @FILE, or - for standard input.")],
    source: Annotated[
        FilteredSource | None,
        typer.Option(help="EVENT is a record of this source as handlers see it; PATTERN its mapping's filter."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say which field keeps the event from matching.")] = False,
) -> int:
    """Does an event pattern match an event? Exit 0 = yes, 1 = no, 2 = one of them is invalid.

    \b
    eventmap match '{"body": {"total": [{"numeric": [">", 100]}]}}' @event.json --explain
    eventmap match '{"data": {"kind": ["sale"]}}' @record.json --source kinesis
    """
    if pattern == event == "-":
        raise Misuse("PATTERN and EVENT cannot both be standard input: give one as @FILE")
    pattern_text, event_text = text_given(pattern, "PATTERN"), text_given(event, "EVENT")
    if source is None:
        matched, explanation = _match_event(pattern_text, event_text, explain)
    else:
        matched, explanation = _match_record(source.value, pattern_text, event_text, explain)
    typer.echo(explanation if explain else "match" if matched else "no match")
    return 0 if matched else 1


def _match_event(pattern: str, event: str, explain: bool) -> tuple[bool, str]:
    from eventmap.errors import InvalidPattern
    from eventmap.rules.pattern import EventPattern

    try:
        compiled = EventPattern(pattern)
    except InvalidPattern as error:
        raise Misuse(str(error)) from None
    _check_event(event)
    return compiled.matches(event), str(compiled.explain(event)) if explain else ""


def _match_record(source: str, pattern: str, event: str, explain: bool) -> tuple[bool, str]:
    from eventmap.errors import InvalidParameterValue
    from eventmap.rules.filtering import filter_for

    try:
        compiled = filter_for(FilteredSource(source).value, [pattern])
    except InvalidParameterValue as error:
        raise Misuse(str(error)) from None
    record: JsonObject = _check_event(event)
    if "Records" in record:
        raise Misuse("EVENT is a whole event: with --source give one element of its Records")
    return compiled.passes(record), str(compiled.explain(record)) if explain else ""


def _check_event(text: str) -> JsonObject:
    """What can never match because it is no event at all is an error, not a "no"."""
    from eventmap.rules.pattern.document import MAXIMUM_DOCUMENT_BYTES, parse_document, reject_constant

    document = parse_document(text)
    if document is not None:
        return document
    if len(text) > MAXIMUM_DOCUMENT_BYTES:
        raise Misuse("EVENT is larger than 6 MB")
    try:
        kind = type(json.loads(text, parse_constant=reject_constant)).__name__
    except (ValueError, RecursionError) as error:
        raise Misuse(f"EVENT is not JSON: {error}") from None
    raise Misuse(f"EVENT must be a JSON object, not a {kind}")

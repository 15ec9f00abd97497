"""InputTemplate: text with placeholders, read once, and filled with what an event has (SRC-44).

A template is one JSON object, or text: JSON strings and placeholders, such as `"order <id> was paid"`. How a value is
written depends on where its placeholder stands:

- as a value of its own: as JSON; one the event does not have is the empty string;
- within a string: as it is, nothing escaped; of an object or array, its JSON without the quotes; missing, nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from eventmap.rules.bus.json_path import MISSING

WHOLE_EVENT: Final = frozenset({"aws.events.event", "aws.events.event.json"})
PREDEFINED: Final = (
    frozenset({"aws.events.rule-arn", "aws.events.rule-name", "aws.events.event.ingestion-time"}) | WHOLE_EVENT
)

_PLACEHOLDER: Final = re.compile(r"<([^<>]*)>")
_STRING_PIECE: Final = re.compile(r'\\.|"', re.DOTALL)
_OUTSIDE_STRINGS: Final = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.DOTALL)


class InvalidOutput(ValueError):
    """Raised when a template, once filled, is not JSON any more."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    name: str
    is_in_string: bool


@dataclass(frozen=True, slots=True)
class Template:
    """`pieces` are plain text and placeholders in turn."""

    pieces: tuple[str | Placeholder, ...]
    is_object: bool

    @property
    def names(self) -> Iterator[str]:
        """Of the placeholders, in order."""
        return (piece.name for piece in self.pieces if isinstance(piece, Placeholder))


def read_template(text: str) -> Template:
    """Raises: ValueError for what cannot become JSON, whatever the values are."""
    template = Template(tuple(_pieces(text)), is_object=text.lstrip().startswith("{"))
    # With something harmless in every place the rest must be JSON: an object, or any number of other values.
    sample = "".join(
        piece if isinstance(piece, str) else ("" if piece.is_in_string else "0") for piece in template.pieces
    )
    for value in [sample] if template.is_object else filter(str.strip, sample.split("\n")):
        orjson.loads(value)
    return template


def fill(template: Template, values: Mapping[str, Any]) -> bytes:
    """With `values` by the names of placeholders, MISSING where the event has none; an object without white space.

    Raises: InvalidOutput.
    """
    filled = "".join(
        piece if isinstance(piece, str) else _written(piece, values[piece.name]) for piece in template.pieces
    )
    if not template.is_object:
        return filled.encode()
    try:
        orjson.loads(filled)
    except orjson.JSONDecodeError as error:
        raise InvalidOutput(f"the filled InputTemplate is not JSON: {error}") from None
    return _OUTSIDE_STRINGS.sub(lambda found: found[1] or "", filled).encode()


def _pieces(text: str) -> Iterator[str | Placeholder]:
    end, is_in_string = 0, False
    for found in _PLACEHOLDER.finditer(text):
        plain = text[end : found.start()]
        is_in_string ^= sum(piece[0] == '"' for piece in _STRING_PIECE.finditer(plain)) % 2 == 1
        yield plain
        yield Placeholder(found[1], is_in_string)
        end = found.end()
    yield text[end:]


def _written(placeholder: Placeholder, value: Any) -> str:
    if value is MISSING:
        return "" if placeholder.is_in_string else '""'
    if placeholder.is_in_string and isinstance(value, str):
        return value
    written = orjson.dumps(value).decode()
    return written.replace('"', "") if placeholder.is_in_string else written

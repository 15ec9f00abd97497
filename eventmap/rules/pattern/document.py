"""Text into a document to be matched: a JSON object within the limits of FIL-83, or nothing."""

from __future__ import annotations

import json

import orjson

from eventmap.model import JsonObject
from eventmap.rules.pattern.numbers import WrittenNumber, number_of

MAXIMUM_DOCUMENT_BYTES = 6 * 1024 * 1024
MAXIMUM_DEPTH = 100


def reject_constant(name: str) -> float:
    """NaN and the infinities are no JSON, though Python's parser takes them (FIL-82)."""
    raise ValueError(f"{name} is not JSON")


def parse_document(text: str | bytes, *, strict_number_text: bool = False) -> JsonObject | None:
    """The JSON object `text` spells, the last of equal keys winning; None when it is anything else.

    With `strict_number_text` every number is a float that remembers how it was written.
    Rules: FIL-32, FIL-82, FIL-83.
    """
    if len(text) > MAXIMUM_DOCUMENT_BYTES:
        return None
    if not strict_number_text:
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
        else:
            return document if isinstance(document, dict) else None
    return _parse_tolerantly(text, strict_number_text)


def _parse_tolerantly(text: str | bytes, strict_number_text: bool) -> JsonObject | None:
    """Slower, but keeps number texts and takes what orjson refuses and JSON allows: lone surrogates, 1e400."""
    try:
        document = json.loads(
            text.decode() if isinstance(text, bytes) else text,
            parse_constant=reject_constant,
            parse_int=WrittenNumber if strict_number_text else number_of,
            parse_float=WrittenNumber if strict_number_text else float,
        )
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None

"""JSON in which a key may stand once only: where SNS refuses a second one instead of taking the last (SNS-08)."""

from __future__ import annotations

import json
from typing import Any

from eventmap.model import JsonValue
from eventmap.rules.pattern.document import reject_constant


def unique_json(text: str) -> JsonValue:
    """Raises: ValueError for what is no JSON, a key that is there twice, or nesting beyond Python's limit."""
    try:
        document: JsonValue = json.loads(text, object_pairs_hook=_members, parse_constant=reject_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is there twice")
    return members

"""A handler's result as JSON text, by the rules of Lambda's Python runtime. Loaded by the child too."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, Final

RESPONSE_LIMIT_BYTES: Final = 6_291_556
"""The largest payload an invocation may answer with (INV-18)."""

_ENSURE_ASCII: Final = sys.version_info < (3, 12)
# A Decimal leaves the encoder as a string nobody else can have written, and becomes a number afterwards: the C encoder
# has no other door that keeps every digit.
_TOKEN: Final = f"decimal-{os.urandom(16).hex()}:"
_DECIMAL: Final = re.compile(f'"{_TOKEN}([^"]*)"')


class MarshalError(Exception):
    """Raised when a result cannot be expressed as JSON."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"Unable to marshal response: {reason}")


def to_json(result: object) -> bytes:
    """Encode a result: Decimals become numbers, named tuples objects, None `null`; NaN and Infinity are refused.

    Non-ASCII text is kept on Python 3.12 and later, escaped before. Raises: MarshalError. Rule: INV-36.
    """
    if result is None:
        return b"null"
    try:
        text = _ENCODER.encode(_named_tuples_as_objects(result))
        if _TOKEN in text:
            text = _DECIMAL.sub(r"\1", text)
        return text.encode()
    # What refuses to be encoded is data, and user types may raise anything while they are looked at.
    except Exception as error:
        raise MarshalError(error) from None


def _beyond_json(value: object) -> str:
    if type(value).__name__ == "Decimal" and type(value).__module__ == "decimal":
        if not value.is_finite():  # type: ignore[attr-defined]  # a Decimal, known by name to spare its import
            raise ValueError(f"Out of range decimal value is not JSON compliant: {value}")
        return f"{_TOKEN}{value}"
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=_ENSURE_ASCII, allow_nan=False, default=_beyond_json)


def _named_tuples_as_objects(value: Any) -> Any:
    """Replace named tuples, which the encoder would write as arrays; anything without one is returned as it is."""
    if isinstance(value, dict):
        changed = {}
        for key, old in value.items():
            if isinstance(old, dict | list | tuple):
                new = _named_tuples_as_objects(old)
                if new is not old:
                    changed[key] = new
        return {**value, **changed} if changed else value
    if isinstance(value, list | tuple):
        if hasattr(value, "_asdict"):
            return _named_tuples_as_objects(value._asdict())
        items = [_named_tuples_as_objects(old) if isinstance(old, dict | list | tuple) else old for old in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value

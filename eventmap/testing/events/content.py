"""What a message holds, given in Python's terms."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from eventmap.errors import InvalidParameterValue

Attribute = str | int | float | Decimal | bytes
Attributes = Mapping[str, Attribute]
"""Message attributes by name: text is a String, a number a Number, bytes are a Binary."""


def text_of(content: object) -> str:
    """Text as it is; anything else as compact JSON. Raises: InvalidParameterValue for what is no JSON."""
    if isinstance(content, str):
        return content
    try:
        return orjson.dumps(content).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidParameterValue(f"{type(content).__name__} cannot be written as JSON: {error}") from None


def bytes_of(content: object) -> bytes:
    """Bytes as they are; anything else as the UTF-8 of its text."""
    return content if isinstance(content, bytes) else text_of(content).encode()


def base64_of(content: object) -> str:
    return b64encode(bytes_of(content)).decode()


def needed(contents: tuple[Any, ...], of: str) -> tuple[Any, ...]:
    """Raises: InvalidParameterValue for nothing at all: no source sends an empty batch."""
    if not contents:
        raise InvalidParameterValue(f"an event of {of} has at least one record: say what is in it")
    return contents


def typed(name: str, value: object) -> tuple[str, str]:
    """The data type of a message attribute, and its value as text; binary as base64.

    Raises: InvalidParameterValue for what is neither text nor a number nor bytes.
    """
    match value:
        case str():
            return "String", value
        case bytes():
            return "Binary", b64encode(value).decode()
        case bool():
            pass
        case int() | float() | Decimal():
            return "Number", str(value)
    raise InvalidParameterValue(
        f"attribute {name!r} is {type(value).__name__}: message attributes are text, numbers or bytes"
    )

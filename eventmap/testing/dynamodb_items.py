"""DynamoDB's attribute values, as its JSON wire writes them (STR-131)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

import orjson

from eventmap.errors import SourceError

Item = dict[str, dict[str, Any]]
"""Attribute name -> `{"S": "text"}` and the like; bytes may be given as such and are kept as base64 text."""

ITEM_BYTES: Final = 400 * 1_024
VALIDATION: Final = "ValidationException"
_DIGITS: Final = Context(prec=38)


def canonical_item(item: Mapping[str, Mapping[str, Any]]) -> Item:
    """The item as DynamoDB keeps it; equal items are then equal dictionaries (STR-132).

    Raises: SourceError `ValidationException` for what is no attribute value.
    """
    return {name: _canonical(value) for name, value in item.items()}


def key_text(key: Mapping[str, Any]) -> bytes:
    """A canonical key as JSON: equal keys have equal text."""
    return orjson.dumps(key, option=orjson.OPT_SORT_KEYS)


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Size of a canonical item as DynamoDB counts it, names included."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _canonical(value: Mapping[str, Any]) -> dict[str, Any]:
    if len(value) != 1:
        raise SourceError(f"an attribute value has exactly one type, not {sorted(value)}", code=VALIDATION)
    [(kind, content)] = value.items()
    try:
        return {kind: _content(kind, content)}
    except (TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise SourceError(f"{kind} does not hold {type(content).__name__} {content!r}", code=VALIDATION) from error


def _content(kind: str, content: Any) -> Any:
    match kind:
        case "S":
            return _text(content)
        case "N":
            return _number(content)
        case "B":
            return _binary(content)
        case "SS" | "NS" | "BS":
            return _members(kind, content)
        case "M":
            return canonical_item(content)
        case "L":
            return [_canonical(element) for element in content]
        case "BOOL" if isinstance(content, bool):
            return content
        case "NULL" if content is True:
            return True
    raise SourceError(f'"{kind}" is not an attribute type that holds {content!r}', code=VALIDATION)


def _members(kind: str, content: Any) -> list[str]:
    element = {"SS": _text, "NS": _number, "BS": _binary}[kind]
    members = sorted(element(each) for each in content)
    if not members or len(set(members)) < len(members):
        raise ValueError("a set is neither empty nor has equal members")
    return members


def _text(content: Any) -> str:
    if not isinstance(content, str):
        raise TypeError
    return content


def _number(content: Any) -> str:
    number = Decimal(_text(content))
    if not number.is_finite() or len(number.as_tuple().digits) > 38:
        raise ValueError("38 digits at most")
    return f"{number.normalize(_DIGITS):f}"


def _binary(content: Any) -> str:
    if isinstance(content, bytes):
        return base64.b64encode(content).decode()
    return base64.b64encode(base64.b64decode(_text(content), validate=True)).decode()


def _value_bytes(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content.strip("-").replace(".", "")) + 1) // 2 + 1
        case "B":
            return len(base64.b64decode(content))
        case "SS" | "NS" | "BS":
            return sum(_value_bytes({kind[0]: each}) for each in content)
        case "M":
            return 3 + item_bytes(content) + len(content)
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in content)
        case _:
            return 1

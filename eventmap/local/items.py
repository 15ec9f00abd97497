"""Items of a table as JSON lines: one line, one item.

    {"id": 7, "customer": "ada", "lines": [{"sku": "a", "count": 2}]}
    {"id": {"N": "7"}, "customer": {"S": "ada"}}

A plain object's values become attribute values: text S, numbers N, true and false BOOL, null NULL, arrays L, objects M.
An object whose every value is already an attribute value (STR-131) is taken as it is.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.local.lines import refuse_constant

Item = dict[str, dict[str, Any]]  # attribute values as DynamoDB's JSON wire carries them

PREFERRED_KEY: Final = "id"
_KEY_TYPES: Final = ("S", "N", "B")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class TableKey:
    """A table's partition key."""

    name: str = PREFERRED_KEY
    type: str = "S"  #: S, N or B


class _Number(str):
    """A number's digits as they were written; DynamoDB keeps 38 of them, a float would not."""


def parse_item(line: str | bytes, number: int) -> Item:
    """The item a line stands for; `number` is its place in the file, from 1.

    Raises: InvalidParameterValue naming the line and what is wrong with it.
    """
    try:
        document = json.loads(line, parse_int=_Number, parse_float=_Number, parse_constant=refuse_constant)
        if not isinstance(document, dict) or not document:
            raise ValueError("expected a JSON object with the item's attributes")
        if all(_is_attribute_value(value) for value in document.values()):
            return document
        return {name: _attribute_value(value) for name, value in document.items()}
    except (ValueError, RecursionError) as error:
        raise InvalidParameterValue(f"line {number}: {error}") from error


def key_of(items: Iterable[tuple[int, Item]]) -> TableKey:
    """The partition key a table of these (line number, item) pairs gets: `id` if the first one has it, else its first
    attribute that can be a key; for no items a text called `id`.

    Raises: InvalidParameterValue naming the first line without that attribute, or with another type of it.
    """
    key: TableKey | None = None
    for number, item in items:
        if key is None:
            key = _choose_key(item, number)
        elif key.type not in item.get(key.name, {}):
            raise InvalidParameterValue(
                f"line {number}: every item needs the table's key {key.name!r}, of type {key.type} as in the first one"
            )
        if not item[key.name][key.type]:
            raise InvalidParameterValue(f"line {number}: the table's key {key.name!r} is empty")
    return key or TableKey()


def _choose_key(item: Item, number: int) -> TableKey:
    for name in (PREFERRED_KEY, *item):
        for type_ in _KEY_TYPES:
            if type_ in item.get(name, {}):
                return TableKey(name, type_)
    raise InvalidParameterValue(f"line {number}: the item has no text, number or binary attribute to be its key")


def _attribute_value(value: Any) -> dict[str, Any]:
    match value:
        case _Number():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case None:
            return {"NULL": True}
        case list():
            return {"L": [_attribute_value(each) for each in value]}
    return {"M": {name: _attribute_value(each) for name, each in value.items()}}


def _is_attribute_value(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    [(type_, content)] = value.items()
    match type_:
        case "S":
            return isinstance(content, str) and not isinstance(content, _Number)
        case "N":
            return isinstance(content, str) and _NUMBER.fullmatch(content) is not None
        case "B":
            return isinstance(content, str) and _is_base64(content)
        case "BOOL":
            return isinstance(content, bool)
        case "NULL":
            return content is True
        case "SS" | "NS" | "BS":
            return (
                isinstance(content, list)
                and content != []
                and all(_is_attribute_value({type_[0]: member}) for member in content)
            )
        case "L":
            return isinstance(content, list) and all(map(_is_attribute_value, content))
        case "M":
            return isinstance(content, dict) and all(map(_is_attribute_value, content.values()))
    return False


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True

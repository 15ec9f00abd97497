"""What values of an answer may be. Null is a value left out, everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeGuard

from eventmap.model import JsonObject

Shape = Callable[[object], bool]
"""Whether a JSON value has the shape."""


def flag(value: object) -> bool:
    return value is None or isinstance(value, bool)


def text(value: object) -> bool:
    return value is None or isinstance(value, str)


def texts(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(element, str) for element in value))


def text_map(value: object) -> bool:
    return value is None or (is_object(value) and all(isinstance(element, str) for element in value.values()))


def json_map(value: object) -> bool:
    return value is None or is_object(value)


def one_of(*choices: str) -> Shape:
    return lambda value: value is None or value in choices


def some_of(*choices: str) -> Shape:
    return lambda value: value is None or (isinstance(value, list) and all(element in choices for element in value))


def members(shapes: Mapping[str, Shape]) -> Shape:
    """An object whose members of these names have these shapes; of other members nothing is said."""
    return lambda value: value is None or (is_object(value) and misshapen(value, shapes) is None)


def misshapen(value: JsonObject, shapes: Mapping[str, Shape]) -> str | None:
    """The first member that has another shape."""
    return next((name for name, has_shape in shapes.items() if not has_shape(value.get(name))), None)


def is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)

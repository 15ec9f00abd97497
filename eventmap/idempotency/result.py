"""A handler's result as JSON text and back, so that it becomes the same answer of Lambda's as at first."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from eventmap.errors import ResultNotStorable


def to_text(result: object) -> str:
    """By the rules of Lambda's Python runtime (INV-36): Decimals are numbers, named tuples objects, NaN is refused.

    All ASCII, so that any store keeps it. Raises: ResultNotStorable, also for what cannot be read back.
    """
    try:
        text = _text(result)
        from_text(text)
    # What refuses to be encoded is data, and user types may raise anything while they are looked at.
    except Exception as error:
        raise ResultNotStorable(
            f"the result, of type {type(result).__name__}, cannot be kept for later calls: it is not JSON: {error}; "
            "return what JSON can express, or None"
        ) from error
    return text


def from_text(text: str) -> Any:
    """A new value each time. Numbers that a float would change are Decimals, as they were."""
    return json.loads(text, parse_float=_number)


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if repr(number) == text else Decimal(text)


def _text(value: Any) -> str:
    # By hand: the standard encoder has no door for a number that is not a float.
    if value is None or isinstance(value, str | int | float):
        return _leaf(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"out of range decimal value {value}")
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return "{" + ",".join([f"{_name(name)}:{_text(item)}" for name, item in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    raise TypeError(f"objects of type {type(value).__name__} are unknown to it")


def _leaf(value: str | float | None) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"out of range float value {value}")
    return json.dumps(value)


def _name(name: object) -> str:
    if name is None or isinstance(name, bool | int | float):
        return json.dumps(_leaf(name))
    if isinstance(name, str):
        return json.dumps(name)
    raise TypeError(f"names must be text, not {type(name).__name__}")

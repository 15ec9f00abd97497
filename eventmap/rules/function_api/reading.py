"""Members of a request, read one by one, and refused in AWS' words. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from eventmap.errors import ConstraintViolated, InvalidParameterValue
from eventmap.function import check_range


def text(body: Mapping[str, Any], name: str, *, longest: int = 0, pattern: str = "") -> str | None:
    """None = it is not there. `longest` 0 = any length; `pattern` "" = any text.

    Raises: InvalidParameterValue, ConstraintViolated.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidParameterValue(f"{name} must be a string, not {value!r}")
    if longest and len(value) > longest:
        raise violation(value, name, f"Member must have length less than or equal to {longest}")
    if pattern and not re.fullmatch(pattern, value, re.ASCII):
        raise violation(value, name, f"Member must satisfy regular expression pattern: {pattern}")
    return value


def required(value: str | None, name: str) -> str:
    """Raises: ConstraintViolated if it is not there."""
    if value is None:
        raise ConstraintViolated(
            f"1 validation error detected: Value null at '{_shown(name)}' failed to satisfy constraint: "
            "Member must not be null"
        )
    return value


def number(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """None = it is not there. Raises: InvalidParameterValue, ConstraintViolated."""
    value = body.get(name)
    if value is None:
        return None
    check_range(_shown(name), value, low, high)
    return int(value)


def truth(body: Mapping[str, Any], name: str) -> bool:
    """False = it is not there. Raises: InvalidParameterValue."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidParameterValue(f"{name} must be true or false, not {value!r}")
    return bool(value)


def choice(body: Mapping[str, Any], name: str, allowed: Collection[str]) -> str | None:
    """None = it is not there. Raises: InvalidParameterValue, ConstraintViolated."""
    value = text(body, name)
    if value is not None and value not in allowed:
        raise violation(value, name, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    return value


def structure(body: Mapping[str, Any], name: str, members: Collection[str]) -> dict[str, Any] | None:
    """An object with no other members than these; None = it is not there. Raises: InvalidParameterValue."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidParameterValue(f"{name} must be an object, not {value!r}")
    if unknown := sorted(value.keys() - set(members)):
        raise InvalidParameterValue(f"{name} has {', '.join(unknown)}, which is not known here")
    return dict(value)


def texts(body: Mapping[str, Any], name: str) -> list[str] | None:
    """A list of strings; None = it is not there. Raises: InvalidParameterValue."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidParameterValue(f"{name} must be a list of strings, not {value!r}")
    return value


def known(body: Mapping[str, Any], members: Collection[str]) -> None:
    """Raises: InvalidParameterValue if there are others: what is not known is not honoured."""
    if unknown := sorted(body.keys() - set(members)):
        raise InvalidParameterValue(f"{', '.join(unknown)} is not supported here; leave it out")


def violation(value: object, name: str, constraint: str) -> ConstraintViolated:
    """What AWS says of a value that its model does not allow."""
    return ConstraintViolated(
        f"1 validation error detected: Value '{value}' at '{_shown(name)}' failed to satisfy constraint: {constraint}"
    )


def _shown(name: str) -> str:
    return name[0].lower() + name[1:]

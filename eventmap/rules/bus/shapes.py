"""The shape of requests: what a member may be, and AWS' words for what it may not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eventmap.errors import BusRefusal


@dataclass(frozen=True, slots=True)
class Text:
    minimum: int = 0
    maximum: int | None = None
    pattern: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    minimum: int
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Epoch seconds, or ISO 8601 text."""


@dataclass(frozen=True, slots=True)
class Items:
    of: Shape
    minimum: int = 0
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Text by names."""

    name: Text
    value: Text
    maximum: int


@dataclass(frozen=True, slots=True)
class Members:
    """A structure; a name in `required` must be there."""

    members: Mapping[str, Shape]
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that AWS honours and eventmap does not; `unless` is a value that asks for nothing."""

    reason: str
    unless: Any = None


Shape = Text | Whole | Flag | Moment | Items | Table | Members | Refused


def check(shape: Members, request: object) -> None:
    """Null is the same as absent.

    Raises: BusRefusal: SerializationException for a value of another kind, ValidationException for what is out of
    bounds, required and absent, refused, or no member at all.
    """
    violations = list(_violations(shape, request, ""))
    if violations:
        count = len(violations)
        what = "1 validation error" if count == 1 else f"{count} validation errors"
        raise BusRefusal("ValidationException", f"{what} detected: {'; '.join(violations)}")


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    match shape:
        case Members():
            yield from _members(shape, _of_kind(value, dict, path), path)
        case Items(of, minimum, maximum):
            yield from _length(_of_kind(value, list, path), minimum, maximum, path)
            for number, item in enumerate(value, 1):
                yield from _violations(of, item, f"{path}.{number}.member")
        case Table(name_shape, value_shape, maximum):
            yield from _length(_of_kind(value, dict, path), 0, maximum, path)
            for name, text in value.items():
                yield from _violations(name_shape, name, f"{path}.{name}.key")
                yield from _violations(value_shape, text, f"{path}.{name}.value")
        case Text():
            yield from _text(shape, _of_kind(value, str, path), path)
        case Whole(minimum, maximum):
            yield from _whole(_of_kind(value, int, path), minimum, maximum, path)
        case Flag():
            _of_kind(value, bool, path)
        case Moment():
            _of_kind(value, (int, float, str), path)
        case Refused(reason, unless):
            if value != unless:
                raise BusRefusal("ValidationException", f"{path} is not honoured, so it is refused: {reason}")


def _members(shape: Members, given: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, value in given.items():
        if value is not None and name not in shape.members:
            raise BusRefusal("ValidationException", f"{_below(path, name)} is no member that eventmap knows")
    for name, member in shape.members.items():
        value = given.get(name)
        if value is not None:
            yield from _violations(member, value, _below(path, name))
        elif name in shape.required:
            yield f"Value null at '{_below(path, name)}' failed to satisfy constraint: Member must not be null"


def _text(shape: Text, value: str, path: str) -> Iterator[str]:
    yield from _length(value, shape.minimum, shape.maximum, path)
    if shape.pattern and not re.fullmatch(shape.pattern, value, re.ASCII):
        yield f"{_failed(value, path)}: Member must satisfy regular expression pattern: {shape.pattern}"
    if shape.values and value not in shape.values:
        yield f"{_failed(value, path)}: Member must satisfy enum value set: [{', '.join(shape.values)}]"


def _whole(value: int, minimum: int, maximum: int | None, path: str) -> Iterator[str]:
    if value < minimum:
        yield f"{_failed(value, path)}: Member must have value greater than or equal to {minimum}"
    if maximum is not None and value > maximum:
        yield f"{_failed(value, path)}: Member must have value less than or equal to {maximum}"


def _length(value: Any, minimum: int, maximum: int | None, path: str) -> Iterator[str]:
    if len(value) < minimum:
        yield f"{_failed(value, path)}: Member must have length greater than or equal to {minimum}"
    if maximum is not None and len(value) > maximum:
        yield f"{_failed(value, path)}: Member must have length less than or equal to {maximum}"


def _failed(value: object, path: str) -> str:
    # AWS spells lists and maps as its own language does; they may be long, and hold what is nobody's business.
    shown = value if isinstance(value, str | int) else f"[{len(value)} members]"  # type: ignore[arg-type]  # has a length
    return f"Value '{shown}' at '{path}' failed to satisfy constraint"


def _of_kind(value: Any, kind: type | tuple[type, ...], path: str) -> Any:
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise BusRefusal("SerializationException", f"{path or 'the request'} is of another type than its member")


def _below(path: str, name: str) -> str:
    """As AWS writes it: camel case, beginning small."""
    small = name[0].lower() + name[1:]
    return f"{path}.{small}" if path else small

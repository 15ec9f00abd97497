"""One element of a leaf array: a value, or an object that names one operator (FIL-50..61, FIL-63, FIL-64, FIL-70)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eventmap.errors import InvalidPattern
from eventmap.rules.pattern.address import read_cidr
from eventmap.rules.pattern.alternatives import (
    Alternative,
    AnythingBut,
    AnythingButLike,
    Equals,
    EqualsIgnoreCase,
    Exists,
    NumericRange,
    Prefix,
    Suffix,
    Wildcard,
)
from eventmap.rules.pattern.numbers import Number
from eventmap.rules.pattern.wildcard import read_wildcard

OPERATORS: Final = frozenset(
    {"exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr"}
)


class Members(dict[str, object]):
    """A JSON object of a pattern. Of equal keys the last one wins (FIL-44), but `written` has counted them all."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.written: int = len(pairs)


def read_alternative(element: object, field: str) -> Alternative:
    """Raises: InvalidPattern for what is neither a value nor a known operator with a fitting operand."""
    if isinstance(element, list):
        raise InvalidPattern("Match value must be String, number, true, false, or null", field)
    if not isinstance(element, Members):
        assert element is None or isinstance(element, str | bool | Number)
        return Equals(element)
    name, operand = _only_member(element, field, "Match expression name not found")
    match name:
        case "anything-but":
            return _read_anything_but(operand, field)
        case "numeric":
            return _read_numeric(operand, field)
        case "exists":
            if not isinstance(operand, bool):
                raise InvalidPattern("exists match pattern must be either true or false.", field)
            return Exists(operand)
        case "cidr":
            return read_cidr(_string(operand, "cidr match pattern must be a string", field), field)
        case "exactly":
            return Equals(_string(operand, "exact match pattern must be a string", field))
        case "prefix":
            return Prefix(*_affix("prefix", operand, field))
        case "suffix":
            return Suffix(*_affix("suffix", operand, field))
        case "equals-ignore-case":
            return EqualsIgnoreCase(_string(operand, "equals-ignore-case match pattern must be a string", field))
        case "wildcard":
            return read_wildcard(_string(operand, "wildcard match pattern must be a string", field), field)
    raise InvalidPattern(f"Unrecognized match type {name}", field)


def _only_member(element: Members, field: str, if_empty: str) -> tuple[str, object]:
    if not element:
        raise InvalidPattern(if_empty, field)
    if element.written > 1:
        raise InvalidPattern("Only one key allowed in match expression", field)
    return next(iter(element.items()))


def _string(operand: object, otherwise: str, field: str) -> str:
    if not isinstance(operand, str):
        raise InvalidPattern(otherwise, field)
    return operand


def _affix(name: str, operand: object, field: str) -> tuple[str, bool]:
    """(text, whether case is ignored) of a prefix or suffix."""
    if not isinstance(operand, Members):
        return _string(operand, f"{name} match pattern must be a string", field), False
    nested, text = _only_member(operand, field, f"{name.capitalize()} expression name not found")
    if nested != "equals-ignore-case":
        raise InvalidPattern(f"Unsupported {name} pattern: {nested}", field)
    return _string(text, "equals-ignore-case match pattern must be a string", field), True


def _read_anything_but(operand: object, field: str) -> AnythingBut | AnythingButLike:
    if isinstance(operand, Members):
        return _read_anything_but_like(operand, field)
    values = operand if isinstance(operand, list) else [operand]
    if not isinstance(operand, list | str | Number):
        raise InvalidPattern("Value of anything-but must be an array or single string/number value.", field)
    strings = tuple(value for value in values if isinstance(value, str))
    numbers = tuple(_comparable(value, field) for value in values if isinstance(value, Number))
    if len(strings) + len(numbers) < len(values):
        raise InvalidPattern("Inside anything but list, start|null|boolean is not supported.", field)
    if bool(strings) == bool(numbers):
        raise InvalidPattern(
            "Inside anything but list, either all values are number or string, mixed type is not supported", field
        )
    return AnythingBut(strings or numbers)


def _read_anything_but_like(operand: Members, field: str) -> AnythingButLike:
    name, nested = _only_member(operand, field, "Anything-But expression name not found")
    if name not in _LIKE:
        raise InvalidPattern(f"Unsupported anything-but pattern: {name}", field)
    if not isinstance(nested, list | str | Number):
        raise InvalidPattern("Value of anything-but must be an array or single string/number value.", field)
    make, otherwise = _LIKE[name]
    texts = [_string(text, otherwise, field) for text in (nested if isinstance(nested, list) else [nested])]
    if not texts:
        raise InvalidPattern("Empty arrays are not allowed", field)
    if name in ("prefix", "suffix") and "" in texts:
        raise InvalidPattern("Null prefix/suffix not allowed", field)
    return AnythingButLike(tuple(make(text, field) for text in texts))


_LIKE: Final[dict[str, tuple[Callable[[str, str], Prefix | Suffix | EqualsIgnoreCase | Wildcard], str]]] = {
    "prefix": (lambda text, _: Prefix(text), "prefix/suffix match pattern must be a string"),
    "suffix": (lambda text, _: Suffix(text), "prefix/suffix match pattern must be a string"),
    "equals-ignore-case": (
        lambda text, _: EqualsIgnoreCase(text),
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    ),
    "wildcard": (read_wildcard, "wildcard match pattern must be a string"),
}


def _read_numeric(operand: object, field: str) -> NumericRange:
    """`[op, n]`, or `[">" or ">=", n, "<" or "<=", n]` (FIL-59, FIL-69)."""
    if not isinstance(operand, list):
        raise InvalidPattern("Value of numeric must be an array.", field)
    operator = operand[0] if operand else None
    if not isinstance(operator, str):
        raise InvalidPattern(f"Invalid member in numeric match: {_shown(operator)}", field)
    if operator not in ("=", "<", "<=", ">", ">="):
        raise InvalidPattern(f"Unrecognized numeric range operator: {operator}", field)
    first = _bound(operand[1:2], "equals" if operator == "=" else operator, field)
    if operator in (">", ">=") and len(operand) > 2:
        return _read_both_bounds(first, operator, operand[2:], field)
    if len(operand) > 2:
        raise InvalidPattern("Too many elements in numeric expression", field)
    return NumericRange(
        bottom=first if operator in ("=", ">", ">=") else None,
        bottom_included=operator != ">",
        top=first if operator in ("=", "<", "<=") else None,
        top_included=operator != "<",
    )


def _read_both_bounds(bottom: Number, lower: str, rest: list[object], field: str) -> NumericRange:
    upper = rest[0]
    if not isinstance(upper, str):
        raise InvalidPattern(f"Bad value in numeric range: {_shown(upper)}", field)
    if upper not in ("<", "<="):
        raise InvalidPattern(f"Bad numeric range operator: {upper}", field)
    top = _bound(rest[1:2], upper, field)
    if len(rest) > 2:
        raise InvalidPattern("Too many terms in numeric range expression", field)
    if not bottom.value < top.value:
        raise InvalidPattern("Bottom must be less than top", field)
    return NumericRange(bottom, lower == ">=", top, upper == "<=")


def _bound(found: list[object], operator: str, field: str) -> Number:
    if not (found and isinstance(found[0], Number)):
        raise InvalidPattern(f"Value of {operator} must be numeric", field)
    return _comparable(found[0], field)


def _comparable(number: Number, field: str) -> Number:
    if not number.is_comparable:
        raise InvalidPattern(f"Cannot compare number : {number.text}", field)
    return number


def _shown(value: object) -> str:
    match value:
        case Number():
            return value.text
        case True | False:
            return str(value).lower()
    return "null" if value is None else "[" if isinstance(value, list) else "{"

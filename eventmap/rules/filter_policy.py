"""Filter policies: which messages of a topic a subscription lets through (SNS-75..98).

The language of values is that of event patterns. SNS' own are the scope, the limits, and how attributes become values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

import orjson

from eventmap.errors import InvalidParameterValue, InvalidPattern
from eventmap.rules.pattern import EventPattern
from eventmap.rules.pattern.alternatives import Alternative, Exists
from eventmap.rules.pattern.syntax import NOT_IN_OR, read_pattern
from eventmap.rules.pattern.values import Test, value_test
from eventmap.subscription import FilterPolicyScope

MAXIMUM_BYTES: Final = 262_144
MAXIMUM_KEYS: Final = 5
MAXIMUM_COMBINATIONS: Final = 150
LARGEST_NUMBER: Final = 10**9

ON_SUBSCRIBE: Final = "Invalid parameter: Attributes Reason: FilterPolicy: "
"""What SNS puts before the reason when a policy comes with Subscribe (SNS-95)."""

ON_CHANGE: Final = "Invalid parameter: FilterPolicy: "
"""And when it comes with SetSubscriptionAttributes."""

NESTED: Final = "Filter policy scope MessageAttributes does not support nested filter policy"
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)  # Python's float takes more

Attributes = Mapping[str, Mapping[str, str]]
"""By name: `{"Type": …, "Value": …}`, binary values as base64, as a notification carries them (SNS-55)."""


class FilterPolicy:
    """A policy, read once. Raises: InvalidParameterValue in SNS' words, `prefix` before them. Rules: SNS-75..97."""

    __slots__ = ("_branches", "_pattern", "scope", "text")

    def __init__(self, text: str, scope: FilterPolicyScope, *, prefix: str = ON_CHANGE) -> None:
        self.text: str = text
        self.scope: FilterPolicyScope = scope
        self._pattern: EventPattern | None = None
        self._branches: list[dict[str, _Field]] = [{}]
        try:
            document = _document(text)
            if not document:
                return  # an empty policy accepts everything (SNS-76)
            _check_limits(document, scope)
            if scope == "MessageBody":
                self._pattern = EventPattern(text)
            else:
                self._branches = [
                    {name: _Field(alternatives) for name, alternatives in branch.items()}
                    for branch in read_pattern(text)
                ]
        except InvalidPattern as error:
            if error.reason == NESTED:  # the one refusal that does not name the attribute (SNS-77)
                prefix = prefix.removesuffix("FilterPolicy: ")
            raise InvalidParameterValue(f"{prefix}{error.reason}") from None

    def passes(self, attributes: Attributes | None, body: str) -> bool:
        """Whether the subscription gets a message; attributes None = it has none. Never raises."""
        if self._pattern is not None:
            return self._pattern.matches(body)
        given = attributes or {}
        return any(all(field.passes(given.get(name)) for name, field in branch.items()) for branch in self._branches)


class _Field:
    """What the policy asks of one attribute."""

    __slots__ = ("_may_be_absent", "_may_be_anything", "_test")

    def __init__(self, alternatives: tuple[Alternative, ...]) -> None:
        self._test: Test = value_test(alternatives)
        self._may_be_absent = Exists(False) in alternatives
        self._may_be_anything = Exists(True) in alternatives

    def passes(self, attribute: Mapping[str, str] | None) -> bool:
        """`exists: false` alone lets a missing attribute pass, and nothing else does (SNS-93)."""
        if attribute is None:
            return self._may_be_absent
        if self._may_be_anything:
            return True
        return any(map(self._test, _values(attribute)))


def _values(attribute: Mapping[str, str]) -> list[object]:
    """The values an attribute offers for comparison (SNS-80, 81); a binary one has none."""
    kind, value = attribute.get("Type", ""), attribute.get("Value", "")
    if kind == "String.Array":
        return _elements(value)
    match kind.partition(".")[0]:
        case "String":
            return [_escaped(value)]
        case "Number":
            return _number(value)
        case _:
            return []


def _elements(text: str) -> list[object]:
    """Any of an array's elements may match; what is no array matches nothing (SNS-80)."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(document, list):
        return []
    return [_escaped(each) if isinstance(each, str) else each for each in document if not isinstance(each, dict | list)]


def _number(text: str) -> list[object]:
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return [value] if math.isfinite(value) else []


def _escaped(value: str) -> str:
    """Quotes and backslashes of an attribute are compared as JSON spells them (SNS-96)."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _document(text: str) -> dict[str, Any]:
    if len(text.encode(errors="replace")) > MAXIMUM_BYTES:
        raise InvalidPattern(f"Filter policy is larger than {MAXIMUM_BYTES} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPattern(f"failed to parse JSON. {error}") from None
    if not isinstance(document, dict):
        raise InvalidPattern("Filter policy must be a JSON object")
    return document


def _check_limits(document: dict[str, Any], scope: FilterPolicyScope) -> None:
    if len(document) > MAXIMUM_KEYS:
        raise InvalidPattern(f"Filter policy can not have more than {MAXIMUM_KEYS} keys")
    if scope == "MessageAttributes":
        _each_object(document, _refuse_nesting)
    if _combinations(document, 1) > MAXIMUM_COMBINATIONS:
        raise InvalidPattern("Filter policy is too complex")
    _each_object(document, _refuse_large_numbers)


def _each_object(document: dict[str, Any], check: Callable[[dict[str, Any]], None]) -> None:
    """The object that holds the keys, and those a `$or` offers in its place."""
    check(document)
    for name, child in document.items():
        if name == "$or" and _is_or(child):
            for choice in child:
                _each_object(choice, check)


def _refuse_nesting(fields: dict[str, Any]) -> None:
    if any(isinstance(child, dict) for child in fields.values()):
        raise InvalidPattern(NESTED)


def _refuse_large_numbers(fields: dict[str, Any]) -> None:
    """A number lies within a thousand million of 0 and has five decimals at most (SNS-89)."""
    for name, child in fields.items():
        if isinstance(child, dict):
            _refuse_large_numbers(child)
        elif isinstance(child, list) and not (name == "$or" and _is_or(child)):
            for operand in (each["numeric"] for each in child if isinstance(each, dict) and "numeric" in each):
                for value in operand if isinstance(operand, list) else ():
                    if isinstance(value, int | float) and not _is_within_limits(value):
                        raise InvalidPattern(
                            f"Value of numeric must be between -{LARGEST_NUMBER} and {LARGEST_NUMBER} inclusive, with "
                            "five decimals at most"
                        )


def _is_within_limits(value: float) -> bool:
    return abs(value) <= LARGEST_NUMBER and round(value, 5) == value


def _is_or(child: object) -> TypeGuard[list[dict[str, Any]]]:
    """Otherwise `$or` is a key like any other, and its objects are match expressions (SNS-92)."""
    return (
        isinstance(child, list)
        and len(child) >= 2
        and all(isinstance(choice, dict) and not NOT_IN_OR & choice.keys() for choice in child)
    )


def _combinations(node: dict[str, Any], depth: int) -> int:
    """Each array's length times its depth, multiplied; the choices of a `$or` are added first (SNS-94)."""
    product = 1
    for name, child in node.items():
        if name == "$or" and _is_or(child):
            product *= sum(_combinations(choice, depth) for choice in child)
        elif isinstance(child, dict):
            product *= _combinations(child, depth + 1)
        elif isinstance(child, list):
            product *= max(1, len(child)) * depth
    return product

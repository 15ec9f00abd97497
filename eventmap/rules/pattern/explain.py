"""Why an event does not match, in plain sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, assert_never

from eventmap.model import JsonObject
from eventmap.rules.pattern.alternatives import (
    Alternative,
    AnythingBut,
    AnythingButLike,
    Cidr,
    Equals,
    EqualsIgnoreCase,
    Exists,
    NumericRange,
    Prefix,
    Suffix,
    Wildcard,
)
from eventmap.rules.pattern.arrays import TooDeep, match_consistently, values_of
from eventmap.rules.pattern.match import leaves_of
from eventmap.rules.pattern.numbers import Number, WrittenNumber
from eventmap.rules.pattern.syntax import Branch

_SHOWN_VALUES: Final = 5
_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One field that keeps the event from matching."""

    field: str  #: dotted name; "" for the event as a whole
    wanted: str
    found: str

    def __str__(self) -> str:
        subject = f'"{self.field}"' if self.field else "the event"
        return f"{subject} must be {self.wanted}, but is {self.found}."


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, and when it is no: for each combination of the pattern's `$or`s (one without any) what fails."""

    matched: bool
    alternatives: tuple[tuple[Mismatch, ...], ...] = ()  #: empty when matched

    @property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(mismatch for mismatches in self.alternatives for mismatch in mismatches))

    def __str__(self) -> str:
        if self.matched:
            return "The event matches."
        if len(self.alternatives) == 1:
            return "\n".join(["The event does not match:", *(f"  {mismatch}" for mismatch in self.mismatches)])
        lines = ["The event matches no combination of the pattern's $or:"]
        for number, mismatches in enumerate(self.alternatives, 1):
            lines += [f"  combination {number}:", *(f"    {mismatch}" for mismatch in mismatches)]
        return "\n".join(lines)


def explain(branches: Iterable[Branch], document: JsonObject | None, *, matched: bool) -> Explanation:
    """`document` is None for what is no JSON object at all."""
    if matched:
        return Explanation(True)
    if document is None:
        return Explanation(False, ((Mismatch("", "a JSON object of at most 6 MB", "something else"),),))
    return Explanation(False, tuple(_explain_branch(branch, document) for branch in branches))


def _explain_branch(branch: Branch, document: JsonObject) -> tuple[Mismatch, ...]:
    try:
        values = values_of(branch, document)
    except TooDeep:
        return (Mismatch("", "nested at most 100 levels deep", "nested deeper"),)
    failing: list[Mismatch] = []
    for leaf in leaves_of(branch):
        if not match_consistently([leaf], document):
            found = [value for _, here in values[leaf.field].going_with({}) for value in here]
            failing.append(Mismatch(leaf.field, _any_of(branch[leaf.field]), _found(found)))
    if failing:
        return tuple(failing)
    fields = ", ".join(f'"{field}"' for field in branch)
    return (Mismatch("", f"matched by one element of each array in {fields}", "matched only by different elements"),)


def _found(values: list[object]) -> str:
    if not values:
        return "not there as a value"
    shown = [_literal(value) for value in values[:_SHOWN_VALUES]]
    more = len(values) - len(shown)
    return " and ".join([", ".join(shown), *([f"{more} more"] if more else [])])


def _any_of(alternatives: Iterable[Alternative]) -> str:
    return " or ".join(map(_wanted, alternatives))


def _wanted(alternative: Alternative) -> str:
    match alternative:
        case Equals(value):
            return _literal(value)
        case Prefix(text, ignore_case):
            return f"a string starting with {_literal(text)}{_in_any_case(ignore_case)}"
        case Suffix(text, ignore_case):
            return f"a string ending with {_literal(text)}{_in_any_case(ignore_case)}"
        case EqualsIgnoreCase(text):
            return f"{_literal(text)}{_in_any_case(True)}"
        case Wildcard(text):
            return f"a string like {_literal(text)}"
        case AnythingBut(values):
            return f"anything but {' or '.join(map(_literal, values))}"
        case AnythingButLike(operators):
            return f"anything but {_any_of(operators)}"
        case NumericRange():
            return _range(alternative)
        case Cidr(text):
            return f"an IP address within {text}"
        case Exists(wanted):
            return "any value" if wanted else "absent"
    assert_never(alternative)


def _in_any_case(ignore_case: bool) -> str:
    return " in any case" if ignore_case else ""


def _range(bounds: NumericRange) -> str:
    if bounds.bottom is not None and bounds.bottom == bounds.top:
        return f"a number equal to {bounds.bottom.text}"
    parts = []
    if bounds.bottom is not None:
        parts.append(f"{'>=' if bounds.bottom_included else '>'} {bounds.bottom.text}")
    if bounds.top is not None:
        parts.append(f"{'<=' if bounds.top_included else '<'} {bounds.top.text}")
    return f"a number {' and '.join(parts)}"


def _literal(value: object) -> str:
    text = (
        value.text if isinstance(value, Number | WrittenNumber) else json.dumps(value, ensure_ascii=False, default=str)
    )
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"

"""Alternatives compiled into one closure that tests a scalar."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from operator import eq
from typing import Final, assert_never

from eventmap.rules.pattern.address import address_of
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
from eventmap.rules.pattern.numbers import Number, WrittenNumber
from eventmap.rules.pattern.wildcard import wildcard_test

Test = Callable[[object], bool]
"""Whether a string, number, bool or null satisfies something. Never raises, whatever it is given."""

_NUMBER_TYPES: Final = frozenset({int, float, WrittenNumber})  # exact types: a bool is no number


def value_test(alternatives: Iterable[Alternative]) -> Test:
    """True where any of the alternatives is satisfied by the value of a leaf; `exists: false` never is."""
    strings: set[str] = set()
    tests: list[Test] = []
    for alternative in alternatives:
        if isinstance(alternative, Equals) and isinstance(alternative.value, str):
            strings.add(alternative.value)
        elif alternative == Exists(True):
            return lambda value: True
        else:
            tests.append(test_of(alternative))
    if len(strings) == 1:
        tests.insert(0, partial(eq, *strings))
    elif strings:
        tests.insert(0, frozenset(strings).__contains__)
    return tests[0] if len(tests) == 1 else _any_of(tests)


def _any_of(tests: list[Test]) -> Test:
    def matches(value: object) -> bool:
        for test in tests:  # noqa: SIM110 - any() with a generator costs twice as much here
            if test(value):
                return True
        return False

    return matches


def _none_of(tests: list[Test]) -> Test:
    found = _any_of(tests)
    return lambda value: not found(value)


def test_of(alternative: Alternative) -> Test:
    match alternative:
        case Equals(Number() as number):
            return _equals_number(number)
        case Equals(value):
            return partial(eq, value) if isinstance(value, str) else lambda found: found is value
        case Prefix(text, ignore_case):
            return _starts_in_any_case(text) if ignore_case else _starts_with(text)
        case Suffix(text, ignore_case):
            return _ends_in_any_case(text) if ignore_case else _ends_with(text)
        case EqualsIgnoreCase(text):
            return _equals_in_any_case(text)
        case Wildcard():
            return wildcard_test(alternative)
        case AnythingBut(values):
            return _none_of([test_of(Equals(value)) for value in values])
        case AnythingButLike(operators):
            return _none_of([test_of(operator) for operator in operators])
        case NumericRange():
            return _within(alternative)
        case Cidr(_, bits, lowest, highest):
            return _in_block(bits, lowest, highest)
        case Exists(wanted):
            return lambda value: wanted
    assert_never(alternative)


def _equals_number(number: Number) -> Test:
    """By value; by text where the document kept the text (`strict_number_text`, FIL-67)."""
    wanted, text = number.value, number.text

    def matches(value: object) -> bool:
        if value.__class__ is WrittenNumber:
            return value.text == text
        return value == wanted and value.__class__ is not bool

    return matches


def _within(bounds: NumericRange) -> Test:
    bottom = -sys.float_info.max if bounds.bottom is None else bounds.bottom.value
    top = sys.float_info.max if bounds.top is None else bounds.top.value
    includes_bottom, includes_top = bounds.bottom_included, bounds.top_included

    def matches(value: object) -> bool:
        return (
            value.__class__ in _NUMBER_TYPES
            and bottom <= value <= top  # type: ignore[operator]  # the line above is the check
            and (includes_bottom or value != bottom)
            and (includes_top or value != top)
        )

    return matches


def _in_block(bits: int, lowest: int, highest: int) -> Test:
    """event-ruler compares hexadecimal digits from the left, also across the two families; so do we.

    An IPv6 address is in an IPv4 block when its first 32 bits are. An IPv4 address is in an IPv6 block when it differs
    from the first 32 bits of both ends and lies between them.
    """

    def matches(value: object) -> bool:
        found = address_of(value) if isinstance(value, str) else None
        if found is None:
            return False
        length, address = found
        if length < bits:
            return lowest >> 96 < address < highest >> 96
        return lowest <= address >> (length - bits) <= highest

    return matches


def _starts_with(text: str) -> Test:
    return lambda value: isinstance(value, str) and value.startswith(text)


def _ends_with(text: str) -> Test:
    return lambda value: isinstance(value, str) and value.endswith(text)


def _equals_in_any_case(text: str) -> Test:
    spelled = re.compile("".join(map(_either_case, text))).fullmatch
    return lambda value: isinstance(value, str) and spelled(value) is not None


def _starts_in_any_case(text: str) -> Test:
    spelled = re.compile("".join(map(_either_case, text))).match
    return lambda value: isinstance(value, str) and spelled(value) is not None


def _ends_in_any_case(text: str) -> Test:
    # matched backwards, so that one look at the end decides
    spelled = re.compile("".join(_either_case(character, -1) for character in reversed(text))).match
    return lambda value: isinstance(value, str) and spelled(value[::-1]) is not None


def _either_case(character: str, step: int = 1) -> str:
    """A regular expression for the lower or upper case form of one character; some forms have several characters."""
    forms = dict.fromkeys((character.lower(), character.upper()))
    return f"(?:{'|'.join(re.escape(form[::step]) for form in forms)})"

"""Numbers as they were written, because a pattern is sometimes about the text of a number (FIL-67)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

_INTEGERS = range(-(2**63), 2**64)  # what JSON parsers keep exact; beyond it a number is a double, whoever parsed it


def number_of(text: str) -> int | float:
    """The value of a JSON number: an exact integer where 64 bits hold it, else a double, infinite when it overflows."""
    if text.lstrip("-").isdigit() and len(text) <= 21:
        integer = int(text)
        if integer in _INTEGERS:
            return integer
    return float(text)


@dataclass(frozen=True, slots=True)
class Number:
    """A number literal of a pattern."""

    text: str

    @property
    def value(self) -> int | float:
        return number_of(self.text)

    @property
    def is_comparable(self) -> bool:
        """Whether a double holds this decimal: it is the shortest way to write some double. Operators demand it."""
        value = float(self.text)
        if math.isinf(value):
            return False
        if value == 0:
            return not any(digit in "123456789" for digit in self.text.lower().partition("e")[0])
        return Decimal(repr(value)) == Decimal(self.text)


class WrittenNumber(float):
    """A number of a document that remembers its text; only made when `strict_number_text` asks for it."""

    text: str

    def __new__(cls, text: str) -> WrittenNumber:
        number = super().__new__(cls, text)
        number.text = text
        return number

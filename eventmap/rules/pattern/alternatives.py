"""What one element of a leaf array can ask of a value, as frozen values (FIL-50..61)."""

from __future__ import annotations

from dataclasses import dataclass

from eventmap.rules.pattern.numbers import Number


@dataclass(frozen=True, slots=True)
class Equals:
    """The very value: a string, a number, true, false or null; types never mix (FIL-50)."""

    value: str | Number | bool | None


@dataclass(frozen=True, slots=True)
class Prefix:
    text: str  #: "" matches every string
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Suffix:
    text: str  #: "" matches every string
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class EqualsIgnoreCase:
    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    text: str  #: as written, for showing
    segments: tuple[str, ...]  #: the literal text between the stars, unescaped; one segment = no star


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """Any value but these; all strings or all numbers. A value of another type passes (FIL-57)."""

    values: tuple[str, ...] | tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class AnythingButLike:
    """Any value that none of these string operators matches; null and non-strings pass (FIL-58)."""

    operators: tuple[Prefix | Suffix | EqualsIgnoreCase | Wildcard, ...]


@dataclass(frozen=True, slots=True)
class NumericRange:
    """A number within bounds. A bound of None is open-ended; `=` is both bounds, closed."""

    bottom: Number | None
    bottom_included: bool
    top: Number | None
    top_included: bool


@dataclass(frozen=True, slots=True)
class Cidr:
    text: str
    bits: int  #: 32 for IPv4, 128 for IPv6
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Exists:
    """A leaf is there (whatever its value), or is not (FIL-60)."""

    wanted: bool


Alternative = (
    Equals
    | Prefix
    | Suffix
    | EqualsIgnoreCase
    | Wildcard
    | AnythingBut
    | AnythingButLike
    | NumericRange
    | Cidr
    | Exists
)

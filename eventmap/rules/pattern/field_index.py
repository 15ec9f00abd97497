"""What many patterns ask of one field, arranged so that a value finds those it may satisfy."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final, TypeVar

from eventmap.rules.pattern.alternatives import Alternative, Equals, Exists, NumericRange, Prefix, Suffix, Wildcard
from eventmap.rules.pattern.numbers import Number
from eventmap.rules.pattern.ranges import Interval, Ranges

Key = Equals | Prefix | Suffix | NumericRange | Exists
"""What an alternative is found by: itself, or something weaker that is true wherever it is."""

_ANY_VALUE: Final = Exists(True)

K = TypeVar("K")


def key_of(alternative: Alternative) -> Key:
    """The key to find an alternative by; never for `exists: false`, which no value satisfies."""
    match alternative:
        case Equals() | NumericRange() | Prefix(ignore_case=False) | Suffix(ignore_case=False):
            return alternative
        case Wildcard(_, (text,)):
            return Equals(text)
        case Wildcard(_, (first, *_)) if first:
            return Prefix(first)
        case Wildcard(_, (*_, last)) if last:
            return Suffix(last)
    return _ANY_VALUE


class FieldIndex:
    """The owners of keys, for one field."""

    __slots__ = ("_any_value", "_equal", "_prefixes", "_ranges", "_suffixes")

    def __init__(self) -> None:
        self._equal: dict[object, set[int]] = {}
        self._prefixes = _Affixes()
        self._suffixes = _Affixes()
        self._ranges = Ranges()
        self._any_value: set[int] = set()

    def __bool__(self) -> bool:
        """Whether it has any owner."""
        return bool(self._equal or self._prefixes.owners or self._suffixes.owners or self._ranges or self._any_value)

    def add(self, key: Key, owner: int) -> None:
        match key:
            case Equals():
                self._equal.setdefault(_wanted(key), set()).add(owner)
            case Prefix(text):
                self._prefixes.add(text, owner)
            case Suffix(text):
                self._suffixes.add(text[::-1], owner)
            case NumericRange():
                self._ranges.add(_interval(key), owner)
            case Exists():
                self._any_value.add(owner)

    def discard(self, key: Key, owner: int) -> None:
        """Nothing happens where the owner is not: two of its keys, as 300 and 300.0, may have been one."""
        match key:
            case Equals():
                _discard(self._equal, _wanted(key), owner)
            case Prefix(text):
                self._prefixes.discard(text, owner)
            case Suffix(text):
                self._suffixes.discard(text[::-1], owner)
            case NumericRange():
                self._ranges.discard(_interval(key), owner)
            case Exists():
                self._any_value.discard(owner)

    def load(self, key: Key) -> int:
        """About how many owners are found together with one of this key."""
        match key:
            case Equals():
                return len(self._equal.get(_wanted(key), ()))
            case Prefix(text):
                return self._prefixes.load(text)
            case Suffix(text):
                return self._suffixes.load(text[::-1])
            case NumericRange():
                return self._ranges.overlapping(_interval(key))
        return len(self._any_value)

    def gather(self, value: object, found: set[int]) -> None:
        """Add the owners of every key that a scalar satisfies, and perhaps a few more."""
        if owners := self._equal.get(value):
            found |= owners
        if self._any_value:
            found |= self._any_value
        if isinstance(value, str):
            if self._prefixes.owners:
                self._prefixes.gather(value, found)
            if self._suffixes.owners:
                self._suffixes.gather(value[::-1], found)
        elif self._ranges and isinstance(value, int | float):
            self._ranges.gather(value, found)


class _Affixes:
    """Owners by the text that a string has to begin with."""

    __slots__ = ("_lengths", "owners")

    def __init__(self) -> None:
        self.owners: dict[str, set[int]] = {}
        self._lengths: Counter[int] = Counter()  #: how many texts are so long

    def add(self, text: str, owner: int) -> None:
        if text not in self.owners:
            self._lengths[len(text)] += 1
        self.owners.setdefault(text, set()).add(owner)

    def discard(self, text: str, owner: int) -> None:
        if _discard(self.owners, text, owner):
            self._lengths[len(text)] -= 1
            self._lengths += Counter()  # forgets the lengths that are no more

    def load(self, text: str) -> int:
        return sum(len(self.owners.get(text[:length], ())) for length in self._lengths)

    def gather(self, value: str, found: set[int]) -> None:
        for length in self._lengths:
            if owners := self.owners.get(value[:length]):
                found |= owners


def _discard(owners: dict[K, set[int]], key: K, owner: int) -> bool:
    """Whether the key is gone with it."""
    of_key = owners.get(key, set())
    of_key.discard(owner)
    return not of_key and owners.pop(key, None) is not None


def _wanted(key: Equals) -> object:
    """Python's own equality takes 300 for 300.0, as the matcher does; that it takes True for 1 is sorted out there."""
    return key.value.value if isinstance(key.value, Number) else key.value


def _interval(key: NumericRange) -> Interval:
    return (
        -math.inf if key.bottom is None else key.bottom.value,
        math.inf if key.top is None else key.top.value,
    )

"""PatternIndex: which of the many patterns of a bus an event matches."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from eventmap.model import JsonObject
from eventmap.rules.pattern import EventPattern
from eventmap.rules.pattern.index import RuleIndex

K = TypeVar("K", bound=Hashable)


class PatternIndex(Generic[K]):
    """Patterns by key."""

    def __init__(self) -> None:
        self._index: RuleIndex[K] = RuleIndex()

    def add(self, key: K, pattern: str) -> None:
        """In place of the one of that key, if there is one. Raises: InvalidPattern."""
        self._index.add(key, EventPattern(pattern))

    def remove(self, key: K) -> None:
        """One that is not there is fine."""
        if key in self._index:
            self._index.remove(key)

    def matching(self, document: JsonObject) -> list[K]:
        """In the order in which they were added."""
        return self._index.matching(document)

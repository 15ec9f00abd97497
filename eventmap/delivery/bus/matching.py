"""PatternIndex: which of many patterns an event matches."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from eventmap.model import JsonObject
from eventmap.rules.pattern import EventPattern

K = TypeVar("K", bound=Hashable)


class PatternIndex(Generic[K]):
    """Patterns by key. They were checked before: an invalid one raises InvalidPattern."""

    def __init__(self) -> None:
        self._patterns: dict[K, EventPattern] = {}

    def add(self, key: K, pattern: str) -> None:
        """In place of the one of that key, if there is one."""
        self._patterns[key] = EventPattern(pattern)

    def remove(self, key: K) -> None:
        """One that is not there is fine."""
        self._patterns.pop(key, None)

    def matching(self, document: JsonObject) -> list[K]:
        """In the order in which they were added."""
        return [key for key, pattern in self._patterns.items() if pattern.matches(document)]

"""Many patterns at once: an event is asked what it may match, and only those patterns look at it.

Each way to match a pattern (each combination of its `$or`s) is found by one of its fields, the one that so far shares
what it asks for with the fewest others. What is found that way is then decided by the pattern itself, so the answer is
that of asking every pattern in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from eventmap.model import JsonObject
from eventmap.rules.pattern import EventPattern
from eventmap.rules.pattern.alternatives import Exists
from eventmap.rules.pattern.document import MAXIMUM_DEPTH, parse_document
from eventmap.rules.pattern.field_index import FieldIndex, Key, key_of
from eventmap.rules.pattern.syntax import Branch

K = TypeVar("K")

_DEEPEST: Final = MAXIMUM_DEPTH + 1  # no value that lies deeper is matched: FIL-83, and one array at the end
_UNUSED: Final = FieldIndex()


@dataclass(frozen=True, slots=True)
class _Rule(Generic[K]):
    key: K
    pattern: EventPattern
    found_by: tuple[tuple[str, Key], ...]
    """Fields with the keys it is found by; empty = it is asked about every event, as `exists: false` alone must be."""


@dataclass(slots=True)
class _Node:
    """A place in a document where some field lies, or leads through."""

    below: dict[str, _Node] = field(default_factory=dict)  #: by the rest of a name up to any dot of it (FIL-47)
    index: FieldIndex | None = None


class RuleIndex(Generic[K]):
    """Patterns by key, and the keys of those that match an event.

    Not for patterns with `strict_number_text`: that needs the event parsed in another way.
    """

    def __init__(self) -> None:
        self._numbers: dict[K, int] = {}
        self._rules: dict[int, _Rule[K]] = {}
        self._next_number = 0
        self._fields: dict[str, FieldIndex] = {}
        self._asked_always: set[int] = set()
        self._root: _Node | None = None  #: None = fields have come or gone

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, key: object) -> bool:
        return key in self._numbers

    def add(self, key: K, pattern: EventPattern) -> None:
        """A key that is there gets the new pattern and keeps its place.

        Raises: ValueError for a pattern with `strict_number_text`.
        """
        if pattern.strict_number_text:
            raise ValueError(f"{pattern!r} compares the text of numbers, which an index cannot: match it on its own")
        number = self._numbers.get(key)
        if number is None:
            number, self._next_number = self._next_number, self._next_number + 1
        else:
            self._forget(number)
        self._numbers[key] = number
        keys: dict[tuple[str, Key], None] = {}
        for branch in pattern.branches:
            chosen = self._choose(branch)
            if not chosen:
                keys.clear()
                self._asked_always.add(number)
                break
            keys |= dict.fromkeys(chosen)
        for name, found_by in keys:
            self._index_of(name).add(found_by, number)
        self._rules[number] = _Rule(key, pattern, tuple(keys))

    def remove(self, key: K) -> None:
        """Raises: KeyError when there is no such key."""
        self._forget(self._numbers[key])
        del self._numbers[key]

    def matching(self, event: str | bytes | JsonObject) -> list[K]:
        """The keys of the patterns that match, in the order they were added; never raises, as theirs."""
        document = event if isinstance(event, dict) else parse_document(event)
        if document is None:
            return []
        if self._root is None:
            self._root = _tree_of(self._fields)
        found = set(self._asked_always)
        _gather(self._root, document, found, 1)
        rules = self._rules
        return [rule.key for number in sorted(found) if (rule := rules[number]).pattern.matches(document)]

    def _choose(self, branch: Branch) -> list[tuple[str, Key]]:
        """The field that must have a value, with the keys of what it may be; empty when there is none."""
        best: tuple[tuple[int, bool], str, set[Key]] | None = None
        for name, alternatives in branch.items():
            if Exists(False) in alternatives or name.count(".") >= MAXIMUM_DEPTH:
                continue
            keys = set(map(key_of, alternatives))
            index = self._fields.get(name, _UNUSED)
            cost = sum(map(index.load, keys)), index is _UNUSED  # another field costs every event a look
            if best is None or cost < best[0]:
                best = cost, name, keys
        return [] if best is None else [(best[1], key) for key in best[2]]

    def _index_of(self, name: str) -> FieldIndex:
        if name not in self._fields:
            self._fields[name] = FieldIndex()
            self._root = None
        return self._fields[name]

    def _forget(self, number: int) -> None:
        self._asked_always.discard(number)
        found_by = self._rules.pop(number).found_by
        for name, key in found_by:
            self._fields[name].discard(key, number)
        for name in {name for name, _ in found_by}:
            if not self._fields[name]:
                del self._fields[name]
                self._root = None


def _tree_of(fields: dict[str, FieldIndex]) -> _Node:
    root = _Node()
    nodes: dict[str, _Node] = {}
    for name, index in fields.items():
        ends = [place for place, character in enumerate(name) if character == "."] + [len(name)]
        for end in ends:
            nodes.setdefault(name[:end], _Node())
        for start in (-1, *ends[:-1]):
            above = root if start < 0 else nodes[name[:start]]
            for end in ends:
                if end > start:
                    above.below[name[start + 1 : end]] = nodes[name[:end]]
        nodes[name].index = index
    return root


def _gather(node: _Node, members: JsonObject, found: set[int], depth: int) -> None:
    """What the values below an object may match, by way of the smaller of the two."""
    below = node.below
    if len(below) <= len(members):
        for name, child in below.items():
            if name in members:
                _gather_at(child, members[name], found, depth)
    else:
        for name in members:
            if name in below:
                _gather_at(below[name], members[name], found, depth)


def _gather_at(node: _Node, value: object, found: set[int], depth: int) -> None:
    if isinstance(value, dict):
        if node.below:
            _gather(node, value, found, depth + 1)
    elif isinstance(value, list | tuple):
        if depth <= _DEEPEST:
            for element in value:
                _gather_at(node, element, found, depth + 1)
    elif node.index is not None:
        node.index.gather(value, found)

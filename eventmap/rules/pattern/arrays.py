"""Array consistency: all fields taken from one array must come from the same element of it (FIL-46).

A value stands at a place: which element of which arrays it is in. Two values go together when no array has them in
different elements. The fields are visited one by one; what is carried along is the set of choices of elements made so
far, forgetting the arrays that no later field is in, so that long arrays cost time in proportion to their length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from eventmap.rules.pattern.document import MAXIMUM_DEPTH


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field of a branch, compiled."""

    field: str  #: dotted name
    test: Callable[[object], bool]
    may_be_absent: bool  #: one alternative is `exists: false`


Place = tuple[tuple[int, int], ...]
"""From the outside in: (number of the array, index of the element)."""

Choice = frozenset[tuple[int, int]]


@dataclass(slots=True)
class _Values:
    """The values of one field, by place."""

    here: list[object] = field(default_factory=list)
    arrays: dict[int, dict[int, _Values]] = field(default_factory=dict)

    def add(self, place: Place, value: object) -> None:
        node = self
        for array, index in place:
            node = node.arrays.setdefault(array, {}).setdefault(index, _Values())
        node.here.append(value)

    def going_with(self, choice: dict[int, int], place: Place = ()) -> Iterator[tuple[Place, list[object]]]:
        """The places of values that contradict no choice of an element."""
        if self.here:
            yield place, self.here
        for array, elements in self.arrays.items():
            chosen = choice.get(array)
            for index in elements if chosen is None else (chosen,):
                if index in elements:
                    yield from elements[index].going_with(choice, (*place, (array, index)))

    def all_arrays(self) -> set[int]:
        nested = (element for elements in self.arrays.values() for element in elements.values())
        return set(self.arrays).union(*(element.all_arrays() for element in nested))


class TooDeep(Exception):
    """Raised when a path of the pattern leads deeper than FIL-83 allows."""


def match_consistently(leaves: list[Leaf], document: object) -> bool:
    """Whether one choice of array elements satisfies every leaf. A document nested too deeply does not match."""
    try:
        values = values_of({leaf.field for leaf in leaves}, document)
    except TooDeep:
        return False
    later = _arrays_met_later([values[leaf.field] for leaf in leaves])
    choices: set[Choice] = {frozenset()}
    for leaf, keep in zip(leaves, later, strict=True):
        choices = _extend(choices, leaf, values[leaf.field], keep)
        if not choices:
            return False
    return True


def values_of(fields: Iterable[str], document: object) -> dict[str, _Values]:
    """Raises: TooDeep."""
    found = {name: _Values() for name in fields}
    leading = {name[:end] for name in found for end, character in enumerate(name) if character == "."}
    walk = _Walk(found, leading)
    walk.members(document, "", (), 1)
    return found


@dataclass(slots=True)
class _Walk:
    found: dict[str, _Values]
    leading: set[str]  #: names that lead to a field, cut at a dot
    arrays: int = 0

    def members(self, node: object, prefix: str, place: Place, depth: int) -> None:
        for key, child in node.items():  # type: ignore[attr-defined]  # callers have checked
            name = f"{prefix}{key}"
            if name in self.found or name in self.leading:
                self.value(child, name, place, depth)

    def value(self, node: object, name: str, place: Place, depth: int) -> None:
        if depth >= MAXIMUM_DEPTH and isinstance(node, dict | list | tuple):
            raise TooDeep
        if isinstance(node, dict):
            if name in self.leading:
                self.members(node, f"{name}.", place, depth + 1)
        elif isinstance(node, list | tuple):
            array, self.arrays = self.arrays, self.arrays + 1
            for index, element in enumerate(node):
                is_container = isinstance(element, dict | list | tuple)
                self.value(element, name, (*place, (array, index)) if is_container else place, depth + 1)
        elif name in self.found:
            self.found[name].add(place, node)


def _extend(choices: set[Choice], leaf: Leaf, values: _Values, keep: set[int]) -> set[Choice]:
    """Every choice together with every way to satisfy the leaf; what `keep` does not name is forgotten."""
    arrays = values.all_arrays()
    satisfied: dict[Choice, set[Choice]] = {}  # by the part of a choice this leaf can tell apart
    extended: set[Choice] = set()
    for choice in choices:
        seen = frozenset(part for part in choice if part[0] in arrays)
        if seen not in satisfied:
            satisfied[seen] = set(_ways(leaf, values, dict(seen), keep))
        kept = frozenset(part for part in choice if part[0] in keep)
        extended.update(kept | way for way in satisfied[seen])
    return extended


def _ways(leaf: Leaf, values: _Values, choice: dict[int, int], keep: set[int]) -> Iterator[Choice]:
    absent = True
    for place, here in values.going_with(choice):
        absent = False
        if any(map(leaf.test, here)):
            yield frozenset(part for part in place if part[0] in keep)
    if absent and leaf.may_be_absent:
        yield frozenset()


def _arrays_met_later(values: list[_Values]) -> list[set[int]]:
    """For each field, the arrays that a field after it has values in."""
    met: list[set[int]] = []
    later: set[int] = set()
    for of_field in reversed(values):
        met.append(set(later))
        later |= of_field.all_arrays()
    return met[::-1]

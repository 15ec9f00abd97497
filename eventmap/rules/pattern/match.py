"""One branch of a pattern against one document.

Most documents have plain values where the pattern looks, and one dictionary look-up per step decides. Only where an
array of objects or a dotted key lies on the way must the choice of array elements be consistent (FIL-46); that is
decided by `arrays`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eventmap.model import JsonObject
from eventmap.rules.pattern.alternatives import Exists
from eventmap.rules.pattern.arrays import Leaf, match_consistently
from eventmap.rules.pattern.syntax import Branch
from eventmap.rules.pattern.values import value_test

BranchTest = Callable[[JsonObject], bool]

_Look = Callable[[JsonObject], bool | None]
"""Whether one field matches, whatever the other fields do; None when that depends on which array element is chosen."""

_Judge = Callable[[object], bool | None]
"""The same for what stands where the field leads."""

_MISSING: Final = object()
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def leaves_of(branch: Branch) -> list[Leaf]:
    """In the order their names are consulted: `exists: false` is judged after the fields that sort before it."""
    return [
        Leaf(field, value_test(alternatives), Exists(False) in alternatives)
        for field, alternatives in sorted(branch.items(), key=lambda item: item[0].encode("utf-16-be", "surrogatepass"))
    ]


def branch_test(branch: Branch) -> BranchTest:
    """Compile the branch. The test never raises for what a JSON parser returns (FIL-81)."""
    leaves = leaves_of(branch)
    looks = [_look_at(leaf) for leaf in leaves]

    def matches(document: JsonObject) -> bool:
        undecided = False
        for look in looks:
            verdict = look(document)
            if not verdict:
                if verdict is False:
                    return False
                undecided = True
        return match_consistently(leaves, document) if undecided else True

    return matches


def _look_at(leaf: Leaf) -> _Look:
    steps = leaf.field.split(".")
    judge = _judge(leaf)
    last = steps[-1]
    if len(steps) == 1:
        return lambda document: judge(document.get(last, _MISSING))
    absent = leaf.may_be_absent
    if len(steps) == 2:
        return _look_one_down(steps[0], last, leaf.field, judge, absent)
    # Every level may hold the rest of the path under one dotted key as well (FIL-47).
    walk = [
        (step, tuple(".".join(steps[index:end]) for end in range(index + 2, len(steps) + 1)))
        for index, step in enumerate(steps[:-1])
    ]

    def look(document: JsonObject) -> bool | None:
        node: object = document
        for step, dotted in walk:
            for name in dotted:
                if name in node:  # type: ignore[operator]  # a dict: the document, or checked below
                    return None
            node = node.get(step, _MISSING)  # type: ignore[attr-defined]  # as above
            if node.__class__ is not dict:
                return absent if node is _MISSING or node.__class__ in _SCALARS else None
        return judge(node.get(last, _MISSING))  # type: ignore[attr-defined]  # as above

    return look


def _look_one_down(first: str, last: str, dotted: str, judge: _Judge, absent: bool) -> _Look:
    """What `_look_at` does for most fields, a sixth faster without its loops."""

    def look(document: JsonObject) -> bool | None:
        if dotted in document:
            return None
        node = document.get(first, _MISSING)
        if node.__class__ is not dict:
            return absent if node is _MISSING or node.__class__ in _SCALARS else None
        return judge(node.get(last, _MISSING))

    return look


def _judge(leaf: Leaf) -> _Judge:
    """An object or nothing is no leaf; of an array any element may match (FIL-45)."""
    test, absent = leaf.test, leaf.may_be_absent

    def judge(found: object) -> bool | None:
        kind = found.__class__
        if kind in _SCALARS:
            return test(found)
        if kind is dict or found is _MISSING:
            return absent
        if kind is not list:
            return None
        empty = True
        for element in found:  # type: ignore[attr-defined]  # a list, two lines above
            if element.__class__ in _SCALARS:
                if test(element):
                    return True
                empty = False
            elif element.__class__ is not dict:
                return None
        return absent and empty

    return judge

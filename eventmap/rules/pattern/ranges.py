"""Numeric ranges of many owners, and whose ranges a number lies in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

Interval = tuple[float, float]
"""Lowest and highest, both included; infinite where it is open. Integers stay exact, however large."""


class Ranges:
    """Owners by interval. Adding is cheap; the first question after a change sorts what is there.

    The numbers between which something changes cut the line into pieces; a tree over the pieces holds each interval in
    a few nodes, so that an answer costs the height of the tree and what it finds.
    """

    __slots__ = ("_bottoms", "_intervals", "_points", "_tops", "_tree")

    def __init__(self) -> None:
        self._intervals: dict[Interval, set[int]] = {}
        self._bottoms: list[float] = []
        self._tops: list[float] = []
        self._points: list[float] = []
        self._tree: list[set[int] | None] = []  #: empty = to be made

    def __bool__(self) -> bool:
        return bool(self._intervals)

    def add(self, interval: Interval, owner: int) -> None:
        owners = self._intervals.setdefault(interval, set())
        if owner not in owners:
            owners.add(owner)
            insort(self._bottoms, interval[0])
            insort(self._tops, interval[1])
            self._tree = []

    def discard(self, interval: Interval, owner: int) -> None:
        owners = self._intervals.get(interval, set())
        if owner in owners:
            owners.remove(owner)
            if not owners:
                del self._intervals[interval]
            del self._bottoms[bisect_left(self._bottoms, interval[0])]
            del self._tops[bisect_left(self._tops, interval[1])]
            self._tree = []

    def overlapping(self, interval: Interval) -> int:
        """How many of the ranges have a number in common with this one."""
        return bisect_right(self._bottoms, interval[1]) - bisect_left(self._tops, interval[0])

    def gather(self, value: float, found: set[int]) -> None:
        """Add the owners of the intervals `value` lies in."""
        if not self._tree:
            self._make_tree()
        tree, node = self._tree, self._piece(value)
        node += len(tree) // 2
        while node:
            if owners := tree[node]:
                found |= owners
            node >>= 1

    def _piece(self, value: float) -> int:
        """Even pieces lie between two points, odd ones are the points themselves."""
        index = bisect_left(self._points, value)
        return 2 * index + (index < len(self._points) and self._points[index] == value)

    def _make_tree(self) -> None:
        self._points = sorted({bound for interval in self._intervals for bound in interval})
        pieces = 2 * len(self._points) + 1
        tree: list[set[int] | None] = [None] * (2 * pieces)
        self._tree = tree
        for (bottom, top), owners in self._intervals.items():
            left, right = pieces + self._piece(bottom), pieces + self._piece(top) + 1
            while left < right:
                if left & 1:
                    _include(tree, left, owners)
                    left += 1
                if right & 1:
                    right -= 1
                    _include(tree, right, owners)
                left >>= 1
                right >>= 1


def _include(tree: list[set[int] | None], node: int, owners: set[int]) -> None:
    known = tree[node]
    if known is None:
        tree[node] = set(owners)
    else:
        known |= owners

"""The part of JSONPath that InputPath and InputPathsMap take: names, array indices, wildcards (SRC-44)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

MISSING: Final = object()
"""What a path finds that leads nowhere."""

_STEP: Final = re.compile(r"\.(?P<name>[^.\[\]*]+)|\.\*|\[\*\]|\[(?P<index>\d+)\]|\['(?P<quoted>[^']+)'\]")

_Step = str | int | None
"""A name, an index, or None = all there are."""


def read_path(text: str) -> tuple[_Step, ...]:
    """The steps below the whole event, `$`. Raises: ValueError for what is no such path."""
    if not text.startswith("$"):
        raise ValueError("a path begins with $")
    steps: list[_Step] = []
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(f"{text[at:]!r} is neither .name, [index], .* nor [*]")
        steps.append(_step(step))
        at = step.end()
    return tuple(steps)


def find(path: tuple[_Step, ...], document: Any) -> Any:
    """What is there, or MISSING; with a wildcard on the way, a list of all that match."""
    if None in path:
        return list(_all([document], path))
    for step in path:
        document = _one(document, step)
    return document


def _step(step: re.Match[str]) -> _Step:
    if (index := step["index"]) is not None:
        return int(index)
    return step["name"] if step["quoted"] is None else step["quoted"]


def _one(node: Any, step: _Step) -> Any:
    match node, step:
        case dict(), str():
            return node.get(step, MISSING)
        case list(), int() if step < len(node):
            return node[step]
        case _:
            return MISSING


def _all(nodes: Iterable[Any], path: tuple[_Step, ...]) -> Iterator[Any]:
    for step in path:
        if step is not None:
            nodes = [_one(node, step) for node in nodes]
        else:
            nodes = [child for node in nodes for child in _children(node)]
        nodes = [node for node in nodes if node is not MISSING]
    yield from nodes


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()

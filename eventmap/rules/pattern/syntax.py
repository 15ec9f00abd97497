"""Pattern text into branches: every `$or` multiplied out, fields under their dotted names (FIL-40, FIL-47, FIL-62)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final, NoReturn

from eventmap.errors import InvalidPattern
from eventmap.model import JsonObject
from eventmap.rules.pattern.alternatives import Alternative, AnythingButLike, Wildcard
from eventmap.rules.pattern.document import MAXIMUM_DEPTH, reject_constant
from eventmap.rules.pattern.numbers import Number
from eventmap.rules.pattern.operators import OPERATORS, Members, read_alternative
from eventmap.rules.pattern.wildcard import MAXIMUM_COMPLEXITY, TOO_COMPLEX, complexity

MAXIMUM_BRANCHES: Final = 1000  # FIL-84
MAXIMUM_FIELDS: Final = 256  # per branch, as event-ruler

Branch = dict[str, tuple[Alternative, ...]]
"""Dotted field name → its alternatives. All fields of a branch must match; any one branch suffices."""

# Names that turn a `$or` into an ordinary key when they are used as field names inside it (FIL-62): every operator,
# every numeric comparison, and the ones reserved for later.
NOT_IN_OR: Final = OPERATORS | {
    "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after", "date-on-or-after",
    "date-before", "date-on-or-before", "in-date-range", "ip-address-in-range", "ip-address-not-in-range",
}  # fmt: skip


def read_pattern(pattern: str | bytes | JsonObject) -> list[Branch]:
    """Branches in the order they are written; never empty.

    Raises: InvalidPattern with event-ruler's reason, and the dotted field it is about.
    Rules: FIL-40, FIL-44, FIL-47, FIL-56, FIL-62..64, FIL-70, FIL-83, FIL-84.
    """
    tree = _parse(pattern)
    if not isinstance(tree, Members):
        raise InvalidPattern("Filter is not an object")
    try:
        branches = _Reader(or_is_a_field=False).read(tree)
    except InvalidPattern as refused:
        try:
            branches = _Reader(or_is_a_field=True).read(tree)
        except InvalidPattern:
            raise refused from None  # the first reading is what the author meant
    for branch in branches:
        if len(branch) > MAXIMUM_FIELDS:
            raise InvalidPattern(f"More than {MAXIMUM_FIELDS} fields")
        for field, alternatives in branch.items():
            if complexity(_wildcards(alternatives)) > MAXIMUM_COMPLEXITY:
                raise InvalidPattern(TOO_COMPLEX, field)
    return branches


def _parse(pattern: str | bytes | JsonObject) -> object:
    """Objects become `Members`, numbers keep their text. A dict takes the same way, through its text."""
    try:
        text = json.dumps(pattern) if isinstance(pattern, dict) else pattern
        return json.loads(
            text.decode() if isinstance(text, bytes) else text,
            object_pairs_hook=Members,
            parse_int=Number,
            parse_float=Number,
            parse_constant=reject_constant,
        )
    except RecursionError:
        _too_deep()
    except (ValueError, TypeError) as error:
        raise InvalidPattern(f"not JSON: {error}") from None


class _Reader:
    """One reading of a tree; `or_is_a_field` says whether `$or` is a name like any other."""

    def __init__(self, *, or_is_a_field: bool) -> None:
        self._or_is_a_field = or_is_a_field

    def read(self, tree: Members) -> list[Branch]:
        return self._read_object(tree, (), [{}], inside_or=False)

    def _read_object(
        self, node: Members, path: tuple[str, ...], branches: list[Branch], *, inside_or: bool
    ) -> list[Branch]:
        """`branches`, each with the fields of `node` added; a field that is already there is replaced."""
        if not node:
            raise InvalidPattern("Empty objects are not allowed", ".".join(path))
        if len(path) >= MAXIMUM_DEPTH:
            _too_deep()
        for name, child in node.items():
            field = ".".join((*path, name))
            if name == "$or" and not self._or_is_a_field:
                branches = self._read_or(child, path, branches)
            elif inside_or and name in NOT_IN_OR:
                raise InvalidPattern(f"{name} is Ruler reserved fieldName which cannot be used inside $or.", field)
            elif isinstance(child, Members):
                branches = self._read_object(child, (*path, name), branches, inside_or=inside_or)
            elif isinstance(child, list):
                alternatives = _read_leaf(child, field)
                branches = [{**branch, field: alternatives} for branch in branches]
            else:
                raise InvalidPattern(f'"{name}" must be an object or an array', field)
        return branches

    def _read_or(self, child: object, path: tuple[str, ...], branches: list[Branch]) -> list[Branch]:
        field = ".".join((*path, "$or"))
        if not isinstance(child, list):
            raise InvalidPattern("It must be an Array followed with $or.", field)
        if len(child) < 2:
            raise InvalidPattern("There must have at least 2 Objects in $or relationship.", field)
        multiplied: list[Branch] = []
        for choice in child:
            if not isinstance(choice, Members):
                raise InvalidPattern("Only JSON object is allowed in array of $or relationship.", field)
            multiplied += self._read_object(choice, path, branches, inside_or=True)
            if len(multiplied) > MAXIMUM_BRANCHES:
                raise InvalidPattern(f"More than {MAXIMUM_BRANCHES} combinations of $or", field)
        return multiplied


def _read_leaf(elements: list[object], field: str) -> tuple[Alternative, ...]:
    if not elements:
        raise InvalidPattern("Empty arrays are not allowed", field)
    return tuple(read_alternative(element, field) for element in elements)


def _wildcards(alternatives: Iterable[Alternative]) -> Iterator[tuple[Wildcard, ...]]:
    for alternative in alternatives:
        nested = alternative.operators if isinstance(alternative, AnythingButLike) else (alternative,)
        if wildcards := tuple(operator for operator in nested if isinstance(operator, Wildcard)):
            yield wildcards


def _too_deep() -> NoReturn:
    raise InvalidPattern(f"nested more than {MAXIMUM_DEPTH} levels deep")

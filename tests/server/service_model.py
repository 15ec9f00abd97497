"""Every member of every operation we serve, from botocore's model, against a table that says what becomes of it.

A table is `{operation: {member: fate}}`, where a fate is one of

- `honoured: test_a, test_b`: what it does is held by these tests, which must exist;
- `refused: what is answered`: a value that asks for something we do not do is answered by an error;
- `no effect: why`: it is taken and changes nothing, as documented.

What is `refused` or has `no effect` as a whole stands for all within it; what is honoured is listed leaf by leaf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import botocore.session

from tests.semantics import all_tests

Table = Mapping[str, Mapping[str, str]]

_FATE: Final = re.compile(r"(honoured|refused|no effect): (.+)", re.DOTALL)


def operations_of(service: str) -> set[str]:
    """The operations botocore knows of a service, such as `lambda` or `events`."""
    return set(_model(service).operation_names)


def members_of(service: str, operation: str) -> set[str]:
    """The leaves of an operation's input: `Tags`, `Topics[]`, `FilterCriteria.Filters[].Pattern`."""
    shape = _model(service).operation_model(operation).input_shape
    return set() if shape is None else set(_leaves(shape, "", frozenset()))


def check_table(service: str, table: Table) -> list[str]:
    """What is wrong with a table, a line each: a member it does not name, a fate it does not know, a test that is not.

    A member that this botocore does not have is fine: an older one has fewer.
    """
    tests, known = set(all_tests()), operations_of(service)
    problems = []
    for operation, fates in table.items():
        if operation not in known:
            problems.append(f"{operation} is no operation of {service}")
            continue
        problems += [
            f"{operation}.{member} is in botocore's model, and the table does not say what becomes of it"
            for member in sorted(members_of(service, operation))
            if not _is_covered(member, fates)
        ]
        problems += [f"{operation}.{member}: {said}" for member, fate in fates.items() for said in _doubts(fate, tests)]
    return problems


def body_with(service: str, operation: str, member: str) -> dict[str, Any]:
    """A request that gives a value, not an empty one, to one member of a table, a leaf or a structure, and no other."""
    shape = _model(service).operation_model(operation).input_shape
    path = [each for each in re.split(r"\.|(\[\]|\{\})", member) if each]
    return dict(_sample(shape, path))


def _sample(shape: Any, path: Sequence[str] = ()) -> Any:
    """Of what `path` leads to; without one, with all that a structure has."""
    match shape.type_name:
        case "structure":
            names = [path[0]] if path else [name for name, of in shape.members.items() if of.type_name != "structure"]
            return {name: _sample(shape.members[name], path[1:]) for name in names or shape.members}
        case "list":
            return [_sample(shape.member, path[1:])]
        case "map":
            return {"x": _sample(shape.value, path[1:])}
        case "boolean":
            return True
        case "integer" | "long" | "float" | "double":
            return shape.metadata.get("min", 1) or 1
        case "timestamp":
            return 1_700_000_000
        case "blob":
            return b"x"
        case _:
            return shape.enum[0] if shape.enum else "x" * max(1, shape.metadata.get("min", 1))


def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _leaves(shape: Any, path: str, above: frozenset[str]) -> Iterator[str]:
    """A map of plain values is a leaf, as is a structure without members, or one that contains itself."""
    kind = shape.type_name
    if kind == "structure" and shape.members and shape.name not in above:
        for name, member in shape.members.items():
            yield from _leaves(member, f"{path}.{name}" if path else name, above | {shape.name})
    elif kind == "list":
        yield from _leaves(shape.member, f"{path}[]", above)
    elif kind == "map" and shape.value.type_name in ("structure", "list"):
        yield from _leaves(shape.value, f"{path}{{}}", above)
    elif path:
        yield path


def _is_covered(member: str, fates: Mapping[str, str]) -> bool:
    if member in fates:
        return True
    wholes = [name for name, fate in fates.items() if not fate.startswith("honoured")]
    return any(member.startswith(name) and member[len(name)] in ".[{" for name in wholes if len(name) < len(member))


def _doubts(fate: str, tests: set[str]) -> Iterator[str]:
    match = _FATE.fullmatch(fate)
    if match is None:
        yield f"{fate!r} begins with none of honoured:, refused:, no effect:"
    elif match[1] == "honoured":
        yield from (f"there is no test {name}" for name in re.split(r",\s*", match[2]) if name not in tests)

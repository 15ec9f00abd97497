"""Which route takes a request: API Gateway's precedence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventmap.http_route import DEFAULT, HttpRoute, parameter_in
from eventmap.rules.http.request import decoded

_PLAIN, _PARAMETER, _REST = 0, 1, 2
_ANY: Final = "ANY"


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and what its path's parameters stand for, percent-decoded; {} = it has none."""

    route: HttpRoute
    parameters: Mapping[str, str]


@dataclass(slots=True)
class _Shape:
    """Routes that differ only in their method, or in how their parameters are called."""

    kinds: tuple[int, ...]
    texts: tuple[str, ...]  #: "" where there is a parameter
    routes: dict[str, tuple[HttpRoute, tuple[str, ...]]] = field(default_factory=dict)  #: names of parameters by method

    @property
    def takes_rest(self) -> bool:
        return self.kinds[-1:] == (_REST,)

    def match(self, method: str, segments: Sequence[str]) -> Match | None:
        found = self.routes.get(method) or self.routes.get(_ANY)
        if found is None:
            return None
        values = []
        for position, kind in enumerate(self.kinds):
            if kind == _PLAIN:
                if self.texts[position] != decoded(segments[position]):
                    return None
                continue
            value = segments[position] if kind == _PARAMETER else "/".join(segments[position:])
            if not value:
                return None
            values.append(decoded(value))
        route, names = found
        return Match(route, dict(zip(names, values, strict=True)))


class Routing:
    """Routes that do not collide. An exact path first, then one with parameters, then the rest of a path, the more of
    it written out the sooner; `$default` last. Of one path the method itself, then ANY; a path without either lets the
    next one have it.
    """

    def __init__(self, routes: Sequence[HttpRoute]) -> None:
        shapes: dict[tuple[tuple[int, ...], tuple[str, ...]], _Shape] = {}
        self._defaults: list[tuple[str, HttpRoute]] = []
        for route in routes:
            stage = "" if route.stage == DEFAULT else f"/{route.stage}"
            if route.path == DEFAULT:
                self._defaults.append((stage, route))
                continue
            kinds, texts, names = _read(stage + route.path)
            shape = shapes.setdefault((kinds, texts), _Shape(kinds, texts))
            shape.routes[route.method] = (route, names)
        self._defaults.sort(key=lambda default: -len(default[0]))
        ordered = sorted(shapes.values(), key=lambda shape: shape.kinds)
        self._exact = {shape.texts: shape for shape in ordered if not any(shape.kinds)}
        self._with_parameters: dict[int, list[_Shape]] = {}
        for shape in ordered:
            if any(shape.kinds) and not shape.takes_rest:
                self._with_parameters.setdefault(len(shape.kinds), []).append(shape)
        self._with_rest = [shape for shape in ordered if shape.takes_rest]

    def find(self, method: str, raw_path: str) -> Match | None:
        """`raw_path` is percent-encoded: an encoded slash is part of its segment. None = no route takes it."""
        segments = raw_path[1:].split("/")
        exact = self._exact.get(tuple(map(decoded, segments)))
        if exact is not None and (match := exact.match(method, segments)) is not None:
            return match
        for shape in self._with_parameters.get(len(segments), ()):
            if (match := shape.match(method, segments)) is not None:
                return match
        for shape in self._with_rest:
            if len(shape.kinds) <= len(segments) and (match := shape.match(method, segments)) is not None:
                return match
        for stage, route in self._defaults:
            if raw_path == stage or raw_path.startswith(f"{stage}/"):
                return Match(route, {})
        return None


def _read(path: str) -> tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]]:
    """(kinds, texts, names of the parameters) of a path's segments."""
    kinds, texts, names = [], [], []
    for segment in path[1:].split("/"):
        parameter = parameter_in(segment)
        if parameter is None:
            kinds.append(_PLAIN)
            texts.append(decoded(segment))
        else:
            name, takes_rest = parameter
            kinds.append(_REST if takes_rest else _PARAMETER)
            texts.append("")
            names.append(name)
    return tuple(kinds), tuple(texts), tuple(names)

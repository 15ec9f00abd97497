"""What was declared: the function that a mapping names, and what is declared beside queues and streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self

from eventmap.errors import ConfigurationError
from eventmap.event_rule import EventRule
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.schedule import Schedule
from eventmap.subscription import S3Notification, SnsSubscription


@dataclass(frozen=True, slots=True)
class Declared:
    """What brings events and requests by itself."""

    pushes: tuple[SnsSubscription | S3Notification, ...]
    schedules: tuple[Schedule, ...]
    rules: tuple[EventRule, ...]
    routes: tuple[HttpRoute, ...]

    @classmethod
    def of(cls, mappings: Iterable[object]) -> Self:
        """Those among the mappings of a service."""
        given = tuple(mappings)
        return cls(
            tuple(each for each in given if isinstance(each, SnsSubscription | S3Notification)),
            tuple(each for each in given if isinstance(each, Schedule)),
            tuple(each for each in given if isinstance(each, EventRule)),
            tuple(each for each in given if isinstance(each, HttpRoute)),
        )

    @property
    def is_any(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def declared_function(functions: Mapping[str, Function], name: str, source: str) -> Function:
    """`source` is what is mapped to it. Raises: ConfigurationError if there is no such function."""
    if name not in functions:
        raise ConfigurationError(f"mapping of {source!r} names function {name!r}, which is not declared")
    return functions[name]

"""The function that a mapping names."""

from __future__ import annotations

from collections.abc import Mapping

from eventmap.errors import ConfigurationError
from eventmap.function import Function


def declared_function(functions: Mapping[str, Function], name: str, source: str) -> Function:
    """`source` is what is mapped to it. Raises: ConfigurationError if there is no such function."""
    if name not in functions:
        raise ConfigurationError(f"mapping of {source!r} names function {name!r}, which is not declared")
    return functions[name]

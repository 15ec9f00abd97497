"""Pages of functions, versions, aliases and their settings."""

from __future__ import annotations

from collections.abc import Sequence

from eventmap.model import JsonObject
from eventmap.rules.paging import Query, after_marker, marker_of, page_size


def page(name: str, items: Sequence[tuple[str, JsonObject]], query: Query, *, limit: int = 50) -> JsonObject:
    """The answer with the items of one page under `name`, which come by keys that grow.

    Raises: InvalidParameterValue, ConstraintViolated.
    """
    number, after = page_size(query, limit), after_marker(query)
    left = [(key, item) for key, item in items if key > after]
    shown = left[: min(number, limit)]
    answer: JsonObject = {name: [item for _, item in shown]}
    if len(shown) < len(left):
        answer["NextMarker"] = marker_of(shown[-1][0])
    return answer

"""Which mappings a page of ListEventSourceMappings shows (API-03, 06, 14a)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from eventmap.rules.paging import Query, after_marker, marker_of, only, page_size

PAGE_LIMIT: Final = 100
"""Mappings on a page, however many are asked for."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What is asked for; "" = all."""

    source_arn: str
    function: str  #: as the caller named it
    after: str  #: the UUID that ended the page before; "" = none did
    limit: int


def read_list(query: Query) -> ListRequest:
    """Raises: InvalidParameterValue."""
    return ListRequest(
        only(query, "EventSourceArn"), only(query, "FunctionName"), after_marker(query), page_size(query, PAGE_LIMIT)
    )


def page(
    mappings: Mapping[str, tuple[str, str]], request: ListRequest, function_arn: str
) -> tuple[list[str], str | None]:
    """(the UUIDs on a page, the marker of the next; None = it was the last). `mappings` are the ARNs of each one's
    source and function by its UUID, in whose order they are listed; `function_arn` "" = of every function, and
    otherwise exactly that: an alias is another (API-14a)."""
    found = sorted(
        uuid
        for uuid, (source, function) in mappings.items()
        if uuid > request.after and request.source_arn in ("", source) and function_arn in ("", function)
    )
    limit = min(request.limit, PAGE_LIMIT)
    if len(found) <= limit:
        return found, None
    return found[:limit], marker_of(found[limit - 1])

"""Which mappings a page of ListEventSourceMappings shows (API-03, 06, 14a)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eventmap.errors import InvalidParameterValue
from eventmap.function import check_range

PAGE_LIMIT: Final = 100
"""Mappings on a page, however many are asked for."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What is asked for; "" = all."""

    source_arn: str
    function: str  #: as the caller named it
    after: str  #: the UUID that ended the page before; "" = none did
    limit: int


def read_list(query: Mapping[str, Sequence[str]]) -> ListRequest:
    """Raises: InvalidParameterValue."""
    limit = _one(query, "MaxItems")
    if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 20):
        raise InvalidParameterValue(f"MaxItems must be a whole number, not {limit!r}")
    check_range("maxItems", number := int(limit or PAGE_LIMIT), 1, 10_000)
    return ListRequest(
        _one(query, "EventSourceArn"), _one(query, "FunctionName"), _read_marker(_one(query, "Marker")), number
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
    return found[:limit], base64.urlsafe_b64encode(found[limit - 1].encode()).decode()


def _one(query: Mapping[str, Sequence[str]], name: str) -> str:
    values = query.get(name, ("",))
    if len(values) > 1:
        raise InvalidParameterValue(f"{name} is given {len(values)} times")
    return values[0]


def _read_marker(text: str) -> str:
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise InvalidParameterValue(f"Marker {text!r} is none that a page ended with") from None

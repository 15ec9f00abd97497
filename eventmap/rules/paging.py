"""Pages of lists in Lambda's API: how many items are asked for, and the marker that says where the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from eventmap.errors import InvalidParameterValue
from eventmap.function import check_range

Query = Mapping[str, Sequence[str]]


def only(query: Query, name: str) -> str:
    """A parameter that is given once, or not at all: "". Raises: InvalidParameterValue."""
    values = query.get(name, ("",))
    if len(values) > 1:
        raise InvalidParameterValue(f"{name} is given {len(values)} times")
    return values[0]


def page_size(query: Query, default: int) -> int:
    """MaxItems, 1..10,000. Raises: InvalidParameterValue, ConstraintViolated."""
    wanted = only(query, "MaxItems")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 20):
        raise InvalidParameterValue(f"MaxItems must be a whole number, not {wanted!r}")
    check_range("maxItems", number := int(wanted or default), 1, 10_000)
    return number


def marker_of(key: str) -> str:
    """The marker of a page that ends with that key, which is ASCII."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def after_marker(query: Query) -> str:
    """The key that ended the page before; "" = there was none. Raises: InvalidParameterValue."""
    text = only(query, "Marker")
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise InvalidParameterValue(f"Marker {text!r} is none that a page ended with") from None

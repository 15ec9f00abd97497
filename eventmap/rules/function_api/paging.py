"""Pages of lists: as many as are asked for, and a marker that says where the next begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from eventmap.errors import InvalidParameterValue
from eventmap.function import check_range
from eventmap.model import JsonObject


def page(
    name: str, items: Sequence[tuple[str, JsonObject]], query: Mapping[str, Sequence[str]], *, limit: int = 50
) -> JsonObject:
    """The answer with the items of one page under `name`, which come by keys that grow.

    Raises: InvalidParameterValue, ConstraintViolated.
    """
    wanted = _one(query, "MaxItems")
    if wanted and not (wanted.isascii() and wanted.isdigit()):
        raise InvalidParameterValue(f"MaxItems must be a whole number, not {wanted!r}")
    check_range("maxItems", number := int(wanted or limit), 1, 10_000)
    after = _read_marker(_one(query, "Marker"))
    left = [(key, item) for key, item in items if key > after]
    shown = left[: min(number, limit)]
    answer: JsonObject = {name: [item for _, item in shown]}
    if len(shown) < len(left):
        answer["NextMarker"] = base64.urlsafe_b64encode(shown[-1][0].encode()).decode()
    return answer


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

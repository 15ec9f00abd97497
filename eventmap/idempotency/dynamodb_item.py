"""An entry as an item of DynamoDB, in the shapes of the wire."""

from __future__ import annotations

import math
from typing import Any, Final

from eventmap.rules.idempotency import Claimed, Done, Entry, kept_until_s

Item = dict[str, Any]

KEY: Final = "id"
EXPIRATION: Final = "expiration"
"""When DynamoDB may delete the item by itself, whole seconds; it does so late, so nothing relies on it."""
TOKEN: Final = "token"  # noqa: S105  # an attribute's name
UNTIL: Final = "until"
CHECKSUM: Final = "checksum"
RESULT: Final = "result"


def to_item(key: str, entry: Entry) -> Item:
    item: Item = {
        KEY: {"S": key},
        TOKEN: {"S": entry.token},
        UNTIL: {"N": repr(entry.until_s)},
        EXPIRATION: {"N": str(math.ceil(kept_until_s(entry)))},
    }
    if entry.checksum:
        item[CHECKSUM] = {"S": entry.checksum}
    if isinstance(entry, Done):
        item[RESULT] = {"S": entry.result}
    return item


def from_item(item: Item) -> Entry:
    """Raises: ValueError."""
    try:
        token, until_s = str(item[TOKEN]["S"]), float(item[UNTIL]["N"])
        checksum = str(item[CHECKSUM]["S"]) if CHECKSUM in item else ""
        if RESULT not in item:
            return Claimed(token, until_s, checksum)
        return Done(token, until_s, str(item[RESULT]["S"]), checksum)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it has no readable {error}") from None


def size_bytes(item: Item) -> int:
    """At least what DynamoDB counts: names and texts in UTF-8, numbers as their digits."""
    return sum(
        len(name.encode()) + sum(len(str(text).encode()) for text in value.values()) for name, value in item.items()
    )

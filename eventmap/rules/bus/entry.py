"""One entry of PutEvents, read into an event, or refused by itself (SRC-41)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventmap.errors import BusRefusal
from eventmap.rules.bus.event import BusEvent, read_timestamp, timestamp
from eventmap.rules.bus.region import Region
from eventmap.rules.pattern.document import parse_document

SIZE_LIMIT_BYTES: Final = 262_144
"""Of all entries of a request together."""

DETAIL_TYPE_LIMIT: Final = 128
SOURCE_LIMIT: Final = 256

_TIME_BYTES: Final = 14
_RESERVED: Final = "aws."


@dataclass(frozen=True, slots=True)
class EntryError:
    """Why one entry failed, as PutEvents tells it."""

    code: str
    message: str


def check_size(entries: Sequence[Mapping[str, Any]]) -> None:
    """Raises: BusRefusal, for the whole request."""
    if sum(map(_size, entries)) > SIZE_LIMIT_BYTES:
        raise BusRefusal("ValidationException", "Total size of the entries in the request is over the limit.")


def read_entry(entry: Mapping[str, Any], region: Region, *, event_id: str, now: float) -> BusEvent | EntryError:
    """`entry` is of the right shape; `now` in epoch seconds. Whether there is such a bus is not asked."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return _invalid(name, f"{name} is a required argument.")
    source, detail_type, detail = entry["Source"], entry["DetailType"], entry["Detail"]
    if source.startswith(_RESERVED):
        return EntryError("NotAuthorizedForSourceException", "Not authorized for the source.")
    for name, text, limit in (("Source", source, SOURCE_LIMIT), ("DetailType", detail_type, DETAIL_TYPE_LIMIT)):
        if len(text) > limit:
            return _invalid(name, f"{name} must be {limit} characters or fewer.")
    if parse_document(detail) is None:
        return EntryError("MalformedDetail", "Detail is malformed.")
    return BusEvent(
        event_id=event_id,
        source=source,
        detail_type=detail_type,
        detail=detail,
        account=region.account_id,
        region=region.name,
        time=timestamp(now if (time := entry.get("Time")) is None else instant(time)),
        ingested_at=now,
        resources=tuple(entry.get("Resources") or ()),
        trace_id=entry.get("TraceHeader") or "",
    )


def instant(value: float | str) -> float:
    """A time in a request, epoch seconds or ISO 8601, as epoch seconds. Raises: BusRefusal."""
    try:
        return read_timestamp(value) if isinstance(value, str) else float(value)
    except ValueError:
        raise BusRefusal("SerializationException", f"{value!r} is no time") from None


def _invalid(name: str, reason: str) -> EntryError:
    return EntryError("InvalidArgument", f"Parameter {name} is not valid. Reason: {reason}")


def _size(entry: Mapping[str, Any]) -> int:
    """As AWS counts it."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + list(entry.get("Resources") or ())
    return (_TIME_BYTES if entry.get("Time") is not None else 0) + sum(len(text.encode()) for text in texts)

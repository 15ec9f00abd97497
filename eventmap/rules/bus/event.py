"""BusEvent: one event on a bus, and how its targets see it (SRC-40)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from eventmap.model import JsonObject
from eventmap.rules.pattern.document import parse_document


@dataclass(frozen=True, slots=True, kw_only=True)
class BusEvent:
    """An event that a bus took; never changed in place."""

    event_id: str
    source: str
    detail_type: str
    detail: str  #: JSON text of an object, as its sender wrote it: nothing is lost by reading and writing it again
    account: str
    region: str
    time: str  #: when it happened, as its sender says: 2026-01-31T12:00:00Z
    ingested_at: float  #: when the bus took it, epoch seconds
    resources: tuple[str, ...] = ()
    replay_name: str | None = None  #: of the replay that brought it; None = it is the event itself
    trace_id: str = ""  #: `X-Amzn-Trace-Id` of its sender; "" = none
    hops: int = 0  #: buses it came through before this one

    def text(self) -> bytes:
        """The whole event as JSON text, its members in AWS' order."""
        return orjson.dumps(self._members(orjson.Fragment(self.detail)))

    def document(self) -> JsonObject:
        """The same, parsed: what patterns and paths look at."""
        return self._members(parse_document(self.detail) or {})

    def packed(self) -> bytes:
        """All of it as text, for a store."""
        return orjson.dumps(self)

    def _members(self, detail: Any) -> JsonObject:
        members: dict[str, Any] = {
            "version": "0",
            "id": self.event_id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time,
            "region": self.region,
        }
        if self.replay_name is not None:
            members["replay-name"] = self.replay_name
        return members | {"resources": list(self.resources), "detail": detail}


def unpacked(text: bytes) -> BusEvent:
    """Raises: ValueError, TypeError, KeyError for text that `packed` did not write."""
    members = orjson.loads(text)
    return BusEvent(**{**members, "resources": tuple(members["resources"])})


def event_of(text: bytes, now: float) -> BusEvent:
    """An event that a service wrote, such as a scheduled run. Raises: ValueError, KeyError, TypeError for others."""
    members = orjson.loads(text)
    return BusEvent(
        event_id=members["id"],
        source=members["source"],
        detail_type=members["detail-type"],
        detail=orjson.dumps(members["detail"]).decode(),
        account=members["account"],
        region=members["region"],
        time=members["time"],
        ingested_at=now,
        resources=tuple(members["resources"]),
    )


def replayed(event: BusEvent, replay_name: str, now: float) -> BusEvent:
    """An archived event as a replay brings it to the bus: the same, with the replay's name."""
    return replace(event, replay_name=replay_name, ingested_at=now, hops=0)


def timestamp(at: float) -> str:
    """Epoch seconds as events write them: whole seconds, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_timestamp(text: str) -> float:
    """Raises: ValueError."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()

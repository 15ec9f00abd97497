"""EventBridge's events, as a function gets them (SRC-40, 78)."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from eventmap.model import JsonObject
from eventmap.rules.bus.event import BusEvent
from eventmap.rules.schedule import event as scheduled
from eventmap.testing.events.content import text_of
from eventmap.testing.origin import HERE, Origin


def event_bridge(
    source: str, detail_type: str, detail: JsonObject, *, resources: Iterable[str] = (), origin: Origin = HERE
) -> JsonObject:
    """An event of a bus, as a rule without Input hands it on."""
    sent = BusEvent(
        event_id=origin.uuid("event"),
        source=source,
        detail_type=detail_type,
        detail=text_of(detail),
        account=origin.account_id,
        region=origin.region,
        time=origin.iso("seconds"),
        ingested_at=origin.at.timestamp(),
        resources=tuple(resources),
    )
    event: JsonObject = orjson.loads(sent.text())
    return event


def schedule(name: str = "nightly", *, of_scheduler: bool = False, origin: Origin = HERE) -> JsonObject:
    """What a rule's schedule sends, or one `of_scheduler`, without Input; `origin.at` is when the run was due."""
    run = scheduled.run_at(origin.uuid("schedule"), int(origin.at.timestamp()))
    place = scheduled.Origin(name, origin.region, origin.account_id, of_scheduler)
    event: JsonObject = orjson.loads(scheduled.scheduled_event(run, place))
    return event

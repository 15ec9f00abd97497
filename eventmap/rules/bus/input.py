"""What one target is sent of an event (SRC-44)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from eventmap.model import JsonObject
from eventmap.rules.bus.event import BusEvent
from eventmap.rules.bus.json_path import MISSING, find, read_path
from eventmap.rules.bus.target import BusTarget
from eventmap.rules.bus.template import InvalidOutput, Template, fill


def body_of(event: BusEvent, target: BusTarget, rule_arn: str) -> bytes:
    """JSON text, or, to a queue or a topic, whatever text the template makes. An InputPath that leads nowhere is null.

    Raises: InvalidOutput for a template that does not become JSON where JSON is needed.
    """
    if target.input is not None:
        return target.input.encode()
    if target.input_path is not None:
        found = find(read_path(target.input_path), event.document())
        return orjson.dumps(None if found is MISSING else found)
    template = target.template
    if template is None:
        return event.text()
    body = fill(template, _values(template, event, target, rule_arn))
    if target.kind == "function":
        _check_json(body)
    return body


def bus_entry(event: BusEvent, bus_arn: str) -> bytes:
    """The event as an entry of PutEvents, for a bus elsewhere."""
    entry: dict[str, Any] = {
        "Source": event.source,
        "DetailType": event.detail_type,
        "Detail": event.detail,
        "Resources": list(event.resources),
        "Time": event.time,
        "EventBusName": bus_arn,
    }
    return orjson.dumps(entry | ({"TraceHeader": event.trace_id} if event.trace_id else {}))


def _values(template: Template, event: BusEvent, target: BusTarget, rule_arn: str) -> dict[str, Any]:
    document, paths = event.document(), target.input_paths_map or {}
    return {
        name: find(read_path(paths[name]), document) if name in paths else _predefined(name, event, document, rule_arn)
        for name in template.names
    }


def _predefined(name: str, event: BusEvent, document: JsonObject, rule_arn: str) -> Any:
    match name:
        case "aws.events.rule-arn":
            return rule_arn
        case "aws.events.rule-name":
            return rule_arn.rpartition("/")[2]
        case "aws.events.event.ingestion-time":
            return _ingestion_time(event)
        case "aws.events.event":
            return {
                "id": event.event_id,
                "account": event.account,
                "detailType": event.detail_type,
                "time": _ingestion_time(event),
                "source": event.source,
                "region": event.region,
                "resources": list(event.resources),
                "version": "0",
            }
        case _:
            return orjson.Fragment(event.text())


def _ingestion_time(event: BusEvent) -> str:
    at = datetime.fromtimestamp(event.ingested_at, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _check_json(body: bytes) -> None:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidOutput(f"the filled InputTemplate is not JSON, which a function needs: {error}") from None

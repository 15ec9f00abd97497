"""CreateEventBus, UpdateEventBus, DescribeEventBus, DeleteEventBus, ListEventBuses."""

from __future__ import annotations

from dataclasses import replace

from eventmap.errors import BusRefusal
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import Bus, Definitions
from eventmap.rules.bus.operations.operation import Answered, Request, page, refused, said
from eventmap.rules.bus.operations.tags import read_tag_list
from eventmap.rules.bus.region import DEFAULT_BUS


def create_event_bus(definitions: Definitions, request: Request, now: float) -> Answered:
    name = request["Name"]
    if "/" in name:
        raise refused(f"Parameter Name is not valid. Reason: {name} has a slash, as only partners' buses have.")
    if name in definitions.buses:
        raise BusRefusal("ResourceAlreadyExistsException", f"Event bus {name} already exists.")
    arn = definitions.region.bus_arn(name)
    bus = Bus(name=name, created_at=now, modified_at=now, description=request.get("Description"))
    changed = definitions.with_bus(bus).with_tags(arn, read_tag_list(request.get("Tags") or ()))
    return changed, said(EventBusArn=arn, Description=bus.description)


def update_event_bus(definitions: Definitions, request: Request, now: float) -> Answered:
    bus = definitions.bus(request.get("Name") or DEFAULT_BUS)
    if (description := request.get("Description")) is not None:
        bus = replace(bus, description=description, modified_at=now)
    answer = said(Name=bus.name, Arn=definitions.region.bus_arn(bus.name), Description=bus.description)
    return definitions.with_bus(bus), answer


def describe_event_bus(definitions: Definitions, request: Request, _now: float) -> Answered:
    return definitions, _listed(definitions, definitions.bus(definitions.region.bus_of(request.get("Name"))))


def delete_event_bus(definitions: Definitions, request: Request, _now: float) -> Answered:
    """One that is not there is fine."""
    name = request["Name"]
    if name == DEFAULT_BUS:
        raise refused("Cannot delete event bus default.")
    if definitions.rules_of(name):
        raise refused(f"Event bus {name} can't be deleted since it has rules.")
    return definitions.without_bus(name), {}


def list_event_buses(definitions: Definitions, request: Request, _now: float) -> Answered:
    prefix = request.get("NamePrefix") or ""
    buses = sorted(definitions.buses.items())
    return definitions, page(
        request, [(name, _listed(definitions, bus)) for name, bus in buses if name.startswith(prefix)], "EventBuses"
    )


def _listed(definitions: Definitions, bus: Bus) -> JsonObject:
    return said(
        Name=bus.name,
        Arn=definitions.region.bus_arn(bus.name),
        Description=bus.description,
        CreationTime=bus.created_at,
        LastModifiedTime=bus.modified_at,
    )

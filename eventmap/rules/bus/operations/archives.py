"""CreateArchive, UpdateArchive, DescribeArchive, DeleteArchive, ListArchives.

How much an archive holds is no part of the definitions: who answers adds EventCount and SizeBytes.
"""

from __future__ import annotations

from dataclasses import replace

from eventmap.errors import BusRefusal
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import UNFINISHED, Archive, Definitions
from eventmap.rules.bus.operations.operation import Answered, Request, check_one_filter, page, refused, said
from eventmap.rules.pattern import EventPattern


def create_archive(definitions: Definitions, request: Request, now: float) -> Answered:
    bus = definitions.bus(definitions.region.bus_of(request["EventSourceArn"])).name
    name = request["ArchiveName"]
    if name in definitions.archives:
        raise BusRefusal("ResourceAlreadyExistsException", f"Archive {name} already exists.")
    archive = _changed(Archive(name=name, bus=bus, created_at=now), request)
    return definitions.with_archive(archive), _answer(definitions, archive)


def update_archive(definitions: Definitions, request: Request, _now: float) -> Answered:
    """What the request does not say stays as it is."""
    archive = _changed(definitions.archive(request["ArchiveName"]), request)
    return definitions.with_archive(archive), _answer(definitions, archive)


def describe_archive(definitions: Definitions, request: Request, _now: float) -> Answered:
    archive = definitions.archive(request["ArchiveName"])
    more = said(
        ArchiveArn=definitions.region.archive_arn(archive.name),
        Description=archive.description,
        EventPattern=archive.event_pattern,
    )
    return definitions, _listed(definitions, archive) | more


def delete_archive(definitions: Definitions, request: Request, _now: float) -> Answered:
    """The events in it go with it."""
    name = definitions.archive(request["ArchiveName"]).name
    if any(each.archive == name and each.state in UNFINISHED for each in definitions.replays.values()):
        raise refused(f"Archive {name} can't be deleted since it is being replayed.")
    return definitions.without_archive(name), {}


def list_archives(definitions: Definitions, request: Request, _now: float) -> Answered:
    check_one_filter(request, "ListArchives")
    bus = None
    if (arn := request.get("EventSourceArn")) is not None:
        bus = definitions.bus(definitions.region.bus_of(arn)).name
    found = [
        (name, _listed(definitions, archive))
        for name, archive in sorted(definitions.archives.items())
        if name.startswith(request.get("NamePrefix") or "")
        and bus in (None, archive.bus)
        and request.get("State") in (None, "ENABLED")
    ]
    return definitions, page(request, found, "Archives")


def _changed(archive: Archive, request: Request) -> Archive:
    """Raises: InvalidPattern."""
    pattern, retention = request.get("EventPattern"), request.get("RetentionDays")
    if pattern:
        EventPattern(pattern)
    return replace(
        archive,
        event_pattern=archive.event_pattern if pattern is None else pattern or None,
        retention_days=archive.retention_days if retention is None else retention,
        description=request.get("Description") or archive.description,
    )


def _answer(definitions: Definitions, archive: Archive) -> JsonObject:
    return {
        "ArchiveArn": definitions.region.archive_arn(archive.name),
        "State": "ENABLED",
        "CreationTime": archive.created_at,
    }


def _listed(definitions: Definitions, archive: Archive) -> JsonObject:
    return {
        "ArchiveName": archive.name,
        "EventSourceArn": definitions.region.bus_arn(archive.bus),
        "State": "ENABLED",
        "RetentionDays": archive.retention_days,
        "CreationTime": archive.created_at,
    }

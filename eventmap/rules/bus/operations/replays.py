"""StartReplay, DescribeReplay, CancelReplay, ListReplays."""

from __future__ import annotations

from dataclasses import replace

from eventmap.errors import BusRefusal
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import Definitions, Replay
from eventmap.rules.bus.entry import instant
from eventmap.rules.bus.operations.operation import Answered, Request, check_one_filter, page, refused, said


def start_replay(definitions: Definitions, request: Request, now: float) -> Answered:
    destination, name = request["Destination"], request["ReplayName"]
    bus = _bus(definitions, destination["Arn"])
    archive_name = _archive_name(definitions, request["EventSourceArn"])
    archive = definitions.archives.get(archive_name)
    if archive is None:
        raise _invalid("EventSourceArn", f"Archive {archive_name} does not exist.")
    if archive.bus != bus:
        raise _invalid("Destination.Arn", "Cross event bus replay is not permitted.")
    start, end = instant(request["EventStartTime"]), instant(request["EventEndTime"])
    if start >= end:
        raise _invalid("EventEndTime", "EventStartTime must be before EventEndTime.")
    if name in definitions.replays:
        raise BusRefusal("ResourceAlreadyExistsException", f"Replay {name} already exists.")
    rule_arns = tuple(destination.get("FilterArns") or ())
    known = {definitions.rule_arn(rule) for rule in definitions.rules_of(bus)}
    for arn in rule_arns:
        if arn not in known:
            raise _invalid("Destination.FilterArns", f"Rule {arn} does not exist on EventBus {bus}.")
    replay = Replay(
        name=name,
        archive=archive_name,
        bus=bus,
        start_time=start,
        end_time=end,
        started_at=now,
        rule_arns=rule_arns,
        description=request.get("Description"),
    )
    answer = said(ReplayArn=definitions.region.replay_arn(name), State=replay.state, ReplayStartTime=now)
    return definitions.with_replay(replay), answer


def describe_replay(definitions: Definitions, request: Request, _now: float) -> Answered:
    replay = definitions.replay(request["ReplayName"])
    more = said(
        ReplayArn=definitions.region.replay_arn(replay.name),
        Description=replay.description,
        Destination=said(Arn=definitions.region.bus_arn(replay.bus), FilterArns=list(replay.rule_arns) or None),
    )
    return definitions, _listed(definitions, replay) | more


def cancel_replay(definitions: Definitions, request: Request, _now: float) -> Answered:
    """What was replayed up to now stays so."""
    replay = definitions.replay(request["ReplayName"])
    if replay.state not in ("STARTING", "RUNNING"):
        raise BusRefusal("IllegalStatusException", f"Replay {replay.name} is not in a valid state for this operation.")
    changed = definitions.with_replay(replace(replay, state="CANCELLING"))
    return changed, {"ReplayArn": definitions.region.replay_arn(replay.name), "State": "CANCELLING"}


def list_replays(definitions: Definitions, request: Request, _now: float) -> Answered:
    check_one_filter(request, "ListReplays")
    arn = request.get("EventSourceArn")
    archive = None if arn is None else _archive_name(definitions, arn)
    found = [
        (name, _listed(definitions, replay))
        for name, replay in sorted(definitions.replays.items())
        if name.startswith(request.get("NamePrefix") or "")
        and request.get("State") in (None, replay.state)
        and archive in (None, replay.archive)
    ]
    return definitions, page(request, found, "Replays")


def _bus(definitions: Definitions, arn: str) -> str:
    if ":event-bus/" not in arn:
        raise _invalid("Destination.Arn", "Must contain an event bus ARN.")
    return definitions.bus(definitions.region.bus_of(arn)).name


def _archive_name(definitions: Definitions, arn: str) -> str:
    prefix = definitions.region.archive_arn("")
    if not arn.startswith(prefix):
        raise _invalid("EventSourceArn", "Must contain an archive ARN.")
    return arn.removeprefix(prefix)


def _listed(definitions: Definitions, replay: Replay) -> JsonObject:
    return said(
        ReplayName=replay.name,
        EventSourceArn=definitions.region.archive_arn(replay.archive),
        State=replay.state,
        StateReason=replay.state_reason,
        EventStartTime=replay.start_time,
        EventEndTime=replay.end_time,
        EventLastReplayedTime=replay.last_event_time,
        ReplayStartTime=replay.started_at,
        ReplayEndTime=replay.ended_at,
    )


def _invalid(member: str, reason: str) -> BusRefusal:
    return refused(f"Parameter {member} is not valid. Reason: {reason}")

"""PutRule, DeleteRule, DescribeRule, ListRules, EnableRule, DisableRule, TestEventPattern (SRC-42, 43)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from eventmap.errors import InvalidSchedule
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import BusRule, Definitions, RuleState
from eventmap.rules.bus.operations.operation import Answered, Request, page, refuse_managed, refused, said
from eventmap.rules.bus.operations.tags import read_tag_list
from eventmap.rules.bus.region import DEFAULT_BUS
from eventmap.rules.pattern import EventPattern
from eventmap.rules.pattern.document import parse_document
from eventmap.rules.schedule.expression import At, parse_expression

_EVENT_MEMBERS: Final = ("id", "account", "source", "time", "region", "resources", "detail-type")


def put_rule(definitions: Definitions, request: Request, _now: float) -> Answered:
    """What a rule was is not kept where the request does not say it again; its targets are, and its tags."""
    bus, name = definitions.region.bus_of(request.get("EventBusName")), request["Name"]
    definitions.bus(bus)
    pattern, schedule = request.get("EventPattern") or None, request.get("ScheduleExpression") or None
    if pattern is None and schedule is None:
        raise refused("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if pattern is not None:
        EventPattern(pattern)
    if schedule is not None:
        _check_schedule(schedule, bus)
    former = definitions.rules.get((bus, name))
    if former is not None:
        refuse_managed(former)
    rule = BusRule(
        name=name,
        bus=bus,
        event_pattern=pattern,
        schedule_expression=schedule,
        state=request.get("State") or "ENABLED",
        description=request.get("Description"),
        role_arn=request.get("RoleArn"),
        targets=() if former is None else former.targets,
    )
    changed = definitions.with_rule(rule)
    if former is None:
        changed = changed.with_tags(definitions.rule_arn(rule), read_tag_list(request.get("Tags") or ()))
    return changed, {"RuleArn": definitions.rule_arn(rule)}


def delete_rule(definitions: Definitions, request: Request, _now: float) -> Answered:
    """One that is not there is fine."""
    bus = definitions.region.bus_of(request.get("EventBusName"))
    definitions.bus(bus)
    if (rule := definitions.rules.get((bus, request["Name"]))) is None:
        return definitions, {}
    refuse_managed(rule)
    if rule.targets:
        raise refused("Rule can't be deleted since it has targets.")
    return definitions.without_rule(rule), {}


def describe_rule(definitions: Definitions, request: Request, _now: float) -> Answered:
    rule = _found(definitions, request)
    return definitions, _listed(definitions, rule) | {"CreatedBy": definitions.region.account_id}


def list_rules(definitions: Definitions, request: Request, _now: float) -> Answered:
    bus = definitions.region.bus_of(request.get("EventBusName"))
    definitions.bus(bus)
    prefix = request.get("NamePrefix") or ""
    rules = [rule for rule in definitions.rules_of(bus) if rule.name.startswith(prefix)]
    return definitions, page(request, [(rule.name, _listed(definitions, rule)) for rule in rules], "Rules")


def enable_rule(definitions: Definitions, request: Request, _now: float) -> Answered:
    return _with_state(definitions, request, "ENABLED")


def disable_rule(definitions: Definitions, request: Request, _now: float) -> Answered:
    return _with_state(definitions, request, "DISABLED")


def match_event_pattern(definitions: Definitions, request: Request, _now: float) -> Answered:
    pattern, event = EventPattern(request["EventPattern"]), parse_document(request["Event"])
    if event is None:
        raise refused("Parameter Event is not valid. Reason: Event is not a JSON object.")
    for member in _EVENT_MEMBERS:
        if member not in event:
            raise refused(f"Parameter Event is not valid. Reason: {member} is a required member.")
    return definitions, {"Result": pattern.matches(event)}


def _with_state(definitions: Definitions, request: Request, state: RuleState) -> Answered:
    rule = _found(definitions, request)
    refuse_managed(rule)
    return definitions.with_rule(replace(rule, state=state)), {}


def _found(definitions: Definitions, request: Request) -> BusRule:
    return definitions.rule(definitions.region.bus_of(request.get("EventBusName")), request["Name"])


def _listed(definitions: Definitions, rule: BusRule) -> JsonObject:
    return said(
        Name=rule.name,
        Arn=definitions.rule_arn(rule),
        EventPattern=rule.event_pattern,
        ScheduleExpression=rule.schedule_expression,
        State=rule.state,
        Description=rule.description,
        RoleArn=rule.role_arn,
        ManagedBy=rule.managed_by,
        EventBusName=rule.bus,
    )


def _check_schedule(expression: str, bus: str) -> None:
    if bus != DEFAULT_BUS:
        raise refused("ScheduleExpression is supported only on the default event bus.")
    try:
        parsed = parse_expression(expression)
    except InvalidSchedule as error:
        raise refused(str(error)) from None
    if isinstance(parsed, At):
        raise refused("Parameter ScheduleExpression is not valid. at() is for EventBridge Scheduler.")

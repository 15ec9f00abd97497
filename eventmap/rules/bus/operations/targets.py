"""PutTargets, RemoveTargets, ListTargetsByRule, ListRuleNamesByTarget (SRC-42, 44..46)."""

from __future__ import annotations

from dataclasses import replace

from eventmap.errors import BusRefusal
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import BusRule, Definitions
from eventmap.rules.bus.operations.operation import Answered, Request, page, refuse_managed, said
from eventmap.rules.bus.target import TARGET_LIMIT, read_target, target_document


def put_targets(definitions: Definitions, request: Request, _now: float) -> Answered:
    """All of them or, as in AWS, none; a target of an id that is there is replaced."""
    rule = _found(definitions, request)
    refuse_managed(rule)
    targets = {target.target_id: target for target in rule.targets}
    for given in request["Targets"]:
        target = read_target(given)
        targets[target.target_id] = target
    if len(targets) > TARGET_LIMIT:
        raise BusRefusal("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    return definitions.with_rule(replace(rule, targets=tuple(targets.values()))), _failed([])


def remove_targets(definitions: Definitions, request: Request, _now: float) -> Answered:
    rule = _found(definitions, request)
    refuse_managed(rule)
    ids = set(request["Ids"])
    unknown = [each for each in request["Ids"] if each not in {target.target_id for target in rule.targets}]
    left = tuple(target for target in rule.targets if target.target_id not in ids)
    failures: list[JsonObject] = [
        {
            "TargetId": target_id,
            "ErrorCode": "ResourceNotFoundException",
            "ErrorMessage": f"Rule {rule.name} does not have a target with the Id {target_id}.",
        }
        for target_id in unknown
    ]
    return definitions.with_rule(replace(rule, targets=left)), _failed(failures)


def list_targets_by_rule(definitions: Definitions, request: Request, _now: float) -> Answered:
    targets = sorted(_found(definitions, request).targets, key=lambda target: target.target_id)
    return definitions, page(request, [(target.target_id, target_document(target)) for target in targets], "Targets")


def list_rule_names_by_target(definitions: Definitions, request: Request, _now: float) -> Answered:
    bus = definitions.region.bus_of(request.get("EventBusName"))
    definitions.bus(bus)
    names = [
        rule.name
        for rule in definitions.rules_of(bus)
        if any(target.arn == request["TargetArn"] for target in rule.targets)
    ]
    return definitions, page(request, [(name, name) for name in names], "RuleNames")


def _found(definitions: Definitions, request: Request) -> BusRule:
    return definitions.rule(definitions.region.bus_of(request.get("EventBusName")), request["Rule"])


def _failed(failures: list[JsonObject]) -> JsonObject:
    return said(FailedEntryCount=len(failures), FailedEntries=failures)

"""TagResource, UntagResource, ListTagsForResource: of buses and rules."""

from __future__ import annotations

from typing import Any

from eventmap.errors import BusRefusal
from eventmap.rules.bus.definitions import Definitions
from eventmap.rules.bus.operations.operation import Answered, Request, refuse_managed, refused
from eventmap.rules.bus.operations.tags import merged, read_tag_list, tag_list
from eventmap.rules.bus.region import DEFAULT_BUS
from eventmap.rules.tags import untagged


def tag_resource(definitions: Definitions, request: Request, _now: float) -> Answered:
    arn, tags = _found(definitions, request, is_change=True)
    return definitions.with_tags(arn, merged(tags, read_tag_list(request["Tags"]))), {}


def untag_resource(definitions: Definitions, request: Request, _now: float) -> Answered:
    arn, tags = _found(definitions, request, is_change=True)
    return definitions.with_tags(arn, untagged(tags, request["TagKeys"])), {}


def list_tags_for_resource(definitions: Definitions, request: Request, _now: float) -> Answered:
    _, tags = _found(definitions, request)
    return definitions, {"Tags": tag_list(tags)}


def _found(definitions: Definitions, request: Request, *, is_change: bool = False) -> tuple[str, Any]:
    """The ARN and the tags. Raises: BusRefusal, for a rule that is declared in code too if `is_change`."""
    arn, region = request["ResourceARN"], definitions.region
    prefix = region.rule_arn(DEFAULT_BUS, "")
    if (bus := region.local_bus(arn)) is not None:
        definitions.bus(bus)
    elif arn.startswith(prefix):
        rule_bus, _, name = arn.removeprefix(prefix).rpartition("/")
        rule = definitions.rule(rule_bus or DEFAULT_BUS, name)
        if is_change:
            refuse_managed(rule)
    elif ":archive/" in arn or ":replay/" in arn or not arn.startswith("arn:"):
        raise refused(f"Parameter {arn} is not valid. Reason: buses and rules have tags, and nothing else.")
    else:
        raise BusRefusal("ResourceNotFoundException", f"{arn} does not exist.")
    return arn, definitions.tags.get(arn, {})

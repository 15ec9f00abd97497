"""EventBridge's operations: each from definitions and a request to definitions and an answer.

A request has the shape that `rules.bus.requests` says. Raises, from every one: BusRefusal, InvalidPattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventmap.rules.bus.operations import archives, buses, replays, rules, tagging, targets
from eventmap.rules.bus.operations.operation import Operation

OPERATIONS: Final[Mapping[str, Operation]] = {
    "PutRule": rules.put_rule,
    "DeleteRule": rules.delete_rule,
    "DescribeRule": rules.describe_rule,
    "EnableRule": rules.enable_rule,
    "DisableRule": rules.disable_rule,
    "ListRules": rules.list_rules,
    "TestEventPattern": rules.match_event_pattern,
    "PutTargets": targets.put_targets,
    "RemoveTargets": targets.remove_targets,
    "ListTargetsByRule": targets.list_targets_by_rule,
    "ListRuleNamesByTarget": targets.list_rule_names_by_target,
    "CreateEventBus": buses.create_event_bus,
    "UpdateEventBus": buses.update_event_bus,
    "DescribeEventBus": buses.describe_event_bus,
    "DeleteEventBus": buses.delete_event_bus,
    "ListEventBuses": buses.list_event_buses,
    "CreateArchive": archives.create_archive,
    "UpdateArchive": archives.update_archive,
    "DescribeArchive": archives.describe_archive,
    "DeleteArchive": archives.delete_archive,
    "ListArchives": archives.list_archives,
    "StartReplay": replays.start_replay,
    "DescribeReplay": replays.describe_replay,
    "CancelReplay": replays.cancel_replay,
    "ListReplays": replays.list_replays,
    "TagResource": tagging.tag_resource,
    "UntagResource": tagging.untag_resource,
    "ListTagsForResource": tagging.list_tags_for_resource,
}
"""All but PutEvents, which changes no definition."""

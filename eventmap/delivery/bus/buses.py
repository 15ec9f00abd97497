"""Buses: which deliveries an event makes, by the definitions there are now."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from eventmap.delivery.bus.matching import PatternIndex
from eventmap.rules.bus.definitions import Archive, BusRule, Definitions
from eventmap.rules.bus.delivery import HOP_LIMIT, AttemptError, Delivery, new_delivery
from eventmap.rules.bus.event import BusEvent
from eventmap.rules.bus.taken import Taken

_Key = tuple[Literal["rule", "archive"], str]


class Buses:
    """One index of patterns for each bus, kept as `definitions` change."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions: Definitions = replace(definitions, buses={}, rules={}, archives={})
        self._indexes: dict[str, PatternIndex[_Key]] = {}
        self._archive_all: dict[str, set[str]] = {}  # by bus: archives without a pattern
        self.adopt(definitions)

    def adopt(self, definitions: Definitions) -> None:
        """From now on these. Their patterns were checked."""
        before, self.definitions = self.definitions, definitions
        for rule in before.rules.values():
            if definitions.rules.get(rule.key) is not rule:
                self._index(rule.bus).remove(("rule", rule.name))
        for archive in before.archives.values():
            if definitions.archives.get(archive.name) is not archive:
                self._index(archive.bus).remove(("archive", archive.name))
                self._archive_all.get(archive.bus, set()).discard(archive.name)
        for rule in definitions.rules.values():
            if before.rules.get(rule.key) is not rule:
                self._add_rule(rule)
        for archive in definitions.archives.values():
            if before.archives.get(archive.name) is not archive:
                self._add_archive(archive)

    def take(self, bus: str, event: BusEvent, *, only: frozenset[str] = frozenset()) -> Taken:
        """What is owed because of an event on a bus that exists; `only` these rules, by ARN, unless there are none.

        What a replay brings is not archived again.
        """
        definitions = self.definitions
        deliveries: list[Delivery] = []
        archives = [] if event.replay_name is not None else sorted(self._archive_all.get(bus, ()))
        for kind, name in self._index(bus).matching(event.document()):
            if kind == "rule":
                rule = definitions.rules[bus, name]
                if not only or definitions.rule_arn(rule) in only:
                    deliveries += self.deliveries(rule, event)
            elif event.replay_name is None:
                archives.append(name)
        return Taken(deliveries, [(archive, event) for archive in archives])

    def deliveries(self, rule: BusRule, event: BusEvent) -> list[Delivery]:
        """Of one event to the targets of one rule, whatever its pattern says."""
        arn = self.definitions.rule_arn(rule)
        return [new_delivery(event, arn, target) for target in rule.targets]

    def forward(self, delivery: Delivery) -> Taken | AttemptError | None:
        """What a bus of this region makes of a delivery to it; None = the target is not one."""
        bus = self.definitions.region.local_bus(delivery.target.arn) if delivery.target.kind == "bus" else None
        if bus is None:
            return None
        if bus not in self.definitions.buses:
            return AttemptError("NO_RESOURCE", f"Event bus {bus} does not exist.", False)
        if delivery.event.hops >= HOP_LIMIT:
            return AttemptError("INVALID_PARAMETER", f"the event has come through {HOP_LIMIT} buses already", False)
        return self.take(bus, replace(delivery.event, hops=delivery.event.hops + 1))

    def _index(self, bus: str) -> PatternIndex[_Key]:
        return self._indexes.setdefault(bus, PatternIndex())

    def _add_rule(self, rule: BusRule) -> None:
        if rule.event_pattern is not None and rule.is_enabled:
            self._index(rule.bus).add(("rule", rule.name), rule.event_pattern)

    def _add_archive(self, archive: Archive) -> None:
        if archive.event_pattern is None:
            self._archive_all.setdefault(archive.bus, set()).add(archive.name)
        else:
            self._index(archive.bus).add(("archive", archive.name), archive.event_pattern)

"""Definitions: all buses, rules, archives, replays and tags at one moment, as one immutable value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

from eventmap.errors import BusRefusal, ConfigurationError
from eventmap.rules.bus.region import DEFAULT_BUS, Region
from eventmap.rules.bus.target import BusTarget

K = TypeVar("K")
V = TypeVar("V")

RuleState = Literal["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]
ReplayState = Literal["STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"]

UNFINISHED: Final[frozenset[ReplayState]] = frozenset({"STARTING", "RUNNING", "CANCELLING"})
MANAGED_BY: Final = "eventmap"
"""Of a rule that is declared in code: the API shows it, and changes nothing about it."""

RuleKey = tuple[str, str]
"""Bus and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    name: str
    created_at: float  #: epoch seconds, as all below
    modified_at: float
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusRule:
    """At least one of pattern and schedule is there."""

    name: str
    bus: str = DEFAULT_BUS
    event_pattern: str | None = None  #: JSON text, which was checked
    schedule_expression: str | None = None
    state: RuleState = "ENABLED"
    description: str | None = None
    role_arn: str | None = None  #: without effect
    targets: tuple[BusTarget, ...] = ()  #: in the order in which they were added
    managed_by: str | None = None

    @property
    def key(self) -> RuleKey:
        return self.bus, self.name

    @property
    def is_enabled(self) -> bool:
        return self.state != "DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    name: str
    bus: str
    created_at: float
    event_pattern: str | None = None  #: JSON text; None = every event
    retention_days: int = 0  #: 0 = for ever
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    name: str
    archive: str
    bus: str
    start_time: float  #: of events by their `time`, this one included
    end_time: float  #: this one not
    started_at: float
    rule_arns: tuple[str, ...] = ()  #: only these rules; () = all
    description: str | None = None
    state: ReplayState = "STARTING"
    state_reason: str | None = None
    ended_at: float | None = None
    last_event_time: float | None = None  #: of the event that was replayed last
    position: int = 0  #: in the archive; what is at it or before was replayed


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """By name, or by bus and name. Every `with_…` and `without_…` returns another value."""

    region: Region
    buses: Mapping[str, Bus] = field(default_factory=dict)
    rules: Mapping[RuleKey, BusRule] = field(default_factory=dict)
    archives: Mapping[str, Archive] = field(default_factory=dict)
    replays: Mapping[str, Replay] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  #: by ARN; those without have none

    def bus(self, name: str) -> Bus:
        """Raises: BusRefusal."""
        if (bus := self.buses.get(name)) is None:
            raise BusRefusal("ResourceNotFoundException", f"Event bus {name} does not exist.")
        return bus

    def rule(self, bus: str, name: str) -> BusRule:
        """Raises: BusRefusal."""
        self.bus(bus)
        if (rule := self.rules.get((bus, name))) is None:
            raise BusRefusal("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {bus}.")
        return rule

    def rules_of(self, bus: str) -> list[BusRule]:
        """By name."""
        return sorted((rule for rule in self.rules.values() if rule.bus == bus), key=lambda rule: rule.name)

    def archive(self, name: str) -> Archive:
        """Raises: BusRefusal."""
        if (archive := self.archives.get(name)) is None:
            raise BusRefusal("ResourceNotFoundException", f"Archive {name} does not exist.")
        return archive

    def replay(self, name: str) -> Replay:
        """Raises: BusRefusal."""
        if (replay := self.replays.get(name)) is None:
            raise BusRefusal("ResourceNotFoundException", f"Replay {name} does not exist.")
        return replay

    def rule_arn(self, rule: BusRule) -> str:
        return self.region.rule_arn(rule.bus, rule.name)

    def with_bus(self, bus: Bus) -> Definitions:
        return replace(self, buses={**self.buses, bus.name: bus})

    def without_bus(self, name: str) -> Definitions:
        gone = replace(self, buses=_without(self.buses, name))
        return gone.with_tags(self.region.bus_arn(name), {})

    def with_rule(self, rule: BusRule) -> Definitions:
        return replace(self, rules={**self.rules, rule.key: rule})

    def without_rule(self, rule: BusRule) -> Definitions:
        return replace(self, rules=_without(self.rules, rule.key)).with_tags(self.rule_arn(rule), {})

    def with_archive(self, archive: Archive) -> Definitions:
        return replace(self, archives={**self.archives, archive.name: archive})

    def without_archive(self, name: str) -> Definitions:
        return replace(self, archives=_without(self.archives, name))

    def with_replay(self, made: Replay) -> Definitions:
        return replace(self, replays={**self.replays, made.name: made})

    def with_tags(self, arn: str, tags: Mapping[str, str]) -> Definitions:
        """In place of those that it has; {} = none any more."""
        others = _without(self.tags, arn)
        return replace(self, tags={**others, arn: tags} if tags else others)

    def with_managed(self, rules: Iterable[BusRule], now: float) -> Definitions:
        """The rules that are declared in code, in place of those declared the last time. Buses are made for them.

        Raises: ConfigurationError for two of a name, or a name that the API has given to a rule.
        """
        found = self
        for rule in [rule for rule in self.rules.values() if rule.managed_by == MANAGED_BY]:
            found = found.without_rule(rule)
        for rule in rules:
            if rule.key in found.rules:
                raise ConfigurationError(
                    f"rule {rule.name!r} of event bus {rule.bus!r} is there already: give the declared one another name"
                )
            if rule.bus not in found.buses:
                found = found.with_bus(Bus(name=rule.bus, created_at=now, modified_at=now))
            found = found.with_rule(replace(rule, managed_by=MANAGED_BY))
        return found

    def with_default_bus(self, now: float) -> Definitions:
        """The default bus is always there."""
        if DEFAULT_BUS in self.buses:
            return self
        return self.with_bus(Bus(name=DEFAULT_BUS, created_at=now, modified_at=now))


def _without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    return {each: value for each, value in mapping.items() if each != key}

"""RecordedMapping: a mapping that was made by the API, as it is kept and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from eventmap.model import JsonObject
from eventmap.rules import configuration
from eventmap.rules.mapping_api.members import PolledMapping, mapping_of_members
from eventmap.rules.mapping_api.request import UpdateRequest
from eventmap.rules.mapping_api.source import Source
from eventmap.rules.mapping_api.states import SETTLED, State, settled_state, state_on_update, user_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMapping:
    """What survives a restart: the configuration, the state, and by both what is still to be done."""

    uuid: str
    source: Source
    source_arn: str
    function_arn: str  #: with the qualifier the caller gave
    function_name: str  #: which function's code runs
    enabled: bool  #: what the caller wants, or what became of it
    members: Mapping[str, Any]  #: AWS' spelling; those that were given
    tags: Mapping[str, str]
    state: State
    reason: str  #: StateTransitionReason
    problem: str = ""  #: what disabled it; "" = its caller, or it is not disabled
    last_modified_s: float

    @property
    def mapping(self) -> PolledMapping:
        """As the pollers take it. Raises: InvalidParameterValue, for values out of range or at odds."""
        return mapping_of_members(self.source, self.source_arn, self.function_name, self.members)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be done to get it where it is."""
        return self.state in SETTLED

    def updated(self, request: UpdateRequest, function: tuple[str, str] | None, now: float) -> RecordedMapping:
        """On its way to what was asked for; itself if nothing was that it is not already (API-13, 14, 14a, 58, 59).

        `function` = the name and ARN of the function asked for, None = the one it has.
        Raises: InvalidParameterValue, for values out of range or at odds.
        """
        name, arn = function or (self.function_name, self.function_arn)
        enabled = self.enabled if request.enabled is None else request.enabled
        wanted = replace(
            self, function_name=name, function_arn=arn, enabled=enabled, members=request.merged(self.members)
        )
        if (enabled, wanted.shown("")) == (self.enabled, self.shown("")):
            return self
        return replace(
            wanted,
            state=state_on_update(was_enabled=self.enabled, enabled=enabled),
            reason=user_reason(self.source),
            problem="",
            last_modified_s=now,
        )

    def deleting(self) -> RecordedMapping:
        """On its way out (API-60)."""
        return replace(self, state="Deleting", reason=user_reason(self.source))

    def settled(self) -> RecordedMapping:
        """Arrived where its transition led."""
        return replace(self, state=settled_state(enabled=self.enabled))

    def failed(self, why: str) -> RecordedMapping:
        """Cannot be polled, until a caller enables it again; not yet stopped (API-61, 62)."""
        return replace(self, state="Disabling", enabled=False, reason=why, problem=why)

    def shown(self, result: str) -> JsonObject:
        """EventSourceMappingConfiguration; `result` is the poller's LastProcessingResult."""
        answer = configuration.shown(
            self.mapping,
            uuid=self.uuid,
            source_arn=self.source_arn,
            function_arn=self.function_arn,
            last_modified_s=self.last_modified_s,
            state=self.state,
            reason=self.reason,
            result=f"PROBLEM: {self.problem}" if self.problem else result,
        )
        if metrics := self.members.get("MetricsConfig"):
            answer["MetricsConfig"] = metrics
        return answer

    def document(self) -> JsonObject:
        """As JSON."""
        return asdict(self)


def name_and_qualifier(function_arn: str) -> tuple[str, str]:
    """Of the ARN of a function; "" = unqualified."""
    name, _, qualifier = function_arn.split(":", 6)[6].partition(":")
    return name, qualifier


def recorded_mapping(document: Mapping[str, Any]) -> RecordedMapping:
    """Of its document. Raises: TypeError, KeyError or ConfigurationError for another one."""
    recorded = RecordedMapping(**{field.name: document[field.name] for field in fields(RecordedMapping)})
    _ = recorded.mapping
    return recorded

"""What a request of the API asks for (API-01, 04, 11..14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject
from eventmap.rules.mapping_api.members import POSITION, read_members
from eventmap.rules.mapping_api.source import Source, event_source_of
from eventmap.rules.tags import read_tags

_IMMUTABLE: Final = (*POSITION, "EventSourceArn", "Topics", "Queues", "SelfManagedEventSource")


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A mapping to be made."""

    source: Source
    source_arn: str
    function: str  #: as the caller named it
    enabled: bool
    members: Mapping[str, Any]  #: what `members.mapping_of_members` takes
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """A change of a mapping; None = that is not changed."""

    function: str | None
    enabled: bool | None
    members: Mapping[str, Any]  #: those to be replaced, None = to be removed

    def merged(self, members: Mapping[str, Any]) -> Mapping[str, Any]:
        """Members that were not named keep their values; those that were are replaced as a whole (API-13, 14)."""
        return {name: value for name, value in {**members, **self.members}.items() if value is not None}


def read_create(body: JsonObject) -> CreateRequest:
    """Raises: InvalidParameterValue."""
    source, arn = event_source_of(body)
    function = _function(body.get("FunctionName"))
    if function is None:
        raise InvalidParameterValue(
            "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: "
            "Member must not be null"
        )
    enabled = _enabled(body.get("Enabled"))
    members = read_members(_configuration(body, "EventSourceArn", "Tags"), source)
    return CreateRequest(
        source,
        arn,
        function,
        enabled=enabled is None or enabled,
        members={name: value for name, value in members.items() if value is not None},
        tags=read_tags(body.get("Tags")),
    )


def read_update(body: JsonObject, source: Source) -> UpdateRequest:
    """Raises: InvalidParameterValue; also for what cannot be changed after creation (API-12)."""
    for name in _IMMUTABLE:
        if body.get(name) is not None:
            raise InvalidParameterValue(f"{name} cannot be changed: delete the mapping, and create another")
    if body.get("Tags") is not None:
        raise InvalidParameterValue("Tags are changed by TagResource and UntagResource")
    # A caller of UpdateEventSourceMapping may repeat in the body what is in the path.
    members = read_members(_configuration(body, "UUID"), source)
    return UpdateRequest(_function(body.get("FunctionName")), _enabled(body.get("Enabled")), members)


def _configuration(body: JsonObject, *others: str) -> Mapping[str, Any]:
    return {name: value for name, value in body.items() if name not in ("FunctionName", "Enabled", *others)}


def _function(name: object) -> str | None:
    if name is not None and not isinstance(name, str):
        raise InvalidParameterValue(f"FunctionName must be a string, not {name!r}")
    return name


def _enabled(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise InvalidParameterValue(f"Enabled must be true or false, not {value!r}")
    return value

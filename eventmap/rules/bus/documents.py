"""Definitions as JSON documents by kind and key, as a store keeps them, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import Archive, Bus, BusRule, Definitions, Replay
from eventmap.rules.bus.region import Region
from eventmap.rules.bus.target import BusTarget

DocumentKey = tuple[str, str]
"""Kind and key."""

Documents = Mapping[DocumentKey, JsonObject]
Changes = Mapping[DocumentKey, JsonObject | None]
"""None = none any more."""

ARCHIVE: Final = "archive"


def documents_of(definitions: Definitions) -> dict[DocumentKey, JsonObject]:
    """All of them."""
    return {key: _document(value) for key, value in _values(definitions).items()}


def changes(before: Definitions, after: Definitions) -> dict[DocumentKey, JsonObject | None]:
    """What a store that has the one lacks of the other."""
    old, new = _values(before), _values(after)
    changed: dict[DocumentKey, JsonObject | None] = {
        key: _document(value)
        for key, value in new.items()
        if (was := old.get(key)) is not value and was != value  # most are the very same
    }
    return changed | dict.fromkeys(old.keys() - new.keys())


def definitions_of(documents: Documents, region: Region) -> Definitions:
    """Raises: TypeError, KeyError, AttributeError for documents that `documents_of` did not make."""
    read: dict[str, dict[str, Any]] = {kind: {} for kind in _READERS}
    for (kind, key), document in documents.items():
        read[kind][key] = _READERS[kind](document)
    return Definitions(
        region=region,
        buses=read["bus"],
        rules={rule.key: rule for rule in read["rule"].values()},
        archives=read[ARCHIVE],
        replays=read["replay"],
        tags=read["tags"],
    )


def _values(definitions: Definitions) -> dict[DocumentKey, Any]:
    return {
        **{("bus", name): bus for name, bus in definitions.buses.items()},
        **{("rule", f"{bus}\n{name}"): rule for (bus, name), rule in definitions.rules.items()},
        **{(ARCHIVE, name): archive for name, archive in definitions.archives.items()},
        **{("replay", name): replay for name, replay in definitions.replays.items()},
        **{("tags", arn): tags for arn, tags in definitions.tags.items()},
    }


def _document(value: object) -> JsonObject:
    document: JsonObject = orjson.loads(orjson.dumps(value))
    return document


def _rule(document: Any) -> BusRule:
    return BusRule(**{**document, "targets": tuple(BusTarget(**target) for target in document["targets"])})


def _replay(document: Any) -> Replay:
    return Replay(**{**document, "rule_arns": tuple(document["rule_arns"])})


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "bus": lambda document: Bus(**document),
    "rule": _rule,
    ARCHIVE: lambda document: Archive(**document),
    "replay": _replay,
    "tags": dict,
}

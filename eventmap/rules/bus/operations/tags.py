"""Tags as EventBridge's API writes them: a list of keys and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonValue
from eventmap.rules.bus.operations.operation import refused
from eventmap.rules.tags import read_tags, tagged


def read_tag_list(given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Raises: BusRefusal."""
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len(tags) < len(given):
        raise refused("Invalid parameter: Duplicated keys are not allowed.")
    return merged({}, tags)


def merged(tags: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """`new` replace those of the same keys. Raises: BusRefusal for what may be no tag, and for too many."""
    try:
        return tagged(tags, read_tags(new))
    except InvalidParameterValue as error:
        raise refused(str(error)) from None


def tag_list(tags: Mapping[str, str]) -> list[JsonValue]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]

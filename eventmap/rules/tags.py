"""Tags of a resource, and what AWS refuses in them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from eventmap.errors import InvalidParameterValue

TAG_LIMIT: Final = 50
KEY_LIMIT: Final = 128
VALUE_LIMIT: Final = 256


def read_tags(given: object) -> dict[str, str]:
    """The `Tags` of a request; {} where there are none. Raises: InvalidParameterValue."""
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise InvalidParameterValue(f"Tags must be an object of strings, not {given!r}")
    for key, value in given.items():
        if not 1 <= len(key) <= KEY_LIMIT:
            raise InvalidParameterValue(f"The tag key {key!r} must be 1 to {KEY_LIMIT} characters long")
        if len(value) > VALUE_LIMIT:
            raise InvalidParameterValue(f"The value of tag {key!r} must be at most {VALUE_LIMIT} characters long")
        if key.lower().startswith("aws:"):
            raise InvalidParameterValue(f"The tag key {key!r} begins with aws:, which is reserved for AWS")
    return _within_limit(dict(given))


def tagged(tags: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """`new` replace those of the same keys. Raises: InvalidParameterValue for too many."""
    return _within_limit({**tags, **new})


def untagged(tags: Mapping[str, str], keys: Sequence[str]) -> dict[str, str]:
    """Without those keys; one that is not there is fine."""
    return {key: value for key, value in tags.items() if key not in keys}


def _within_limit(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > TAG_LIMIT:
        raise InvalidParameterValue(f"A resource can have {TAG_LIMIT} tags at most; this would make {len(tags)}")
    return tags

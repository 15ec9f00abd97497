"""Tags, and what AWS refuses in them."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap.errors import InvalidParameterValue
from eventmap.rules.tags import KEY_LIMIT, TAG_LIMIT, VALUE_LIMIT, read_tags, tagged, untagged


def test_tags_at_their_limits() -> None:
    """None is none; an empty value is a value."""
    tags = {"k" * KEY_LIMIT: "v" * VALUE_LIMIT, "a": ""}

    assert read_tags(tags) == tags
    assert read_tags(None) == read_tags({}) == {}
    assert len(read_tags({f"t{number}": "" for number in range(TAG_LIMIT)})) == TAG_LIMIT


@pytest.mark.parametrize(
    "given",
    [
        7,
        ["a"],
        {"a": 1},
        {"": "v"},
        {"k" * (KEY_LIMIT + 1): "v"},
        {"k": "v" * (VALUE_LIMIT + 1)},
        {"aws:k": "v"},
        {"AWS:k": "v"},
        {f"t{number}": "" for number in range(TAG_LIMIT + 1)},
    ],
)
def test_tags_that_are_refused(given: Any) -> None:
    """Another shape, too long, reserved, too many."""
    with pytest.raises(InvalidParameterValue):
        read_tags(given)


def test_tags_are_added_and_removed() -> None:
    """Those of the same key are replaced; what is not there may be removed; the limit is of all."""
    before = {"a": "1", "b": "2"}

    assert tagged(before, {"b": "3", "c": "4"}) == {"a": "1", "b": "3", "c": "4"}
    assert untagged(before, ["b", "x"]) == {"a": "1"}
    assert before == {"a": "1", "b": "2"}
    with pytest.raises(InvalidParameterValue, match="50 tags at most; this would make 51"):
        tagged(before, {f"t{number}": "" for number in range(TAG_LIMIT - 1)})

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.local.items import TableKey, key_of, parse_item

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def back(value: dict[str, Any]) -> Any:
    """An attribute value as plain JSON."""
    [(type_, content)] = value.items()
    match type_:
        case "N":
            return int(content)
        case "NULL":
            return None
        case "L":
            return [back(each) for each in content]
        case "M":
            return {name: back(each) for name, each in content.items()}
    return content


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ('{"id": "a"}', {"id": {"S": "a"}}),
        ('{"id": 7, "n": 1.50, "e": -1e5}', {"id": {"N": "7"}, "n": {"N": "1.50"}, "e": {"N": "-1e5"}}),
        ('{"n": 12345678901234567890123.10}', {"n": {"N": "12345678901234567890123.10"}}),
        ('{"t": true, "f": false, "n": null}', {"t": {"BOOL": True}, "f": {"BOOL": False}, "n": {"NULL": True}}),
        ('{"l": [1, {"a": []}]}', {"l": {"L": [{"N": "1"}, {"M": {"a": {"L": []}}}]}}),
        ('{"id": {"N": "7"}, "s": {"SS": ["a", "b"]}}', {"id": {"N": "7"}, "s": {"SS": ["a", "b"]}}),
        ('{"b": {"B": "AP8="}, "l": {"L": [{"M": {"x": {"NULL": true}}}]}}', None),
        ('{"id": {"N": "seven"}}', {"id": {"M": {"N": {"S": "seven"}}}}),
        ('{"id": {"S": 7}}', {"id": {"M": {"S": {"N": "7"}}}}),
        ('{"id": {"N": "7"}, "plain": 1}', {"id": {"M": {"N": {"S": "7"}}}, "plain": {"N": "1"}}),
        ('{"s": {"SS": []}}', {"s": {"M": {"SS": {"L": []}}}}),
        ('{"b": {"B": "?"}}', {"b": {"M": {"B": {"S": "?"}}}}),
        ('{"n": {"NULL": false}}', {"n": {"M": {"NULL": {"BOOL": False}}}}),
    ],
)
def test_str_131_a_line_is_an_item(line: str, item: dict[str, Any] | None) -> None:
    """STR-131: plain values get types and keep their digits; an item that is typed throughout is taken as it is."""
    assert parse_item(line, 1) == (json.loads(line) if item is None else item)


@given(document=st.dictionaries(st.text(min_size=1, max_size=5), plain, min_size=1, max_size=4))
def test_str_131_a_plain_object_keeps_its_meaning(document: dict[str, Any]) -> None:
    """STR-131: typed and read back, nothing has changed, unless the object was typed already."""
    item = parse_item(json.dumps(document), 1)

    assert item == document or {name: back(value) for name, value in item.items()} == document


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("5", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        ("{}", "expected a JSON object"),
        ('{"n": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, reason: str) -> None:
    """The message names the line and what is wrong."""
    with pytest.raises(InvalidParameterValue) as refusal:
        parse_item(line, 17)

    assert str(refusal.value).startswith("line 17: ")
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ([], TableKey("id", "S")),
        (['{"name": "x", "id": 7}'], TableKey("id", "N")),
        (['{"name": "x", "n": 7}'], TableKey("name", "S")),
        (['{"tags": [1], "on": true, "n": 7}'], TableKey("n", "N")),
        (['{"id": [1], "n": 7}'], TableKey("n", "N")),
        (['{"b": {"B": "AP8="}}'], TableKey("b", "B")),
    ],
)
def test_the_key_is_id_or_the_first_attribute_that_can_be_one(lines: list[str], key: TableKey) -> None:
    """Text, numbers and binary values can be keys; no items make a table of texts called id."""
    assert key == key_of([(number, parse_item(line, number)) for number, line in enumerate(lines, 1)])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['{"id": 1}', '{"name": "x"}'], "line 2: every item needs the table's key 'id', of type N"),
        (['{"id": 1}', '{"id": "1"}'], "line 2: every item needs the table's key 'id', of type N"),
        (['{"id": ""}'], "line 1: the table's key 'id' is empty"),
        (['{"tags": []}'], "line 1: the item has no text, number or binary attribute"),
    ],
)
def test_an_item_without_the_key_is_refused_with_its_line(lines: list[str], reason: str) -> None:
    """Every item needs the key of the first one, with the same type."""
    items = [(number, parse_item(line, number)) for number, line in enumerate(lines, 1)]

    with pytest.raises(InvalidParameterValue) as refusal:
        key_of(items)

    assert str(refusal.value).startswith(reason)

"""RuleIndex: many patterns at once, with the answer of asking each of them in turn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidPattern
from eventmap.rules.pattern import EventPattern
from eventmap.rules.pattern.index import RuleIndex
from eventmap.rules.pattern.ranges import Ranges
from tests.event_ruler.generate import pairs
from tests.rules.test_pattern import DOCUMENTS, PATTERNS

RULES = 1500
EVENTS = 150


def valid(patterns: Iterator[str]) -> dict[int, EventPattern]:
    compiled: dict[int, EventPattern] = {}
    for number, pattern in enumerate(patterns):
        try:
            compiled[number] = EventPattern(pattern)
        except InvalidPattern:
            pass
    return compiled


def index_of(patterns: dict[int, EventPattern]) -> RuleIndex[int]:
    index: RuleIndex[int] = RuleIndex()
    for number, pattern in patterns.items():
        index.add(number, pattern)
    return index


def one_by_one(patterns: dict[int, EventPattern], event: str) -> list[int]:
    return [number for number, pattern in patterns.items() if pattern.matches(event)]


@pytest.mark.parametrize("seed", [11, 12])
def test_fil_41_index_answers_as_each_pattern_in_turn(seed: int) -> None:
    """Every operator, arrays, dots and `$or`, a thousand rules at once, before and after most of them are removed."""
    made = list(pairs(RULES, seed))
    patterns = valid(pattern for pattern, _ in made)
    index = index_of(patterns)
    events = [event for _, event in made[:EVENTS]]

    expected = [one_by_one(patterns, event) for event in events]
    assert expected == [index.matching(event) for event in events]
    assert expected == [index.matching(json.loads(event)) for event in events]
    assert sum(map(len, expected)) > EVENTS  # the patterns are not all about other events

    for number in list(patterns):
        if number % 4:
            index.remove(number)
            del patterns[number]
    assert [one_by_one(patterns, event) for event in events] == [index.matching(event) for event in events]
    assert len(patterns) == len(index)


ADDRESSED = st.sampled_from(["10.0.0.1", "x", "xx", "ax", "X", "a.x", 0, 1, 1.0, 2.5, True, None, -0.0, 2**53 + 1])


@given(
    st.lists(PATTERNS, max_size=8),
    st.lists(DOCUMENTS | st.dictionaries(st.sampled_from(["a", "b", "a.b"]), ADDRESSED), max_size=4),
    st.data(),
)
def test_fil_41_index_answers_as_each_pattern_whatever_comes_and_goes(
    patterns: list[dict[str, object]], documents: list[dict[str, object]], data: st.DataObject
) -> None:
    """Added, replaced and removed in any order, with questions in between; the order is that of the first adding."""
    index: RuleIndex[int] = RuleIndex()
    kept: dict[int, EventPattern] = {}
    for pattern in patterns:
        key = data.draw(st.integers(0, 4))
        kept[key] = EventPattern(pattern)  # type: ignore[arg-type]
        index.add(key, kept[key])
        if data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(kept)))
            index.remove(gone)
            del kept[gone]
        for document in documents:
            expected = [key for key, each in kept.items() if each.matches(document)]  # type: ignore[arg-type]
            assert expected == index.matching(document)  # type: ignore[arg-type]


class Counted(EventPattern):
    """A pattern that counts how often it is asked."""

    asked = 0

    def matches(self, event: object) -> bool:
        Counted.asked += 1
        return super().matches(event)  # type: ignore[arg-type]


SHARED = '{"source":["shop"],"detail":{%s}}'
FOUND = [
    ("exact", '"a":["x"]', {"a": "x"}, {"a": "y"}),
    ("exact_number", '"a":[300]', {"a": 300.0}, {"a": "300"}),
    ("exact_beyond_a_double", '"a":[9007199254740993]', {"a": 9007199254740993}, {"a": 9007199254740992}),
    ("exact_not_one", '"a":[true]', {"a": True}, {"a": 1}),
    ("exact_null", '"a":[null]', {"a": None}, {"a": "null"}),
    ("same_number_twice", '"a":[1, 1.0, true]', {"a": True}, {"a": 2}),
    ("prefix", '"a":[{"prefix":"ab"}]', {"a": "abc"}, {"a": "a"}),
    ("prefix_empty", '"a":[{"prefix":""}]', {"a": ""}, {"a": 5}),
    ("prefix_any_case", '"a":[{"prefix":{"equals-ignore-case":"AB"}}]', {"a": "abc"}, {"a": "a"}),
    ("suffix", '"a":[{"suffix":".png"}]', {"a": "i.png"}, {"a": "png."}),
    ("suffix_any_case", '"a":[{"suffix":{"equals-ignore-case":"G"}}]', {"a": "i.png"}, {"a": "p"}),
    ("any_case", '"a":[{"equals-ignore-case":"STRASSE"}]', {"a": "strasse"}, {"a": "str"}),
    ("wildcard_first", '"a":[{"wildcard":"a*"}]', {"a": "ab"}, {"a": "ba"}),
    ("wildcard_last", '"a":[{"wildcard":"*a"}]', {"a": "ba"}, {"a": "ab"}),
    ("wildcard_middle", '"a":[{"wildcard":"*a*"}]', {"a": "bab"}, {"a": "bb"}),
    ("wildcard_without_star", '"a":[{"wildcard":"ab"}]', {"a": "ab"}, {"a": "abc"}),
    ("range", '"a":[{"numeric":[">",1,"<=",2]}]', {"a": 2}, {"a": 1}),
    ("range_open_above", '"a":[{"numeric":[">=",1]}]', {"a": 1e300}, {"a": 0.9}),
    ("range_open_below", '"a":[{"numeric":["<",1]}]', {"a": -1e300}, {"a": 1}),
    ("range_of_one", '"a":[{"numeric":["=",1]}]', {"a": 1.0}, {"a": True}),
    ("anything_but", '"a":[{"anything-but":"x"}]', {"a": "y"}, {"b": 1}),
    ("anything_but_like", '"a":[{"anything-but":{"prefix":"x"}}]', {"a": 5}, {"a": "xy"}),
    ("cidr", '"a":[{"cidr":"10.0.0.0/8"}]', {"a": "10.1.1.1"}, {"a": "11.1.1.1"}),
    ("exists", '"a":[{"exists":true}]', {"a": [5]}, {"a": []}),
    ("absent", '"a":[{"exists":false}]', {"a": {}}, {"a": 1}),
    ("absent_or_value", '"a":[{"exists":false},"x"]', {"a": "x"}, {"a": "y"}),
    ("array", '"a":["x"]', {"a": ["y", [["x"]]]}, {"a": [["y"]]}),
    ("array_of_objects", '"a":{"b":["x"],"c":[1]}', {"a": [{"b": "x", "c": 1}]}, {"a": [{"b": "x"}, {"c": 1}]}),
    ("dotted_key", '"a":{"b":["x"]}', {"a.b": "x"}, {"a.b": {"b": "x"}}),
    ("dotted_pattern", '"a.b.c":["x"]', {"a.b": {"c": "x"}}, {"a": {"b": "x"}}),
    ("dots_alone", '"..":["x"]', {"": {".": "x"}}, {".": "x"}),
    ("or", '"$or":[{"a":["x"]},{"b":["y"]}]', {"b": "y"}, {"a": "y"}),
    ("or_absent", '"$or":[{"a":["x"]},{"b":[{"exists":false}]}]', {"a": "y"}, {"a": "y", "b": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("detail", "yes", "no"), [case[1:] for case in FOUND], ids=[case[0] for case in FOUND])
def test_fil_50_index_finds_every_kind_of_alternative(detail: str, yes: object, no: object) -> None:
    """Also where another rule holds the exact source, so that the field in question is what finds the rule."""
    index: RuleIndex[str] = RuleIndex()
    for number in range(3):
        index.add(f"other-{number}", EventPattern(SHARED % '"z":["never"]'))
    index.add("this", EventPattern(SHARED % detail))

    assert index.matching({"source": "shop", "detail": yes}) == ["this"]  # type: ignore[dict-item]
    assert index.matching({"source": "shop", "detail": no}) == []  # type: ignore[dict-item]
    index.remove("this")
    assert index.matching({"source": "shop", "detail": yes}) == []  # type: ignore[dict-item]


SELECTIVE = {
    "exact": (lambda number: [f"Order {number}"], "Order 500"),
    "ranges": (lambda number: [{"numeric": [">=", number, "<", number + 1]}], 500.5),
    "prefixes": (lambda number: [{"prefix": f"order-{number:04}-"}], "order-0500-x"),
    "suffixes": (lambda number: [{"suffix": f"-{number:04}.png"}], "x-0500.png"),
    "wildcards": (lambda number: [{"wildcard": f"{number:04}*x"}], "0500-x"),
    "two ways": (lambda number: [number, {"prefix": f"{number:04}"}], 500),
}


@pytest.mark.parametrize("kind", SELECTIVE)
def test_fil_80_a_thousand_rules_that_share_a_source_are_told_apart(kind: str) -> None:
    """Only a few patterns look at an event, though all want the same source and a detail that is there."""
    make, value = SELECTIVE[kind]
    index: RuleIndex[int] = RuleIndex()
    for number in range(1000):
        detail = {"value": make(number), "there": [{"exists": True}]}
        index.add(number, Counted({"source": ["shop"], "detail": detail}))  # type: ignore[dict-item]
    Counted.asked = 0

    assert index.matching({"source": "shop", "detail": {"value": value, "there": 1}}) == [500]
    assert Counted.asked <= 4


def test_fil_60_only_what_nothing_can_find_is_asked_always() -> None:
    """A pattern without a field that must have a value is asked about every event; the others are not."""
    index: RuleIndex[str] = RuleIndex()
    index.add("absent", Counted('{"a":[{"exists":false}]}'))
    index.add("either", Counted('{"$or":[{"b":["x"]},{"a":[{"exists":false}]}]}'))
    index.add("value", Counted('{"a":[{"exists":true}],"z":[{"exists":false}]}'))
    Counted.asked = 0

    assert index.matching("{}") == ["absent", "either"]
    assert Counted.asked == 2


def test_fil_81_what_is_no_event_matches_nothing() -> None:
    """Text that is no JSON object, and nesting beyond the limits; nothing raises."""
    index = index_of({1: EventPattern('{"a":[{"exists":false}]}'), 2: EventPattern('{"a":{"b":["x"]}}')})
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    nested: object = "x"
    for _ in range(5000):
        nested = {"b": nested}

    assert index.matching("plain") == index.matching(b"[]") == []
    assert index.matching({"a": {"b": deep}}) == [1]  # type: ignore[dict-item]
    assert index.matching({"a": nested}) == [1]  # type: ignore[dict-item]


def test_fil_47_a_name_of_a_thousand_steps_is_not_looked_for() -> None:
    """Beyond the depth of a document nothing is to be found; the rule is asked, and says no or yes itself."""
    steps = ["a"] * 1000
    index = index_of({1: Counted({".".join(steps): ["x"]})})
    Counted.asked = 0

    assert index.matching({".".join(steps): "x"}) == [1]
    assert index.matching({"a": "x"}) == index.matching({}) == []
    assert Counted.asked == 3


def test_a_replaced_rule_keeps_its_place_and_forgets_its_pattern() -> None:
    """PutRule on a rule that is there: the answer's order is that of the first adding."""
    index = index_of({1: EventPattern('{"a":["x"]}'), 2: EventPattern('{"a":["x"]}')})

    index.add(1, EventPattern('{"b":["y"]}'))

    assert index.matching('{"a":"x"}') == [2]
    assert index.matching('{"a":"x","b":"y"}') == [1, 2]
    assert 1 in index and 3 not in index and len(index) == 2


def test_an_index_refuses_what_it_cannot_do() -> None:
    """FIL-67: number texts need another parser; an unknown key is an error."""
    index = index_of({1: EventPattern('{"a":["x"]}')})

    with pytest.raises(ValueError, match="text of numbers"):
        index.add(2, EventPattern('{"a":[1]}', strict_number_text=True))
    with pytest.raises(KeyError):
        index.remove(2)
    assert index.matching('{"a":"x"}') == [1]


BOUNDS = st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from([2**53, 2**53 + 1, -math.inf, math.inf])


@given(
    st.lists(st.tuples(BOUNDS, BOUNDS, st.integers(0, 3), st.booleans()), max_size=20),
    st.lists(BOUNDS | st.just(math.nan), max_size=5),
)
def test_fil_59_ranges_find_every_owner(changes: list[tuple[float, float, int, bool]], values: list[float]) -> None:
    """Whatever intervals come and go, a number finds exactly the owners of those it lies in."""
    ranges = Ranges()
    kept: set[tuple[float, float, int]] = set()
    for one, other, owner, comes in changes:
        low, high = min(one, other), max(one, other)
        if comes:
            ranges.add((low, high), owner)
            kept.add((low, high, owner))
        else:
            ranges.discard((low, high), owner)
            kept.discard((low, high, owner))
        for value in (*values, low, high):
            found: set[int] = set()
            ranges.gather(value, found)
            assert found == {owner for low, high, owner in kept if low <= value <= high}
            assert ranges.overlapping((value, value)) == sum(low <= value <= high for low, high, _ in kept) or (
                math.isnan(value)
            )
    assert bool(ranges) is bool(kept)

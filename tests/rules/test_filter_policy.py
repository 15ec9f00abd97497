"""Filter policies: SNS' vectors, its operators, its limits and its words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.rules.filter_policy import ON_SUBSCRIBE, FilterPolicy
from eventmap.subscription import FilterPolicyScope

Attributes = dict[str, dict[str, str]]


def text(value: str) -> dict[str, str]:
    return {"Type": "String", "Value": value}


def array(value: str) -> dict[str, str]:
    return {"Type": "String.Array", "Value": value}


def number(value: str) -> dict[str, str]:
    return {"Type": "Number", "Value": value}


BINARY = {"Type": "Binary", "Value": "AgME"}


@pytest.mark.parametrize(
    ("policy", "attributes", "expected"),
    [
        pytest.param('{"k":["a"]}', {"k": text("a")}, True, id="F01"),
        pytest.param('{"k":["a"]}', {}, False, id="F02"),
        pytest.param('{"k":["A"]}', {"k": text("a")}, False, id="F03"),
        pytest.param('{"k":["x","y"]}', {"k": array('["q","y"]')}, True, id="F04"),
        pytest.param('{"k":["x"]}', {"k": array("[x")}, False, id="F05"),
        pytest.param('{"k":[{"anything-but":["x"]}]}', {}, False, id="F06"),
        pytest.param('{"k":[{"anything-but":["x"]}]}', {"k": array('["x","y"]')}, True, id="F07"),
        pytest.param('{"k":[{"exists":false}]}', {}, True, id="F08"),
        pytest.param('{"k":[{"exists":true}]}', {"k": BINARY}, True, id="F09"),
        pytest.param('{"p":[{"numeric":["=",301.5]}]}', {"p": number("3.015e2")}, True, id="F10"),
        pytest.param('{"p":[{"numeric":[">",0,"<=",150]}]}', {"p": number("150")}, True, id="F11"),
        pytest.param('{"p":[{"numeric":[">",0,"<=",150]}]}', {"p": number("0")}, False, id="F12"),
        pytest.param('{"a":["1"],"b":["2"]}', {"a": text("1")}, False, id="F13"),
        pytest.param('{"$or":[{"a":["1"]},{"b":["2"]}]}', {"b": text("2")}, True, id="F14"),
    ],
)
def test_sns_75_to_98_vector_of_attributes(policy: str, attributes: Attributes, expected: bool) -> None:
    """SNS-F01..F14."""
    assert FilterPolicy(policy, "MessageAttributes").passes(attributes, "a body") is expected


@pytest.mark.parametrize(
    ("policy", "body", "expected"),
    [
        pytest.param('{"a":{"b":["x"]}}', '{"a":{"b":"x","c":1}}', True, id="F15"),
        pytest.param('{"a":["x"]}', "not json", False, id="F16"),
        pytest.param('{"a":["x"]}', '["x"]', False, id="F17"),
        pytest.param('{"a":[{"prefix":"ab"}]}', '{"a":["zz","abc"]}', True, id="F18"),
        pytest.param('{"a":{"b":["x"]}}', '{"a":[{"b":"y"},{"b":"x"}]}', True, id="F19"),
        pytest.param('{"a":[null]}', '{"a":null}', True, id="F20"),
        pytest.param('{"a":[{"cidr":"10.0.0.0/24"}]}', '{"a":"10.0.0.255"}', True, id="F21"),
        pytest.param('{"a":[{"suffix":".png"}]}', '{"a":"x.PNG"}', False, id="F22"),
        pytest.param('{"a.b":["x"]}', '{"a":{"b":"x"}}', True, id="F23"),
        pytest.param("{}", "anything", True, id="F24"),
    ],
)
def test_sns_75_to_98_vector_of_bodies(policy: str, body: str, expected: bool) -> None:
    """SNS-F15..F24."""
    assert FilterPolicy(policy, "MessageBody").passes(None, body) is expected


@pytest.mark.parametrize("scope", ["MessageAttributes", "MessageBody"])
def test_sns_76_an_empty_policy_accepts_everything(scope: FilterPolicyScope) -> None:
    """SNS-76: with and without attributes, whatever the body."""
    policy = FilterPolicy("{}", scope)

    assert all(policy.passes(attributes, body) for attributes in (None, {"a": BINARY}) for body in ("", "{}", "["))


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ({"anything-but": ["a", "b"]}, text("c"), True),
        ({"anything-but": ["a", "b"]}, text("a"), False),
        ({"anything-but": 100}, number("100.0"), False),
        ({"anything-but": 100}, number("101"), True),
        ({"anything-but": {"prefix": "x"}}, text("xy"), False),
        ({"anything-but": {"prefix": "x"}}, text("yx"), True),
        ({"prefix": "bas"}, text("baseball"), True),
        ({"prefix": "bas"}, text("Baseball"), False),
        ({"suffix": "ball"}, text("baseball"), True),
        ({"equals-ignore-case": "tennis"}, text("TeNNis"), True),
        ({"wildcard": "*ball"}, text("football"), True),
        ({"wildcard": "*ball"}, text("balls"), False),
        ({"numeric": ["<", 0]}, number("-1"), True),
        ({"numeric": [">=", 1, "<", 2]}, number("2"), False),
        ({"numeric": ["=", 1]}, text("1"), False),
        ({"exists": True}, text(""), True),
        ({"exists": False}, text("a"), False),
        ({"exists": False}, BINARY, False),
        ({"cidr": "2001:db8::/32"}, text("2001:db8::1"), True),
        ({"cidr": "10.0.0.0/24"}, text("10.0.1.0"), False),
        (300, number("3e2"), True),
        (300, text("300"), False),
        ("300", number("300"), False),
        (True, array("[true]"), True),
        (None, array("[null]"), True),
        ("a", BINARY, False),
        ({"anything-but": "a"}, BINARY, False),
        (1, array("[1, 2]"), True),
        ("x", array('{"x": 1}'), False),
        ("x", array('[["x"]]'), False),
        (1, number("one"), False),
        (1000, number("1_000"), False),
        (7, number("７"), False),
        (1.5, number("+1.50"), True),
        ({"numeric": [">", 0]}, number("inf"), False),
        ("a", {"Type": "String.Custom", "Value": "a"}, True),
        (7, {"Type": "Number.int", "Value": "7"}, True),
    ],
)
def test_sns_80_to_93_what_an_attribute_offers_and_an_operator_asks(
    operator: Any, value: dict[str, str], expected: bool
) -> None:
    """SNS-80..93: text, numbers by value, any element of an array; a binary attribute is there and has no value."""
    policy = FilterPolicy(json.dumps({"k": [operator]}), "MessageAttributes")

    assert policy.passes({"k": value}, "") is expected


def test_sns_83_anything_but_over_an_array_needs_one_that_is_not_excluded() -> None:
    """SNS-83."""
    policy = FilterPolicy('{"k": [{"anything-but": ["x", "y"]}]}', "MessageAttributes")

    assert [policy.passes({"k": array(each)}, "") for each in ('["x", "y"]', '["x", "z"]', "[]")] == [
        False,
        True,
        False,
    ]


def test_sns_79_a_name_with_a_dot_is_a_name_in_attributes() -> None:
    """SNS-79: there is nothing to descend into there."""
    policy = FilterPolicy('{"a.b": ["x"]}', "MessageAttributes")

    assert policy.passes({"a.b": text("x")}, "")


def test_sns_92_a_lone_or_is_a_key_like_any_other() -> None:
    """SNS-92: an array of anything but two objects or more."""
    assert FilterPolicy('{"$or": ["x"]}', "MessageAttributes").passes({"$or": text("x")}, "")


def test_sns_92_an_or_of_match_expressions_is_a_key_like_any_other() -> None:
    """SNS-92: its objects are no policies, so that what they nest is no nested policy, and counts as two values."""
    policy = FilterPolicy('{"$or": [{"anything-but": {"prefix": "x"}}, {"numeric": ["=", 1]}]}', "MessageAttributes")
    many = {f"k{number}": list("abcde") for number in range(2)} | {"$or": [{"numeric": ["=", 1]}] * 6}

    assert [policy.passes({"$or": value}, "") for value in (text("y"), text("xy"), number("1"))] == [True, False, True]
    assert FilterPolicy(json.dumps(many), "MessageAttributes")  # 5 x 5 x 6


def test_sns_96_quotes_and_backslashes_of_attributes_are_escaped_twice() -> None:
    """SNS-96: the policy spells them as JSON does, once more."""
    quoted = {"k": text('say "hi" \\')}

    assert FilterPolicy(json.dumps({"k": ['say \\"hi\\" \\\\']}), "MessageAttributes").passes(quoted, "")
    assert not FilterPolicy(json.dumps({"k": ['say "hi" \\']}), "MessageAttributes").passes(quoted, "")


def test_sns_97_of_equal_keys_the_last_one_wins() -> None:
    """SNS-97."""
    policy = FilterPolicy('{"k": ["a"], "k": ["b"]}', "MessageAttributes")

    assert [policy.passes({"k": text(each)}, "") for each in "ab"] == [False, True]


def refusal(policy: str, scope: FilterPolicyScope) -> str:
    with pytest.raises(InvalidParameterValue) as refused:
        FilterPolicy(policy, scope)
    return str(refused.value)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (json.dumps({name: ["x"] for name in "abcdef"}), "Filter policy can not have more than 5 keys"),
        (json.dumps({name: list("abcdef") for name in "abc"}), "Filter policy is too complex"),
        ('{"a": []}', "Empty arrays are not allowed"),
        ('{"a": "x"}', '"a" must be an object or an array'),
        ('{"a": [{"like": "x"}]}', "Unrecognized match type like"),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"a": [{"exists": "yes"}]}', "exists match pattern must be either true or false."),
        ('{"a": [{"numeric": [">", 5, "<", 1]}]}', "Bottom must be less than top"),
        ('{"a": [{"numeric": ["<", "x"]}]}', "Value of < must be numeric"),
        ('{"a": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required"),
        ('{"a": [{"prefix": "x", "suffix": "y"}]}', "Only one key allowed in match expression"),
    ],
)
def test_sns_94_95_a_policy_is_refused_in_snss_words(policy: str, reason: str) -> None:
    """SNS-94, 95: whichever scope."""
    for scope in ("MessageAttributes", "MessageBody"):
        assert refusal(policy, scope).startswith(f"Invalid parameter: FilterPolicy: {reason}")


def test_sns_95_on_subscribe_the_words_are_longer() -> None:
    """SNS-95."""
    with pytest.raises(InvalidParameterValue, match="Attributes Reason: FilterPolicy: Empty arrays"):
        FilterPolicy('{"a": []}', "MessageAttributes", prefix=ON_SUBSCRIBE)


@pytest.mark.parametrize("policy", ['{"a": {"b": ["x"]}}', '{"$or": [{"a": {"b": ["x"]}}, {"c": ["y"]}]}'])
def test_sns_77_attributes_are_flat(policy: str) -> None:
    """SNS-77: nested policies are for bodies."""
    said = refusal(policy, "MessageAttributes")

    assert said == "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy"
    FilterPolicy(policy, "MessageBody")


def test_sns_94_nesting_counts() -> None:
    """SNS-94: each array's length times its depth, (3x2)(4x2)... up to 150; `$or` adds before it multiplies."""
    nested = {"a": {"b": list("abc"), "c": list("abcd")}}  # (3 x 2) x (4 x 2) = 48
    FilterPolicy(json.dumps(nested), "MessageBody")
    FilterPolicy(json.dumps({**nested, "d": list("abc")}), "MessageBody")  # 144

    assert refusal(json.dumps({**nested, "d": list("abcd")}), "MessageBody").endswith("Filter policy is too complex")
    FilterPolicy(
        json.dumps({"$or": [{"a": list("abcde")}, {"b": list("abcde")}], "c": list("abcde") * 3}), "MessageBody"
    )


@pytest.mark.parametrize("value", [10**9 + 1, -(10**9) - 1, 0.123456])
def test_sns_89_numbers_have_a_range_and_five_decimals(value: float) -> None:
    """SNS-89."""
    assert "five decimals" in refusal(json.dumps({"a": [{"numeric": ["=", value]}]}), "MessageBody")


@pytest.mark.parametrize("policy", ["", "[]", "null", "{", '"x"', "[" * 100_000, '{"a": ' * 5_000, " " * 262_145])
def test_sns_94_what_is_no_policy_is_refused(policy: str) -> None:
    """Whatever its size or depth; nothing else is raised."""
    assert refusal(policy, "MessageBody").startswith("Invalid parameter: FilterPolicy: ")


_LEAF = st.one_of(
    st.sampled_from(["a", "b", 1, 2.5, True, None]),
    st.sampled_from(["a", "b", "ab"]).map(lambda value: {"prefix": value}),
    st.booleans().map(lambda value: {"exists": value}),
    st.sampled_from(["a", "b"]).map(lambda value: {"anything-but": value}),
)
_POLICY = st.dictionaries(st.sampled_from("klm"), st.lists(_LEAF, min_size=1, max_size=3), max_size=3)
_ATTRIBUTES = st.dictionaries(
    st.sampled_from("klm"),
    st.sampled_from([text("a"), text("ab"), number("1"), number("2.5"), array('["a", 1, true]'), array("["), BINARY]),
)


def reference(policy: dict[str, list[Any]], attributes: Attributes) -> bool:
    """The rules once more, as plainly as they can be written."""
    return all(any(_matches(leaf, attributes.get(name)) for leaf in leaves) for name, leaves in policy.items())


def _matches(leaf: Any, attribute: dict[str, str] | None) -> bool:
    if isinstance(leaf, dict) and "exists" in leaf:
        return leaf["exists"] is (attribute is not None)
    values: list[Any] = []
    if attribute is not None and attribute["Type"] == "String":
        values = [attribute["Value"]]
    elif attribute is not None and attribute["Type"] == "Number":
        values = [float(attribute["Value"])]
    elif attribute is not None and attribute["Type"] == "String.Array" and attribute["Value"] != "[":
        values = json.loads(attribute["Value"])
    if isinstance(leaf, dict) and "prefix" in leaf:
        return any(isinstance(value, str) and value.startswith(leaf["prefix"]) for value in values)
    if isinstance(leaf, dict):
        return any(value != leaf["anything-but"] for value in values)
    return any(value == leaf and isinstance(value, bool) is isinstance(leaf, bool) for value in values)


@given(policy=_POLICY, attributes=_ATTRIBUTES)
def test_sns_76_to_93_every_policy_is_judged_as_by_the_rules_written_plainly(
    policy: dict[str, list[Any]], attributes: Attributes
) -> None:
    """A second, slower reading of the same rules never disagrees."""
    passes = FilterPolicy(json.dumps(policy), "MessageAttributes").passes(attributes, "")

    assert passes is reference(policy, attributes)


@given(body=st.text(), value=st.text(), kind=st.text())
def test_sns_78_80_nothing_in_a_message_raises(body: str, value: str, kind: str) -> None:
    """Whatever is published: an answer."""
    attributes = {"k": {"Type": kind, "Value": value}}
    for scope in ("MessageAttributes", "MessageBody"):
        policy = FilterPolicy('{"k": ["a", 1, {"numeric": [">", 0]}, {"anything-but": "b"}]}', scope)
        assert policy.passes(attributes, body) in (True, False)

"""The pattern language beyond the vectors: reasons, forms, limits, explanations."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidPattern
from eventmap.rules.pattern import EventPattern

REASONS = [
    ("nope", "", "not JSON"),
    ('{"a":[NaN]}', "", "not JSON"),
    (b"\xff", "", "not JSON"),
    ("{" * 5000, "", "not JSON"),
    ("[" * 200_000, "", "nested more than 100 levels deep"),
    ('{"a":' * 101 + "[1]" + "}" * 101, "", "nested more than 100 levels deep"),
    ("[]", "", "Filter is not an object"),
    ("{}", "", "Empty objects are not allowed"),
    ('{"a":{"b":{}}}', "a.b", "Empty objects are not allowed"),
    ('{"a":{"b":"x"}}', "a.b", '"b" must be an object or an array'),
    ('{"a":{"b":[]}}', "a.b", "Empty arrays are not allowed"),
    ('{"a":[[]]}', "a", "Match value must be String, number, true, false, or null"),
    ('{"a":[{}]}', "a", "Match expression name not found"),
    ('{"a":[{"prefix":"x","suffix":"y"}]}', "a", "Only one key allowed in match expression"),
    ('{"a":[{"prefix":"x","prefix":"y"}]}', "a", "Only one key allowed in match expression"),
    ('{"a":[{"PREFIX":"x"}]}', "a", "Unrecognized match type PREFIX"),
    ('{"a":[{"exactly":1}]}', "a", "exact match pattern must be a string"),
    ('{"a":[{"prefix":1}]}', "a", "prefix match pattern must be a string"),
    ('{"a":[{"suffix":1}]}', "a", "suffix match pattern must be a string"),
    ('{"a":[{"prefix":{}}]}', "a", "Prefix expression name not found"),
    ('{"a":[{"suffix":{"wildcard":"x"}}]}', "a", "Unsupported suffix pattern: wildcard"),
    ('{"a":[{"prefix":{"equals-ignore-case":1}}]}', "a", "equals-ignore-case match pattern must be a string"),
    ('{"a":[{"equals-ignore-case":1}]}', "a", "equals-ignore-case match pattern must be a string"),
    ('{"a":[{"exists":"true"}]}', "a", "exists match pattern must be either true or false."),
    ('{"a":[{"wildcard":1}]}', "a", "wildcard match pattern must be a string"),
    ('{"a":[{"wildcard":"ab**"}]}', "a", "Consecutive wildcard characters at pos 3"),
    ('{"a":[{"wildcard":"é\\\\n"}]}', "a", "Invalid escape character at pos 3"),
    ('{"a":[{"wildcard":"a\\\\"}]}', "a", "Invalid escape character at pos 2"),
    ('{"a":[{"wildcard":"*a*a*a*a*a*a*"}]}', "a", "Rule is too complex - try using fewer wildcard characters or fewer"),
    ('{"a":[{"anything-but":{"wildcard":["*aaaaaaaaaaa*"]}}]}', "a", "Rule is too complex"),
    ('{"a":[{"anything-but":true}]}', "a", "Value of anything-but must be an array or single string/number value."),
    ('{"a":[{"anything-but":{"prefix":null}}]}', "a", "Value of anything-but must be an array or single string/number"),
    ('{"a":[{"anything-but":[true]}]}', "a", "Inside anything but list, start|null|boolean is not supported."),
    ('{"a":[{"anything-but":["x",1]}]}', "a", "Inside anything but list, either all values are number or string"),
    ('{"a":[{"anything-but":[]}]}', "a", "Inside anything but list, either all values are number or string"),
    ('{"a":[{"anything-but":{}}]}', "a", "Anything-But expression name not found"),
    ('{"a":[{"anything-but":{"cidr":"10.0.0.0/8"}}]}', "a", "Unsupported anything-but pattern: cidr"),
    ('{"a":[{"anything-but":{"prefix":[]}}]}', "a", "Empty arrays are not allowed"),
    ('{"a":[{"anything-but":{"suffix":["x",""]}}]}', "a", "Null prefix/suffix not allowed"),
    ('{"a":[{"anything-but":{"suffix":[1]}}]}', "a", "prefix/suffix match pattern must be a string"),
    ('{"a":[{"anything-but":{"wildcard":[1]}}]}', "a", "wildcard match pattern must be a string"),
    ('{"a":[{"anything-but":{"equals-ignore-case":1}}]}', "a", "Inside anything-but/equals-ignore-case list, number"),
    ('{"a":[{"numeric":1}]}', "a", "Value of numeric must be an array."),
    ('{"a":[{"numeric":[]}]}', "a", "Invalid member in numeric match: null"),
    ('{"a":[{"numeric":[5]}]}', "a", "Invalid member in numeric match: 5"),
    ('{"a":[{"numeric":["!",5]}]}', "a", "Unrecognized numeric range operator: !"),
    ('{"a":[{"numeric":["="]}]}', "a", "Value of equals must be numeric"),
    ('{"a":[{"numeric":["<","5"]}]}', "a", "Value of < must be numeric"),
    ('{"a":[{"numeric":["<",5,">",1]}]}', "a", "Too many elements in numeric expression"),
    ('{"a":[{"numeric":[">",5,true]}]}', "a", "Bad value in numeric range: true"),
    ('{"a":[{"numeric":[">",5,[]]}]}', "a", "Bad value in numeric range: ["),
    ('{"a":[{"numeric":[">",0,">",0]}]}', "a", "Bad numeric range operator: >"),
    ('{"a":[{"numeric":[">",0,"<"]}]}', "a", "Value of < must be numeric"),
    ('{"a":[{"numeric":[">",0,"<",1,2]}]}', "a", "Too many terms in numeric range expression"),
    ('{"a":[{"numeric":[">",5,"<",5.0]}]}', "a", "Bottom must be less than top"),
    ('{"a":[{"numeric":["=",1e400]}]}', "a", "Cannot compare number : 1e400"),
    ('{"a":[{"numeric":["=",1e-400]}]}', "a", "Cannot compare number : 1e-400"),
    ('{"a":[{"anything-but":9007199254740993}]}', "a", "Cannot compare number : 9007199254740993"),
    ('{"a":[{"cidr":1}]}', "a", "cidr match pattern must be a string"),
    ('{"a":[{"cidr":"10.0.0.0"}]}', "a", "Malformed CIDR, one '/' required"),
    ('{"a":[{"cidr":"10.0.0.0/x"}]}', "a", "Malformed CIDR, mask bits must be an integer"),
    ('{"a":[{"cidr":"10.0.0.0/-1"}]}', "a", "Malformed CIDR, mask bits must not be negative"),
    ('{"a":[{"cidr":"10.0.0.300/8"}]}', "a", "Nonstandard IP address: 10.0.0.300"),
    ('{"a":[{"cidr":"10.0.0.0/32"}]}', "a", "IPv4 mask bits must be < 32"),
    ('{"a":[{"cidr":"::/128"}]}', "a", "IPv6 mask bits must be < 128"),
    ('{"$or":"x"}', "$or", "It must be an Array followed with $or."),
    ('{"a":{"$or":[{"b":[1]}]}}', "a.$or", "There must have at least 2 Objects in $or relationship."),
    ('{"$or":[{"b":[1]},[]]}', "$or", "Only JSON object is allowed in array of $or relationship."),
    ('{"$or":[{"b":[1]},{"c":{"prefix":["x"]}}]}', "c.prefix", "prefix is Ruler reserved fieldName which cannot be"),
    (json.dumps({f"f{number}": [1] for number in range(257)}), "", "More than 256 fields"),
]


@pytest.mark.parametrize(("pattern", "field", "reason"), REASONS)
def test_fil_70_a_refusal_says_why_and_where(pattern: str | bytes, field: str, reason: str):
    """FIL-63, FIL-64, FIL-69, FIL-70: event-ruler's reason, and the dotted field it is about."""
    with pytest.raises(InvalidPattern) as refused:
        EventPattern(pattern)

    assert refused.value.reason.startswith(reason)
    assert refused.value.field == field


def test_fil_40_a_dict_that_is_no_json_is_refused():
    """FIL-40: a pattern given as an object is held to JSON, too."""
    with pytest.raises(InvalidPattern, match="not JSON"):
        EventPattern({"a": [b"x"]})  # type: ignore[list-item]


def test_fil_84_or_is_capped_at_a_thousand_combinations():
    """FIL-84: ten times ten times ten pass, one more does not."""

    def pattern(*sizes: int) -> str:
        choices = {size: [{f"f{number}": [1]} for number in range(size)] for size in sizes}
        return json.dumps({f"k{index}": {"$or": choices[size]} for index, size in enumerate(sizes)})

    assert EventPattern(pattern(10, 10, 10)).matches('{"k0":{"f9":1},"k1":{"f0":1},"k2":{"f3":1}}')
    with pytest.raises(InvalidPattern, match="More than 1000 combinations"):
        EventPattern(pattern(10, 10, 11))


MATCHES = [
    ("fil_45_array", '{"a":["x"]}', '{"a":[{"b":1},"x"]}', True),
    ("fil_45_array_in_array", '{"a":["x"]}', '{"a":[["y"],["x"]]}', True),
    ("fil_45_array_of_objects_is_no_leaf", '{"a":[{"exists":false}]}', '{"a":[{"b":1}]}', True),
    ("fil_46_across_two_arrays", '{"l":{"a":[1]},"m":{"b":[2]}}', '{"l":[{"a":0},{"a":1}],"m":[{"b":2}]}', True),
    ("fil_46_three_levels", '{"l":{"m":{"a":[1],"b":[2]}}}',
     '{"l":[{"m":[{"a":1},{"b":2}]},{"m":{"a":1,"b":2}}]}', True),
    ("fil_46_nested_elements", '{"l":{"a":[1],"m":{"b":[2]}}}',
     '{"l":[{"a":1,"m":[{"b":3}]},{"a":0,"m":[{"b":2}]}]}', False),
    ("fil_46_absent_in_the_chosen_element", '{"l":{"a":[1],"b":[{"exists":false}]}}',
     '{"l":[{"a":0,"b":1},{"a":1}]}', True),
    ("fil_46_present_in_the_chosen_element", '{"l":{"a":[1],"b":[{"exists":false}]}}',
     '{"l":[{"a":1,"b":1},{"a":0}]}', False),
    ("fil_46_absent_beside_an_array", '{"l":{"a":[1]},"z":[{"exists":false}]}', '{"l":[{"a":1}]}', True),
    ("fil_46_scalar_in_the_element", '{"l":{"m":{"a":[1]}}}', '{"l":[{"m":5},{"m":{"a":1}}]}', True),
    ("fil_46_object_in_the_element_is_no_leaf", '{"l":{"a":[1]}}', '{"l":[{"a":{"x":1}},{"a":1}]}', True),
    ("fil_61_no_address_at_all", '{"a":[{"cidr":"10.0.0.0/8"}]}', '{"a":"host.example"}', False),
    ("fil_60_never_for_a_value", '{"a":[{"exists":false},"x"]}', '{"a":"y"}', False),
    ("fil_47_dotted_inside", '{"a":{"b":{"c":["x"]}}}', '{"a":{"b.c":"x"}}', True),
    ("fil_47_dotted_and_nested", '{"a":{"b":["x"]}}', '{"a":{"b":"y"},"a.b":"x"}', True),
    ("fil_47_scalar_on_the_way", '{"a":{"b":{"c":["x"]}}}', '{"a":{"b":5}}', False),
    ("fil_50_true_is_not_one", '{"a":[1]}', '{"a":true}', False),
    ("fil_50_one_is_not_true", '{"a":[true]}', '{"a":1}', False),
    ("fil_50_several_strings", '{"a":["x","y",{"prefix":"z"}]}', '{"a":"zz"}', True),
    ("fil_55_other_forms", '{"a":[{"equals-ignore-case":"straße"}]}', '{"a":"STRASSE"}', True),
    ("fil_53_any_case", '{"a":[{"prefix":{"equals-ignore-case":"ÄÖ"}}]}', '{"a":"äöü"}', True),
    ("fil_54_any_case", '{"a":[{"suffix":{"equals-ignore-case":"ß"}}]}', '{"a":"STRASS"}', True),
    ("fil_56_overlap", '{"a":[{"wildcard":"ab*ba"}]}', '{"a":"aba"}', False),
    ("fil_56_middle", '{"a":[{"wildcard":"a*b*c"}]}', '{"a":"a1b2c"}', True),
    ("fil_56_no_middle", '{"a":[{"wildcard":"a*b*c"}]}', '{"a":"a12c"}', False),
    ("fil_56_escapes", r'{"a":[{"wildcard":"a\\*b\\\\*"}]}', r'{"a":"a*b\\c"}', True),
    ("fil_56_no_number", '{"a":[{"wildcard":"*"}]}', '{"a":5}', False),
    ("fil_59_open_top", '{"a":[{"numeric":["<",5]}]}', '{"a":5}', False),
    ("fil_59_open_bottom", '{"a":[{"numeric":[">=",5]}]}', '{"a":5.0}', True),
    ("fil_59_true_is_no_number", '{"a":[{"numeric":["<",5]}]}', '{"a":true}', False),
    ("fil_61_v6_in_v4", '{"a":[{"cidr":"10.0.0.0/8"}]}', '{"a":"a00::1"}', True),
    ("fil_61_v4_in_v6", '{"a":[{"cidr":"a00::/8"}]}', '{"a":"10.1.0.0"}', True),
    ("fil_61_mapped", '{"a":[{"cidr":"10.0.0.0/8"}]}', '{"a":"::ffff:a00:1"}', True),
    ("fil_61_no_address", '{"a":[{"cidr":"10.0.0.0/8"}]}', '{"a":"1::2::3"}', False),
    ("fil_62_or_within", '{"a":{"$or":[{"b":[1]},{"c":[2]}]}}', '{"a":{"c":2}}', True),
    ("fil_67_big_integers_are_exact", '{"a":[1234567890123456789]}', '{"a":1234567890123456788}', False),
    ("fil_67_beyond_64_bits", '{"a":[18446744073709551617]}', '{"a":18446744073709551617}', True),
    ("fil_68_overflow_is_out_of_every_range", '{"a":[{"numeric":[">",5]}]}', '{"a":1e400}', False),
    ("fil_81_lone_surrogate", '{"a":["x"]}', r'{"a":"x","b":"\ud800"}', True),
    ("fil_81_no_json", '{"a":[{"exists":false}]}', "plain", False),
    ("fil_81_no_object", '{"a":[{"exists":false}]}', "[]", False),
    ("fil_81_no_object_either", '{"a":[{"exists":false}]}', '["\\ud800"]', False),
    ("fil_81_deep_text", '{"a":["x"]}', '{"a":"x","b":' + "[" * 100_000, False),
    ("fil_82_last_key_wins", '{"a":["x"]}', '{"a":"x","a":"y"}', False),
    ("fil_82_nan", '{"a":[{"exists":true}]}', '{"a":NaN}', False),
    ("fil_83_deepest", '{"a":["x"]}', '{"a":' + "[" * 99 + '"x"' + "]" * 99 + "}", True),
    ("fil_83_too_deep", '{"a":["x"]}', '{"a":' + "[" * 100 + '"x"' + "]" * 100 + "}", False),
    ("fil_83_too_long", '{"a":["x"]}', '{"a":"x","b":"' + "b" * 6 * 1024 * 1024 + '"}', False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "event", "expected"), [case[1:] for case in MATCHES], ids=[case[0] for case in MATCHES]
)
def test_fil_match(pattern: str, event: str, expected: bool):
    """FIL-45..83: one small case per rule and edge."""
    compiled = EventPattern(pattern)

    assert compiled.matches(event) is expected
    assert compiled.matches(event.encode()) is expected
    assert compiled.explain(event).matched is expected


def test_fil_67_strict_number_text_compares_numbers_as_they_are_written():
    """FIL-67: Lambda's guide taken at its word, for equality and its negation; ranges stay numeric."""
    same = EventPattern('{"a":[300,{"anything-but":3.0}],"b":[{"numeric":["=",2]}]}', strict_number_text=True)

    assert same.matches('{"a":300,"b":2.00}')
    assert same.matches('{"a":3,"b":2}')
    assert not same.matches('{"a":3.0,"b":2}')
    assert not EventPattern('{"a":[300]}', strict_number_text=True).matches('{"a":300.0}')
    assert not EventPattern('{"a":[300]}', strict_number_text=True).matches("plain")
    assert "300.0" in str(EventPattern('{"a":[300]}', strict_number_text=True).explain('{"a":300.0}'))
    assert EventPattern('{"a":[300]}', strict_number_text=True).matches({"a": 300.0})
    assert EventPattern('{"a":[300]}').matches('{"a":3.0e2}')


def test_fil_46_long_arrays_take_time_in_proportion():
    """FIL-46: twenty thousand elements of which none fits are looked at one by one, not in pairs."""
    elements = [{"a": number % 2, "b": 1 - number % 2} for number in range(20_000)]

    assert not EventPattern('{"l":{"a":[1],"b":[1]},"m":{"a":[1],"b":[1]}}').matches({"l": elements, "m": elements})
    assert EventPattern('{"l":{"a":[1],"b":[0]},"m":{"a":[1],"b":[0]}}').matches({"l": elements, "m": elements})


def test_tuples_and_other_python_values_are_no_trouble():
    """FIL-81: what a caller has in place of lists and scalars is matched without raising."""
    pattern = EventPattern('{"a":["x"]}')

    assert pattern.matches({"a": ("y", "x")})  # type: ignore[dict-item]
    assert not pattern.matches({"a": b"x"})  # type: ignore[dict-item]
    assert EventPattern('{"a":{"b":["x"]}}').matches({"a": ({"b": "x"},)})  # type: ignore[dict-item]


def test_explain_names_each_failing_field_with_what_was_wanted_and_found():
    """One sentence per field that keeps the event from matching."""
    pattern = EventPattern(
        {
            "a": ["x", {"prefix": "us-"}],
            "b": [{"numeric": [">", 0, "<=", 5]}],
            "c": [{"exists": True}],
            "d": [{"exists": False}],
            "ok": [1],
        }
    )

    explanation = pattern.explain({"a": "eu", "b": [7, 8, 9, 10, 11, 12], "d": None, "ok": 1})

    assert str(explanation).splitlines() == [
        "The event does not match:",
        '  "a" must be "x" or a string starting with "us-", but is "eu".',
        '  "b" must be a number > 0 and <= 5, but is 7, 8, 9, 10, 11 and 1 more.',
        '  "c" must be any value, but is not there as a value.',
        '  "d" must be absent, but is null.',
    ]
    assert [mismatch.field for mismatch in explanation.mismatches] == ["a", "b", "c", "d"]


def test_explain_describes_every_operator():
    """What was wanted reads as a sentence for each operator."""
    wanted = {
        "suffix": ('{"suffix":{"equals-ignore-case":"x"}}', 'a string ending with "x" in any case'),
        "prefix": ('{"prefix":{"equals-ignore-case":"x"}}', 'a string starting with "x" in any case'),
        "ignore": ('{"equals-ignore-case":"x"}', '"x" in any case'),
        "wildcard": ('{"wildcard":"x*"}', 'a string like "x*"'),
        "but": ('{"anything-but":[1,2]}', "anything but 1 or 2"),
        "like": ('{"anything-but":{"prefix":["x","1"]}}', 'anything but a string starting with "x" or a string'),
        "equal": ('{"numeric":["=",3.0]}', "a number equal to 3.0"),
        "least": ('{"numeric":[">=",3]}', "a number >= 3"),
        "less": ('{"numeric":["<",3]}', "a number < 3"),
        "cidr": ('{"cidr":"10.0.0.0/8"}', "an IP address within 10.0.0.0/8"),
    }
    for alternative, sentence in wanted.values():
        (mismatch,) = EventPattern(f'{{"a":[{alternative}]}}').explain({}).mismatches
        assert mismatch.wanted.startswith(sentence)


def test_explain_tells_combinations_arrays_and_other_reasons():
    """`$or`, values in different elements, and events that are none."""
    either = EventPattern('{"$or":[{"a":[1]},{"b":[2]}]}')
    both = EventPattern('{"l":{"a":[1],"b":[2]}}')

    assert str(either.explain({"b": 2})) == "The event matches."
    assert "combination 2:" in str(either.explain({"a": 2}))
    assert "one element" in str(both.explain({"l": [{"a": 1}, {"b": 2}]}))
    assert "JSON object" in str(both.explain("plain"))
    assert "100 levels" in str(EventPattern('{"a":["x"]}').explain('{"a":' + "[" * 100 + "]" * 100 + "}"))
    assert len(str(EventPattern('{"a":["x"]}').explain({"a": "y" * 1000}))) < 200
    assert repr(EventPattern('{"a":[1]}')) == "EventPattern('{\"a\":[1]}')"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
NAMES = st.sampled_from(["a", "b", "a.b", "", "$or"])
DOCUMENTS = st.dictionaries(
    NAMES | st.text(max_size=3),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner), max_leaves=12),
)
ALTERNATIVES = st.sampled_from(
    [
        "x", "", 1, 2.5, None, True, {"prefix": ""}, {"suffix": "x"}, {"exists": False}, {"exists": True},
        {"anything-but": ["x"]}, {"anything-but": 1}, {"numeric": [">", 0]}, {"cidr": "10.0.0.0/8"},
        {"wildcard": "*x*"}, {"equals-ignore-case": "X"}, {"anything-but": {"wildcard": "x*"}},
    ]
)  # fmt: skip
PATTERNS = st.dictionaries(
    NAMES.filter("$or".__ne__),
    st.recursive(
        st.lists(ALTERNATIVES, min_size=1, max_size=3),
        lambda inner: st.dictionaries(NAMES.filter("$or".__ne__), inner, min_size=1, max_size=3),
        max_leaves=5,
    ),
    min_size=1,
    max_size=3,
)


@given(PATTERNS, DOCUMENTS)
def test_fil_81_any_document_gets_one_verdict(pattern: dict[str, object], document: dict[str, object]):
    """FIL-81: nothing raises; matches() and explain() agree; no explanation of a mismatch is empty."""
    compiled = EventPattern(pattern)  # type: ignore[arg-type]

    explanation = compiled.explain(document)  # type: ignore[arg-type]

    assert compiled.matches(document) is explanation.matched  # type: ignore[arg-type]
    assert explanation.matched is not bool(explanation.mismatches)
    assert str(explanation)


@given(st.text() | st.binary())
def test_fil_81_any_text_gets_a_verdict(text: str | bytes):
    """FIL-81: whatever the text or the bytes are."""
    assert EventPattern('{"a":[{"exists":true}]}').matches(text) in (True, False)

"""Where event-ruler and the rules of filtering.md part ways, and why we follow the rules.

Each entry is one pair with both verdicts. The day event-ruler, or we, decide otherwise, its test fails and the entry
goes. `generate.py` makes none of these pairs, except `several operators on one field`, which can not be told from the
pattern; there the test asks event-ruler about one alternative at a time.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deviation:
    name: str
    rule: str
    reason: str
    pattern: str
    event: str
    theirs: str
    ours: str


def _or_of(branches: int) -> str:
    choices = ",".join(f'{{"f{number}":[1]}}' for number in range(branches))
    return f"[{choices}]"


DEVIATIONS = (
    Deviation(
        "empty wildcard",
        "FIL-56",
        "the rule lets an empty wildcard match nothing; event-ruler lets it match the empty string",
        '{"a":[{"wildcard":""}]}', '{"a":""}', "match", "nomatch",
    ),
    Deviation(
        "anything but the empty wildcard",
        "FIL-56",
        "the other side of the same rule",
        '{"a":[{"anything-but":{"wildcard":""}}]}', '{"a":""}', "nomatch", "match",
    ),
    Deviation(
        "duplicate keys in a pattern",
        "FIL-44",
        "the last one wins; event-ruler merges the objects of equal keys",
        '{"a":{"b":[1]},"a":{"c":[2]}}', '{"a":{"c":2}}', "nomatch", "match",
    ),
    Deviation(
        "duplicate keys in an event",
        "FIL-82",
        "the last one wins; event-ruler takes both values, as if they stood in an array",
        '{"a":["x"]}', '{"a":"x","a":"y"}', "match", "nomatch",
    ),
    Deviation(
        "text after a pattern",
        "FIL-08",
        "that is not JSON; event-ruler stops reading at the closing brace",
        '{"a":["x"]} and more', '{"a":"x"}', "match", "invalid",
    ),
    Deviation(
        "an address as a plain string",
        "FIL-43",
        "equality of strings is literal; event-ruler also accepts other spellings of the same address",
        '{"a":["2001:db8::1"]}', '{"a":"2001:DB8:0:0:0:0:0:1"}', "match", "nomatch",
    ),
    Deviation(
        "a number that spells an address",
        "FIL-61",
        "only strings are addresses (observed, E090); event-ruler reads the digits as hexadecimal",
        '{"a":[{"cidr":"16.0.0.0/24"}]}', '{"a":10000001}', "match", "nomatch",
    ),
    Deviation(
        "a prefix beyond the end",
        "FIL-53",
        "a prefix is a beginning of the string; event-ruler lets it take in the closing quote",
        r'{"a":[{"prefix":"xy\""}]}', '{"a":"xy"}', "match", "nomatch",
    ),
    Deviation(
        "a suffix beyond the start",
        "FIL-54",
        "a suffix is an end of the string; event-ruler lets it take in the opening quote",
        r'{"a":[{"suffix":"\"xy"}]}', '{"a":"xy"}', "match", "nomatch",
    ),
    Deviation(
        "characters beyond 16 bits in any case",
        "FIL-55",
        "a string equals itself; event-ruler breaks such characters apart where case is ignored",
        '{"a":[{"equals-ignore-case":"😀"}]}', '{"a":"😀"}', "nomatch", "match",
    ),
    Deviation(
        "a number beyond a double in a range",
        "FIL-68",
        "numbers have no range check; event-ruler compares none that a double does not hold exactly",
        '{"a":[{"numeric":[">",5]}]}', '{"a":1234567890123456789}', "nomatch", "match",
    ),
    Deviation(
        "more digits than a double holds",
        "FIL-67",
        "numbers are equal as doubles; event-ruler falls back to comparing their text",
        '{"a":[0.3]}', '{"a":0.30000000000000001}', "nomatch", "match",
    ),
    Deviation(
        "the smallest double",
        "FIL-68",
        "a double in the range; event-ruler before JDK 19 takes its two-digit text for another number",
        '{"a":[{"numeric":[">",5e-324]}]}', '{"a":1}', "invalid", "match",
    ),
    Deviation(
        "newer operators beside an ordinary $or",
        "FIL-62",
        "a $or that is an ordinary key changes nothing else; event-ruler then reads the pattern with its older "
        "compiler, which knows no anything-but of wildcards or of lists of prefixes",
        '{"$or":["x"],"a":[{"anything-but":{"wildcard":"x*"}}]}', '{"$or":"x","a":"y"}', "invalid", "match",
    ),
    Deviation(
        "too many combinations of $or",
        "FIL-84",
        "1,000 at most; event-ruler has no limit of its own",
        f'{{"a":{{"$or":{_or_of(11)}}},"b":{{"$or":{_or_of(10)}}},"c":{{"$or":{_or_of(10)}}}}}',
        '{"a":{"f0":1},"b":{"f0":1},"c":{"f0":1}}', "match", "invalid",
    ),
    Deviation(
        "an empty name before others",
        "FIL-47",
        "dots join names, also empty ones; event-ruler drops an empty first name of a pattern",
        '{"":{"b":["x"]}}', '{"":{"b":"x"}}', "nomatch", "match",
    ),
    Deviation(
        "an empty name at the end",
        "FIL-47",
        "dots join names, also empty ones; event-ruler never looks at an empty last name",
        '{"a":{"":["x"]}}', '{"a":{"":"x"}}', "nomatch", "match",
    ),
    Deviation(
        "nested too deeply",
        "FIL-83",
        "100 levels; event-ruler goes as deep as its JSON parser",
        '{"a":[1]}', '{"a":' + "[" * 101 + "1" + "]" * 101 + "}", "match", "nomatch",
    ),
    Deviation(
        "an empty list in a nested anything-but",
        "FIL-40",
        "empty arrays are not allowed; event-ruler overlooks one that is not its field's first alternative",
        '{"a":["x",{"anything-but":{"prefix":[]}}]}', '{"a":"x"}', "match", "invalid",
    ),
    Deviation(
        "several operators on one field",
        "FIL-41",
        "alternatives are independent; event-ruler's byte machine mixes a wildcard with a multi-byte suffix",
        '{"a":[{"wildcard":"*a"},{"suffix":"É"}]}', '{"a":"ababé"}', "match", "nomatch",
    ),
)  # fmt: skip

ANSWERED_BY_CHANCE = ('{"c":["tab",{"numeric":["<=",2.5]},"say"]}', '{"c":"tab"}')
"""A plain match (FIL-41) that event-ruler sees about every other time it is asked, by the order of a hash table."""

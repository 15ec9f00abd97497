"""Pairs of a pattern and an event, as JSON text: every operator, right and wrong, near the edges where engines differ.

The same seed gives the same pairs. What event-ruler and the rules of filtering.md are known to decide differently is
kept out here, each with its reason, by `deviations.py`, which checks those cases one by one instead.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

Json = object

NAMES = ("a", "b", "c", "detail", "list", "Ünï", "x-y", "A", "a b", "$or", "prefix", "日本")
WORDS = (
    "", "x", "xy", "xyz", "X", "Xyz", "us-east-1", "us-", "-1", "a*b", "a\\b", "\\", "*", "5", "null", "true",
    "é", "É", "straße", "STRASSE", "ßß", "ss", "K", "k", "\u212a", "ﬁn", "日本語", "本", "ŉ", "Σς", "σ",
    'say "hi"', "tab\there", "one ", "aaa", "aab", "abab", ".png", "i.PNG", "İ", "i̇",
)  # fmt: skip
BEYOND_16_BITS = ("😀", "a😀b", "😀x", "𐐀")
NUMBERS = (
    "0", "-0", "0.0", "1", "1.0", "10e-1", "-1", "5", "5.00", "0.5e1", "5E0", "300", "300.0", "3.0e2", "3e+2", "-7.25",
    "0.1", "1e-7", "1E-7", "123456789012", "9007199254740991", "1.7976931348623157e308", "5000000000.000001", "2.5",
    "100", "-300", "9007199254740992", "1e22", "10000000000000000000", "-1e-300", "1e10", "10000000000.0",
)  # fmt: skip
BEYOND_A_DOUBLE = (
    "9007199254740993", "1234567890123456789", "1234567890123456788", "18446744073709551615", "-9223372036854775808",
    "18446744073709551614",
)  # fmt: skip
ADDRESSES = (
    "10.0.0.1", "10.0.0.255", "10.0.0.256", "10.0.1.0", "192.168.1.7", "0.0.0.0", "255.255.255.255", "010.0.0.1",
    "10.0.0", "10.0.0.1.2", "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:db8:1::", "::", "::1", "::ffff:a00:1",
    "1::2::3", "2001:db8:::1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:9", "12345::", ":",
    "::10.0.0.1", "10.0.0.1 ", "00000::1", "1:2:3:4:5:6:7", ":1:2:3:4:5:6:7", "fe80::1%eth0",
    "fe80::1", "ff02::1", "c0a8::", "A00::7", "32.1.13.184", "0001:00002::3",
)  # fmt: skip
BLOCKS = (
    "10.0.0.0/24", "10.0.0.7/24", "10.0.0.0/8", "10.0.0.0/31", "10.0.0.0/+8", "10.0.0.0/8/", "c000::/2", "192.0.0.0/2",
    "2001:db8::/32", "2001:db8::/64", "2001:db8::/127", "::ffff:a00:0/24", "1:2:3:4:5:6:7:8/13", "a00::/16",
    "32.1.0.0/12",
)  # fmt: skip
BAD_BLOCKS = (
    "10.0.0.0/32", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0.0", "10.0.0.0/8/8", "/8", "10.0.0.256/24", "/",
    "2001:db8::/128", "::1/x", "bad", "", "10.0.0.0/ 8", "10.0.0.0/8.0", "10.0.0.0/99999999999", "x/8",
)  # fmt: skip
WILDCARDS = (
    "*", "x*", "*x", "*y*", "a*b", "a\\*b", "a\\\\b", "\\*", "x*y*z", "us-*-*", "*本*", "*a*a*b", "a*a*", "*😀*",
    "\\\\*", "*\\*", "*ababab*", "é*É", "*.png", "*.p*g", "x", "*us-*", "a*\\\\", "*a",
)  # fmt: skip
BAD_WILDCARDS = ("**", "a\\", "a\\b", "**x", "x**", "*a*a*a*a*a*a*", "*aaaaaaaaaaa*", "*a*a*a*a*", "*本**", "é**")


OPERATORS = frozenset(
    {"exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr"}
)


class Raw(str):
    """JSON text that is written as it is: a number in a form of its own."""

    __slots__ = ()


class Pairs(list[tuple[str, Json]]):
    """An object; a list of its members, so that arrays and objects are walked alike."""


def pairs(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """(pattern, event); the event is made after the pattern, so that about half of the valid ones match."""
    dice = random.Random(seed)
    made = 0
    while made < count:
        pattern = _object(dice, 0)
        event = _event_for(dice, pattern)
        if _mentions(pattern, "numeric") and any(number in _write(dice, event) for number in BEYOND_A_DOUBLE):
            continue  # deviations.py: a number beyond a double in a range
        if _has_ordinary_or(pattern) and _mentions(pattern, "anything-but"):
            continue  # deviations.py: newer operators beside an ordinary $or
        plain = _addresses(pattern)
        if plain and _addresses(event) - plain:
            continue  # deviations.py: an address as a plain string
        made += 1
        yield _write(dice, pattern), _write(dice, event)


def _mentions(value: Json, name: str) -> bool:
    if isinstance(value, Pairs):
        return any(key == name or _mentions(inner, name) for key, inner in value)
    return isinstance(value, list) and any(_mentions(inner, name) for inner in value)


def _addresses(value: Json) -> set[str]:
    """The addresses that stand as values of their own, not as an operator's operand."""
    if isinstance(value, Pairs):
        return set().union(*(_addresses(inner) for _, inner in value))
    if isinstance(value, list):
        return set().union(*map(_addresses, value))
    return {value} if isinstance(value, str) and value in ADDRESSES else set()


def _has_ordinary_or(value: Json) -> bool:
    """Whether some `$or` is, or may be, a key like any other."""
    if isinstance(value, list) and not isinstance(value, Pairs):
        return any(map(_has_ordinary_or, value))
    if not isinstance(value, Pairs):
        return False
    for key, inner in value:
        is_list_of_objects = isinstance(inner, list) and inner and all(type(choice) is Pairs for choice in inner)
        if key == "$or" and (
            isinstance(inner, Pairs)
            or not is_list_of_objects
            or len(inner) < 2
            or any(name in OPERATORS for choice in inner for name, _ in choice)
        ):
            return True
        if _has_ordinary_or(inner):
            return True
    return False


def _mostly(dice: random.Random, good: Sequence[str], bad: Sequence[str]) -> str:
    return dice.choice(good if dice.random() < 0.96 else bad)


def _object(dice: random.Random, depth: int) -> Pairs:
    names = dice.sample(NAMES[:9], dice.choice((1, 1, 2, 2, 3)))
    members: Pairs = Pairs()
    for name in names:
        if dice.random() < 0.05:
            name = f"{name}.{dice.choice(NAMES[:3])}"
        if dice.random() < 0.02:
            name = dice.choice(NAMES)
        if name not in dict(members):
            members.append((name, _node(dice, depth)))
    if dice.random() < 0.1 and "$or" not in dict(members):
        choices: list[Json] = [_object(dice, depth + 1) for _ in range(dice.choice((2, 2, 2, 2, 3, 3, 1)))]
        members.insert(dice.randrange(len(members) + 1), ("$or", choices))
    if dice.random() < 0.01:
        members.clear()
    return members


def _node(dice: random.Random, depth: int) -> Json:
    roll = dice.random()
    if roll < 0.35 and depth < 3:
        return _object(dice, depth + 1)
    if roll < 0.355:
        return dice.choice(("x", Raw("1"), None, True, []))
    return [_alternative(dice) for _ in range(dice.choice((1, 1, 1, 2, 3)))]


def _alternative(dice: random.Random) -> Json:
    roll = dice.random()
    if roll < 0.25:
        return _scalar(dice)
    if roll < 0.26:
        return dice.choice(([], ["x"], Pairs(), Pairs([("prefix", "x"), ("suffix", "y")]), Pairs([("nope", "x")])))
    operand_of = {
        "exactly": _any_word, "prefix": _affix, "suffix": _affix, "equals-ignore-case": _word, "numeric": _numeric,
        "wildcard": lambda dice: _mostly(dice, WILDCARDS, BAD_WILDCARDS),
        "cidr": lambda dice: _mostly(dice, BLOCKS, BAD_BLOCKS),
        "exists": lambda dice: dice.random() < 0.5, "anything-but": _anything_but,
    }  # fmt: skip
    name = dice.choice(list(operand_of))
    operand = operand_of[name](dice) if dice.random() < 0.98 else dice.choice((None, Raw("3"), [], "x", [Raw("1")]))
    if dice.random() < 0.01:
        name = name.upper()
    return Pairs([(name, operand)])


def _scalar(dice: random.Random) -> Json:
    roll = dice.random()
    if roll < 0.4:
        return _any_word(dice)
    if roll < 0.75:
        return Raw(_mostly(dice, NUMBERS, BEYOND_A_DOUBLE))
    return dice.choice((True, False, None, dice.choice(ADDRESSES)))


def _word(dice: random.Random) -> str:
    return dice.choice(WORDS)


def _any_word(dice: random.Random) -> str:
    return _mostly(dice, WORDS, BEYOND_16_BITS)


def _affix(dice: random.Random) -> Json:
    return Pairs([("equals-ignore-case", _word(dice))]) if dice.random() < 0.3 else _any_word(dice)


def _numeric(dice: random.Random) -> list[Json]:
    operator = dice.choice(("=", "<", "<=", ">", ">="))
    low, high = sorted(dice.sample(NUMBERS, 2), key=float)
    bounds: list[Json] = [operator, Raw(low)]
    if operator[0] == ">" and dice.random() < 0.6:
        bounds += [dice.choice(("<", "<=")), Raw(high)]
    if dice.random() < 0.02:
        bounds = [operator, Raw(high), dice.choice(("<", "<=", ">", "=")), Raw(low)]
    if dice.random() < 0.02:
        bounds = dice.choice((bounds[:-1], [*bounds, "<"], bounds[1:], [*bounds[:1], "5"], ["!", *bounds[1:]], []))
    return bounds


def _anything_but(dice: random.Random) -> Json:
    def one_or_more(make: object) -> Json:
        assert callable(make)
        return make(dice) if dice.random() < 0.5 else [make(dice) for _ in range(dice.randrange(1, 4))]

    roll = dice.random()
    if roll < 0.3:
        return one_or_more(_word)
    if roll < 0.5:
        return one_or_more(lambda dice: Raw(dice.choice(NUMBERS)))
    if roll < 0.52:
        return one_or_more(_scalar)
    if roll < 0.53:
        return dice.choice(([], Pairs(), Pairs([("prefix", _affix(dice))]), Pairs([("cidr", "10.0.0.0/8")])))
    operator = dice.choice(("prefix", "suffix", "equals-ignore-case", "wildcard"))
    choices = WILDCARDS if operator == "wildcard" else WORDS[1:]
    worse = BAD_WILDCARDS if operator == "wildcard" else ("",)
    return Pairs([(operator, one_or_more(lambda dice: _mostly(dice, choices, worse)))])


def _event_for(dice: random.Random, pattern: Pairs) -> Pairs:
    """An object with a value, good or bad, wherever the pattern looks."""
    members: dict[str, Json] = {}
    for name, node in pattern:
        if dice.random() < 0.08:
            continue
        if name == "$or" and isinstance(node, list) and all(isinstance(choice, Pairs) for choice in node):
            for choice in node:
                for inner, value in _event_for(dice, choice):
                    members.setdefault(inner, value)
        elif isinstance(node, Pairs):
            members[name] = _nested(dice, node)
        else:
            members[name] = _leaf(dice, node if isinstance(node, list) else [])
    if dice.random() < 0.2:
        members.setdefault(dice.choice(NAMES), dice.choice((_scalar(dice), Pairs(), [], [Pairs()])))
    return Pairs(dict(_respelled(dice, members)).items())  # no key twice: deviations.py


def _respelled(dice: random.Random, members: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """Sometimes a dot where the pattern nests, or nesting where it has a dot."""
    for name, value in members.items():
        if "." in name and dice.random() < 0.5:
            first, rest = name.split(".", 1)
            if first not in members:
                yield first, Pairs([(rest, value)])
                continue
        if isinstance(value, Pairs) and dice.random() < 0.1:
            joined = [(f"{name}.{inner}", nested) for inner, nested in value]
            if not {inner for inner, _ in joined} & set(members):
                yield from joined
                continue
        yield name, value


def _nested(dice: random.Random, node: Pairs) -> Json:
    roll = dice.random()
    if roll < 0.6:
        return _event_for(dice, node)
    if roll < 0.95:
        elements: list[Json] = [_event_for(dice, node) for _ in range(dice.choice((1, 2, 2, 3)))]
        if dice.random() < 0.2:
            elements.insert(dice.randrange(len(elements) + 1), [_event_for(dice, node), _scalar(dice)])
        return elements
    return _scalar(dice)


def _leaf(dice: random.Random, alternatives: list[Json]) -> Json:
    roll = dice.random()
    if roll < 0.05:
        return dice.choice(([], Pairs(), Pairs([("a", _value_for(dice, alternatives))]), [[], [_scalar(dice)]]))
    if roll < 0.2:
        return [_value_for(dice, alternatives) for _ in range(dice.randrange(1, 4))]
    if roll < 0.23:
        return [_value_for(dice, alternatives), [_value_for(dice, alternatives)], Pairs([("b", _scalar(dice))])]
    return _value_for(dice, alternatives)


def _value_for(dice: random.Random, alternatives: list[Json]) -> Json:
    if not alternatives or dice.random() < 0.2:
        return _scalar(dice)
    chosen = dice.choice(alternatives)
    if isinstance(chosen, Raw):
        return Raw(_same_number(dice, chosen))
    if not isinstance(chosen, Pairs):
        return chosen if not isinstance(chosen, list) else _scalar(dice)
    operator, operand = chosen[0] if chosen else ("", "")
    while isinstance(operand, Pairs) and operand:
        operator, operand = operand[0]
    texts = [part for part in operand if isinstance(part, str)] if isinstance(operand, list) else [operand]
    text = dice.choice(texts) if texts and isinstance(texts[0], str) else "x"
    return _near(dice, operator.lower(), text)


def _near(dice: random.Random, operator: str, text: str) -> Json:
    if operator == "numeric" or isinstance(text, Raw):
        return Raw(dice.choice((text, *NUMBERS)) if isinstance(text, Raw) else dice.choice(NUMBERS))
    if operator == "cidr":
        return dice.choice(ADDRESSES)
    if operator == "wildcard":
        return text.replace("\\*", "*").replace("\\\\", "\\") if dice.random() < 0.3 else _filled(dice, text)
    if operator == "prefix":
        text += dice.choice(("", _word(dice)))
    elif operator == "suffix":
        text = dice.choice(("", _word(dice))) + text
    return dice.choice((text, text, text.upper(), text.lower(), text.swapcase()))


def _filled(dice: random.Random, wildcard: str) -> str:
    return "".join(
        dice.choice(("", "a", "aa", "xy", "本")) if character == "*" else character for character in wildcard
    )


def _same_number(dice: random.Random, text: str) -> str:
    same = [other for other in (*NUMBERS, *BEYOND_A_DOUBLE) if float(other) == float(text)]
    return dice.choice([text, *same])


def _write(dice: random.Random, value: Json) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return _write_string(dice, value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{_write_string(dice, name)}:{_write(dice, inner)}" for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_write(dice, inner) for inner in value) + "]"
    return json.dumps(value)


def _write_string(dice: random.Random, text: str) -> str:
    written = json.dumps(text, ensure_ascii=dice.random() < 0.5)
    if text and dice.random() < 0.05 and text[0].isascii() and text[0].isalnum():
        return f'"\\u{ord(text[0]):04x}{written[2:]}'
    return written

"""Our verdicts against AWS' own engine, for twenty thousand patterns and events."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from eventmap.errors import InvalidPattern
from eventmap.rules.pattern import EventPattern
from tests.event_ruler.deviations import ANSWERED_BY_CHANCE, DEVIATIONS, Deviation
from tests.event_ruler.engine import verdicts
from tests.event_ruler.generate import pairs

PAIRS_PER_SEED = 5000
SEEDS = (1, 2, 3, 4)
SELF_CONTRADICTIONS = 20
"""How often event-ruler may, for its operators' sharing one byte machine, disagree with itself in all the pairs."""


def our_verdict(pattern: str, event: str) -> str:
    try:
        compiled = EventPattern(pattern)
    except InvalidPattern:
        return "invalid"
    matched = compiled.matches(event)
    assert matched == compiled.explain(event).matched
    assert matched == compiled.matches(json.loads(event))
    return "match" if matched else "nomatch"


def test_fil_40_to_70_no_verdict_differs_from_event_ruler():
    """Valid or not, match or not: what event-ruler says of a pattern and an event, we say, too."""
    asked = [pair for seed in SEEDS for pair in pairs(PAIRS_PER_SEED, seed)]

    theirs = verdicts(asked)
    ours = [our_verdict(pattern, event) for pattern, event in asked]

    differing = [(pair, their, our) for pair, their, our in zip(asked, theirs, ours, strict=True) if their != our]
    unexplained = [(*pair, their, our) for pair, their, our in differing if their == "invalid" or our == "invalid"]
    contradicted = [(pair, our) for pair, their, our in differing if "invalid" not in (their, our)]
    apart = alternatives_apart([pair for pair, _ in contradicted])
    unexplained += [
        (*pair, "apart", our) for (pair, our), their in zip(contradicted, apart, strict=True) if their != our
    ]
    assert not unexplained
    assert len(contradicted) <= SELF_CONTRADICTIONS
    common = Counter(theirs)
    assert min(common["match"], common["nomatch"], common["invalid"]) > len(asked) / 10


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.name)
def test_deviation_is_still_one(deviation: Deviation):
    """Each known difference is there, on both sides; one that is gone has to leave the list."""
    (theirs,) = verdicts([(deviation.pattern, deviation.event)])

    assert (deviation.theirs, deviation.ours) == (theirs, our_verdict(deviation.pattern, deviation.event))


def test_event_ruler_contradicts_itself():
    """The reason why differing verdicts are asked again, one alternative at a time: the same question, two answers."""
    theirs = set(verdicts([ANSWERED_BY_CHANCE] * 200))

    assert {"match", "nomatch"} == theirs
    assert our_verdict(*ANSWERED_BY_CHANCE) == "match"


def alternatives_apart(asked: list[tuple[str, str]]) -> list[str]:
    """What event-ruler says when it meets one alternative per field at a time; a pattern is the `or` of those."""
    single = [
        (number, (json.dumps(choice), event))
        for number, (pattern, event) in enumerate(asked)
        for choice in one_alternative_each(json.loads(pattern))
    ]
    matching = {
        number
        for (number, _), verdict in zip(single, verdicts([pair for _, pair in single]), strict=True)
        if verdict == "match"
    }
    return ["match" if number in matching else "nomatch" for number in range(len(asked))]


def one_alternative_each(node: object, name: str = "") -> Iterator[object]:
    if isinstance(node, dict):
        for chosen in itertools.product(*(list(one_alternative_each(inner, key)) for key, inner in node.items())):
            yield dict(zip(node, chosen, strict=True))
    elif isinstance(node, list) and name == "$or" and all(isinstance(choice, dict) for choice in node):
        yield from map(list, itertools.product(*(list(one_alternative_each(choice)) for choice in node)))
    elif isinstance(node, list):
        yield from ([alternative] for alternative in node)

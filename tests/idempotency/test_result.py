"""A result survives as the JSON Lambda would answer."""

from __future__ import annotations

import math
from collections import namedtuple
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import ResultNotStorable
from eventmap.idempotency.result import from_text, to_text
from eventmap.runtime.response import MarshalError, to_json

Point = namedtuple("Point", "x y")


class Size(IntEnum):
    LARGE = 3


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: number != 0)
)
results = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.builds(Point, inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers() | st.booleans() | st.none(), inner)  # beside text they would name a field twice
    ),
    max_leaves=10,
)


def answered(result: object) -> Any:
    """What Lambda answers, so far as JSON's readers care: escapes aside."""
    return from_text(to_json(result).decode("utf-8", "surrogatepass"))


@given(results)
def test_inv_36_a_kept_result_is_the_same_answer_of_lambdas(result: object) -> None:
    """INV-36: number for number, digit for digit, at the first call and at every later one."""
    kept = from_text(to_text(result))

    assert to_text(kept) == to_text(result)
    try:
        assert answered(kept) == answered(result)
    except UnicodeEncodeError:  # half a character, which newer runtimes cannot answer with
        assert "\\ud" in to_text(result)


def test_inv_36_what_python_does_not_give_json() -> None:
    """INV-36: as the runtime does it."""
    result = {"p": Point(1, Decimal("1.10")), 2: (True, None), None: Size.LARGE, True: 1.5}

    assert to_text(result) == '{"p":{"x":1,"y":1.10},"2":[true,null],"null":3,"true":1.5}'
    assert answered(result) == from_text(to_text(result))


def test_each_reader_has_a_value_of_its_own() -> None:
    """What one changes, the next does not see."""
    text = to_text({"list": [1]})

    from_text(text)["list"].append(2)

    assert from_text(text) == {"list": [1]}


@pytest.mark.parametrize("number", ["1.10", "0.1000000000000000055511151231257827", "1E+400", "12", "1E-7", "2.50"])
def test_decimals_keep_their_digits(number: str) -> None:
    """As DynamoDB gives them to a handler."""
    assert str(from_text(to_text(Decimal(number)))) == number


class Hostile(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise RuntimeError("not today")


def endless() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (object(), "of type object.*is not JSON"),
        ({"when": {1, 2}}, "of type set are unknown"),
        (b"bytes", "of type bytes"),
        (math.nan, "out of range float value nan"),
        ([Decimal("Infinity")], "out of range decimal"),
        ({(1, 2): 3}, "names must be text, not tuple"),
        (endless(), "recursion"),
        (Hostile(), "not today"),
        pytest.param(10**5000, "digits", id="more digits than Python reads"),
    ],
)
def test_what_is_not_json_is_an_error_in_words(result: object, said: str) -> None:
    """With its type and a way out, before anything is kept."""
    with pytest.raises(ResultNotStorable, match=said):
        to_text(result)


@pytest.mark.parametrize("result", [object(), math.inf, Decimal("NaN"), {(1,): 2}])
def test_what_lambda_refuses_is_refused_here(result: object) -> None:
    """And the other way round, see the property above."""
    with pytest.raises(MarshalError):
        to_json(result)
    with pytest.raises(ResultNotStorable):
        to_text(result)

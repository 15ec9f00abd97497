"""Results as JSON text (INV-36)."""

from __future__ import annotations

import collections
import datetime
import json
import sys
import uuid
from decimal import Decimal
from typing import Any

import pytest

from eventmap.runtime.response import MarshalError, to_json

Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "null"),
        ({"batchItemFailures": []}, '{"batchItemFailures": []}'),
        ({1: True, "t": (1, 2)}, '{"1": true, "t": [1, 2]}'),
        (2**70, str(2**70)),
        (Decimal("1.10"), "1.10"),
        ([Decimal("12345678901234567890.123456789"), Decimal("-1E+5")], "[12345678901234567890.123456789, -1E+5]"),
        (Point(1, (Point(2, 3),)), '{"x": 1, "y": [{"x": 2, "y": 3}]}'),
        ({"p": {"q": [Point(1, 2)]}}, '{"p": {"q": [{"x": 1, "y": 2}]}}'),
    ],
)
def test_inv_36_results_become_json(result: object, text: str):
    """INV-36: Decimals are numbers to the last digit, named tuples objects."""
    assert text == to_json(result).decode()


def test_inv_36_non_ascii_is_kept_since_python_3_12():
    """INV-36: escaped before, kept since."""
    assert to_json("é") == ('"é"'.encode() if sys.version_info >= (3, 12) else b'"\\u00e9"')


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({1}, "Object of type set is not JSON serializable"),
        (b"x", "Object of type bytes is not JSON serializable"),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "Object of type datetime is not JSON serializable"),
        (uuid.uuid4(), "Object of type UUID is not JSON serializable"),
        (float("nan"), "Out of range float values are not JSON compliant"),
        (float("-inf"), "Out of range float values are not JSON compliant"),
        (Decimal("NaN"), "Out of range decimal value is not JSON compliant"),
    ],
)
def test_inv_32_and_36_what_is_not_json_is_refused(result: object, reason: str):
    """INV-32, INV-36: NaN included, which Lambda would let through as invalid JSON."""
    with pytest.raises(MarshalError, match=f"^Unable to marshal response: {reason}"):
        to_json(result)


def test_inv_32_circular_results_are_refused():
    """INV-32: endless results end as an error, not as a crash."""
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(MarshalError):
        to_json(circle)


def test_a_result_is_left_as_it_was():
    """Encoding never changes what the handler may still hold."""
    result = {"a": [Point(1, 2)], "b": {"c": 1}}

    assert json.loads(to_json(result)) == {"a": [{"x": 1, "y": 2}], "b": {"c": 1}}
    assert result == {"a": [Point(1, 2)], "b": {"c": 1}}
    assert isinstance(result["a"][0], Point)  # type: ignore[index]

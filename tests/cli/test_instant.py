from __future__ import annotations

import pytest

from eventmap.cli.failure import Misuse
from eventmap.cli.instant import epoch_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1577836800", 1577836800.0),
        ("1577836800.25", 1577836800.25),
        ("2020-01-01", 1577836800.0),
        ("2020-01-01T00:00:00", 1577836800.0),
        ("2020-01-01T00:00:00Z", 1577836800.0),
        ("2020-01-01T01:00:00+01:00", 1577836800.0),
        ("2020-01-01 00:00:00.5+00:00", 1577836800.5),
    ],
)
def test_str_04_a_time_is_epoch_seconds_or_iso_8601(text: str, seconds: float) -> None:
    """STR-04: without an offset it is in UTC, whatever the machine's own zone."""
    assert epoch_seconds(text, "--from") == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e12", "nan", "inf", "2999-01-01", "2020-13-01", "0001-01-01"])
def test_str_04_what_is_no_time_or_not_yet_is_refused(text: str) -> None:
    """STR-04: in words that name the option."""
    with pytest.raises(Misuse, match=r"^--from "):
        epoch_seconds(text, "--from")

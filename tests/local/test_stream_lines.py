from __future__ import annotations

import pytest

from eventmap.errors import InvalidParameterValue
from eventmap.local.stream_lines import RECORD_LIMIT_BYTES, StreamEntry, parse_stream_line


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ('"hello"', StreamEntry(b"hello", "7")),
        ('{"data": "hello", "partition_key": "k"}', StreamEntry(b"hello", "k")),
        ('{"data": {"n": [1, 2.50]}}', StreamEntry(b'{"n":[1,2.5]}', "7")),
        ('{"data": null, "partition_key": null}', StreamEntry(b"null", "7")),
        ('{"body": "hello", "group": "g"}', StreamEntry(b"hello", "g")),
        ('{"body": {"ü": 1}}', StreamEntry('{"ü":1}'.encode(), "7")),
    ],
)
def test_str_111_a_line_is_a_record(line: str, entry: StreamEntry) -> None:
    """STR-111: data as text or as any JSON value; without a partition key the line's number spreads the records."""
    assert parse_stream_line(line, 7) == entry


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("5", "expected a JSON string"),
        ('{"n": 1}', "expected a JSON string"),
        ('{"data": "x", "group": "g"}', "a stream's record has no 'group'"),
        ('{"body": "x", "attributes": {}}', "a stream's record has no 'attributes'"),
        ('{"data": "x", "partition_key": ""}', '"partition_key" must be text of 1 to 256 characters'),
        ('{"data": "x", "partition_key": 5}', '"partition_key" must be text'),
        ('{"data": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, reason: str) -> None:
    """The message names the line and what is wrong."""
    with pytest.raises(InvalidParameterValue) as refusal:
        parse_stream_line(line, 17)

    assert str(refusal.value).startswith("line 17: ")
    assert reason in str(refusal.value)


def test_str_149_a_record_has_at_most_1_mib_with_its_key() -> None:
    """STR-149: one byte more is refused before anything is sent."""
    text = "x" * (RECORD_LIMIT_BYTES - 1)
    assert len(parse_stream_line(f'"{text}"', 1).data) == RECORD_LIMIT_BYTES - 1

    with pytest.raises(InvalidParameterValue, match="1048577 bytes"):
        parse_stream_line(f'"{text}x"', 1)

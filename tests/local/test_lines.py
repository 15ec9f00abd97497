from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.local.lines import MESSAGE_LIMIT_BYTES, dump_lines, parse_line, size_bytes

# The characters SQS carries.
bodies = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n\r"),
    min_size=1,
    max_size=40,
)
names = st.text("abcXYZ019_-", min_size=1, max_size=10)
attribute_values = st.one_of(
    st.builds(lambda text: {"DataType": "String", "StringValue": text}, bodies),
    st.builds(lambda text: {"DataType": "String.label", "StringValue": text}, bodies),
    st.builds(
        lambda number: {"DataType": "Number", "StringValue": number}, st.sampled_from(["1", "1.0", "1.50", "-7"])
    ),
    st.builds(lambda number: {"DataType": "Number", "StringValue": number}, st.sampled_from(["9" * 38, "1e5", "+1"])),
    st.just({"DataType": "Binary", "BinaryValue": "AP8="}),
    st.just({"DataType": "Binary.png", "BinaryValue": "AP8="}),
)


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ('"hello"', {"MessageBody": "hello"}),
        ('{"body": "hello"}', {"MessageBody": "hello"}),
        ('{"body": {"a": [1, 2.50, null], "ü": "é"}}', {"MessageBody": '{"a":[1,2.5,null],"ü":"é"}'}),
        ('{"body": 5}', {"MessageBody": "5"}),
        ('{"body": null}', {"MessageBody": "null"}),
        ('{"body": "x", "delay": 0}', {"MessageBody": "x", "DelaySeconds": 0}),
        ('{"body": "x", "group": "tenant"}', {"MessageBody": "x", "MessageGroupId": "tenant"}),
        (
            '{"body": "x", "attributes": {"s": "t", "i": 12345678901234567890123, "f": 0.5, "b": {"binary": "AP8="}}}',
            {
                "MessageBody": "x",
                "MessageAttributes": {
                    "s": {"DataType": "String", "StringValue": "t"},
                    "i": {"DataType": "Number", "StringValue": "12345678901234567890123"},
                    "f": {"DataType": "Number", "StringValue": "0.5"},
                    "b": {"DataType": "Binary", "BinaryValue": "AP8="},
                },
            },
        ),
    ],
)
def test_a_line_is_a_message(line: str, entry: dict[str, Any]) -> None:
    """A string is a body; an object has one, as text or as any JSON value."""
    assert parse_line(line, 1, fifo=False) == entry


def test_a_fifo_line_carries_group_and_deduplication_id() -> None:
    """Both become the fields of AWS' entry."""
    entry = parse_line('{"body": "x", "group": "g", "dedup_id": "d"}', 1, fifo=True)

    assert entry == {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}


@pytest.mark.parametrize(
    ("line", "fifo", "reason"),
    [
        ("{", False, "Expecting"),
        ("5", False, "expected a JSON string"),
        ("null", False, "expected a JSON string"),
        ("[]", False, "expected a JSON string"),
        ('{"order": 1}', False, 'an object with "body"'),
        ('{"body": "x", "Attributes": {}}', False, "unknown key 'Attributes'"),
        ('""', False, "at least one character"),
        ('{"body": ""}', False, "at least one character"),
        ('"a\\u0000b"', False, "U+0000"),
        ('"\\ud800"', False, "U+D800"),
        ('{"body": NaN}', False, "NaN is not JSON"),
        ('{"body": 1e999}', False, "not JSON compliant"),
        ("[" * 100_000, False, "recursion"),
        ('{"body": "x", "attributes": [1]}', False, '"attributes" must be'),
        ('{"body": "x", "attributes": {"a": true}}', False, "attribute 'a' must be"),
        ('{"body": "x", "attributes": {"a": ""}}', False, "attribute 'a' must be text"),
        ('{"body": "x", "attributes": {"a": {"binary": "?"}}}', False, "attribute 'a' is not base64"),
        ('{"body": "x", "attributes": {"a": {"binary": ""}}}', False, "attribute 'a' is empty"),
        ('{"body": "x", "attributes": {"a": {"binary": "AP8=", "x": 1}}}', False, "attribute 'a' must be"),
        ('{"body": "x", "attributes": {"a": {"DataType": "Text", "StringValue": "v"}}}', False, "'a' must be"),
        ('{"body": "x", "attributes": {"a": {"DataType": "Binary", "StringValue": "v"}}}', False, "'a' must be"),
        ('{"body": "x", "group": 5}', False, "group must be text"),
        ('{"body": "x", "dedup_id": "d"}', False, "FIFO queues only"),
        ('"x"', True, 'needs "group"'),
        ('{"body": "x", "group": "g", "delay": 0}', True, "SQS-130"),
        ('{"body": "x", "delay": 901}', False, "from 0 to 900"),
        ('{"body": "x", "delay": true}', False, "whole seconds"),
        ('{"body": "x", "delay": 1.5}', False, "whole seconds"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, fifo: bool, reason: str) -> None:
    """The message names the line and what is wrong."""
    with pytest.raises(InvalidParameterValue) as refusal:
        parse_line(line, 17, fifo=fifo)

    assert str(refusal.value).startswith("line 17: ")
    assert reason in str(refusal.value)


def test_sqs_127_eleven_attributes_are_refused() -> None:
    """Ten is SQS' limit."""
    line = json.dumps({"body": "x", "attributes": {f"a{n}": "v" for n in range(11)}})

    with pytest.raises(InvalidParameterValue, match="at most 10"):
        parse_line(line, 1, fifo=False)


def test_sqs_128_a_message_has_at_most_1_mib_with_its_attributes() -> None:
    """The body in UTF-8, and each attribute's name, type and value are counted."""
    fits = {"body": "x" * (MESSAGE_LIMIT_BYTES - 9), "attributes": {"n": "ä"}}
    assert size_bytes(parse_line(json.dumps(fits), 1, fifo=False)) == MESSAGE_LIMIT_BYTES

    with pytest.raises(InvalidParameterValue, match="1048577 bytes"):
        parse_line(json.dumps(fits | {"body": fits["body"] + "x"}), 1, fifo=False)  # type: ignore[operator]


@given(body=bodies, attributes=st.dictionaries(names, attribute_values, max_size=4), group=st.none() | names)
def test_a_dumped_message_is_sent_again_as_it_was(
    body: str, attributes: dict[str, dict[str, str]], group: str | None
) -> None:
    """`dump_lines` and `parse_line` are inverse in body, attributes and group, types and digits included."""
    message: dict[str, Any] = {"Body": body, "MessageId": "m", "ReceiptHandle": "r", "Attributes": {}}
    if attributes:
        message["MessageAttributes"] = attributes
    if group is not None:
        message["Attributes"] = {"MessageGroupId": group, "MessageDeduplicationId": "left out"}

    [line] = dump_lines([message])
    entry = parse_line(line, 1, fifo=False)

    assert "\n" not in line
    assert entry.pop("MessageBody") == body
    assert entry.pop("MessageAttributes", {}) == attributes
    assert entry.pop("MessageGroupId", None) == group
    assert entry == {}

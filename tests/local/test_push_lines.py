"""The lines of topics and buckets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.local.object_lines import ObjectEntry, parse_object_line
from eventmap.local.topic_lines import MESSAGE_LIMIT_BYTES, TopicEntry, parse_topic_line


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ('"hello"', TopicEntry("hello")),
        ('{"message": "hello"}', TopicEntry("hello")),
        ('{"message": {"a": [1, 2.50, null], "ü": "é"}}', TopicEntry('{"a":[1,2.5,null],"ü":"é"}')),
        ('{"message": 5, "subject": "five"}', TopicEntry("5", "five")),
        ('{"body": "of a queue"}', TopicEntry("of a queue")),
        ('{"message": "x", "subject": null, "attributes": null}', TopicEntry("x")),
        (
            '{"message": "x", "attributes": {"s": "t", "n": 1.5, "a": ["x", 1, true, null], "b": {"binary": "AP8="}}}',
            TopicEntry(
                "x",
                None,
                {
                    "s": {"DataType": "String", "StringValue": "t"},
                    "n": {"DataType": "Number", "StringValue": "1.5"},
                    "a": {"DataType": "String.Array", "StringValue": '["x",1,true,null]'},
                    "b": {"DataType": "Binary", "BinaryValue": b"\0\xff"},
                },
            ),
        ),
    ],
)
def test_sns_06_a_line_is_a_message_of_a_topic(line: str, entry: TopicEntry) -> None:
    """SNS-06: a string is a message; an object has one, and attributes of the four types."""
    assert parse_topic_line(line, 1) == entry


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 7: Expecting property name"),
        ("5", 'line 7: expected a JSON string, or an object with "message"'),
        ("[]", 'line 7: expected a JSON string, or an object with "message"'),
        ("{}", 'line 7: expected a JSON string, or an object with "message"'),
        ('{"message": NaN}', "line 7: NaN is not JSON"),
        ('{"message": "x", "topic": "y"}', "line 7: a topic's message has no 'topic'"),
        ('{"message": "x", "group": "g"}', "line 7: a topic's message has no 'group'"),
        ('{"message": "x", "attributes": []}', None),
        ('{"message": "x", "attributes": ["a"]}', 'line 7: "attributes" must be an object'),
        ('{"message": "x", "attributes": {"a": {"b": 1}}}', "line 7: attribute 'a' must be a string, a number"),
        ('{"message": "x", "attributes": {"a": ""}}', "line 7: attribute 'a' must be text of at least one character"),
    ],
)
def test_a_line_that_is_no_message_is_named(line: str, words: str | None) -> None:
    """With its number, and what is wrong with it."""
    if words is None:
        assert parse_topic_line(line, 7) == TopicEntry("x")
        return
    with pytest.raises(InvalidParameterValue) as refused:
        parse_topic_line(line, 7)

    assert str(refused.value).startswith(words)


@pytest.mark.parametrize("subject", ["x" * 99, "ü", "a subject, with spaces"])
def test_sns_05_a_subject_is_short_text(subject: str) -> None:
    """SNS-05: below 100 characters."""
    assert parse_topic_line(json.dumps({"message": "x", "subject": subject}), 1).subject == subject


@pytest.mark.parametrize("subject", ["", "x" * 100, "a\nb", "a\tb", "\x00", 5, ["x"]])
def test_sns_05_any_other_subject_is_refused(subject: object) -> None:
    """SNS-05: too long, a line break, a control character, no text."""
    with pytest.raises(InvalidParameterValue, match=r'line 1: "subject" must be text of 1 to 99 characters'):
        parse_topic_line(json.dumps({"message": "x", "subject": subject}), 1)


@pytest.mark.parametrize("name", ["a", "a.b", "_-9", "x" * 256])
def test_sns_06_an_attribute_has_a_name(name: str) -> None:
    """SNS-06: letters, digits, hyphens, underscores and dots."""
    assert name in parse_topic_line(json.dumps({"message": "x", "attributes": {name: "y"}}), 1).attributes


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "a b", "é", "x" * 257, "a\n"])
def test_sns_06_any_other_name_is_refused(name: str) -> None:
    """SNS-06: no dot at its ends, nor two in a row."""
    with pytest.raises(InvalidParameterValue, match="line 1: attribute name "):
        parse_topic_line(json.dumps({"message": "x", "attributes": {name: "y"}}), 1)


def test_sns_03_a_message_has_256_kib_with_its_attributes() -> None:
    """SNS-03: names, types and values count; an empty message is none."""
    attributes = {"n": "é"}  # 1 + 6 + 2 bytes
    fits = json.dumps({"message": "x" * (MESSAGE_LIMIT_BYTES - 9), "attributes": attributes})
    too_large = json.dumps({"message": "x" * (MESSAGE_LIMIT_BYTES - 8), "attributes": attributes})

    assert len(parse_topic_line(fits, 1).message) == MESSAGE_LIMIT_BYTES - 9
    with pytest.raises(InvalidParameterValue, match=r"line 2: the message has 262145 bytes .* \(SNS-03\)"):
        parse_topic_line(too_large, 2)
    with pytest.raises(InvalidParameterValue, match='"message" must not be empty'):
        parse_topic_line('""', 1)


@given(st.text(min_size=1, max_size=50).filter(lambda text: text.isprintable()))
def test_what_is_a_string_is_published_as_it_is(text: str) -> None:
    """Whatever it looks like: no JSON is made of it, none is read in it."""
    assert parse_topic_line(json.dumps(text), 1).message == text
    assert parse_topic_line(json.dumps({"message": text}), 1).message == text


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ('{"key": "a b/ü", "body": "text"}', ObjectEntry("a b/ü", b"text")),
        ('{"key": "k", "body": ""}', ObjectEntry("k", b"")),
        ('{"key": "k", "body": {"id": 7}}', ObjectEntry("k", b'{"id":7}')),
        ('{"key": "k", "body": {"binary": "AP8="}}', ObjectEntry("k", b"\0\xff")),
        ('{"key": "k", "body": {"binary": "AP8=", "more": 1}}', ObjectEntry("k", b'{"binary":"AP8=","more":1}')),
    ],
)
def test_a_line_is_an_object_of_a_bucket(line: str, entry: ObjectEntry) -> None:
    """Text, any JSON, or bytes."""
    assert parse_object_line(line, 1) == entry


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"text"', 'line 3: expected an object with "key" and "body"'),
        ('{"key": "k"}', 'line 3: expected an object with "key" and "body"'),
        ('{"key": "k", "body": "x", "type": "y"}', 'line 3: expected an object with "key" and "body"'),
        ('{"key": "", "body": "x"}', 'line 3: "key" must be text of 1 to 1024 bytes'),
        ('{"key": 5, "body": "x"}', 'line 3: "key" must be text of 1 to 1024 bytes'),
        (json.dumps({"key": "é" * 513, "body": "x"}), 'line 3: "key" must be text of 1 to 1024 bytes'),
        ('{"key": "k", "body": {"binary": "!"}}', 'line 3: "body" is not base64'),
    ],
)
def test_a_line_that_is_no_object_is_named(line: str, words: str) -> None:
    """With its number, and what is wrong with it."""
    with pytest.raises(InvalidParameterValue) as refused:
        parse_object_line(line, 3)

    assert str(refused.value).startswith(words)

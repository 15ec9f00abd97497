"""What SNS takes for publishing, and what each kind of endpoint gets of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.rules.sns_publish import (
    Publication,
    batch_problem,
    deduplication_id,
    notification_attributes,
    publication_problem,
    queue_attributes,
    size_bytes,
    text_for,
    topic_name_problem,
)

KIB = 1_024


def text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}


def test_sns_03_the_message_and_its_attributes_count_together() -> None:
    """Names, types and values, in UTF-8; a byte more than the limit is too long."""
    attributes = {"kind": text("ä"), "raw": {"DataType": "Binary", "BinaryValue": b"\x00" * 7}}
    least = len("kindString") + 2 + len("rawBinary") + 7

    fits = Publication(message="x" * (256 * KIB - least), message_attributes=attributes)
    exceeds = Publication(message="x" * (256 * KIB - least + 1), message_attributes=attributes)

    assert size_bytes(fits) == 262_144
    assert publication_problem(fits) is None
    assert publication_problem(exceeds) == "Message too long"
    assert publication_problem(exceeds, maximum_bytes=1_048_576) is None


def batch(*identifiers: str, message: str = "m") -> list[tuple[str, Publication]]:
    return [(identifier, Publication(message=message)) for identifier in identifiers]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        (batch("a"), None),
        (batch(*"abcdefghij"), None),
        (batch("A-1_" * 20), None),
        (batch(), "EmptyBatchRequest"),
        (batch(*"abcdefghijk"), "TooManyEntriesInBatchRequest"),
        (batch("a", "a"), "BatchEntryIdsNotDistinct"),
        (batch("a b"), "InvalidBatchEntryId"),
        (batch(""), "InvalidBatchEntryId"),
        (batch("a" * 81), "InvalidBatchEntryId"),
        (batch("a", "b", message="x" * 131_072), None),
        (batch("a", "b", message="x" * 131_073), "BatchRequestTooLong"),
    ],
)
def test_sns_04_a_batch_has_ten_entries_with_ids_of_their_own(
    entries: list[tuple[str, Publication]], code: str | None
) -> None:
    """And the size of one message in all."""
    problem = batch_problem(entries, maximum_bytes=262_144)

    assert (problem and problem[0]) == code


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        (None, None),
        ("a", None),
        ("ü" * 99, None),
        ("x" * 100, "Subject"),
        ("", "Subject"),
        ("two\nlines", "Subject"),
        ("tab\t", "Subject"),
        ("bell\x07", "Subject"),
        ("line\u2028", "Subject"),
    ],
)
def test_sns_05_a_subject_is_one_short_line(subject: str | None, problem: str | None) -> None:
    """Below a hundred characters, none of which breaks the line or controls anything."""
    assert publication_problem(Publication(message="m", subject=subject)) == problem


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "x" * 256, "a.b.c", "AWS.x"])
def test_sns_06_names_of_attributes(name: str) -> None:
    """Letters, digits, hyphens, underscores, and single periods inside."""
    assert publication_problem(Publication(message="m", message_attributes={name: text("v")})) is None


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "a b", "ä", "x" * 257, "a\n"])
def test_sns_06_other_names_of_attributes_are_refused(name: str) -> None:
    """By their name."""
    problem = publication_problem(Publication(message="m", message_attributes={name: text("v")}))

    assert problem == f"The message attribute name '{name}' is not valid"


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        (text("v"), True),
        ({"DataType": "String.Array", "StringValue": '["a"]'}, True),
        ({"DataType": "String.Array", "StringValue": "[x"}, True),
        ({"DataType": "String.of-mine", "StringValue": "v"}, True),
        ({"DataType": "Number", "StringValue": "-1.5e3"}, True),
        ({"DataType": "Number.int", "StringValue": "7"}, True),
        ({"DataType": "Binary", "BinaryValue": b"\x00"}, True),
        ({"DataType": "Binary.png", "BinaryValue": b"\x00"}, True),
        (text(""), False),
        ({"DataType": "Number", "StringValue": "one"}, False),
        ({"DataType": "Number", "StringValue": "1_000"}, False),
        ({"DataType": "Number", "StringValue": "nan"}, False),
        ({"DataType": "Binary", "BinaryValue": b""}, False),
        ({"DataType": "Binary", "StringValue": "v"}, False),
        ({"DataType": "String", "BinaryValue": b"v"}, False),
        ({"DataType": "String"}, False),
        ({"DataType": "string", "StringValue": "v"}, False),
        ({"DataType": "String.", "StringValue": "v"}, False),
        ({"DataType": "Text", "StringValue": "v"}, False),
        ({"StringValue": "v"}, False),
        ({"DataType": "String", "StringValue": "\ud800"}, False),
    ],
)
def test_sns_06_types_of_attributes_and_their_values(value: dict[str, Any], is_valid: bool) -> None:
    """Three types, with labels of one's own behind a period; the value is of the type, and not empty."""
    problem = publication_problem(Publication(message="m", message_attributes={"a": value}))

    assert (problem is None) is is_valid


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ('{"default": "d"}', None),
        ('{"default": "d", "sqs": 1, "other": {}}', None),
        ('{"sqs": "s"}', "Message Structure - No default entry in JSON message body"),
        ('{"default": 1}', "Message Structure - No default entry in JSON message body"),
        ('["default"]', "Message Structure - JSON message body failed to parse"),
        ("default", "Message Structure - JSON message body failed to parse"),
        ('{"default": "a", "default": "b"}', "Message Structure - JSON message body failed to parse"),
        ('{"default": "d", "sqs": {"a": 1, "a": 2}}', "Message Structure - JSON message body failed to parse"),
        ('{"default": "\\ud800"}', "Message Structure - JSON message body failed to parse"),
        ("[" * 100_000, "Message Structure - JSON message body failed to parse"),
    ],
)
def test_sns_08_a_structured_message_is_an_object_with_a_default_text(message: str, problem: str | None) -> None:
    """What is no text is passed over, and a key that is there twice is an error."""
    assert publication_problem(Publication(message=message, message_structure="json")) == problem


def test_sns_08_each_protocol_gets_its_own_text() -> None:
    """Those without one get the default; without the structure all get the message as it is."""
    message = json.dumps({"default": "d", "sqs": "s", "lambda": 1})
    structured = Publication(message=message, message_structure="json")

    assert [text_for(structured, protocol) for protocol in ("sqs", "lambda", "https")] == ["s", "d", "d"]
    assert text_for(Publication(message=message), "sqs") == message
    assert publication_problem(Publication(message="m", message_structure="xml")) is not None


@pytest.mark.parametrize(
    ("name", "is_fifo", "is_valid"),
    [
        ("orders", False, True),
        ("A_b-9" * 51, False, True),
        ("orders.fifo", True, True),
        ("", False, False),
        ("x" * 257, False, False),
        ("a b", False, False),
        ("a.b", False, False),
        ("ä", False, False),
        ("orders.fifo", False, False),
        ("orders", True, False),
        (".fifo", True, False),
        ("x" * 252 + ".fifo", True, False),
    ],
)
def test_sns_09_names_of_topics(name: str, is_fifo: bool, is_valid: bool) -> None:
    """Letters, digits, hyphens and underscores; `.fifo` at the end says what it is."""
    assert (topic_name_problem(name, is_fifo=is_fifo) is None) is is_valid


@pytest.mark.parametrize("message", ["", "\ud800"])
def test_sns_03_a_message_is_text_and_not_empty(message: str) -> None:
    """Half a character cannot be sent."""
    assert publication_problem(Publication(message=message)) is not None


def fifo(**fields: Any) -> Publication:
    return Publication(message="Test", **fields)


@pytest.mark.parametrize(
    ("publication", "by_content", "said"),
    [
        (fifo(message_group_id="g", message_deduplication_id="d"), False, None),
        (fifo(message_group_id="g"), True, None),
        (fifo(message_group_id="g"), False, "ContentBasedDeduplication"),
        (fifo(message_deduplication_id="d"), True, "MessageGroupId parameter is required"),
        (fifo(message_group_id="g g"), True, "MessageGroupId must have"),
        (fifo(message_group_id="g", message_deduplication_id="x" * 129), True, "MessageDeduplicationId must have"),
    ],
)
def test_sns_126_a_message_of_a_fifo_topic_has_a_group_and_an_id(
    publication: Publication, by_content: bool, said: str | None
) -> None:
    """The id may be left to the content if the topic is set up so."""
    problem = publication_problem(publication, is_fifo=True, content_based_deduplication=by_content)

    assert problem is None if said is None else problem is not None and said in problem


def test_sns_126_the_content_decides_by_its_digest() -> None:
    """Unless the message names an id."""
    by_content = fifo(message_group_id="g")

    assert deduplication_id(by_content) == "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    assert deduplication_id(fifo(message_group_id="g", message_deduplication_id="d")) == "d"


def test_sns_128_a_standard_topic_takes_a_group_and_no_deduplication_id() -> None:
    """The group is for the queues behind it."""
    assert publication_problem(fifo(message_group_id="g")) is None
    assert publication_problem(fifo(message_deduplication_id="d")) is not None


def test_sns_55_66_attributes_as_notifications_and_as_queues_have_them() -> None:
    """Binary values as base64 in both."""
    attributes = {
        "s": text("v"),
        "n": {"DataType": "Number", "StringValue": "99.12"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"},
    }

    assert notification_attributes(attributes) == {
        "s": {"Type": "String", "Value": "v"},
        "n": {"Type": "Number", "Value": "99.12"},
        "b": {"Type": "Binary", "Value": "AgME"},
    }
    assert queue_attributes(attributes) == {
        "s": {"DataType": "String", "StringValue": "v"},
        "n": {"DataType": "Number", "StringValue": "99.12"},
        "b": {"DataType": "Binary", "BinaryValue": "AgME"},
    }


_VALUE = st.one_of(st.text(max_size=5), st.binary(max_size=5), st.none(), st.integers())
_ATTRIBUTE = st.dictionaries(st.sampled_from(["DataType", "StringValue", "BinaryValue"]), _VALUE)


@given(
    message=st.text(),
    subject=st.none() | st.text(),
    structure=st.sampled_from([None, "json", "xml"]),
    attributes=st.dictionaries(st.text(max_size=5), _ATTRIBUTE, max_size=3),
    group=st.none() | st.text(max_size=5),
    is_fifo=st.booleans(),
)
def test_sns_03_to_08_126_every_publication_is_taken_or_refused_in_words(
    message: str,
    subject: str | None,
    structure: str | None,
    attributes: dict[str, dict[str, Any]],
    group: str | None,
    is_fifo: bool,
) -> None:
    """Nothing raises; and what is taken has a text for every protocol, and a size."""
    publication = Publication(
        message=message,
        subject=subject,
        message_structure=structure,
        message_attributes=attributes,
        message_group_id=group,
    )

    if publication_problem(publication, is_fifo=is_fifo, content_based_deduplication=True) is None:
        assert isinstance(text_for(publication, "sqs"), str)
        assert 0 < size_bytes(publication) <= 262_144
        assert notification_attributes(attributes).keys() == attributes.keys()

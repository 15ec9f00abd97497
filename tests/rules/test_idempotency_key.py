"""Which key an event or record has."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmap.errors import ConfigurationError, KeyNotFound
from eventmap.rules.idempotency_key import check_path, digest, found

QUEUE, STREAM, TOPIC = "arn:aws:sqs:eu-west-1:1:orders", "arn:aws:kinesis:eu-west-1:1:stream/clicks", "arn:topic"
SQS = {"messageId": "m1", "receiptHandle": "r1", "body": "{}", "eventSource": "aws:sqs", "eventSourceARN": QUEUE}
KINESIS = {"eventID": "shardId-0:49", "eventSource": "aws:kinesis", "eventSourceARN": STREAM, "kinesis": {}}
SNS = {"EventSource": "aws:sns", "EventSubscriptionArn": "arn:s", "Sns": {"MessageId": "n1", "TopicArn": TOPIC}}
S3 = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "eventTime": "2026-01-01T00:00:00Z",
    "s3": {"bucket": {"name": "photos"}, "object": {"key": "a.png", "sequencer": "0A", "size": 7}},
}
ORDER = {"body": '{"order": {"id": 7, "items": [{"sku": "a"}, {"sku": "b"}]}}', "gone": None, "none": "", "no": []}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (SQS, [QUEUE, "m1"]),
        (KINESIS, [STREAM, "shardId-0:49"]),
        ({**KINESIS, "eventSource": "aws:dynamodb", "dynamodb": {}}, [STREAM, "shardId-0:49"]),
        (SNS, [TOPIC, "n1"]),
        (S3, ["s3", "photos", "a.png", None, "0A", "ObjectCreated:Put"]),
    ],
)
def test_a_record_has_the_key_its_source_delivers_it_under_again(record: dict[str, Any], key: object) -> None:
    """Receipts, counts and times change with every delivery, and are no part of it."""
    assert found(None, record) == key


@pytest.mark.parametrize("event", [{"id": 7}, {"detail-type": "OrderPlaced", "id": "e"}, {}, [1], "text", None, 7])
def test_an_event_that_is_no_batch_is_its_own_key(event: object) -> None:
    """Whatever it is, an empty one too."""
    assert digest(found(None, event))


def test_an_event_of_sns_or_s3_has_the_keys_of_its_records() -> None:
    """It comes again as it was."""
    assert found(None, {"Records": [SNS]}) == [[TOPIC, "n1"]]
    assert found(None, {"Records": [S3, S3]}) == [found(None, S3)] * 2


@pytest.mark.parametrize("records", [[SQS], [SQS, SQS], [KINESIS], [], [SNS, SQS], ["text"]])
def test_a_batch_has_no_key(records: list[Any]) -> None:
    """In words that say what to write instead."""
    with pytest.raises(KeyNotFound, match="put @each_record above @idempotent"):
        found(None, {"Records": records})


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"messageId": "m1", "receiptHandle": "r1", "body": "{}"}, "this record has no key"),
        ({"eventSource": "aws:ses", "ses": {}}, "this record has no key"),
        ({"requestContext": {"requestId": "q1", "http": {}}, "body": "{}"}, "an HTTP request is never the same twice"),
    ],
)
def test_an_event_that_never_comes_again_as_it_was_needs_a_key(event: dict[str, Any], said: str) -> None:
    """As a whole it would be new each time, and nobody would notice."""
    with pytest.raises(KeyNotFound, match=f"{said}.*key="):
        found(None, event)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("body.order.id", 7),
        ("body.order.items.1.sku", "b"),
        ("body.order", {"id": 7, "items": [{"sku": "a"}, {"sku": "b"}]}),
    ],
)
def test_a_path_leads_through_objects_lists_and_json_text(path: str, value: object) -> None:
    """The body of a message is text, and is read on the way."""
    assert found(path, ORDER) == value


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tenant", 'no "tenant" in the event'),
        ("body.order.items.2.sku", 'no "2" in "body.order.items"'),
        ("body.order.items.-1", 'no "-1"'),
        ("body.order.id.x", 'no "x" in "body.order.id"'),
        ("none.x", '"none" is not JSON'),
        ("gone", 'found at "gone" is None'),
        ("none", "found at \"none\" is ''"),
        ("no", 'found at "no" is \\[\\]'),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_in_words(path: str, said: str) -> None:
    """Never a key that unrelated events share, never a skip."""
    with pytest.raises(KeyNotFound, match=said):
        found(path, ORDER)


@pytest.mark.parametrize("value", [None, "", [], {}, (), ("tenant", None), [["a", ""]]])
def test_a_function_that_finds_nothing_is_an_error_in_words(value: object) -> None:
    """A part that is missing makes the whole unusable."""
    with pytest.raises(KeyNotFound, match="found by its function is"):
        found(lambda event: value, ORDER)


@pytest.mark.parametrize("value", [0, False, "0", ("tenant", 7), {"a": None}])
def test_a_function_may_find_what_json_expresses(value: object) -> None:
    """Zero is a number, and no nothing."""
    assert digest(found(lambda event: value, ORDER))


def test_what_json_cannot_express_is_no_key() -> None:
    """In words, with its type."""
    with pytest.raises(KeyNotFound, match="of type object, which JSON cannot express"):
        digest(object())


@pytest.mark.parametrize("path", ["", ".", "body.", ".body", "body..id"])
def test_a_path_is_checked_when_it_is_declared(path: str) -> None:
    """Before any event comes."""
    with pytest.raises(ConfigurationError, match="is not a dotted path"):
        check_path(path, "key")


@settings(max_examples=50)
@given(value=json_values, seed=st.integers())
def test_a_digest_depends_on_nothing_but_the_value(value: Any, seed: int) -> None:
    """Not on the order of fields."""
    assert digest(_shuffled(value, random.Random(seed))) == digest(value)
    assert len(digest(value)) == 64


def test_digests_of_different_values_differ() -> None:
    """Text and number, list and its only element, are not the same key."""
    values = [1, "1", [1], {"a": 1}, [["a", 1]], True, None, "true", "é", "e\u0301", "\ud800"]

    assert len({digest(value) for value in values}) == len(values)


def _shuffled(value: Any, dice: random.Random) -> Any:
    if isinstance(value, list):
        return [_shuffled(item, dice) for item in value]
    if isinstance(value, dict):
        names = list(value)
        dice.shuffle(names)
        return {name: _shuffled(value[name], dice) for name in names}
    return value

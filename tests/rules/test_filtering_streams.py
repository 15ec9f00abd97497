"""Filters of Kinesis and DynamoDB mappings."""

from __future__ import annotations

import base64
import copy

import pytest

from eventmap.errors import InvalidParameterValue, InvalidPattern
from eventmap.model import JsonObject, JsonValue
from eventmap.rules.filtering import DynamoDbFilter, FilteredSource, KinesisFilter, SqsFilter, filter_for


def kinesis(data: bytes, key: str = "1") -> JsonObject:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
        "eventName": "aws:kinesis:record",
        "awsRegion": "us-east-1",
    }


def dynamodb(name: str = "INSERT", image: JsonObject | None = None, **more: JsonValue) -> JsonObject:
    change: JsonObject = {"ApproximateCreationDateTime": 1545084650.0, "Keys": {"id": {"N": "1"}}}
    if image is not None:
        change["NewImage"] = image
    return {"eventID": "c4ca", "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": change, **more}


EXPIRED: JsonObject = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
KINESIS: dict[str, tuple[list[str], bytes, bool]] = {
    "V14": (['{"data":{"t":["f1"]}}'], b'{"t":"f1"}', True),
    "V15": (['{"data":{"t":["f1"]}}'], b'{"t":"f2"}', False),
    "V16": (['{"data":{"t":["f1"]}}'], b"not json", False),
    "V18": (['{"partitionKey":["1"]}'], b"\xff\x00", True),
    "V19": (['{"kinesis":{"data":{"t":["f1"]}}}'], b'{"t":"f1"}', False),
    "FIL-04_no_filters": ([], b"\xff", True),
    "FIL-16_lifted_fields_are_not_found_below": (['{"kinesis":{"partitionKey":["1"]}}'], b"{}", False),
    "FIL-16_lifted_numbers": (['{"approximateArrivalTimestamp":[{"numeric":[">",0]}]}'], b"", True),
    "FIL-16_fields_of_the_record": (['{"eventName":["aws:kinesis:record"]}'], b"", True),
    "FIL-16_data_and_metadata": (['{"data":{"t":["f1"]},"partitionKey":["2"]}'], b'{"t":"f1"}', False),
    "FIL-27_absence_needs_json": (['{"data":{"t":[{"exists":false}]}}'], b"plain", False),
    "FIL-29_metadata_only": (['{"partitionKey":["2"]}'], b'{"t":"f1"}', False),
    "FIL-30_nested": (['{"data":{"a":{"b":[{"prefix":"x"}]}}}'], b'{"a":{"b":"xyz"}}', True),
    "FIL-31_not_utf_8": (['{"data":{"t":[{"exists":false}]}}'], b'{"t":"\xff"}', False),
    "FIL-32_an_array_is_no_object": (['{"data":{"t":[{"exists":false}]}}'], b'[{"t":"f1"}]', False),
    "FIL-33_each_its_own_format": (['{"data":{"t":["f1"]}}', '{"partitionKey":["1"]}'], b"plain", True),
    "FIL-33_each_its_own_format_in_or": (['{"$or":[{"data":{"t":["f1"]}},{"partitionKey":["1"]}]}'], b"\xff", True),
    "FIL-47_dots": (['{"data.t":["f1"]}'], b'{"t":"f1"}', True),
}
DYNAMODB: dict[str, tuple[str, JsonObject, bool]] = {
    "V20": ('{"eventName":["INSERT"]}', dynamodb("INSERT"), True),
    "V21": ('{"eventName":["INSERT","MODIFY"]}', dynamodb("REMOVE"), False),
    "V22": ('{"dynamodb":{"NewImage":{"p":{"S":["v"]}}}}', dynamodb(image={"p": {"S": "v"}}), True),
    "V23": ('{"dynamodb":{"NewImage":{"p":["v"]}}}', dynamodb(image={"p": {"S": "v"}}), False),
    "V24": ('{"dynamodb":{"NewImage":{"p":{"S":[{"exists":true}]}}}}', dynamodb(image={"q": {"S": "v"}}), False),
    "V25": ('{"dynamodb":{"NewImage":{"p":[{"exists":false}]}}}', dynamodb(image={"p": {"S": "v"}}), True),
    "V26": (
        '{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",100]}]}}}}',
        dynamodb(image={"n": {"N": "101"}}),
        False,
    ),
    "V27": ('{"dynamodb":{"NewImage":{"n":{"N":["101"]}}}}', dynamodb(image={"n": {"N": "101"}}), True),
    "V28": ('{"dynamodb":{"ApproximateCreationDateTime":[{"numeric":[">",0]}]}}', dynamodb(), True),
    "V29": (
        '{"userIdentity":{"type":["Service"],"principalId":["dynamodb.amazonaws.com"]}}',
        dynamodb("REMOVE", userIdentity=EXPIRED),
        True,
    ),
    "V29_a_users_delete": ('{"userIdentity":{"type":["Service"]}}', dynamodb("REMOVE"), False),
    "FIL-17_data_and_metadata": (
        '{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"p":{"S":["v"]}}}}',
        dynamodb(image={"p": {"S": "v"}}),
        False,
    ),
    "FIL-30_no_image": ('{"dynamodb":{"NewImage":{"p":{"S":[{"exists":false}]}}}}', dynamodb("REMOVE"), True),
}


@pytest.mark.parametrize("vector", KINESIS)
def test_fil_16_25_to_33_kinesis_vector(vector: str) -> None:
    """FIL-16, 25..33: V14 to V19; the record itself is left alone."""
    patterns, data, expected = KINESIS[vector]
    record = kinesis(data)

    assert KinesisFilter(patterns).passes(record) is expected
    assert kinesis(data) == record


@pytest.mark.parametrize("vector", DYNAMODB)
def test_fil_17_20_21_22_30_dynamodb_vector(vector: str) -> None:
    """FIL-17, 20, 21, 22, 30: V20 to V29; the record itself is left alone."""
    pattern, record, expected = DYNAMODB[vector]
    before = copy.deepcopy(record)

    assert DynamoDbFilter([pattern]).passes(record) is expected
    assert before == record


@pytest.mark.parametrize(
    ("event_source", "pattern"),
    [
        ("kinesis", '{"data":["text"]}'),
        ("kinesis", '{"data":[{"exists":true}]}'),
        ("kinesis", '{"$or":[{"partitionKey":["1"]},{"data":["text"]}]}'),
        ("dynamodb", '{"dynamodb":["text"]}'),
    ],
)
def test_fil_25_28_a_stream_has_no_plain_strings(event_source: FilteredSource, pattern: str) -> None:
    """FIL-25, 28, V17: refused at creation in AWS' words, naming filter and field."""
    with pytest.raises(InvalidParameterValue, match=r'Filter 2, field "(data|dynamodb)"') as refused:
        filter_for(event_source, ['{"eventName":["x"]}', pattern])

    assert str(refused.value).startswith("Invalid filter pattern definition.")
    assert isinstance(refused.value.__cause__, InvalidPattern)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kinesis": None},
        {"kinesis": {"data": None}},
        {"kinesis": {"data": "eyJ0Ijoi="}},
        {"kinesis": {"data": "é"}},
        {"kinesis": {}},
    ],
)
def test_fil_81_a_record_without_readable_data_does_not_match_and_does_not_raise(record: JsonObject) -> None:
    """FIL-27, 81: matching is total, whatever the record."""
    assert not KinesisFilter(['{"data":{"t":[{"exists":false}]}}']).passes(record)
    assert not KinesisFilter(['{"partitionKey":["1"]}']).passes(record)


def test_fil_81_a_dynamodb_record_without_a_change_does_not_raise() -> None:
    """FIL-81: nothing there is nothing to match."""
    assert not DynamoDbFilter(['{"dynamodb":{"Keys":{"id":{"N":["1"]}}}}']).passes({"eventName": "INSERT"})


def test_fil_24_keys_that_no_record_has_are_named() -> None:
    """FIL-24: on a stream the metadata may be filtered on, so only what can never match deserves a warning."""
    assert KinesisFilter([case[0][0] for case in KINESIS.values() if case[0]][:5]).unusual_keys == ("kinesis",)
    assert DynamoDbFilter(['{"eventName":["INSERT"]}', '{"NewImage":{"p":["v"]}}']).unusual_keys == ("NewImage",)


def test_fil_67_strict_number_text_reaches_the_data() -> None:
    """FIL-67: the setting applies to the numbers of JSON data."""
    pattern, record = '{"data":{"n":[300]}}', kinesis(b'{"n":300.0}')

    assert KinesisFilter([pattern]).passes(record)
    assert not KinesisFilter([pattern], strict_number_text=True).passes(record)


def test_fil_03_the_quota_holds_for_every_source() -> None:
    """FIL-03: five, or as many as the setting says."""
    patterns = ['{"eventName":["INSERT"]}'] * 6

    assert filter_for("dynamodb", patterns, maximum_filters=6).passes(dynamodb())
    with pytest.raises(InvalidParameterValue, match="6 filters exceed the limit of 5"):
        filter_for("dynamodb", patterns)


@pytest.mark.parametrize(
    ("event_source", "expected"), [("sqs", SqsFilter), ("kinesis", KinesisFilter), ("dynamodb", DynamoDbFilter)]
)
def test_fil_05_15_16_17_each_source_has_its_filter(event_source: FilteredSource, expected: type) -> None:
    """FIL-15, 16, 17: chosen by the kind of source."""
    assert type(filter_for(event_source, [])) is expected


@pytest.mark.parametrize(
    ("event_source", "pattern", "record", "expected"),
    [
        ("kinesis", '{"data":{"t":["f1"]}}', kinesis(b'{"t":"f2"}'), '"data.t" must be "f1", but is "f2".'),
        ("kinesis", '{"data":{"t":["f1"]}}', kinesis(b"text"), '"data" must be a JSON object, but is something else.'),
        ("kinesis", '{"partitionKey":["2"]}', kinesis(b"\xff"), '"partitionKey" must be "2", but is "1".'),
        ("dynamodb", '{"eventName":["REMOVE"]}', dynamodb(), '"eventName" must be "REMOVE", but is "INSERT".'),
        ("sqs", '{"body":["x"]}', {"body": "y"}, '"body" must be "x", but is "y".'),
        ("sqs", '{"body":[{"exists":true}]}', {"body": "{}"}, '"body" must be a plain string, but is a JSON object.'),
    ],
)
def test_fil_25_to_30_a_filter_explains_what_it_drops(
    event_source: FilteredSource, pattern: str, record: JsonObject, expected: str
) -> None:
    """FIL-25..31: which field, what it should have been, what it is — as this pattern sees the record."""
    explained = filter_for(event_source, [pattern]).explain(record)

    assert str(explained) == f"The event does not match:\n  {expected}"


def test_fil_02_a_filter_explains_every_pattern() -> None:
    """FIL-02: a record that is dropped failed each of them; one that passes failed none that mattered."""
    filters = KinesisFilter(['{"data":{"t":["f1"]}}', '{"partitionKey":["2"]}'])

    assert [mismatch.field for mismatch in filters.explain(kinesis(b"text")).mismatches] == ["data", "partitionKey"]
    assert filters.explain(kinesis(b"text", key="2")).matched
    assert filters.explain(kinesis(b'{"t":"f1"}')).matched

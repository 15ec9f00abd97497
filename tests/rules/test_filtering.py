"""Filters of an SQS mapping."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eventmap.errors import InvalidParameterValue, InvalidPattern
from eventmap.model import JsonObject
from eventmap.rules.filtering import SqsFilter


def record(body: str) -> JsonObject:
    attributes: JsonObject = {"t": {"stringValue": "x", "dataType": "String"}}
    return {"messageId": "1", "body": body, "messageAttributes": attributes}


VECTORS: dict[str, tuple[list[str], str, bool]] = {
    "V01": (['{"body":{"k":["v"]}}'], '{"k":"v"}', True),
    "V02": (['{"body":{"k":["v"]}}'], "plain", False),
    "V02_broken": (['{"body":{"k":["v"]}}'], '{"k":"v"', False),
    "V03": (['{"body":["plain"]}'], "plain", True),
    "V04": (['{"body":["plain"]}'], '{"k":"v"}', False),
    "V05": (['{"messageAttributes":{"t":{"stringValue":["x"]}}}'], "any", True),
    "V06": (['{"body":{"n":[{"numeric":[">=",100,"<",200]}]}}'], '{"n":100}', True),
    "V07": (['{"body":{"n":[{"numeric":[">=",100,"<",200]}]}}'], '{"n":200}', False),
    "V08": (['{"body":{"k":[{"exists":true}]}}'], '{"o":1}', False),
    "V09": (['{"body":{"a":[1]}}', '{"body":{"b":[1]}}'], '{"b":1}', True),
    "V10": (['{"body":{"k":["v"]}}'], "[1]", False),
    "FIL-04_no_filters": ([], "any", True),
    "FIL-27_absence_needs_json": (['{"body":{"k":[{"exists":false}]}}'], "plain", False),
    "FIL-28_json_for_a_plain_pattern": (['{"body":[{"exists":true}]}'], ' {"k":1}', False),
    "FIL-29_metadata_only": (['{"messageId":["1"]}'], '{"k":1}', True),
    "FIL-32_an_array_is_plain": (['{"body":[{"prefix":"["}]}'], "[1]", True),
    "FIL-32_broken_json_is_plain": (['{"body":[{"prefix":"{"}]}'], '{"k"', True),
    "FIL-33_each_its_own_format": (['{"body":{"k":["v"]}}', '{"body":["plain"]}'], "plain", True),
    "FIL-33_each_its_own_format_in_or": (['{"$or":[{"body":{"k":["v"]}},{"body":["plain"]}]}'], "plain", True),
    "FIL-34_operators": (['{"body":[{"prefix":"ERR"}]}'], "ERR 5", True),
    "FIL-47_dots": (['{"body.k":["v"]}'], '{"k":"v"}', True),
    "FIL-15_body_and_metadata": (['{"body":{"k":["v"]},"messageId":["2"]}'], '{"k":"v"}', False),
}


@pytest.mark.parametrize("vector", VECTORS)
def test_fil_15_to_34_vector(vector: str):
    """FIL-15, FIL-23..34: what passes and what is deleted; the record itself is left alone."""
    patterns, body, expected = VECTORS[vector]

    message = record(body)

    assert SqsFilter(patterns).passes(message) is expected
    assert record(body) == message


def test_fil_15_a_record_without_a_body_has_no_json():
    """FIL-27: nothing to parse is no JSON."""
    assert not SqsFilter(['{"body":{"k":[{"exists":false}]}}']).passes({"messageId": "1"})
    assert not SqsFilter(['{"body":[{"exists":true}]}']).passes({"messageId": "1"})


@pytest.mark.parametrize("pattern", ["simple string", '{"body":{"a":"b"}}', "", "[]", '"x"', '{"body":[{"nope":1}]}'])
def test_fil_08_an_invalid_pattern_is_refused_in_aws_words(pattern: str):
    """FIL-08, V11, V12: AWS' words first, then ours; the detail is the cause."""
    with pytest.raises(InvalidParameterValue) as refused:
        SqsFilter(['{"body":["x"]}', pattern])

    assert str(refused.value).startswith("Invalid filter pattern definition.")
    assert "Filter 2" in str(refused.value)
    assert isinstance(refused.value.__cause__, InvalidPattern)
    assert refused.value.__cause__.reason in str(refused.value)


def test_fil_08_the_field_is_named():
    """FIL-08: with the dotted field in the message."""
    with pytest.raises(InvalidParameterValue, match=r'Filter 1, field "body\.a"'):
        SqsFilter(['{"body":{"a":"b"}}'])


def test_fil_03_five_filters_by_default_ten_at_most():
    """FIL-03, V13: the quota, and the setting that raises it."""
    patterns = ['{"body":["x"]}'] * 11

    assert SqsFilter(patterns[:5]).passes(record("x"))
    assert SqsFilter(patterns[:10], maximum_filters=10).passes(record("x"))
    with pytest.raises(InvalidParameterValue, match="6 filters exceed the limit of 5"):
        SqsFilter(patterns[:6])
    with pytest.raises(InvalidParameterValue, match="11 filters exceed the limit of 10"):
        SqsFilter(patterns, maximum_filters=10)
    for maximum in (0, 11):
        with pytest.raises(InvalidParameterValue, match="maximum_filters must be 1 to 10"):
            SqsFilter(patterns[:1], maximum_filters=maximum)


def test_fil_01_a_pattern_has_4096_characters_at_most():
    """FIL-01: counted in characters, whitespace included."""
    longest = '{"body":["x"]}'.ljust(4096)

    assert SqsFilter([longest]).passes(record("x"))
    with pytest.raises(InvalidParameterValue, match="4097 characters"):
        SqsFilter([longest + " "])


def test_fil_24_unusual_keys_are_named():
    """FIL-24, SQS-73: keys other than body are allowed and told."""
    patterns = ['{"body":{"k":[1]}}', '{"messageAttributes.t":{"x":[1]}}', '{"$or":[{"messageId":[1]},{"body":["x"]}]}']

    assert SqsFilter(patterns).unusual_keys == ("messageAttributes", "messageId")
    assert SqsFilter(patterns[:1]).unusual_keys == ()


def test_fil_67_strict_number_text_reaches_the_body():
    """FIL-67: the setting applies to the numbers of a JSON body."""
    assert SqsFilter(['{"body":{"n":[300]}}']).passes(record('{"n":300.0}'))
    assert not SqsFilter(['{"body":{"n":[300]}}'], strict_number_text=True).passes(record('{"n":300.0}'))


def test_the_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]):
    """docs/filtering.md: the code does what the page says, and prints what it says."""
    page = (Path(__file__).parents[2] / "docs" / "filtering.md").read_text(encoding="utf-8")
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", page, re.DOTALL)

    exec(code, {})

    assert printed == capsys.readouterr().out


def test_sns_69_a_filter_on_the_body_sees_the_envelope_of_a_topic() -> None:
    """SNS-69: what was published is text within it, not an object."""
    envelope = (
        '{"Type":"Notification","TopicArn":"arn:aws:sns:us-east-1:1:t","MessageId":"m","Message":"{\\"k\\":\\"v\\"}"}'
    )

    assert SqsFilter(['{"body":{"Type":["Notification"]}}']).passes(record(envelope))
    assert SqsFilter(['{"body":{"Message":[{"prefix":"{\\"k\\""}]}}']).passes(record(envelope))
    assert not SqsFilter(['{"body":{"Message":{"k":["v"]}}}']).passes(record(envelope))
    assert not SqsFilter(['{"body":{"k":["v"]}}']).passes(record(envelope))

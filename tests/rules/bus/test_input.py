"""What a target is sent: Input, InputPath, InputTransformer, to the byte."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from eventmap.errors import BusRefusal
from eventmap.rules.bus.event import BusEvent, event_of, unpacked
from eventmap.rules.bus.input import body_of, bus_entry
from eventmap.rules.bus.json_path import MISSING, find, read_path
from eventmap.rules.bus.target import read_target, target_document
from eventmap.rules.bus.template import InvalidOutput

RULE = "arn:aws:events:us-east-2:123456789012:rule/shop/example"
QUEUE = "arn:aws:sqs:us-east-2:123456789012:orders"
FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:orders"

# The example of AWS' guide, and what is awkward.
EVENT = BusEvent(
    event_id="7bf73129-1428-4cd3-a780-95db273d1602",
    detail_type="EC2 Instance State-change Notification",
    source="aws.ec2",
    account="123456789012",
    time="2015-11-11T21:29:54Z",
    region="us-east-1",
    resources=("arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111",),
    detail='{"instance-id":"i-0123456789", "state":"RUNNING","n":1.50,"big":1e2,"no":null,"yes":true,"empty":"",'
    '"quoted":"say \\"hi\\"","list":["a","b"],"map":{"x":"y z"},"items":[{"id":1},{"id":2}],"a.b":{"/c":3}}',
    ingested_at=1447277394.25,
)
PATHS = {
    "timestamp": "$.time",
    "instance": "$.detail.instance-id",
    "state": "$.detail.state",
    "n": "$.detail.n",
    "no": "$.detail.no",
    "yes": "$.detail.yes",
    "empty": "$.detail.empty",
    "quoted": "$.detail.quoted",
    "list": "$.detail.list",
    "map": "$.detail.map",
    "ids": "$.detail.items[*].id",
    "none": "$.detail.nothing.at.all",
    "type": "$.detail-type",
}


def sent(arn: str = QUEUE, **members: Any) -> bytes:
    return body_of(EVENT, read_target({"Id": "t1", "Arn": arn, **members}), RULE)


def templated(template: str, arn: str = QUEUE) -> bytes:
    return sent(arn, InputTransformer={"InputPathsMap": PATHS, "InputTemplate": template})


def test_src_40_an_event_is_written_in_aws_order_and_its_detail_as_it_came() -> None:
    """Numbers, white space and the order of members within the detail are its sender's."""
    assert sent() == (
        b'{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"EC2 Instance State-change '
        b'Notification","source":"aws.ec2","account":"123456789012","time":"2015-11-11T21:29:54Z","region":"us-east-1",'
        b'"resources":["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],"detail":'
        + EVENT.detail.encode()
        + b"}"
    )


def test_src_40_an_event_survives_a_store_and_a_service_that_wrote_it() -> None:
    """Packed and unpacked it is the same; a service's text makes the event it spells."""
    assert unpacked(EVENT.packed()) == EVENT
    read = event_of(EVENT.text(), 5.0)
    assert (read.event_id, read.document(), read.ingested_at) == (EVENT.event_id, EVENT.document(), 5.0)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        # AWS' guide, table "Input transform examples".
        ('"instance <instance> is in <state>"', b'"instance i-0123456789 is in RUNNING"'),
        ('"instance \\"<instance>\\" is in <state>"', b'"instance \\"i-0123456789\\" is in RUNNING"'),
        ('{\n  "instance" : <instance>,\n  "state": <state>\n}', b'{"instance":"i-0123456789","state":"RUNNING"}'),
        (
            '{ "instance" : <instance>, "state": "<state>", "said": "instance \\"<instance>\\" is in <state>"}',
            b'{"instance":"i-0123456789","state":"RUNNING","said":"instance \\"i-0123456789\\" is in RUNNING"}',
        ),
        (
            '{"instance" : <instance>, "state": [ 9, <state>, true ], "Transformed" : "Yes"}',
            b'{"instance":"i-0123456789","state":[9,"RUNNING",true],"Transformed":"Yes"}',
        ),
        (
            '{"ruleArn" : <aws.events.rule-arn>, "ruleName" : <aws.events.rule-name>}',
            b'{"ruleArn":"arn:aws:events:us-east-2:123456789012:rule/shop/example","ruleName":"example"}',
        ),
        ('"<aws.events.rule-name> triggered"', b'"example triggered"'),
        # Observed on AWS.
        ('{"command": <none>}', b'{"command":""}'),
        ('"from detail <none>"', b'"from detail "'),
        ('"{[/Check with special starting characters for event of <state> type"', b'"{[/Check with special starting '
         b'characters for event of RUNNING type"'),
        # Kinds of values.
        ('{"a": <n>, "b": <no>, "c": <yes>, "d": <empty>}', b'{"a":1.5,"b":null,"c":true,"d":""}'),
        ('{"a": "<n> <no> <yes><empty>"}', b'{"a":"1.5 null true"}'),
        ('{"a": <list>, "b": <map>, "c": <ids>}', b'{"a":["a","b"],"b":{"x":"y z"},"c":[1,2]}'),
        ('{"a": "<list> <map>"}', b'{"a":"[a,b] {x:y z}"}'),
        ('"all of <list> <map>"', b'"all of [a,b] {x:y z}"'),
        ("<list>", b'["a","b"]'),
        ('"one <state>"\n"two <state>"', b'"one RUNNING"\n"two RUNNING"'),
        ('{"quoted": <quoted>}', b'{"quoted":"say \\"hi\\""}'),
        ('{"a  b" : "c  d \\" <state> "}', b'{"a  b":"c  d \\" RUNNING "}'),
        ('{"t": <aws.events.event.ingestion-time>}', b'{"t":"2015-11-11T21:29:54.250Z"}'),
        ('{"constant": 1.50}', b'{"constant":1.50}'),
    ],
)  # fmt: skip
def test_src_44_templates_are_filled_to_the_byte(template: str, expected: bytes) -> None:
    """Placeholders within strings and outside of them; an object without white space, text as it is."""
    assert templated(template) == expected


def test_src_44_the_whole_event_is_a_value_of_an_object() -> None:
    """With its detail as JSON; without, under the names AWS gives it there."""
    body = orjson.loads(templated('{"e": <aws.events.event.json>, "m": <aws.events.event>}'))

    assert body["e"] == orjson.loads(EVENT.text())
    assert list(body["m"]) == ["id", "account", "detailType", "time", "source", "region", "resources", "version"]


def test_src_44_values_in_strings_are_not_escaped_and_what_is_no_json_then_is_not_sent() -> None:
    """As AWS' guide says; a queue takes text, a function does not."""
    with pytest.raises(InvalidOutput, match="not JSON"):
        templated('{"a": "<quoted>"}')
    with pytest.raises(InvalidOutput, match="which a function needs"):
        templated('"<quoted>"', FUNCTION)
    assert templated('"<quoted>"') == b'"say "hi""'


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT.document()),
        ("$.detail.map", {"x": "y z"}),
        ("$.detail.instance-id", "i-0123456789"),
        ("$.resources[0]", EVENT.resources[0]),
        ("$.resources[1]", MISSING),
        ("$.detail.items[*].id", [1, 2]),
        ("$.detail.map.*", ["y z"]),
        ("$.detail.state[*]", []),
        ("$.detail['a.b']./c", 3),
        ("$.detail.state.x", MISSING),
        ("$.detail.list.x", MISSING),
    ],
)
def test_src_44_paths_find_what_they_name(path: str, expected: Any) -> None:
    """Dots, dashes, slashes, indices, wildcards."""
    found = find(read_path(path), EVENT.document())

    assert found is MISSING if expected is MISSING else found == expected


@pytest.mark.parametrize("path", ["", "detail", "$detail", "$.", "$.a[", "$.a[-1]", "$..a", "$.a[?(@.b)]"])
def test_src_44_what_is_no_path_is_refused(path: str) -> None:
    """In a target as well as in the map of a template."""
    for members in ({"InputPath": path}, {"InputTransformer": {"InputPathsMap": {"a": path}, "InputTemplate": "<a>"}}):
        with pytest.raises(BusRefusal, match="Invalid InputPath"):
            read_target({"Id": "t1", "Arn": QUEUE, **members})


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"Input": '{"a": [1, 2]}'}, b'{"a": [1, 2]}'),
        ({"InputPath": "$.detail.state"}, b'"RUNNING"'),
        ({"InputPath": "$.detail.map"}, b'{"x":"y z"}'),
        ({"InputPath": "$.detail.nothing"}, b"null"),
    ],
)
def test_src_44_constants_and_parts(members: dict[str, Any], expected: bytes) -> None:
    """A constant goes out letter for letter, a part as JSON."""
    assert sent(**members) == expected


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Arn": "orders"}, "Parameter orders is not valid. Reason: Provided Arn is not in correct format."),
        ({"Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/a"}, "a target here is a function, a queue"),
        ({"Arn": "arn:aws:events:us-east-1:123456789012:rule/a"}, "a target here is a function, a queue"),
        (
            {"Input": "1", "InputPath": "$.a"},
            "Only one of Input, InputPath, or InputTransformer must be provided for target t1.",
        ),
        ({"Input": "hello"}, "JSON syntax error in input for target t1."),
        (
            {"InputTransformer": {"InputTemplate": '"<notdefinedkey>"'}},
            "InputTemplate for target t1 contains invalid placeholder notdefinedkey.",
        ),
        (
            {"InputTransformer": {"InputTemplate": '"<aws.events.event.json>"'}},
            "InputTemplate for target t1 contains placeholder aws.events.event.json valid only for JSON template.",
        ),
        ({"InputTransformer": {"InputTemplate": "no quotes"}}, "Invalid InputTemplate for target t1 : "),
        ({"InputTransformer": {"InputTemplate": '{"a": }'}}, "Invalid InputTemplate for target t1 : "),
        (
            {"InputTransformer": {"InputPathsMap": {"k": "$.a"}, "InputTemplate": "{<k>: 1}"}},
            "Invalid InputTemplate for target t1 : ",
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"AWS.x": "$.a"}, "InputTemplate": "1"}},
            "contains the reserved name AWS.x.",
        ),
        ({"Arn": f"{QUEUE}.fifo"}, "Parameter(s) SqsParameters must be specified for target: t1."),
        ({"SqsParameters": {"MessageGroupId": "g"}}, "Parameter(s) SqsParameters is only for a FIFO queue"),
        ({"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}, "Parameter DeadLetterConfig.Arn is not valid."),
        ({"DeadLetterConfig": {"Arn": FUNCTION}}, "is not a standard SQS queue."),
        ({"Arn": "arn:aws:events:us-east-1:123456789012:event-bus/b", "InputPath": "$"}, "which takes the event as it"),
    ],
)
def test_src_44_46_what_is_no_target_is_refused(members: dict[str, Any], message: str) -> None:
    """In AWS' words where they are known."""
    with pytest.raises(BusRefusal) as refused:
        read_target({"Id": "t1", "Arn": QUEUE, **members})

    assert message in str(refused.value)
    assert refused.value.error_type == "ValidationException"


@pytest.mark.parametrize(
    "given",
    [
        {"Id": "t1", "Arn": QUEUE},
        {"Id": "t1", "Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}, "InputPath": "$.detail"},
        {
            "Id": "t1",
            "Arn": FUNCTION,
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "InputTransformer": {"InputPathsMap": {"a": "$.b"}, "InputTemplate": '"<a>"'},
            "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
            "DeadLetterConfig": {"Arn": QUEUE},
        },
    ],
)
def test_a_target_is_shown_as_it_was_said(given: dict[str, Any]) -> None:
    """And nothing else, so that tools that compare see no difference."""
    assert target_document(read_target(given)) == given


def test_a_bus_elsewhere_gets_an_entry() -> None:
    """As PutEvents takes it, the detail letter for letter."""
    entry = orjson.loads(bus_entry(EVENT, "arn:aws:events:eu-west-1:123456789012:event-bus/b"))

    assert entry == {
        "Source": "aws.ec2",
        "DetailType": EVENT.detail_type,
        "Detail": EVENT.detail,
        "Resources": list(EVENT.resources),
        "Time": "2015-11-11T21:29:54Z",
        "EventBusName": "arn:aws:events:eu-west-1:123456789012:event-bus/b",
    }

"""The test kit's events are AWS': Powertools reads each, both ways it has, and finds what was said."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from aws_lambda_powertools.utilities import data_classes
from aws_lambda_powertools.utilities.data_classes.active_mq_event import ActiveMQEvent
from aws_lambda_powertools.utilities.data_classes.api_gateway_websocket_event import APIGatewayWebSocketEvent
from aws_lambda_powertools.utilities.data_classes.cognito_user_pool_event import BaseTriggerEvent as CognitoEvent
from aws_lambda_powertools.utilities.data_classes.rabbit_mq_event import RabbitMQEvent
from aws_lambda_powertools.utilities.parser import models

from eventmap.errors import InvalidParameterValue
from eventmap.rules.cognito import TRIGGER_SOURCES
from eventmap.rules.events import KINDS
from eventmap.sources.sqs import damaged
from eventmap.testing import MemorySqs, events
from eventmap.testing.events.samples import sample


def records(event: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = event["Records"]
    return found


MODELS: dict[str, Any] = {
    "sqs": models.SqsModel,
    "sns": models.SnsModel,
    "dynamodb": models.DynamoDBStreamModel,
    "kinesis": models.KinesisDataStreamModel,
    "s3": models.S3Model,
    "schedule": models.EventBridgeModel,
    "event-bridge": models.EventBridgeModel,
    "alb": models.AlbModel,
    "function-url": models.LambdaFunctionUrlModel,
    "http-v2": models.APIGatewayProxyEventV2Model,
    "http-v1": models.APIGatewayProxyEventModel,
    "websocket": models.APIGatewayWebSocketMessageEventModel,
    "cognito": models.CognitoPreSignupTriggerModel,
    "logs": models.CloudWatchLogsModel,
    "kafka": models.KafkaMskEventModel,
    "self-managed-kafka": models.KafkaSelfManagedEventModel,
}
NAMES = [kind.name for kind in KINDS]
ELSEWHERE = events.Origin("eu-west-1", "210987654321", datetime(2027, 5, 6, 7, 8, 9, tzinfo=UTC), seed=1)
IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=\"eventID\": \")[^\"]+")
WITHOUT_MODEL = {"s3-test", "active-mq", "rabbit-mq", "documentdb"}


@pytest.mark.parametrize("kind", MODELS)
def test_powertools_parses_every_kind_it_has_a_model_of(kind: str) -> None:
    """Its pydantic models are strict about what must be there."""
    MODELS[kind].model_validate(json.loads(json.dumps(sample(kind))))


def test_every_kind_is_parsed_or_known_to_have_no_model() -> None:
    """A new kind joins one of the two."""
    assert MODELS.keys() | WITHOUT_MODEL == set(NAMES)


@pytest.mark.parametrize("kind", NAMES)
def test_the_same_call_makes_the_same_event_and_a_fresh_one(kind: str) -> None:
    """A test may change its event without changing another's."""
    one, other = sample(kind), sample(kind)

    assert json.loads(json.dumps(one)) == one == other
    one.clear()
    assert other == sample(kind)


@pytest.mark.parametrize("kind", NAMES)
def test_an_origin_says_where_and_when(kind: str) -> None:
    """Region, account and time are everywhere the shape has them."""
    there = json.dumps(sample(kind, origin=ELSEWHERE))

    assert not [word for word in ("us-east-1", "123456789012", "2026-01-01", "17672256") if word in there]


@pytest.mark.parametrize("kind", NAMES)
def test_events_of_other_seeds_share_no_identifier(kind: str) -> None:
    """What a handler may know an event by."""
    here, there = (
        set(IDENTIFIER.findall(json.dumps(sample(kind, origin=events.Origin(seed=seed))))) for seed in (0, 1)
    )

    assert here & there == set()
    assert here or kind in ("alb", "cognito", "logs", "self-managed-kafka", "s3", "s3-test", "websocket", "documentdb")


def test_sqs_110_to_125_messages_are_what_was_sent() -> None:
    """Text as it is, the rest as JSON; attributes by Python's types; digests that hold."""
    made = events.sqs("hello", {"id": 7}, attributes={"s": "x", "n": Decimal("1.50"), "b": b"\xff"}, receive_count=3)

    [first, second] = data_classes.SQSEvent(made).records
    assert (first.body, second.json_body) == ("hello", {"id": 7})
    assert (first.event_source_arn, first.aws_region) == ("arn:aws:sqs:us-east-1:123456789012:orders", "us-east-1")
    attributes: Any = first.message_attributes
    assert [(attributes[name].data_type, attributes[name].string_value) for name in "sn"] == [
        ("String", "x"),
        ("Number", "1.50"),
    ]
    assert (attributes["b"].data_type, attributes["b"].binary_value) == ("Binary", "/w==")
    assert first.attributes.approximate_receive_count == "3"
    assert first.attributes.sent_timestamp == "1767225600000"
    assert first.message_id != second.message_id and first.receipt_handle != second.receipt_handle


def test_sqs_116_125_the_digests_hold() -> None:
    """By the check that every received message gets."""
    [record] = records(events.sqs("hé", attributes={"a": "1", "b": 2, "c": b"3"}))

    raw = {
        "Body": record["body"],
        "MD5OfBody": record["md5OfBody"],
        "MD5OfMessageAttributes": record["md5OfMessageAttributes"],
        "MessageAttributes": {
            name: {"DataType": value["dataType"]}
            | (
                {"StringValue": value["stringValue"]}
                if "stringValue" in value
                else {"BinaryValue": value["binaryValue"]}
            )
            for name, value in record["messageAttributes"].items()
        },
    }
    assert damaged(raw) is None


def test_sqs_47_a_fifo_queues_messages_have_groups_and_growing_numbers() -> None:
    """The name makes the queue; a group may be told on a standard queue, too."""
    [one, two] = data_classes.SQSEvent(events.sqs("a", "b", queue="orders.fifo", group="g")).records
    [standard] = records(events.sqs("a"))
    [fair] = records(events.sqs("a", group="g"))
    [unnamed] = records(events.sqs("a", queue="orders.fifo"))

    assert (one.attributes.message_group_id, two.attributes.message_group_id) == ("g", "g")
    assert int(one.attributes.sequence_number or 0) < int(two.attributes.sequence_number or 0)
    assert one.attributes.message_deduplication_id != two.attributes.message_deduplication_id
    assert "MessageGroupId" not in standard["attributes"] and "SequenceNumber" not in standard["attributes"]
    assert fair["attributes"]["MessageGroupId"] == "g" and "SequenceNumber" not in fair["attributes"]
    assert unnamed["attributes"]["MessageGroupId"] == "1"


def test_sqs_system_attributes_are_added_or_replaced() -> None:
    """AWSTraceHeader, for instance."""
    [record] = records(events.sqs("a", system_attributes={"AWSTraceHeader": "Root=1", "SenderId": "me"}))

    assert record["attributes"]["AWSTraceHeader"] == "Root=1"
    assert record["attributes"]["SenderId"] == "me"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.virtual_time
@pytest.mark.parametrize("queue", ["orders", "orders.fifo"])
async def test_sqs_110_a_made_message_has_the_members_of_a_received_one(queue: str, memory_sqs: MemorySqs) -> None:
    """No more, no fewer, down to the attributes."""
    from tests.delivery.scene import Handler, working

    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if queue.endswith(".fifo") else {}
    memory_sqs.add_queue(queue, fifo)
    memory_sqs.put(queue, "a", **({"group": "1"} if fifo else {}))
    handler = Handler()
    async with working(memory_sqs, handler, queue=queue) as running:
        await running.until_empty()

    [received] = handler.invocations[0].records
    [made] = records(events.sqs("a", queue=queue))
    assert list(received) == list(made)
    assert received["attributes"].keys() == made["attributes"].keys()
    assert {name: type(value) for name, value in received.items()} == {
        name: type(value) for name, value in made.items()
    }


def test_str_110_to_119_kinesis_records_hold_the_data() -> None:
    """Bytes, text and JSON; a key for each, or one for all; numbers that grow."""
    made = events.kinesis(b"\xff", "text", {"n": 1}, partition_key=["a", "b", "c"], stream="clicks")

    found = list(data_classes.KinesisStreamEvent(made).records)
    assert [each.kinesis.data_as_bytes() for each in found] == [b"\xff", b"text", b'{"n":1}']
    assert [each.kinesis.partition_key for each in found] == ["a", "b", "c"]
    numbers = [int(each.kinesis.sequence_number) for each in found]
    assert numbers == sorted(set(numbers))
    assert found[0].event_id == f"shardId-000000000000:{numbers[0]}"
    assert found[0].event_source_arn == "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
    assert found[0].kinesis.approximate_arrival_timestamp == 1767225600.0


def test_str_120_to_131_changes_are_told_as_a_stream_tells_them() -> None:
    """Insertion, modification, deletion and expiry, with the images of the view."""
    item = {"id": "a", "n": 1, "price": Decimal("2.50"), "tags": {"x", "y"}, "nested": {"list": [True, None, b"\x01"]}}
    made = events.dynamodb(
        item,
        events.Change(new=item, old={"id": "a"}),
        events.Change(old=item),
        events.Change(old=item, expired=True),
    )

    found = list(data_classes.DynamoDBStreamEvent(made).records)
    assert [each.event_name.name for each in found if each.event_name] == ["INSERT", "MODIFY", "REMOVE", "REMOVE"]
    change: Any = found[0].dynamodb
    assert change.keys == {"id": "a"}
    assert change.new_image["price"] == Decimal("2.5")
    assert change.new_image["nested"] == {"list": [True, None, "AQ=="]} and change.new_image["tags"] == {"x", "y"}
    assert [(bool(each.dynamodb.new_image), bool(each.dynamodb.old_image)) for each in found if each.dynamodb] == [
        (True, False),
        (True, True),
        (False, True),
        (False, True),
    ]
    assert records(made)[3]["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert "userIdentity" not in records(made)[2]
    assert records(made)[0]["dynamodb"]["ApproximateCreationDateTime"] == 1767225600
    models.DynamoDBStreamModel.model_validate(made)


def test_str_130_the_view_decides_which_images_there_are() -> None:
    """And the keys are always there: those of the table."""
    change = events.Change(new={"id": 1, "at": 2, "x": 3}, old={"id": 1, "at": 2})
    shown = {}
    for view in ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        [record] = records(events.dynamodb(change, keys=("id", "at"), view_type=view))  # type: ignore[arg-type]
        assert record["dynamodb"]["Keys"] == {"id": {"N": "1"}, "at": {"N": "2"}}
        shown[view] = record["dynamodb"].keys() & {"NewImage", "OldImage"}

    assert shown == {
        "KEYS_ONLY": set(),
        "NEW_IMAGE": {"NewImage"},
        "OLD_IMAGE": {"OldImage"},
        "NEW_AND_OLD_IMAGES": {"NewImage", "OldImage"},
    }


def test_sns_50_to_58_a_message_of_a_topic() -> None:
    """Always one, with its attributes; a list of texts is an array."""
    made = events.sns({"id": 7}, topic="t", subject="s", attributes={"a": "x", "n": 1, "l": ["p", "q"], "b": b"\xff"})

    notification = data_classes.SNSEvent(made).sns_message
    [record] = records(made)
    assert notification == '{"id":7}'
    assert record["Sns"]["Subject"] == "s"
    assert record["EventSubscriptionArn"].startswith("arn:aws:sns:us-east-1:123456789012:t:")
    assert record["Sns"]["MessageAttributes"] == {
        "a": {"Type": "String", "Value": "x"},
        "n": {"Type": "Number", "Value": "1"},
        "l": {"Type": "String.Array", "Value": '["p","q"]'},
        "b": {"Type": "Binary", "Value": "/w=="},
    }


def test_src_20_22_an_object_is_told_by_its_encoded_key() -> None:
    """SRC-20, 22: size and tag are those of the body."""
    made = events.s3("photos", "a b/ü+.jpg", body="hello", version_id="v1")

    [record] = data_classes.S3Event(made).records
    assert (record.s3.bucket.name, record.s3.get_object.key) == ("photos", "a+b/%C3%BC%2B.jpg")
    assert (record.event_name, record.s3.get_object.size) == ("ObjectCreated:Put", 5)
    assert record.s3.get_object.etag == "5d41402abc4b2a76b9719d911017c592"
    assert record.s3.get_object.version_id == "v1"


@pytest.mark.parametrize(
    ("event_name", "members", "version"),
    [
        ("ObjectCreated:Put", {"key", "size", "eTag", "sequencer"}, "2.1"),
        ("s3:ObjectCreated:Copy", {"key", "size", "eTag", "sequencer"}, "2.1"),
        ("ObjectRemoved:Delete", {"key", "sequencer"}, "2.1"),
        ("ObjectRemoved:DeleteMarkerCreated", {"key", "eTag", "versionId", "sequencer"}, "2.1"),
        ("LifecycleExpiration:Delete", {"key", "sequencer"}, "2.3"),
        ("Replication:OperationNotTracked", {"key", "size", "eTag", "sequencer"}, "2.2"),
        ("ObjectAcl:Put", {"key", "size", "eTag", "sequencer"}, "2.3"),
    ],
)
def test_src_20_21_23_25_what_an_event_tells_of_its_object(event_name: str, members: set[str], version: str) -> None:
    """SRC-20, 21, 23, 25: deletions have neither size nor tag, a marker has a version; the prefix is not shown."""
    [record] = records(events.s3("b", "k", event_name=event_name))

    assert record["s3"]["object"].keys() == members
    assert (record["eventName"], record["eventVersion"]) == (event_name.removeprefix("s3:"), version)
    models.S3Model.model_validate({"Records": [record]})


def test_src_20_24_28_each_key_is_a_record_and_may_have_more_members() -> None:
    """SRC-20, 24, 28: their sequencers grow."""
    made = records(events.s3("b", "1", "2", members={"glacierEventData": {}}))

    assert [each["s3"]["object"]["key"] for each in made] == ["1", "2"]
    assert made[0]["s3"]["object"]["sequencer"] < made[1]["s3"]["object"]["sequencer"]
    assert made[0]["glacierEventData"] == {}


def test_src_22_31_an_object_is_told_to_a_bus_by_its_own_key() -> None:
    """SRC-22, 31: not encoded; in a form that Powertools parses."""
    made = events.s3_on_bus("photos", "a b/ü.jpg", body="hello")

    event = data_classes.S3EventBridgeNotificationEvent(made)
    assert (event.source, event.detail_type, event.detail.object.key) == ("aws.s3", "Object Created", "a b/ü.jpg")
    assert (event.detail.bucket.name, event.detail.object.size) == ("photos", 5)
    models.S3EventNotificationEventBridgeModel.model_validate(made)
    assert events.kind_of(made) == "event-bridge"


def test_src_40_an_event_of_a_bus() -> None:
    """SRC-40: the envelope, in AWS' order."""
    made = events.event_bridge("shop", "Order Placed", {"id": 7}, resources=["arn:x"])

    event = data_classes.EventBridgeEvent(made)
    assert (event.source, event.detail_type, event.detail, event.resources) == (
        "shop",
        "Order Placed",
        {"id": 7},
        ["arn:x"],
    )
    assert list(made) == ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
    assert (event.time, event.account, event.region) == ("2026-01-01T00:00:00Z", "123456789012", "us-east-1")


def test_src_78_a_schedule_is_an_event_of_aws() -> None:
    """SRC-78: with the rule's ARN, and the time it was due."""
    made = events.schedule(
        "nightly", origin=events.Origin(at=datetime(2026, 3, 1, 2, tzinfo=timezone(timedelta(hours=1))))
    )

    assert made["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/nightly"]
    assert (made["time"], made["detail"], made["source"]) == ("2026-03-01T01:00:00Z", {}, "aws.events")
    assert events.schedule(of_scheduler=True)["source"] == "aws.scheduler"


def test_src_130_to_132_powertools_unpacks_log_lines() -> None:
    """SRC-130, 132: from the event, and from a Kinesis record."""
    decoded = data_classes.CloudWatchLogsEvent(events.logs("hello", log_group="g")).parse_logs_data()
    streamed = data_classes.KinesisStreamEvent(events.kinesis(events.logs_data("hello", log_group="g"))).records

    assert (decoded.log_group, [each.message for each in decoded.log_events]) == ("g", ["hello"])
    assert [next(streamed).kinesis.data_zlib_compressed_as_json()["logEvents"][0]["message"]] == ["hello"]


@pytest.mark.parametrize("trigger_source", TRIGGER_SOURCES)
def test_src_110_113_to_125_every_trigger_of_a_user_pool(trigger_source: str) -> None:
    """SRC-110, 113..125: in the region asked for, and each a document of its own."""
    made = events.cognito(trigger_source, request={"clientMetadata": {"k": "v"}}, origin=ELSEWHERE)

    event = CognitoEvent(made)
    assert (event.trigger_source, event.region, event.user_pool_id) == (
        trigger_source,
        "eu-west-1",
        "eu-west-1_aX9fo84QN",
    )
    request: Any = made["request"]
    assert request["clientMetadata"] == {"k": "v"}
    assert events.kind_of(made) == "cognito"


@pytest.mark.parametrize("build", [events.kafka, events.self_managed_kafka])
def test_src_140_records_of_a_partition(build: Callable[..., Any]) -> None:
    """SRC-140: offsets count on, headers are Java's signed bytes."""
    made = build("a", {"n": 1}, topic="t", partition=3, key="k", headers={"h": "ü"}, offset=10)

    [one, two] = data_classes.KafkaEvent(made).records
    assert (one.topic, one.partition, one.offset, two.offset) == ("t", 3, 10, 11)
    assert (one.decoded_key, one.decoded_value, two.json_value) == (b"k", b"a", {"n": 1})
    assert one.decoded_headers["h"] == "ü".encode()
    [record, _] = made["records"]["t-3"]
    assert record["headers"] == [{"h": [-61, -68]}]
    assert record["timestampType"] == "CREATE_TIME" and record["timestamp"] == 1767225600000
    assert "key" not in build("a")["records"]["orders-0"][0]
    [record] = build("a", headers={"h": b"\x00\x7f\x80\xff"})["records"]["orders-0"]
    assert record["headers"] == [{"h": [0, 127, -128, -1]}]


def test_src_140_only_msk_has_an_arn() -> None:
    """SRC-140: a cluster of one's own has its brokers only."""
    assert str(events.kafka("a")["eventSourceArn"]).startswith("arn:aws:kafka:us-east-1:123456789012:cluster/demo/")
    own = events.self_managed_kafka("a", bootstrap_servers="a:1,b:2")
    assert "eventSourceArn" not in own and own["bootstrapServers"] == "a:1,b:2"


def test_src_143_messages_of_active_mq() -> None:
    """SRC-143: bytes are another type of message than text."""
    made = events.active_mq("text", b"\xff", queue="q", properties={"k": "v"}, redelivered=True)

    one, two = ActiveMQEvent(made).messages
    assert (one.message_type, one.decoded_data, one.destination_physicalname) == ("jms/text-message", "text", "q")
    assert (two.message_type, b64decode(two.data)) == ("jms/bytes-message", b"\xff")
    assert (one.properties, one.redelivered, one.timestamp) == ({"k": "v"}, True, 1767225600000)
    assert one.message_id != two.message_id


def test_src_144_messages_of_rabbit_mq() -> None:
    """SRC-144: by queue and virtual host; what is not there is null, text headers are bytes."""
    made = events.rabbit_mq(
        "text", queue="q", virtual_host="v", headers={"a": "hi", "n": 10}, properties={"appId": "x"}
    )

    [(name, [message])] = RabbitMQEvent(made).rmq_messages_by_queue.items()
    assert (name, message.decoded_data, message.redelivered) == ("q::v", "text", False)
    properties = message.basic_properties
    assert properties.headers == {"a": {"bytes": [104, 105]}, "n": 10}
    assert (properties.app_id, properties.user_id, properties.body_size) == ("x", None, 4)
    assert properties.timestamp == "Jan 1, 2026, 12:00:00 AM"
    afternoon = events.Origin(at=datetime(2026, 12, 31, 23, 5, 6, tzinfo=UTC))
    later: Any = events.rabbit_mq("a", origin=afternoon)["rmqMessagesByQueue"]
    assert later["orders::/"][0]["basicProperties"]["timestamp"] == "Dec 31, 2026, 11:05:06 PM"
    east = events.Origin(at=datetime(2026, 6, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    elsewhere: Any = events.rabbit_mq("a", origin=east)["rmqMessagesByQueue"]
    assert elsewhere["orders::/"][0]["basicProperties"]["timestamp"] == "May 31, 2026, 11:00:00 PM"


def test_src_146_changes_of_documents() -> None:
    """SRC-146: with the document but for a deletion, and what an update changed."""
    shown: dict[str, Any] = {}
    for operation in ("insert", "update", "replace", "delete"):
        made: Any = events.documentdb({"_id": 7, "paid": True}, database="d", collection="c", operation=operation)  # type: ignore[arg-type]
        [change] = made["events"]
        assert change["event"]["ns"] == {"db": "d", "coll": "c"}
        assert change["event"]["documentKey"] == {"_id": 7}
        shown[operation] = change["event"]

    assert all(event["operationType"] == operation for operation, event in shown.items())
    assert "fullDocument" not in shown["delete"]
    assert shown["update"]["fullDocument"] == {"_id": 7, "paid": True}
    assert shown["update"]["updateDescription"] == {"removedFields": [], "updatedFields": {"paid": True}}
    assert "updateDescription" not in shown["replace"]
    given: Any = events.documentdb({"a": 1})["events"]
    assert given[0]["event"]["documentKey"] == {"_id": given[0]["event"]["fullDocument"]["_id"]}


def test_src_95_96_100_requests_of_an_http_api_and_of_a_url() -> None:
    """SRC-95, 96, 100: parameters of the route, cookies apart, several values joined."""
    made = events.http_v2(
        "POST",
        "/orders/7?x=1",
        route="POST /orders/{id}",
        headers={"Cookie": "a=1; b=2", "X-Many": ["1", "2"]},
        query={"x": ["2", "3"], "y": "ü"},
        body={"n": 1},
        authorizer={"jwt": {"claims": {"sub": "ada"}, "scopes": None}},
    )

    event = data_classes.APIGatewayProxyEventV2(made)
    assert (event.route_key, event.path_parameters, event.json_body) == ("POST /orders/{id}", {"id": "7"}, {"n": 1})
    assert (event.cookies, event.headers["x-many"]) == (["a=1", "b=2"], "1,2")
    assert event.query_string_parameters == {"x": "1,2,3", "y": "ü"}
    assert event.request_context.authorizer.jwt_claim == {"sub": "ada"}
    assert (event.headers["content-type"], event.request_context.http.method) == ("application/json", "POST")
    assert event.request_context.time_epoch == 1767225600000
    assert made["rawQueryString"] == "x=1&x=2&x=3&y=%C3%BC"
    url = data_classes.LambdaFunctionUrlEvent(events.function_url("GET", "/a b"))
    assert (url.raw_path, url.route_key) == ("/a%20b", "$default")
    plain = events.function_url("PUT", "/x", query={"a": "b"}, headers={"Content-Type": "a/b"}, body={"n": 1})
    assert "pathParameters" not in plain
    assert (plain["rawQueryString"], plain["headers"]["content-type"]) == ("a=b", "a/b")  # type: ignore[index, call-overload]


def test_src_90_91_94_requests_of_a_rest_api() -> None:
    """SRC-90, 91, 94: the stage is not in `path`, absent maps are null, binary types are base64."""
    event = data_classes.APIGatewayProxyEvent(
        events.http_v1("PUT", "/orders/7", route="PUT /orders/{id}", query={"a": ["1", "2"]}, headers={"X": "y"})
    )
    binary = events.http_v1(
        "POST", "/", body=b"\xff", headers={"content-type": "image/png"}, binary_media_types=["image/*"]
    )

    assert (event.resource, event.path, event.path_parameters) == ("/orders/{id}", "/orders/7", {"id": "7"})
    assert (event.request_context.stage, event.request_context.path) == ("prod", "/prod/orders/7")
    assert event.multi_value_query_string_parameters == {"a": ["1", "2"]}
    assert event.query_string_parameters == {"a": "2"}
    assert (binary["body"], binary["isBase64Encoded"], binary["resource"]) == ("/w==", True, "/")
    proxied = events.http_v1("GET", "/a/b")
    assert (proxied["resource"], proxied["pathParameters"]) == ("/{proxy+}", {"proxy": "a/b"})
    assert proxied["queryStringParameters"] is None


def test_src_103_requests_through_a_load_balancer() -> None:
    """SRC-103: the target group's mode decides which maps there are; query values stay encoded."""
    single, multiple = (
        events.alb("GET", "/x", query={"a": ["1", "ü"]}, multi_value_headers=mode) for mode in (False, True)
    )

    assert data_classes.ALBEvent(single).query_string_parameters == {"a": "%C3%BC"}
    assert multiple["multiValueQueryStringParameters"] == {"a": ["1", "%C3%BC"]}
    assert "headers" not in multiple and "multiValueHeaders" not in single


@pytest.mark.parametrize(
    ("route_key", "model"),
    [
        ("$connect", models.APIGatewayWebSocketConnectEventModel),
        ("$disconnect", models.APIGatewayWebSocketDisconnectEventModel),
        ("send", models.APIGatewayWebSocketMessageEventModel),
    ],
)
def test_src_11_a_websockets_client_comes_says_something_and_goes(route_key: str, model: Any) -> None:
    """SRC-11: each in its shape."""
    headers = {"origin": "https://a.b"} if route_key == "$connect" else None
    made = events.websocket("hi" if route_key == "send" else None, route_key=route_key, headers=headers)

    model.model_validate(made)
    event = APIGatewayWebSocketEvent(made)
    assert event.request_context.route_key == route_key
    assert event.request_context.connection_id == events_id(made)
    assert event.body == ("hi" if route_key == "send" else None)


def events_id(made: Any) -> str:
    return str(made["requestContext"]["connectionId"])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: events.sqs(), "SQS has at least one record"),
        (lambda: events.kinesis(), "Kinesis has at least one"),
        (lambda: events.dynamodb(), "DynamoDB has at least one"),
        (lambda: events.s3("b"), "S3 has at least one"),
        (lambda: events.logs(), "CloudWatch Logs has at least one"),
        (lambda: events.kafka(), "Kafka has at least one"),
        (lambda: events.self_managed_kafka(), "Kafka has at least one"),
        (lambda: events.active_mq(), "ActiveMQ has at least one"),
        (lambda: events.rabbit_mq(), "RabbitMQ has at least one"),
        (lambda: events.documentdb(), "DocumentDB has at least one"),
        (lambda: events.sqs("a", receive_count=0), "at least 1, not 0"),
        (lambda: events.sqs(object()), "cannot be written as JSON"),
        (lambda: events.sqs("a", attributes={"x": True}), "attribute 'x' is bool"),
        (lambda: events.sqs("a", attributes={"x": None}), "attribute 'x' is NoneType"),  # type: ignore[dict-item]
        (lambda: events.sqs("a", attributes={"x": ["a"]}), "attribute 'x' is list"),  # type: ignore[dict-item]
        (lambda: events.kinesis("a", "b", partition_key=["k"]), "2 records and 1 partition keys"),
        (lambda: events.dynamodb({"x": 1}), "needs the table's key 'id'"),
        (lambda: events.dynamodb({"id": None}), "needs the table's key 'id'"),
        (lambda: events.dynamodb(events.Change(new={"id": 1}, old={"id": 2})), "and keeps it"),
        (lambda: events.dynamodb(events.Change()), "a new item, or the old one"),
        (lambda: events.dynamodb(events.Change(new={"id": 1}, expired=True)), "has expired is gone"),
        (lambda: events.dynamodb({"id": 1, "x": set()}), "no attribute of an item can be set()"),
        (lambda: events.dynamodb({"id": 1, "x": {1, "a"}}), "no attribute of an item can be"),
        (lambda: events.dynamodb({"id": 1, "x": float("nan")}), "N does not hold"),
        (lambda: events.s3("b", "k", event_name="ObjectMade:Put"), "tells of no event 'ObjectMade:Put'"),
        (lambda: events.s3_on_bus("b", "k", event_name="Replication:OperationNotTracked"), "tells no bus of"),
        (lambda: events.rabbit_mq("a", properties={"app": 1}), "no property 'app'"),
        (lambda: events.websocket("a", route_key="$connect"), "sends no body"),
        (lambda: events.websocket("a", headers={"a": "b"}), "headers on \\$connect"),
        (lambda: events.http_v2("GET", "/x", route="GET /orders/{id}"), "does not take GET /x"),
        (lambda: events.http_v2("FETCH"), "method 'FETCH' is none of"),
        (lambda: events.http_v2("ANY"), "method 'ANY' is none of"),
        (lambda: events.http_v2("GET", "x"), "path 'x' is none"),
        (lambda: events.http_v2("GET", "/%zz"), "path '/%zz' is none"),
        (lambda: events.Origin(region="US East"), "region 'US East' is none"),
        (lambda: events.Origin(account_id="1"), "twelve digits"),
        (lambda: events.Origin(at=datetime(2026, 1, 1)), "has no time zone"),  # noqa: DTZ001
    ],
)
def test_what_no_source_would_send_is_refused(build: Callable[[], object], words: str) -> None:
    """With what is wrong and with what."""
    with pytest.raises(InvalidParameterValue, match=words):
        build()


def test_other_partitions_have_arns_of_their_own() -> None:
    """China's are another partition, and SNS' hosts there are other hosts."""
    china = events.Origin("cn-north-1")

    assert records(events.sqs("a", origin=china))[0]["eventSourceARN"].startswith("arn:aws-cn:sqs:cn-north-1:")
    assert records(events.s3("b", "k", origin=china))[0]["s3"]["bucket"]["arn"] == "arn:aws-cn:s3:::b"
    assert ".amazonaws.com.cn/" in records(events.sns("a", origin=china))[0]["Sns"]["SigningCertUrl"]

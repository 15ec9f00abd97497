"""From SQS' raw messages to the records a handler sees, and back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from aws_lambda_powertools.utilities.data_classes import SQSEvent
from aws_lambda_powertools.utilities.parser.models import SqsModel
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue, SourceError
from eventmap.model import EntryFailure, Event
from eventmap.sources.sqs import (
    Backlog,
    QueueDescription,
    SqsSource,
    damaged,
    describe_queue,
    md5_of_attributes,
    record_of,
)
from eventmap.testing import MemorySqs
from tests.delivery.scene import Handler, working
from tests.testing.queues import queue, redrive

STANDARD = QueueDescription(
    url="https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
    arn="arn:aws:sqs:eu-west-1:123456789012:orders",
    region="eu-west-1",
    fifo=False,
    visibility_timeout_s=30,
    maximum_receive_count=None,
    dead_letter_arn=None,
)
ATTRIBUTES = {
    "Author": {"DataType": "String", "StringValue": "John Grisham"},
    "Title": {"DataType": "String", "StringValue": "The Whistler"},
    "WeeksOn": {"DataType": "Number", "StringValue": "6"},
}


def message(body: str = "hi", **more: Any) -> dict[str, Any]:
    return {
        "MessageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "ReceiptHandle": "AQEB...",
        "Body": body,
        "MD5OfBody": hashlib.md5(body.encode()).hexdigest(),
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1700000000000",
            "SenderId": "AIDA...",
            "ApproximateFirstReceiveTimestamp": "1700000000005",
        },
        **more,
    }


def test_sqs_110_to_124_a_record_byte_for_byte() -> None:
    """SQS-110..124: the example of the specification, in the observed order of keys, numbers staying strings."""
    attributes = {"k": {"StringValue": "100", "DataType": "Number"}}
    digest = md5_of_attributes(attributes)
    raw = message(MessageAttributes=attributes, MD5OfMessageAttributes=digest)

    text = Event.of_records([record_of(raw, STANDARD, 0.0)]).text

    assert text.decode() == (
        '{"Records":[{"messageId":"19dd0b57-b21e-4ac1-bd88-01bbb068cb78","receiptHandle":"AQEB...","body":"hi",'
        '"attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1700000000000","SenderId":"AIDA...",'
        '"ApproximateFirstReceiveTimestamp":"1700000000005"},'
        '"messageAttributes":{"k":{"stringValue":"100","stringListValues":[],"binaryListValues":[],'
        '"dataType":"Number"}},'
        f'"md5OfMessageAttributes":"{digest}","md5OfBody":"49f68a5c8493ec2c0bf489821c21fc3b","eventSource":"aws:sqs",'
        '"eventSourceARN":"arn:aws:sqs:eu-west-1:123456789012:orders","awsRegion":"eu-west-1"}]}'
    )


def test_sqs_112_the_body_is_never_parsed() -> None:
    """SQS-112: JSON in, the same JSON text out, whatever its spaces and escapes."""
    body = '{ "a" : "\\u00e9é\U0001f600", "a":1}'

    assert record_of(message(body), STANDARD, 0.0).body["body"] == body


def test_sqs_114_115_without_attributes_the_keys_are_there_all_the_same() -> None:
    """SQS-114, SQS-115: `{}` and null."""
    body = record_of(message(), STANDARD, 0.0).body

    assert (body["messageAttributes"], body["md5OfMessageAttributes"]) == ({}, None)


def test_sqs_120_to_124_every_type_of_message_attribute() -> None:
    """SQS-120..124: text and numbers as stringValue, binary as base64; labels kept; the two lists always empty."""
    attributes = {
        "s": {"DataType": "String.json", "StringValue": "{}"},
        "n": {"DataType": "Number.int", "StringValue": "1e3"},
        "b": {"DataType": "Binary.png", "BinaryValue": base64.b64encode(b"\x00\xff").decode()},
    }

    shaped = record_of(message(MessageAttributes=attributes), STANDARD, 0.0).body["messageAttributes"]

    empty: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert shaped == {
        "s": {"stringValue": "{}", **empty, "dataType": "String.json"},
        "n": {"stringValue": "1e3", **empty, "dataType": "Number.int"},
        "b": {"binaryValue": "AP8=", **empty, "dataType": "Binary.png"},
    }


def test_sqs_99_110_111_116_a_record_knows_its_message() -> None:
    """SQS-99: the message id is the item identifier; receive count and receipt as the queue gave them."""
    record = record_of(message(), STANDARD, 12.5)

    assert (record.item_id, record.receipt) == ("19dd0b57-b21e-4ac1-bd88-01bbb068cb78", "AQEB...")
    assert (record.receive_count, record.received_at, record.group, record.sequence) == (1, 12.5, None, 0)
    assert record.body["md5OfBody"] == "49f68a5c8493ec2c0bf489821c21fc3b"


def test_sqs_113_53_a_group_orders_on_a_fifo_queue_only() -> None:
    """SQS-113, SQS-53: the same attribute on a standard queue is for the handler to read."""
    raw = message()
    raw["Attributes"] |= {"MessageGroupId": "g", "SequenceNumber": "18870000000000000256"}
    fifo = QueueDescription(STANDARD.url, STANDARD.arn + ".fifo", "eu-west-1", True, 30, None, None)

    on_fifo, on_standard = record_of(raw, fifo, 0.0), record_of(raw, STANDARD, 0.0)

    assert (on_fifo.group, on_fifo.sequence) == ("g", 18870000000000000256)
    assert (on_standard.group, on_standard.sequence) == (None, 0)
    assert on_standard.body["attributes"] == raw["Attributes"]


@given(
    body=st.text(min_size=1, max_size=200),
    attributes=st.dictionaries(
        st.text(alphabet="abcXYZ_-.", min_size=1, max_size=20),
        st.fixed_dictionaries({"DataType": st.just("String"), "StringValue": st.text(min_size=1, max_size=50)}),
        max_size=10,
    ),
)
def test_sqs_24_the_size_bound_is_never_too_small(body: str, attributes: dict[str, Any]) -> None:
    """SQS-24: no encoding of a record is longer than what the batching adds up."""
    record = record_of(message(body, MessageAttributes=attributes), STANDARD, 0.0)

    assert len(record.encoded()) <= record.size_bound


def test_sqs_125_the_digest_of_message_attributes() -> None:
    """SQS-125: the observed vector; names in byte order whatever the order of the dict."""
    assert md5_of_attributes(ATTRIBUTES) == "d25a6aea97eb8f585bfa92d314504a92"
    assert md5_of_attributes(dict(reversed(ATTRIBUTES.items()))) == "d25a6aea97eb8f585bfa92d314504a92"


def test_sqs_125_binary_values_are_digested_raw() -> None:
    """SQS-125: transport type 2 and the bytes, not their base64; computed by hand."""
    packed = b"\x00\x00\x00\x01b" + b"\x00\x00\x00\x06Binary" + b"\x02" + b"\x00\x00\x00\x02\x00\xff"

    digest = md5_of_attributes({"b": {"DataType": "Binary", "BinaryValue": "AP8="}})

    assert digest == hashlib.md5(packed).hexdigest()


def test_sqs_116_125_126_damage_is_noticed() -> None:
    """SQS-116, 125, 126: of the body and of the attributes; a server that sends no attribute digest is believed."""
    good = message("Test message.", MessageAttributes=ATTRIBUTES)
    digest = "d25a6aea97eb8f585bfa92d314504a92"

    assert good["MD5OfBody"] == "e4e68fb7bd0e697a0ae8f1bb342846b3"
    assert damaged(good) is None
    assert damaged(good | {"MD5OfMessageAttributes": digest}) is None
    assert damaged(good | {"Body": "Test message!"}) == "the body does not match MD5OfBody"
    assert damaged(good | {"MD5OfBody": None}) == "the body does not match MD5OfBody"
    assert damaged(good | {"MD5OfMessageAttributes": "0" * 32}) == "the attributes do not match MD5OfMessageAttributes"


@pytest.mark.virtual_time
async def test_sqs_110_to_124_powertools_parses_the_event(memory_sqs: MemorySqs) -> None:
    """SQS-110..124: a strict parser accepts every record, with attributes and without, and finds what was sent."""
    orders = queue(memory_sqs, "orders")
    cover = {"DataType": "Binary.png", "BinaryValue": base64.b64encode(b"\x00\xff").decode()}
    entries = [{"MessageBody": "plain"}, {"MessageBody": "{}", "MessageAttributes": {**ATTRIBUTES, "Cover": cover}}]
    assert await memory_sqs.send_message_batch(orders.url, entries) == {}
    handler = Handler()

    async with working(memory_sqs, handler) as running:
        await running.until_empty()

    event = json.loads(json.dumps({"Records": handler.invocations[0].records}))
    plain, full = SqsModel.model_validate(event).Records
    assert (plain.body, plain.messageAttributes, plain.md5OfMessageAttributes) == ("plain", {}, None)
    assert full.messageAttributes["Author"].stringValue == "John Grisham"
    assert full.messageAttributes["Cover"].binaryValue == cover["BinaryValue"]
    assert (full.eventSource, full.awsRegion, full.attributes.ApproximateReceiveCount) == ("aws:sqs", "us-east-1", "1")


@pytest.mark.virtual_time
async def test_sqs_22_110_to_126_powertools_reads_the_event(memory_sqs: MemorySqs) -> None:
    """SQS-22, 110..126: an independent reader finds every attribute that was sent."""
    orders = queue(memory_sqs, "orders.fifo")
    sent = {**ATTRIBUTES, "Cover": {"DataType": "Binary", "BinaryValue": base64.b64encode(b"\x00\xff").decode()}}
    entry = {
        "MessageBody": '{"n":1}',
        "MessageAttributes": sent,
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d",
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
    }
    assert await memory_sqs.send_message_batch(orders.url, [entry]) == {}
    handler = Handler()

    async with working(memory_sqs, handler, queue="orders.fifo") as running:
        await running.until_empty()

    [record] = SQSEvent({"Records": handler.invocations[0].records}).records
    attributes: Any = record.message_attributes
    assert (record.body, record.json_body) == ('{"n":1}', {"n": 1})
    assert (record.event_source, record.aws_region) == ("aws:sqs", "us-east-1")
    assert record.event_source_arn == "arn:aws:sqs:us-east-1:123456789012:orders.fifo"
    assert (record.attributes.message_group_id, record.attributes.message_deduplication_id) == ("g", "d")
    assert (record.attributes.aws_trace_header, len(record.attributes.sequence_number or "")) == ("Root=1-2-3", 20)
    assert (record.attributes.approximate_receive_count, record.attributes.sent_timestamp) == ("1", "1767225600000")
    assert attributes["Author"].string_value == "John Grisham"
    assert (attributes["WeeksOn"].string_value, attributes["WeeksOn"].data_type) == (
        "6",
        "Number",
    )
    assert attributes["Cover"].binary_value == "AP8="
    assert record.md5_of_body == hashlib.md5(b'{"n":1}').hexdigest()
    assert record["md5OfMessageAttributes"] == md5_of_attributes(sent)


@pytest.mark.virtual_time
async def test_sqs_113_a_message_of_a_dead_letter_queue_names_its_source(memory_sqs: MemorySqs) -> None:
    """SQS-113: `DeadLetterQueueSourceArn`, where the message comes from."""
    queue(memory_sqs, "dead")
    source = queue(memory_sqs, VisibilityTimeout="1", RedrivePolicy=redrive("dead", 1))
    source.put("a")
    await source.receive()
    await source.receive(wait=2)
    handler = Handler()

    async with working(memory_sqs, handler, queue="dead", timeout=3) as running:
        await running.until_empty()

    attributes = handler.invocations[0].records[0]["attributes"]
    assert attributes["DeadLetterQueueSourceArn"] == "arn:aws:sqs:us-east-1:123456789012:orders"


class Answering:
    """A queue that answers every call with the same."""

    def __init__(self, answer: Any = None, attributes: Mapping[str, str] | None = None) -> None:
        self.answer = answer
        self.attributes = dict(attributes or {})

    async def get_queue_url(self, name: str, owner: str | None = None) -> str:
        return STANDARD.url

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        return self.attributes

    async def receive_message(self, queue_url: str, **_: Any) -> list[dict[str, Any]]:
        return list(self.answer)

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]:
        return dict(self.answer)

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]:
        return dict(self.answer)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("ReceiptHandleIsInvalid", EntryFailure.RECEIPT_LOST),
        ("InvalidParameterValue", EntryFailure.RECEIPT_LOST),
        ("AWS.SimpleQueueService.MessageNotInflight", EntryFailure.RECEIPT_LOST),
        ("InternalError", EntryFailure.TRY_AGAIN),
        ("ServiceUnavailable", EntryFailure.TRY_AGAIN),
        ("NotConfirmed", EntryFailure.TRY_AGAIN),
        ("", EntryFailure.TRY_AGAIN),
    ],
)
async def test_sqs_62_67_what_a_failed_entry_means(code: str, failure: EntryFailure) -> None:
    """SQS-62, SQS-67: a receipt the queue does not know is lost; anything else is worth another try."""
    source = SqsSource(Answering({1: code}), STANDARD)

    assert await source.delete(["a", "b"]) == {1: failure}
    assert await source.change_visibility([("a", 0), ("b", 0)]) == {1: failure}


async def test_sqs_116_a_damaged_message_is_counted_and_left_out() -> None:
    """SQS-116: what the queue returned, and what of it may run."""
    source = SqsSource(Answering([message("good"), message("bad", MD5OfBody="0" * 32)]), STANDARD)

    records, returned = await source.receive(10, 0)

    assert ([record.body["body"] for record in records], returned) == (["good"], 2)


async def test_sqs_68_a_queue_describes_itself() -> None:
    """SQS-68: `maxReceiveCount` is 10 where the policy does not say; without a policy nothing is dead-lettered."""
    arn = "arn:aws:sqs:us-east-1:123456789012:orders.fifo"
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead.fifo"}

    bare = await describe_queue(Answering(attributes={"QueueArn": arn, "VisibilityTimeout": "7"}), "url")
    with_policy = await describe_queue(
        Answering(attributes={"QueueArn": arn, "RedrivePolicy": json.dumps(policy)}), "url"
    )

    assert (bare.arn, bare.region, bare.fifo, bare.visibility_timeout_s) == (arn, "us-east-1", True, 7)
    assert (bare.maximum_receive_count, bare.dead_letter_arn) == (None, None)
    assert (with_policy.maximum_receive_count, with_policy.visibility_timeout_s) == (10, 30)
    assert with_policy.dead_letter_arn == policy["deadLetterTargetArn"]


@pytest.mark.parametrize("attributes", [{}, {"QueueArn": ""}, {"QueueArn": "orders"}])
async def test_a_queue_that_tells_no_arn_is_refused_with_that_reason(attributes: dict[str, str]) -> None:
    """Every event names its queue by ARN, so a server that has none cannot be polled from."""
    with pytest.raises(SourceError, match="queue url tells no ARN"):
        await describe_queue(Answering(attributes=attributes), "url")


async def test_sqs_15_a_missing_queue_is_refused_in_aws_words(memory_sqs: MemorySqs) -> None:
    """SQS-15: AWS' sentence first, then where we looked."""
    with pytest.raises(InvalidParameterValue) as refused:
        await describe_queue(memory_sqs, "https://sqs.us-east-1.amazonaws.com/123456789012/nowhere")

    assert str(refused.value).startswith(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
        "SQS Error Message: The specified queue does not exist."
    )
    assert "nowhere" in str(refused.value)


@pytest.mark.parametrize("missing", ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"])
async def test_a_queue_that_does_not_tell_its_backlog_is_an_error(missing: str) -> None:
    """Not "empty": `until_empty` would end with messages left."""
    names = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    told = dict(zip(names, ("3", "2", "1"), strict=True))

    assert await SqsSource(Answering(attributes=told), STANDARD).backlog() == Backlog(visible=3, in_flight=2, delayed=1)
    assert Backlog(visible=3, in_flight=2, delayed=1).total == 6
    for broken in ({k: v for k, v in told.items() if k != missing}, told | {missing: "many"}):
        with pytest.raises(SourceError, match="does not tell how many"):
            await SqsSource(Answering(attributes=broken), STANDARD).backlog()


def test_sqs_110_an_event_has_records_and_nothing_else() -> None:
    """SQS-110: one key at the top level; text and object are made once and agree."""
    event = Event.of_records([record_of(message(), STANDARD, 0.0)])

    assert list(orjson.loads(event.text)) == ["Records"]
    assert orjson.loads(event.text) == event.document
    assert Event.from_text(event.text).document == event.document
    assert event.text is event.text

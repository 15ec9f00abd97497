from __future__ import annotations

import hashlib

import pytest

from eventmap.errors import SourceError
from eventmap.testing import MemorySqs

from .queues import queue

pytestmark = pytest.mark.virtual_time

TEXT = {"DataType": "String", "StringValue": "x"}


async def test_sqs_125_the_digest_of_message_attributes(memory_sqs: MemorySqs) -> None:
    """SQS-125: the published vector; names in byte order, whatever order they were sent in."""
    orders = queue(memory_sqs)
    orders.put(
        "a",
        attributes={
            "WeeksOn": {"DataType": "Number", "StringValue": "6"},
            "Title": {"DataType": "String", "StringValue": "The Whistler"},
            "Author": {"DataType": "String", "StringValue": "John Grisham"},
        },
    )
    orders.put("b", attributes={"k": {"DataType": "Binary.png", "BinaryValue": "AAH/"}})

    first, second = await orders.receive()

    packed = b"\0\0\0\x01k" + b"\0\0\0\x0aBinary.png" + b"\x02" + b"\0\0\0\x03\x00\x01\xff"
    assert first["MD5OfMessageAttributes"] == "d25a6aea97eb8f585bfa92d314504a92"
    assert second["MD5OfMessageAttributes"] == hashlib.md5(packed).hexdigest()
    assert second["MessageAttributes"] == {"k": {"DataType": "Binary.png", "BinaryValue": "AAH/"}}


async def test_sqs_126_the_digest_of_the_body(memory_sqs: MemorySqs) -> None:
    """SQS-126, SQS-116: the published vector; without attributes their keys are absent."""
    orders = queue(memory_sqs)
    orders.put("Test message.")

    [message] = await orders.receive()

    assert message["MD5OfBody"] == "e4e68fb7bd0e697a0ae8f1bb342846b3"
    assert message.keys() == {"MessageId", "ReceiptHandle", "Body", "MD5OfBody", "Attributes"}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({}, "MissingParameter"),
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "\x00"}, "InvalidMessageContents"),
        ({"MessageBody": "\ud800"}, "InvalidMessageContents"),
        ({"MessageBody": "x", "Colour": "red"}, "UnknownParameter"),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageBody": "x", "DelaySeconds": -1}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageDeduplicationId": "d"}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageGroupId": "has space"}, "InvalidParameterValue"),
        ({"MessageBody": "x" * 1_048_576, "MessageAttributes": {}}, None),
        ({"MessageBody": "x", "MessageAttributes": {str(n): TEXT for n in range(10)}}, None),
        ({"MessageBody": "x", "MessageAttributes": {str(n): TEXT for n in range(11)}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"n" * 256: TEXT}}, None),
        ({"MessageBody": "x", "MessageAttributes": {"n" * 257: TEXT}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {".a": TEXT}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"a.": TEXT}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"a..b": TEXT}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"a.b": TEXT}}, None),
        ({"MessageBody": "x", "MessageAttributes": {"AWS.x": TEXT}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"amazon.x": TEXT}}, "InvalidParameterValue"),
        (
            {"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}},
            "InvalidParameterValue",
        ),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String"}}}, "InvalidParameterValue"),
        (
            {"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "?"}}},
            "InvalidParameterValue",
        ),
    ],
)
async def test_sqs_127_128_130_what_a_standard_queue_refuses(
    memory_sqs: MemorySqs, entry: dict[str, object], code: str | None
) -> None:
    """SQS-127, SQS-128, SQS-130: a bad entry is refused alone, the good one beside it is sent."""
    orders = queue(memory_sqs)
    beside = [] if len(str(entry)) > 1_000_000 else [{"MessageBody": "good"}]

    failed = await memory_sqs.send_message_batch(orders.url, [entry, *beside])

    assert failed == ({} if code is None else {0: code})
    assert len(memory_sqs.messages("orders")) == len(beside) + (code is None)


async def test_sqs_128_a_smaller_maximum_is_kept(memory_sqs: MemorySqs) -> None:
    """SQS-128: attributes count; one byte more is refused."""
    orders = queue(memory_sqs, MaximumMessageSize=1024)
    attributes = {"name": {"DataType": "String", "StringValue": "v"}}  # 4 + 6 + 1 bytes

    orders.put("x" * 1013, attributes=attributes)
    with pytest.raises(SourceError) as refused:
        orders.put("x" * 1014, attributes=attributes)

    assert refused.value.code == "InvalidParameterValue"


async def test_sqs_128_a_batch_has_one_to_ten_entries_and_one_mebibyte(memory_sqs: MemorySqs) -> None:
    """SQS-62, SQS-128: AWS refuses the whole call; nothing of it takes effect."""
    orders = queue(memory_sqs)
    half = {"MessageBody": "x" * 524_288}

    async def code(entries: list[dict[str, str]]) -> str:
        with pytest.raises(SourceError) as refused:
            await memory_sqs.send_message_batch(orders.url, entries)
        return refused.value.code.removeprefix("AWS.SimpleQueueService.")

    assert await code([]) == "EmptyBatchRequest"
    assert await code([{"MessageBody": "x"}] * 11) == "TooManyEntriesInBatchRequest"
    assert await code([half, {"MessageBody": "x" * 524_289}]) == "BatchRequestTooLong"
    assert await memory_sqs.send_message_batch(orders.url, [half, half]) == {}
    for call in (memory_sqs.delete_message_batch, memory_sqs.change_message_visibility_batch):
        for entries in ([], [("receipt", 1)] * 11):
            with pytest.raises(SourceError, match="batch"):
                await call(orders.url, entries)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "attributes", "code"),
    [
        ("a b", {}, "InvalidParameterValue"),
        ("x" * 81, {}, "InvalidParameterValue"),
        ("orders.fifo", {}, "InvalidParameterValue"),
        ("orders", {"FifoQueue": "true"}, "InvalidParameterValue"),
        ("orders", {"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ("orders", {"VisibilityTimeout": "-1"}, "InvalidAttributeValue"),
        ("orders", {"DelaySeconds": "901"}, "InvalidAttributeValue"),
        ("orders", {"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
        ("orders", {"MessageRetentionPeriod": "1209601"}, "InvalidAttributeValue"),
        ("orders", {"MaximumMessageSize": "1023"}, "InvalidAttributeValue"),
        ("orders", {"MaximumMessageSize": "1048577"}, "InvalidAttributeValue"),
        ("orders", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
        ("orders", {"Colour": "red"}, "InvalidAttributeName"),
        ("orders", {"RedrivePolicy": "{}"}, "InvalidAttributeValue"),
        ("orders", {"RedrivePolicy": '{"deadLetterTargetArn":"x","maxReceiveCount":1001}'}, "InvalidAttributeValue"),
        ("orders", {"RedriveAllowPolicy": '{"redrivePermission":"some"}'}, "InvalidAttributeValue"),
    ],
)
async def test_sqs_66_68_72_128_130_attributes_have_ranges(
    memory_sqs: MemorySqs, name: str, attributes: dict[str, str], code: str
) -> None:
    """SQS-66, SQS-68, SQS-72, SQS-128, SQS-130: out of range or unknown means no queue."""
    with pytest.raises(SourceError) as refused:
        await memory_sqs.create_queue(name, attributes)

    assert refused.value.code == code


async def test_attributes_are_shown_with_aws_defaults(memory_sqs: MemorySqs) -> None:
    """SQS-66, SQS-72, SQS-128: what GetQueueAttributes answers for a queue created with nothing."""
    url = await memory_sqs.create_queue("orders", {})
    memory_sqs.put("orders", "a")

    assert await memory_sqs.get_queue_attributes(url) == {
        "VisibilityTimeout": "30",
        "DelaySeconds": "0",
        "MessageRetentionPeriod": "345600",
        "MaximumMessageSize": "1048576",
        "ReceiveMessageWaitTimeSeconds": "0",
        "QueueArn": "arn:aws:sqs:us-east-1:123456789012:orders",
        "ApproximateNumberOfMessages": "1",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
    }


async def test_creating_the_same_queue_again_is_fine_but_not_another(memory_sqs: MemorySqs) -> None:
    """Equal attributes give the same URL; other ones are refused."""
    url = await memory_sqs.create_queue("orders", {"VisibilityTimeout": "60"})

    assert await memory_sqs.create_queue("orders", {"VisibilityTimeout": "60"}) == url
    assert await memory_sqs.get_queue_url("orders") == url
    with pytest.raises(SourceError) as refused:
        await memory_sqs.create_queue("orders", {"VisibilityTimeout": "61"})
    assert refused.value.code == "QueueAlreadyExists"


async def test_attributes_can_be_changed(memory_sqs: MemorySqs) -> None:
    """Only what is named changes; an empty policy is no policy."""
    queue(memory_sqs, "dead")
    url = await memory_sqs.create_queue("orders", {"VisibilityTimeout": "60"})
    policy = '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":"3"}'

    await memory_sqs.set_queue_attributes(url, {"RedrivePolicy": policy, "DelaySeconds": "1"})
    changed = await memory_sqs.get_queue_attributes(url)
    await memory_sqs.set_queue_attributes(url, {"RedrivePolicy": ""})

    assert (changed["VisibilityTimeout"], changed["DelaySeconds"], changed["RedrivePolicy"]) == ("60", "1", policy)
    assert "RedrivePolicy" not in await memory_sqs.get_queue_attributes(url)

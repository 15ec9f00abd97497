"""The wire against servers nobody of us wrote."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import anyio
import pytest

from eventmap.aws.sqs import SqsWire
from eventmap.errors import QueueNotFound, SourceError
from tests.servers.process import Server

from .hostile import wire_to


async def receive(wire: SqsWire, queue_url: str, **options: Any) -> list[dict[str, Any]]:
    with anyio.fail_after(20):
        return await wire.receive_message(queue_url, max_number_of_messages=10, **({"wait_time_seconds": 1} | options))


async def test_sqs_20_to_22_a_message_arrives_with_all_it_carries(sqs_server: Server, queue_name: str) -> None:
    """Body, MD5, system attributes and message attributes of every type come back in the JSON protocol's shape."""
    blob = base64.b64encode(b"\x00\xff").decode()
    attributes = {
        "tenant": {"DataType": "String", "StringValue": "ä"},
        "weight": {"DataType": "Number", "StringValue": "2.50"},
        "blob": {"DataType": "Binary", "BinaryValue": blob},
    }
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await wire.create_queue(queue_name, {"VisibilityTimeout": "30"})
        assert await wire.send_message_batch(queue, [{"MessageBody": "grüße", "MessageAttributes": attributes}]) == {}

        [message] = await receive(wire, queue)

    assert message["Body"] == "grüße"
    assert message["MD5OfBody"] == hashlib.md5("grüße".encode()).hexdigest()
    assert message["MessageAttributes"]["tenant"] == attributes["tenant"]
    assert message["MessageAttributes"]["weight"] == attributes["weight"]
    assert message["MessageAttributes"]["blob"] == attributes["blob"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["SentTimestamp"].isdigit()


async def test_sqs_62_a_deleted_batch_is_gone(sqs_server: Server, queue_name: str) -> None:
    """Ten messages deleted in one call leave an empty queue."""
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await wire.create_queue(queue_name, {})
        assert await wire.send_message_batch(queue, [{"MessageBody": f"m{n}"} for n in range(10)]) == {}
        receipts: list[str] = []
        while len(receipts) < 10:
            receipts += [message["ReceiptHandle"] for message in await receive(wire, queue)]

        assert await wire.delete_message_batch(queue, receipts) == {}

        attributes = await wire.get_queue_attributes(queue)
        assert int(attributes["ApproximateNumberOfMessages"]) == 0
        assert int(attributes["ApproximateNumberOfMessagesNotVisible"]) == 0


async def test_sqs_66_a_released_message_comes_back_at_once(sqs_server: Server, queue_name: str) -> None:
    """A visibility timeout of zero makes the message visible, with a higher receive count and a new receipt."""
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await wire.create_queue(queue_name, {"VisibilityTimeout": "600"})
        await wire.send_message_batch(queue, [{"MessageBody": "again"}])
        [first] = await receive(wire, queue)

        assert await wire.change_message_visibility_batch(queue, [(first["ReceiptHandle"], 0)]) == {}

        [second] = await receive(wire, queue)
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


async def test_a_receipt_of_no_message_is_reported_by_its_index(sqs_server: Server, queue_name: str) -> None:
    """One entry that fails does not fail the others."""
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await wire.create_queue(queue_name, {})
        await wire.send_message_batch(queue, [{"MessageBody": "real"}])
        [message] = await receive(wire, queue)

        failures = await wire.change_message_visibility_batch(queue, [("made-up", 5), (message["ReceiptHandle"], 5)])

    assert list(failures) == [0]
    assert failures[0]


async def test_sqs_15_a_missing_queue_is_a_missing_queue(sqs_server: Server, queue_name: str) -> None:
    """By name and by URL, whatever code the server has for it."""
    url = f"{sqs_server.endpoint_url}/{sqs_server.account_id}/{queue_name}"
    async with wire_to(sqs_server.endpoint_url) as wire:
        with pytest.raises(QueueNotFound) as by_name:
            await wire.get_queue_url(queue_name)
        with pytest.raises(QueueNotFound) as by_url:
            await receive(wire, url)

    assert by_name.value.queue == by_url.value.queue == queue_name


async def test_a_queue_is_found_by_its_name(sqs_server: Server, queue_name: str) -> None:
    """GetQueueUrl gives what CreateQueue gave, and the attributes name its ARN."""
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await wire.create_queue(queue_name, {"VisibilityTimeout": "77"})

        assert await wire.get_queue_url(queue_name) == queue
        attributes = await wire.get_queue_attributes(queue)

    assert attributes["VisibilityTimeout"] == "77"
    assert attributes["QueueArn"].endswith(f":{queue_name}")


async def test_a_wrong_request_keeps_the_servers_code(sqs_server: Server, queue_name: str) -> None:
    """Eleven messages cannot be asked for; the refusal is a plain SourceError or, on lenient servers, an answer."""
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await wire.create_queue(queue_name, {})
        if sqs_server.name == "ministack":  # it takes 11 for 10
            assert await wire.receive_message(queue, max_number_of_messages=11, wait_time_seconds=0) == []
            return
        with pytest.raises(SourceError) as failure:
            await wire.receive_message(queue, max_number_of_messages=11, wait_time_seconds=0)

    assert type(failure.value) is SourceError
    assert failure.value.code


async def test_sqs_21_many_long_polls_wait_at_the_same_time(sqs_server: Server, queue_name: str) -> None:
    """A message sent while several polls wait reaches one of them, and a cancelled poll disturbs nobody."""
    received: list[dict[str, Any]] = []
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await wire.create_queue(queue_name, {})

        async def poll(scope: anyio.CancelScope) -> None:
            messages = await receive(wire, queue, wait_time_seconds=10)
            if messages:
                received.extend(messages)
                scope.cancel()

        async with anyio.create_task_group() as polls:
            for _ in range(4):
                polls.start_soon(poll, polls.cancel_scope)
            await wire.send_message_batch(queue, [{"MessageBody": "one"}])

        assert await wire.delete_message_batch(queue, [received[0]["ReceiptHandle"]]) == {}
    assert [message["Body"] for message in received] == ["one"]

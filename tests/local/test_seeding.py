from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from eventmap.errors import InvalidParameterValue, TransientSourceError
from eventmap.local.lines import dump_lines
from eventmap.local.seeding import BATCH_LIMIT_BYTES, create_queues, dead_letter_name, send_lines
from tests.aws.hostile import wire_to
from tests.servers.process import Server


class RecordingWire:
    """An in-memory wire; each of `failures` is what one call answers, later calls succeed."""

    def __init__(self, *failures: dict[int, str]) -> None:
        self.failures = list(failures)
        self.calls: list[list[str]] = []
        self.sizes: list[int] = []

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        return f"http://h/000000000000/{name}"

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        return {}

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        self.calls.append([str(entry["MessageBody"]) for entry in entries])
        self.sizes.append(sum(len(str(entry["MessageBody"]).encode()) for entry in entries))
        return self.failures.pop(0) if self.failures else {}


async def test_a_created_queue_has_its_dead_letter_queue(sqs_server: Server, queue_name: str) -> None:
    """SQS-68: three receives are delivered, then the message is in NAME-dlq."""
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await create_queues(wire, queue_name, visibility_timeout=30)
        again = await create_queues(wire, queue_name, visibility_timeout=30)
        await send_lines(wire, queue.url, ['"poison"'])
        counts = []
        for _ in range(3):
            [message] = await wire.receive_message(queue.url, max_number_of_messages=10, wait_time_seconds=2)
            counts.append(message["Attributes"]["ApproximateReceiveCount"])
            await wire.change_message_visibility_batch(queue.url, [(message["ReceiptHandle"], 0)])
        fourth = await wire.receive_message(queue.url, max_number_of_messages=10, wait_time_seconds=1)
        [dead] = await wire.receive_message(queue.dead_letter_url, max_number_of_messages=10, wait_time_seconds=2)

    assert again == queue
    assert counts == ["1", "2", "3"]
    assert fourth == []
    assert dead["Body"] == "poison"
    assert queue.dead_letter_url.endswith(f"/{queue_name}-dlq")


async def test_sqs_69_a_fifo_queue_gets_a_fifo_dead_letter_queue(sqs_server: Server, queue_name: str) -> None:
    """Lines of one group come back in order from a queue that ends in .fifo."""
    lines = [json.dumps({"body": {"n": n}, "group": "g"}) for n in range(12)]
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await create_queues(wire, f"{queue_name}.fifo", visibility_timeout=30)
        attributes = await wire.get_queue_attributes(queue.dead_letter_url)
        assert await send_lines(wire, queue.url, lines) == 12
        bodies: list[str] = []
        while len(bodies) < 12:
            messages = await wire.receive_message(queue.url, max_number_of_messages=10, wait_time_seconds=5)
            bodies += [message["Body"] for message in messages]
            await wire.delete_message_batch(queue.url, [message["ReceiptHandle"] for message in messages])

    assert attributes["FifoQueue"] == "true"
    assert bodies == [f'{{"n":{n}}}' for n in range(12)]


async def test_what_was_received_can_be_dumped_and_sent_again(sqs_server: Server, queue_name: str) -> None:
    """A queue's messages survive the way through a file, on servers we did not write."""
    line = '{"body":"grüße\\n","attributes":{"s":"t","n":2.5,"b":{"binary":"AP8="}}}'
    async with wire_to(sqs_server.endpoint_url) as wire:
        queue = await create_queues(wire, queue_name, visibility_timeout=30)
        await send_lines(wire, queue.url, [line])
        messages = await wire.receive_message(queue.url, max_number_of_messages=1, wait_time_seconds=5)

    assert [json.loads(dumped) for dumped in dump_lines(messages)] == [json.loads(line)]


@pytest.mark.parametrize(
    ("name", "dead"), [("orders", "orders-dlq"), ("orders.fifo", "orders-dlq.fifo"), (".fifo", "-dlq.fifo")]
)
def test_the_dead_letter_queue_is_named_after_its_source(name: str, dead: str) -> None:
    """The suffix of FIFO queues stays at the end."""
    assert dead_letter_name(name) == dead


async def test_sqs_128_batches_have_ten_entries_and_1_mib_at_most() -> None:
    """Lines are sent in order, in as few batches as the two limits allow."""
    wire = RecordingWire()
    half = "x" * (BATCH_LIMIT_BYTES // 2)
    lines = [json.dumps(body) for body in [*map(str, range(12)), half, half, "last"]]

    assert await send_lines(wire, "http://h/q", lines) == 15

    assert [len(call) for call in wire.calls] == [10, 3, 2]
    assert [body for call in wire.calls for body in call] == [json.loads(line) for line in lines]
    assert max(wire.sizes) <= BATCH_LIMIT_BYTES


async def test_only_failed_entries_are_sent_again() -> None:
    """What the queue has taken is not sent twice."""
    wire = RecordingWire({0: "InternalError", 2: "InternalError"}, {1: "InternalError"})

    assert await send_lines(wire, "http://h/q", ['"a"', '"b"', '"c"']) == 3

    assert wire.calls == [["a", "b", "c"], ["a", "c"], ["c"]]


async def test_an_entry_refused_for_good_is_an_error_with_its_line() -> None:
    """After the last attempt the code and the line are told."""
    wire = RecordingWire(*[{1: "InvalidMessageContents"}, *[{0: "InvalidMessageContents"}] * 9])

    with pytest.raises(TransientSourceError, match=r"line 3 .* InvalidMessageContents"):
        await send_lines(wire, "http://h/q", ['"a"', "", '"b"'])

    assert wire.calls[1:] == [["b"]] * 5


async def test_a_bad_line_is_refused_before_anything_is_sent() -> None:
    """A file is sent whole or not at all; line numbers count blank lines too."""
    wire = RecordingWire()

    with pytest.raises(InvalidParameterValue, match=r"^line 3: "):
        await send_lines(wire, "http://h/q", ['"good"', " \n", '{"bad": 1}'])

    assert wire.calls == []

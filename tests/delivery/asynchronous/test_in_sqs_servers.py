"""A fleet's asynchronous queue on servers nobody of us wrote; a plain client of theirs is the judge."""

from __future__ import annotations

from typing import Any

import anyio
import orjson

from eventmap.aws.session import AwsSettings, open_sqs
from eventmap.aws.signing import Credentials
from eventmap.errors import SourceError
from eventmap.model import FunctionError
from tests.servers.process import Server
from tests.servers.queue import Queue, create_queue

from .fleet import BOOM, BUSY, OK, Code, EndsSeen, at_work, function_of, worker_of


def settings_for(server: Server) -> AwsSettings:
    return AwsSettings(endpoint_url=server.endpoint_url, region="us-east-1", credentials=Credentials("test", "test"))


async def test_inv_40_43_48_49_events_wait_run_and_end_in_sqs(
    sqs_server: Server, sqs_judge: Any, queue_name: str
) -> None:
    """Made by the first worker, throttled once, then one success and one failure; nothing is left."""
    code, ends = Code(BUSY, BUSY, OK, BOOM), EndsSeen()
    function = function_of(maximum_retry_attempts=0)
    async with open_sqs(settings_for(sqs_server)) as wire:
        queue = await worker_of(wire, code, ends, function, name=queue_name)
        judge = Queue(sqs_judge, await wire.get_queue_url(queue_name))
        for number in range(2):
            await queue.accept('{ "number": %d, "\u00e9": "\uffff" }'.encode() % number, request_id=f"id-{number}")
        [*seen] = judge.receive(MessageAttributeNames=["All"], VisibilityTimeout=0)
        with anyio.fail_after(60):
            async with at_work(queue):
                await queue.idle()

    assert {message["MessageAttributes"]["RequestID"]["StringValue"] for message in seen} <= {"id-0", "id-1"}
    assert all('"\u00e9"' in message["Body"] for message in seen)
    assert sorted(ends.conditions) == ["RetriesExhausted", "Success"]
    assert ends.request_ids == {"id-0": 1, "id-1": 1}
    assert [orjson.loads(event.payload)["\u00e9"] for _, event in code.runs] == ["\uffff"] * 4
    assert judge.receive() == []


async def test_inv_40_a_killed_workers_event_is_run_by_the_next(
    sqs_server: Server, sqs_judge: Any, queue_name: str
) -> None:
    """As soon as its message is visible again."""
    create_queue(sqs_judge, queue_name, VisibilityTimeout="2")
    ends = EndsSeen()
    async with open_sqs(settings_for(sqs_server)) as wire:
        slow, code = Code(seconds=60), Code()
        function = function_of(timeout=1)
        doomed = await worker_of(wire, slow, ends, function, name=queue_name)
        await doomed.accept(b"{}", request_id="id")
        async with at_work(doomed) as scope:
            while not slow.runs:
                await anyio.sleep(0.05)
            scope.cancel()
        heir = await worker_of(wire, code, ends, function, name=queue_name)
        with anyio.fail_after(60):
            async with at_work(heir):
                await heir.idle()

    assert (slow.request_ids, code.request_ids) == ({"id": 1}, {"id": 1})
    assert ends.conditions == ["Success"]


async def test_inv_47_an_error_travels_with_its_event(sqs_server: Server, queue_name: str) -> None:
    """It failed; the next attempt would come too late; the end has what it answered."""
    error = FunctionError(
        orjson.dumps({"errorMessage": "b\u00f6\uffffm", "errorType": "E", "stackTrace": ["\ttab"]}), "E"
    )
    code, ends = Code(BUSY, error), EndsSeen()
    async with open_sqs(settings_for(sqs_server)) as wire:
        function = function_of(maximum_event_age_in_seconds=60)
        queue = await worker_of(wire, code, ends, function, name=queue_name)
        await queue.accept(b"{}", request_id="id")
        with anyio.fail_after(60):
            async with at_work(queue):
                await queue.idle()

    [(_, _, end)] = ends.ends
    assert (end.condition, end.response) == ("EventAgeExceeded", error.payload)


async def test_inv_17_the_largest_event_is_taken_or_its_sender_is_told(sqs_server: Server, queue_name: str) -> None:
    """Servers of the old limit say no; none of them loses it."""
    payload = b'"%s"' % (b"x" * 1_040_000)
    code, ends = Code(), EndsSeen()
    async with open_sqs(settings_for(sqs_server)) as wire:
        queue = await worker_of(wire, code, ends, name=queue_name)
        try:
            accepted = await queue.accept(payload, request_id="id")
        except SourceError:
            accepted = False
        with anyio.fail_after(60):
            async with at_work(queue):
                await queue.idle()

    assert [event.payload for _, event in code.runs] == [payload] * accepted
    assert accepted or sqs_server.name == "ministack"

"""Mappings of the API over the pollers of a service, on virtual time: no message is lost, and none is handled twice."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from eventmap import Function
from eventmap.clock import elapsed_s
from eventmap.control.ports import NamedFunctions
from eventmap.testing import MemoryKinesis, MemorySqs
from tests.delivery.scene import Handler
from tests.service.live import ACCOUNT, REGION, Live, live

from .scene import World, world

pytestmark = pytest.mark.virtual_time

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"


class Names:
    """Every function that runs, without aliases."""

    def __init__(self, there: Live) -> None:
        self._functions = there.functions

    def arn(self, name: str) -> str:
        return self._functions.arn(name)

    def arn_of_absent(self, name: str) -> str:
        return self._functions.arn_of_absent(name)

    def runs(self, name: str, qualifier: str) -> str | None:
        return name if name in self._functions.invokable and not qualifier else None


@asynccontextmanager
async def mapped(*functions: Function, **apis: Any) -> AsyncIterator[tuple[World, Live]]:
    """The service's functions and pollers, and the API over them."""
    async with live(*functions, **apis) as there:
        names: NamedFunctions = Names(there)
        pollers: Any = there.pollers  # which remember nothing
        async with world(pollers=pollers, functions=names) as made:  # type: ignore[arg-type]
            yield made, there


def work(handler: Any, name: str = "work") -> Function:
    return Function(handler=handler, function_name=name, timeout=20)


class Seen:
    """Remembers the data of a stream's records."""

    __name__ = "work"

    def __init__(self) -> None:
        self.data: list[str] = []

    async def __call__(self, event: Any, context: Any) -> None:
        await anyio.sleep(0.2)
        self.data += [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]


@pytest.mark.parametrize("seed", range(5))
async def test_api_58_59_changes_lose_and_repeat_no_message(seed: int) -> None:
    """API-58, 59: batch sizes, functions, off and on, while messages come."""
    sqs, handler = MemorySqs(), Handler(seconds=0.3)
    sqs.add_queue("orders")
    async with (
        mapped(work(handler), work(handler, "other"), queue_api=sqs) as (there, _),
        anyio.create_task_group() as tasks,
    ):
        uuid = await there.enabled(QUEUE, "work")

        async def send() -> None:
            for number in range(200):
                sqs.put("orders", str(number))
                await anyio.sleep(0.03)

        tasks.start_soon(send)
        for turn in range(8):
            await anyio.sleep(0.11 * (1 + (turn * 7 + seed) % 5))
            body: dict[str, Any] = {"BatchSize": 1 + (turn + seed) % 10, "FunctionName": ["work", "other"][turn % 2]}
            await there.mappings.update(uuid, body if turn % 3 else {"Enabled": False})
            await there.settled(uuid)
            await there.mappings.update(uuid, {"Enabled": True})
            await there.settled(uuid)
        await anyio.sleep(120)

    assert sorted(handler.bodies, key=int) == [str(number) for number in range(200)]
    assert sqs.messages("orders") == []


async def test_api_13_59_60_a_stream_goes_on_after_a_change_and_begins_anew_after_a_deletion() -> None:
    """API-59, API-60: each record once and in order; a mapping made anew reads them all again."""
    kinesis, seen = MemoryKinesis(), Seen()
    kinesis.create_stream("orders", 1)
    async with mapped(work(seen), kinesis_api=kinesis) as (there, _), anyio.create_task_group() as tasks:
        uuid = await there.enabled(STREAM, "work", BatchSize=3)

        async def send() -> None:
            for number in range(60):
                kinesis.put_record("orders", b"%03d" % number, "key")
                await anyio.sleep(0.5)

        tasks.start_soon(send)
        for turn in range(6):
            await anyio.sleep(4)
            await there.mappings.update(uuid, {"BatchSize": 4 + turn} if turn % 2 else {"Enabled": False})
            await there.settled(uuid)
            await there.mappings.update(uuid, {"Enabled": True})
            await there.settled(uuid)
        await anyio.sleep(60)
        assert there.mappings.get(uuid)["LastProcessingResult"] == "OK"
        once = list(seen.data)
        assert once == [f"{number:03}" for number in range(60)]

        await there.mappings.delete(uuid)
        while there.mappings.list({})["EventSourceMappings"]:
            await anyio.sleep(0.1)
        again = await there.enabled(STREAM, "work")
        await anyio.sleep(60)
        assert seen.data[60:] == once
        assert there.mappings.get(again)["LastProcessingResult"] == "OK"


async def test_a_new_mapping_s_first_message_comes_within_a_third_of_a_second() -> None:
    """What is in the queue is handled at once."""
    sqs, handler = MemorySqs(), Handler()
    sqs.add_queue("orders")
    sqs.put("orders", "early")
    async with mapped(work(handler), queue_api=sqs) as (there, _):
        before = elapsed_s()
        await there.create(QUEUE, "work")
        while not handler.bodies:
            await anyio.sleep(0.01)
        assert elapsed_s() - before <= 0.3


async def test_api_62_a_queue_that_was_deleted_disables_its_mapping() -> None:
    """API-62: as its pollers find out; a queue of that name polls again once a caller says so."""
    sqs, handler = MemorySqs(), Handler()
    sqs.add_queue("orders")
    async with mapped(work(handler), queue_api=sqs) as (there, pollers):
        uuid = await there.enabled(QUEUE, "work")
        await sqs.delete_queue(await sqs.get_queue_url("orders", None))
        with anyio.fail_after(300):
            while there.mappings.get(uuid)["State"] != "Disabled":
                await anyio.sleep(1)
        assert "The specified queue does not exist" in str(there.mappings.get(uuid)["StateTransitionReason"])
        assert pollers.pollers.polled == {}

        sqs.add_queue("orders")
        sqs.put("orders", "later")
        await there.mappings.update(uuid, {"Enabled": True})
        assert await there.settled(uuid) == "Enabled"
        await anyio.sleep(30)
        assert handler.bodies == ["later"]

"""Where the scenarios happen: in memory on virtual time, or on a server nobody of us wrote, asked by plain boto3."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import anyio.to_thread

from eventmap import App, EventSourceMapping, Function
from eventmap.service import Running
from eventmap.testing import MemorySqs
from tests.servers.process import Server

Entry = dict[str, Any]
"""A message in AWS' fields; binary values are bytes."""


class Place(Protocol):
    """One SQS."""

    name: str

    async def create(self, name: str, **attributes: str) -> str:
        """A new queue; returns its URL."""

    async def arn(self, url: str) -> str: ...

    async def send(self, url: str, entries: list[Entry]) -> None: ...

    async def receive(self, url: str, wait_s: int = 0) -> list[dict[str, Any]]:
        """Up to ten messages, as boto3 shows them."""

    def where(self) -> dict[str, Any]:
        """Arguments of `App.running`."""


class Memory:
    """The in-memory queue of the test kit."""

    name = "memory"

    def __init__(self) -> None:
        self.sqs = MemorySqs()

    async def create(self, name: str, **attributes: str) -> str:
        return await self.sqs.create_queue(name, attributes)

    async def arn(self, url: str) -> str:
        return (await self.sqs.get_queue_attributes(url))["QueueArn"]

    async def send(self, url: str, entries: list[Entry]) -> None:
        for entry in entries:
            wired = json.loads(json.dumps(entry, default=lambda raw: base64.b64encode(raw).decode()))
            assert await self.sqs.send_message_batch(url, [wired]) == {}

    async def receive(self, url: str, wait_s: int = 0) -> list[dict[str, Any]]:
        return await self.sqs.receive_message(url, max_number_of_messages=10, wait_time_seconds=wait_s)

    def where(self) -> dict[str, Any]:
        return {"queue_api": self.sqs}


class OnServer:
    """A real server; boto3 runs in threads, so that the engine goes on meanwhile."""

    def __init__(self, server: Server, client: Any) -> None:
        self.name = server.name
        self._server = server
        self._client = client

    async def create(self, name: str, **attributes: str) -> str:
        return str((await self._ask("create_queue", QueueName=name, Attributes=attributes))["QueueUrl"])

    async def arn(self, url: str) -> str:
        answer = await self._ask("get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    async def send(self, url: str, entries: list[Entry]) -> None:
        for start in range(0, len(entries), 10):
            batch = [{"Id": str(n), **entry} for n, entry in enumerate(entries[start : start + 10])]
            answer = await self._ask("send_message_batch", QueueUrl=url, Entries=batch)
            assert not answer.get("Failed"), answer["Failed"]

    async def receive(self, url: str, wait_s: int = 0) -> list[dict[str, Any]]:
        answer = await self._ask(
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def where(self) -> dict[str, Any]:
        return {"endpoint_url": self._server.endpoint_url, "region": self._server.region}

    async def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        call: Callable[[], dict[str, Any]] = functools.partial(getattr(self._client, operation), **arguments)
        return await anyio.to_thread.run_sync(call)


def redrive(arn: str, receives: int) -> str:
    return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(receives)})


@asynccontextmanager
async def working(
    place: Place, queue: str, handler: Callable[[Any, Any], object], *, timeout: int = 1, **mapping: Any
) -> AsyncIterator[Running]:
    """`handler` at work on one queue of `place`."""
    app = App()
    app.add(
        Function(handler=handler, function_name="work", timeout=timeout),
        EventSourceMapping(event_source_arn=queue, function_name="work", **mapping),
    )
    async with app.running(**place.where()) as running:
        yield running


def plain(*bodies: str) -> list[Entry]:
    return [{"MessageBody": body} for body in bodies]


def grouped(groups: str, count: int) -> list[Entry]:
    """a0, b0, …, a1, b1, …: `count` messages in each group."""
    return [
        {"MessageBody": f"{group}{n}", "MessageGroupId": group, "MessageDeduplicationId": f"{group}{n}"}
        for n in range(count)
        for group in groups
    ]

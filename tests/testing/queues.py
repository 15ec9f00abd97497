"""Short words for what the tests of the in-memory queue do over and over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from eventmap.testing import MemorySqs


@dataclass(frozen=True)
class Queue:
    sqs: MemorySqs
    name: str
    url: str

    async def receive(self, limit: int = 10, wait: int = 0, visibility: int | None = None) -> list[dict[str, Any]]:
        return await self.sqs.receive_message(
            self.url, max_number_of_messages=limit, wait_time_seconds=wait, visibility_timeout=visibility
        )

    async def delete(self, *messages: dict[str, Any]) -> dict[int, str]:
        return await self.sqs.delete_message_batch(self.url, [message["ReceiptHandle"] for message in messages])

    async def show_in(self, seconds: int, *messages: dict[str, Any]) -> dict[int, str]:
        entries = [(message["ReceiptHandle"], seconds) for message in messages]
        return await self.sqs.change_message_visibility_batch(self.url, entries)

    def put(self, *bodies: str, group: str | None = None, **options: Any) -> list[str]:
        """On a FIFO queue the body is the de-duplication id, unless one is given."""
        if self.name.endswith(".fifo"):
            return [
                self.sqs.put(self.name, body, group=group, **{"deduplication_id": body, **options}) for body in bodies
            ]
        return [self.sqs.put(self.name, body, group=group, **options) for body in bodies]


def queue(sqs: MemorySqs, name: str = "orders", **attributes: object) -> Queue:
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
    if name.endswith(".fifo"):
        given["FifoQueue"] = "true"
    return Queue(sqs, name, sqs.add_queue(name, given))


def redrive(dead_letters: str, receives: int) -> str:
    return json.dumps(
        {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:123456789012:{dead_letters}", "maxReceiveCount": receives}
    )


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]


def counts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Attributes"]["ApproximateReceiveCount"] for message in messages]

"""An in-memory SNS of a test's own, and endpoints that answer as they are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from eventmap.clock import elapsed_s
from eventmap.testing import MemorySns, MemorySqs

QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"
URL = "https://hooks.example/sns"

Answer = int | Exception


@dataclass(slots=True)
class HttpEndpoint:
    """Answers with what is left in `answers`, then 200; an exception is raised. Takes `takes_s` for each."""

    answers: list[Answer] = field(default_factory=list)
    takes_s: float = 0.0
    times: list[float] = field(default_factory=list)
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.times.append(elapsed_s())
        self.requests.append((url, headers, body))
        answer = self.answers.pop(0) if self.answers else 200
        if self.takes_s:
            await anyio.sleep(self.takes_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]


@dataclass(slots=True)
class FunctionEndpoint:
    """The same for a function, whose answer is 202."""

    answers: list[Answer] = field(default_factory=list)
    always: int = 202
    times: list[float] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)

    async def __call__(self, arn: str, payload: bytes) -> int:
        self.times.append(elapsed_s())
        self.events.append(json.loads(payload))
        answer = self.answers.pop(0) if self.answers else self.always
        if isinstance(answer, Exception):
            raise answer
        return answer


async def subscribed(sns: MemorySns, http: HttpEndpoint, topic: str, attributes: dict[str, str] | None = None) -> str:
    """The ARN of an HTTP subscription, confirmed; the endpoint then forgets that it was asked."""
    assert sns.add_subscription(topic, "https", URL, attributes) is None
    await sns.settled()
    arn = await sns.confirm_subscription(http.documents[-1]["TopicArn"], http.documents[-1]["Token"])
    http.requests.clear()
    http.times.clear()
    return arn


def bodies(queues: MemorySqs, queue: str) -> list[str]:
    return [message.body for message in queues.messages(queue)]


def envelopes(queues: MemorySqs, queue: str) -> list[dict[str, Any]]:
    return [json.loads(body) for body in bodies(queues, queue)]

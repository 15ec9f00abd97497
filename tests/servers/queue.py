"""One queue as the independent client sees it: the few calls an experiment is made of."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Queue:
    client: Any
    url: str

    @property
    def arn(self) -> str:
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def send(self, *bodies: str, **options: Any) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body, **options)

    def send_batch(self, *ids: str) -> None:
        entries = [{"Id": entry_id, "MessageBody": "x"} for entry_id in ids]
        self.client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def receive(self, limit: int = 10, *, wait_s: int = 0, **options: Any) -> list[Message]:
        answer = self.client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            **options,
        )
        return list(answer.get("Messages", []))

    def delete(self, message: Message) -> None:
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def delete_batch(self, messages: Sequence[Message]) -> list[Mapping[str, Any]]:
        """The entries that failed."""
        entries = [{"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(messages)]
        answer = self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return list(answer.get("Failed", []))

    def change_visibility(self, message: Message, seconds: int) -> None:
        self.client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def drain(self, count: int, *, within_s: float = 20.0) -> list[str]:
        """The next `count` bodies in the order they came, each deleted at once; fewer if the deadline passes."""
        deadline = time.monotonic() + within_s
        bodies: list[str] = []
        while len(bodies) < count and time.monotonic() < deadline:
            messages = self.receive(wait_s=1, VisibilityTimeout=30)
            bodies += [message["Body"] for message in messages]
            if messages:
                self.delete_batch(messages)
        return bodies


def create_queue(client: Any, name: str, **attributes: str) -> Queue:
    """A queue of that name; ".fifo" makes it a FIFO queue with content-based de-duplication."""
    if name.endswith(".fifo"):
        attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return Queue(client, client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def redrive_to(dead_letters: Queue, after_receives: int) -> str:
    return json.dumps({"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": after_receives})


def answer_of(call: Callable[..., object], *arguments: Any, **options: Any) -> str:
    """ "ok", or the code with which the server refused."""
    try:
        call(*arguments, **options)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"

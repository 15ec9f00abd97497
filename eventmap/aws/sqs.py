"""SQS as the engine needs it, over the lean wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from eventmap.aws.endpoint import is_loopback
from eventmap.aws.services import SQS
from eventmap.aws.wire import JSON_1_0, JsonProtocol, JsonWire, ServiceWire, WireOptions, text_of

RawMessage = dict[str, Any]  # as SQS' JSON protocol carries it; binary values are base64 text

# In the query-compatible mode servers add the older error codes, which are the ones that users know.
PROTOCOL: Final = JsonProtocol("sqs", "AmazonSQS", JSON_1_0, {"x-amzn-query-mode": "true"})


class SqsWire(ServiceWire):
    """SQS at one endpoint. An async context manager; may be called from many tasks of one loop."""

    def __init__(self, endpoint_url: str, **options: Unpack[WireOptions]) -> None:
        super().__init__(JsonWire(endpoint_url, service=SQS, protocol=PROTOCOL, **options))
        self._is_local = is_loopback(self.endpoint_url)

    async def get_queue_url(self, name: str, owner: str | None = None) -> str:
        """`owner` is the account of a queue that another one owns (SQS-19). Raises: QueueNotFound (SQS-15).

        A server on this machine has one account whatever an ARN says, so it is not asked about others.
        """
        parameters = {"QueueName": name}
        if owner is not None and not self._is_local:
            parameters["QueueOwnerAWSAccountId"] = owner
        answer = await self._wire.call("GetQueueUrl", name, parameters)
        return text_of(answer, "QueueUrl")

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        """All attributes of the queue, values as text."""
        answer = await self._wire.call(
            "GetQueueAttributes", queue_url, {"QueueUrl": queue_url, "AttributeNames": ["All"]}
        )
        attributes: dict[str, str] = answer.get("Attributes") or {}
        return attributes

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        """The new queue's URL; that of an existing queue if its attributes are the same."""
        answer = await self._wire.call("CreateQueue", name, {"QueueName": name, "Attributes": dict(attributes)})
        return text_of(answer, "QueueUrl")

    async def set_queue_attributes(self, queue_url: str, attributes: Mapping[str, str]) -> None:
        """Change some attributes; the others keep their values. It may take the queue a minute to act on them."""
        await self._wire.call("SetQueueAttributes", queue_url, {"QueueUrl": queue_url, "Attributes": dict(attributes)})

    async def delete_queue(self, queue_url: str) -> None:
        """Delete the queue with all its messages. For a minute AWS makes no other of that name."""
        await self._wire.call("DeleteQueue", queue_url, {"QueueUrl": queue_url})

    async def receive_message(
        self,
        queue_url: str,
        *,
        max_number_of_messages: int,
        wait_time_seconds: int,
        visibility_timeout: int | None = None,
    ) -> list[RawMessage]:
        """At most ten messages with all their attributes (SQS-20..22); empty when the wait passed without one.

        `visibility_timeout` None leaves it to the queue. Cancelling may leave messages received that nobody has seen:
        they come back when their visibility timeout ends.
        """
        parameters: dict[str, Any] = {
            "QueueUrl": queue_url,
            "MaxNumberOfMessages": max_number_of_messages,
            "WaitTimeSeconds": wait_time_seconds,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
            "AttributeNames": ["All"],  # the name that servers older than 2024 know
        }
        if visibility_timeout is not None:
            parameters["VisibilityTimeout"] = visibility_timeout
        answer = await self._wire.call("ReceiveMessage", queue_url, parameters, wait_s=wait_time_seconds)
        messages: list[RawMessage] = answer.get("Messages") or []
        return messages

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]:
        """Delete up to ten messages (SQS-62); returns index -> error code of those the queue did not confirm."""
        entries = [{"Id": str(index), "ReceiptHandle": receipt} for index, receipt in enumerate(receipts)]
        return await self._batch("DeleteMessageBatch", queue_url, entries)

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]:
        """Set (receipt, seconds from now) of up to ten messages (SQS-66); returns index -> error code of failures."""
        return await self._batch(
            "ChangeMessageVisibilityBatch",
            queue_url,
            [
                {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for index, (receipt, seconds) in enumerate(entries)
            ],
        )

    async def send_message(
        self,
        queue_url: str,
        body: str,
        *,
        attributes: Mapping[str, tuple[str, str]] | None = None,
        group: tuple[str, str] | None = None,
    ) -> None:
        """Send one message; `attributes` by name: (data type, text); `group`: a FIFO queue's, and deduplication id."""
        parameters: dict[str, Any] = {"QueueUrl": queue_url, "MessageBody": body}
        if group is not None:
            parameters["MessageGroupId"], parameters["MessageDeduplicationId"] = group
        if attributes:
            parameters["MessageAttributes"] = {
                name: {"DataType": kind, "StringValue": text} for name, (kind, text) in attributes.items()
            }
        await self._wire.call("SendMessage", queue_url, parameters)

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Send up to ten entries in AWS' fields without Id (SQS-128); returns index -> error code of failures."""
        return await self._batch(
            "SendMessageBatch", queue_url, [{"Id": str(index), **entry} for index, entry in enumerate(entries)]
        )

    async def _batch(self, operation: str, queue_url: str, entries: list[dict[str, Any]]) -> dict[int, str]:
        if not entries:
            return {}
        answer = await self._wire.call(operation, queue_url, {"QueueUrl": queue_url, "Entries": entries})
        confirmed = {entry["Id"] for entry in answer.get("Successful") or ()}
        if len(confirmed) == len(entries):
            return {}
        codes = {entry["Id"]: entry.get("Code", "") for entry in answer.get("Failed") or ()}
        # An entry the answer does not mention is not confirmed, so it counts as failed.
        return {
            index: codes.get(entry["Id"], "NotConfirmed")
            for index, entry in enumerate(entries)
            if entry["Id"] not in confirmed
        }

"""SQS as a source: raw messages in, Records out, settlements carried out.

`QueueApi` is all that is asked of a queue: AWS through `eventmap.aws`, or the in-memory one of `eventmap.testing`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.errors import InvalidParameterValue, QueueNotFound, SourceError
from eventmap.model import EntryFailure, Record
from eventmap.rules.events.records import md5_of_attributes, sqs_record

RawMessage = dict[str, Any]
"""One element of `Messages` as on SQS' JSON wire; binary values are base64 text."""

_ANSWER_S = 1.0  # an answer is seldom under way for longer; the heartbeat's margin covers the rest
_LOST_RECEIPT_CODES = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",  # AWS, FIFO: "The receipt handle has expired"
        "InvalidParameterValueException",
        "InvalidAttributeValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidIdFormat",
    }
)


class QueueApi(Protocol):
    """The calls of the loop, in AWS' shapes.

    Failed entries are answered as {index: error code}. Raises: QueueNotFound, AccessRefused, TransientSourceError,
    SourceError.
    """

    async def get_queue_url(self, name: str, owner: str | None = None) -> str: ...

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]: ...

    async def receive_message(
        self,
        queue_url: str,
        *,
        max_number_of_messages: int,
        wait_time_seconds: int,
        visibility_timeout: int | None = None,
    ) -> list[RawMessage]: ...

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]: ...

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]: ...


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the queue says it holds, approximately."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed


@dataclass(frozen=True, slots=True)
class QueueDescription:
    """A queue's settings as they were when the mapping started."""

    url: str
    arn: str
    region: str
    fifo: bool
    visibility_timeout_s: int
    maximum_receive_count: int | None  #: None = no redrive policy: a failing message comes back until it expires
    dead_letter_arn: str | None


async def describe_queue(api: QueueApi, url: str) -> QueueDescription:
    """Ask the queue for its settings.

    Raises: InvalidParameterValue in AWS' words if there is no such queue (SQS-15); SourceError.
    """
    try:
        attributes = await api.get_queue_attributes(url)
    except QueueNotFound as error:
        raise missing_queue(error) from error
    arn = attributes.get("QueueArn", "")
    if arn.count(":") != 5:
        raise SourceError(f"queue {url} tells no ARN, its QueueArn is {arn!r}: that server cannot be polled from")
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    return QueueDescription(
        url=url,
        arn=arn,
        region=arn.split(":")[3],
        fifo=arn.endswith(".fifo"),
        visibility_timeout_s=int(attributes.get("VisibilityTimeout", 30)),
        maximum_receive_count=int(redrive.get("maxReceiveCount", 10)) if redrive else None,
        dead_letter_arn=redrive.get("deadLetterTargetArn"),
    )


def missing_queue(error: QueueNotFound) -> InvalidParameterValue:
    """AWS' refusal of a mapping on a queue that is not there (SQS-15), and where we looked."""
    return InvalidParameterValue(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
        f"SQS Error Message: The specified queue does not exist. ({error})"
    )


class SqsSource:
    """One queue as its mapping sees it; each receive asks for `visibility_timeout` seconds, None = the queue's own."""

    def __init__(self, api: QueueApi, queue: QueueDescription, *, visibility_timeout: int | None = None) -> None:
        self._api = api
        self._queue = queue
        self._visibility_timeout = visibility_timeout
        self._log = telemetry.logger("eventmap.sources").bind(queue=queue.arn)

    async def receive(self, count: int, wait_s: int) -> tuple[list[Record], int]:
        """Receive up to `count` (1..10) messages, waiting at most `wait_s` (0..20) seconds for the first.

        Returns (records, messages returned); a message whose MD5 does not match is logged and left in the queue.
        """
        sent_at = elapsed_s()
        messages = await self._api.receive_message(
            self._queue.url,
            max_number_of_messages=count,
            wait_time_seconds=wait_s,
            visibility_timeout=self._visibility_timeout,
        )
        # A long poll took its messages just before it answered; before it was sent, it cannot have taken any.
        received_at = max(sent_at, elapsed_s() - _ANSWER_S)
        records = []
        for message in messages:
            if damage := damaged(message):
                self._log.error(telemetry.RECORD_REFUSED, message_id=message.get("MessageId"), reason=damage)
            else:
                records.append(record_of(message, self._queue, received_at))
        return records, len(messages)

    async def delete(self, receipts: Sequence[str]) -> dict[int, EntryFailure]:
        """Delete 1..10 messages (SQS-62)."""
        failures = await self._api.delete_message_batch(self._queue.url, receipts)
        return {index: _entry_failure(code) for index, code in failures.items()} if failures else {}

    async def change_visibility(self, entries: Sequence[tuple[str, int]]) -> dict[int, EntryFailure]:
        """Make 1..10 messages visible again in so many seconds, 0 = at once."""
        failures = await self._api.change_message_visibility_batch(self._queue.url, entries)
        return {index: _entry_failure(code) for index, code in failures.items()} if failures else {}

    async def backlog(self) -> Backlog:
        """Raises: SourceError."""
        attributes = await self._api.get_queue_attributes(self._queue.url)
        try:
            return Backlog(
                visible=int(attributes["ApproximateNumberOfMessages"]),
                in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
                delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
            )
        except (KeyError, ValueError) as error:
            raise SourceError(f"queue {self._queue.arn} does not tell how many messages it holds: {error}") from error


def _entry_failure(code: str) -> EntryFailure:
    return EntryFailure.RECEIPT_LOST if code in _LOST_RECEIPT_CODES else EntryFailure.TRY_AGAIN


def record_of(message: RawMessage, queue: QueueDescription, received_at: float) -> Record:
    """The element of `Records` a message becomes (SQS-110..124), in the observed order of keys."""
    text: str = message["Body"]
    attributes: dict[str, str] = message["Attributes"]
    given: Mapping[str, Any] | None = message.get("MessageAttributes")
    # An escaped character takes six bytes at most; fixed keys, identifiers and hashes fit into 2,048.
    size = len(text) + len(message["ReceiptHandle"]) + sum(map(len, attributes.values()))
    if given:
        size += len(str(given)) * 2
    return Record(
        item_id=message["MessageId"],
        body=sqs_record(message, queue.arn, queue.region),
        receipt=message["ReceiptHandle"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        received_at=received_at,
        group=attributes.get("MessageGroupId", "") if queue.fifo else None,
        sequence=int(attributes.get("SequenceNumber", 0)) if queue.fifo else 0,
        size_bound=size * 6 + 2_048,
    )


def damaged(message: RawMessage) -> str | None:
    """What about a message differs from the MD5s it was sent with (SQS-116, 125); None = nothing."""
    body: str = message["Body"]
    if hashlib.md5(body.encode(), usedforsecurity=False).hexdigest() != message.get("MD5OfBody"):
        return "the body does not match MD5OfBody"
    attributes = message.get("MessageAttributes")
    expected = message.get("MD5OfMessageAttributes")
    if attributes and expected is not None and md5_of_attributes(attributes) != expected:
        return "the attributes do not match MD5OfMessageAttributes"
    return None

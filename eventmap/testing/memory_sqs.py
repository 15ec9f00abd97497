"""Amazon SQS in memory: several queues that keep SQS' rules, to the second, on whatever clock the running loop has."""

from __future__ import annotations

import hashlib
import random
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio.lowlevel

from eventmap.errors import QueueNotFound, SourceError, TransientSourceError
from eventmap.testing.journal import Journal
from eventmap.testing.sqs_clock import QueueClock
from eventmap.testing.sqs_message import RawMessage, State, StoredMessage, entry_bytes, refusal, wire_of
from eventmap.testing.sqs_order import DeliveryOrder, DisorderedOrder, FifoOrder, StandardOrder
from eventmap.testing.sqs_queue import Echoes, QueueCounts, QueueState
from eventmap.testing.sqs_settings import MAXIMUM_VISIBILITY_TIMEOUT_S, QueueSettings

BATCH_ENTRIES: Final = 10
BATCH_BYTES: Final = 1_048_576
_QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,75}(\.fifo)|[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as a test sees it, without receiving it."""

    message_id: str
    body: str
    state: State
    receive_count: int
    group: str | None
    attributes: Mapping[str, str]


class MemorySqs:
    """The queue port of eventmap, served from memory.

    Every call lets other tasks run once, before it takes effect; a cancelled call has no effect. Nothing else takes
    time, but a long poll waits as SQS does: until a message arrives or becomes visible, at most `wait_time_seconds`.

    `seed` decides everything random, message ids included. `disorder` hands out a standard queue in random order.
    `duplicates` is the probability, 0..1, that a message received from a standard queue is handed out once more while
    it is in flight. `fifo_expiry_disorder` imitates servers that return an expired group as m2, m1, m3; AWS never does.
    `in_flight_limit` is per queue (SQS-129). `journal.log` is kept only with `keeps_log`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        disorder: bool = False,
        duplicates: float = 0.0,
        fifo_expiry_disorder: bool = False,
        in_flight_limit: int = 120_000,
        keeps_log: bool = False,
    ) -> None:
        self.journal: Journal = Journal(keeps_log=keeps_log)
        self._seed = seed
        self._dice = random.Random(seed)
        self._disorder = disorder
        self._duplicates = duplicates
        self._fifo_expiry_disorder = fifo_expiry_disorder
        self._in_flight_limit = in_flight_limit
        self._clock = QueueClock()
        self._queues: dict[str, QueueState] = {}  # by URL

    # The port.

    async def get_queue_url(self, name: str, owner: str | None = None) -> str:
        """All queues here have one owner, so `owner` changes nothing. Raises: QueueNotFound."""
        await anyio.lowlevel.checkpoint()
        return self._named(name).url

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        """Raises: QueueNotFound."""
        await anyio.lowlevel.checkpoint()
        queue = self._current(queue_url)
        visible, delayed, in_flight = queue.counts()
        self.journal.note("GetQueueAttributes", 0)
        return {
            **queue.settings.attributes,
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
            "ApproximateNumberOfMessagesNotVisible": str(in_flight),
        }

    async def set_queue_attributes(self, queue_url: str, attributes: Mapping[str, str]) -> None:
        """Change some attributes; the others keep their values. An empty policy removes it.

        Raises: QueueNotFound; SourceError as `create_queue`.
        """
        await anyio.lowlevel.checkpoint()
        queue = self._current(queue_url)
        settings = QueueSettings.of({**queue.settings.attributes, **attributes})
        if settings.is_fifo != queue.settings.is_fifo:
            raise SourceError("A queue cannot change its type.", code="InvalidAttributeName")
        self._check_redrive(queue.arn, settings)
        queue.settings = settings
        queue.wake()

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        """Create it and return its URL; the same again is fine (attributes left out count as equal).

        Raises: SourceError for a bad name or attribute, or with code `QueueAlreadyExists` for other attributes.
        Rules: SQS-66, SQS-68, SQS-69, SQS-72, SQS-128, SQS-130.
        """
        await anyio.lowlevel.checkpoint()
        return self.add_queue(name, attributes)

    async def delete_queue(self, queue_url: str) -> None:
        """Forget the queue and its messages; long polls under way end with QueueNotFound."""
        await anyio.lowlevel.checkpoint()
        queue = self._current(queue_url)
        del self._queues[queue_url]
        queue.is_deleted = True
        queue.wake()

    async def receive_message(
        self,
        queue_url: str,
        *,
        max_number_of_messages: int,
        wait_time_seconds: int,
        visibility_timeout: int | None = None,
    ) -> list[RawMessage]:
        """Receive with all attributes; `visibility_timeout` None means the queue's own.

        Raises: QueueNotFound; SourceError `InvalidParameterValue` for a number out of range; TransientSourceError
        `OverLimit` when a standard queue has too many messages in flight (SQS-129; a FIFO queue returns nothing).
        """
        await anyio.lowlevel.checkpoint()
        queue = self._queue(queue_url)
        if visibility_timeout is None:
            visibility_timeout = queue.settings.visibility_timeout
        _check_range("MaxNumberOfMessages", max_number_of_messages, 1, 10)
        _check_range("WaitTimeSeconds", wait_time_seconds, 0, 20)
        _check_range("VisibilityTimeout", visibility_timeout, 0, MAXIMUM_VISIBILITY_TIMEOUT_S)
        now = self._clock.now_s()
        wait_until = now + wait_time_seconds
        while True:
            queue.advance(now)
            room = min(max_number_of_messages, self._in_flight_limit - queue.counts().in_flight)
            if room <= 0 and not queue.settings.is_fifo:
                raise TransientSourceError(f'queue "{queue.name}" has too many messages in flight', code="OverLimit")
            messages = queue.take(room, visibility_timeout, now, self._clock.wall_ms())
            if messages or now >= wait_until:
                break
            until = min(wait_until, queue.next_due())
            await queue.changed(until, self._clock.loop_deadline(until))
            if queue.is_deleted:
                raise QueueNotFound(queue.name, "the in-memory SQS")
            now = self._clock.now_s()
        self.journal.note("ReceiveMessage", len(messages))
        if self.journal.log is not None:
            self.journal.write(now, "ReceiveMessage", queue.name, [raw["MessageId"] for raw in messages])
        return messages

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]:
        """Index -> error code of the entries that failed.

        Raises: QueueNotFound; SourceError for none or more than ten entries. Rules: SQS-62, SQS-63, SQS-67.
        """
        await anyio.lowlevel.checkpoint()
        queue = self._current(queue_url)
        _check_entries(receipts)
        self._note(queue, "DeleteMessageBatch", receipts)
        codes = [queue.delete(receipt) for receipt in receipts]
        return _failures(codes)

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]:
        """Index -> error code of the entries that failed; seconds count from now, 0 makes visible at once.

        Raises: QueueNotFound; SourceError for none or more than ten entries. Rule: SQS-66.
        """
        await anyio.lowlevel.checkpoint()
        queue = self._current(queue_url)
        _check_entries(entries)
        self._note(queue, "ChangeMessageVisibilityBatch", [receipt for receipt, _ in entries])
        now = self._clock.now_s()
        return _failures([queue.change_visibility(receipt, seconds, now) for receipt, seconds in entries])

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Index -> error code of the entries that failed; fields are AWS', without `Id`.

        Raises: QueueNotFound; SourceError for none or more than ten entries, or more than 1 MiB in all.
        Rules: SQS-52, SQS-127, SQS-128, SQS-130.
        """
        await anyio.lowlevel.checkpoint()
        queue = self._current(queue_url)
        _check_entries(entries)
        if sum(map(entry_bytes, entries)) > BATCH_BYTES:
            raise _batch_error("BatchRequestTooLong", "the entries of a batch may have 1,048,576 bytes in all")
        failed: dict[int, str] = {}
        for index, entry in enumerate(entries):
            code = refusal(entry, queue.settings)
            if code is None:
                self._send(queue, entry)
            else:
                failed[index] = code
        self.journal.note("SendMessageBatch", len(entries))
        return failed

    # For tests: synchronous, and usable before and after the loop runs.

    def add_queue(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        """`create_queue` without the waiting; returns the URL."""
        return self._add(name, attributes).url

    def _add(self, name: str, attributes: Mapping[str, str] | None) -> QueueState:
        given = dict(attributes or {})
        if not _QUEUE_NAME.fullmatch(name) or name.endswith(".fifo") != (given.get("FifoQueue") == "true"):
            raise SourceError(
                f'"{name}" is not a queue name: 1 to 80 of A-Z a-z 0-9 _ -, and ".fifo" at the end with FifoQueue=true',
                code="InvalidParameterValue",
            )
        settings = QueueSettings.of(given)
        for queue in self._queues.values():
            if queue.name == name:
                if any(queue.settings.attributes.get(key) != settings.attributes.get(key) for key in given):
                    raise SourceError(f'queue "{name}" already exists with other attributes', code="QueueAlreadyExists")
                return queue
        queue = QueueState(
            name,
            settings,
            self._order(name, settings),
            echoes=Echoes(self._duplicates, self._dice) if self._duplicates > 0 else None,
            find_dead_letters=self._with_arn,
        )
        self._check_redrive(queue.arn, settings)
        self._queues[queue.url] = queue
        return queue

    def put(
        self,
        name: str,
        body: str,
        *,
        group: str | None = None,
        deduplication_id: str | None = None,
        attributes: Mapping[str, Mapping[str, str]] | None = None,
        delay_seconds: int | None = None,
    ) -> str:
        """Send one message and return its id.

        Raises: QueueNotFound; SourceError with AWS' code if the queue would refuse it.
        """
        fields = {
            "MessageBody": body,
            "MessageGroupId": group,
            "MessageDeduplicationId": deduplication_id,
            "MessageAttributes": attributes,
            "DelaySeconds": delay_seconds,
        }
        entry = {key: value for key, value in fields.items() if value is not None}
        queue = self._named(name)
        queue.advance(self._clock.now_s())
        code = refusal(entry, queue.settings)
        if code is not None:
            raise SourceError(f'queue "{name}" refuses the message', code=code)
        return self._send(queue, entry)

    def queue_names(self) -> list[str]:
        """Of the queues there are, sorted."""
        return sorted(queue.name for queue in self._queues.values())

    def counts(self, name: str) -> QueueCounts:
        """How many messages are visible, delayed and in flight now."""
        return self._current(self._named(name).url).counts()

    def messages(self, name: str) -> list[MessageView]:
        """Everything in the queue, in order of arrival."""
        queue = self._current(self._named(name).url)
        return [
            MessageView(
                message.message_id,
                message.wire["Body"],
                message.state,
                message.receive_count,
                message.group,
                dict(message.attributes),
            )
            for message in queue
        ]

    def purge(self, name: str) -> None:
        self._current(self._named(name).url).purge()

    # Steps of the above.

    def _send(self, queue: QueueState, entry: Mapping[str, Any]) -> str:
        now = self._clock.now_s()
        group = entry.get("MessageGroupId")
        attributes = {"SenderId": "AIDAEVENTMAPTESTKIT00", "SentTimestamp": self._clock.wall_ms()}
        if group is not None:
            attributes["MessageGroupId"] = group
        trace = (entry.get("MessageSystemAttributes") or {}).get("AWSTraceHeader")
        if trace is not None:
            attributes["AWSTraceHeader"] = trace["StringValue"]
        message_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        if queue.settings.is_fifo:
            token = entry.get("MessageDeduplicationId") or hashlib.sha256(entry["MessageBody"].encode()).hexdigest()
            scope = str(group) if queue.settings.deduplicates_per_group else ""
            first = queue.deduplication.first_message_id(scope, token, now)
            if first is not None:
                return first
            queue.deduplication.remember(scope, token, message_id, now)
            attributes |= {"MessageDeduplicationId": token, "SequenceNumber": queue.next_sequence_number()}
        delay = entry.get("DelaySeconds")
        message = StoredMessage(wire_of(entry, message_id), attributes, group, now)
        queue.put(message, now, queue.settings.delay_seconds if delay is None else delay)
        return message_id

    def _order(self, name: str, settings: QueueSettings) -> DeliveryOrder:
        if settings.is_fifo:
            return FifoOrder(expiry_disorder=self._fifo_expiry_disorder)
        return DisorderedOrder(random.Random(f"{self._seed}/{name}")) if self._disorder else StandardOrder()

    def _queue(self, queue_url: str) -> QueueState:
        queue = self._queues.get(queue_url)
        if queue is None:
            raise QueueNotFound(queue_url, "the in-memory SQS")
        return queue

    def _current(self, queue_url: str) -> QueueState:
        queue = self._queue(queue_url)
        queue.advance(self._clock.now_s())
        return queue

    def _named(self, name: str) -> QueueState:
        for queue in self._queues.values():
            if queue.name == name:
                return queue
        raise QueueNotFound(name, "the in-memory SQS")

    def _with_arn(self, arn: str) -> QueueState | None:
        return next((queue for queue in self._queues.values() if queue.arn == arn), None)

    def _check_redrive(self, source_arn: str, settings: QueueSettings) -> None:
        if settings.redrive is None:
            return
        target = self._with_arn(settings.redrive.target_arn)
        if target is None:
            reason = "Dead letter target does not exist."
        elif target.settings.is_fifo != settings.is_fifo:
            reason = "Dead-letter queue must be same type of queue as the source."
        elif not target.settings.allowance.allows(source_arn):
            reason = "The dead-letter queue does not allow this source."
        else:
            return
        raise SourceError(
            f"Value for parameter RedrivePolicy is invalid. Reason: {reason}", code="InvalidParameterValue"
        )

    def _note(self, queue: QueueState, operation: str, receipts: Sequence[str]) -> None:
        self.journal.note(operation, len(receipts))
        if self.journal.log is not None:
            ids = [queue.message_id(receipt) for receipt in receipts]
            self.journal.write(self._clock.now_s(), operation, queue.name, ids)


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SourceError(
            f"Value {value} for parameter {name} is invalid. Reason: Must be >= {low} and <= {high}, if provided.",
            code="InvalidParameterValue",
        )


def _check_entries(entries: Sequence[object]) -> None:
    if not entries:
        raise _batch_error("EmptyBatchRequest", "a batch needs at least one entry")
    if len(entries) > BATCH_ENTRIES:
        raise _batch_error("TooManyEntriesInBatchRequest", f"a batch has at most ten entries, not {len(entries)}")


def _batch_error(code: str, message: str) -> SourceError:
    return SourceError(message, code=f"AWS.SimpleQueueService.{code}")


def _failures(codes: Sequence[str | None]) -> dict[int, str]:
    return {index: code for index, code in enumerate(codes) if code is not None}

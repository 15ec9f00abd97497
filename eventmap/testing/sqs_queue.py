"""One queue: every message it holds, which state each is in, and when that changes by itself.

                    delay over               receive
    send ─▶ DELAYED ──────────▶ VISIBLE ────────────────▶ IN_FLIGHT ──delete──▶ gone
                                   ▲                         │  │
                                   └─ visibility 0 or over ──┘  └── retention over ─▶ gone (from every state)
    at a receive, one that was received `maxReceiveCount` times moves to the dead-letter queue instead

All calls are synchronous and take `now` in seconds of the queue's clock; `sqs_service` adds waiting and AWS' shapes.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

import anyio

from eventmap.testing.sqs_message import RawMessage, State, StoredMessage
from eventmap.testing.sqs_order import Deduplication, DeliveryOrder
from eventmap.testing.sqs_settings import MAXIMUM_VISIBILITY_TIMEOUT_S, QueueSettings, queue_arn, queue_url

_DELAYED: Final = State.DELAYED
_VISIBLE: Final = State.VISIBLE
_IN_FLIGHT: Final = State.IN_FLIGHT
_GONE: Final = State.GONE

_ROUNDING_S: Final = 1e-6
"""A deadline this close is over: two ways to compute one instant may differ in the last bit."""

_STALE_TIMERS: Final = 1_000

RECEIPT_INVALID: Final = "ReceiptHandleIsInvalid"
NOT_IN_FLIGHT: Final = "AWS.SimpleQueueService.MessageNotInflight"


class QueueCounts(NamedTuple):
    visible: int
    delayed: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Echoes:
    """With `probability`, a message of a standard queue is handed out once more while it is in flight."""

    probability: float
    dice: random.Random


class QueueState:
    """See the module. `find_dead_letters` returns the queue with an ARN, or None; its absence loses nothing."""

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        order: DeliveryOrder,
        *,
        echoes: Echoes | None,
        find_dead_letters: Callable[[str], QueueState | None],
    ) -> None:
        self.name = name
        self.url: str = queue_url(name)
        self.arn: str = queue_arn(name)
        self.settings = settings
        self.deduplication: Deduplication = Deduplication()
        self.is_deleted = False
        self._order = order
        self._echoes = echoes
        self._echoing: list[StoredMessage] = []
        self._find_dead_letters = find_dead_letters
        self._messages: dict[int, StoredMessage] = {}
        self._receipts: dict[str, StoredMessage] = {}
        self._receipt_prefix = f"eventmap/{name}/"
        self._first_sequence_number = 18_870_000_000_000_000_000 + (zlib.crc32(name.encode()) << 30)
        self._timers: list[tuple[float, int, StoredMessage]] = []
        self._ages: list[tuple[float, int, StoredMessage]] = []
        self._tick = 0
        self._visible = 0
        self._delayed = 0
        self._in_flight = 0
        self._changed: anyio.Event | None = None
        self._latest_wake = 0.0

    # Inspecting.

    def counts(self) -> QueueCounts:
        return QueueCounts(self._visible, self._delayed, self._in_flight)

    def __iter__(self) -> Iterator[StoredMessage]:
        return iter(self._messages.values())

    def message_id(self, receipt: str) -> str:
        """The message of a current receipt; "" for any other."""
        message = self._receipts.get(receipt)
        return message.message_id if message else ""

    # Time.

    def advance(self, now: float) -> None:
        """Carry out what became due: delays and visibility that ran out, messages older than the retention period."""
        now += _ROUNDING_S
        timers = self._timers
        while timers and timers[0][0] <= now:
            _, tick, message = heappop(timers)
            if message.timer != tick:
                continue
            message.timer = 0
            if message.state is _DELAYED:
                self._delayed -= 1
                self._show(message)
            else:
                self._return(message)
        oldest = now - self.settings.message_retention_period
        while self._ages and self._ages[0][0] <= oldest:
            message = heappop(self._ages)[2]
            if message.state is not _GONE:
                self._forget(message)

    def next_due(self) -> float:
        """When `advance` will next make a message visible; infinity if time alone will not."""
        timers = self._timers
        while timers and timers[0][2].timer != timers[0][1]:
            heappop(timers)
        return timers[0][0] if timers else float("inf")

    async def changed(self, until: float, loop_deadline: float) -> None:
        """Wait until a message may have become available otherwise than by time; at most until `loop_deadline`."""
        if self._changed is None:
            self._changed = anyio.Event()
            self._latest_wake = until
        self._latest_wake = max(self._latest_wake, until)
        with anyio.CancelScope(deadline=loop_deadline):
            await self._changed.wait()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # Messages.

    def put(self, message: StoredMessage, now: float, delay_s: float) -> None:
        self._tick += 1
        message.number = message.rank = self._tick
        self._messages[message.number] = message
        if len(self._ages) > _STALE_TIMERS + 2 * len(self._messages):
            self._ages = [entry for entry in self._ages if entry[2].state is not _GONE]
            heapify(self._ages)
        heappush(self._ages, (message.enqueued_at, message.number, message))
        if delay_s > 0:
            message.state = _DELAYED
            self._delayed += 1
            self._set_timer(message, now + delay_s)
        else:
            self._show(message)
        if self._changed is not None:
            self.wake()

    def take(self, limit: int, visibility_s: int, now: float, wall_ms: str) -> list[RawMessage]:
        """Receive up to `limit` messages; empty if there are none to be had."""
        delivered: list[RawMessage] = []
        redrive = self.settings.redrive
        while (room := limit - len(delivered)) > 0:
            taken = self._order.take(room)
            if not taken:
                break
            self._visible -= len(taken)
            if redrive is not None:
                taken = [message for message in taken if not self._moves(message, now)]
            self._in_flight += len(taken)
            for message in taken:
                message.state = _IN_FLIGHT
            self._deliver(taken, visibility_s, now, wall_ms, delivered)
        if self._echoing and len(delivered) < limit:
            self._deliver(self._take_echoes(limit - len(delivered)), visibility_s, now, wall_ms, delivered)
        if self._echoes is not None:
            self._roll(delivered)
        if self._changed is not None and delivered and now + visibility_s < self._latest_wake:
            self.wake()
        return delivered

    def delete(self, receipt: str) -> str | None:
        """None if AWS says the delete worked, though an old receipt deletes nothing; otherwise the error code.

        Rules: SQS-63, SQS-67.
        """
        message = self._receipts.get(receipt)
        if message is None:
            number = self._number_of(receipt)
            if number is None or (self.settings.is_fifo and number in self._messages):
                return RECEIPT_INVALID
            return None
        if self.settings.is_fifo and message.state is not _IN_FLIGHT:
            return RECEIPT_INVALID
        self._forget(message)
        return None

    def change_visibility(self, receipt: str, seconds: int, now: float) -> str | None:
        """None if it was changed, otherwise the error code. Rule: SQS-66."""
        message = self._receipts.get(receipt)
        if message is None:
            return RECEIPT_INVALID if self._number_of(receipt) is None else "InvalidParameterValue"
        if not 0 <= seconds <= MAXIMUM_VISIBILITY_TIMEOUT_S:
            return "InvalidParameterValue"
        if message.state is not _IN_FLIGHT:
            return NOT_IN_FLIGHT
        if now + seconds > message.received_at + MAXIMUM_VISIBILITY_TIMEOUT_S + _ROUNDING_S:
            return "InvalidParameterValue"
        if seconds == 0:
            message.timer = 0
            self._return(message)
            self.wake()
        else:
            self._set_timer(message, now + seconds)
            if now + seconds < self._latest_wake:
                self.wake()
        return None

    def purge(self) -> None:
        for message in list(self._messages.values()):
            self._forget(message)

    # Steps of the above.

    def _deliver(
        self, taken: list[StoredMessage], visibility_s: int, now: float, wall_ms: str, delivered: list[RawMessage]
    ) -> None:
        # The hot path of every benchmark: no call per message, the message itself was laid out when it was sent.
        if len(self._timers) > _STALE_TIMERS + 2 * (self._in_flight + self._delayed):
            self._timers = [entry for entry in self._timers if entry[2].timer == entry[1]]
            heapify(self._timers)
        due, tick, timers, receipts = now + visibility_s, self._tick, self._timers, self._receipts
        prefix = self._receipt_prefix
        for message in taken:
            tick += 1
            message.received_at = now
            message.receive_count = count = message.receive_count + 1
            message.timer = tick
            heappush(timers, (due, tick, message))
            attributes = message.attributes
            if "ApproximateFirstReceiveTimestamp" not in attributes:
                attributes["ApproximateFirstReceiveTimestamp"] = wall_ms
            if message.receipt:
                receipts.pop(message.receipt, None)
            receipt = f"{prefix}{message.number}/{tick}"
            message.receipt = receipt
            receipts[receipt] = message
            raw = message.wire.copy()
            raw["ReceiptHandle"] = receipt
            raw["Attributes"] = attributes = attributes.copy()
            attributes["ApproximateReceiveCount"] = str(count)
            if "MessageAttributes" in raw:
                raw["MessageAttributes"] = {name: dict(value) for name, value in raw["MessageAttributes"].items()}
            delivered.append(raw)
        self._tick = tick

    def _moves(self, message: StoredMessage, now: float) -> bool:
        """Move a message that was received often enough to the dead-letter queue, if there is one (SQS-68, SQS-71)."""
        redrive = self.settings.redrive
        if redrive is None or message.receive_count - message.received_elsewhere < redrive.max_receive_count:
            return False
        target = self._find_dead_letters(redrive.target_arn)
        if target is None:
            return False
        self._drop(message)
        self._order.settled(message)
        moved = StoredMessage(message.wire, dict(message.attributes), message.group, message.enqueued_at)
        moved.receive_count = moved.received_elsewhere = message.receive_count
        moved.attributes["DeadLetterQueueSourceArn"] = self.arn
        if target.settings.is_fifo:
            moved.enqueued_at = now
            moved.attributes["MessageDeduplicationId"] = message.message_id
            moved.attributes["SequenceNumber"] = target.next_sequence_number()
        target.put(moved, now, 0)
        return True

    def next_sequence_number(self) -> str:
        """Twenty digits, rising, and not those of another queue; the next message put has it."""
        return str(self._first_sequence_number + 256 * (self._tick + 1))

    def _take_echoes(self, limit: int) -> list[StoredMessage]:
        taken: list[StoredMessage] = []
        redrive = self.settings.redrive
        while self._echoing and len(taken) < limit:
            message = self._echoing.pop()
            count = message.receive_count - message.received_elsewhere
            is_due = redrive is None or count < redrive.max_receive_count
            if message.state is _IN_FLIGHT and is_due and message not in taken:  # it may have been rolled for twice
                taken.append(message)
        return taken

    def _roll(self, delivered: list[RawMessage]) -> None:
        if self._echoes is None or self.settings.is_fifo:
            return
        for raw in delivered:
            # One that came twice in this very answer has a newer receipt.
            message = self._receipts.get(raw["ReceiptHandle"])
            if self._echoes.dice.random() < self._echoes.probability and message is not None:
                self._echoing.append(message)
                self.wake()

    def _show(self, message: StoredMessage) -> None:
        message.state = _VISIBLE
        self._visible += 1
        self._order.add(message)

    def _return(self, message: StoredMessage) -> None:
        message.state = _VISIBLE
        self._in_flight -= 1
        self._visible += 1
        self._order.returned(message)

    def _set_timer(self, message: StoredMessage, due: float) -> None:
        self._tick += 1
        message.timer = self._tick
        heappush(self._timers, (due, self._tick, message))

    def _forget(self, message: StoredMessage) -> None:
        state = message.state
        self._drop(message)
        if state is _IN_FLIGHT:
            self._in_flight -= 1
            self._order.settled(message)
            if self._changed is not None and self.settings.is_fifo:
                self.wake()  # its group may be read again
        elif state is _VISIBLE:
            self._visible -= 1
        else:
            self._delayed -= 1

    def _drop(self, message: StoredMessage) -> None:
        message.state = _GONE
        message.timer = 0
        del self._messages[message.number]
        if message.receipt:
            del self._receipts[message.receipt]

    def _number_of(self, receipt: str) -> int | None:
        """Which message a receipt of this queue was for, current or not; None if it is not one of ours."""
        number, _, tick = receipt.removeprefix(self._receipt_prefix).partition("/")
        if receipt.startswith(self._receipt_prefix) and number.isdecimal() and tick.isdecimal():
            return int(number)
        return None

"""Which visible message comes next: the one thing standard and FIFO queues differ in."""

from __future__ import annotations

import random
from collections import deque
from heapq import heappop, heappush
from typing import Final, Protocol

from eventmap.testing.sqs_message import State, StoredMessage

DEDUPLICATION_INTERVAL_S: Final = 300.0
_VISIBLE: Final = State.VISIBLE


class DeliveryOrder(Protocol):
    """Holds the visible messages of a queue. A message that is no longer VISIBLE when its turn comes is passed over."""

    def add(self, message: StoredMessage) -> None:
        """It became visible for the first time."""

    def take(self, limit: int) -> list[StoredMessage]:
        """Up to `limit` messages, which are no longer held here; empty if there is none to be had now."""

    def returned(self, message: StoredMessage) -> None:
        """One that was taken is visible again."""

    def settled(self, message: StoredMessage) -> None:
        """One that was taken is gone for good."""


class StandardOrder:
    """First come, first served, though nobody promised it (SQS-30)."""

    def __init__(self) -> None:
        self._ready: deque[StoredMessage] = deque()

    def add(self, message: StoredMessage) -> None:
        self._ready.append(message)

    returned = add

    def take(self, limit: int) -> list[StoredMessage]:
        ready = self._ready
        taken: list[StoredMessage] = []
        while ready and len(taken) < limit:
            message = ready.popleft()
            if message.state is _VISIBLE:
                taken.append(message)
        return taken

    def settled(self, message: StoredMessage) -> None:
        """Nothing waits for it."""


class DisorderedOrder:
    """Any order the dice give, as a standard queue is free to do (SQS-30)."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._ready: list[tuple[float, int, StoredMessage]] = []

    def add(self, message: StoredMessage) -> None:
        heappush(self._ready, (self._dice.random(), message.number, message))

    returned = add

    def take(self, limit: int) -> list[StoredMessage]:
        taken: list[StoredMessage] = []
        while self._ready and len(taken) < limit:
            message = heappop(self._ready)[2]
            if message.state is _VISIBLE:
                taken.append(message)
        return taken

    def settled(self, message: StoredMessage) -> None:
        """Nothing waits for it."""


class _Group:
    __slots__ = ("in_flight", "is_open", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[int, StoredMessage]] = []
        self.in_flight = 0
        self.is_open = False  #: it stands in the line of groups that may be read


class FifoOrder:
    """Order and locking per message group: nothing of a group while one of it is in flight (SQS-47..50).

    `expiry_disorder` imitates servers on which the members of a group whose visibility ran out come back at its head
    in the order of expiry reversed: m2, m1, m3.
    """

    def __init__(self, *, expiry_disorder: bool) -> None:
        self._groups: dict[str, _Group] = {}
        self._open: deque[str] = deque()
        self._expiry_disorder = expiry_disorder
        self._head = 0

    def add(self, message: StoredMessage) -> None:
        name = message.group or ""
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group()
        heappush(group.waiting, (message.rank, message))
        self._offer(name, group)

    def take(self, limit: int) -> list[StoredMessage]:
        taken: list[StoredMessage] = []
        while self._open and len(taken) < limit:
            name = self._open.popleft()
            group = self._groups[name]
            group.is_open = False
            while group.waiting and len(taken) < limit:  # as many of one group as there is room for (SQS-49)
                message = heappop(group.waiting)[1]
                if message.state is _VISIBLE:
                    taken.append(message)
                    group.in_flight += 1
            self._offer(name, group)
        return taken

    def returned(self, message: StoredMessage) -> None:
        if self._expiry_disorder:
            self._head -= 1
            message.rank = self._head
        self._groups[message.group or ""].in_flight -= 1
        self.add(message)

    def settled(self, message: StoredMessage) -> None:
        name = message.group or ""
        group = self._groups[name]
        group.in_flight -= 1
        self._offer(name, group)

    def _offer(self, name: str, group: _Group) -> None:
        if group.in_flight or group.is_open:
            return
        if group.waiting:
            group.is_open = True
            self._open.append(name)
        else:
            del self._groups[name]


class Deduplication:
    """What a FIFO queue was sent in the last five minutes, whether or not it is still there (SQS-52)."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], str] = {}
        self._expiries: deque[tuple[float, tuple[str, str]]] = deque()

    def first_message_id(self, scope: str, token: str, now: float) -> str | None:
        """The id of the message that was sent with this token; None if there was none within the interval."""
        while self._expiries and self._expiries[0][0] <= now:
            del self._first[self._expiries.popleft()[1]]
        return self._first.get((scope, token))

    def remember(self, scope: str, token: str, message_id: str, now: float) -> None:
        self._first[scope, token] = message_id
        self._expiries.append((now + DEDUPLICATION_INTERVAL_S, (scope, token)))

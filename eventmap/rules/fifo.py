"""Order inside a FIFO message group, whatever the queue returns (SQS-46..50).

SQS locks a group while one of its messages is in flight. Not every server keeps that promise, and a visibility
timeout may end while its message still runs. So nothing of a group starts while a batch with that group runs here, and
nothing overtakes an earlier message that failed here and has yet to come back:

    arrives ─▶ group runs here?            ─▶ hand back for a while
            ─▶ an earlier one is owed?     ─▶ hand back until that one is visible; the second time, believe the queue
            ─▶ otherwise                   ─▶ admitted, in sequence order

Some servers number at random. Messages nobody has received before come in their true order on every server, and after
all that were received before: where the numbers say otherwise, the order in which we saw them first counts instead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Final

from eventmap.model import Record

RUNNING_GROUP_WAIT_S: Final = 2  #: how long a message of a running group is handed back for
OWED_GRACE_S: Final = 2.0  #: an earlier message this long overdue is someone else's, or in the dead-letter queue
_OWED_LIMIT: Final = 10_000  #: groups; beyond it, overdue debts are forgotten


class GroupOrder:
    """Which groups run, and which failed messages are still to come back. Time is the loop's, in seconds."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._owed: dict[str, dict[str, tuple[int, float]]] = {}  # group -> item id -> (place, visible again at)
        self._handed_back: set[str] = set()
        self._numbers_rise = True
        self._numbers = itertools.count()
        self._seen: dict[str, int] = {}  # item id -> our own number, of what is here or may come back

    def admit(self, records: Sequence[Record], now: float) -> tuple[list[Record], list[tuple[Record, int]]]:
        """Split what was received into (what may start, in order; what to hand back and for how many seconds)."""
        groups: dict[str, list[Record]] = {}
        for record in records:
            groups.setdefault(record.group or "", []).append(record)
        admitted: list[Record] = []
        returned: list[tuple[Record, int]] = []
        for group, members in groups.items():
            if group in self._running:
                returned.extend((member, RUNNING_GROUP_WAIT_S) for member in members)
                continue
            self._check_numbers(group, members)
            members.sort(key=self._place)
            for member in members:
                wait = self._wait(group, member, now)
                if wait is None:
                    admitted.append(member)
                else:
                    returned.append((member, wait))
        return admitted, returned

    def _check_numbers(self, group: str, arrived: Sequence[Record]) -> None:
        """Stop believing the server's numbers once they contradict the order of arrival, for good."""
        if not self._numbers_rise:
            return
        fresh = [member.sequence for member in arrived if member.receive_count == 1]
        before = [member.sequence for member in arrived if member.receive_count > 1]
        before += [sequence for sequence, _ in self._owed.get(group, {}).values()]
        if fresh == sorted(fresh) and (not fresh or not before or max(before) < fresh[0]):
            return
        self._numbers_rise = False
        for owed in self._owed.values():
            for item_id, (_, due) in owed.items():
                self._seen[item_id] = number = next(self._numbers)
                owed[item_id] = (number, due)

    def _place(self, record: Record) -> int:
        if self._numbers_rise:
            return record.sequence
        return self._seen.setdefault(record.item_id, next(self._numbers))

    def _wait(self, group: str, record: Record, now: float) -> int | None:
        owed = self._owed.get(group)
        if not owed:
            return None
        owed.pop(record.item_id, None)
        place = self._place(record)
        earlier = [due for other, due in owed.values() if other < place and now < due + OWED_GRACE_S]
        if not earlier or record.item_id in self._handed_back:
            self._handed_back.discard(record.item_id)
            if not any(other > place for other, _ in owed.values()):
                del self._owed[group]
            return None
        self._handed_back.add(record.item_id)
        return max(0, math.ceil(max(earlier) - now))

    def started(self, records: Iterable[Record]) -> None:
        """A batch with these records runs from now on."""
        for group in {record.group or "" for record in records}:
            self._running[group] = self._running.get(group, 0) + 1

    def finished(self, records: Sequence[Record], failed: Sequence[tuple[Record, float]], now: float) -> None:
        """That batch has ended; `failed` are those of it that will come back, and when they are visible again."""
        for group in {record.group or "" for record in records}:
            self._running[group] -= 1
            if not self._running[group]:
                del self._running[group]
        for record, due in failed:
            self._owed.setdefault(record.group or "", {})[record.item_id] = (self._place(record), due)
        if not self._numbers_rise:
            coming_back = {record.item_id for record, _ in failed}
            for record in records:
                if record.item_id not in coming_back:
                    self._seen.pop(record.item_id, None)
        if max(len(self._owed), len(self._seen)) > _OWED_LIMIT:
            self._forget_overdue(now)

    def _forget_overdue(self, now: float) -> None:
        self._owed = {
            group: owed
            for group, owed in self._owed.items()
            if any(now < due + OWED_GRACE_S for _, due in owed.values())
        }
        self._seen = {item_id: place for owed in self._owed.values() for item_id, (place, _) in owed.items()}
        self._handed_back.clear()

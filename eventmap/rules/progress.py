"""Progress: how far a shard is done, when its lanes end their batches in any order (STR-31, 73)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from eventmap.model import StreamRecord


class Progress:
    """Records in the order they were read, until each is done. The checkpoint never passes one that is not."""

    __slots__ = ("_arrived_at", "_done", "_open", "checkpoint")

    def __init__(self) -> None:
        self._open: deque[StreamRecord] = deque()
        self._done: set[int] = set()
        self.checkpoint: str | None = None  #: everything up to this sequence number is done; None = nothing yet
        self._arrived_at = -math.inf

    def __len__(self) -> int:
        """How many records were read and lie above the checkpoint."""
        return len(self._open)

    @property
    def arrived_at(self) -> float:
        """Epoch time of the oldest record that is not done; if all are, of the newest one; -inf = none was read."""
        return self._open[0].arrived_at if self._open else self._arrived_at

    def read(self, records: Iterable[StreamRecord]) -> None:
        """These were read, in this order, after all before."""
        self._open.extend(records)

    def done(self, records: Iterable[StreamRecord]) -> bool:
        """These need nothing more. Returns whether the checkpoint has moved."""
        self._done.update(record.sequence for record in records)
        last: StreamRecord | None = None
        while self._open and self._open[0].sequence in self._done:
            last = self._open.popleft()
            self._done.discard(last.sequence)
        if last is None:
            return False
        self.checkpoint, self._arrived_at = last.item_id, last.arrived_at
        return True

"""Lane: records of one shard waiting for their batch, strictly in order (STR-24..26, 29, 30).

put ──▶ waiting ──next_batch──▶ a batch: full, its window over, 6 MB, or the oldest record near its age limit
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

import anyio

from eventmap.clock import elapsed_s, wall_time_s
from eventmap.model import StreamRecord
from eventmap.rules.batching import PAYLOAD_LIMIT_BYTES, BatchRoom


class Lane:
    """One line of batches. `window_s` 0 = what is there goes at once; `age_limit_s` -1 = none."""

    def __init__(self, batch_size: int, window_s: int, age_limit_s: int) -> None:
        self._batch_size = batch_size
        self._window_s = window_s
        self._age_limit_s = age_limit_s
        self._waiting: deque[StreamRecord] = deque()
        self._woken = anyio.Event()
        self._closed = False
        self._stopped = False
        self._tip_at = -math.inf

    def put(self, records: Iterable[StreamRecord]) -> None:
        """These come next."""
        self._waiting.extend(records)
        self._woken.set()

    def read_to_the_tip(self, at: float) -> None:
        """All that had arrived by the epoch time `at` has been put."""
        self._tip_at = at
        self._woken.set()

    def close(self) -> None:
        """The shard has ended: what waits is the last."""
        self._closed = True
        self._woken.set()

    def stop(self) -> None:
        """Begin no further batch."""
        self._stopped = True
        self._woken.set()

    @property
    def stopped(self) -> bool:
        return self._stopped

    async def first(self) -> StreamRecord | None:
        """The record the next batch begins with, left where it is; None = there will be none."""
        while not self._waiting and not self._closed and not self._stopped:
            await self._news()
        return self._waiting[0] if self._waiting and not self._stopped else None

    async def next_batch(
        self,
        accepts: Callable[[StreamRecord], bool] | None = None,
        until: float = math.inf,
        *,
        limit_bytes: int = PAYLOAD_LIMIT_BYTES,
    ) -> tuple[StreamRecord, ...] | None:
        """The next batch; None = stopped, or closed and empty.

        Only records that it `accepts` are taken. () = the next one is not, or the shard was read to its tip at the
        epoch time `until` or later and nothing is left. `limit_bytes`: of the event, its records alone.
        """
        room: BatchRoom[StreamRecord] = BatchRoom(self._batch_size, limit_bytes)
        began_at = elapsed_s()
        while not self._stopped:
            is_cut = self._fill(room, accepts)
            if is_cut or room.full or (room.records and (self._closed or not self._window_s)):
                return tuple(room.records)
            if self._closed:
                return None
            if self._tip_at >= until:
                return tuple(room.records)
            if not room.records:
                await self._news()
                # The records belong to the window they come in; empty windows follow each other (STR-26).
                if self._window_s:
                    began_at += (elapsed_s() - began_at) // self._window_s * self._window_s
                continue
            left_s = min(began_at + self._window_s - elapsed_s(), self._age_left_s(room.records[0]))
            if left_s <= 0:
                return tuple(room.records)
            with anyio.move_on_after(left_s):
                await self._news()
        self._waiting.extendleft(reversed(room.records))
        return None

    def _fill(self, room: BatchRoom[StreamRecord], accepts: Callable[[StreamRecord], bool] | None) -> bool:
        """Returns whether something waits that cannot join this batch."""
        waiting = self._waiting
        while waiting:
            if (accepts is not None and not accepts(waiting[0])) or not room.take(waiting[0]):
                return True
            waiting.popleft()
        return False

    def _age_left_s(self, oldest: StreamRecord) -> float:
        """Seconds until the age limit decides for the oldest record: the window does not outlast it (STR-48)."""
        if self._age_limit_s < 0:
            return math.inf
        return self._age_limit_s - (wall_time_s() - oldest.arrived_at)

    async def _news(self) -> None:
        self._woken = anyio.Event()
        await self._woken.wait()

"""The own time of a queue or stream: it follows the running loop, and stands still while there is none."""

from __future__ import annotations

import asyncio

from eventmap.clock import wall_time_s
from eventmap.testing.virtual_time import START_WALL_TIME_S


class QueueClock:
    """One time line over all the loops a service is used on; a test may send before and inspect after the loop it runs.

    Starts at 0.0 s. Outside a loop both clocks show what they showed last; before the first loop, the virtual start.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._wall_s = START_WALL_TIME_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._offset_s = 0.0

    def now_s(self) -> float:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._now_s
        if loop is not self._loop:
            self._loop, self._offset_s = loop, self._now_s - loop.time()
        self._now_s = loop.time() + self._offset_s
        return self._now_s

    def wall_s(self) -> float:
        """Seconds since the epoch."""
        try:
            asyncio.get_running_loop()
            self._wall_s = wall_time_s()
        except RuntimeError:
            pass
        return self._wall_s

    def wall_ms(self) -> str:
        """Milliseconds since the epoch, as in message attributes."""
        return str(round(self.wall_s() * 1_000))

    def loop_deadline(self, at_s: float) -> float:
        """An instant of this clock on the running loop's clock."""
        return at_s - self._offset_s

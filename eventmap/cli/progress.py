"""How far a run is: the live line while it works, the rate it worked at when it has ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from eventmap.cli.tally import GIVEN_UP, Tally

_SAMPLE_S: Final = 0.1
_WINDOW_S: Final = 3.0  # the live rate is that of the last seconds


class Progress:
    """Follows the counters of a run; `sample` is called regularly on the loop, `line` on the thread that prints.

    `report` is told of every sample.
    """

    def __init__(self, report: Callable[[Tally], None] | None = None) -> None:
        self._report = report
        self.tally: Tally = Tally()
        self._line = ""
        self._seen: deque[tuple[float, int]] = deque()
        self._first: float | None = None  # when the first record was there
        self._last: tuple[float, int] = (0.0, 0)  # when the newest was done, and how many had been by then

    def sample(self, tally: Tally) -> None:
        """These are the counters now."""
        self.tally = tally
        now, done = time.monotonic(), tally.total("done") + tally.events("done")
        if self._first is None and tally.total("received") + tally.events("received"):
            self._first = now
        if done != self._last[1]:
            self._last = (now, done)
        self._seen.append((now, done))
        while self._seen[0][0] < now - _WINDOW_S:
            self._seen.popleft()
        self._line = f"{_counts(tally)} · {self._rate_now():,.0f} {tally.noun}s/s"
        if self._report is not None:
            self._report(tally)

    async def follow(self, read: Callable[[], Tally]) -> None:
        """Sample what `read` returns until cancelled."""
        while True:
            self.sample(read())
            await anyio.sleep(_SAMPLE_S)

    def line(self) -> str:
        """The live line; "" before anything runs."""
        return self._line

    def rate(self) -> float:
        """Records per second from the first received to the last done; 0 = none was done."""
        if self._first is None or not self._last[1]:
            return 0.0
        return self._last[1] / max(self._last[0] - self._first, _SAMPLE_S)

    def _rate_now(self) -> float:
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        return (now - before) / (last - first) if last - first > 2 * _SAMPLE_S else 0.0


def _counts(tally: Tally) -> str:
    counts = []
    if tally.sources or not tally.functions:
        names = ["received", "in_flight", "done", "retried"]
        names += ["dead_lettered"] * tally.has_queues + ["discarded", "shards"] * tally.has_streams
        counts += [f"{name.replace('_', ' ')} {tally.total(name):,}" for name in names]
    if tally.functions:
        counts.append(f"events accepted {tally.events('received'):,}")
        counts += [f"{name} {tally.events(name):,}" for name in ("running", "done", "retried")]
        counts.append(f"given up {tally.events(*GIVEN_UP):,}")
    return " · ".join(counts)

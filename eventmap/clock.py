"""The one place that tells the time, so that a virtual clock can stand in for it.

Waiting goes through anyio, whose deadlines follow the running loop's clock. Wall-clock time follows the same loop:
a loop that offers `wall_time()` (the virtual one of `eventmap.testing`) is asked, any other means the machine's clock.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

_LOOK_AGAIN_S: Final = 60.0


def wall_time_s() -> float:
    """Seconds since the epoch, as the running loop sees them. Callable from the loop's own thread only."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return time.time()
    virtual = getattr(loop, "wall_time", None)
    return time.time() if virtual is None else float(virtual())


def utc_now() -> datetime:
    """The same instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(wall_time_s(), UTC)


def elapsed_s() -> float:
    """The loop's monotonic clock in seconds: for durations and deadlines, meaningless as a date."""
    return asyncio.get_running_loop().time()


def look_again_s() -> float:
    """How long a wait for a moment of the wall clock may last, in seconds, before one looks at that clock again.

    It may have been set, and a machine that slept stops the loop's clock only. A virtual loop's two clocks never part:
    there a wait has no limit.
    """
    return float("inf") if is_virtual() else _LOOK_AGAIN_S


def is_virtual() -> bool:
    """Whether the running loop's time jumps; it does so only while no socket is open."""
    return getattr(asyncio.get_running_loop(), "wall_time", None) is not None

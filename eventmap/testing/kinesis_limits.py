"""How fast one Kinesis shard may be read (STR-143)."""

from __future__ import annotations

from typing import Final

BYTES_PER_S: Final = 2 * 1_048_576
_ROUNDING_S: Final = 1e-6  # adding up fractions of a second must not make a punctual reader early


class ReadAllowance:
    """One shard's: so many calls in a second, and 2 MB; what one call took beyond that blocks the seconds after it."""

    __slots__ = ("_bytes", "_calls", "_calls_per_s", "_since_s")

    def __init__(self, calls_per_s: int) -> None:
        self._calls_per_s = calls_per_s
        self._since_s = float("-inf")
        self._calls = 0
        self._bytes = 0

    def admits(self, now_s: float) -> bool:
        """Whether another call may be made; it then counts."""
        if now_s + _ROUNDING_S >= self._since_s + max(1.0, self._bytes / BYTES_PER_S):
            self._since_s, self._calls, self._bytes = now_s, 0, 0
        if self._calls >= self._calls_per_s or self._bytes >= BYTES_PER_S:
            return False
        self._calls += 1
        return True

    def took(self, size_bytes: int) -> None:
        """A call returned this much."""
        self._bytes += size_bytes

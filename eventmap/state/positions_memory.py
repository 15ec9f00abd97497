"""Positions of schedules in memory: for tests, and for who chooses to begin anew with each process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import anyio.lowlevel

from eventmap.clock import wall_time_s
from eventmap.rules.schedule.position import Claim, Claimed, Passed


class MemoryPositions:
    """Positions that live as long as this object; for one clockwork at a time. `known` is by key, epoch seconds."""

    def __init__(self, known: Mapping[str, int] | None = None) -> None:
        self.known: dict[str, int] = dict(known or {})

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        """The position of each; one that is not known yet begins now."""
        await anyio.lowlevel.checkpoint()
        self.begin(keys)
        return {key: self.known[key] for key in keys}

    async def claim(self, key: str, time: int) -> Claim:
        """Always to be had: there is nobody else."""
        await anyio.lowlevel.checkpoint()
        return Claimed(self.known[key]) if key in self.known else Passed(time)

    async def record(self, key: str, position: int) -> None:
        """Done up to there, unless it was forgotten meanwhile."""
        await anyio.lowlevel.checkpoint()
        if key in self.known:
            self.known[key] = position

    async def release(self, key: str) -> None:
        """Nothing to do."""

    async def forget(self, keys: Sequence[str]) -> None:
        """They begin anew when they are next loaded."""
        await anyio.lowlevel.checkpoint()
        for key in keys:
            self.known.pop(key, None)

    def begin(self, keys: Iterable[str]) -> list[str]:
        """Those that were not known yet, and begin now."""
        now = int(wall_time_s())
        new = [key for key in keys if key not in self.known]
        self.known.update(dict.fromkeys(new, now))
        return new

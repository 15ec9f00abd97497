"""What the clockwork asks of its neighbours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from eventmap.rules.schedule.event import Run
from eventmap.rules.schedule.position import Claim

Fire = Callable[[Run], Awaitable[bool]]
"""Begins a run: owed, and durable, when it returns. False: a run of that request id was begun before.

Raises: EventmapError: it was not begun; it is tried again.
"""


class Positions(Protocol):
    """How far each schedule is done, by its key: the time of its last run, or of its making, in whole epoch seconds.

    Raises, from every call but `release`: StateError, SourceError and its kinds.
    """

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        """The position of each; one that is not known yet begins now."""

    async def claim(self, key: str, time: int) -> Claim:
        """Ask for the run of that time, and those after it: of a fleet one worker may begin them."""

    async def record(self, key: str, position: int) -> None:
        """Done up to there; the claim is kept. Nothing is recorded for a key that was forgotten meanwhile.

        Raises also: LeaseLost, if the claim is another's by now; what was begun may be begun there once more.
        """

    async def release(self, key: str) -> None:
        """Give the claim up. Never raises: a claim that cannot be given up ends by itself."""

    async def forget(self, keys: Sequence[str]) -> None:
        """They begin anew when they are next loaded. Unknown ones are fine."""

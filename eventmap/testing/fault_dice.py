"""Which calls go wrong, and how: thrown for anything that is called over a network."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import anyio

from eventmap.errors import TransientSourceError

T = TypeVar("T")


class FaultDice:
    """Disturbs calls at the given rates, each 0..1: slowly, refused, cut off before or after they take effect.

    Only the calls named in `calls` are hit. The same seed and calls give the same faults.
    """

    def __init__(
        self,
        seed: int,
        *,
        throttle: float,
        lost_answers: float,
        resets: float,
        slow: float,
        slow_s: float,
        calls: Collection[str],
        throttle_code: str = "ThrottlingException",
    ) -> None:
        self.injected: Counter[str] = Counter()  #: by the names of the rates
        self._dice = random.Random(seed)
        self._rates = {"slow": slow, "throttle": throttle, "resets": resets, "lost_answers": lost_answers}
        self._slow_s = slow_s
        self._calls = frozenset(calls)
        self._throttle_code = throttle_code

    def hits(self, name: str, rate: float) -> bool:
        """Throw for a fault of the caller's own in one call; it is not counted."""
        return self._dice.random() < rate and name in self._calls

    async def disturbed(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Raises: TransientSourceError, and what the call itself raises."""
        # All dice are thrown for every call, so that one rate does not shift where another's faults fall.
        hit = {fault for fault, rate in self._rates.items() if self.hits(name, rate)}
        if "slow" in hit:
            self.injected["slow"] += 1
            await anyio.sleep(self._slow_s)
        if "throttle" in hit:
            self.injected["throttle"] += 1
            raise TransientSourceError("rate exceeded", code=self._throttle_code)
        if "resets" in hit:
            self.injected["resets"] += 1
            raise TransientSourceError("connection reset")
        answer = await call()
        if "lost_answers" in hit:
            self.injected["lost_answers"] += 1
            raise TransientSourceError("connection lost")
        return answer

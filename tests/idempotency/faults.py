"""A store whose calls go wrong as those over a network do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from eventmap.errors import TransientSourceError
from eventmap.idempotency.ports import Store
from eventmap.rules.idempotency import Claimed, Done, Entry

T = TypeVar("T")


class FaultyStore:
    """`store`, whose calls are refused at the rate `throttle`, or take effect and lose their answer at `lost_answers`;
    each 0..1. A call is repeated `repeats` times, as a client does. `only` names the calls that are hit; `injected`
    counts the faults.
    """

    def __init__(
        self,
        store: Store,
        *,
        seed: int = 0,
        throttle: float = 0.0,
        lost_answers: float = 0.0,
        repeats: int = 0,
        only: tuple[str, ...] = ("claim", "commit", "release"),
    ) -> None:
        self.injected: Counter[str] = Counter()
        self._store = store
        self._dice = random.Random(seed)
        self._throttle = throttle
        self._lost_answers = lost_answers
        self._repeats = repeats
        self._only = only

    def claim(self, key: str, claim: Claimed, now: float) -> Entry:
        return self._call("claim", lambda: self._store.claim(key, claim, now))

    def commit(self, key: str, done: Done) -> bool:
        return self._call("commit", lambda: self._store.commit(key, done))

    def release(self, key: str, token: str) -> None:
        self._call("release", lambda: self._store.release(key, token))

    def _call(self, operation: str, effect: Callable[[], T]) -> T:
        for attempt in range(self._repeats + 1):
            throttled, lost = self._dice.random() < self._throttle, self._dice.random() < self._lost_answers
            if operation not in self._only or not (throttled or lost):
                return effect()
            if not throttled:
                effect()
            self.injected["throttle" if throttled else "lost_answers"] += 1
            if attempt == self._repeats:
                break
        raise TransientSourceError("connection lost")

"""Entries in memory: for tests, and for what only one process needs to know."""

from __future__ import annotations

import threading
from typing import Final

from eventmap.rules.idempotency import Claimed, Done, Entry, claimed, committed, is_committed, kept_until_s, released

FORGOTTEN_AT_ONCE: Final = 8


class MemoryStore:
    """A Store that lives as long as its process. `entries` is what stands, by key, those that have expired included
    until they are forgotten: with every claim the oldest few.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    def claim(self, key: str, claim: Claimed, now: float) -> Entry:
        with self._lock:
            self._forget(now)
            after = claimed(self.entries.get(key), claim, now)
            self._put(key, after)
            return after

    def commit(self, key: str, done: Done) -> bool:
        with self._lock:
            after = committed(self.entries.get(key), done)
            self._put(key, after)
            return is_committed(after, done)

    def release(self, key: str, token: str) -> None:
        with self._lock:
            self._put(key, released(self.entries.get(key), token))

    def _put(self, key: str, entry: Entry | None) -> None:
        if entry is self.entries.get(key):
            return
        self.entries.pop(key, None)
        if entry is not None:
            self.entries[key] = entry  # as the youngest, whatever it was before

    def _forget(self, now: float) -> None:
        oldest = list(zip(range(FORGOTTEN_AT_ONCE), self.entries, strict=False))
        for _, key in oldest:
            if kept_until_s(self.entries[key]) <= now:
                del self.entries[key]

"""What `@idempotent` needs of a store."""

from __future__ import annotations

from typing import Protocol

from eventmap.rules.idempotency import Claimed, Done, Entry


class Store(Protocol):
    """Where entries are kept, one per key. Calls block, come from several threads at once, and are each atomic: of two
    calls for one key, one sees what the other left.

    A call that raised TransientSourceError may have taken effect all the same. All raise StateError for what will not
    pass by itself.
    """

    def claim(self, key: str, claim: Claimed, now: float) -> Entry:
        """Lay a claim: what stands now, which is `claim` itself if it was won (`rules.idempotency.claimed`)."""
        ...

    def commit(self, key: str, done: Done) -> bool:
        """Put a result in the place of its claim (`committed`); False, and nothing done, if that does not stand.

        Raises: ResultNotStorable if it is too long.
        """
        ...

    def release(self, key: str, token: str) -> None:
        """Take the claim of this token away (`released`); whatever else stands is left."""
        ...

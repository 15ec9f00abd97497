"""LATEST: decided once, by whoever reads a shard first, and from then on a moment in time (STR-20).

Otherwise a crash before the first checkpoint, or a read that is refused, would lose what arrived meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from eventmap.delivery.stream.ports import ShardReader, StreamSource
from eventmap.lease import Lease
from eventmap.model import JsonObject
from eventmap.shard import AT_TIMESTAMP, LATEST, Page, Position


class LatestReader:
    """A shard read from LATEST on; `save` makes it durable that it has begun, before anything is delivered.

    Refused or cut short before that, it goes on at the epoch time `since` instead.
    """

    def __init__(self, source: StreamSource, shard_id: str, since: float, save: Callable[[], Awaitable[None]]) -> None:
        self._source = source
        self._shard_id = shard_id
        self._since = since
        self._save = save
        self._reader: ShardReader = source.reader(shard_id, Position(LATEST))
        self._has_begun = False

    async def read(self) -> Page:
        """As `ShardReader.read`, and what `save` raises."""
        if self._has_begun:
            return await self._reader.read()
        try:
            page = await self._reader.read()
            await self._save()
            self._has_begun = True
            return page
        finally:
            if not self._has_begun:
                self._reader = self._source.reader(self._shard_id, Position(AT_TIMESTAMP, timestamp=self._since))


def latest_since(epoch_s: float) -> JsonObject:
    """The note beside a checkpoint LATEST: since when."""
    return {"latest_since": epoch_s}


def since_of(lease: Lease) -> float | None:
    """When its shard was begun at LATEST, epoch seconds; None = it was not, or is beyond its first checkpoint."""
    since = (lease.window or {}).get("latest_since")
    return float(since) if isinstance(since, int | float) else None

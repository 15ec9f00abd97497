"""Event buses in memory: for tests, and for who chooses to lose what is owed with the process."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import anyio.lowlevel
import orjson

from eventmap.model import JsonObject
from eventmap.rules.bus.delivery import Delivery
from eventmap.rules.bus.documents import ARCHIVE, Changes, DocumentKey
from eventmap.rules.bus.taken import NOTHING, ArchivedEvent, Taken


class MemoryBuses:
    """A BusStore that keeps what it has as long as it lives itself. `restarted()` is what a later process finds."""

    def __init__(self) -> None:
        self._documents: dict[DocumentKey, bytes] = {}
        self._owed: dict[str, Delivery] = {}
        self._held: set[str] = set()
        self._schedule: list[tuple[float, int, str]] = []  # (due, tie, id), sorted
        self._entries: dict[str, tuple[float, int, str]] = {}  # of the schedule, by id
        self._archived: dict[str, list[ArchivedEvent]] = {}
        self._ties = itertools.count()
        self._positions = itertools.count(1)

    def restarted(self) -> MemoryBuses:
        """The same, held by nobody. This one must not be used any more."""
        after = MemoryBuses()
        after._documents, after._archived, after._positions = self._documents, self._archived, self._positions
        for delivery in self._owed.values():
            after._owe(delivery)
        return after

    async def prepare(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Nothing to do."""

    async def documents(self) -> Mapping[DocumentKey, JsonObject]:
        await anyio.lowlevel.checkpoint()
        return {key: orjson.loads(text) for key, text in self._documents.items()}

    async def change(self, changes: Changes) -> None:
        await anyio.lowlevel.checkpoint()
        self._change(changes)

    async def take(self, taken: Taken) -> None:
        await anyio.lowlevel.checkpoint()
        self._take(taken)

    async def due(self, now: float, limit: int, *, without: Collection[str] = ()) -> Sequence[Delivery]:
        await anyio.lowlevel.checkpoint()
        due = itertools.takewhile(lambda delivery: delivery.due_at <= now, self._free(without))
        found = list(itertools.islice(due, limit))
        self._held.update(delivery.delivery_id for delivery in found)
        return found

    async def next_due(self, *, without: Collection[str] = ()) -> float | None:
        await anyio.lowlevel.checkpoint()
        return next((delivery.due_at for delivery in self._free(without)), None)

    async def again(self, delivery: Delivery) -> None:
        await anyio.lowlevel.checkpoint()
        if delivery.delivery_id in self._owed:
            self._forget_entry(delivery.delivery_id)
            self._owe(delivery)
        self._held.discard(delivery.delivery_id)

    async def done(self, delivery: Delivery, taken: Taken = NOTHING) -> None:
        await anyio.lowlevel.checkpoint()
        if self._owed.pop(delivery.delivery_id, None) is not None:
            self._forget_entry(delivery.delivery_id)
        self._held.discard(delivery.delivery_id)
        self._take(taken)

    async def owed(self, limit: int, *, due_by: float = float("inf")) -> int:
        await anyio.lowlevel.checkpoint()
        return min(limit, bisect.bisect_right(self._schedule, due_by, key=lambda entry: entry[0]))

    async def archived(self, archive: str, after: int, limit: int) -> Sequence[ArchivedEvent]:
        await anyio.lowlevel.checkpoint()
        events = self._archived.get(archive, [])
        start = bisect.bisect_right(events, after, key=lambda each: each.position)
        return events[start : start + limit]

    async def archive_sizes(self) -> Mapping[str, tuple[int, int]]:
        await anyio.lowlevel.checkpoint()
        return {
            archive: (len(events), sum(len(each.event.text()) for each in events))
            for archive, events in self._archived.items()
            if events
        }

    async def forget(self, before: Mapping[str, float], limit: int) -> int:
        await anyio.lowlevel.checkpoint()
        gone = 0
        for archive, at in before.items():
            events = self._archived.get(archive, [])
            old = {each.position for each in events if each.event.ingested_at < at}
            old = set(sorted(old)[:limit])
            self._archived[archive] = [each for each in events if each.position not in old]
            gone += len(old)
        return gone

    def _take(self, taken: Taken) -> None:
        self._change(taken.changes)
        for delivery in taken.deliveries:
            if delivery.delivery_id not in self._owed:
                self._owe(delivery)
        for archive, event in taken.archived:
            self._archived.setdefault(archive, []).append(ArchivedEvent(next(self._positions), event))

    def _change(self, changes: Changes) -> None:
        # As text: what was handed over may be changed afterwards, here as with a file.
        for key, document in changes.items():
            if document is not None:
                self._documents[key] = orjson.dumps(document)
                continue
            self._documents.pop(key, None)
            if key[0] == ARCHIVE:
                self._archived.pop(key[1], None)

    def _owe(self, delivery: Delivery) -> None:
        self._owed[delivery.delivery_id] = delivery
        entry = (delivery.due_at, next(self._ties), delivery.delivery_id)
        self._entries[delivery.delivery_id] = entry
        bisect.insort(self._schedule, entry)

    def _forget_entry(self, delivery_id: str) -> None:
        entry = self._entries.pop(delivery_id)
        del self._schedule[bisect.bisect_left(self._schedule, entry)]

    def _free(self, without: Collection[str]) -> Iterator[Delivery]:
        for _, _, delivery_id in self._schedule:
            delivery = self._owed[delivery_id]
            if delivery_id not in self._held and delivery.addressee not in without:
                yield delivery

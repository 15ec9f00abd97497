"""What event buses ask of their neighbours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from eventmap.rules.bus.delivery import Delivery
from eventmap.rules.bus.documents import Changes, Documents
from eventmap.rules.bus.taken import NOTHING, ArchivedEvent, Taken
from eventmap.rules.parcel import Parcel


class Target(Protocol):
    """A function, queue, topic, or a bus elsewhere."""

    async def send(self, parcel: Parcel) -> None:
        """Raises: EventmapError; TransientSourceError or StateError if it may be tried again."""


class OpenTarget(Protocol):
    """Finds the target of an ARN; asked before every attempt, so that one that comes and goes is the one there is.

    Connections are its business: what it answers is sent to once. `message_group_id` is of a FIFO queue.
    Raises: EventmapError; SourceError with code `ResourceNotFoundException` if there is no such target.
    """

    async def __call__(self, arn: str, *, message_group_id: str | None) -> Target: ...


class BusStore(Protocol):
    """Where definitions are kept, and what is owed. Raises, from every call: StateError, TransientSourceError.

    What `due` returned is held by this process until `again` or `done` names it; a process that dies holds nothing.
    """

    async def prepare(self) -> None:
        """Before anything else; may be called again."""

    async def documents(self) -> Documents:
        """All definitions."""

    async def change(self, changes: Changes) -> None:
        """Of definitions; durable when this returns. An archive that is dropped loses its events."""

    async def take(self, taken: Taken) -> None:
        """Durable when this returns. A delivery of an id that is owed stays as it is."""

    async def due(self, now: float, limit: int, *, without: Collection[str] = ()) -> Sequence[Delivery]:
        """Up to `limit` deliveries that are due and that nobody holds, the longest due first; none to the ARNs
        `without`."""

    async def next_due(self, *, without: Collection[str] = ()) -> float | None:
        """When the next delivery that nobody holds is due, epoch seconds; None = there is none. `without` as above."""

    async def again(self, delivery: Delivery) -> None:
        """Keep its new state and let go of it."""

    async def done(self, delivery: Delivery, taken: Taken = NOTHING) -> None:
        """Nothing is owed any more, but what another bus took of it."""

    async def owed(self, limit: int, *, due_by: float = float("inf")) -> int:
        """How many deliveries are owed that are due by then, those held included; counted up to `limit`."""

    async def archived(self, archive: str, after: int, limit: int) -> Sequence[ArchivedEvent]:
        """In the order of their positions, those behind `after`."""

    async def archive_sizes(self) -> Mapping[str, tuple[int, int]]:
        """(events, bytes) of archives that hold any."""

    async def forget(self, before: Mapping[str, float], limit: int) -> int:
        """Drop up to `limit` events of each archive that were taken before then; returns how many."""

"""A destination in memory: it keeps what it is sent, and fails as a test tells it to."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel
import orjson

from eventmap.clock import elapsed_s
from eventmap.errors import SourceError, TransientSourceError
from eventmap.rules.parcel import Parcel


class MemoryTarget:
    """Stands for a queue, topic, bucket, event bus or function that the ends of asynchronous events are told to.

    The next `down` sends find it throttled; of those after them the answers of the next `lost_answers` are lost: it was
    told, and its sender does not know. `is_refused` denies every send for good.
    """

    def __init__(self, *, down: int = 0, lost_answers: int = 0, is_refused: bool = False) -> None:
        self.down = down
        self.lost_answers = lost_answers
        self.is_refused = is_refused
        self.parcels: list[Parcel] = []
        self.times: list[float] = []  #: of each parcel, on the loop's clock

    async def send(self, parcel: Parcel) -> None:
        """Raises: SourceError `AccessDenied`; TransientSourceError."""
        await anyio.lowlevel.checkpoint()
        if self.is_refused:
            raise SourceError("the target in memory denies it", code="AccessDenied")
        if self.down:
            self.down -= 1
            raise TransientSourceError("the target in memory is throttled", code="ThrottlingException")
        self.parcels.append(parcel)
        self.times.append(elapsed_s())
        if self.lost_answers:
            self.lost_answers -= 1
            raise TransientSourceError("connection lost")

    @property
    def documents(self) -> list[Any]:
        """The bodies it was sent, parsed."""
        return [orjson.loads(parcel.body) for parcel in self.parcels]

    @property
    def conditions(self) -> list[str]:
        """How each event ended, of records."""
        return [document["requestContext"]["condition"] for document in self.documents]

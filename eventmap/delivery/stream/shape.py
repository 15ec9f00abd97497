"""Shape: how a batch becomes an event, and what its answer must have."""

from __future__ import annotations

from typing import Protocol

from eventmap.model import Event, Returned, StreamRecord
from eventmap.rules.window import Window


class Shape(Protocol):
    """Of the batches of one lane: plain ones, or those of a tumbling window."""

    @property
    def window(self) -> Window | None: ...

    @property
    def is_final(self) -> bool: ...

    @property
    def is_early(self) -> bool: ...

    def event(self, records: tuple[StreamRecord, ...]) -> Event: ...

    def missing(self, response: Returned) -> str | None:
        """Why an answer counts as a failure whatever else it says; None = it does not (STR-81)."""
        ...

    def accept(self, response: Returned) -> None:
        """The answer stands: some or all of the batch is done."""
        ...


class Plain:
    """Batches without a window: records in, nothing asked of the answer."""

    window: None = None
    is_final = False
    is_early = False

    def event(self, records: tuple[StreamRecord, ...]) -> Event:
        return Event.of_records(records)

    def missing(self, response: Returned) -> str | None:
        return None

    def accept(self, response: Returned) -> None:
        """Nothing is kept of it."""

"""Taken: what a bus made of events; and the events of an archive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eventmap.model import JsonObject
from eventmap.rules.bus.delivery import Delivery
from eventmap.rules.bus.documents import DocumentKey
from eventmap.rules.bus.event import BusEvent


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """`position` rises in the order in which an archive took its events."""

    position: int
    event: BusEvent


@dataclass(frozen=True, slots=True)
class Taken:
    """Deliveries that are owed, events for archives, changes of definitions: a store keeps all of it, or nothing."""

    deliveries: Sequence[Delivery] = ()
    archived: Sequence[tuple[str, BusEvent]] = ()  #: each with the name of its archive
    changes: Mapping[DocumentKey, JsonObject | None] = field(default_factory=dict)


NOTHING = Taken()


def together(several: Iterable[Taken]) -> Taken:
    """As one; they change no definitions."""
    taken = list(several)
    return Taken(
        [delivery for each in taken for delivery in each.deliveries],
        [archived for each in taken for archived in each.archived],
    )

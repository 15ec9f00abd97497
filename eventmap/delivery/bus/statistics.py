"""Live counters of the event buses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class BusStatistics:
    """They only grow, but for `running`."""

    events: int = 0  #: taken, each before its sender was told so; not those that one bus forwards to another
    entries_refused: int = 0  #: of PutEvents, each told why
    matched: int = 0  #: deliveries that were owed: an event, once for each target of each rule that it matches
    attempts: int = 0  #: to deliver
    delivered: int = 0  #: taken by their targets
    retried: int = 0  #: attempts that failed and were followed by another
    given_up: int = 0  #: not delivered: too often, too late, or of no use to try again
    dead_lettered: int = 0  #: of those, told to a dead-letter queue
    dropped: int = 0  #: of those, lost: without a dead-letter queue, or one that did not take them
    archived: int = 0  #: events, once for each archive
    replayed: int = 0  #: events that a replay brought to a bus
    store_errors: int = 0  #: calls to the store that failed; they are repeated with backoff
    running: int = 0  #: attempts under way now

"""AsynchronousStatistics: what one function's asynchronous queue has done so far, as plain counters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class AsynchronousStatistics:
    """Counters of one function's queue since it started; they only grow, except `running` and `age_s` (INV-51)."""

    received: int = 0  #: events accepted here (`AsyncEventsReceived`)
    repeated: int = 0  #: events that were known already; nothing was added
    running: int = 0  #: attempts under way now
    attempts: int = 0  #: runs of the code
    throttles: int = 0  #: attempts refused before the code ran; they use up no retry (INV-43)
    retried: int = 0  #: failed attempts that will be repeated (INV-41)
    done: int = 0  #: events that succeeded
    failed: int = 0  #: given up with their retries used up (INV-48)
    expired: int = 0  #: given up for their age (INV-47)
    dropped: int = 0  #: given up because the reserved concurrency is 0 (INV-46)
    destination_failures: int = 0  #: destinations and dead-letter queues that could not be told of an end (INV-66)
    store_errors: int = 0  #: calls to the store that failed; they are repeated with backoff
    age_s: float = 0.0  #: of the event whose attempt began last, seconds (`AsyncEventAge`)

"""The end of an event, once its destinations have been told: counted, and logged in one canonical line."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from eventmap import telemetry
from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
from eventmap.queued_event import EventEnd, QueuedEvent


def note_end(
    event: QueuedEvent,
    end: EventEnd,
    undelivered: Sequence[str],
    *,
    statistics: AsynchronousStatistics,
    log: telemetry.Logger,
) -> None:
    """`undelivered` says in words who could not be told; then it is an ERROR."""
    match end.condition:
        case "Success":
            statistics.done += 1
        case "RetriesExhausted":
            statistics.failed += 1
        case "EventAgeExceeded":
            statistics.expired += 1
        case "ZeroReservedConcurrency":
            statistics.dropped += 1
    statistics.destination_failures += len(undelivered)
    log.log(
        logging.ERROR if undelivered else logging.INFO if end.condition == "Success" else logging.WARNING,
        telemetry.EVENT_ENDED,
        request_id=event.request_id,
        condition=end.condition,
        invoke_count=end.invoke_count,
        age_s=round(end.ended_at - event.accepted_at, 3),
        undelivered=list(undelivered),
    )

"""One run of the function on a queued event, counted."""

from __future__ import annotations

from eventmap.delivery.asynchronous.ports import InvokeQueued
from eventmap.delivery.asynchronous.statistics import AsynchronousStatistics
from eventmap.model import Refused, Response
from eventmap.queued_event import QueuedEvent


async def attempted(invoke: InvokeQueued, event: QueuedEvent, statistics: AsynchronousStatistics) -> Response:
    """What the function answered; Refused uses up no retry, and counts as a throttle (INV-43)."""
    statistics.running += 1
    try:
        response = await invoke(event)
    finally:
        statistics.running -= 1
    if isinstance(response, Refused):
        statistics.throttles += 1
    else:
        statistics.attempts += 1
    return response

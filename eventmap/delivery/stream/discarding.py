"""What happens to records that are given up: reported to the on-failure destination, counted, told (STR-90..103)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from eventmap import telemetry
from eventmap.clock import utc_now
from eventmap.delivery.statistics import Statistics
from eventmap.delivery.stream.ports import OnFailure
from eventmap.delivery.stream.shape import Shape
from eventmap.errors import SourceError, TransientSourceError
from eventmap.model import Event
from eventmap.rules.report import report
from eventmap.rules.stream import Discarded
from eventmap.stream_mapping import EventSource

SEND_ATTEMPTS = 8
SEND_WAIT_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Discarding:
    """One mapping's way out. `on_failure` None = nothing is reported."""

    event_source: EventSource
    stream_arn: str
    function_arn: str
    on_failure: OnFailure | None
    statistics: Statistics
    log: telemetry.Logger

    async def discard(self, given_up: Discarded, shard_id: str, event: Event, shape: Shape) -> None:
        """Report and count. The report is sent before its records are forgotten; if it cannot be, they stay discarded.

        `event` is what the function was, or would have been, given.
        """
        count = len(given_up.records)
        self.statistics.discarded += count
        self.log.error(
            telemetry.RECORDS_DISCARDED,
            shard=shard_id,
            condition=given_up.condition,
            records=count,
            first=given_up.records[0].item_id if count else None,
            last=given_up.records[-1].item_id if count else None,
            reported=self.on_failure is not None,
        )
        if self.on_failure is None:
            return
        # A table's older stream has an ARN of its own, which its records carry.
        told = given_up.records[0].body.get("eventSourceARN") if count else None
        document = report(
            event_source=self.event_source,
            stream_arn=str(told or self.stream_arn),
            function_arn=self.function_arn,
            shard_id=shard_id,
            records=given_up.records,
            condition=given_up.condition,
            request_id=given_up.request_id or str(uuid.uuid4()),
            invoke_count=given_up.invoke_count,
            responded=given_up.responded,
            function_error=given_up.function_error,
            now=utc_now(),
            window=shape.window,
            is_final=shape.is_final,
            is_early=shape.is_early,
        )
        try:
            async for attempt in _patiently():
                with attempt:
                    await self.on_failure.send(document, shard_id=shard_id, payload=event.text)
        except SourceError as error:
            self.statistics.reports_failed += 1
            self.log.error(telemetry.REPORT_FAILED, shard=shard_id, records=count, code=error.code, error=str(error))
        else:
            self.statistics.reports_sent += 1


def _patiently() -> AsyncRetrying:
    """About a minute: a destination that is throttled or restarted gets its report, the shard waits no longer."""
    return AsyncRetrying(
        retry=retry_if_exception_type(TransientSourceError),
        wait=wait_exponential(multiplier=0.2, max=SEND_WAIT_LIMIT_S),
        stop=stop_after_attempt(SEND_ATTEMPTS),
        sleep=anyio.sleep,
        reraise=True,
    )

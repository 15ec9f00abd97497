"""Attempts: one batch of a lane taken to its end — invoked, retried, split, aged out, given up (STR-35..58)."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from eventmap import telemetry
from eventmap.clock import elapsed_s, wall_time_s
from eventmap.delivery.slots import MappingSlots
from eventmap.delivery.statistics import Statistics
from eventmap.delivery.stream.discarding import Discarding
from eventmap.delivery.stream.ports import Invoke
from eventmap.delivery.stream.shape import Shape
from eventmap.model import Event, Failed, FunctionError, Outcome, Refused, Response, Returned, StreamRecord, Throttled
from eventmap.rules.batching import PAYLOAD_LIMIT_BYTES
from eventmap.rules.partial import stream_outcome
from eventmap.rules.stream import Attempt, Verdict, age_out, settle
from eventmap.stream_mapping import StreamMapping

_OVERSIZED = Failed("the event of this one record is larger than 6 MB (STR-47)")


@dataclass(frozen=True, slots=True)
class Work:
    """What all shards of a mapping share."""

    mapping: StreamMapping
    invoke: Invoke
    slots: MappingSlots
    discarding: Discarding
    statistics: Statistics
    log: telemetry.Logger
    retention_s: float  #: older records have left the stream, and nobody asks for them any more (STR-44)


class Attempts:
    """The batches of one lane. `done` is told of every record that needs nothing more."""

    def __init__(self, work: Work, shard_id: str, done: Callable[[tuple[StreamRecord, ...]], None]) -> None:
        self._work = work
        self._shard_id = shard_id
        self._done = done
        self._leaving = False
        self._waiting = anyio.CancelScope()

    def leave(self) -> None:
        """Begin no further invocation; one under way ends as it does."""
        self._leaving = True
        self._waiting.cancel()

    async def finish(self, records: tuple[StreamRecord, ...], shape: Shape) -> bool:
        """Take a batch to its end. False = asked to leave before that; what is not done will be read again."""
        waiting = [Attempt(records)]
        while waiting:
            verdict = await self._once(waiting.pop(0), shape)
            if verdict is None:
                return False
            waiting[:0] = verdict.retry
            if waiting and await self._leaves_within(verdict.wait_s):
                return False
        return True

    async def _once(self, attempt: Attempt, shape: Shape) -> Verdict | None:
        """One invocation and what follows from it, carried out. None = asked to leave before it could begin."""
        attempt, gone = await self._without_aged(attempt, shape)
        if gone:
            return Verdict()
        if not attempt.request_id:
            attempt = replace(attempt, request_id=str(uuid.uuid4()))
        event = shape.event(attempt.records)
        started_at = elapsed_s()
        response: Response | None = None
        outcome: Outcome = _OVERSIZED
        if not self._oversized(attempt, event):
            response = await self._respond(event, attempt)
            if response is None:
                return None if self._leaving else Verdict(retry=(attempt,))  # what is too old leaves it first
            outcome = self._outcome(response, attempt, shape)
        error = "Unhandled" if isinstance(response, FunctionError) else None
        verdict = settle(attempt, outcome, self._work.mapping, error=error, responded=response is not None)
        if isinstance(response, Returned) and (verdict.done or verdict == Verdict()):
            shape.accept(response)
        if verdict.discarded is not None:
            await self._work.discarding.discard(verdict.discarded, self._shard_id, event, shape)
            self._done(verdict.discarded.records)
        self._done(verdict.done)
        self._tell(attempt, outcome, verdict, elapsed_s() - started_at)
        return verdict

    async def _without_aged(self, attempt: Attempt, shape: Shape) -> tuple[Attempt, bool]:
        """The attempt less the records that are too old, and whether nothing of it is left (STR-42..44)."""
        had_records = bool(attempt.records)
        given_up, attempt = age_out(attempt, self._work.mapping.maximum_record_age_in_seconds, wall_time_s())
        if given_up is not None:
            event = shape.event(given_up.records)
            await self._work.discarding.discard(given_up, self._shard_id, event, shape)
            self._done(given_up.records)
        if attempt.failures or attempt.throttles:
            given_up, attempt = age_out(attempt, int(self._work.retention_s), wall_time_s())
            if given_up is not None:
                self._work.statistics.expired += len(given_up.records)
                self._work.log.error(telemetry.RECORDS_EXPIRED, shard=self._shard_id, records=len(given_up.records))
                self._done(given_up.records)
        return attempt, had_records and not attempt.records

    @staticmethod
    def _oversized(attempt: Attempt, event: Event) -> bool:
        """A single record that fits into no event (STR-47); looked at closely only where its bound says it might be."""
        if len(attempt.records) != 1 or 0 < attempt.records[0].size_bound < PAYLOAD_LIMIT_BYTES // 2:
            return False
        return len(event.text) > PAYLOAD_LIMIT_BYTES

    async def _respond(self, event: Event, attempt: Attempt) -> Response | None:
        """Run the function once. None = no slot was free before it was to leave, or before a record was too old."""
        work = self._work
        if not await self._take_slot(self._age_left_s(attempt)):
            return None
        work.statistics.running += 1
        try:
            response = await work.invoke(event, request_id=attempt.request_id)
        except anyio.get_cancelled_exc_class():
            work.statistics.abandoned += len(attempt.records)
            raise
        finally:
            work.statistics.running -= 1
            work.slots.release()
        if isinstance(response, Refused):
            work.statistics.throttles += 1
        else:
            work.statistics.invocations += 1
        return response

    def _age_left_s(self, attempt: Attempt) -> float:
        """Seconds until the first record reaches the age limit (STR-42)."""
        limit_s = self._work.mapping.maximum_record_age_in_seconds
        if limit_s < 0 or not attempt.records:
            return math.inf
        return limit_s - (wall_time_s() - min(record.arrived_at for record in attempt.records))

    async def _take_slot(self, within_s: float) -> bool:
        """Hold one slot of the function. False = asked to leave, or `within_s` seconds passed, while there was none."""
        if self._leaving:
            return False
        with anyio.move_on_after(within_s) as self._waiting:
            reserved = await self._work.slots.reserve(1, urgent=True)
            return reserved.take()
        return False

    def _outcome(self, response: Response, attempt: Attempt, shape: Shape) -> Outcome:
        if isinstance(response, Returned) and (reason := shape.missing(response)):
            return Failed(reason)
        return stream_outcome(response, attempt.records, reports_item_failures=self._work.mapping.reports_item_failures)

    async def _leaves_within(self, wait_s: float) -> bool:
        if wait_s > 0 and not self._leaving:
            with anyio.CancelScope() as self._waiting:
                await anyio.sleep(wait_s)
        return self._leaving

    def _tell(self, attempt: Attempt, outcome: Outcome, verdict: Verdict, duration_s: float) -> None:
        statistics, log = self._work.statistics, self._work.log
        statistics.done += len(verdict.done)
        retried = sum(len(each.records) for each in verdict.retry)
        has_failed = bool(verdict.retry or verdict.discarded)
        if not isinstance(outcome, Throttled):
            statistics.last_failed = has_failed
        if has_failed and not isinstance(outcome, Throttled):
            statistics.failed_invocations += 1
            statistics.retried += retried
        if log.isEnabledFor(logging.INFO):
            log.info(
                telemetry.BATCH_SETTLED,
                shard=self._shard_id,
                outcome=type(outcome).__name__,
                records=len(attempt.records),
                done=len(verdict.done),
                retried=retried,
                discarded=len(verdict.discarded.records) if verdict.discarded else 0,
                duration_s=round(duration_s, 6),
                running=statistics.running,
            )

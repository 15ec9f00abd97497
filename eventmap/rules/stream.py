"""What Lambda would do with a batch of a stream's records: retried, split, aged out or given up. Pure functions.

            ┌────────────── aged records leave, reported ◀──┐
records ──▶ Attempt ──invoke──▶ Outcome ──settle──▶ Verdict: done · discarded · what is tried next, and when
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from eventmap.model import Failed, Outcome, PartlyFailed, StreamRecord, Succeeded, Throttled, TimedOut
from eventmap.stream_mapping import StreamMapping

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]

RETRY_LIMIT_S: Final = 60.0
READ_RETRY_LIMIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A batch to be invoked, and its past. No records: a tumbling window's final invocation (STR-83)."""

    records: tuple[StreamRecord, ...]
    request_id: str = ""  #: the same for every unchanged retry; "" = not invoked yet (STR-55)
    failures: int = 0  #: how often it failed
    throttles: int = 0  #: how often in a row it was refused before the code ran, which costs nothing (STR-34)


@dataclass(frozen=True, slots=True)
class Discarded:
    """Records that are given up, and what their report says of it (STR-41, 42)."""

    records: tuple[StreamRecord, ...]
    condition: Condition
    invoke_count: int
    request_id: str
    responded: bool  #: False = the report has no `responseContext` (STR-43, 47, 93)
    function_error: str | None = None  #: "Unhandled", or None after responses that named failures (STR-94)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an attempt; every record of it is in exactly one of the three, in order."""

    done: tuple[StreamRecord, ...] = ()
    discarded: Discarded | None = None
    retry: tuple[Attempt, ...] = ()  #: strictly in turn: each to its end before the next begins
    wait_s: float = 0.0  #: before the first of `retry`


def settle(
    attempt: Attempt, outcome: Outcome, mapping: StreamMapping, *, error: str | None, responded: bool
) -> Verdict:
    """Decide for every record of an attempt that was invoked once more (STR-35, 40..58, 62, 63).

    `error` is the report's `functionError`: None if the handler returned; `responded` is False if the event never
    reached it (STR-47).
    """
    match outcome:
        case Succeeded():
            return Verdict(done=attempt.records)
        case PartlyFailed(item_ids):
            first = _first_failed(attempt.records, item_ids)
            if first:  # progress: what is left is a new batch with a fresh budget (STR-45, 55)
                rest = Attempt(attempt.records[first:])
                return Verdict(done=attempt.records[:first], retry=(rest,), wait_s=retry_wait(1))
        case Throttled():
            throttles = attempt.throttles + 1
            return Verdict(retry=(replace(attempt, throttles=throttles),), wait_s=retry_wait(throttles))
        case Failed() | TimedOut():
            pass
        case _:
            assert_never(outcome)
    return _failed(attempt, mapping, error, responded)


def _first_failed(records: Sequence[StreamRecord], item_ids: frozenset[str]) -> int:
    """The place of the lowest sequence number that was named, compared as a number (STR-63)."""
    lowest = min(record.sequence for record in records if record.item_id in item_ids)
    return next(place for place, record in enumerate(records) if record.sequence >= lowest)


def _failed(attempt: Attempt, mapping: StreamMapping, error: str | None, responded: bool) -> Verdict:
    records, failures = attempt.records, attempt.failures + 1
    if mapping.bisect_batch_on_function_error and len(records) > 1:
        middle = len(records) // 2  # the first part is the smaller one of an odd count
        return Verdict(retry=(Attempt(records[:middle]), Attempt(records[middle:])))
    limit = mapping.maximum_retry_attempts
    if limit >= 0 and failures > limit:
        given_up = Discarded(
            records, "RetryAttemptsExhausted", failures, attempt.request_id, responded, error if responded else None
        )
        return Verdict(discarded=given_up)
    return Verdict(retry=(replace(attempt, failures=failures, throttles=0),), wait_s=retry_wait(failures))


def age_out(attempt: Attempt, limit_s: int, now: float) -> tuple[Discarded | None, Attempt]:
    """Take the records out that are `limit_s` seconds old at the epoch time `now`; -1 = none ever (STR-42, 43, 212).

    What is left is the same batch if nothing left it, else a new one. The invocations counted are those that
    failed, and one for records that expired on arrival.
    """
    if limit_s < 0 or not attempt.records:
        return None, attempt
    aged = tuple(record for record in attempt.records if now - record.arrived_at >= limit_s)
    if not aged:
        return None, attempt
    rest = tuple(record for record in attempt.records if now - record.arrived_at < limit_s)
    given_up = Discarded(aged, "RecordAgeExceeded", max(1, attempt.failures), attempt.request_id, responded=False)
    return given_up, replace(attempt, records=rest, request_id="")


def retry_wait(failures: int) -> float:
    """Seconds until a batch that failed `failures` times (from 1) is tried again: 1, 2, 4 … 60 (STR-210)."""
    return min(RETRY_LIMIT_S, 2.0 ** min(failures - 1, 10))


def read_wait(failures: int) -> float:
    """Seconds until a shard is read again after `failures` (from 1) refused reads in a row: 1, 2, 4 … 10 (STR-211)."""
    return min(READ_RETRY_LIMIT_S, 2.0 ** min(failures - 1, 10))


def lane_of(key: str, factor: int) -> int:
    """Which of a shard's `factor` lanes a key belongs to; the same on every machine (STR-30)."""
    return 0 if factor == 1 else zlib.crc32(key.encode()) % factor

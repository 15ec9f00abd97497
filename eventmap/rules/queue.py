"""What Lambda would do with a queue's messages: timeouts checked, outcomes settled, retries timed. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from eventmap.errors import InvalidParameterValue
from eventmap.mapping import EventSourceMapping
from eventmap.model import Batch, Failed, Outcome, PartlyFailed, Record, Settlement, Succeeded, Throttled, TimedOut

RECEIVE_LIMIT: Final = 10  #: messages one receive may return (SQS-20)
LONG_POLL_S: Final = 20  #: the longest wait of one receive (SQS-21)
VISIBILITY_CAP_S: Final = 43_200  #: a message can be kept at most 12 h since it was received (SQS-66)
FLUSH_MARGIN_S: Final = 5.0  #: a gathered record must have this left beside the function timeout (SQS-164)


def check_visibility(visibility_timeout: int, function_timeout: int) -> None:
    """Refuse a function that may outlive its messages' visibility; equal is accepted (SQS-16).

    Raises: InvalidParameterValue in AWS' words.
    """
    if visibility_timeout < function_timeout:
        raise InvalidParameterValue(
            f"Queue visibility timeout: {visibility_timeout} seconds is less than "
            f"Function timeout: {function_timeout} seconds"
        )


def receive_visibility(mapping: EventSourceMapping, function_timeout: int, visibility_timeout: int) -> int | None:
    """The `VisibilityTimeout` to ask for with a receive; None = the queue's own (SQS-65)."""
    window = mapping.maximum_batching_window_in_seconds
    if window and window + function_timeout > visibility_timeout:
        return window + function_timeout + 30
    return None


def messages_per_receive(batch_size: int, slots: int, *, fifo: bool) -> int:
    """How many messages `slots` free slots can start now, at most what one receive may return (SQS-20, SQS-39).

    On FIFO one batch per receive: what waited behind a failing message of its group would be received in vain, and
    each vain receive brings it nearer to the dead-letter queue.
    """
    return min(RECEIVE_LIMIT, batch_size if fifo else slots * batch_size)


def slots_per_receive(batch_size: int, *, fifo: bool) -> int:
    """How many batches one full receive makes: ten of size 1, one of size 10 (or of any size above 5)."""
    return 1 if fifo else max(1, RECEIVE_LIMIT // batch_size)


def settle(batch: Batch, outcome: Outcome, retry_backoff_s: Sequence[int] = ()) -> Settlement:
    """Decide for every record: deleted, or left to reappear (SQS-54..58).

    Without a backoff a failed record's visibility is left alone, as Lambda does (SQS-60). With one, records of the
    same FIFO group wait equally long, the longest of them, so that none overtakes another.
    """
    match outcome:
        case Succeeded():
            return Settlement(batch.records, ())
        case PartlyFailed(item_ids):
            failed = tuple(record for record in batch.records if record.item_id in item_ids)
            done = tuple(record for record in batch.records if record.item_id not in item_ids)
        case Failed() | TimedOut() | Throttled():
            failed, done = batch.records, ()
        case _:
            assert_never(outcome)
    # A batch that never ran waits for its visibility to end: its copy is abandoned, not failed (SQS-56).
    backoff = () if isinstance(outcome, Throttled) else retry_backoff_s
    return Settlement(done, _retries(failed, backoff))


def _retries(failed: tuple[Record, ...], backoff: Sequence[int]) -> tuple[tuple[Record, float | None], ...]:
    if not backoff:
        return tuple((record, None) for record in failed)
    waits = [float(backoff[min(record.receive_count, len(backoff)) - 1]) for record in failed]
    longest: dict[str | None, float] = {}
    for record, wait in zip(failed, waits, strict=True):
        longest[record.group] = max(wait, longest.get(record.group, 0.0))
    return tuple(
        (record, wait if record.group is None else longest[record.group])
        for record, wait in zip(failed, waits, strict=True)
    )


def throttle_wait(
    attempt: int, received_at: float, now: float, visibility_timeout_s: float, jitter: float
) -> float | None:
    """Seconds until a refused invocation is tried again; None = its time is up, abandon our copy (SQS-56, SQS-161).

    `attempt` counts refusals from 1; `jitter` is in 0..1.
    """
    wait = min(60.0, 2.0 ** (attempt - 1)) * (0.5 + jitter / 2)
    if now + wait - received_at > visibility_timeout_s - 1.0:
        return None
    return wait


def receive_wait(failures: int, jitter: float) -> float:
    """Seconds until a receive is tried again after `failures` (from 1) in a row: up to 1, 2, 4 … 60 (SQS-162).

    `jitter` is in 0..1.
    """
    return min(60.0, 2.0 ** min(failures - 1, 10)) * jitter


def dead_letters_next(record: Record, maximum_receive_count: int | None) -> bool:
    """Whether the queue will move this record away at its next receive instead of returning it (SQS-68)."""
    return maximum_receive_count is not None and record.receive_count >= maximum_receive_count


def heartbeat_s(visibility_timeout_s: float, held_s: float) -> int:
    """How many seconds to extend a message by that we have held for `held_s`; 0 = its 12 hours are used up (SQS-66)."""
    return max(0, int(min(visibility_timeout_s, VISIBILITY_CAP_S - held_s)))

"""What becomes of an asynchronous event before and after each attempt (INV-25, INV-40..49, INV-64a)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, assert_never

from eventmap.function import Function
from eventmap.model import FunctionError, Refused, Response, Returned
from eventmap.queued_event import Condition, EventEnd, QueuedEvent

RETRY_WAITS_S: Final = (60.0, 120.0)
"""Before the first and the second retry (INV-41)."""

LONGEST_BACKOFF_S: Final = 300.0

_GONE: Final = 404
_DOUBLINGS: Final = 9  # after so many the longest backoff is reached


@dataclass(frozen=True, slots=True)
class Again:
    """The event is owed another attempt, not before its `due_at`."""

    event: QueuedEvent


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more is tried."""

    end: EventEnd


def before_attempt(function: Function, event: QueuedEvent, now: float) -> Ended | None:
    """Whether the event ends without another attempt; None = try it.

    `now` is in epoch seconds. Rules: INV-25, 44, 46, 47.
    """
    if function.reserved_concurrent_executions == 0:
        return Ended(_given_up(function, event, "ZeroReservedConcurrency", now))
    if now >= _deadline(function, event):
        return Ended(_given_up(function, event, "EventAgeExceeded", now))
    return None


def is_gone(function: Function, event: QueuedEvent) -> bool:
    """Whether what the event was addressed to exists no more; it is looked up anew for every attempt (INV-64a)."""
    return function.runs(event.qualifier) is None


def next_step(
    function: Function, event: QueuedEvent, response: Response | None, now: float, dice: float
) -> Again | Ended:
    """What follows from an attempt that ended at `now`, epoch seconds.

    `response` None = the function or its version is gone: that counts as a failure, though nothing ran (INV-64a).
    `dice` is drawn evenly from 0..1 and spreads those that were refused together. Rules: INV-41..44, 48, 49, 64a.
    """
    match response:
        case Returned(payload):
            return Ended(
                EventEnd(
                    condition="Success",
                    ended_at=now,
                    invoke_count=event.failures + 1,
                    response=payload,
                    executed_version=_version(function, event),
                )
            )
        case FunctionError(payload):
            return _failed(function, event, payload, now)
        case None:
            return _failed(function, event, None, now)
        case Refused():
            # It ends at its deadline, not when its wait is over (INV-43, 44).
            due_at = min(now + _backoff_s(event.refusals, dice), _deadline(function, event))
            return Again(replace(event, refusals=event.refusals + 1, due_at=due_at))
        case _:
            assert_never(response)


def _failed(function: Function, event: QueuedEvent, error: bytes | None, now: float) -> Again | Ended:
    failed = replace(event, failures=event.failures + 1, refusals=0, last_error=error)
    if event.failures >= function.event_invoke_config(event.qualifier).maximum_retry_attempts:
        return Ended(_given_up(function, failed, "RetriesExhausted", now))
    due_at = now + RETRY_WAITS_S[event.failures]
    if due_at >= _deadline(function, event):
        return Ended(_given_up(function, failed, "EventAgeExceeded", now))
    return Again(replace(failed, due_at=due_at))


def _given_up(function: Function, event: QueuedEvent, condition: Condition, now: float) -> EventEnd:
    """With what the last attempt answered, if there was one: no error object means that nothing was found to run."""
    error = event.last_error
    return EventEnd(
        condition=condition,
        ended_at=now,
        invoke_count=event.failures,
        response=error,
        function_error=None if error is None else "Unhandled",
        status_code=_GONE if event.failures and error is None else 200,
        executed_version=_version(function, event),
    )


def _version(function: Function, event: QueuedEvent) -> str:
    """What the qualifier names now; of one that names nothing, no version is told."""
    return (function.runs(event.qualifier) or function).version


def _deadline(function: Function, event: QueuedEvent) -> float:
    return event.accepted_at + function.event_invoke_config(event.qualifier).maximum_event_age_in_seconds


def _backoff_s(refusals: int, dice: float) -> float:
    """1 s doubling to 5 minutes is the least; up to as much again on top spreads them, 5 minutes at most in all."""
    top = min(LONGEST_BACKOFF_S, 2.0 ** (1 + min(refusals, _DOUBLINGS)))
    return top * (1 + dice) / 2

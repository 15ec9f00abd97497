"""QueuedEvent: an asynchronous event that was accepted and is owed until its end is recorded (INV-40..49)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency"]
"""How AWS calls the end of an asynchronous event (INV-46..49, 61)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedEvent:
    """One accepted event as it stands between two attempts; never changed in place."""

    request_id: str  #: the same on every attempt (INV-42)
    function_name: str
    payload: bytes  #: JSON text
    accepted_at: float  #: epoch seconds
    due_at: float  #: epoch seconds: no attempt begins before
    qualifier: str = ""  #: the alias or version it was addressed by; "" = none was named
    trace_id: str = ""  #: `X-Amzn-Trace-Id` of who sent it; "" = none
    failures: int = 0  #: attempts so far in which the code ran and failed
    refusals: int = 0  #: in a row, up to now: throttles and system errors, which use up no retry (INV-43)
    last_error: bytes | None = None  #: the error object of the last failure as JSON text; None = none so far


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEnd:
    """How an event ended."""

    condition: Condition
    ended_at: float  #: epoch seconds
    invoke_count: int  #: runs of the code, the successful one included
    response: bytes | None = None  #: what the last run answered, as JSON text; None = the code never answered
    function_error: str | None = None  #: "Unhandled" if `response` is an error object
    status_code: int = 200  #: of the last run; 404 if the function is gone (INV-64a)
    executed_version: str = "$LATEST"  #: whose code answered last


class Accept(Protocol):
    """Takes an event for one function; owed, and durable, when it returns (INV-40)."""

    async def __call__(self, payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        """`payload` is JSON text. False: an event of that request id was accepted before; nothing was added.

        Raises: StateError, TransientSourceError, SourceError: it was not accepted; tell the sender to try again.
        """

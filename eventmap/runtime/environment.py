"""What every kind of execution environment is to the pool and the invoker.

          initialize()            invoke()
created ───────────────▶ warm ◀──────────────▶ busy
   │ Init failed           │ idle, old, retired    │ timeout, crash: reset, stays in the pool,
   ▼                       ▼                       ▼ Init runs again inside its next invocation (INV-70, 76)
reset ──invoke()──▶ …    shut_down()             reset
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from eventmap.model import Event, FunctionError, JsonObject, Response, Stream
from eventmap.runtime import error_object
from eventmap.runtime.report import Status


@dataclass(frozen=True, slots=True)
class Invocation:
    """One request for an environment."""

    request_id: str
    event: Event
    client_context: JsonObject | None = None
    invoked_arn: str | None = None  #: as it was addressed, alias or version included; None = the function's own
    trace_id: str = ""  #: the X-Ray header of this invocation; "" = none
    stream: Stream | None = None  #: takes what an `async` generator yields; None = it is joined


@dataclass(slots=True)
class Completed:
    """How an invocation went, as the REPORT line tells it."""

    response: Response
    duration_s: float  #: exactly the function timeout when that passed
    status: Status = "success"  #: an exception the handler raised is a success of the runtime (INV-140)


def function_error(error: error_object.ErrorObject, *, timed_out: bool = False) -> FunctionError:
    """An error object as the answer of an invocation."""
    return FunctionError(error_object.to_json(error), str(error["errorType"]), timed_out)


class ExecutionEnvironment(Protocol):
    """A sandbox: Init once, then one invocation at a time, then Shutdown."""

    born_at: float
    """When it was created, seconds on the loop's clock."""

    is_new: bool
    """Whether no Init has been tried yet."""

    init_duration_s: float | None
    """Seconds of the Init that the next REPORT line is to tell of and then sets to None; None = nothing to tell."""

    @property
    def is_usable(self) -> bool:
        """False once it died between invocations: the pool then replaces it."""

    @property
    def unfinished(self) -> asyncio.Future[object] | None:
        """Done when user code that was given up on has ended: busy until then. None = nothing runs on."""

    async def initialize(self) -> FunctionError | None:
        """Run Init; returns why it failed. Raises: EnvironmentNotStarted."""

    async def invoke(self, invocation: Invocation) -> Completed:
        """Run the handler once, and Init before it if that is still to be done.

        Cancelled, it leaves nothing of this invocation running, or says so in `unfinished`.
        Raises: EnvironmentNotStarted.
        """

    def max_memory_used_mb(self) -> int:
        """The most memory it has held so far, whole MB rounded up; 0 = not known."""

    async def shut_down(self) -> None:
        """End it; bounded, and safe to call twice."""

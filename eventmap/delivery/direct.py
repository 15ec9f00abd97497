"""Direct invocations: those a caller waits for. One slot now, or a throttle: nothing is ever queued (INV-25, 26)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol, SupportsBytes

from eventmap.delivery.slots import MappingSlots
from eventmap.function import Function
from eventmap.model import Event, JsonObject, Refused, Response, Stream
from eventmap.queued_event import Accept
from eventmap.rules.invoke_errors import busy_reason


class Runs(Protocol):
    """The function, running."""

    @property
    def arn(self) -> str: ...

    async def invoke(
        self,
        event: Event,
        *,
        request_id: str | None = None,
        client_context: JsonObject | None = None,
        invoked_arn: str | None = None,
        trace_id: str = "",
        stream: Stream | None = None,
    ) -> Response: ...


class FollowedLog(Protocol):
    """The log its lines go to."""

    def following(self, request_id: str) -> AbstractContextManager[SupportsBytes]:
        """Keep the end of one request's log for the length of the block."""


class DirectInvocation:
    """What callers of the Invoke API reach, within the slots the function's mappings share."""

    def __init__(
        self, function: Function, runtime: Runs, *, slots: MappingSlots, log: FollowedLog, accept: Accept
    ) -> None:
        """`log` is the one `runtime` writes to; `slots` a share of the function's, for these callers alone."""
        self.name: str = function.function_name
        self.arn: str = runtime.arn
        self.timeout: int = function.timeout
        self.aliases: Sequence[str] = function.qualifiers
        self._function = function
        self.accept: Accept = accept
        self._runtime = runtime
        self._slots = slots
        self._log = log
        self._busy = Refused(busy_reason(function))

    def replace(self, function: Function) -> None:
        """The function has another configuration from now on."""
        self.timeout = function.timeout
        self.aliases = function.qualifiers
        self._function = function
        self._busy = Refused(busy_reason(function))

    def executed_version(self, qualifier: str) -> str:
        """The version that an alias names now; "" = `$LATEST`."""
        return (self._function.runs(qualifier) or self._function).version

    async def invoke(
        self,
        event: Event,
        *,
        request_id: str,
        invoked_arn: str,
        client_context: JsonObject | None,
        trace_id: str,
        wants_log: bool,
        stream: Stream | None = None,
    ) -> tuple[Response, bytes | None]:
        """Run it once; the bytes are the end of its log, None if `wants_log` is False or it did not run."""
        reservation = self._slots.try_reserve()
        if reservation is None:
            return self._busy, None
        try:
            run = self._runtime.invoke(
                event,
                request_id=request_id,
                client_context=client_context,
                invoked_arn=invoked_arn,
                trace_id=trace_id,
                stream=stream,
            )
            if not wants_log:
                return await run, None
            with self._log.following(request_id) as tail:
                return await run, bytes(tail)
        finally:
            reservation.give_back()

"""A child process as the execution environment: Init, Invoke, deadline, kill, reset."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio
import orjson

from eventmap import telemetry
from eventmap.clock import elapsed_s, utc_now
from eventmap.function import Function
from eventmap.model import FunctionError, Returned
from eventmap.runtime import error_object, frames, report
from eventmap.runtime.child_process import Answer, ChildProcess, Ended
from eventmap.runtime.environment import Completed, Invocation, function_error

_MEMORY_SAMPLE_S: Final = 0.05
_GRACE_S: Final = 0.3
"""How long an idle child may take to leave by itself. Lambda kills at once (INV-74); an orderly end costs little and
lets coverage and the like write what they measured."""
_END_OF_KILLED_S: Final = 2.0
_log = telemetry.logger("eventmap.runtime")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a process environment needs to know."""

    function: Function
    spawn: Callable[[], ChildProcess]  #: starts a child; raises EnvironmentNotStarted
    log: report.InvocationLog
    init_timeout_s: float  #: for an Init outside an invocation (INV-70)


class ProcessEnvironment:
    """At most one child at a time; without one it is reset, and its next invocation starts with Init (INV-76)."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.born_at: float = elapsed_s()
        self.is_new: bool = True
        self.init_duration_s: float | None = None
        self.unfinished: asyncio.Future[object] | None = None
        self._function = sandbox.function
        self._sandbox = sandbox
        self._log = sandbox.log
        self._child: ChildProcess | None = None
        self._is_out_of_memory = False
        self._peak_bytes = 0

    @property
    def is_usable(self) -> bool:
        return self._child is None or self._child.is_alive()

    async def initialize(self) -> FunctionError | None:
        """Start a child and import the handler in it, for at most the Init limit.

        Raises: EnvironmentNotStarted. Rules: INV-31, 70, 132.
        """
        started, timeout_s = elapsed_s(), self._sandbox.init_timeout_s
        self.is_new = False
        with anyio.move_on_after(timeout_s):
            failure = await self._start("", "init")
            if failure is None:
                self.init_duration_s = elapsed_s() - started
                _log.debug(telemetry.ENVIRONMENT_INITIALIZED, **self._fields("", init_s=self.init_duration_s))
            return failure
        self._report_init(timeout_s, "", "init", "timeout", None)
        return function_error(error_object.of_timeout("", timeout_s), timed_out=True)

    async def invoke(self, invocation: Invocation) -> Completed:
        """Run the handler, after an Init if the environment is reset; both within the function timeout.

        Raises: EnvironmentNotStarted. Rules: INV-30..35, 70, 72, 76.
        """
        request_id, started = invocation.request_id, elapsed_s()
        # The machine's own clock, not the loop's: parent and child both read it.
        deadline = time.monotonic() + self._function.timeout
        is_reset = self._child is None or self._child.status is not None
        with anyio.move_on_after(self._function.timeout):
            if is_reset:
                failure = await self._start(request_id, "invoke")
                if failure is not None:
                    return Completed(failure, elapsed_s() - started, "error")
                is_reset = False
            answer = await self._converse(invocation, deadline)
            return self._complete(answer, request_id, elapsed_s() - started)
        if is_reset:
            self._report_init(float(self._function.timeout), request_id, "invoke", "timeout", None)
        if self._log.enabled:
            line = report.timed_out(utc_now(), request_id, self._function.timeout)
            self._log.line(self._function.function_name, request_id, line)
        response = function_error(error_object.of_timeout(request_id, self._function.timeout), timed_out=True)
        return Completed(response, float(self._function.timeout), "timeout")

    def max_memory_used_mb(self) -> int:
        if self._child is not None:
            self._peak_bytes = self._child.max_memory_used_bytes()
        return math.ceil(self._peak_bytes / 2**20)

    async def shut_down(self) -> None:
        """Hang up, give an idle child a moment to leave, then kill (INV-74)."""
        child, self._child = self._child, None
        if child is None:
            return
        child.hang_up()
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_GRACE_S):
                await child.wait_ended()
            await _kill(child)
        _log.debug(telemetry.ENVIRONMENT_STOPPED, **self._fields(""))

    async def _start(self, request_id: str, phase: report.Phase) -> FunctionError | None:
        """Spawn and await Init; returns why it failed, and is then reset again, as when it is cancelled."""
        started = elapsed_s()
        self._child = child = self._sandbox.spawn()
        child.output.request_id = request_id
        answer = await self._next_answer(child)
        match answer:
            case Answer(kind=frames.INITIALIZED):
                return None
            case Answer(payload=payload):
                failure = FunctionError(payload, _type_of(payload))
                self._report_error(request_id, payload)
            case Ended(status=status):
                failure = self._report_end(request_id, status)
        await self._reset()  # one that answered is about to end by itself
        self._report_init(elapsed_s() - started, request_id, phase, "error", failure.error_type)
        return failure

    async def _converse(self, invocation: Invocation, deadline: float) -> Answer | Ended:
        child = self._child
        assert child is not None
        if child.output.request_id != invocation.request_id:
            child.output.drain()  # what came since the last request is not this one's
            child.output.request_id = invocation.request_id
        parts = (
            invocation.request_id.encode(),
            (invocation.invoked_arn or "").encode(),
            invocation.trace_id.encode(),
            b"" if invocation.client_context is None else orjson.dumps(invocation.client_context),
            invocation.event.text,
        )
        child.send(b"".join((frames.REQUEST.pack(deadline, *map(len, parts)), *parts)))
        return await self._next_answer(child)

    async def _next_answer(self, child: ChildProcess) -> Answer | Ended:
        """Await a frame and all output before it; a child that ended, or is not to run on, is gone afterwards."""
        sampler = _MemorySampler(child, self._function.memory_size * 2**20)
        try:
            answer = await child.next_answer()
        except BaseException:  # the deadline, or a caller that gave up: the code must not run on unattended
            await self._reset()
            raise
        finally:
            sampler.stop()
        child.output.drain()
        self._is_out_of_memory = sampler.has_killed
        if isinstance(answer, Ended) or sampler.has_killed:
            await self._reset()
        return answer

    def _complete(self, answer: Answer | Ended, request_id: str, duration_s: float) -> Completed:
        match answer:
            case Ended(status=status):
                return Completed(self._report_end(request_id, status), duration_s, "error")
            case Answer(kind=frames.RETURNED, payload=payload):
                return Completed(Returned(payload), duration_s)
            case Answer(kind=frames.TOO_LARGE):
                return Completed(function_error(error_object.of_size()), duration_s, "error")
            case Answer(payload=payload):
                self._report_error(request_id, payload)
                return Completed(FunctionError(payload, _type_of(payload)), duration_s)

    async def _reset(self) -> None:
        """Kill the child and wait, bounded, until it is gone, so that it prints nothing after its invocation's END."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            self._peak_bytes = child.max_memory_used_bytes()
            with anyio.CancelScope(shield=True):
                await _kill(child)
            _log.debug(telemetry.ENVIRONMENT_KILLED, **self._fields(child.output.request_id))

    def _report_end(self, request_id: str, status: int) -> FunctionError:
        known = (
            error_object.of_memory(request_id) if self._is_out_of_memory else error_object.of_exit(request_id, status)
        )
        failure = function_error(known)
        if self._log.enabled:
            record = report.exited(str(known["errorMessage"]), failure.error_type)
            self._log.line(self._function.function_name, request_id, record)
        return failure

    def _report_error(self, request_id: str, payload: bytes) -> None:
        if self._log.enabled:
            error = orjson.loads(payload)
            record = report.unhandled(error["errorType"], error["errorMessage"], error.get("stackTrace", []))
            self._log.line(self._function.function_name, request_id, record)

    def _report_init(
        self, duration_s: float, request_id: str, phase: report.Phase, status: report.Status, error_type: str | None
    ) -> None:
        _log.warning(
            telemetry.ENVIRONMENT_INIT_FAILED,
            **self._fields(request_id, phase=phase, status=status, error_type=error_type),
        )
        if self._log.enabled:
            line = report.init_report(duration_s, phase, status, error_type)
            self._log.line(self._function.function_name, request_id, line)

    def _fields(self, request_id: str, **more: object) -> dict[str, object]:
        return {"function_name": self._function.function_name, "request_id": request_id, **more}


class _MemorySampler:
    """Kills a child that holds more than its memory, looked at every 50 ms while an invocation runs (INV-35)."""

    def __init__(self, child: ChildProcess, limit_bytes: int) -> None:
        self.has_killed = False
        self._child = child
        self._limit_bytes = limit_bytes
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_MEMORY_SAMPLE_S, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if self._child.resident_bytes() > self._limit_bytes:
            self.has_killed = True
            self._child.kill()
        else:
            self._timer = self._loop.call_later(_MEMORY_SAMPLE_S, self._look)


async def _kill(child: ChildProcess) -> None:
    child.kill()
    with anyio.move_on_after(_END_OF_KILLED_S):  # a process stuck in the kernel may outlive even SIGKILL
        await child.wait_ended()


def _type_of(payload: bytes) -> str:
    return str(json.loads(payload)["errorType"])

"""This process as the execution environment: `async def` on the loop, `def` in a thread of its own.

What cannot be had here, and needs isolation="process": stopping a thread, a memory limit, a module state of one's own,
captured output, the invocation's trace in `_X_AMZN_TRACE_ID`.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import orjson

from eventmap import telemetry
from eventmap.clock import elapsed_s, utc_now
from eventmap.function import Function
from eventmap.model import FunctionError, Response, Returned
from eventmap.runtime import error_object, loading, memory, report
from eventmap.runtime.context import LambdaContext, Place
from eventmap.runtime.environment import Completed, Invocation, function_error
from eventmap.runtime.response import RESPONSE_LIMIT_BYTES, to_json
from eventmap.runtime.streaming import drained
from eventmap.runtime.thread import OwnThread

_log = telemetry.logger("eventmap.runtime")


class InlineEnvironment:
    """One invocation at a time; a `def` handler that is given up on keeps it busy until its thread comes back."""

    def __init__(self, function: Function, place: Place, log: report.InvocationLog) -> None:
        self.born_at: float = elapsed_s()
        self.is_new: bool = True
        self.init_duration_s: float | None = None
        self.unfinished: asyncio.Future[object] | None = None
        self.is_usable = True
        self._function = function
        self._place = place
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._thread: OwnThread | None = None
        self._handler: Callable[[Any, Any], object] | None = None
        self._is_async = False

    async def initialize(self) -> FunctionError | None:
        """Import the handler, on the loop's thread and without a limit of its own: an import cannot be interrupted.

        Rules: INV-31, 70, 132.
        """
        started, self.is_new = elapsed_s(), False
        failure = self._import("", "init")
        if failure is None:
            self.init_duration_s = elapsed_s() - started
        return failure

    async def invoke(self, invocation: Invocation) -> Completed:
        """Run the handler. Rules: INV-30..34, 70, 72."""
        request_id, timeout = invocation.request_id, self._function.timeout
        started = self._loop.time()
        if self._handler is None and (failure := self._import(request_id, "invoke")) is not None:
            return Completed(failure, self._loop.time() - started, "error")
        try:
            context = LambdaContext(
                request_id,
                self._place,
                deadline=started + timeout,
                clock=self._loop.time,
                client_context=invocation.client_context,
                invoked_arn=invocation.invoked_arn,
            )
        except (TypeError, AttributeError) as error:
            return Completed(function_error(error_object.of_unreadable_context(error, request_id)), 0.0)
        with anyio.CancelScope(deadline=started + timeout) as limit:
            response = await self._run(invocation, context, limit)
            duration_s = self._loop.time() - started
            # A coroutine that blocked the loop past its deadline was never cancelled; it is too late all the same.
            if not limit.cancel_called and duration_s < timeout:
                status: report.Status = "success"
                if isinstance(response, FunctionError):
                    status = self._report_failure(response, request_id)
                return Completed(response, duration_s, status)
        return self._time_out(request_id)

    def max_memory_used_mb(self) -> int:
        """The peak of this whole process."""
        return math.ceil(memory.own_peak_bytes() / 2**20)

    async def shut_down(self) -> None:
        """Let the thread end when it is free; one that is stuck is left to the end of the process."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    async def _run(self, invocation: Invocation, context: LambdaContext, limit: anyio.CancelScope) -> Response:
        task = asyncio.current_task()
        cancellations = 0 if task is None else task.cancelling()
        try:
            if self._is_async:
                result = self._call(invocation.event.text, context)
            else:
                result = await self._call_in_thread(invocation.event.text, context)
            if isinstance(result, Awaitable):
                result = await result
            if isinstance(result, AsyncGenerator):
                result = await drained(result, invocation.stream)
            payload = to_json(result)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except SystemExit as error:
            return function_error(error_object.of_exit(invocation.request_id, error_object.exit_status(error)))
        except asyncio.CancelledError as error:
            # Cancelled by the deadline or by our caller, or did the handler itself raise it?
            if limit.cancel_called or task is None or task.cancelling() > cancellations:
                raise
            return function_error(error_object.of_exception(error, invocation.request_id))
        # The handler's failure is data: it becomes the error object of the invocation.
        except BaseException as error:
            return function_error(error_object.of_exception(error, invocation.request_id))
        return Returned(payload) if len(payload) <= RESPONSE_LIMIT_BYTES else function_error(error_object.of_size())

    def _call(self, text: bytes, context: LambdaContext) -> Any:
        assert self._handler is not None
        # Parsed anew every time: handlers change their event, and a retry must see the original.
        return self._handler(orjson.loads(text), context)

    async def _call_in_thread(self, text: bytes, context: LambdaContext) -> object:
        if self._thread is None:
            self._thread = OwnThread(f"eventmap-{self._function.function_name}")
        call = functools.partial(contextvars.copy_context().run, self._call_keeping_exit, text, context)
        job = self._loop.run_in_executor(self._thread, call)
        try:
            result = await asyncio.shield(job)  # unlike awaiting the job, does not cancel it with us
        except asyncio.CancelledError:
            if not job.done():
                self.unfinished = job
                job.add_done_callback(self._came_back)
            raise
        if isinstance(result, _Raised):
            raise result.error
        return result

    def _call_keeping_exit(self, text: bytes, context: LambdaContext) -> object:
        try:
            return self._call(text, context)
        # A future passes neither SystemExit nor StopIteration on as it should; a value passes everything.
        except BaseException as error:
            return _Raised(error)

    def _came_back(self, job: asyncio.Future[Any]) -> None:
        self.unfinished = None
        if not job.cancelled() and inspect.iscoroutine(result := job.result()):
            result.close()

    def _time_out(self, request_id: str) -> Completed:
        timeout = self._function.timeout
        if self.unfinished is not None:
            _log.warning(
                telemetry.ENVIRONMENT_STUCK,
                function_name=self._function.function_name,
                request_id=request_id,
                advice='a thread cannot be stopped; isolation="process" ends a handler that is too late',
            )
        if self._log.enabled:
            line = report.timed_out(utc_now(), request_id, timeout)
            self._log.line(self._function.function_name, request_id, line)
        failure = function_error(error_object.of_timeout(request_id, timeout), timed_out=True)
        return Completed(failure, float(timeout), "timeout")

    def _import(self, request_id: str, phase: report.Phase) -> FunctionError | None:
        handler, started = self._function.handler, elapsed_s()
        try:
            found = loading.load(handler) if isinstance(handler, str) else handler
            if not callable(found):
                raise TypeError(f"{handler!r} is not callable")
        except (KeyboardInterrupt, GeneratorExit):
            raise
        # Whatever the user's module raises is data: it becomes the error object of Init.
        except BaseException as error:
            if isinstance(error, SystemExit):
                failure = function_error(error_object.of_exit(request_id, error_object.exit_status(error)))
            else:
                failure = function_error(error_object.of_init(error, str(handler)))
            self._report_failure(failure, request_id)
            self._report_init(elapsed_s() - started, request_id, phase, failure.error_type)
            return failure
        self._handler, self._is_async = found, is_async(found)
        return None

    def _report_init(self, duration_s: float, request_id: str, phase: report.Phase, error_type: str) -> None:
        name = self._function.function_name
        _log.warning(
            telemetry.ENVIRONMENT_INIT_FAILED,
            function_name=name,
            request_id=request_id,
            phase=phase,
            error_type=error_type,
        )
        if self._log.enabled:
            self._log.line(name, request_id, report.init_report(duration_s, phase, "error", error_type))

    def _report_failure(self, failure: FunctionError, request_id: str) -> report.Status:
        error = orjson.loads(failure.payload)
        is_raised = "stackTrace" in error
        if self._log.enabled:
            if is_raised:
                record = report.unhandled(error["errorType"], error["errorMessage"], error["stackTrace"])
            else:
                record = report.exited(error["errorMessage"], error["errorType"])
            self._log.line(self._function.function_name, request_id, record)
        return "success" if is_raised else "error"


class _Raised:
    """What a handler raised in its thread."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def is_async(handler: object) -> bool:
    """Whether calling it runs nothing yet: an `async def`, a partial of one, an object with an async `__call__`."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (handler, getattr(handler, "__call__", None))  # noqa: B004
    )

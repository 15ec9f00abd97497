"""One function, ready to be invoked: an event and a free environment in, a response out."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import anyio

from eventmap import telemetry
from eventmap.clock import elapsed_s, utc_now
from eventmap.errors import ConfigurationError, EnvironmentNotStarted
from eventmap.function import Function
from eventmap.model import Event, FunctionError, JsonObject, Refused, Response, Stream
from eventmap.rules.invoke_errors import busy_reason
from eventmap.rules.partition import partition
from eventmap.runtime import error_object, report
from eventmap.runtime.child_process import ChildProcess
from eventmap.runtime.context import Place
from eventmap.runtime.environment import Completed, ExecutionEnvironment, Invocation, function_error
from eventmap.runtime.inline import InlineEnvironment
from eventmap.runtime.pool import Pool
from eventmap.runtime.process import ProcessEnvironment, Sandbox
from eventmap.runtime.report import InvocationLog
from eventmap.runtime.target import target_of
from eventmap.runtime.variables import process_environment

EVENT_LIMIT_BYTES: Final = 6_291_456
"""The largest event Invoke accepts (INV-19)."""

INIT_TIMEOUT_S: Final = 10.0
"""How long an Init outside an invocation may take (INV-70)."""

_NO_ENVIRONMENT: Final = "ServiceException"
_log = telemetry.logger("eventmap.runtime")


class FunctionRuntime:
    """Runs one function in at most `function.concurrency` environments, while it is entered as a context manager.

    `extra_environment` holds variables for child processes, below the function's own; None = none.
    `init_timeout_s` limits an Init outside an invocation, in seconds; inline imports cannot be interrupted.
    Raises: ConfigurationError if isolation is "process" and the handler cannot be imported by another process.
    """

    def __init__(
        self,
        function: Function,
        *,
        region: str,
        account_id: str,
        log: InvocationLog,
        extra_environment: Mapping[str, str] | None = None,
        init_timeout_s: float = INIT_TIMEOUT_S,
    ) -> None:
        self._function = function
        self._region = region
        self._log = log
        self._extra_environment = dict(extra_environment or {})
        self._init_timeout_s = init_timeout_s
        self._arn = f"arn:{partition(region)}:lambda:{region}:{account_id}:function:{function.function_name}"
        self._target = _target(function)
        self._pool = Pool(
            function.concurrency,
            self._create_environment,
            idle_timeout_s=function.idle_timeout_s,
            maximum_lifetime_s=function.maximum_lifetime_s,
        )
        self._someone_is_idle = anyio.Event()
        self._released = anyio.Event()

    @property
    def arn(self) -> str:
        """The function's own, unqualified."""
        return self._arn

    @property
    def free(self) -> int:
        """How many invocations could start now; a handler stuck in its thread still counts as running."""
        return self._pool.free

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._sweep)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):  # bounded: each shutdown is
            async with anyio.create_task_group() as closing:
                for environment in self._pool.close():
                    closing.start_soon(environment.shut_down)
        # Our caller's exception is not the group's business: handed over, it would come back wrapped in a group.
        await self._tasks.__aexit__(None, None, None)

    async def invoke(
        self,
        event: Event,
        *,
        request_id: str | None = None,
        client_context: JsonObject | None = None,
        invoked_arn: str | None = None,
        trace_id: str = "",
        stream: Stream | None = None,
    ) -> Response:
        """Run the handler once on `event`; a `request_id` of None makes one up.

        `invoked_arn` is what the context shows, None = the function's own (INV-101). `trace_id`, printable text, is in
        the child's `_X_AMZN_TRACE_ID` while it runs, "" = none; inline handlers share one environment of variables and
        do not see it. `stream` takes what an inline `async` generator yields, as it comes; the response is then `null`.
        Never queues: Refused when all environments are busy, or none could be started. Cancelled, it leaves nothing
        running that can be stopped.
        """
        invocation = Invocation(request_id or new_request_id(), event, client_context, invoked_arn, trace_id, stream)
        if len(event.text) > EVENT_LIMIT_BYTES:
            return function_error(error_object.of_large_event(EVENT_LIMIT_BYTES))
        environment = self._take()
        if environment is None:
            return Refused(busy_reason(self._function))
        try:
            if environment.is_new:
                await environment.initialize()  # if it fails, the invocation itself repeats it and tells (INV-70)
            completed = await self._run(environment, invocation)
        except EnvironmentNotStarted as error:
            return self._refuse(invocation, error)
        finally:
            self._release(environment)
        return completed.response

    async def warm(self) -> FunctionError | None:
        """Run Init in one environment now, if none is warm, and keep it; returns why Init failed.

        Raises: EnvironmentNotStarted.
        """
        environment = None if self._pool.has_idle else self._take()
        if environment is None:
            return None
        try:
            return await environment.initialize()
        finally:
            self._release(environment)

    def reload(self) -> None:
        """Let every later invocation import the handler anew; those running finish in the old code.

        Raises: ConfigurationError with isolation "inline": a module cannot be imported anew safely.
        """
        if self._function.isolation == "inline":
            raise ConfigurationError(
                f"function {self._function.function_name!r} runs inline and cannot be reloaded; "
                'use isolation="process", or restart'
            )
        for environment in self._pool.retire_all():
            self._tasks.start_soon(environment.shut_down)

    def replace(self, function: Function) -> None:
        """Run later invocations on another code or configuration of the function; those running end on the old one.

        Raises: ConfigurationError as at the beginning; the old one runs on then.
        """
        target = _target(function)
        self._function = function
        self._target = target
        retired = self._pool.replace(
            function.concurrency,
            idle_timeout_s=function.idle_timeout_s,
            maximum_lifetime_s=function.maximum_lifetime_s,
        )
        for environment in retired:
            self._tasks.start_soon(environment.shut_down)

    async def idle(self) -> None:
        """Wait until no invocation runs; handlers stuck in their threads still count."""
        while self._pool.is_busy:
            self._released = anyio.Event()
            await self._released.wait()

    async def _run(self, environment: ExecutionEnvironment, invocation: Invocation) -> Completed:
        name, request_id = self._function.function_name, invocation.request_id
        if self._log.enabled:
            self._log.line(name, request_id, report.start(request_id))
        completed = await environment.invoke(invocation)
        response = completed.response
        if isinstance(response, FunctionError):
            event = telemetry.INVOCATION_TIMED_OUT if response.timed_out else telemetry.INVOCATION_FAILED
            fields = {"function_name": name, "request_id": request_id, "error_type": response.error_type}
            _log.warning(event, **fields)
        if self._log.enabled:
            self._log.line(name, request_id, report.end(request_id))
            line = report.report(
                request_id,
                duration_s=completed.duration_s,
                memory_size=self._function.memory_size,
                max_memory_used_mb=environment.max_memory_used_mb(),
                init_duration_s=environment.init_duration_s,
                status=completed.status,
                error_type=response.error_type if isinstance(response, FunctionError) else None,
            )
            self._log.line(name, request_id, line)
        environment.init_duration_s = None
        return completed

    def _refuse(self, invocation: Invocation, error: EnvironmentNotStarted) -> Refused:
        _log.error(
            telemetry.INVOCATION_REFUSED,
            function_name=self._function.function_name,
            request_id=invocation.request_id,
            reason=str(error),
        )
        return Refused(_NO_ENVIRONMENT)

    def _take(self) -> ExecutionEnvironment | None:
        environment, dead = self._pool.take()
        for each in dead:
            self._tasks.start_soon(each.shut_down)
        return environment

    def _release(self, environment: ExecutionEnvironment) -> None:
        if self._pool.is_closed:
            return  # it has been shut down with all others
        if environment.unfinished is not None:
            environment.unfinished.add_done_callback(lambda _: self._release(environment))
        elif not self._pool.give_back(environment, elapsed_s()):
            self._tasks.start_soon(environment.shut_down)
        elif not self._someone_is_idle.is_set():
            self._someone_is_idle.set()
        if not self._released.is_set():
            self._released.set()

    async def _sweep(self) -> None:
        while True:
            expiry = self._pool.next_expiry()
            if expiry is None:
                self._someone_is_idle = anyio.Event()
                await self._someone_is_idle.wait()
                continue
            await anyio.sleep(max(expiry - elapsed_s(), 0))
            for environment in self._pool.expire(elapsed_s()):
                self._tasks.start_soon(environment.shut_down)

    def _create_environment(self) -> ExecutionEnvironment:
        function = self._function
        place = Place(
            function.function_name,
            function_arn=self._arn,
            memory_limit_in_mb=str(function.memory_size),
            log_stream_name=f"{utc_now():%Y/%m/%d}/[{report.VERSION}]{os.urandom(16).hex()}",
        )
        if function.isolation == "inline":
            return InlineEnvironment(function, place, self._log)
        variables = process_environment(
            function,
            self._target,
            place,
            region=self._region,
            extra=self._extra_environment,
            inherited=os.environ,
        )
        spawn = functools.partial(ChildProcess, self._target, variables, function.function_name, self._log)
        return ProcessEnvironment(Sandbox(function, spawn, self._log, self._init_timeout_s))


def _target(function: Function) -> str:
    """Where another process finds the handler; "" = none is asked to. Raises: ConfigurationError."""
    if function.isolation == "inline":
        return ""
    return function.handler if isinstance(function.handler, str) else target_of(function.handler)


def new_request_id() -> str:
    """A random UUID (version 4) as text."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

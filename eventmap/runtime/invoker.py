"""One function, ready to be invoked: an event and a free environment in, a response out."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import anyio

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.errors import ConfigurationError, EnvironmentNotStarted
from eventmap.function import LATEST, Function
from eventmap.model import Event, FunctionError, JsonObject, Refused, Response, Stream
from eventmap.rules.invoke_errors import busy_reason
from eventmap.rules.partition import partition
from eventmap.runtime import error_object, report
from eventmap.runtime.code import Code, Surroundings
from eventmap.runtime.environment import Completed, ExecutionEnvironment, Invocation, function_error
from eventmap.runtime.report import InvocationLog

EVENT_LIMIT_BYTES: Final = 6_291_456
"""The largest event Invoke accepts (INV-19)."""

INIT_TIMEOUT_S: Final = 10.0
"""How long an Init outside an invocation may take (INV-70)."""

_NO_ENVIRONMENT: Final = "ServiceException"
_NOT_FOUND: Final = "ResourceNotFoundException"  # an alias or version that went while the call was on its way
_log = telemetry.logger("eventmap.runtime")


class FunctionRuntime:
    """Runs one function in at most `function.concurrency` environments, while it is entered as a context manager.

    Its published versions run here too, each in environments of its own, within the same concurrency.
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
        self._log = log
        self._arn = f"arn:{partition(region)}:lambda:{region}:{account_id}:function:{function.function_name}"
        self._surroundings = Surroundings(self._arn, region, log, dict(extra_environment or {}), init_timeout_s)
        self._codes = self._loaded(function)
        self._leaving: list[Code] = []  # of versions that are no more, while they run
        self._busy = 0  # environments, over all versions
        self._sweeps_at = math.inf
        self._sooner = anyio.Event()  # an environment is to go before the next sweep
        self._released = anyio.Event()

    @property
    def arn(self) -> str:
        """The function's own, unqualified."""
        return self._arn

    @property
    def free(self) -> int:
        """How many invocations could start now; a handler stuck in its thread still counts as running."""
        return self._function.concurrency - self._busy

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
                for code in (*self._codes.values(), *self._leaving):
                    for environment in code.pool.close():
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

        `invoked_arn` is what the context shows, and its qualifier says what runs; None = the function's own (INV-101).
        `trace_id`, printable text, is in the child's `_X_AMZN_TRACE_ID` while it runs, "" = none; inline handlers share
        one environment of variables and do not see it. `stream` takes what an inline `async` generator yields, as it
        comes; the response is then `null`.
        Never queues: Refused when all environments are busy, or none could be started. Cancelled, it leaves nothing
        running that can be stopped.
        """
        invocation = Invocation(request_id or new_request_id(), event, client_context, invoked_arn, trace_id, stream)
        if len(event.text) > EVENT_LIMIT_BYTES:
            return function_error(error_object.of_large_event(EVENT_LIMIT_BYTES))
        version = self._version(invoked_arn)
        if version is None:
            return Refused(_NOT_FOUND)
        code = self._codes[version]
        environment = self._take(code)
        if environment is None:
            return Refused(busy_reason(self._function))
        try:
            if environment.is_new:
                await environment.initialize()  # if it fails, the invocation itself repeats it and tells (INV-70)
            completed = await self._run(code.function, environment, invocation)
        except EnvironmentNotStarted as error:
            return self._refuse(invocation, error)
        finally:
            self._release(code, environment)
        return completed.response

    async def warm(self) -> FunctionError | None:
        """Run Init of `$LATEST` in one environment now, if none is warm, and keep it; returns why Init failed.

        Raises: EnvironmentNotStarted.
        """
        code = self._codes[LATEST]
        environment = None if code.pool.has_idle else self._take(code)
        if environment is None:
            return None
        try:
            return await environment.initialize()
        finally:
            self._release(code, environment)

    def reload(self) -> None:
        """Let every later invocation import the handler anew; those running finish in the old code.

        Raises: ConfigurationError with isolation "inline": a module cannot be imported anew safely.
        """
        if self._function.isolation == "inline":
            raise ConfigurationError(
                f"function {self._function.function_name!r} runs inline and cannot be reloaded; "
                'use isolation="process", or restart'
            )
        for code in self._codes.values():
            self._shut_down(code.pool.retire_all())

    def replace(self, function: Function) -> None:
        """Run later invocations on another code or configuration of the function; those running end on the old one.

        Raises: ConfigurationError as at the beginning; the old one runs on then.
        """
        wanted = self._loaded(function)
        self._shut_down(self._codes[LATEST].replace(function, function.concurrency))
        self._function = function
        self._leaving = [code for code in self._leaving if code.pool.is_busy]
        for version, code in list(self._codes.items()):
            if version not in wanted:
                self._leaving.append(self._codes.pop(version))
                self._shut_down(code.pool.retire_all())
            elif version != LATEST:
                self._shut_down(code.replace(function.versions[version], function.concurrency))
        self._codes = wanted | self._codes

    async def idle(self) -> None:
        """Wait until no invocation runs; handlers stuck in their threads still count."""
        while self._busy:
            self._released = anyio.Event()
            await self._released.wait()

    async def _run(self, function: Function, environment: ExecutionEnvironment, invocation: Invocation) -> Completed:
        name, request_id = function.function_name, invocation.request_id
        if self._log.enabled:
            self._log.line(name, request_id, report.start(request_id, function.version))
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
                memory_size=function.memory_size,
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

    def _version(self, invoked_arn: str | None) -> str | None:
        """What runs now for an ARN as invoked; None = the function has no such alias or version any more."""
        if invoked_arn is None or not invoked_arn.startswith(f"{self._arn}:"):
            return LATEST
        function = self._function.runs(invoked_arn[len(self._arn) + 1 :])
        return None if function is None else function.version

    def _loaded(self, function: Function) -> dict[str, Code]:
        return {
            each.version: Code(each, function.concurrency, self._surroundings)
            for each in (function, *function.versions.values())
        }

    def _take(self, code: Code) -> ExecutionEnvironment | None:
        if self.free <= 0:
            return None
        environment, dead = code.pool.take()
        self._shut_down(dead)
        self._busy += environment is not None
        return environment

    def _release(self, code: Code, environment: ExecutionEnvironment) -> None:
        if code.pool.is_closed:
            return  # it has been shut down with all others
        if environment.unfinished is not None:
            environment.unfinished.add_done_callback(lambda _: self._release(code, environment))
            return
        self._busy -= 1
        now = elapsed_s()
        if not code.pool.give_back(environment, now):
            self._tasks.start_soon(environment.shut_down)
        elif code.pool.expiry(environment, now) < self._sweeps_at:
            self._sooner.set()
        if not self._released.is_set():
            self._released.set()

    def _shut_down(self, environments: list[ExecutionEnvironment]) -> None:
        for environment in environments:
            self._tasks.start_soon(environment.shut_down)

    async def _sweep(self) -> None:
        while True:
            expiries = [code.pool.next_expiry() for code in self._codes.values()]
            self._sweeps_at = min((each for each in expiries if each is not None), default=math.inf)
            self._sooner = anyio.Event()
            with anyio.CancelScope(deadline=self._sweeps_at):
                await self._sooner.wait()
            for code in self._codes.values():
                self._shut_down(code.pool.expire(elapsed_s()))


def new_request_id() -> str:
    """A random UUID (version 4) as text."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

"""One version of a function: its code, its configuration, and the environments that run it."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

from eventmap.clock import utc_now
from eventmap.function import Function
from eventmap.runtime.child_process import ChildProcess
from eventmap.runtime.context import Place
from eventmap.runtime.environment import ExecutionEnvironment
from eventmap.runtime.inline import InlineEnvironment
from eventmap.runtime.pool import Pool
from eventmap.runtime.process import ProcessEnvironment, Sandbox
from eventmap.runtime.report import InvocationLog
from eventmap.runtime.target import target_of
from eventmap.runtime.variables import process_environment


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all versions of a function run in."""

    function_arn: str  #: unqualified
    region: str
    log: InvocationLog
    extra_environment: Mapping[str, str]  #: variables for child processes, below the function's own
    init_timeout_s: float  #: of an Init outside an invocation


class Code:
    """Raises: ConfigurationError if isolation is "process" and the handler cannot be imported by another process."""

    def __init__(self, function: Function, limit: int, surroundings: Surroundings) -> None:
        """`limit` is how many environments may be busy at once."""
        self.function: Function = function
        self._target = _target(function)
        self._surroundings = surroundings
        self.pool: Pool = Pool(
            limit,
            self._create_environment,
            idle_timeout_s=function.idle_timeout_s,
            maximum_lifetime_s=function.maximum_lifetime_s,
        )

    def replace(self, function: Function, limit: int) -> list[ExecutionEnvironment]:
        """Go on with another code or configuration; returns the environments to be shut down now.

        Environments stay warm over changes that none of them can see. Raises: as at the beginning.
        """
        target, is_alike = _target(function), _runs_alike(function, self.function)
        self.function, self._target = function, target
        self.pool.resize(limit, idle_timeout_s=function.idle_timeout_s, maximum_lifetime_s=function.maximum_lifetime_s)
        return [] if is_alike else self.pool.retire_all()

    def _create_environment(self) -> ExecutionEnvironment:
        function, around = self.function, self._surroundings
        place = Place(
            function.function_name,
            function_version=function.version,
            function_arn=around.function_arn,
            memory_limit_in_mb=str(function.memory_size),
            log_stream_name=f"{utc_now():%Y/%m/%d}/[{function.version}]{os.urandom(16).hex()}",
        )
        if function.isolation == "inline":
            return InlineEnvironment(function, place, around.log)
        variables = process_environment(
            function,
            self._target,
            place,
            region=around.region,
            extra=around.extra_environment,
            inherited=os.environ,
        )
        spawn = functools.partial(
            ChildProcess, self._target, variables, function.function_name, around.log, function.code_folder
        )
        return ProcessEnvironment(Sandbox(function, spawn, around.log, around.init_timeout_s))


def _runs_alike(one: Function, other: Function) -> bool:
    """Whether an environment of the one may run the other; code that lies outside a code folder may have changed."""
    return one.code_folder is not None and all(
        getattr(one, name) == getattr(other, name)
        for name in ("code_folder", "handler", "timeout", "memory_size", "environment", "isolation", "version")
    )


def _target(function: Function) -> str:
    """Where another process finds the handler; "" = none is asked to. Raises: ConfigurationError."""
    if function.isolation == "inline":
        return ""
    return function.handler if isinstance(function.handler, str) else target_of(function.handler)

"""Function: a handler and its Lambda configuration, validated once with AWS' ranges and words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from eventmap.errors import ConstraintViolated, InvalidParameterValue

Handler = Callable[[Any, Any], object]
"""`def` or `async def` taking (event, context). An `async def` is an extension of ours (INV-37)."""

Isolation = Literal["process", "inline"]

RESERVED_ENVIRONMENT: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""Names a user may not set (INV-115)."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ALIAS = re.compile(r"(?!\d+$)[a-zA-Z0-9_-]{1,128}", re.ASCII)
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_ENVIRONMENT_LIMIT_BYTES = 4096
DEFAULT_CONCURRENCY: Final = 10


LATEST: Final = "$LATEST"
"""The version that is no published one: what the function is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInvokeConfig:
    """How asynchronous events addressed to one qualifier are retried, and where the records of their ends go (INV-45).

    Raises: InvalidParameterValue, ConstraintViolated.
    """

    maximum_retry_attempts: int = 2  #: 0..2 (INV-41)
    maximum_event_age_in_seconds: int = 21_600  #: 60..21,600 (INV-44)
    destination_config: Mapping[str, Any] = field(default_factory=dict)  #: as a Function's

    def __post_init__(self) -> None:
        check_range("maximumRetryAttempts", self.maximum_retry_attempts, 0, 2)
        check_range("maximumEventAgeInSeconds", self.maximum_event_age_in_seconds, 60, 21_600)

    @property
    def on_success(self) -> str | None:
        """The ARN that gets the record of a success; None = none."""
        return _destination(self.destination_config, "OnSuccess")

    @property
    def on_failure(self) -> str | None:
        """The ARN that gets the record of an event given up; None = none."""
        return _destination(self.destination_config, "OnFailure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What Lambda calls a function. AWS' names, units and defaults; every field is honoured.

    Raises: InvalidParameterValue. Rules: INV-80, 81, 85, 87, 92.
    """

    handler: Handler | str
    """The callable itself, or where to import it: `module:attribute` or `path/to/file.py:attribute`, 128 characters.

    `isolation="process"` imports it anew in the child, so a callable must then be reachable as `module:qualname`.
    """

    function_name: str
    """1..64 of letters, digits, `-` and `_`."""

    timeout: int = 3
    """Seconds one invocation may run, 1..900. Init has 10 s of its own (INV-70)."""

    memory_size: int = 128
    """MB, 128..10,240: shown in the context and the REPORT line; with `isolation="process"` also a limit (INV-35)."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables seen by the handler, 4 KB in all; must be empty inline, where the environment is this process' own."""

    reserved_concurrent_executions: int | None = None
    """How many invocations may run at once, over all mappings; 0 = none ever starts; None = our default of 10."""

    aliases: Sequence[str] | Mapping[str, str] = ()
    """Further names it is called by, `NAME:ALIAS` (INV-15). 1..128 of letters, digits, `-` and `_`, and not digits
    alone, which would be a version's. A list: all of them run this same code; a table: each runs the version it names,
    one of `versions` or `$LATEST`."""

    version: str = LATEST
    """`$LATEST`, or the number it was published under."""

    versions: Mapping[str, Function] = field(default_factory=dict)
    """What was published of it, by number: each with a handler and configuration of its own, under the same name, and
    all within the concurrency of this one."""

    event_invoke_configs: Mapping[str, EventInvokeConfig] = field(default_factory=dict)
    """By qualifier, `$LATEST` included: how asynchronous events that are addressed to it are retried, and where their
    records go (INV-45, 67). Those of qualifiers that are not named here go by the three fields that follow."""

    maximum_retry_attempts: int = 2
    """How often a failed asynchronous event is tried again, 0..2 (INV-41)."""

    maximum_event_age_in_seconds: int = 21_600
    """How old an asynchronous event may become before it is given up, 60..21,600 (INV-44)."""

    destination_config: Mapping[str, Any] = field(default_factory=dict)
    """`{"OnSuccess": {"Destination": ARN}, "OnFailure": {"Destination": ARN}}`, each optional: where the record of an
    asynchronous event's end goes: a queue, topic, function or event bus, and a bucket on failure (INV-55..59)."""

    dead_letter_config: Mapping[str, Any] = field(default_factory=dict)
    """`{"TargetArn": ARN}` of a queue or topic that gets the events given up, as they were (INV-65)."""

    code_folder: str | None = None
    """The folder of its code: the current one of its processes, and the first in which a module is looked for. None =
    the folder that eventmap was started in. Only with `isolation="process"`, and a handler that is a text."""

    isolation: Isolation = "inline"
    """Where it runs: `process` = a child process per environment, as Lambda does; `inline` = inside this process."""

    idle_timeout_s: float = 300.0
    """Our own setting: a warm environment unused for so long is shut down (INV-78)."""

    maximum_lifetime_s: float = 4 * 3600.0
    """Our own setting: an environment older than this is replaced after its invocation (INV-78)."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(_text("functionName", self.function_name)):
            raise InvalidParameterValue(
                _violation(
                    self.function_name,
                    "functionName",
                    "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]{1,64}",
                )
            )
        if isinstance(self.handler, str):
            if len(self.handler) > 128:
                raise InvalidParameterValue(
                    _violation(self.handler, "handler", "Member must have length less than or equal to 128")
                )
            if ":" not in self.handler:
                raise InvalidParameterValue(
                    f"handler {self.handler!r} is not of the form module:attribute or path/to/file.py:attribute"
                )
        elif not callable(self.handler):
            raise InvalidParameterValue(f"handler of function {self.function_name!r} is not callable: {self.handler!r}")
        check_range("timeout", self.timeout, 1, 900)
        check_range("memorySize", self.memory_size, 128, 10_240)
        check_range("maximumRetryAttempts", self.maximum_retry_attempts, 0, 2)
        check_range("maximumEventAgeInSeconds", self.maximum_event_age_in_seconds, 60, 21_600)
        self._check_aliases()
        check_destinations(self.function_name, self.destination_config, self.dead_letter_config)
        if self.reserved_concurrent_executions is not None:
            check_range("reservedConcurrentExecutions", self.reserved_concurrent_executions, 0, 100_000)
        if self.isolation not in get_args(Isolation):
            raise InvalidParameterValue(f"isolation {self.isolation!r} is unknown; choose process or inline")
        for name, seconds in (("idle_timeout_s", self.idle_timeout_s), ("maximum_lifetime_s", self.maximum_lifetime_s)):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
                raise InvalidParameterValue(f"{name} must be a number of seconds above 0, not {seconds!r}")
        if self.code_folder is not None and (self.isolation != "process" or not isinstance(self.handler, str)):
            raise InvalidParameterValue(
                f"function {self.function_name!r} has a code_folder, which only a process of its own can be given: "
                'use isolation="process", and name the handler as module:attribute'
            )
        self._check_environment()
        self._check_qualified()

    def _check_qualified(self) -> None:
        for version, function in self.versions.items():
            is_its = isinstance(function, Function) and not function.versions
            if not is_its or (function.function_name, function.version) != (self.function_name, version):
                raise InvalidParameterValue(f"version {version} of {self.function_name!r} is no such: {function!r}")
            if not version.isdecimal():
                raise InvalidParameterValue(f"a version is a number, not {version!r}")
        for qualifier, config in self.event_invoke_configs.items():
            if self.runs(qualifier) is None:
                raise InvalidParameterValue(f"{self.function_name!r} has no alias or version {qualifier!r}")
            check_destinations(self.function_name, config.destination_config, {})

    def _check_aliases(self) -> None:
        if not isinstance(self.aliases, list | tuple | Mapping):
            raise InvalidParameterValue(f"aliases must be a list of names, not {self.aliases!r}")
        for alias in self.aliases:
            if not _ALIAS.fullmatch(_text("alias", alias)):
                raise InvalidParameterValue(
                    _violation(
                        alias,
                        "name",
                        r"Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
                    )
                )
            if self.runs(alias) is None:
                raise InvalidParameterValue(f"alias {alias!r} of {self.function_name!r} names a version it has not")

    def _check_environment(self) -> None:
        if not isinstance(self.environment, Mapping):
            raise InvalidParameterValue(
                f"environment must be a table of strings, not {type(self.environment).__name__}"
            )
        for name, value in self.environment.items():
            if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
                raise InvalidParameterValue(
                    _violation(
                        str(name),
                        "environment.variables",
                        "Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+",
                    )
                )
            if not isinstance(value, str) or "\0" in value:
                raise InvalidParameterValue(f"environment variable {name} must be a string without NUL characters")
        if reserved := sorted(RESERVED_ENVIRONMENT & self.environment.keys()):
            raise InvalidParameterValue(
                "Lambda was unable to configure your environment variables because the environment variables you have "
                "provided contains reserved keys that are currently not supported for modification. "
                f"Reserved keys used in this request: {', '.join(reserved)}"
            )
        size = sum(len(name.encode()) + len(value.encode()) for name, value in self.environment.items())
        if size > _ENVIRONMENT_LIMIT_BYTES:
            raise InvalidParameterValue(
                "Lambda was unable to configure your environment variables because the environment variables you have "
                f"provided exceeded the 4KB limit: they measure {size} bytes"
            )
        if self.environment and self.isolation == "inline":
            raise InvalidParameterValue(
                f"function {self.function_name!r} sets environment variables, which inline isolation cannot give it "
                'alone; use isolation="process" or set them for the whole process'
            )

    def runs(self, qualifier: str) -> Function | None:
        """Whose code runs for an alias or version, looked up now; "" = `$LATEST`, this one. None = it has no such."""
        if qualifier in self.aliases:
            qualifier = self.aliases[qualifier] if isinstance(self.aliases, Mapping) else LATEST
        return self if qualifier in ("", LATEST) else self.versions.get(qualifier)

    def event_invoke_config(self, qualifier: str) -> EventInvokeConfig:
        """What holds for asynchronous events addressed to a qualifier; "" = `$LATEST` (INV-67)."""
        if (config := self.event_invoke_configs.get(qualifier or LATEST)) is not None:
            return config
        return EventInvokeConfig(
            maximum_retry_attempts=self.maximum_retry_attempts,
            maximum_event_age_in_seconds=self.maximum_event_age_in_seconds,
            destination_config=self.destination_config,
        )

    @property
    def qualifiers(self) -> tuple[str, ...]:
        """Its aliases and versions, `$LATEST` apart."""
        return (*self.aliases, *self.versions)

    @property
    def target_arns(self) -> frozenset[str]:
        """All that an asynchronous event of any qualifier may end at: destinations, dead-letter queues and topics."""
        arns = [self.on_success, self.on_failure]
        arns += [arn for each in self.event_invoke_configs.values() for arn in (each.on_success, each.on_failure)]
        arns += [each.dead_letter_arn for each in (self, *self.versions.values())]
        return frozenset(arn for arn in arns if arn)

    @property
    def on_success(self) -> str | None:
        """The ARN that gets the record of a success; None = none."""
        return _destination(self.destination_config, "OnSuccess")

    @property
    def on_failure(self) -> str | None:
        """The ARN that gets the record of an event given up; None = none."""
        return _destination(self.destination_config, "OnFailure")

    @property
    def dead_letter_arn(self) -> str | None:
        """The ARN of the dead-letter queue or topic; None = none."""
        return self.dead_letter_config.get("TargetArn")

    @property
    def concurrency(self) -> int:
        """How many invocations may run at once."""
        reserved = self.reserved_concurrent_executions
        return DEFAULT_CONCURRENCY if reserved is None else reserved


_EITHER = ("sqs", "sns", "lambda", "events")
_SERVICES: Final = {"OnSuccess": _EITHER, "OnFailure": (*_EITHER, "s3"), "TargetArn": ("sqs", "sns")}


def check_destinations(
    function_name: str, destination_config: Mapping[str, Any], dead_letter_config: Mapping[str, Any]
) -> None:
    """Raises: InvalidParameterValue for another shape, a service that takes none, or the function itself (INV-63)."""
    if not isinstance(destination_config, Mapping) or not destination_config.keys() <= {"OnSuccess", "OnFailure"}:
        raise InvalidParameterValue(
            'destinationConfig must be {"OnSuccess": {"Destination": ARN}, "OnFailure": {"Destination": ARN}}'
        )
    for outcome in destination_config:
        arn = _destination(destination_config, outcome)
        if arn is not None:
            _check_target(arn, outcome, f"destinationConfig.{outcome}")
            if arn.split(":")[2] == "lambda" and arn.split(":")[6:7] == [function_name]:
                raise InvalidParameterValue("You can't specify the function as a destination for itself.")
    if not isinstance(dead_letter_config, Mapping) or not dead_letter_config.keys() <= {"TargetArn"}:
        raise InvalidParameterValue('deadLetterConfig must be {"TargetArn": ARN}')
    if (target := dead_letter_config.get("TargetArn")) is not None:
        _check_target(target, "TargetArn", "deadLetterConfig.TargetArn")


def _check_target(given: object, kind: str, where: str) -> None:
    arn = given if isinstance(given, str) else ""
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn" or not all(parts[5:]):
        raise InvalidParameterValue(f"The destination ARN {given} is invalid. ({where})")
    if parts[2] not in _SERVICES[kind] or arn.endswith(".fifo"):
        raise InvalidParameterValue(
            f"The provided destination config DestinationConfig({kind}={arn}) is invalid. ({where} takes the ARN of "
            f"one of {', '.join(_SERVICES[kind])}, none of them FIFO)"
        )


def _destination(config: Mapping[str, Any], outcome: str) -> str | None:
    entry = config.get(outcome) or {}
    if not isinstance(entry, Mapping) or not entry.keys() <= {"Destination"}:
        raise InvalidParameterValue(f'destinationConfig.{outcome} must be {{"Destination": ARN}}, not {entry!r}')
    return entry.get("Destination")


def check_range(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is not a whole number in low..high, in the words AWS' validation uses.

    Raises: InvalidParameterValue, ConstraintViolated.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParameterValue(f"{name} must be a whole number, not {value!r}")
    if value < low:
        raise ConstraintViolated(_violation(value, name, f"Member must have value greater than or equal to {low}"))
    if value > high:
        raise ConstraintViolated(_violation(value, name, f"Member must have value less than or equal to {high}"))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidParameterValue(f"{name} must be a string, not {value!r}")
    return value


def _violation(value: object, name: str, constraint: str) -> str:
    return f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"

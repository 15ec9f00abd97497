"""Every exception eventmap raises.

EventmapError
├── ConfigurationError (ValueError)      what was declared cannot be run; raised before anything starts
│   ├── InvalidParameterValue            AWS would answer InvalidParameterValueException
│   │   └── InvalidPattern               a filter pattern AWS would refuse; names the field
│   ├── ResourceConflict                 the same queue and function are mapped twice
│   ├── TargetNotFound                   `module:attribute` does not lead to a handler or an App
│   └── CredentialsNotFound              no credentials, and none can be made up for a real endpoint
├── SourceError                          AWS, or a server that speaks for it, refused a call
│   ├── QueueNotFound
│   ├── AccessRefused                    wrong, expired or insufficient credentials; wrong region
│   └── TransientSourceError             worth trying again: throttled, 5xx, lost connection
├── FunctionNotInitialized               a function cannot Init, so nothing was received for it
├── EnvironmentNotStarted                no process, memory or descriptor is left for an execution environment
├── LocalEmulatorError                   the embedded emulator could not be started
├── VirtualTimeDeadlock                  a test on virtual time waits for something that cannot happen
└── HandlerBatchFailed                   every record of a batch failed in a per-record handler (SQS-101)

What a *handler* raises is data, never one of these: it becomes the error object of INV-30.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class EventmapError(Exception):
    """The root: `except EventmapError` catches whatever eventmap itself has to say."""


class ConfigurationError(EventmapError, ValueError):
    """Raised when a declaration cannot be run; the message names the field and what to write instead."""


class InvalidParameterValue(ConfigurationError):
    """Raised where AWS answers `InvalidParameterValueException`, in AWS' words where they are known."""


class InvalidPattern(InvalidParameterValue):
    """Raised for an event pattern AWS would refuse (FIL-08, FIL-70).

    `field` is the dotted path of the offending key, or "" for the pattern as a whole; `reason` is event-ruler's text.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        where = f' at "{field}"' if field else ""
        super().__init__(f"Event pattern is not valid{where}. Reason: {reason}")
        self.reason = reason
        self.field = field


class ResourceConflict(ConfigurationError):
    """Raised when one queue and one function are mapped a second time (SQS-13)."""


class TargetNotFound(ConfigurationError):
    """Raised when a TARGET does not lead to a handler or an App; says which part of it did not."""


class CredentialsNotFound(ConfigurationError):
    """Raised when a real endpoint is to be asked and no AWS credentials can be found."""

    def __init__(self) -> None:
        super().__init__(
            "no AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a --profile, "
            "or add --local to run against the embedded emulator"
        )


class SourceError(EventmapError):
    """Raised when a call to a source failed for good; `code` is AWS' error code."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class QueueNotFound(SourceError):
    """Raised when a queue does not exist where we looked for it (SQS-15)."""

    def __init__(self, queue: str, where: str) -> None:
        super().__init__(
            f'queue "{queue}" does not exist at {where}: check its name, --region and --endpoint-url, or create it',
            code="AWS.SimpleQueueService.NonExistentQueue",
        )
        self.queue = queue


class AccessRefused(SourceError):
    """Raised when the credentials are wrong, expired or not allowed to make the call."""


class TransientSourceError(SourceError):
    """Raised by one call that is worth repeating: throttled, answered 5xx, or its connection was lost.

    The call may have taken effect all the same: only its answer is known to be missing.
    """


class FunctionNotInitialized(EventmapError):
    """Raised before anything is received when functions cannot Init.

    `errors` maps each function's name to the error object of its Init (INV-31), as (type, message, stack trace).
    """

    def __init__(self, errors: Mapping[str, tuple[str, str, Sequence[str]]]) -> None:
        super().__init__("; ".join(f"{name} cannot Init: {kind}: {said}" for name, (kind, said, _) in errors.items()))
        self.errors: dict[str, tuple[str, str, Sequence[str]]] = dict(errors)


class EnvironmentNotStarted(EventmapError):
    """Raised when the system has no process, memory or descriptor left for an execution environment."""


class LocalEmulatorError(EventmapError):
    """Raised when the embedded emulator did not start; says what it printed last."""


class VirtualTimeDeadlock(EventmapError):
    """Raised out of a virtual-time loop when every task waits and nothing is left that could wake one."""

    def __init__(self, waiting: str) -> None:
        super().__init__(f"nothing left to wait for: deadlock. Waiting: {waiting}")


class HandlerBatchFailed(EventmapError):
    """Raised by a per-record handler when every record of the batch failed: the invocation then shows as an error."""

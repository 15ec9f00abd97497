"""Every exception eventmap raises.

EventmapError
├── ConfigurationError (ValueError)      what was declared cannot be run; raised before anything starts
│   ├── InvalidParameterValue            AWS would answer InvalidParameterValueException
│   │   ├── ConstraintViolated           AWS would answer ValidationException: its model does not allow the value
│   │   ├── InvalidSchedule              a schedule expression AWS would refuse, or one that can never be due
│   │   └── InvalidPattern               a filter pattern AWS would refuse; names the field
│   ├── BusRefusal                       EventBridge would refuse, with the error that it names
│   ├── ResourceConflict                 the same queue and function are mapped twice
│   ├── TargetNotFound                   `module:attribute` does not lead to a handler or an App
│   └── CredentialsNotFound              no credentials, and none can be made up for a real endpoint
├── SourceError                          AWS, or a server that speaks for it, refused a call
│   ├── QueueNotFound
│   ├── TopicNotFound
│   ├── BucketNotFound
│   ├── ObjectNotFound
│   ├── ObjectTooLarge                   larger than whoever reads it allows
│   ├── StreamNotFound                   no such stream or table, or the table has no stream
│   ├── ShardGone                        the shard does not exist any more: trimmed away as a whole
│   ├── IteratorExpired                  a shard iterator lived longer than its source allows
│   ├── RecordsTrimmed                   the records asked for are older than the source keeps them
│   ├── AccessRefused                    wrong, expired or insufficient credentials; wrong region
│   └── TransientSourceError             worth trying again: throttled, 5xx, lost connection
├── LeaseLost                            the right to read a shard is gone; another worker may have it
├── StateError                           checkpoints cannot be read or written: file, disk or lease table
│   └── StateNotFound                    there is no such file or table, and none was to be made
├── IdempotencyError                     a handler under @idempotent was not run, or its result is not kept
│   ├── KeyNotFound                      the event has no key, or an empty one
│   ├── KeyReused                        the key stands for another payload
│   ├── AlreadyInProgress                another call runs the same key now
│   ├── ClaimLost                        the run took longer than its claim, and another call began in its place
│   └── ResultNotStorable                the result is not JSON, or too long for the store
├── FunctionNotInitialized               a function cannot Init, so nothing was received for it
├── EnvironmentNotStarted                no process, memory or descriptor is left for an execution environment
├── LocalEmulatorError                   the embedded emulator could not be started
├── CognitoTriggerError                  what Cognito answers its client when a trigger fails (SRC-112)
│   ├── UserLambdaValidationException    the function raised
│   ├── InvalidLambdaResponseException   its answer is not the event with a response in it
│   └── UnexpectedLambdaException        no attempt came to an end
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


class ConstraintViolated(InvalidParameterValue):
    """Raised where AWS answers `ValidationException`: a value that the model of its API does not allow."""


class InvalidPattern(InvalidParameterValue):
    """Raised for an event pattern AWS would refuse (FIL-08, FIL-70).

    `field` is the dotted path of the offending key, or "" for the pattern as a whole; `reason` is event-ruler's text.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        where = f' at "{field}"' if field else ""
        super().__init__(f"Event pattern is not valid{where}. Reason: {reason}")
        self.reason = reason
        self.field = field


class InvalidSchedule(InvalidParameterValue):
    """Raised for a schedule expression AWS would refuse (SRC-51, SRC-68), or that is never due; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Parameter ScheduleExpression is not valid. {reason}")
        self.reason = reason


class BusRefusal(ConfigurationError):
    """Raised where EventBridge refuses; `error_type` is AWS' name of the error, such as ResourceNotFoundException."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


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


class TopicNotFound(SourceError):
    """Raised when a topic, or a subscription of one, does not exist where we looked for it."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(
            f'topic "{what}" does not exist at {where}: check its name, --region and --endpoint-url, or create it',
            code="NotFound",
        )


class BucketNotFound(SourceError):
    """Raised when a bucket does not exist where we looked for it."""

    def __init__(self, bucket: str, where: str) -> None:
        super().__init__(
            f'bucket "{bucket}" does not exist at {where}: check its name, --region and --endpoint-url, or create it',
            code="NoSuchBucket",
        )
        self.bucket = bucket


class ObjectNotFound(SourceError):
    """Raised when a bucket has no such object."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"bucket {bucket!r} has no object {key!r}", code="NoSuchKey")


class ObjectTooLarge(SourceError):
    """Raised when an object is larger than whoever reads it allows; it was not read."""

    def __init__(self, bucket: str, key: str, limit_bytes: int) -> None:
        super().__init__(f"object {key!r} of bucket {bucket!r} is larger than {limit_bytes} bytes", code="TooLarge")


class StreamNotFound(SourceError):
    """Raised when a stream or table does not exist where we looked for it, or a table has no stream (STR-17)."""


class ShardGone(SourceError):
    """Raised when a shard does not exist any more; what it held has been trimmed away (STR-152)."""


class IteratorExpired(SourceError):
    """Raised by one read whose shard iterator is too old; ask for a new one (STR-142, STR-154)."""


class RecordsTrimmed(SourceError):
    """Raised when a position lies before what the source still keeps (STR-145, STR-155)."""


class AccessRefused(SourceError):
    """Raised when the credentials are wrong, expired or not allowed to make the call."""


class TransientSourceError(SourceError):
    """Raised by one call that is worth repeating: throttled, answered 5xx, or its connection was lost.

    The call may have taken effect all the same: only its answer is known to be missing.
    """


class LeaseLost(EventmapError):
    """Raised when a shard may not be read any more: another worker has its lease, or ours was not renewed in time."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"lease {key!r} is lost: {why}; what was not saved is delivered again (STR-198, STR-201)")
        self.key = key


class StateError(EventmapError):
    """Raised when state cannot be read or written, such as checkpoints; names the file or table and the way out."""


class StateNotFound(StateError):
    """Raised when a state file or lease table is only to be looked into or mended, and there is none."""

    def __init__(self, what: str, option: str) -> None:
        super().__init__(f"{what} does not exist: nothing has been recorded there yet; name another with {option}")


class IdempotencyError(EventmapError):
    """Raised by a handler under `@idempotent` instead of an answer; the source delivers the event again."""


class KeyNotFound(IdempotencyError):
    """Raised before a handler runs when its event has no key, or an empty one."""


class KeyReused(IdempotencyError):
    """Raised before a handler runs when its event's key stands for another payload already."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"idempotency key {key} was used with another payload: one key must stand for one payload, "
            "so whoever sends them has to choose another key"
        )
        self.key = key


class AlreadyInProgress(IdempotencyError):
    """Raised before a handler runs while another call runs the same key; later it is answered that one's result."""

    def __init__(self, key: str, for_s: float) -> None:
        super().__init__(
            f"idempotency key {key} is being run by another call, for {for_s:.1f} s more at most: try again later, "
            "or wait for its result with wait_s="
        )
        self.key = key
        self.for_s = for_s


class ClaimLost(IdempotencyError):
    """Raised after a handler ran, instead of its result: its claim had expired, and the key is another call's now.

    What the handler did outside is done, and may be done again by that call.
    """

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the claim of idempotency key {key} was lost: the run took longer than its claim, and another call may "
            "have begun in its place; this run's result is dropped, what it did is not undone"
        )
        self.key = key


class ResultNotStorable(IdempotencyError):
    """Raised after a handler ran when its result cannot be kept for later calls; its claim is released."""


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


class CognitoTriggerError(EventmapError):
    """Raised where a client of Cognito gets an error because of a trigger; the subclasses have AWS' names."""


class UserLambdaValidationException(CognitoTriggerError):
    """Raised when the function of a trigger raised or timed out; in AWS' words, with the function's message."""


class InvalidLambdaResponseException(CognitoTriggerError):
    """Raised when Cognito cannot use an answer: AWS' words, and behind them why, which AWS does not say."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Unrecognizable lambda output: {reason}")


class UnexpectedLambdaException(CognitoTriggerError):
    """Raised when no attempt to call the function of a trigger came to an end in time; in AWS' words."""


class VirtualTimeDeadlock(EventmapError):
    """Raised out of a virtual-time loop when every task waits and nothing is left that could wake one."""

    def __init__(self, waiting: str) -> None:
        super().__init__(f"nothing left to wait for: deadlock. Waiting: {waiting}")


class HandlerBatchFailed(EventmapError):
    """Raised by a per-record handler when every record of the batch failed: the invocation then shows as an error."""

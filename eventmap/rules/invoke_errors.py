"""How Lambda's Invoke API refuses a request: status, error type and body (INV-15, 16, 19..21, 25..27).

An *invocation error* says that the code did not run (INV-22); what the code answered is never one of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import orjson

from eventmap.function import Function

Why = Literal[
    "signature",  # who calls is not known, or did not sign
    "function",  # no such function, alias or version
    "parameters",  # a name, header or query parameter
    "content",  # no JSON
    "media_type",
    "encoding",  # compressed
    "size",
    "slow",
    "host",  # a Host or Origin that a web browser was led to
    "path",  # no such path or method
    "throttled",
    "failed",  # nothing of the sender's doing
]
"""What refusals are counted by."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than 2xx."""

    status: int
    error_type: str  #: AWS' name of the exception
    message: str
    why: Why
    reason: str = ""  #: of a throttle (INV-27); "" = it is none
    retry_after_s: int | None = None
    is_typed: bool = False  #: the body names the error type, as APIs of JSON 1.1 do

    @property
    def body(self) -> bytes:
        """The members as AWS spells them: botocore's model reads `Message` of some and `message` of others."""
        if self.is_typed:
            return orjson.dumps({"__type": self.error_type, "message": self.message})
        if self.error_type in _UNMODELLED:
            return orjson.dumps({"message": self.message})
        document = {"Type": "User" if self.status < 500 else "Service"}
        if self.reason:
            document["Reason"] = self.reason
        document["Message" if self.error_type in _CAPITAL_MESSAGE else "message"] = self.message
        return orjson.dumps(document)


_CAPITAL_MESSAGE: Final = frozenset({"ResourceNotFoundException", "ServiceException"})
_UNMODELLED: Final = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MethodNotAllowedException",
        "MissingAuthenticationTokenException",
        "RequestTimeoutException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)
"""Those every service of AWS shares, which no Lambda operation declares: they have neither `Type` nor capitals."""


def violated(value: str, name: str, constraint: str) -> Refusal:
    """A parameter that is not of the form the API model demands, in the words AWS' validation uses."""
    shown = value if len(value) <= 256 else f"{value[:256]}…"
    message = f"1 validation error detected: Value '{shown}' at '{name}' failed to satisfy constraint: {constraint}"
    return Refusal(400, "ValidationException", message, "parameters")


def invalid_parameter(message: str) -> Refusal:
    return Refusal(400, "InvalidParameterValueException", message, "parameters")


def function_not_found(arn: str, qualifier: str = "") -> Refusal:
    """INV-16."""
    shown = f"{arn}:{qualifier}" if qualifier else arn
    return Refusal(404, "ResourceNotFoundException", f"Function not found: {shown}", "function")


def other_region(theirs: str, ours: str) -> Refusal:
    message = f"Functions from '{theirs}' are not reachable in this region ('{ours}')"
    return Refusal(404, "ResourceNotFoundException", message, "function")


def too_large(limit_bytes: int, operation: str) -> Refusal:
    """INV-19; for asynchronous invocations with the limit of theirs (INV-17, 23)."""
    message = f"Request must be smaller than {limit_bytes} bytes for the {operation} operation"
    return Refusal(413, "RequestTooLargeException", message, "size")


def not_json(problem: str) -> Refusal:
    """INV-20."""
    message = f"Could not parse request body into json: Could not parse payload into json: {problem}"
    return Refusal(400, "InvalidRequestContentException", message, "content")


def media_type_refused(media_type: str) -> Refusal:
    """INV-20."""
    message = f"The body must be JSON, not {media_type[:100]}: send it as application/json or without a Content-Type"
    return Refusal(415, "UnsupportedMediaTypeException", message, "media_type")


def encoding_refused(header: str, encoding: str) -> Refusal:
    """Nothing is decompressed here, so that nothing small can become large."""
    message = f"{header} {encoding[:100]!r} is not accepted; send the body as it is"
    return Refusal(415, "UnsupportedMediaTypeException", message, "encoding")


def too_slow(limit_s: float) -> Refusal:
    message = f"The body of the request did not arrive within {limit_s:g} seconds"
    return Refusal(408, "RequestTimeoutException", message, "slow")


def foreign(message: str) -> Refusal:
    return Refusal(403, "AccessDeniedException", message, "host")


def unauthenticated(error_type: str, message: str) -> Refusal:
    return Refusal(403, error_type, message, "signature")


def unknown_path() -> Refusal:
    return Refusal(404, "UnknownOperationException", "No operation of this server has that path", "path")


def method_not_allowed(method: str, allowed: str) -> Refusal:
    message = f"This path is for {allowed}, not {method[:20]}"
    return Refusal(405, "MethodNotAllowedException", message, "path")


def failed(message: str) -> Refusal:
    """The fault is not the sender's, who may try again (INV-21)."""
    return Refusal(500, "ServiceException", message, "failed")


def code_did_not_run(reason: str) -> Refusal:
    """What the runtime's `Refused` means to a caller: a throttle (INV-25..27) or a fault of ours (INV-21)."""
    if reason in _THROTTLES:
        return Refusal(429, "TooManyRequestsException", "Rate Exceeded.", "throttled", reason, retry_after_s=1)
    return failed(f"The function could not be started ({reason}); its log says why")


RESERVED_IN_USE: Final = "ReservedFunctionConcurrentInvocationLimitExceeded"
ALL_IN_USE: Final = "ConcurrentInvocationLimitExceeded"
_THROTTLES: Final = frozenset(
    {
        ALL_IN_USE,
        RESERVED_IN_USE,
        "FunctionInvocationRateLimitExceeded",
        "ReservedFunctionInvocationRateLimitExceeded",
        "CallerRateLimitExceeded",
        "ConcurrentSnapshotCreateLimitExceeded",
    }
)
"""The reasons of INV-27."""


def busy_reason(function: Function) -> str:
    """Why a function that already runs as often as it may is not run once more (INV-25, 27)."""
    return ALL_IN_USE if function.reserved_concurrent_executions is None else RESERVED_IN_USE

"""What a request to the Invoke API asks for: which function, how, with what (INV-01..20, 23, 24). Pure functions."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from eventmap.model import Event, JsonObject
from eventmap.rules import invoke_errors
from eventmap.rules.invoke_errors import Refusal

Operation = Literal["InvokeFunction", "InvokeAsync", "InvokeWithResponseStream"]
InvocationType = Literal["RequestResponse", "Event", "DryRun"]

SYNCHRONOUS_LIMIT_BYTES: Final = 6_291_456
ASYNCHRONOUS_LIMIT_BYTES: Final = 1_048_576
INVOKE_ASYNC_LIMIT_BYTES: Final = 262_144
CLIENT_CONTEXT_LIMIT_BYTES: Final = 3_583

_TYPES: Final[dict[Operation, tuple[InvocationType, ...]]] = {
    "InvokeFunction": ("Event", "RequestResponse", "DryRun"),
    "InvokeAsync": ("Event",),
    "InvokeWithResponseStream": ("RequestResponse", "DryRun"),
}
_LOG_TYPES: Final = ("None", "Tail")
_NAME_LIMIT: Final = 170
_QUALIFIER_LIMIT: Final = 128
_NAME_PATTERN: Final = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)"
    r"(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER_PATTERN: Final = "(|[a-zA-Z0-9$_-]+)"
# AWS' pattern, which is only shown, would take `function:x` for the alias x of a function called `function`.
_NAME: Final = re.compile(
    r"(?:(?:arn:(aws[a-zA-Z-]*):lambda:)?(?:([a-z0-9-]+):)?(\d{12}):function:)?"
    r"([a-zA-Z0-9_.-]+)(?::(\$LATEST|[a-zA-Z0-9_-]+))?",
    re.ASCII,
)
_QUALIFIER: Final = re.compile(_QUALIFIER_PATTERN, re.ASCII)
_TRACE_ID: Final = re.compile(r"[!-~]{1,512}", re.ASCII)
_JSON: Final = re.compile(
    r"|application/(?:[a-z0-9.-]+\+)?json|application/x-amz-json-1\.[01]|(?:application|binary)/octet-stream"
    r"|application/x-www-form-urlencoded|text/plain",
    re.ASCII,
)
"""What clients call a body of JSON: SDKs nothing, or one of the octet streams; curl a form. All else is refused."""


@dataclass(frozen=True, slots=True)
class FunctionReference:
    """A function as a caller named it (INV-15); "" where that said nothing."""

    name: str
    qualifier: str = ""
    partition: str = ""
    region: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class InvokeRequest:
    """What was asked, the payload apart."""

    function: FunctionReference
    invocation_type: InvocationType
    wants_log: bool  #: the tail of it, with a synchronous answer (INV-02, 12)
    client_context: JsonObject | None  #: of a synchronous invocation; an asynchronous one has none (INV-03)
    trace_id: str  #: "" = none


def payload_limit_bytes(operation: Operation, headers: Mapping[str, str]) -> int:
    """The largest payload that is accepted (INV-17, 19, 23)."""
    if operation == "InvokeAsync":
        return INVOKE_ASYNC_LIMIT_BYTES
    is_event = headers.get("x-amz-invocation-type") == "Event"
    return ASYNCHRONOUS_LIMIT_BYTES if is_event else SYNCHRONOUS_LIMIT_BYTES


def read_request(
    operation: Operation, name: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> InvokeRequest | Refusal:
    """Read the path's FunctionName, the query and the headers, whose names are in lower case.

    A log type and a client context are for synchronous invocations; with others they are checked and have no effect,
    as on AWS. Rules: INV-01..06, 15, 20, 23, 24.
    """
    function = read_function(name, query.get("Qualifier", ""))
    if isinstance(function, Refusal):
        return function
    if (refusal := _refuse_headers(headers)) is not None:
        return refusal
    allowed = _TYPES[operation]
    default = "Event" if operation == "InvokeAsync" else "RequestResponse"
    invocation_type = headers.get("x-amz-invocation-type", default)
    if invocation_type not in allowed:
        return _not_in(allowed, invocation_type, "invocationType")
    log_type = headers.get("x-amz-log-type", "None")
    if log_type not in _LOG_TYPES:
        return _not_in(_LOG_TYPES, log_type, "logType")
    sent = headers.get("x-amz-client-context")
    context = None if sent is None else _read_client_context(sent)
    if isinstance(context, Refusal):
        return context
    is_synchronous = invocation_type == "RequestResponse"
    return InvokeRequest(
        function,
        invocation_type,
        wants_log=is_synchronous and log_type == "Tail",
        client_context=context if is_synchronous else None,
        trace_id=read_trace_id(headers.get("x-amzn-trace-id", "")),
    )


def read_function(name: str, qualifier: str = "") -> FunctionReference | Refusal:
    """Read FunctionName, percent-decoded, and the Qualifier beside it; both may name one, but the same (INV-15)."""
    match = _NAME.fullmatch(name)
    if match is None:
        return invoke_errors.violated(
            name, "functionName", f"Member must satisfy regular expression pattern: {_NAME_PATTERN}"
        )
    if len(name) > _NAME_LIMIT:
        return invoke_errors.violated(
            name, "functionName", f"Member must have length less than or equal to {_NAME_LIMIT}"
        )
    if not _QUALIFIER.fullmatch(qualifier):
        return invoke_errors.violated(
            qualifier, "qualifier", f"Member must satisfy regular expression pattern: {_QUALIFIER_PATTERN}"
        )
    if len(qualifier) > _QUALIFIER_LIMIT:
        return invoke_errors.violated(
            qualifier, "qualifier", f"Member must have length less than or equal to {_QUALIFIER_LIMIT}"
        )
    partition, region, account, bare, derived = (group or "" for group in match.groups())
    if derived and qualifier and derived != qualifier:
        return invoke_errors.invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionReference(bare, derived or qualifier, partition, region, account)


def resolve(reference: FunctionReference, arn: str, aliases: Sequence[str]) -> str | Refusal:
    """The ARN as invoked, or why it is not this function's: another place, or an alias or version it has not.

    `arn` is the function's own, unqualified; `aliases` has its versions too.
    Rules: INV-15, 16, 101.
    """
    _, partition, _, region, account, _ = arn.split(":", 5)
    if reference.region and reference.region != region:
        return invoke_errors.other_region(reference.region, region)
    if (reference.account or account, reference.partition or partition) != (account, partition):
        return invoke_errors.function_not_found(named(reference, partition, region, account), reference.qualifier)
    qualifier = reference.qualifier
    if not qualifier:
        return arn
    if qualifier != "$LATEST" and qualifier not in aliases:
        return invoke_errors.function_not_found(arn, qualifier)
    return f"{arn}:{qualifier}"


def named(reference: FunctionReference, partition: str, region: str, account: str) -> str:
    """The unqualified ARN a reference means, with what it does not say from the place it was asked in."""
    return (
        f"arn:{reference.partition or partition}:lambda:{reference.region or region}:{reference.account or account}"
        f":function:{reference.name}"
    )


def read_payload(body: bytes) -> Event | Refusal:
    """The event in a body that is not too large; an empty one is `{}` (INV-20)."""
    if not body:
        return Event({}, b"{}")
    try:
        return Event.from_text(body)
    except ValueError as error:
        return invoke_errors.not_json(str(error))


def read_trace_id(header: str) -> str:
    """A trace header as it is handed on; one that no X-Ray client would send is none (INV-06)."""
    return header if _TRACE_ID.fullmatch(header) else ""


def _refuse_headers(headers: Mapping[str, str]) -> Refusal | None:
    """A body that is declared to be no JSON, and what only kinds of functions understand that are not here."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(media_type):
        return invoke_errors.media_type_refused(media_type)
    if "x-amz-tenant-id" in headers:
        return invoke_errors.invalid_parameter("The invoked function is not enabled with tenancy configuration.")
    if "x-amz-durable-execution-name" in headers:
        return invoke_errors.invalid_parameter(
            "The invoked function is not a durable function: it has no DurableConfig."
        )
    return None


def _read_client_context(sent: str) -> JsonObject | Refusal:
    if len(sent) > CLIENT_CONTEXT_LIMIT_BYTES:
        return invoke_errors.invalid_parameter(
            f"Client context must be at most {CLIENT_CONTEXT_LIMIT_BYTES} bytes of base64, not {len(sent)}"
        )
    try:
        document = orjson.loads(base64.b64decode(sent, validate=True))
    except (binascii.Error, ValueError):
        document = None
    if not isinstance(document, dict):
        return Refusal(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
            "content",
        )
    return document


def _not_in(allowed: Sequence[str], value: str, name: str) -> Refusal:
    return invoke_errors.violated(value, name, f"Member must satisfy enum value set: [{', '.join(allowed)}]")

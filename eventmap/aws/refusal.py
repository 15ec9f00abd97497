"""What an answer other than success means: AWS' error codes become eventmap's exceptions, here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from eventmap.aws.services import EVENTS, LAMBDA, SQS, Service
from eventmap.errors import (
    AccessRefused,
    IteratorExpired,
    QueueNotFound,
    RecordsTrimmed,
    ShardGone,
    SourceError,
    StreamNotFound,
    TransientSourceError,
)

NOT_JSON = "NotJsonProtocol"

# The JSON protocol's shape names and the older query protocol's codes both occur, depending on the server.
MISSING_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "NonExistentQueue", "QueueDoesNotExist"})
MISSING = MISSING_QUEUE | {"NoSuchBucket", "NotFound", "NotFoundException"}
MISSING_RESOURCE = "ResourceNotFoundException"
EXPIRED_ITERATOR = "ExpiredIteratorException"
TRIMMED = "TrimmedDataAccessException"
SHARD_OPERATIONS = frozenset({"GetShardIterator", "GetRecords"})
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
WRONG_KEYS = frozenset(
    {
        "AuthFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "UnrecognizedClient",
        "UnrecognizedClientException",
    }
)
WRONG_SIGNATURE = frozenset(
    {
        "IncompleteSignature",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
NOT_ALLOWED = frozenset(
    {
        "AWS.SimpleQueueService.KmsAccessDenied",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "KMSAccessDenied",
        "KMSAccessDeniedException",
        "KMSOptInRequired",
        "KMS.AccessDeniedException",
        "KmsAccessDenied",
        "NotAuthorized",
        "OptInRequired",
        "UnauthorizedOperation",
    }
)
WRONG_ADDRESS = frozenset({"InvalidAddress"})
TRANSIENT = frozenset(
    {
        "ExpiredNextTokenException",  # list again, from the beginning
        "InternalError",
        "InternalErrorException",
        "InternalFailure",
        "InternalFailureException",
        "InternalServerError",
        "KMS.ThrottlingException",
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
    }
)
KNOWN = MISSING_QUEUE | EXPIRED | WRONG_KEYS | WRONG_SIGNATURE | NOT_ALLOWED | WRONG_ADDRESS | TRANSIENT


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked, of whom: the words an error message needs."""

    service: Service
    operation: str  #: such as ReceiveMessage
    subject: str  #: name, URL or ARN of the queue, stream, table, topic or bucket
    endpoint: str
    region: str
    shard_id: str = ""  #: "" where the call names none

    @property
    def about(self) -> str:
        """Such as `shard "shardId-000000000000" of stream "orders"`."""
        named = f'{self.service.noun} "{self.subject}"'
        return f'shard "{self.shard_id}" of {named}' if self.shard_id else named

    @property
    def where(self) -> str:
        return f"{self.endpoint} ({self.region})"


def is_expired(error: SourceError) -> bool:
    """Whether fresh credentials may help."""
    return isinstance(error, AccessRefused) and error.code in EXPIRED


def refusal(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, known: bool) -> SourceError:
    """The exception for an HTTP answer other than 200; the caller raises it.

    `known` says that this endpoint has answered as its service before: then an answer nobody can read is an incident of
    the moment, else it is the wrong address.
    """
    code, message = _code_and_message(headers, body)
    if not code and status not in (401, 403, 408, 429) and status < 500:
        return not_json(call, status, body, known=known)
    return classified(call, status, code, message)


def classified(call: Call, status: int, code: str, message: str) -> SourceError:
    """The exception for AWS' error code, "" if the answer had none."""
    if code in MISSING_QUEUE:
        return QueueNotFound(_queue_name(call.subject), call.where)
    if code in (MISSING_RESOURCE, EXPIRED_ITERATOR, TRIMMED) and call.service not in (EVENTS, LAMBDA):
        return _stream_refusal(call, code)
    about = "" if call.service is SQS else f" of {call.about}"
    said = f"{call.operation}{about} was refused by {call.where} with {code or f'HTTP {status}'}"
    if message:
        said = f"{said}: {message}"
    advice = _access_advice(call.service, code, status)
    if advice:
        return AccessRefused(f"{said}; {advice}", code=code or str(status))
    # OverLimit answers 403 and throttling 400: the code goes before the status.
    if code in TRANSIENT or status in (408, 429) or status >= 500:
        return TransientSourceError(said, code=code or str(status))
    return SourceError(said, code=code)


def not_json(call: Call, status: int, body: bytes, *, known: bool) -> SourceError:
    """The exception for an answer that is not the service's JSON protocol."""
    form = "XML, the older query protocol" if body.lstrip()[:1] == b"<" else "something that is not its JSON protocol"
    said = f"{call.operation} at {call.endpoint} was answered with HTTP {status} and {form}"
    if known:
        return TransientSourceError(said, code=NOT_JSON)
    return SourceError(
        f"{said}: eventmap speaks the JSON protocol of {call.service.title} only; check --endpoint-url, or use a newer "
        "version of that server",
        code=NOT_JSON,
    )


def _stream_refusal(call: Call, code: str) -> SourceError:
    if code == EXPIRED_ITERATOR:
        return IteratorExpired(f"an iterator of {call.about} has expired: ask for a new one (STR-154)", code=code)
    if code == TRIMMED:
        return RecordsTrimmed(
            f"the records asked for of {call.about} are older than it keeps them: go on at TRIM_HORIZON (STR-155)",
            code=code,
        )
    if call.operation in SHARD_OPERATIONS:
        gone = call.about if call.shard_id else f"a shard of {call.about}"
        return ShardGone(f"{gone} does not exist any more at {call.where} (STR-152)", code=code)
    return StreamNotFound(
        f"{call.about} does not exist at {call.where}: check its name, --region and --endpoint-url, or create it",
        code=code,
    )


def _access_advice(service: Service, code: str, status: int) -> str:
    if code in EXPIRED:
        return "the credentials have expired: sign in again (`aws sso login`) or export new ones"
    if code in WRONG_KEYS:
        return "check the access key and session token in use, or choose another --profile"
    if code in WRONG_SIGNATURE:
        return "check the secret access key, --region, and this machine's clock"
    if code in NOT_ALLOWED:
        return service.permissions
    if code in WRONG_ADDRESS:
        return "the queue is in another region: check --region"
    if status in (401, 403) and not code:
        return (
            f"something before {service.title} refused the request: check proxies, VPC endpoint policies and "
            "--endpoint-url"
        )
    return ""


def _code_and_message(headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """AWS' error code ("" if there is none) and its text, cut to one readable line.

    Servers in the query-compatible mode repeat the older code in a header; it is the one that users know.
    """
    code = headers.get("x-amzn-query-error", "").partition(";")[0].strip()
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        return code, ""
    shape = document.get("__type") or document.get("code") or headers.get("x-amzn-errortype", "")
    shape = shape.rpartition("#")[2].partition(":")[0] if isinstance(shape, str) else ""
    message = document.get("message") or document.get("Message") or ""
    # The older codes of missing queues and throttling differ between servers; the shape decides where it is known.
    if not code or (code not in KNOWN and shape in KNOWN):
        code = shape
    return code, " ".join(message.split())[:300] if isinstance(message, str) else ""


def _queue_name(queue: str) -> str:
    return queue.rstrip("/").rpartition("/")[2]

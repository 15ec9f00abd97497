from __future__ import annotations

import orjson
import pytest

from eventmap.aws.refusal import Call, is_expired, refusal
from eventmap.aws.services import DYNAMODB, DYNAMODB_STREAMS, KINESIS, SQS, Service
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

CALL = Call(SQS, "ReceiveMessage", "http://h/123456789012/orders", "http://h/", "eu-west-1")


def said(status: int, shape: str = "", query_code: str = "", body: bytes | None = None) -> SourceError:
    headers = {"x-amzn-query-error": f"{query_code};Sender"} if query_code else {}
    document = {"__type": f"com.amazonaws.sqs#{shape}", "message": "the words\nof AWS"} if shape else {}
    return refusal(CALL, status, headers, orjson.dumps(document) if body is None else body, known=True)


@pytest.mark.parametrize(
    ("status", "shape", "query_code", "kind"),
    [
        (400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", QueueNotFound),
        (400, "QueueDoesNotExist", "", QueueNotFound),
        (400, "QueueDoesNotExist", "QueueDoesNotExist", QueueNotFound),
        (500, "QueueDoesNotExist", "", QueueNotFound),
        (403, "InvalidClientTokenId", "", AccessRefused),
        (403, "SignatureDoesNotMatch", "", AccessRefused),
        (400, "InvalidSignatureException", "", AccessRefused),
        (403, "ExpiredToken", "", AccessRefused),
        (403, "AccessDenied", "", AccessRefused),
        (400, "AccessDeniedException", "AccessDenied", AccessRefused),
        (400, "UnrecognizedClientException", "", AccessRefused),
        (400, "KmsAccessDenied", "KMS.AccessDeniedException", AccessRefused),
        (404, "InvalidAddress", "", AccessRefused),
        (403, "", "", AccessRefused),
        (400, "ThrottlingException", "", TransientSourceError),
        (403, "RequestThrottled", "", TransientSourceError),
        (400, "TooManyRequests", "", TransientSourceError),
        (400, "KmsThrottled", "KMS.ThrottlingException", TransientSourceError),
        (403, "OverLimit", "", TransientSourceError),
        (500, "InternalFailure", "", TransientSourceError),
        (503, "", "", TransientSourceError),
        (429, "", "", TransientSourceError),
        (500, "SomethingNew", "", TransientSourceError),
    ],
)
def test_an_error_code_decides_what_kind_of_failure_it_is(
    status: int, shape: str, query_code: str, kind: type[SourceError]
) -> None:
    """Codes go before statuses; 5xx without a known code is worth another try."""
    assert type(said(status, shape, query_code)) is kind


def test_any_other_code_is_kept() -> None:
    """An error without a class of its own carries AWS' code and, on one line, AWS' words."""
    error = said(400, "ReceiptHandleIsInvalid")

    assert type(error) is SourceError
    assert error.code == "ReceiptHandleIsInvalid"
    assert "the words of AWS" in str(error)


def test_only_expired_credentials_are_worth_a_refresh() -> None:
    """Fresh keys help against an expired token, not against a missing permission."""
    assert is_expired(said(403, "ExpiredToken"))
    assert not is_expired(said(403, "AccessDenied"))
    assert not is_expired(said(503))


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ("ExpiredToken", "aws sso login"),
        ("InvalidClientTokenId", "--profile"),
        ("SignatureDoesNotMatch", "clock"),
        ("AccessDenied", "sqs:ReceiveMessage"),
        ("InvalidAddress", "--region"),
    ],
)
def test_a_refused_access_says_what_to_do(shape: str, advice: str) -> None:
    """Each reason has its own way out, and names the endpoint and region that were asked."""
    message = str(said(403, shape))

    assert advice in message
    assert "http://h/ (eu-west-1)" in message


def test_a_missing_queue_is_named_without_its_url() -> None:
    """The queue is called as the user calls it."""
    error = said(400, "QueueDoesNotExist")

    assert isinstance(error, QueueNotFound)
    assert error.queue == "orders"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"__type": 5, "message": {}}', b"\xff\xfe"])
def test_an_unreadable_refusal_of_a_server_that_spoke_sqs_before_may_pass(body: bytes) -> None:
    """Something in between may have answered: only a server that never spoke SQS is the wrong one."""
    error = said(400, body=body)
    first = refusal(CALL, 400, {}, body, known=False)

    assert type(error) is TransientSourceError
    assert type(first) is SourceError
    assert "JSON protocol of SQS" in str(first)


STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"


def stream_said(operation: str, shape: str, service: Service = KINESIS, status: int = 400) -> SourceError:
    shard = "shardId-000000000007" if operation == "GetShardIterator" else ""
    call = Call(service, operation, STREAM, "http://h/", "eu-west-1", shard)
    return refusal(call, status, {}, orjson.dumps({"__type": shape, "message": "the words of AWS"}), known=True)


@pytest.mark.parametrize(
    ("operation", "shape", "kind"),
    [
        ("DescribeStreamSummary", "ResourceNotFoundException", StreamNotFound),
        ("ListShards", "ResourceNotFoundException", StreamNotFound),
        ("DescribeTable", "ResourceNotFoundException", StreamNotFound),
        ("GetShardIterator", "ResourceNotFoundException", ShardGone),
        ("GetRecords", "ResourceNotFoundException", ShardGone),
        ("GetRecords", "ExpiredIteratorException", IteratorExpired),
        ("GetRecords", "TrimmedDataAccessException", RecordsTrimmed),
        ("GetShardIterator", "TrimmedDataAccessException", RecordsTrimmed),
        ("GetRecords", "ProvisionedThroughputExceededException", TransientSourceError),
        ("GetRecords", "LimitExceededException", TransientSourceError),
        ("GetRecords", "KMSThrottlingException", TransientSourceError),
        ("GetRecords", "InternalServerError", TransientSourceError),
        ("ListShards", "ThrottlingException", TransientSourceError),
        ("ListShards", "ExpiredNextTokenException", TransientSourceError),
        ("GetRecords", "AccessDeniedException", AccessRefused),
        ("GetRecords", "KMSAccessDeniedException", AccessRefused),
        ("GetRecords", "InvalidArgumentException", SourceError),
        ("GetShardIterator", "ValidationException", SourceError),
        ("UpdateItem", "ConditionalCheckFailedException", SourceError),
        ("CreateTable", "ResourceInUseException", SourceError),
    ],
)
def test_str_142_143_145_152_a_streams_error_code_decides_what_kind_of_failure_it_is(
    operation: str, shape: str, kind: type[SourceError]
) -> None:
    """A missing resource is a shard to the calls that read one, else a stream; every error keeps AWS' code."""
    error = stream_said(operation, shape)

    assert type(error) is kind
    assert error.code == shape
    assert STREAM in str(error)


def test_a_streams_refusal_names_the_shard_and_the_way_on() -> None:
    """What a person needs is in the message: which shard of which stream, where, and what to do."""
    gone, trimmed = (
        str(stream_said("GetShardIterator", shape))
        for shape in ("ResourceNotFoundException", "TrimmedDataAccessException")
    )

    assert f'shard "shardId-000000000007" of stream "{STREAM}"' in gone
    assert "http://h/ (eu-west-1)" in gone
    assert "TRIM_HORIZON" in trimmed


@pytest.mark.parametrize(
    ("service", "permission"),
    [
        (KINESIS, "kinesis:ListShards"),
        (DYNAMODB_STREAMS, "dynamodb:DescribeStream"),
        (DYNAMODB, "dynamodb:UpdateItem"),
    ],
)
def test_str_19_a_refused_access_names_the_permissions(service: Service, permission: str) -> None:
    """Each service has permissions of its own."""
    assert permission in str(stream_said("GetRecords", "AccessDeniedException", service))

"""What requests to the Invoke API ask for, and how they are refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from eventmap.function import Function
from eventmap.model import Event
from eventmap.rules import invoke_errors
from eventmap.rules.invoke_api import (
    FunctionReference,
    InvokeRequest,
    Operation,
    payload_limit_bytes,
    read_function,
    read_payload,
    read_request,
    read_trace_id,
    resolve,
)
from eventmap.rules.invoke_errors import Refusal, busy_reason, code_did_not_run

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
LAMBDA = boto3.client("lambda", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")


def encoded(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def request(
    operation: Operation = "InvokeFunction", name: str = "orders", qualifier: str | None = None, **headers: str
) -> InvokeRequest | Refusal:
    query = {} if qualifier is None else {"Qualifier": qualifier}
    return read_request(operation, name, query, {key.replace("_", "-"): value for key, value in headers.items()})


def refused(answer: object) -> Refusal:
    assert isinstance(answer, Refusal), answer
    return answer


def accepted(answer: object) -> InvokeRequest:
    assert isinstance(answer, InvokeRequest), answer
    return answer


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("orders", FunctionReference("orders")),
        ("orders:live", FunctionReference("orders", "live")),
        ("orders:$LATEST", FunctionReference("orders", "$LATEST")),
        ("123456789012:function:orders", FunctionReference("orders", "", "", "", "123456789012")),
        ("123456789012:function:orders:7", FunctionReference("orders", "7", "", "", "123456789012")),
        (ARN, FunctionReference("orders", "", "aws", "eu-west-1", "123456789012")),
        (f"{ARN}:live", FunctionReference("orders", "live", "aws", "eu-west-1", "123456789012")),
        ("function:live", FunctionReference("function", "live")),
    ],
)
def test_inv_15_the_forms_of_a_function_name(name: str, reference: FunctionReference) -> None:
    """INV-15: name, name:alias, partial ARN, ARN; with an agreeing Qualifier they mean the same."""
    assert read_function(name) == reference
    assert read_function(name, reference.qualifier) == reference


@pytest.mark.parametrize("name", ["", "a/b", "../etc", "a b", "orders:", "orders:a:b", "arn:aws:lambda", "é", "a\n"])
def test_inv_15_a_name_of_another_form_is_refused(name: str) -> None:
    """INV-15: in the words of AWS' validation."""
    answer = refused(read_function(name))

    assert (answer.status, answer.error_type) == (400, "ValidationException")
    assert answer.message.startswith(f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy")


def test_inv_15_names_and_qualifiers_have_a_length() -> None:
    """INV-15: 170 and 128 characters; what is shown of the value is bounded."""
    assert "length less than or equal to 170" in refused(read_function("a" * 171)).message
    assert "length less than or equal to 128" in refused(read_function("a", "b" * 129)).message
    assert len(refused(read_function("/" * 100_000)).message) < 600
    assert "at 'qualifier'" in refused(read_function("a", "b/c")).message


def test_inv_15_two_qualifiers_must_agree() -> None:
    """INV-15: AWS' own words."""
    answer = refused(request(name="orders:live", qualifier="test"))

    assert (answer.status, answer.error_type) == (400, "InvalidParameterValueException")
    assert answer.message == ("The derived qualifier from the function name does not match the specified qualifier.")


@pytest.mark.parametrize(
    ("name", "invoked"),
    [
        ("orders", ARN),
        ("orders:live", f"{ARN}:live"),
        ("orders:$LATEST", f"{ARN}:$LATEST"),
        (f"{ARN}:live", f"{ARN}:live"),
        ("123456789012:function:orders", ARN),
    ],
)
def test_inv_101_the_arn_as_invoked(name: str, invoked: str) -> None:
    """INV-101: with the alias or version that was named."""
    reference = read_function(name)
    assert isinstance(reference, FunctionReference)

    assert resolve(reference, ARN, ["live"]) == invoked


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("orders:test", f"Function not found: {ARN}:test"),
        ("orders:1", f"Function not found: {ARN}:1"),
        (
            "999999999999:function:orders",
            "Function not found: arn:aws:lambda:eu-west-1:999999999999:function:orders",
        ),
        (
            "arn:aws-cn:lambda:eu-west-1:123456789012:function:orders:live",
            "Function not found: arn:aws-cn:lambda:eu-west-1:123456789012:function:orders:live",
        ),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:orders",
            "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')",
        ),
    ],
)
def test_inv_16_what_is_not_found(name: str, message: str) -> None:
    """INV-16: an alias, version, account or region that is not this function's."""
    reference = read_function(name)
    assert isinstance(reference, FunctionReference)

    answer = refused(resolve(reference, ARN, ["live"]))

    assert (answer.status, answer.error_type, answer.message) == (404, "ResourceNotFoundException", message)


@pytest.mark.parametrize(
    ("operation", "headers", "invocation_type"),
    [
        ("InvokeFunction", {}, "RequestResponse"),
        ("InvokeFunction", {"x_amz_invocation_type": "RequestResponse"}, "RequestResponse"),
        ("InvokeFunction", {"x_amz_invocation_type": "Event"}, "Event"),
        ("InvokeFunction", {"x_amz_invocation_type": "DryRun"}, "DryRun"),
        ("InvokeAsync", {}, "Event"),
        ("InvokeWithResponseStream", {}, "RequestResponse"),
        ("InvokeWithResponseStream", {"x_amz_invocation_type": "DryRun"}, "DryRun"),
    ],
)
def test_inv_01_23_24_invocation_types(operation: Operation, headers: dict[str, str], invocation_type: str) -> None:
    """INV-01, 23, 24: each operation has its own, and a default."""
    assert accepted(request(operation, **headers)).invocation_type == invocation_type


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("InvokeFunction", "Sync"),
        ("InvokeFunction", "event"),
        ("InvokeWithResponseStream", "Event"),
        ("InvokeAsync", "DryRun"),
    ],
)
def test_inv_01_24_an_unknown_invocation_type_is_refused(operation: Operation, value: str) -> None:
    """INV-01, 24: with the values there are."""
    answer = refused(request(operation, x_amz_invocation_type=value))

    assert (answer.status, answer.error_type) == (400, "ValidationException")
    assert (
        f"Value '{value}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum" in answer.message
    )


@pytest.mark.parametrize(
    ("headers", "wants_log"),
    [
        ({}, False),
        ({"x_amz_log_type": "None"}, False),
        ({"x_amz_log_type": "Tail"}, True),
        ({"x_amz_log_type": "Tail", "x_amz_invocation_type": "Event"}, False),
    ],
)
def test_inv_02_the_log_is_for_synchronous_callers(headers: dict[str, str], wants_log: bool) -> None:
    """INV-02: an asynchronous one gets no log."""
    assert accepted(request(**headers)).wants_log is wants_log


def test_inv_02_an_unknown_log_type_is_refused() -> None:
    """INV-02: None or Tail."""
    assert "Member must satisfy enum value set: [None, Tail]" in refused(request(x_amz_log_type="All")).message


def test_inv_03_the_client_context_is_base64_json() -> None:
    """INV-03: an object; with Event it is checked and does not reach the function."""
    context = {"custom": {"a": "é"}}

    assert accepted(request(x_amz_client_context=encoded(context))).client_context == context
    asynchronous = request(x_amz_client_context=encoded(context), x_amz_invocation_type="Event")
    assert accepted(asynchronous).client_context is None


@pytest.mark.parametrize("sent", ["", "!", "YQ", encoded([1]), encoded(1), base64.b64encode(b"{").decode(), "é"])
def test_inv_03_any_other_client_context_is_refused(sent: str) -> None:
    """INV-03: not base64, not JSON, not an object."""
    assert refused(request(x_amz_client_context=sent)).error_type == "InvalidRequestContentException"


def test_inv_03_the_client_context_has_3583_bytes_at_most() -> None:
    """INV-03: counted as they are sent."""
    largest = encoded({"a": "x" * 2_675})
    assert len(largest) == 3_580

    assert isinstance(request(x_amz_client_context=largest), InvokeRequest)
    assert "3583" in refused(request(x_amz_client_context=largest + "eHh4")).message


def test_inv_04_05_tenants_and_durable_executions_are_refused() -> None:
    """INV-04, INV-05: functions of these kinds are not here, and nothing is silently ignored."""
    tenant, durable = refused(request(x_amz_tenant_id="t")), refused(request(x_amz_durable_execution_name="n"))

    assert tenant.error_type == durable.error_type == "InvalidParameterValueException"
    assert tenant.message == "The invoked function is not enabled with tenancy configuration."
    assert "durable" in durable.message


@pytest.mark.parametrize(
    ("header", "trace_id"),
    [
        ("Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",) * 2,
        ("", ""),
        ("with space", ""),
        ("new\nline", ""),
        ("x" * 513, ""),
    ],
)
def test_inv_06_the_trace_header(header: str, trace_id: str) -> None:
    """INV-06: handed on as it is, if it can be one."""
    assert read_trace_id(header) == trace_id
    assert accepted(request(x_amzn_trace_id=header)).trace_id == trace_id


@pytest.mark.parametrize(
    ("operation", "headers", "limit"),
    [
        ("InvokeFunction", {}, 6_291_456),
        ("InvokeFunction", {"x-amz-invocation-type": "DryRun"}, 6_291_456),
        ("InvokeFunction", {"x-amz-invocation-type": "Event"}, 1_048_576),
        ("InvokeAsync", {}, 262_144),
        ("InvokeWithResponseStream", {}, 6_291_456),
    ],
)
def test_inv_17_19_23_payload_limits(operation: Operation, headers: dict[str, str], limit: int) -> None:
    """INV-17, 19, 23: 6 MB synchronous, 1 MB asynchronous, 256 KB for the deprecated operation."""
    assert payload_limit_bytes(operation, headers) == limit


def test_inv_20_an_empty_body_is_an_empty_object() -> None:
    """INV-20: and reaches the handler as such."""
    event = read_payload(b"")

    assert isinstance(event, Event)
    assert (event.document, event.text) == ({}, b"{}")


@pytest.mark.parametrize("body", [b"{", b"nothing", b"\xff", b"NaN", b"[" * 5_000, b'"\xed\xa0\x80"', b" "])
def test_inv_20_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    """INV-20: with what is wrong with it."""
    answer = refused(read_payload(body))

    assert (answer.status, answer.error_type) == (400, "InvalidRequestContentException")
    assert answer.message.startswith("Could not parse request body into json: Could not parse payload into json: ")


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), lambda each: st.lists(each)))
def test_inv_20_every_json_document_passes_unchanged(document: Any) -> None:
    """INV-20: the bytes the handler's process parses are those that were sent."""
    text = json.dumps(document).encode()

    event = read_payload(text)

    assert isinstance(event, Event)
    assert event.text == text


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/x-amz-json-1.0",
        "application/cloudevents+json",
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
    ],
)
def test_inv_20_what_clients_call_json(media_type: str) -> None:
    """INV-20: AWS' SDKs, cognito-local, curl, and whoever says what it is."""
    assert isinstance(request(content_type=media_type), InvokeRequest)


@pytest.mark.parametrize(
    "media_type", ["text/xml", "multipart/form-data; boundary=x", "image/png", "application/jsonx"]
)
def test_inv_20_another_content_type_is_refused(media_type: str) -> None:
    """INV-20: 415, naming it."""
    answer = refused(request(content_type=media_type))

    assert (answer.status, answer.error_type) == (415, "UnsupportedMediaTypeException")
    assert media_type.partition(";")[0] in answer.message


@pytest.mark.parametrize(
    "reason",
    [
        "ConcurrentInvocationLimitExceeded",
        "ReservedFunctionConcurrentInvocationLimitExceeded",
        "FunctionInvocationRateLimitExceeded",
        "ReservedFunctionInvocationRateLimitExceeded",
        "CallerRateLimitExceeded",
        "ConcurrentSnapshotCreateLimitExceeded",
    ],
)
def test_inv_26_27_a_throttle_names_its_reason(reason: str) -> None:
    """INV-26, INV-27: the body, and when to try again."""
    answer = code_did_not_run(reason)

    assert (answer.status, answer.error_type, answer.retry_after_s) == (429, "TooManyRequestsException", 1)
    assert json.loads(answer.body) == {"Type": "User", "Reason": reason, "message": "Rate Exceeded."}


def test_inv_25_27_the_reason_is_the_limit_that_holds() -> None:
    """INV-25, INV-27: the function's own, zero included, or that of all."""
    reasons = [
        busy_reason(Function(handler=print, function_name="f", reserved_concurrent_executions=reserved))
        for reserved in (0, 5, None)
    ]

    assert reasons == [
        "ReservedFunctionConcurrentInvocationLimitExceeded",
        "ReservedFunctionConcurrentInvocationLimitExceeded",
        "ConcurrentInvocationLimitExceeded",
    ]


REFUSALS = [
    invoke_errors.function_not_found(ARN, "x"),
    invoke_errors.other_region("a", "b"),
    invoke_errors.too_large(5, "InvokeFunction"),
    invoke_errors.not_json("why"),
    invoke_errors.media_type_refused("text/xml"),
    invoke_errors.encoding_refused("Content-Encoding", "gzip"),
    invoke_errors.invalid_parameter("why"),
    invoke_errors.failed("why"),
    code_did_not_run("ConcurrentInvocationLimitExceeded"),
    code_did_not_run("ServiceException"),
    invoke_errors.violated("v", "name", "constraint"),
    invoke_errors.too_slow(20),
    invoke_errors.foreign("why"),
    invoke_errors.unauthenticated("InvalidSignatureException", "why"),
    invoke_errors.unknown_path(),
    invoke_errors.method_not_allowed("GET", "POST"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.status}-{refusal.error_type}")
def test_inv_21_clients_of_aws_understand_every_refusal(refusal: Refusal) -> None:
    """INV-21: botocore finds the code and the message, and its own exception class where the model has one."""
    operation = LAMBDA.meta.service_model.operation_model("Invoke")
    shape = {each.name: each for each in operation.error_shapes}.get(refusal.error_type)
    response = {
        "status_code": refusal.status,
        "headers": {"x-amzn-errortype": refusal.error_type, "x-amzn-requestid": "id"},
        "body": refusal.body,
    }

    error = create_parser("rest-json").parse(response, operation.output_shape)["Error"]

    assert error == {"Code": refusal.error_type, "Message": refusal.message}
    if shape is not None:
        assert shape.metadata["error"]["httpStatusCode"] == refusal.status
        assert set(json.loads(refusal.body)) <= set(shape.members)
        assert LAMBDA.exceptions.from_code(refusal.error_type).__name__ == refusal.error_type


def test_inv_21_a_function_that_could_not_be_started_is_a_service_exception() -> None:
    """INV-21: 500, and the type says that it is not the caller's fault."""
    answer = code_did_not_run("ServiceException")

    assert (answer.status, json.loads(answer.body)["Type"]) == (500, "Service")

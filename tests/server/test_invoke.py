"""The Invoke API over ASGI: what is answered, and in which headers."""

from __future__ import annotations

import base64
import uuid

import anyio
import orjson
import pytest
from botocore.eventstream import EventStreamBuffer

from eventmap.errors import StateError, TransientSourceError
from eventmap.server.settings import ServerSettings

from . import handlers
from .scene import ARN, functions, request

ENCODED_ARN = ARN.replace(":", "%3A")


async def test_inv_10_a_synchronous_answer() -> None:
    """INV-10: the result as JSON, the executed version, the request id of the invocation."""
    async with functions() as scene:
        answer = await request(scene.app, body=b'{"a": "\xc3\xa9"}')

    assert (answer.status, answer.json) == (200, {"a": "é"})
    assert answer.headers["x-amz-executed-version"] == "$LATEST"
    assert answer.headers["content-type"] == "application/json"
    assert uuid.UUID(answer.headers["x-amzn-requestid"])
    assert not {"x-amz-function-error", "x-amz-log-result"} & answer.headers.keys()
    assert (scene.statistics.requests, scene.statistics.invocations) == (1, 1)


async def test_inv_10_20_nothing_in_and_nothing_out() -> None:
    """INV-10, INV-20: an empty body reaches the handler as {}, None is answered as null."""
    async with functions() as scene:
        assert (await request(scene.app)).body == b"{}"
    async with functions(handlers.nothing) as scene:
        assert (await request(scene.app)).body == b"null"


async def test_inv_11_22_a_function_error_is_an_answer_with_a_header() -> None:
    """INV-11, INV-22: 200, Unhandled, and the error object; it counts as an invocation."""
    async with functions(handlers.fail) as scene:
        answer = await request(scene.app)

    assert (answer.status, answer.headers["x-amz-function-error"]) == (200, "Unhandled")
    assert answer.headers["x-amz-executed-version"] == "$LATEST"
    assert (answer.json["errorType"], answer.json["errorMessage"]) == ("ValueError", "boom")
    assert answer.json["requestId"] == answer.headers["x-amzn-requestid"]
    assert (scene.statistics.invocations, scene.refused) == (1, {})


async def test_inv_12_the_tail_of_the_log() -> None:
    """INV-02, INV-12: base64 in a header, for the request that asked for it."""
    async with functions(handlers.fail) as scene:
        answer = await request(scene.app, x_amz_log_type="Tail")

    log = base64.b64decode(answer.headers["x-amz-log-result"]).decode()
    request_id = answer.headers["x-amzn-requestid"]
    assert log.startswith(f"START RequestId: {request_id} Version: $LATEST\n[ERROR] ValueError: boom\n")
    assert f"\nEND RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: " in log
    assert log.endswith(" ms\t\n")


async def test_inv_13_an_event_is_accepted() -> None:
    """INV-13: 202, empty, without an executed version, once it is kept."""
    async with functions() as scene:
        answer = await request(
            scene.app,
            "/2015-03-31/functions/orders/invocations?Qualifier=live",
            b'{"a":1}',
            x_amz_invocation_type="Event",
            x_amzn_trace_id="Root=1-67891233-abcdef012345678912345678",
        )

    assert (answer.status, answer.body) == (202, b"")
    assert "x-amz-executed-version" not in answer.headers
    assert scene.accepted.events == [
        {
            "payload": b'{"a":1}',
            "request_id": answer.headers["x-amzn-requestid"],
            "qualifier": "live",
            "trace_id": "Root=1-67891233-abcdef012345678912345678",
        }
    ]
    assert (scene.statistics.accepted, scene.statistics.invocations) == (1, 0)


@pytest.mark.parametrize("error", [StateError("disk full"), TransientSourceError("queue away")])
async def test_inv_13_21_an_event_that_cannot_be_kept_is_not_accepted(error: Exception) -> None:
    """INV-21: 500, which clients repeat; what went wrong is in our log, not in the answer."""
    async with functions() as scene:
        scene.accepted.error = error  # type: ignore[assignment]
        answer = await request(scene.app, x_amz_invocation_type="Event")

    assert answer.error == (500, "ServiceException")
    assert answer.json["Type"] == "Service"
    assert str(error).encode() not in answer.body
    assert (scene.statistics.accepted, scene.refused) == (0, {"failed": 1})


async def test_inv_14_a_dry_run_runs_nothing() -> None:
    """INV-14: 204 for what could be invoked, the same refusals for what could not."""
    async with functions() as scene:
        answer = await request(scene.app, body=b"{}", x_amz_invocation_type="DryRun")
        other = await request(scene.app, "/2015-03-31/functions/nope/invocations", x_amz_invocation_type="DryRun")

    assert (answer.status, answer.body) == (204, b"")
    assert other.error == (404, "ResourceNotFoundException")
    assert (scene.accepted.events, scene.statistics.invocations) == ([], 0)


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("orders", ARN),
        ("orders:live", f"{ARN}:live"),
        ("orders%3Alive", f"{ARN}:live"),
        (ENCODED_ARN, ARN),
        (ARN, ARN),
        (f"{ENCODED_ARN}%3Alive", f"{ARN}:live"),
        ("orders/invocations?Qualifier=%24LATEST", f"{ARN}:$LATEST"),
        ("123456789012%3Afunction%3Aorders/invocations?Qualifier=live", f"{ARN}:live"),
    ],
)
async def test_inv_15_100_101_the_context_shows_how_it_was_invoked(name: str, arn: str) -> None:
    """INV-15, INV-101: every form of name, percent-encoded or not."""
    path = name if "/" in name else f"{name}/invocations"

    async with functions(handlers.describe) as scene:
        answer = await request(scene.app, f"/2015-03-31/functions/{path}")

    assert answer.json["arn"] == arn
    assert answer.json["request_id"] == answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nope", (404, "ResourceNotFoundException")),
        ("orders:nope", (404, "ResourceNotFoundException")),
        ("a%2Fb", (400, "ValidationException")),
        ("a/b", (404, "UnknownOperationException")),
        ("%00", (400, "ValidationException")),
        ("%ff", (400, "ValidationException")),
        ("", (400, "ValidationException")),
        ("orders:live/invocations?Qualifier=other", (400, "InvalidParameterValueException")),
    ],
)
async def test_inv_15_16_names_that_lead_nowhere(name: str, error: tuple[int, str]) -> None:
    """INV-15, INV-16: unknown, of another form, contradictory; all with a request id."""
    path = name if "?" in name else f"{name}/invocations"

    async with functions() as scene:
        answer = await request(scene.app, f"/2015-03-31/functions/{path}")

    assert answer.error == error
    assert answer.headers["x-amzn-requestid"]


async def test_inv_16_what_is_not_found_is_named_by_its_arn() -> None:
    """INV-16: in the region and account of this server."""
    async with functions() as scene:
        answer = await request(scene.app, "/2015-03-31/functions/nope:live/invocations")

    assert answer.json == {
        "Type": "User",
        "Message": "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nope:live",
    }


@pytest.mark.parametrize(
    ("path", "headers", "limit", "operation"),
    [
        ("2015-03-31/functions/orders/invocations", {}, 6_291_456, "InvokeFunction"),
        ("2015-03-31/functions/orders/invocations", {"x_amz_invocation_type": "Event"}, 1_048_576, "InvokeFunction"),
        ("2014-11-13/functions/orders/invoke-async", {}, 262_144, "InvokeAsync"),
        (
            "2021-11-15/functions/orders/response-streaming-invocations",
            {},
            6_291_456,
            "InvokeWithResponseStream",
        ),
    ],
)
async def test_inv_17_19_23_the_largest_payload(path: str, headers: dict[str, str], limit: int, operation: str) -> None:
    """INV-17, 19, 23: exactly the limit passes, a byte more does not, whether announced or not."""
    largest = b'"' + b"x" * (limit - 2) + b'"'

    async with functions() as scene:
        passed = await request(scene.app, f"/{path}", largest, **headers)
        announced = await request(scene.app, f"/{path}", b"", content_length=str(limit + 1), **headers)
        unannounced = await request(scene.app, f"/{path}", [largest[:100_000], largest[100_000:], b" "], **headers)

    assert passed.status in (200, 202)
    for answer in (announced, unannounced):
        assert answer.error == (413, "RequestTooLargeException")
        assert answer.json["message"] == f"Request must be smaller than {limit} bytes for the {operation} operation"
    assert announced.headers["connection"] == "close"
    assert scene.refused == {"size": 2}


async def test_inv_18_a_result_that_is_too_large_is_a_function_error() -> None:
    """INV-18: the largest passes; beyond it 200, with the size error."""
    async with functions(handlers.of_size) as scene:
        largest = await request(scene.app, body=orjson.dumps({"size": 6_291_556}))
        beyond = await request(scene.app, body=orjson.dumps({"size": 6_291_557}))

    assert (largest.status, len(largest.body)) == (200, 6_291_556)
    assert (beyond.status, beyond.headers["x-amz-function-error"]) == (200, "Unhandled")
    assert beyond.json["errorType"] == "Function.ResponseSizeTooLarge"


async def test_inv_20_a_body_that_is_no_json() -> None:
    """INV-20: 400, or 415 if it says so itself."""
    async with functions() as scene:
        broken = await request(scene.app, body=b"{'a': 1}")
        other = await request(scene.app, body=b"<a/>", content_type="text/xml")

    assert broken.error == (400, "InvalidRequestContentException")
    assert other.error == (415, "UnsupportedMediaTypeException")
    assert scene.statistics.invocations == 0


async def test_inv_23_invoke_async() -> None:
    """INV-23: the deprecated operation feeds the same queue; with the slash some clients end its path with."""
    async with functions() as scene:
        first = await request(scene.app, "/2014-11-13/functions/orders/invoke-async", b'{"a":1}')
        second = await request(scene.app, "/2014-11-13/functions/orders:live/invoke-async/", b"")

    assert (first.status, second.status, first.body) == (202, 202, b"")
    assert [(event["payload"], event["qualifier"]) for event in scene.accepted.events] == [
        (b'{"a":1}', ""),
        (b"{}", "live"),
    ]


async def test_inv_24_a_streamed_answer() -> None:
    """INV-24: PayloadChunk, then InvokeComplete with the log; a failure is in InvokeComplete alone."""
    path = "/2021-11-15/functions/orders/response-streaming-invocations"
    async with functions() as scene:
        answer = await request(scene.app, path, b'{"a":1}', x_amz_log_type="Tail")
    async with functions(handlers.fail) as scene:
        failure = await request(scene.app, path)

    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    (chunk, payload), (end, told) = frames(answer.body)
    assert (chunk, orjson.loads(payload), end) == ("PayloadChunk", {"a": 1}, "InvokeComplete")
    assert b"START RequestId" in base64.b64decode(orjson.loads(told)["LogResult"])
    ((end, told),) = frames(failure.body)
    assert orjson.loads(told)["ErrorCode"] == "ValueError"
    assert orjson.loads(orjson.loads(told)["ErrorDetails"])["errorMessage"] == "boom"


def frames(stream: bytes) -> list[tuple[str, bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [(message.headers[":event-type"], message.payload) for message in buffer]


@pytest.mark.parametrize("reserved", [0, 1])
async def test_inv_25_26_a_busy_function_throttles(reserved: int) -> None:
    """INV-25, INV-26: 429 with the reason; asynchronous events are accepted all the same."""
    async with (
        functions(handlers.nap, reserved_concurrent_executions=reserved) as scene,
        anyio.create_task_group() as tasks,
    ):
        if reserved:
            tasks.start_soon(lambda: request(scene.app, body=b'{"s":0.2}'))
            await anyio.wait_all_tasks_blocked()
        answer = await request(scene.app, body=b'{"s":0}')
        accepted = await request(scene.app, x_amz_invocation_type="Event")

    assert answer.error == (429, "TooManyRequestsException")
    assert answer.json == {
        "Type": "User",
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "message": "Rate Exceeded.",
    }
    assert (answer.headers["retry-after"], accepted.status) == ("1", 202)
    assert scene.refused == {"throttled": 1}


async def test_inv_27_without_reserved_concurrency_the_account_is_named() -> None:
    """INV-27: our default of ten stands for the account's limit."""
    async with functions(handlers.nap) as scene, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(lambda: request(scene.app, body=b'{"s":0.2}'))
        await anyio.wait_all_tasks_blocked()
        answer = await request(scene.app, body=b'{"s":0}')

    assert answer.json["Reason"] == "ConcurrentInvocationLimitExceeded"


async def test_inv_03_106_109_the_client_context_reaches_the_handler() -> None:
    """INV-03, 106, 109: custom values, and the trace headers apart from them."""
    sent = {"custom": {"a": 1}, "w3c": {"traceparent": "00-1", "other": "x"}}

    async with functions(handlers.describe) as scene:
        answer = await request(scene.app, x_amz_client_context=base64.b64encode(orjson.dumps(sent)).decode())

    assert answer.json["custom"] == {"a": 1}
    assert answer.json["w3c"] == {"traceparent": "00-1"}


async def test_inv_04_05_what_other_kinds_of_functions_take_is_refused() -> None:
    """INV-04, INV-05: nothing is silently ignored."""
    async with functions() as scene:
        tenant = await request(scene.app, x_amz_tenant_id="t")
        durable = await request(scene.app, x_amz_durable_execution_name="d")

    assert tenant.error == durable.error == (400, "InvalidParameterValueException")


async def test_access_keys_are_asked_for_before_anything_is_told() -> None:
    """Who does not sign does not learn which functions there are."""
    settings = ServerSettings(access_keys={"AKIA": "secret"})

    async with functions(settings=settings) as scene:
        answers = [
            await request(scene.app, f"/2015-03-31/functions/{name}/invocations", b"{}")
            for name in ("orders", "nope", "a%2Fb")
        ]
        ping = await request(scene.app, "/2018-06-01/ping", method="GET")

    assert {answer.error for answer in answers} == {(403, "MissingAuthenticationTokenException")}
    assert len({answer.body for answer in answers}) == 1
    assert (ping.status, scene.refused) == (200, {"signature": 3})

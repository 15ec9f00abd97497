"""AWS' own clients, unpatched, against the running server."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from botocore.exceptions import ClientError

from eventmap.errors import StateError

from . import handlers
from .scene import ARN, REGION, Scene, server

TALK = f"{Path(__file__).parent / 'handlers.py'}:talk"


async def test_inv_10_12_15_boto3_invokes() -> None:
    """INV-10, 12, 15: by name, alias and ARN; payload, version and log where boto3 looks for them."""
    async with server() as scene:
        answers = [
            await scene.call("invoke", FunctionName=name, Payload=b'{"a":1}', LogType="Tail")
            for name in ("orders", "orders:live", ARN, f"{ARN}:live", "123456789012:function:orders")
        ]
        qualified = await scene.call("invoke", FunctionName="orders", Qualifier="$LATEST")

    for answer in answers:
        assert (answer["StatusCode"], json.loads(answer["Payload"])) == (200, {"a": 1})
        assert answer["ExecutedVersion"] == "$LATEST"
        assert "FunctionError" not in answer
        assert b"START RequestId: " in base64.b64decode(answer["LogResult"])
    assert qualified["Payload"] == b"{}"


async def test_a_body_that_ends_in_a_large_piece_is_no_head() -> None:
    """What arrives last of a large payload may be larger than any head is allowed to be."""
    sent = {"a": "x" * 900_000}
    async with server() as scene:
        # Where the pieces are cut is the network's choice, so once may not be enough.
        answers = [
            await scene.call("invoke", FunctionName="orders", Payload=json.dumps(sent).encode()) for _ in range(3)
        ]

    assert [json.loads(answer["Payload"]) for answer in answers] == [sent] * 3


async def test_inv_11_13_14_boto3_sees_errors_events_and_dry_runs() -> None:
    """INV-11, 13, 14: FunctionError; 202 and 204 without a version."""
    async with server(handlers.fail) as scene:
        failed = await scene.call("invoke", FunctionName="orders")
        event = await scene.call("invoke", FunctionName="orders", InvocationType="Event", Payload=b'{"a":1}')
        dry = await scene.call("invoke", FunctionName="orders", InvocationType="DryRun")

    assert (failed["StatusCode"], failed["FunctionError"]) == (200, "Unhandled")
    assert json.loads(failed["Payload"])["errorMessage"] == "boom"
    assert (event["StatusCode"], event["Payload"], "ExecutedVersion" in event) == (202, b"", False)
    assert (dry["StatusCode"], dry["Payload"]) == (204, b"")
    assert [each["request_id"] for each in scene.accepted.events] == [event["ResponseMetadata"]["RequestId"]]


async def test_inv_23_24_boto3_invokes_by_the_other_operations() -> None:
    """INV-23, INV-24: the deprecated operation, and the stream."""
    async with server(handlers.of_size) as scene:
        kept = await scene.call("invoke_async", FunctionName="orders", InvokeArgs=io.BytesIO(b'{"a":1}'))
        answer = await scene.call(
            "invoke_with_response_stream", FunctionName="orders", Payload=b'{"size":300000}', LogType="Tail"
        )

    assert kept["Status"] == 202
    assert [event["payload"] for event in scene.accepted.events] == [b'{"a":1}']
    *chunks, last = answer["EventStream"]
    assert b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks) == b'"' + b"x" * 299_998 + b'"'
    assert len(chunks) == 3
    assert b"END RequestId: " in base64.b64decode(last["InvokeComplete"]["LogResult"])


async def refused(scene: Scene, **parameters: Any) -> tuple[int, str]:
    """(status, name of the exception class) boto3 raises."""
    with pytest.raises(ClientError) as raised:
        await scene.call("invoke", **({"FunctionName": "orders"} | parameters))
    assert raised.value.response["Error"]["Message"]
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"], type(raised.value).__name__


async def test_inv_16_19_20_21_25_boto3_raises_its_own_classes() -> None:
    """INV-16, 19, 20, 21, 25: as it would for AWS; also when it sends far more than is accepted."""
    async with server(reserved_concurrent_executions=0) as scene:
        assert await refused(scene, FunctionName="nope") == (404, "ResourceNotFoundException")
        assert await refused(scene, FunctionName="orders:nope") == (404, "ResourceNotFoundException")
        assert await refused(scene, Payload=b"{") == (400, "InvalidRequestContentException")
        assert await refused(scene, FunctionName="orders:a", Qualifier="b") == (400, "InvalidParameterValueException")
        assert await refused(scene, FunctionName="a/b") == (400, "ClientError")
        assert await refused(scene) == (429, "TooManyRequestsException")
        assert await refused(scene, Payload=b'"' + b"x" * 6_291_456) == (413, "RequestTooLargeException")
        assert await refused(scene, Payload=b"x" * 30_000_000) == (413, "RequestTooLargeException")
        assert await refused(scene, InvocationType="Event", Payload=b"x" * 1_048_577) == (
            413,
            "RequestTooLargeException",
        )
        scene.accepted.error = StateError("disk full")
        assert await refused(scene, InvocationType="Event") == (500, "ServiceException")


async def test_inv_06_12_a_process_sees_its_trace_and_its_output_is_in_the_tail() -> None:
    """INV-06, INV-12: what it printed, the last four kilobytes."""
    async with server(TALK, isolation="process", memory_size=256) as scene:
        answer = await scene.call(
            "invoke", FunctionName="orders", Payload=b'{"text":"' + b"y" * 5_000 + b'"}', LogType="Tail"
        )

    log = base64.b64decode(answer["LogResult"])
    assert len(log) == 4096
    assert log.startswith(b"yyyy")
    assert b"\nREPORT RequestId: " in log
    assert answer["Payload"] == b"null"


async def test_signed_callers_are_let_in_and_others_are_not() -> None:
    """The access keys of the settings; AWS' error for each way of being wrong."""
    async with server(access_keys={"AKIA": "secret"}) as scene:
        answer = await scene.call("invoke", key="AKIA", secret="secret", FunctionName=f"{ARN}:live", Payload=b'{"a":1}')
        event = await scene.call(
            "invoke",
            key="AKIA",
            secret="secret",
            FunctionName="orders",
            Qualifier="$LATEST",
            InvocationType="Event",
            ClientContext=base64.b64encode(b"{}").decode(),
        )
        codes = []
        for key, secret in (("AKIA", "wrong"), ("AKIX", "secret")):
            with pytest.raises(ClientError) as raised:
                await scene.call("invoke", key=key, secret=secret, FunctionName="orders")
            codes.append(raised.value.response["Error"]["Code"])

    assert (json.loads(answer["Payload"]), event["StatusCode"]) == ({"a": 1}, 202)
    assert codes == ["InvalidSignatureException", "UnrecognizedClientException"]
    assert scene.refused == {"signature": 2}


async def aws(scene: Scene, *arguments: str) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of the AWS CLI."""
    command = shutil.which("aws", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if command is None:
        pytest.skip("the AWS CLI is not installed")
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = await anyio.run_process(
        [command, "lambda", "invoke", "--endpoint-url", scene.url, *arguments], env=environment, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.timeout(120)
async def test_inv_01_02_the_aws_cli_invokes(tmp_path: Path) -> None:
    """INV-01, INV-02: synchronously with the log, as an event, and an unknown function."""
    file = tmp_path / "out.json"

    async with server(within_s=100) as scene:
        code, output, _ = await aws(
            scene,
            "--function-name",
            "orders",
            "--qualifier",
            "live",
            "--payload",
            '{"a": 1}',
            "--log-type",
            "Tail",
            str(file),
        )
        result = json.loads(file.read_text())
        event = await aws(
            scene, "--function-name", "orders", "--invocation-type", "Event", "--payload", "{}", str(file)
        )
        unknown = await aws(scene, "--function-name", "nope", str(file))

    told = json.loads(output)
    assert (code, result, told["StatusCode"], told["ExecutedVersion"]) == (0, {"a": 1}, 200, "$LATEST")
    assert b"REPORT RequestId: " in base64.b64decode(told["LogResult"])
    assert (event[0], json.loads(event[1])["StatusCode"], len(scene.accepted.events)) == (0, 202, 1)
    assert unknown[0] != 0
    assert "ResourceNotFoundException" in unknown[2]
    assert "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nope" in unknown[2]

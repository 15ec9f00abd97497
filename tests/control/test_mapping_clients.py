"""AWS' own clients, unpatched, manage mappings over a real server."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from botocore.exceptions import ClientError

from eventmap.errors import StateError, TransientSourceError
from eventmap.state.control_memory import MemoryControl
from tests.server.scene import REGION

from .scene import FIFO, LAMBDA, QUEUE, STREAM, TABLE, ServedWorld, served

PAY = f"{LAMBDA}:function:pay"
UNKNOWN = "11111111-2222-4333-8444-555555555555"


async def refused(there: ServedWorld, operation: str, **parameters: Any) -> tuple[int, str, str]:
    """(status, code, message) boto3 raises."""
    with pytest.raises(ClientError) as raised:
        await there.call(operation, **parameters)
    error = raised.value.response["Error"]
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


async def state(there: ServedWorld, uuid: str) -> str:
    """Once it has settled, as a caller sees it."""
    while (shown := (await there.call("get_event_source_mapping", UUID=uuid))["State"]) not in ("Enabled", "Disabled"):
        await anyio.sleep(0.01)
    return str(shown)


def configuration(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


async def test_api_01_to_05_the_life_of_a_mapping() -> None:
    """API-01..05, 10, 56..60: each operation with its status, and the configuration in every answer."""
    async with served() as there:
        created = await there.call("create_event_source_mapping", EventSourceArn=QUEUE, FunctionName="pay", BatchSize=5)
        uuid = created["UUID"]
        assert created["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert (len(uuid), created["State"]) == (36, "Creating")
        assert created["EventSourceMappingArn"] == f"{LAMBDA}:event-source-mapping:{uuid}"
        assert created["LastModified"].year >= 2026
        assert await state(there, uuid) == "Enabled"

        got = await there.call("get_event_source_mapping", UUID=uuid)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert configuration(got) == configuration(created) | {"State": "Enabled"}
        listed = await there.call("list_event_source_mappings")
        assert listed["EventSourceMappings"] == [configuration(got)]
        assert "NextMarker" not in listed

        updated = await there.call("update_event_source_mapping", UUID=uuid, BatchSize=6, Enabled=False)
        assert (updated["ResponseMetadata"]["HTTPStatusCode"], updated["State"]) == (202, "Disabling")
        assert await state(there, uuid) == "Disabled"
        deleted = await there.call("delete_event_source_mapping", UUID=uuid)
        assert (deleted["ResponseMetadata"]["HTTPStatusCode"], deleted["State"]) == (202, "Deleting")
        assert deleted["BatchSize"] == 6
        await anyio.sleep(0.05)
        gone = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
        for operation in ("get", "update", "delete"):
            assert await refused(there, f"{operation}_event_source_mapping", UUID=uuid) == gone
            assert await refused(there, f"{operation}_event_source_mapping", UUID="x") == gone
        assert (await there.call("list_event_source_mappings"))["EventSourceMappings"] == []


async def test_sqs_17_str_15_api_10_20_23_50_to_52_63_boto3_reads_each_member() -> None:
    """SQS-17, STR-15, API-63: of a queue exactly these, of a stream these."""
    async with served() as there:
        queue = await there.call("create_event_source_mapping", EventSourceArn=QUEUE, FunctionName="pay")
        stream = await there.call(
            "create_event_source_mapping", EventSourceArn=STREAM, FunctionName="pay", StartingPosition="TRIM_HORIZON"
        )

    common = {"UUID", "BatchSize", "MaximumBatchingWindowInSeconds", "EventSourceArn", "EventSourceMappingArn"}
    common |= {"FunctionArn", "FunctionResponseTypes", "LastModified", "State", "StateTransitionReason"}
    assert configuration(queue).keys() == common
    assert configuration(stream).keys() == common | {
        *("StartingPosition", "ParallelizationFactor", "LastProcessingResult", "DestinationConfig"),
        *("MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError", "MaximumRetryAttempts", "TumblingWindowInSeconds"),
    }
    assert (stream["LastProcessingResult"], stream["StateTransitionReason"]) == ("No records processed", "User action")


@pytest.mark.parametrize("name", ["pay", PAY, "123456789012:function:pay", f"{REGION}:123456789012:function:pay"])
async def test_api_11_a_function_by_each_of_its_names(name: str) -> None:
    """API-11: answered is the ARN; with a qualifier, the qualified one."""
    if name.startswith(REGION):
        name = f"arn:aws:lambda:{name}"
    async with served() as there:
        plain = await there.call("create_event_source_mapping", EventSourceArn=QUEUE, FunctionName=name)
        live = await there.call("create_event_source_mapping", EventSourceArn=FIFO, FunctionName=f"{name}:live")
        assert (plain["FunctionArn"], live["FunctionArn"]) == (PAY, f"{PAY}:live")
        await state(there, live["UUID"])
        assert there.pollers.polling[live["UUID"]].function_name == "pay"


async def test_api_14a_listing_by_source_and_function() -> None:
    """API-14a: an alias is not its function; whose function is unknown has none."""
    async with served() as there:
        await there.create(QUEUE)
        await there.create(FIFO, "pay:live")
        await there.create(QUEUE, "ship")

        async def listed(**parameters: Any) -> list[tuple[str, str]]:
            answer = await there.call("list_event_source_mappings", **parameters)
            return sorted(
                (each["EventSourceArn"].rpartition(":")[2], each["FunctionArn"].partition(":function:")[2])
                for each in answer["EventSourceMappings"]
            )

        assert await listed() == [("jobs", "pay"), ("jobs", "ship"), ("jobs.fifo", "pay:live")]
        assert await listed(FunctionName="pay") == [("jobs", "pay")]
        assert await listed(FunctionName=f"{PAY}:live") == [("jobs.fifo", "pay:live")]
        assert await listed(EventSourceArn=QUEUE) == [("jobs", "pay"), ("jobs", "ship")]
        assert await listed(EventSourceArn=QUEUE, FunctionName="ship") == [("jobs", "ship")]
        assert await listed(FunctionName="nobody") == []


async def test_api_06_boto3_turns_the_pages() -> None:
    """API-06: by Marker, as many on each as were asked for."""
    async with served() as there:
        for arn in (QUEUE, FIFO, STREAM, TABLE):
            await there.create(arn)
        first = await there.call("list_event_source_mappings", MaxItems=3)
        second = await there.call("list_event_source_mappings", MaxItems=3, Marker=first["NextMarker"])

    assert (len(first["EventSourceMappings"]), len(second["EventSourceMappings"])) == (3, 1)
    assert "NextMarker" not in second
    assert len({each["UUID"] for page in (first, second) for each in page["EventSourceMappings"]}) == 4


REFUSED: list[tuple[dict[str, Any], tuple[int, str], str]] = [
    ({"EventSourceArn": "arn:aws:s3:::b"}, (400, "InvalidParameterValueException"), "Unrecognized event source."),
    (
        {"FunctionName": "nobody"},
        (400, "InvalidParameterValueException"),
        f"Function does not exist: {LAMBDA}:function:",
    ),
    ({"FunctionName": "pay:dev"}, (400, "InvalidParameterValueException"), f"Function does not exist: {PAY}:dev"),
    (
        {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:pay"},
        (400, "InvalidParameterValueException"),
        "Function does not exist: arn:aws:lambda:us-east-1",
    ),
    ({"FunctionName": "a/b"}, (400, "ValidationException"), "1 validation error detected: Value 'a/b'"),
    ({"EventSourceArn": f"{QUEUE}-2"}, (400, "InvalidParameterValueException"), "The specified queue does not exist"),
    (
        {"EventSourceArn": f"{STREAM}-2", "StartingPosition": "LATEST"},
        (400, "InvalidParameterValueException"),
        f"Stream not found: {STREAM}-2",
    ),
    ({"EventSourceArn": STREAM}, (400, "InvalidParameterValueException"), "Value null at 'startingPosition'"),
    (
        {"EventSourceArn": STREAM, "StartingPosition": "SOMEWHERE"},
        (400, "ValidationException"),
        "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
    ),
    ({"BatchSize": 11}, (400, "InvalidParameterValueException"), "Maximum batch window in seconds must be greater"),
    ({"BatchSize": 20_000}, (400, "ValidationException"), "Member must have value less than or equal to 10000"),
    ({"Topics": ["t"]}, (400, "InvalidParameterValueException"), "Unsupported Topics parameter"),
    ({"Tags": {"aws:x": "y"}}, (400, "InvalidParameterValueException"), "reserved for AWS"),
]


@pytest.mark.parametrize(("parameters", "error", "said"), REFUSED)
async def test_api_01_07_08_what_create_refuses(parameters: dict[str, Any], error: tuple[int, str], said: str) -> None:
    """API-01, 07, 08, SQS-14, SQS-15, STR-16, STR-17: AWS' error and its words; nothing is made."""
    async with served() as there:
        status, code, message = await refused(
            there, "create_event_source_mapping", **{"EventSourceArn": QUEUE, "FunctionName": "pay", **parameters}
        )
        assert ((status, code), said in message) == (error, True), message
        assert there.mappings.list({}) == {"EventSourceMappings": []}
        assert await there.store.read("mapping") == {}


async def test_sqs_13_str_17_a_second_mapping_of_a_pair_is_a_conflict() -> None:
    """SQS-13, STR-17: 409 with the UUID of the first; also by an alias that runs the same code."""
    async with served() as there:
        for arn, position in ((QUEUE, {}), (STREAM, {"StartingPosition": "LATEST"})):
            uuid = await there.enabled(arn)
            for name in ("pay", "pay:live"):
                status, code, message = await refused(
                    there, "create_event_source_mapping", EventSourceArn=arn, FunctionName=name, **position
                )
                assert (status, code) == (409, "ResourceConflictException")
                assert message.endswith(f"Please update or delete the existing mapping with UUID {uuid}")


async def test_api_09_21_what_is_in_use_and_what_fails() -> None:
    """API-09: 400 ResourceInUseException; 500 ServiceException where the fault is not the caller's."""
    async with served() as there:
        there.pollers.holds["start"] = hold = anyio.Event()
        uuid = await there.create()
        await anyio.wait_all_tasks_blocked()
        for operation in ("update", "delete"):
            assert await refused(there, f"{operation}_event_source_mapping", UUID=uuid) == (
                400,
                "ResourceInUseException",
                f"Cannot {operation} the event source mapping because it is in use.",
            )
        hold.set()
        await state(there, uuid)
        for error in (TransientSourceError("503 from SQS"), StateError("the disk is full")):
            there.pollers.errors["resolve"] = [error]
            status, code, _ = await refused(there, "update_event_source_mapping", UUID=uuid, BatchSize=2)
            assert (status, code) == (500, "ServiceException")
        assert there.mappings.get(uuid)["BatchSize"] == 10


async def test_api_13_function_of_a_queue_may_change_and_of_a_stream_may_not() -> None:
    """API-13: a stream's checkpoints are its function's, so nothing could be neither lost nor repeated."""
    async with served() as there:
        queue, stream = await there.enabled(QUEUE), await there.enabled(STREAM)
        updated = await there.call("update_event_source_mapping", UUID=queue, FunctionName="ship")
        assert updated["FunctionArn"] == f"{LAMBDA}:function:ship"
        await state(there, queue)
        assert there.pollers.polling[queue].function_name == "ship"

        status, code, message = await refused(there, "update_event_source_mapping", UUID=stream, FunctionName="ship")
        assert (status, code, "cannot be changed" in message) == (400, "InvalidParameterValueException", True)
        same = await there.call("update_event_source_mapping", UUID=stream, FunctionName="pay:live")
        assert same["FunctionArn"] == f"{PAY}:live"
        await state(there, stream)

        another = await there.call("create_event_source_mapping", EventSourceArn=QUEUE, FunctionName="pay")
        assert another["UUID"] != queue
        conflict = await refused(there, "update_event_source_mapping", UUID=queue, FunctionName="pay")
        assert conflict[:2] == (409, "ResourceConflictException")
        missing = await refused(there, "update_event_source_mapping", UUID=queue, FunctionName="nobody")
        assert missing[:2] == (400, "InvalidParameterValueException")


async def test_api_53_tags() -> None:
    """API-53: given on creation, added, replaced, removed; kept across a restart; an unknown mapping has none."""
    store = MemoryControl()
    async with served(store) as there:
        # Not by boto3, whose oldest version of ours does not know of them here.
        body = {"EventSourceArn": QUEUE, "FunctionName": "pay", "Tags": {"team": "a", "x": ""}}
        created = await there.mappings.create({**body})
        arn = created["EventSourceMappingArn"]
        assert "Tags" not in created
        await there.call("tag_resource", Resource=arn, Tags={"team": "b", "cost centre": "ü/1"})
        assert (await there.call("list_tags", Resource=arn))["Tags"] == {"team": "b", "x": "", "cost centre": "ü/1"}
        removed = await there.call("untag_resource", Resource=arn, TagKeys=["x", "cost centre", "never"])
        assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert (await there.call("list_tags", Resource=arn))["Tags"] == {"team": "b"}

        too_many = {f"t{number}": "" for number in range(50)}
        assert (await refused(there, "tag_resource", Resource=arn, Tags=too_many))[:2] == (
            400,
            "InvalidParameterValueException",
        )
        for operation, empty in (("tag_resource", {"Tags": {}}), ("untag_resource", {"TagKeys": []})):
            assert (await refused(there, operation, Resource=arn, **empty))[:2] == (
                400,
                "InvalidParameterValueException",
            )
        other = f"{LAMBDA}:event-source-mapping:{UNKNOWN}"
        for wrong in (other, arn.replace(REGION, "us-east-1")):
            assert (await refused(there, "list_tags", Resource=wrong))[:2] == (404, "ResourceNotFoundException")
        assert (await refused(there, "list_tags", Resource="nothing"))[:2] == (400, "InvalidParameterValueException")
        assert "code-signing" not in (await refused(there, "list_tags", Resource=f"{LAMBDA}:layer:x"))[2]
    async with served(store) as again:
        assert (await again.call("list_tags", Resource=arn))["Tags"] == {"team": "b"}


async def test_a_new_mapping_polls_within_a_third_of_a_second() -> None:
    """Counted from the answer."""
    async with served() as there:
        await there.call("create_event_source_mapping", EventSourceArn=QUEUE, FunctionName="pay")
        answered_at = anyio.current_time()
        while not there.pollers.started_at:
            await anyio.sleep(0.001)
        assert there.pollers.started_at[0] - answered_at < 0.3


async def test_operations_that_are_not_served_say_so() -> None:
    """By name, with what there is instead."""
    async with served() as there:
        for operation, parameters, name in (
            ("list_layers", {}, "ListLayers"),
            ("list_code_signing_configs", {}, "ListCodeSigningConfigs"),
            ("create_function_url_config", {"FunctionName": "pay", "AuthType": "NONE"}, "CreateFunctionUrlConfig"),
        ):
            status, code, message = await refused(there, operation, **parameters)
            assert (status, code) == (404, "UnknownOperationException")
            assert message.startswith(f"{name} is not served here: ")


class Terraform:
    """The requests that `aws_lambda_event_source_mapping` makes, and how long it waits."""

    def __init__(self, there: ServedWorld) -> None:
        self._there = there

    async def wait(self, uuid: str, pending: set[str], target: set[str]) -> None:
        """Get until the state is a target; any other than the pending ones is an error to it."""
        while True:
            listed = (await self._there.call("list_event_source_mappings"))["EventSourceMappings"]
            if not target and not listed:
                error = await refused(self._there, "get_event_source_mapping", UUID=uuid)
                assert error[1] == "ResourceNotFoundException"
                return
            shown = (await self._there.call("get_event_source_mapping", UUID=uuid))["State"]
            if shown in target:
                return
            assert shown in pending
            await anyio.sleep(0.01)

    async def read(self, uuid: str) -> dict[str, Any]:
        """What its state file would hold."""
        shown = configuration(await self._there.call("get_event_source_mapping", UUID=uuid))
        tags = await self._there.call("list_tags", Resource=shown["EventSourceMappingArn"])
        return shown | {"Tags": tags["Tags"]}


async def test_terraform_s_requests_create_change_and_destroy_a_mapping() -> None:
    """Its order of calls, its waits, its ways of removing a block; what it reads is what it asked for."""
    async with served() as there:
        terraform = Terraform(there)
        created = await there.call(
            "create_event_source_mapping",
            EventSourceArn=QUEUE,
            FunctionName=PAY,
            Enabled=True,
            BatchSize=20,
            MaximumBatchingWindowInSeconds=5,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 10},
            FilterCriteria={"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]},
        )
        uuid = created["UUID"]
        await there.call("tag_resource", Resource=created["EventSourceMappingArn"], Tags={"team": "a"})
        await terraform.wait(uuid, {"Creating", "Disabling", "Enabling"}, {"Disabled", "Enabled"})
        read = await terraform.read(uuid)
        assert (read["State"], read["Tags"], read["FunctionArn"]) == ("Enabled", {"team": "a"}, PAY)
        assert read["ScalingConfig"] == {"MaximumConcurrency": 10}
        assert read["FilterCriteria"] == {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]}

        await there.call("untag_resource", Resource=read["EventSourceMappingArn"], TagKeys=["team"])
        await there.call("tag_resource", Resource=read["EventSourceMappingArn"], Tags={"owner": "b"})
        await there.call(
            "update_event_source_mapping", UUID=uuid, BatchSize=30, ScalingConfig={}, FilterCriteria={}, Enabled=False
        )
        await terraform.wait(uuid, {"Disabling", "Enabling", "Updating"}, {"Disabled", "Enabled"})
        read = await terraform.read(uuid)
        assert (read["State"], read["BatchSize"], read["Tags"]) == ("Disabled", 30, {"owner": "b"})
        assert not {"ScalingConfig", "FilterCriteria"} & read.keys()

        await there.call("delete_event_source_mapping", UUID=uuid)
        await terraform.wait(uuid, {"Deleting"}, set())
        assert there.pollers.polling == {}


async def aws(there: ServedWorld, *arguments: str) -> tuple[int, Any, str]:
    """(exit status, the answer, standard error) of the AWS CLI."""
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
        [command, "lambda", "--endpoint-url", there.scene.url, *arguments], env=environment, check=False
    )
    return done.returncode, json.loads(done.stdout or b"null"), done.stderr.decode()


@pytest.mark.timeout(120)
async def test_api_01_to_05_the_aws_cli_manages_a_mapping() -> None:
    """API-01..05: from the shell."""
    async with served(within_s=110) as there:
        code, created, _ = await aws(
            there,
            "create-event-source-mapping",
            *("--function-name", "pay", "--event-source-arn", QUEUE, "--batch-size", "5"),
            *("--filter-criteria", '{"Filters":[{"Pattern":"{\\"body\\":[\\"x\\"]}"}]}'),
        )
        assert (code, created["State"], created["BatchSize"]) == (0, "Creating", 5)
        uuid = created["UUID"]
        updated = await aws(there, "update-event-source-mapping", "--uuid", uuid, "--no-enabled")
        assert (updated[0], updated[1]["State"]) == (0, "Disabling")
        got = await aws(there, "get-event-source-mapping", "--uuid", uuid)
        assert (got[0], got[1]["State"]) == (0, "Disabled")
        listed = await aws(there, "list-event-source-mappings", "--function-name", "pay")
        assert listed[1]["EventSourceMappings"] == [got[1]]
        assert (await aws(there, "delete-event-source-mapping", "--uuid", uuid))[1]["State"] == "Deleting"
        gone = await aws(there, "get-event-source-mapping", "--uuid", uuid)
        assert "ResourceNotFoundException" in gone[2]

"""Versions and aliases over a real server: what was published keeps its code, whatever becomes of `$LATEST`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from .function_scene import ARN, QUEUE, FunctionScene, content, served, status, zipped

OTHER = QUEUE.replace("ends", "others")
STALE = (
    412,
    "PreconditionFailedException",
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the "
    "latest Revision Id",
)


async def test_inv_10_100_101_a_version_keeps_its_code_and_configuration(tmp_path: Path) -> None:
    """PublishVersion; the context, the variables and the caller are told which version ran."""
    async with served(tmp_path) as there:
        await there.create(Environment={"Variables": {"GREETING": "hello"}})
        one = await there.call("publish_version", FunctionName="pay", Description="the first")
        assert status(one) == 201
        assert (one["Version"], one["FunctionArn"], one["Description"]) == ("1", f"{ARN}:1", "the first")

        await there.call("update_function_code", FunctionName="pay", ZipFile=zipped("two"))
        await there.call("update_function_configuration", FunctionName="pay", Environment={"Variables": {}})
        first, latest = await there.says(Qualifier="1"), await there.says()

        assert (first["says"], first["greeting"], first["version"]) == ("one", "hello", "1")
        assert (first["variable"], first["executed"], first["arn"]) == ("1", "1", f"{ARN}:1")
        assert (latest["says"], latest["greeting"], latest["version"]) == ("two", None, "$LATEST")
        assert latest["executed"] == "$LATEST"
        shown = await there.call("get_function", FunctionName="pay:1")
        assert shown["Configuration"] == content(one)
        assert shown["Code"]["Location"] == Path(first["folder"]).as_uri()
        refused = await there.refusal("invoke", FunctionName="pay", Qualifier="2")
        assert refused == (404, "ResourceNotFoundException", f"Function not found: {ARN}:2")


async def test_publishing_again_what_has_not_changed(tmp_path: Path) -> None:
    """PublishVersion: the last version again; of a stale hash or revision nothing; numbers are given once."""
    async with served(tmp_path) as there:
        created = await there.create(Publish=True)
        assert created["Version"] == "1"
        again = await there.call("publish_version", FunctionName="pay", CodeSha256=created["CodeSha256"])
        assert again["Version"] == "1"
        refused = await there.refusal("publish_version", FunctionName="pay", CodeSha256="x")
        assert refused[:2] == (400, "InvalidParameterValueException")
        assert f"is different from current CodeSHA256 in $LATEST ({created['CodeSha256']})" in refused[2]
        assert await there.refusal("publish_version", FunctionName="pay", RevisionId="x") == STALE

        code: dict[str, Any] = {"ZipFile": zipped("two"), "Publish": True}
        assert (await there.call("update_function_code", FunctionName="pay", **code))["Version"] == "2"
        await there.call("delete_function", FunctionName="pay", Qualifier="2")
        assert await there.refusal("invoke", FunctionName="pay:2") == (
            404,
            "ResourceNotFoundException",
            f"Function not found: {ARN}:2",
        )
        await there.call("update_function_configuration", FunctionName="pay", Description="other")
        assert (await there.call("publish_version", FunctionName="pay"))["Version"] == "3"
        listed = await there.call("list_versions_by_function", FunctionName="pay", MaxItems=2)
        assert [each["Version"] for each in listed["Versions"]] == ["$LATEST", "1"]
        rest = await there.call("list_versions_by_function", FunctionName="pay", Marker=listed["NextMarker"])
        assert [(each["Version"], each["Description"]) for each in rest["Versions"]] == [("3", "other")]


async def test_an_alias_names_a_version_and_moves(tmp_path: Path) -> None:
    """CreateAlias, UpdateAlias, GetAlias, ListAliases, DeleteAlias; invocations follow."""
    async with served(tmp_path) as there:
        await there.create(Publish=True)
        await there.call("update_function_code", FunctionName="pay", ZipFile=zipped("two"), Publish=True)
        created = await there.call(
            "create_alias", FunctionName="pay", Name="live", FunctionVersion="1", Description="for all"
        )
        assert status(created) == 201
        assert content(created) == {
            "AliasArn": f"{ARN}:live",
            "Name": "live",
            "FunctionVersion": "1",
            "Description": "for all",
            "RevisionId": created["RevisionId"],
        }
        said = await there.says("pay:live")
        assert (said["says"], said["version"], said["executed"], said["arn"]) == ("one", "1", "1", f"{ARN}:live")
        shown = await there.call("get_function_configuration", FunctionName="pay", Qualifier="live")
        assert (shown["Version"], shown["FunctionArn"]) == ("1", f"{ARN}:live")

        moved = await there.call(
            "update_alias", FunctionName="pay", Name="live", FunctionVersion="2", RevisionId=created["RevisionId"]
        )
        assert (moved["FunctionVersion"], moved["Description"]) == ("2", "for all")
        assert (await there.says("pay:live"))["says"] == "two"
        stale = {"FunctionVersion": "1", "RevisionId": created["RevisionId"]}
        assert await there.refusal("update_alias", FunctionName="pay", Name="live", **stale) == STALE
        renamed = await there.call("update_alias", FunctionName="pay", Name="live", Description="")
        assert (renamed["Description"], renamed["FunctionVersion"]) == ("", "2")
        assert content(await there.call("get_alias", FunctionName="pay", Name="live")) == content(renamed)

        await there.call("create_alias", FunctionName="pay", Name="beta", FunctionVersion="$LATEST")
        every = await there.call("list_aliases", FunctionName="pay", MaxItems=1)
        assert [each["Name"] for each in every["Aliases"]] == ["beta"]
        rest = await there.call("list_aliases", FunctionName="pay", Marker=every["NextMarker"])
        assert [each["Name"] for each in rest["Aliases"]] == ["live"]
        of_two = await there.call("list_aliases", FunctionName="pay", FunctionVersion="2")
        assert [each["Name"] for each in of_two["Aliases"]] == ["live"]

        assert status(await there.call("delete_alias", FunctionName="pay", Name="live")) == 204
        await there.call("delete_alias", FunctionName="pay", Name="live")
        assert (await there.refusal("invoke", FunctionName="pay:live"))[0] == 404
        assert await there.refusal("get_alias", FunctionName="pay", Name="live") == (
            404,
            "ResourceNotFoundException",
            f"Cannot find alias arn: {ARN}:live",
        )


async def test_what_aliases_and_versions_refuse(tmp_path: Path) -> None:
    """Routing weights, versions there are none of, names that are taken or no names, deletions of what is in use."""
    async with served(tmp_path) as there:
        await there.create(Publish=True)
        await there.call("create_alias", FunctionName="pay", Name="live", FunctionVersion="1")
        usual = {"Name": "x", "FunctionVersion": "1"}

        async def refused(operation: str = "create_alias", **parameters: Any) -> tuple[str, str]:
            return (await there.refusal(operation, **{"FunctionName": "pay", **parameters}))[1:]

        weights = {"AdditionalVersionWeights": {"1": 0.5}}
        code, message = await refused(**usual, RoutingConfig=weights)
        assert (code, "an alias names one version" in message) == ("InvalidParameterValueException", True)
        code, message = await refused("update_alias", Name="live", RoutingConfig=weights)
        assert (code, "an alias names one version" in message) == ("InvalidParameterValueException", True)
        await there.call("update_alias", FunctionName="pay", Name="live", RoutingConfig={})
        assert await refused(**usual | {"FunctionVersion": "7"}) == (
            "ResourceNotFoundException",
            f"Function not found: {ARN}:7",
        )
        assert await refused(**usual | {"Name": "live"}) == (
            "ResourceConflictException",
            f"Alias already exists: {ARN}:live",
        )
        assert (await refused(**usual | {"Name": "12"}))[0] == "ValidationException"
        assert (await refused(**usual | {"FunctionVersion": "live"}))[0] == "ValidationException"
        code, message = await refused("delete_function", Qualifier="1")
        assert (code, "alias live points to it" in message) == ("ResourceConflictException", True)
        assert await refused("delete_function", Qualifier="$LATEST") == (
            "InvalidParameterValueException",
            "$LATEST version cannot be deleted without deleting the function.",
        )
        assert (await refused("delete_function", Qualifier="live"))[0] == "InvalidParameterValueException"
        assert (await refused("update_function_code", FunctionName="pay:1", ZipFile=zipped()))[0] == (
            "InvalidParameterValueException"
        )


async def test_inv_45_67_asynchronous_events_go_by_the_config_of_their_qualifier(tmp_path: Path) -> None:
    """INV-45, 55, 67: retries and destinations of the qualifier it was addressed by; of another its own."""
    async with served(tmp_path) as there:
        await there.create(Publish=True)
        await there.call("create_alias", FunctionName="pay", Name="live", FunctionVersion="1")
        put = await there.call(
            "put_function_event_invoke_config",
            FunctionName="pay",
            Qualifier="live",
            MaximumRetryAttempts=0,
            MaximumEventAgeInSeconds=60,
            DestinationConfig={"OnFailure": {"Destination": QUEUE}},
        )
        assert content(put) == {
            "FunctionArn": f"{ARN}:live",
            "LastModified": put["LastModified"],
            "MaximumRetryAttempts": 0,
            "MaximumEventAgeInSeconds": 60,
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
        }

        for qualifier in ({}, {"Qualifier": "live"}):
            await there.call("invoke", FunctionName="pay", InvocationType="Event", Payload=b'"fail"', **qualifier)
        while not there.live.statistics["pay"].failed or not there.live.statistics["pay"].retried:
            await anyio.sleep(0.02)
        (told,) = there.targets[QUEUE].parcels
        record = orjson.loads(told.body)
        assert record["requestContext"]["functionArn"] == f"{ARN}:live"
        assert record["requestContext"]["approximateInvokeCount"] == 1
        assert record["responseContext"]["executedVersion"] == "1"


async def _events(there: FunctionScene, operation: str, **parameters: Any) -> dict[str, object]:
    answer = content(await there.call(f"{operation}_function_event_invoke_config", FunctionName="pay", **parameters))
    answer.pop("LastModified", None)
    return answer


async def test_inv_45_put_replaces_and_update_merges(tmp_path: Path) -> None:
    """INV-45, 63: and what is refused, in AWS' words."""
    async with served(tmp_path) as there:
        await there.create()
        destinations = {"OnSuccess": {"Destination": QUEUE}}
        none: dict[str, Any] = {"OnSuccess": {}, "OnFailure": {}}
        unknown = (404, "ResourceNotFoundException", f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig")
        for operation in ("get", "delete"):
            assert await there.refusal(f"{operation}_function_event_invoke_config", FunctionName="pay") == unknown
        update = {"FunctionName": "pay", "MaximumRetryAttempts": 1}
        assert await there.refusal("update_function_event_invoke_config", **update) == unknown

        first = await _events(there, "put", MaximumRetryAttempts=1, DestinationConfig=destinations)
        assert first["DestinationConfig"] == none | destinations
        merged = await _events(there, "update", MaximumEventAgeInSeconds=100)
        assert merged == first | {"MaximumEventAgeInSeconds": 100}
        assert await _events(there, "get", Qualifier="$LATEST") == merged
        cleared = await _events(there, "update", DestinationConfig={"OnSuccess": {}})
        assert cleared == merged | {"DestinationConfig": none}
        replaced = await _events(there, "put", MaximumEventAgeInSeconds=200)
        assert replaced == {
            "FunctionArn": f"{ARN}:$LATEST", "MaximumEventAgeInSeconds": 200, "DestinationConfig": none
        }  # fmt: skip

        listed = await there.call("list_function_event_invoke_configs", FunctionName="pay")
        assert [each["FunctionArn"] for each in listed["FunctionEventInvokeConfigs"]] == [f"{ARN}:$LATEST"]
        await _events(there, "delete")
        assert await there.refusal("get_function_event_invoke_config", FunctionName="pay") == unknown
        assert (await there.call("list_function_event_invoke_configs", FunctionName="pay"))[
            "FunctionEventInvokeConfigs"
        ] == []

        for parameters, says in (
            ({}, "You must specify at least one of error handling or destination setting."),
            ({"MaximumRetryAttempts": 3}, "Member must have value less than or equal to 2"),
            ({"MaximumEventAgeInSeconds": 59}, "Member must have value greater than or equal to 60"),
            (
                {"DestinationConfig": {"OnFailure": {"Destination": ARN}}},
                "You can't specify the function as a destination for itself.",
            ),
            (
                {"DestinationConfig": {"OnFailure": {"Destination": QUEUE.replace("ends", "gone")}}},
                f"The destination ARN {QUEUE.replace('ends', 'gone')} is invalid.",
            ),
            (
                {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}}},
                "The provided destination config DestinationConfig(OnSuccess=arn:aws:s3:::bucket) is invalid.",
            ),
        ):
            refused = await there.refusal("put_function_event_invoke_config", FunctionName="pay", **parameters)
            assert says in refused[2], parameters
        other = {"FunctionName": "pay:x", "MaximumRetryAttempts": 1}
        assert (await there.refusal("put_function_event_invoke_config", **other))[0] == 404


async def test_inv_91_92_25_reserved_concurrency(tmp_path: Path) -> None:
    """INV-25, 91, 92: it bounds at once, 0 blocks, 100 of the account stay free, and none is the rule again."""
    async with served(tmp_path) as there:
        await there.create()
        assert "ReservedConcurrentExecutions" not in await there.call("get_function_concurrency", FunctionName="pay")
        put = await there.call("put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=0)
        assert (status(put), put["ReservedConcurrentExecutions"]) == (200, 0)
        refused = await there.refusal("invoke", FunctionName="pay")
        assert refused[:2] == (429, "TooManyRequestsException")
        assert (await there.call("get_function_concurrency", FunctionName="pay"))["ReservedConcurrentExecutions"] == 0

        await there.create("other")
        await there.call("put_function_concurrency", FunctionName="other", ReservedConcurrentExecutions=500)
        assert await there.refusal(
            "put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=401
        ) == (
            400,
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            "below its minimum value of [100].",
        )
        for reserved in (300, 400):  # its own of before does not count
            await there.call("put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=reserved)
        settings = await there.call("get_account_settings")
        assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
        assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
        assert settings["AccountUsage"] == {"FunctionCount": 2, "TotalCodeSize": 2 * len(zipped())}

        await there.call("put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=0)
        assert status(await there.call("delete_function_concurrency", FunctionName="pay")) == 204
        assert (await there.says())["says"] == "one"
        for parameters in ({}, {"ReservedConcurrentExecutions": -1}):
            assert (await there.refusal("put_function_concurrency", FunctionName="pay", **parameters))[0] == 400


async def test_inv_92_all_versions_run_within_the_concurrency_of_their_function(tmp_path: Path) -> None:
    """INV-92: one invocation of `$LATEST` leaves none to a version of a function that may run once."""
    sleeper = f"import time\ndef handler(event, context): time.sleep(event)\n# {'x' * 9}"
    async with served(tmp_path) as there:
        await there.create(Publish=True, Code={"ZipFile": zipped(sleep=sleeper)}, Handler="sleep.handler")
        await there.call("put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: there.call("invoke", FunctionName="pay", Payload=b"3"))
            await anyio.sleep(0.7)
            assert (await there.refusal("invoke", FunctionName="pay:1", Payload=b"0"))[0] == 429
            tasks.cancel_scope.cancel()


async def test_inv_93_provisioned_concurrency(tmp_path: Path) -> None:
    """INV-93: on versions and aliases of them, within what is reserved; kept, shown, listed and deleted."""
    async with served(tmp_path) as there:
        await there.create(Publish=True)
        await there.call("create_alias", FunctionName="pay", Name="live", FunctionVersion="1")
        await there.call("create_alias", FunctionName="pay", Name="beta", FunctionVersion="$LATEST")
        live = {"FunctionName": "pay", "Qualifier": "live"}
        assert await there.refusal("get_provisioned_concurrency_config", **live) == (
            404,
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )
        put = await there.call("put_provisioned_concurrency_config", **live, ProvisionedConcurrentExecutions=2)
        assert (status(put), put["RequestedProvisionedConcurrentExecutions"]) == (202, 2)
        got = await there.call("get_provisioned_concurrency_config", **live)
        assert got["Status"] == "READY"
        assert (got["AllocatedProvisionedConcurrentExecutions"], got["AvailableProvisionedConcurrentExecutions"]) == (
            2,
            2,
        )
        listed = await there.call("list_provisioned_concurrency_configs", FunctionName="pay")
        assert [each["FunctionArn"] for each in listed["ProvisionedConcurrencyConfigs"]] == [f"{ARN}:live"]

        for qualifier in ("$LATEST", "beta"):
            assert await there.refusal(
                "put_provisioned_concurrency_config",
                FunctionName="pay",
                Qualifier=qualifier,
                ProvisionedConcurrentExecutions=1,
            ) == (
                400,
                "InvalidParameterValueException",
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            )
        assert await there.refusal("put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=1) == (
            400,
            "InvalidParameterValueException",
            " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].",
        )
        await there.call("put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=3)
        await there.call("put_provisioned_concurrency_config", **live, ProvisionedConcurrentExecutions=3)
        more = {"ProvisionedConcurrentExecutions": 4}
        assert await there.refusal("put_provisioned_concurrency_config", **live, **more) == (
            400,
            "InvalidParameterValueException",
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
        )
        assert (await there.refusal("put_provisioned_concurrency_config", **live))[0] == 400
        assert status(await there.call("delete_provisioned_concurrency_config", **live)) == 204
        listed = await there.call("list_provisioned_concurrency_configs", FunctionName="pay")
        assert listed["ProvisionedConcurrencyConfigs"] == []


@pytest.mark.newest_clients
async def test_permissions_are_kept_and_shown(tmp_path: Path) -> None:
    """AddPermission, GetPolicy, RemovePermission: a statement as AWS writes it, of a function or a qualifier."""
    async with served(tmp_path) as there:
        await there.create(Publish=True)
        none = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
        assert await there.refusal("get_policy", FunctionName="pay") == none
        usual = {"FunctionName": "pay", "StatementId": "s3", "Action": "lambda:InvokeFunction"}
        bucket = {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": "123456789012"}
        added = await there.call("add_permission", **usual, **bucket)
        statement = {
            "Sid": "s3",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": ARN,
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": "123456789012"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
            },
        }
        assert (status(added), orjson.loads(added["Statement"])) == (201, statement)
        policy = await there.call("get_policy", FunctionName="pay")
        document = orjson.loads(policy["Policy"])
        assert document == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
        assert (await there.refusal("add_permission", **usual, **bucket))[:2] == (409, "ResourceConflictException")
        other = usual | {"StatementId": "x", "Principal": "123456789012"}
        assert (await there.refusal("add_permission", **other, RevisionId="no"))[1] == "PreconditionFailedException"
        await there.call("add_permission", **other, RevisionId=policy["RevisionId"])
        conditions: dict[str, Any] = {
            "EventSourceToken": "t", "PrincipalOrgID": "o-1234567890", "FunctionUrlAuthType": "NONE",
            "InvokedViaFunctionUrl": True,
        }  # fmt: skip
        qualified = await there.call("add_permission", **usual, Principal="*", Qualifier="1", **conditions)
        assert orjson.loads(qualified["Statement"])["Condition"] == {
            "StringEquals": {
                "lambda:EventSourceToken": "t",
                "aws:PrincipalOrgID": "o-1234567890",
                "lambda:FunctionUrlAuthType": "NONE",
            },
            "Bool": {"lambda:InvokedViaFunctionUrl": "true"},
        }
        of_version = orjson.loads((await there.call("get_policy", FunctionName="pay", Qualifier="1"))["Policy"])
        assert [(each["Resource"], each["Principal"]) for each in of_version["Statement"]] == [(f"{ARN}:1", "*")]

        remove = {"FunctionName": "pay", "StatementId": "s3"}
        assert (await there.refusal("remove_permission", **remove, RevisionId="no"))[1] == "PreconditionFailedException"
        assert status(await there.call("remove_permission", **remove)) == 204
        assert await there.refusal("remove_permission", **remove) == (
            404,
            "ResourceNotFoundException",
            "Statement s3 is not found in resource policy.",
        )
        left = orjson.loads((await there.call("get_policy", FunctionName="pay"))["Policy"])["Statement"]
        assert [each["Principal"] for each in left] == [{"AWS": "arn:aws:iam::123456789012:root"}]
        await there.call("remove_permission", FunctionName="pay", StatementId="s3", Qualifier="1")
        assert await there.refusal("get_policy", FunctionName="pay", Qualifier="1") == none


@pytest.mark.parametrize("member", ["StatementId", "Action", "Principal"])
async def test_what_a_permission_must_have(tmp_path: Path, member: str) -> None:
    """ValidationException names the member that is missing, or of another form."""
    usual: dict[str, Any] = {
        "FunctionName": "pay",
        "StatementId": "s",
        "Action": "lambda:InvokeFunction",
        "Principal": "*",
    }
    async with served(tmp_path) as there:
        await there.create()
        del usual[member]
        assert (await there.refusal("add_permission", **usual))[1] == "ValidationException"
        assert (await there.refusal("add_permission", **usual, **{member: "a b"}))[1] == "ValidationException"


async def test_inv_65_67_dead_letters_are_those_of_the_version(tmp_path: Path) -> None:
    """INV-65, 67: the target of a version stays its own, whatever becomes of the function's."""
    async with served(tmp_path) as there:
        await there.create(Publish=True, DeadLetterConfig={"TargetArn": QUEUE})
        await there.call("update_function_configuration", FunctionName="pay", DeadLetterConfig={"TargetArn": OTHER})
        for qualifier in ("$LATEST", "1"):
            never: dict[str, Any] = {"Qualifier": qualifier, "MaximumRetryAttempts": 0}
            await there.call("put_function_event_invoke_config", FunctionName="pay", **never)
            event: dict[str, Any] = {"Qualifier": qualifier, "InvocationType": "Event", "Payload": b'"fail"'}
            await there.call("invoke", FunctionName="pay", **event)
        while there.live.statistics["pay"].failed < 2:
            await anyio.sleep(0.02)
        assert [len(there.targets[arn].parcels) for arn in (QUEUE, OTHER)] == [1, 1]
        cleared = await there.call("update_function_configuration", FunctionName="pay", DeadLetterConfig={})
        assert "DeadLetterConfig" not in cleared


async def test_inv_80_81_timeout_and_memory_of_a_function_of_the_api(tmp_path: Path) -> None:
    """INV-80, 81: what is too slow is ended, and what takes too much."""
    greedy = (
        "import time\n"
        "def slow(event, context): time.sleep(5)\n"
        "def large(event, context): return len(bytearray(b'x' * 4 * 10**8)) + time.sleep(5)\n"
    )
    async with served(tmp_path) as there:
        code = {"ZipFile": zipped(greedy=greedy)}
        await there.create("slow", Code=code, Handler="greedy.slow", Timeout=1)
        await there.create("large", Code=code, Handler="greedy.large", MemorySize=256)
        slow, large = [await there.call("invoke", FunctionName=name) for name in ("slow", "large")]

    assert orjson.loads(slow["Payload"])["errorType"] == "Sandbox.Timedout"
    assert orjson.loads(large["Payload"])["errorType"] == "Runtime.OutOfMemory"


async def test_no_function_has_a_code_signing_config(tmp_path: Path) -> None:
    """Tools ask all the same: of one that is there nothing, of another 404."""
    async with served(tmp_path) as there:
        await there.create()
        answer = await there.call("get_function_code_signing_config", FunctionName="pay")
        assert content(answer) == {"FunctionName": "pay"}
        assert (await there.refusal("get_function_code_signing_config", FunctionName="x"))[0] == 404
        refused = await there.refusal("put_function_code_signing_config", FunctionName="pay", CodeSigningConfigArn="x")
        assert refused[1] == "UnknownOperationException"

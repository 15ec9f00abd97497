"""AWS' own client makes, changes, publishes and deletes functions over a real server, and they run."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap.function import Function
from eventmap.state.control_sqlite import SqliteControl

from . import handlers
from .function_scene import ARN, GONE, LAMBDA, QUEUE, ROLE, content, served, status, zip_of, zipped


async def test_api_161_to_165_a_function_is_made_shown_run_and_deleted(tmp_path: Path) -> None:
    """API-160..166, INV-174: each operation with its status and members; the code runs where it was unpacked."""
    async with served(tmp_path) as there:
        code = zipped()
        created = await there.create(
            Code={"ZipFile": code},
            MemorySize=256,
            Description="pays",
            Environment={"Variables": {"GREETING": "hello"}},
            Tags={"team": "a"},
        )
        assert status(created) == 201
        assert (created["FunctionArn"], created["State"], created["Version"]) == (ARN, "Active", "$LATEST")
        assert (created["CodeSize"], created["PackageType"]) == (len(code), "Zip")
        assert created["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
        assert (created["Runtime"], created["Role"], created["Handler"]) == ("python3.13", ROLE, "app.handler")
        assert (created["Timeout"], created["MemorySize"], created["Description"]) == (20, 256, "pays")
        assert created["Environment"] == {"Variables": {"GREETING": "hello"}}

        said = await there.says()
        assert (said["says"], said["version"], said["arn"], said["name"]) == ("one", "$LATEST", ARN, "pay")
        assert (said["greeting"], said["memory"]) == ("hello", "256")
        assert Path(said["folder"]).parent == tmp_path

        got = await there.call("get_function", FunctionName="pay")
        assert got["Configuration"] == content(created)
        assert got["Tags"] == {"team": "a"}
        assert got["Code"]["Location"] == Path(said["folder"]).as_uri()
        assert content(await there.call("get_function_configuration", FunctionName=ARN)) == content(created)
        assert (await there.call("list_functions"))["Functions"] == [content(created)]

        assert status(await there.call("delete_function", FunctionName="pay")) == 204
        gone = (404, "ResourceNotFoundException", f"Function not found: {ARN}")
        for operation in ("get_function", "get_function_configuration", "delete_function", "invoke"):
            assert await there.refusal(operation, FunctionName="pay") == gone
        assert (await there.call("list_functions"))["Functions"] == []
        await there.create()
        for other in (ARN.replace("eu-west-1", "us-east-1"), ARN.replace("123456789012", "210987654321")):
            elsewhere = (404, "ResourceNotFoundException", f"Function not found: {other}")
            assert await there.refusal("get_function", FunctionName=other) == elsewhere


async def test_api_07_a_second_function_of_that_name(tmp_path: Path) -> None:
    """ResourceConflictException, in AWS' words; and what was there runs on."""
    async with served(tmp_path) as there:
        await there.create()
        conflict = (409, "ResourceConflictException", "Function already exist: pay")

        assert await there.refusal("create_function", FunctionName="pay", **_members("two")) == conflict
        assert await there.refusal("create_function", FunctionName=ARN, **_members("two")) == conflict
        assert (await there.says())["says"] == "one"


def _members(says: str = "one") -> dict[str, Any]:
    return {"Runtime": "python3.13", "Role": ROLE, "Handler": "app.handler", "Code": {"ZipFile": zipped(says)}}


async def test_update_function_code_takes_effect_at_once(tmp_path: Path) -> None:
    """UpdateFunctionCode: the next invocation runs it; a dry run, and a stale revision, change nothing."""
    async with served(tmp_path) as there:
        created = await there.create()
        assert (await there.says())["says"] == "one"

        dry = await there.call("update_function_code", FunctionName="pay", ZipFile=zipped("two"), DryRun=True)
        assert dry["CodeSha256"] != created["CodeSha256"]
        assert (await there.says())["says"] == "one"

        updated = await there.call("update_function_code", FunctionName="pay", ZipFile=zipped("two"))
        assert status(updated) == 200
        assert updated["RevisionId"] != created["RevisionId"]
        assert (await there.says())["says"] == "two"

        stale = {"RevisionId": created["RevisionId"]}
        assert await there.refusal("update_function_code", FunctionName="pay", ZipFile=zipped("three"), **stale) == (
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id",
        )
        assert (await there.says())["says"] == "two"
        assert len(list(tmp_path.iterdir())) == 2  # what is not taken is not unpacked
        arm = await there.call(
            "update_function_code",
            FunctionName="pay",
            ZipFile=zipped("three"),
            RevisionId=updated["RevisionId"],
            Architectures=["arm64"],
        )
        assert arm["Architectures"] == ["arm64"]


async def test_update_function_configuration_merges(tmp_path: Path) -> None:
    """UpdateFunctionConfiguration: what is not named keeps its value; the next invocation sees what is."""
    async with served(tmp_path) as there:
        created = await there.create(Description="pays", Environment={"Variables": {"GREETING": "hello"}})
        assert (await there.says())["greeting"] == "hello"

        updated = await there.call(
            "update_function_configuration",
            FunctionName="pay",
            Environment={"Variables": {"GREETING": "bye"}},
            MemorySize=200,
            RevisionId=created["RevisionId"],
        )
        assert (updated["Description"], updated["MemorySize"], updated["Timeout"]) == ("pays", 200, 20)
        assert (await there.says())["greeting"] == "bye"
        assert (await there.says())["memory"] == "200"
        stale = {"Timeout": 5, "RevisionId": created["RevisionId"]}
        refused = await there.refusal("update_function_configuration", FunctionName="pay", **stale)
        assert refused[:2] == (412, "PreconditionFailedException")

        other = await there.call("update_function_configuration", FunctionName="pay", Handler="app.other")
        assert other["Handler"] == "app.other"
        answer = await there.call("invoke", FunctionName="pay")
        assert b"Handler 'other' missing on module 'app'" in answer["Payload"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"PackageType": "Image"}, "PackageType Image is not supported"),
        ({"Code": {"S3Bucket": "b", "S3Key": "k"}}, "S3Bucket is not supported"),
        ({"Code": {"ImageUri": "x"}}, "ImageUri is not supported"),
        ({"Code": {}}, "Please provide a source for function code."),
        ({"Layers": [f"{LAMBDA}:layer:x:1"]}, "Layers is not supported"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, "VpcConfig is not supported"),
        ({"FileSystemConfigs": [{"Arn": "fsap", "LocalMountPath": "/mnt/x"}]}, "FileSystemConfigs is not supported"),
        ({"ImageConfig": {"Command": ["x"]}}, "ImageConfig is not supported"),
        ({"KMSKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"}, "KMSKeyArn is not supported"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart is not supported"),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, "LogFormat JSON is not supported"),
        ({"LoggingConfig": {"LogGroup": "mine"}}, "LogGroup is always /aws/lambda/pay"),
        ({"LoggingConfig": {"SystemLogLevel": "WARN"}}, "Log levels are not supported for log format Text"),
        ({"LoggingConfig": {"ApplicationLogLevel": "WARN"}}, "Log levels are not supported for log format Text"),
        ({"CodeSigningConfigArn": "csc"}, "CodeSigningConfigArn is not supported"),
        ({"Runtime": "nodejs20.x"}, "Value 'nodejs20.x' at 'runtime' is none of those that run here"),
        ({"Handler": "app"}, "Handler 'app' is not of the form module.function"),
        ({"Handler": "a" * 127 + ".b"}, "Member must have length less than or equal to 128"),
        ({"Role": "me"}, "Value 'me' at 'role' failed to satisfy constraint"),
        ({"Timeout": 901}, "Member must have value less than or equal to 900"),
        ({"MemorySize": 127}, "Member must have value greater than or equal to 128"),
        ({"EphemeralStorage": {"Size": 511}}, "Member must have value greater than or equal to 512"),
        ({"Description": "x" * 257}, "Member must have length less than or equal to 256"),
        ({"Architectures": ["arm64", "x86_64"]}, "enum value set: [x86_64, arm64]"),
        ({"TracingConfig": {"Mode": "On"}}, "enum value set: [Active, PassThrough]"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "Reserved keys used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"A1": "x" * 5000}}}, "exceeded the 4KB limit"),
        ({"DeadLetterConfig": {"TargetArn": GONE}}, f"The destination ARN {GONE} is invalid."),
        ({"Tags": {"aws:x": "y"}}, "reserved for AWS"),
        ({"FunctionName": "a" * 65}, "functionName"),
        ({"FunctionName": "pay:live"}, "is none that a function can have"),
        ({"FunctionName": f"arn:aws:lambda:us-east-1:{'1' * 12}:function:pay"}, "is none that a function can have"),
    ],
    ids=lambda each: str(each)[:40],
)  # fmt: skip
async def test_what_is_not_honoured_is_refused(tmp_path: Path, members: dict[str, Any], says: str) -> None:
    """CreateFunction and UpdateFunctionConfiguration refuse by name what they do not do, and nothing is left of it."""
    async with served(tmp_path) as there:
        _, code, message = await there.refusal("create_function", **({"FunctionName": "pay", **_members()} | members))
        assert code in ("InvalidParameterValueException", "ValidationException"), code
        assert says in message
        assert (await there.call("list_functions"))["Functions"] == []

        if members.keys() & {"Code", "PackageType", "FunctionName", "CodeSigningConfigArn", "Tags", "Architectures"}:
            return
        await there.create()
        _, code, again = await there.refusal("update_function_configuration", FunctionName="pay", **members)
        assert says in again
        assert (await there.says())["says"] == "one"


async def test_what_says_that_there_is_none_is_taken(tmp_path: Path) -> None:
    """Tools send empty what they leave out; the group of logs there is may be named."""
    async with served(tmp_path) as there:
        created = await there.create(
            Layers=[],
            VpcConfig={"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False},
            FileSystemConfigs=[],
            KMSKeyArn="",
            SnapStart={"ApplyOn": "None"},
            LoggingConfig={"LogFormat": "Text", "LogGroup": "/aws/lambda/pay"},
            PackageType="Zip",
            TracingConfig={"Mode": "Active"},
            EphemeralStorage={"Size": 1024},
            Architectures=["arm64"],
            DeadLetterConfig={"TargetArn": ""},
        )

    assert created["TracingConfig"] == {"Mode": "Active"}
    assert created["EphemeralStorage"] == {"Size": 1024}
    assert created["Architectures"] == ["arm64"]
    assert "DeadLetterConfig" not in created


async def test_code_in_the_folder_that_eventmap_was_started_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code is empty, Handler a `module:attribute`; it has no hash, and cannot be published."""
    (tmp_path / "orders.py").write_text("SAYS = 'here'\ndef handler(event, context): return {'says': SAYS}\n")
    monkeypatch.chdir(tmp_path)
    async with served(tmp_path / "code") as there:
        created = await there.create(Code={}, Handler="orders:handler")
        assert (created["CodeSize"], created.get("CodeSha256")) == (0, None)
        assert (await there.says())["says"] == "here"
        got = await there.call("get_function", FunctionName="pay")
        assert got["Code"]["Location"] == tmp_path.as_uri()
        _, code, message = await there.refusal("publish_version", FunctionName="pay")

    assert code == "InvalidParameterValueException"
    assert "give its code as a zip file to publish versions" in message


async def test_handlers_as_aws_writes_them(tmp_path: Path) -> None:
    """`folder/module.function`, `package.module.function`, `module:attribute`: all of them found within the zip."""
    async with served(tmp_path) as there:
        text = "import sys\ndef handler(event, context): return {'says': __name__}\n"
        for i, handler in enumerate(("src/jobs.handler", "src.jobs.handler", "src.jobs:handler")):
            await there.create(f"f{i}", Handler=handler, Code={"ZipFile": zip_of({"src/jobs.py": text})})
            assert (await there.says(f"f{i}"))["says"] == "src.jobs"


async def test_a_module_of_the_zip_comes_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the code is the first in which a module is looked for."""
    (tmp_path / "app.py").write_text("raise RuntimeError('not this one')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), "", *sys.path])
    async with served(tmp_path / "code") as there:
        await there.create()
        assert (await there.says())["says"] == "one"


async def test_functions_survive_a_restart(tmp_path: Path) -> None:
    """With a file as the store: code, configuration, versions, aliases, concurrency, tags; code that is unused goes."""
    store = SqliteControl(tmp_path / "control.db")
    await store.prepare()
    async with served(tmp_path / "code", store) as there:
        await there.create(Tags={"team": "a"}, Publish=True)
        await there.call("update_function_code", FunctionName="pay", ZipFile=zipped("two"))
        await there.call("create_alias", FunctionName="pay", Name="live", FunctionVersion="1")
        await there.call("put_function_concurrency", FunctionName="pay", ReservedConcurrentExecutions=3)
        await there.create("other", says="three")
        await there.call("delete_function", FunctionName="other")
        before = content(await there.call("get_function", FunctionName="pay"))
        assert len(list((tmp_path / "code").iterdir())) == 3  # invocations that began before may still end on it
    await store.aclose()

    again = SqliteControl(tmp_path / "control.db")
    await again.prepare()
    async with served(tmp_path / "code", again) as there:
        assert content(await there.call("get_function", FunctionName="pay")) == before
        assert before["Concurrency"] == {"ReservedConcurrentExecutions": 3}
        assert (await there.says())["says"] == "two"
        assert (await there.says("pay:live"))["says"] == "one"
        assert len(list((tmp_path / "code").iterdir())) == 2
    await again.aclose()


async def test_a_function_that_cannot_be_started_is_shown_and_tried_again(tmp_path: Path) -> None:
    """INV-174: Failed with the reason; it runs as soon as it can be, and may be mended or deleted meanwhile."""
    store = SqliteControl(tmp_path / "control.db")
    await store.prepare()
    gone: set[str] = set()
    async with served(tmp_path / "code", store) as there:
        await there.create(DeadLetterConfig={"TargetArn": QUEUE})
        await there.create("mended", DeadLetterConfig={"TargetArn": QUEUE})
        await there.create("deleted", DeadLetterConfig={"TargetArn": QUEUE})

    gone.add(QUEUE)
    async with served(tmp_path / "code", store, gone=gone) as there:
        failed = await there.call("get_function_configuration", FunctionName="pay")
        assert (failed["State"], failed["StateReason"]) == ("Failed", f"The destination ARN {QUEUE} is invalid.")
        assert (await there.refusal("invoke", FunctionName="pay"))[0] == 404
        await there.call("delete_function", FunctionName="deleted")
        mended = await there.call("update_function_configuration", FunctionName="mended", DeadLetterConfig={})
        assert mended["State"] == "Active"
        assert (await there.says("mended"))["says"] == "one"

        gone.clear()
        while (await there.call("get_function_configuration", FunctionName="pay"))["State"] != "Active":
            await anyio.sleep(0.1)
        assert (await there.says())["says"] == "one"
    await store.aclose()


async def test_declared_functions_are_shown_and_not_changed(tmp_path: Path) -> None:
    """A function of the service's own code: every reading operation, and every other refused."""
    declared = Function(
        handler=handlers.echo,
        function_name="pay",
        aliases=["live"],
        timeout=7,
        memory_size=200,
        maximum_retry_attempts=1,
        reserved_concurrent_executions=4,
        dead_letter_config={"TargetArn": QUEUE},
    )
    async with served(tmp_path, declared=[declared]) as there:
        got = await there.call("get_function", FunctionName="pay")
        configuration = got["Configuration"]
        assert (configuration["Handler"], configuration["Timeout"]) == ("tests.server.handlers.echo", 7)
        assert configuration["Runtime"] == f"python3.{sys.version_info.minor}"
        assert configuration["DeadLetterConfig"] == {"TargetArn": QUEUE}
        assert got["Concurrency"] == {"ReservedConcurrentExecutions": 4}
        assert got["Code"]["Location"] == Path(os.getcwd()).as_uri()
        config = await there.call("get_function_event_invoke_config", FunctionName="pay", Qualifier="live")
        assert (config["MaximumRetryAttempts"], config["FunctionArn"]) == (1, f"{ARN}:live")
        alias = await there.call("get_alias", FunctionName="pay", Name="live")
        assert alias["FunctionVersion"] == "$LATEST"

        parameters: dict[str, dict[str, Any]] = {
            "update_function_code": {"ZipFile": zipped()},
            "update_function_configuration": {"Timeout": 3},
            "delete_function": {},
            "publish_version": {},
            "create_alias": {"Name": "x", "FunctionVersion": "$LATEST"},
            "delete_alias": {"Name": "live"},
            "put_function_concurrency": {"ReservedConcurrentExecutions": 1},
            "put_function_event_invoke_config": {"MaximumRetryAttempts": 1},
            "add_permission": {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"},
        }
        for operation, more in parameters.items():
            refused = await there.refusal(operation, FunctionName="pay", **more)
            assert refused[:2] == (409, "ResourceConflictException"), operation
            assert "declared where eventmap was started" in refused[2]
        refused = await there.refusal("tag_resource", Resource=ARN, Tags={"a": "b"})
        assert refused[:2] == (409, "ResourceConflictException")
        assert (await there.refusal("create_function", FunctionName="pay", **_members()))[0] == 409


async def test_a_server_for_anybody_takes_no_code(tmp_path: Path) -> None:
    """AccessDeniedException for whatever could make code run; all else is answered."""
    async with served(tmp_path, accepts_code=False) as there:
        for operation, parameters in {
            "create_function": _members(),
            "update_function_code": {"ZipFile": zipped()},
            "update_function_configuration": {"Environment": {"Variables": {"PYTHONSTARTUP": "x"}}},
        }.items():
            refused = await there.refusal(operation, FunctionName="pay", **parameters)
            assert refused[:2] == (403, "AccessDeniedException"), operation
        assert (await there.call("list_functions"))["Functions"] == []
        assert not list(tmp_path.iterdir())


async def test_list_functions_pages(tmp_path: Path) -> None:
    """MaxItems, Marker, and FunctionVersion ALL with the published versions."""
    async with served(tmp_path) as there:
        for name in ("c", "a", "b"):
            await there.create(name, Publish=name == "a")
        first = await there.call("list_functions", MaxItems=2)
        second = await there.call("list_functions", Marker=first["NextMarker"])
        every = await there.call("list_functions", FunctionVersion="ALL")
        refused = await there.refusal("list_functions", Marker="?")
        elsewhere = await there.refusal("list_functions", MasterRegion="us-east-1")

    assert [each["FunctionName"] for each in first["Functions"]] == ["a", "b"]
    assert [each["FunctionName"] for each in second["Functions"]] == ["c"]
    assert "NextMarker" not in second
    assert [(each["FunctionName"], each["Version"]) for each in every["Functions"]] == [
        *(("a", "$LATEST"), ("a", "1"), ("b", "$LATEST"), ("c", "$LATEST"))
    ]
    assert refused[1] == elsewhere[1] == "InvalidParameterValueException"


async def test_a_name_is_free_again_once_its_function_has_ended(tmp_path: Path) -> None:
    """DeleteFunction answers at once; what is made under that name waits for it, and runs its own code."""
    async with served(tmp_path) as there:
        await there.create()
        await there.says()
        await there.call("delete_function", FunctionName="pay")
        await there.create(says="two")
        assert (await there.says())["says"] == "two"


async def test_tags_of_functions(tmp_path: Path) -> None:
    """ListTags, TagResource, UntagResource; of a function that is not there 404."""
    async with served(tmp_path) as there:
        await there.create(Tags={"team": "a"})
        await there.call("tag_resource", Resource=ARN, Tags={"cost": "1", "team": "b"})
        assert (await there.call("list_tags", Resource=ARN))["Tags"] == {"team": "b", "cost": "1"}
        await there.call("untag_resource", Resource=ARN, TagKeys=["team", "x"])
        assert (await there.call("list_tags", Resource=ARN))["Tags"] == {"cost": "1"}
        assert (await there.refusal("list_tags", Resource=f"{ARN}s"))[:2] == (404, "ResourceNotFoundException")

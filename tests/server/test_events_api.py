"""EventBridge's API with AWS' own clients, unpatched, against the running server."""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from botocore.exceptions import ClientError

from eventmap.errors import StateError
from eventmap.event_rule import EventRule
from eventmap.rules.bus.definitions import BusRule
from eventmap.state.buses_memory import MemoryBuses
from tests.delivery.bus.scene import DEAD, FUNCTION, QUEUE, REGION, Scene

from .events_scene import served
from .scene import request

BUS = REGION.bus_arn("default")
PATTERN = '{"source":["shop"]}'
TOO_LONG = "failed to satisfy constraint: Member must have length less than or equal to"


async def test_src_40_42_boto3_puts_a_rule_and_an_event() -> None:
    """From PutRule to the target."""
    async with served() as server:
        rule = await server.call("PutRule", Name="r", EventPattern=PATTERN)
        targets = await server.call("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": FUNCTION}])
        moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
        entry = {"Source": "shop", "DetailType": "order", "Detail": '{"n":1}', "Time": moment, "Resources": ["x"]}
        put = await server.call("PutEvents", Entries=[entry])
        await server.engine.idle()

    assert rule == {"RuleArn": "arn:aws:events:eu-west-1:123456789012:rule/r"}
    assert targets == {"FailedEntryCount": 0, "FailedEntries": []}
    [document] = server.scene.endpoints[FUNCTION].documents
    assert put == {"FailedEntryCount": 0, "Entries": [{"EventId": document["id"]}]}
    assert document == {
        "version": "0",
        "id": document["id"],
        "detail-type": "order",
        "source": "shop",
        "account": "123456789012",
        "time": "2024-05-01T12:00:00Z",
        "region": "eu-west-1",
        "resources": ["x"],
        "detail": {"n": 1},
    }


async def test_src_41_boto3_sees_which_entries_failed() -> None:
    """Each with AWS' code; too many, or too large, fail the request."""
    async with served() as server:
        good = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
        answer = await server.call(
            "PutEvents",
            Entries=[
                good,
                {**good, "Source": "aws.s3"},
                {"Source": "shop", "Detail": "{}"},
                {**good, "EventBusName": "nope"},
                {**good, "EventBusName": BUS, "TraceHeader": "Root=1"},
            ],
        )
        many = await server.refused("PutEvents", Entries=[good] * 11)
        large = await server.refused("PutEvents", Entries=[{**good, "Detail": '{"a":"%s"}' % ("x" * 270_000)}])
        none = await server.refused("PutEvents")

    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == [None, "NotAuthorizedForSourceException", "InvalidArgument", "ResourceNotFoundException", None]
    assert answer["FailedEntryCount"] == 3
    assert many[0] == large[0] == none[0] == "ValidationException"
    assert many[1].endswith(
        "at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10"
    )
    assert large[1] == "Total size of the entries in the request is over the limit."
    assert (
        none[1]
        == "1 validation error detected: Value null at 'entries' failed to satisfy constraint: Member must not be null"
    )


async def test_src_41_what_cannot_be_kept_is_an_internal_error() -> None:
    """Which clients try again."""

    class Full(MemoryBuses):
        async def take(self, _taken: object) -> None:
            raise StateError("disk full")

    scene = Scene()
    scene.store = Full()
    async with served(scene) as server:
        await server.call("PutRule", Name="r", EventPattern=PATTERN)
        await server.call("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": FUNCTION}])
        with pytest.raises(ClientError) as raised:
            await server.call("PutEvents", Entries=[{"Source": "shop", "DetailType": "d", "Detail": "{}"}])

    assert raised.value.response["Error"]["Code"] == "InternalException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "disk" not in str(raised.value)


async def test_src_42_a_rule_is_put_described_listed_and_deleted() -> None:
    """On the default bus and on another; what is not said again is gone, targets and tags are not."""
    async with served() as server:
        await server.call("CreateEventBus", Name="b")
        for bus in ("default", "b"):
            arn = REGION.rule_arn(bus, "r")
            made = await server.call(
                "PutRule",
                Name="r",
                EventBusName=bus,
                EventPattern=PATTERN,
                Description="d",
                RoleArn="arn:aws:iam::123456789012:role/x",
                State="DISABLED",
                Tags=[{"Key": "k", "Value": "v"}],
            )
            await server.call("PutTargets", Rule="r", EventBusName=bus, Targets=[{"Id": "t", "Arn": QUEUE}])
            described = await server.call("DescribeRule", Name="r", EventBusName=bus)
            listed = await server.call("ListRules", EventBusName=bus, NamePrefix="r")
            other = await server.call("ListRules", EventBusName=bus, NamePrefix="x")
            shown = {
                "Name": "r",
                "Arn": arn,
                "EventPattern": PATTERN,
                "State": "DISABLED",
                "Description": "d",
                "RoleArn": "arn:aws:iam::123456789012:role/x",
                "EventBusName": bus,
            }
            assert made == {"RuleArn": arn}
            assert described == shown | {"CreatedBy": "123456789012"}
            assert (listed, other) == ({"Rules": [shown]}, {"Rules": []})
            await server.call("PutRule", Name="r", EventBusName=REGION.bus_arn(bus), EventPattern='{"a":[1]}')
            again = await server.call("DescribeRule", Name="r", EventBusName=bus)
            assert again == {
                "Name": "r",
                "Arn": arn,
                "EventPattern": '{"a":[1]}',
                "State": "ENABLED",
                "EventBusName": bus,
                "CreatedBy": "123456789012",
            }
            assert len((await server.call("ListTargetsByRule", Rule="r", EventBusName=bus))["Targets"]) == 1
            tags = await server.call("ListTagsForResource", ResourceARN=arn)
            assert tags == {"Tags": [{"Key": "k", "Value": "v"}]}
            assert await server.refused("DeleteRule", Name="r", EventBusName=bus) == (
                "ValidationException",
                "Rule can't be deleted since it has targets.",
            )
            await server.call("RemoveTargets", Rule="r", EventBusName=bus, Ids=["t"], Force=True)
            for _ in range(2):
                assert await server.call("DeleteRule", Name="r", EventBusName=bus, Force=False) == {}
            assert await server.refused("DescribeRule", Name="r", EventBusName=bus) == (
                "ResourceNotFoundException",
                f"Rule r does not exist on EventBus {bus}.",
            )
            assert await server.refused("ListTagsForResource", ResourceARN=arn) == (
                "ResourceNotFoundException",
                f"Rule r does not exist on EventBus {bus}.",
            )


async def test_src_42_a_rule_can_be_disabled_and_enabled() -> None:
    """AWS' third state is as good as enabled."""
    async with served() as server:
        state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
        await server.call("PutRule", Name="r", EventPattern=PATTERN, State=state)
        await server.call("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": QUEUE}])
        states = [(await server.call("DescribeRule", Name="r"))["State"]]
        await server.call("PutEvents", Entries=[{"Source": "shop", "DetailType": "d", "Detail": "{}"}])
        await server.engine.idle()
        for operation in ("DisableRule", "EnableRule"):
            assert await server.call(operation, Name="r", EventBusName="default") == {}
            states.append((await server.call("DescribeRule", Name="r"))["State"])

    assert states == [state, "DISABLED", "ENABLED"]
    assert len(server.scene.endpoints[QUEUE].parcels) == 1


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({}, "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified."),
        ({"EventPattern": "{"}, "InvalidEventPatternException", "Event pattern is not valid. Reason: not JSON"),
        (
            {"EventPattern": '{"a":"b"}'},
            "InvalidEventPatternException",
            'Event pattern is not valid at "a". Reason: "a" must be an object or an array',
        ),
        ({"EventPattern": "x" * 4097}, "ValidationException", f"at 'eventPattern' {TOO_LONG} 4096"),
        ({"EventPattern": PATTERN, "EventBusName": "b"}, "ResourceNotFoundException", "Event bus b does not exist."),
        (
            {"EventPattern": PATTERN, "EventBusName": "arn:aws:events:us-east-1:123456789012:event-bus/default"},
            "ResourceNotFoundException",
            "Event bus arn:aws:events:us-east-1:123456789012:event-bus/default does not exist.",
        ),
        (
            {"EventPattern": PATTERN, "Name": "a b"},
            "ValidationException",
            "1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy "
            r"regular expression pattern: [\.\-_A-Za-z0-9]+",
        ),
        (
            {"EventPattern": PATTERN, "Name": "a b" + "x" * 64, "State": "ON"},
            "ValidationException",
            "3 validation errors detected: ",
        ),
        ({"EventPattern": PATTERN, "Name": 7}, "SerializationException", "name is of another type than its member"),
        ({"EventPattern": PATTERN, "Surprise": 7}, "ValidationException", "surprise is no member that eventmap knows"),
        (
            {"ScheduleExpression": "rate(1 minutes)"},
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            {"ScheduleExpression": "at(2026-01-01T00:00:00)"},
            "ValidationException",
            "at() is for EventBridge Scheduler.",
        ),
        (
            {"EventPattern": PATTERN, "Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]},
            "ValidationException",
            "Invalid parameter: Duplicated keys are not allowed.",
        ),
        (
            {"EventPattern": PATTERN, "Tags": [{"Key": "aws:x", "Value": "1"}]},
            "ValidationException",
            "reserved for AWS",
        ),
    ],
)
async def test_src_42_43_51_a_rule_aws_refuses_is_refused(members: dict[str, Any], code: str, message: str) -> None:
    """In AWS' words where they are known; nothing is made."""
    async with served() as server:
        body = orjson.dumps({"Name": "r", **members})
        answer = await request(
            server.app, "/", body, x_amz_target="AWSEvents.PutRule", content_type="application/x-amz-json-1.1"
        )
        rules = await server.call("ListRules")

    assert (answer.status, answer.json["__type"]) == (400, code)
    assert message in answer.json["message"]
    assert rules == {"Rules": []}


async def test_src_51_66_a_schedule_is_for_the_default_bus() -> None:
    """Beside a pattern, too."""
    async with served() as server:
        await server.call("CreateEventBus", Name="b")
        await server.call("PutRule", Name="r", ScheduleExpression="cron(0 10 * * ? *)", EventPattern=PATTERN)
        described = await server.call("DescribeRule", Name="r")
        refused = await server.refused("PutRule", Name="r", ScheduleExpression="rate(1 day)", EventBusName="b")

    assert (described["ScheduleExpression"], described["EventPattern"]) == ("cron(0 10 * * ? *)", PATTERN)
    assert refused == ("ValidationException", "ScheduleExpression is supported only on the default event bus.")


async def test_src_44_46_targets_are_put_listed_and_removed() -> None:
    """As they were said; one of the same id is replaced; an id that is not there fails alone."""
    async with served() as server:
        await server.call("PutRule", Name="r", EventPattern=PATTERN)
        whole = {
            "Id": "b",
            "Arn": FUNCTION,
            "RoleArn": "arn:aws:iam::123456789012:role/x",
            "InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"n": <n>}'},
            "DeadLetterConfig": {"Arn": DEAD},
            "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60},
        }
        fifo = {"Id": "a", "Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}, "InputPath": "$.detail"}
        await server.call("PutTargets", Rule="r", Targets=[{"Id": "b", "Arn": QUEUE}, {"Id": "c", "Arn": QUEUE}])
        await server.call("PutTargets", Rule="r", EventBusName=BUS, Targets=[whole, fifo])
        constant = {"Id": "d", "Arn": QUEUE, "Input": '{"constant": true}'}
        await server.call("PutTargets", Rule="r", Targets=[constant])
        listed = await server.call("ListTargetsByRule", Rule="r")
        removed = await server.call("RemoveTargets", Rule="r", Ids=["c", "x"])
        await server.call("PutEvents", Entries=[{"Source": "shop", "DetailType": "d", "Detail": '{"n": 7}'}])
        await server.engine.idle()

    assert listed == {"Targets": [fifo, whole, {"Id": "c", "Arn": QUEUE}, constant]}
    assert removed == {
        "FailedEntryCount": 1,
        "FailedEntries": [
            {
                "TargetId": "x",
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": "Rule r does not have a target with the Id x.",
            }
        ],
    }
    bodies = {arn: [parcel.body for _, parcel in end.parcels] for arn, end in server.scene.endpoints.items()}
    assert bodies == {FUNCTION: [b'{"n":7}'], f"{QUEUE}.fifo": [b'{"n":7}'], QUEUE: [b'{"constant": true}']}
    assert server.scene.endpoints[f"{QUEUE}.fifo"].groups == ["g"]


async def test_src_42_44_targets_aws_refuses_are_refused_whole() -> None:
    """None of the request is put."""
    async with served() as server:
        await server.call("PutRule", Name="r", EventPattern=PATTERN)
        good = {"Id": "t", "Arn": QUEUE}

        async def refused(*targets: dict[str, Any], rule: str = "r") -> tuple[str, str]:
            return await server.refused("PutTargets", Rule=rule, Targets=list(targets))

        template = {"InputPathsMap": {}, "InputTemplate": '"<x>"'}
        assert await refused(good, rule="nope") == (
            "ResourceNotFoundException",
            "Rule nope does not exist on EventBus default.",
        )
        assert await refused(*({"Id": f"t{number}", "Arn": QUEUE} for number in range(6))) == (
            "LimitExceededException",
            "The requested resource exceeds the maximum number allowed.",
        )
        assert await refused(good, {"Id": "u", "Arn": QUEUE, "InputTransformer": template}) == (
            "ValidationException",
            "InputTemplate for target u contains invalid placeholder x.",
        )
        assert await refused({"Id": "!@#$@!#$", "Arn": QUEUE}) == (
            "ValidationException",
            "1 validation error detected: Value '!@#$@!#$' at 'targets.1.member.id' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+",
        )
        for member in (
            "KinesisParameters",
            "RunCommandParameters",
            "EcsParameters",
            "BatchParameters",
            "HttpParameters",
            "RedshiftDataParameters",
            "SageMakerPipelineParameters",
            "AppSyncParameters",
        ):
            code, message = await refused({**good, member: {}})
            assert code == "ValidationException"
            assert f"{member[0].lower()}{member[1:]} is not honoured, so it is refused" in message
        policy = {"RetryPolicy": {"MaximumRetryAttempts": 186, "MaximumEventAgeInSeconds": 59}}
        code, message = await refused({**good, **policy})
        assert (code, "2 validation errors detected" in message) == ("ValidationException", True)
        assert await server.call("ListTargetsByRule", Rule="r") == {"Targets": []}


async def test_rules_are_found_by_their_target() -> None:
    """On one bus."""
    async with served() as server:
        await server.call("CreateEventBus", Name="b")
        for name, bus, arn in (
            ("x", "default", QUEUE),
            ("a", "default", QUEUE),
            ("c", "default", DEAD),
            ("y", "b", QUEUE),
        ):
            await server.call("PutRule", Name=name, EventBusName=bus, EventPattern=PATTERN)
            await server.call("PutTargets", Rule=name, EventBusName=bus, Targets=[{"Id": "t", "Arn": arn}])
        here = await server.call("ListRuleNamesByTarget", TargetArn=QUEUE)
        there = await server.call("ListRuleNamesByTarget", TargetArn=QUEUE, EventBusName="b")

    assert (here, there) == ({"RuleNames": ["a", "x"]}, {"RuleNames": ["y"]})


async def test_what_is_declared_in_code_is_shown_and_not_changed() -> None:
    """ManagedRuleException, whichever way; `Force` does not help."""
    async with served() as server:
        declared = EventRule(event_pattern={"source": ["shop"]}, function_name="orders", name="r")
        rule = BusRule(name="r", event_pattern=declared.pattern_text, targets=(declared.target(FUNCTION),))
        await server.engine.change(lambda definitions, now: (definitions.with_managed([rule], now), None))
        described = await server.call("DescribeRule", Name="r")
        listed = await server.call("ListTargetsByRule", Rule="r")
        for operation, members in {
            "PutRule": {"Name": "r", "EventPattern": PATTERN},
            "DeleteRule": {"Name": "r", "Force": True},
            "DisableRule": {"Name": "r"},
            "EnableRule": {"Name": "r"},
            "PutTargets": {"Rule": "r", "Targets": [{"Id": "t", "Arn": QUEUE}]},
            "RemoveTargets": {"Rule": "r", "Ids": ["function"], "Force": True},
            "TagResource": {"ResourceARN": REGION.rule_arn("default", "r"), "Tags": [{"Key": "a", "Value": "b"}]},
            "UntagResource": {"ResourceARN": REGION.rule_arn("default", "r"), "TagKeys": ["a"]},
        }.items():
            assert await server.refused(operation, **members) == (
                "ManagedRuleException",
                "Rule r is managed by eventmap: it is declared in code, so change it there.",
            )

    assert (described["ManagedBy"], described["EventPattern"]) == ("eventmap", '{"source": ["shop"]}')
    assert [target["Arn"] for target in listed["Targets"]] == [FUNCTION]


EVENT = {
    "id": "1",
    "account": "123456789012",
    "source": "shop",
    "time": "2026-01-01T00:00:00Z",
    "region": "eu-west-1",
    "resources": [],
    "detail-type": "order",
    "detail": {"n": 5},
}


async def test_src_43_a_pattern_is_tried_on_an_event() -> None:
    """True, false, or why not."""
    async with served() as server:

        async def tried(pattern: object, event: object = EVENT) -> Any:
            return await server.call("TestEventPattern", EventPattern=json.dumps(pattern), Event=json.dumps(event))

        assert await tried({"detail": {"n": [{"numeric": [">", 4]}]}}) == {"Result": True}
        assert await tried({"source": ["x"]}) == {"Result": False}
        code, message = await server.refused("TestEventPattern", EventPattern='{"a":[]}', Event=json.dumps(EVENT))
        assert (code, "Empty arrays are not allowed" in message) == ("InvalidEventPatternException", True)
        code, message = await server.refused("TestEventPattern", EventPattern=PATTERN, Event="[]")
        assert (code, message) == (
            "ValidationException",
            "Parameter Event is not valid. Reason: Event is not a JSON object.",
        )
        for member in sorted(EVENT.keys() - {"detail"}):
            event = json.dumps({name: value for name, value in EVENT.items() if name != member})
            code, message = await server.refused("TestEventPattern", EventPattern=PATTERN, Event=event)
            assert message == f"Parameter Event is not valid. Reason: {member} is a required member."


async def test_buses_are_made_described_changed_listed_and_deleted() -> None:
    """The default one is always there, and stays."""
    async with served() as server:
        made = await server.call("CreateEventBus", Name="b", Description="d", Tags=[{"Key": "k", "Value": "v"}])
        described = await server.call("DescribeEventBus", Name=REGION.bus_arn("b"))
        default = await server.call("DescribeEventBus")
        changed = await server.call("UpdateEventBus", Name="b", Description="e")
        later = await server.call("DescribeEventBus", Name="b")
        listed = await server.call("ListEventBuses")
        found = await server.call("ListEventBuses", NamePrefix="b")
        tags = await server.call("ListTagsForResource", ResourceARN=REGION.bus_arn("b"))
        assert await server.refused("CreateEventBus", Name="b") == (
            "ResourceAlreadyExistsException",
            "Event bus b already exists.",
        )
        assert await server.refused("DescribeEventBus", Name="c") == (
            "ResourceNotFoundException",
            "Event bus c does not exist.",
        )
        assert await server.refused("DeleteEventBus", Name="default") == (
            "ValidationException",
            "Cannot delete event bus default.",
        )
        await server.call("PutRule", Name="r", EventBusName="b", EventPattern=PATTERN)
        assert await server.refused("DeleteEventBus", Name="b") == (
            "ValidationException",
            "Event bus b can't be deleted since it has rules.",
        )
        await server.call("DeleteRule", Name="r", EventBusName="b")
        for _ in range(2):
            assert await server.call("DeleteEventBus", Name="b") == {}
        gone = await server.call("ListEventBuses")

    assert made == {"EventBusArn": REGION.bus_arn("b"), "Description": "d"}
    assert described.items() >= {"Name": "b", "Arn": REGION.bus_arn("b"), "Description": "d"}.items()
    assert (default["Name"], default["Arn"]) == ("default", BUS)
    assert changed == {"Name": "b", "Arn": REGION.bus_arn("b"), "Description": "e"}
    assert later["Description"] == "e"
    assert later["LastModifiedTime"] >= later["CreationTime"] == described["CreationTime"]
    assert [bus["Name"] for bus in listed["EventBuses"]] == ["b", "default"]
    assert [bus["Name"] for bus in found["EventBuses"]] == ["b"]
    assert tags == {"Tags": [{"Key": "k", "Value": "v"}]}
    assert [bus["Name"] for bus in gone["EventBuses"]] == ["default"]


@pytest.mark.newest_clients
async def test_what_a_bus_does_not_honour_is_refused() -> None:
    """Unless it asks for nothing."""
    async with served() as server:
        off = {"LogConfig": {"IncludeDetail": "NONE", "Level": "OFF"}}
        await server.call("CreateEventBus", Name="b", DeadLetterConfig={}, **off)
        for members in (
            {"EventSourceName": "aws.partner/x/y"},
            {"KmsKeyIdentifier": "k"},
            {"DeadLetterConfig": {"Arn": DEAD}},
            {"LogConfig": {"IncludeDetail": "FULL", "Level": "TRACE"}},
        ):
            code, message = await server.refused("CreateEventBus", Name="c", **members)
            assert (code, "is not honoured, so it is refused" in message) == ("ValidationException", True)
            if "EventSourceName" not in members:
                assert (await server.refused("UpdateEventBus", Name="b", **members))[0] == "ValidationException"
        body = orjson.dumps({"EndpointId": "a.b", "Entries": [{}]})
        answer = await request(server.app, "/", body, x_amz_target="AWSEvents.PutEvents")
        assert "endpointId is not honoured" in answer.json["message"]
        assert (await server.refused("CreateEventBus", Name="a/b"))[0] == "ValidationException"
        members = {"ArchiveName": "a", "EventSourceArn": BUS, "KmsKeyIdentifier": "k"}
        assert "kmsKeyIdentifier is not honoured" in (await server.refused("CreateArchive", **members))[1]
        assert (
            "kmsKeyIdentifier is not honoured"
            in (await server.refused("UpdateArchive", ArchiveName="a", KmsKeyIdentifier="k"))[1]
        )


async def test_tags_are_added_replaced_and_removed() -> None:
    """Of a bus and of a rule of it; of nothing else."""
    async with served() as server:
        await server.call("CreateEventBus", Name="b")
        await server.call("PutRule", Name="r", EventBusName="b", EventPattern=PATTERN)
        for arn in (REGION.bus_arn("b"), REGION.rule_arn("b", "r")):
            await server.call(
                "TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
            )
            await server.call("TagResource", ResourceARN=arn, Tags=[{"Key": "b", "Value": "3"}])
            await server.call("UntagResource", ResourceARN=arn, TagKeys=["a", "x"])
            assert await server.call("ListTagsForResource", ResourceARN=arn) == {"Tags": [{"Key": "b", "Value": "3"}]}
        for arn, code in (
            (REGION.archive_arn("a"), "ValidationException"),
            ("nonsense", "ValidationException"),
            (REGION.bus_arn("x"), "ResourceNotFoundException"),
            (REGION.rule_arn("default", "x"), "ResourceNotFoundException"),
            ("arn:aws:events:us-east-1:123456789012:event-bus/b", "ResourceNotFoundException"),
        ):
            assert (await server.refused("ListTagsForResource", ResourceARN=arn))[0] == code
        many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
        assert (await server.refused("TagResource", ResourceARN=BUS, Tags=many))[0] == "ValidationException"


async def test_archives_are_made_described_changed_listed_and_deleted() -> None:
    """With what they hold."""
    async with served() as server:
        made = await server.call(
            "CreateArchive", ArchiveName="a", EventSourceArn=BUS, Description="d", EventPattern=PATTERN, RetentionDays=3
        )
        await server.call("CreateArchive", ArchiveName="empty", EventSourceArn=BUS, EventPattern='{"source":["x"]}')
        await server.call("PutEvents", Entries=[{"Source": "shop", "DetailType": "d", "Detail": "{}"}])
        described = await server.call("DescribeArchive", ArchiveName="a")
        listed = await server.call("ListArchives")
        changed = await server.call("UpdateArchive", ArchiveName="a", Description="e", RetentionDays=4)
        later = await server.call("DescribeArchive", ArchiveName="a")
        found = [
            [archive["ArchiveName"] for archive in (await server.call("ListArchives", **members))["Archives"]]
            for members in ({"NamePrefix": "e"}, {"EventSourceArn": BUS}, {"State": "ENABLED"}, {"State": "DISABLED"})
        ]
        assert await server.refused("CreateArchive", ArchiveName="a", EventSourceArn=BUS) == (
            "ResourceAlreadyExistsException",
            "Archive a already exists.",
        )
        nowhere = ("ResourceNotFoundException", "Event bus b does not exist.")
        assert await server.refused("CreateArchive", ArchiveName="b", EventSourceArn=REGION.bus_arn("b")) == nowhere
        assert await server.refused("ListArchives", EventSourceArn=REGION.bus_arn("b")) == nowhere
        assert (await server.refused("CreateArchive", ArchiveName="x" * 49, EventSourceArn=BUS))[
            0
        ] == "ValidationException"
        bad = {"ArchiveName": "b", "EventSourceArn": BUS, "EventPattern": "{"}
        assert (await server.refused("CreateArchive", **bad))[0] == "InvalidEventPatternException"
        both = await server.refused("ListArchives", NamePrefix="a", State="ENABLED")
        assert both[1].startswith("At most one filter is allowed for ListArchives.")
        await server.call("DeleteArchive", ArchiveName="a")
        for operation in ("DescribeArchive", "UpdateArchive", "DeleteArchive"):
            assert await server.refused(operation, ArchiveName="a") == (
                "ResourceNotFoundException",
                "Archive a does not exist.",
            )

    assert made.items() >= {"ArchiveArn": REGION.archive_arn("a"), "State": "ENABLED"}.items()
    assert made["CreationTime"] == described["CreationTime"] == changed["CreationTime"]
    size = described.pop("SizeBytes")
    assert size > 100
    assert described == {
        "ArchiveArn": REGION.archive_arn("a"),
        "ArchiveName": "a",
        "EventSourceArn": BUS,
        "Description": "d",
        "EventPattern": PATTERN,
        "State": "ENABLED",
        "RetentionDays": 3,
        "EventCount": 1,
        "CreationTime": made["CreationTime"],
    }
    assert [(each["ArchiveName"], each["EventCount"]) for each in listed["Archives"]] == [("a", 1), ("empty", 0)]
    assert (later["Description"], later["RetentionDays"], later["EventPattern"]) == ("e", 4, PATTERN)
    assert found == [["empty"], ["a", "empty"], ["a", "empty"], []]


async def test_replays_are_started_described_listed_and_cancelled() -> None:
    """A whole one, and the ways in which one is refused."""
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    async with served() as server:
        await server.call("CreateArchive", ArchiveName="a", EventSourceArn=BUS)
        await server.call("CreateEventBus", Name="b")
        await server.call("PutRule", Name="r", EventPattern=PATTERN)
        await server.call("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": QUEUE}])
        await server.call("PutEvents", Entries=[{"Source": "shop", "DetailType": "d", "Detail": "{}"}])
        good = {
            "ReplayName": "p",
            "EventSourceArn": REGION.archive_arn("a"),
            "EventStartTime": start,
            "EventEndTime": end,
            "Destination": {"Arn": BUS, "FilterArns": [REGION.rule_arn("default", "r")]},
            "Description": "d",
        }
        started = await server.call("StartReplay", **good)
        await server.engine.idle()
        described = await server.call("DescribeReplay", ReplayName="p")
        found = [
            [replay["ReplayName"] for replay in (await server.call("ListReplays", **members))["Replays"]]
            for members in (
                {},
                {"NamePrefix": "p"},
                {"NamePrefix": "x"},
                {"State": "COMPLETED"},
                {"State": "FAILED"},
                {"EventSourceArn": REGION.archive_arn("a")},
            )
        ]
        assert (await server.refused("ListReplays", NamePrefix="a", State="FAILED"))[0] == "ValidationException"
        nobody = REGION.rule_arn("default", "x")
        for members, code, message in (
            (
                {"EventSourceArn": REGION.archive_arn("x")},
                "ValidationException",
                "Parameter EventSourceArn is not valid. Reason: Archive x does not exist.",
            ),
            (
                {"EventSourceArn": BUS},
                "ValidationException",
                "Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.",
            ),
            (
                {"Destination": {"Arn": REGION.bus_arn("b")}},
                "ValidationException",
                "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.",
            ),
            (
                {"Destination": {"Arn": QUEUE}},
                "ValidationException",
                "Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.",
            ),
            ({"Destination": {"Arn": REGION.bus_arn("x")}}, "ResourceNotFoundException", "Event bus x does not exist."),
            (
                {"Destination": {"Arn": BUS, "FilterArns": [nobody]}},
                "ValidationException",
                "Parameter Destination.FilterArns is not valid. Reason: "
                f"Rule {nobody} does not exist on EventBus default.",
            ),
            (
                {"EventEndTime": start},
                "ValidationException",
                "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
            ),
        ):
            request_of = {**good, "ReplayName": "q", **members}
            assert await server.refused("StartReplay", checks=True, **request_of) == (code, message)
        assert await server.refused("StartReplay", checks=True, **good) == (
            "ResourceAlreadyExistsException",
            "Replay p already exists.",
        )
        assert await server.refused("CancelReplay", ReplayName="p") == (
            "IllegalStatusException",
            "Replay p is not in a valid state for this operation.",
        )
        for operation in ("DescribeReplay", "CancelReplay"):
            assert await server.refused(operation, ReplayName="x") == (
                "ResourceNotFoundException",
                "Replay x does not exist.",
            )

    assert (started["ReplayArn"], started["State"]) == (REGION.replay_arn("p"), "STARTING")
    assert described["State"] == "COMPLETED"
    assert described["Destination"] == good["Destination"]
    assert (described["EventStartTime"], described["EventEndTime"], described["Description"]) == (start, end, "d")
    assert described["ReplayStartTime"] == started["ReplayStartTime"] <= described["ReplayEndTime"]
    assert found == [["p"], ["p"], [], ["p"], [], ["p"]]
    assert [document.get("replay-name") for document in server.scene.endpoints[QUEUE].documents] == [None, "p"]


async def test_lists_come_in_pages() -> None:
    """As large as asked for; boto3's paginators see each once; a token of elsewhere is refused."""
    async with served() as server:
        for number in range(5):
            name = f"n{number}"
            await server.call("CreateEventBus", Name=name)
            await server.call("PutRule", Name=name, EventPattern=PATTERN)
            await server.call("PutTargets", Rule=name, Targets=[{"Id": "t", "Arn": QUEUE}])
            await server.call("CreateArchive", ArchiveName=name, EventSourceArn=BUS)
            times = {
                "EventStartTime": datetime(2020, 1, 1, tzinfo=UTC),
                "EventEndTime": datetime(2021, 1, 1, tzinfo=UTC),
            }
            arn = REGION.archive_arn(name)
            await server.call("StartReplay", ReplayName=name, EventSourceArn=arn, Destination={"Arn": BUS}, **times)
            await server.call("PutTargets", Rule="n0", Targets=[{"Id": name, "Arn": DEAD}]) if number < 4 else None
        pages: dict[str, list[int]] = {}
        for operation, member, key, members in (
            ("ListRules", "Rules", "Name", {}),
            ("ListTargetsByRule", "Targets", "Id", {"Rule": "n0"}),
            ("ListRuleNamesByTarget", "RuleNames", None, {"TargetArn": QUEUE}),
            ("ListEventBuses", "EventBuses", "Name", {}),
            ("ListArchives", "Archives", "ArchiveName", {}),
            ("ListReplays", "Replays", "ReplayName", {}),
        ):
            seen: list[str] = []
            token: dict[str, Any] = {}
            while True:
                page = await server.call(operation, Limit=2, **members, **token)  # type: ignore[arg-type]
                pages.setdefault(operation, []).append(len(page[member]))
                seen += [each if key is None else each[key] for each in page[member]]
                if "NextToken" not in page:
                    break
                token = {"NextToken": page["NextToken"]}
            assert seen == sorted(set(seen))
        for token_text in ("!", "gA=="):
            code, _ = await server.refused("ListRules", NextToken=token_text)
            assert code == "ValidationException"

    assert pages == {
        "ListRules": [2, 2, 1],
        "ListTargetsByRule": [2, 2, 1],
        "ListRuleNamesByTarget": [2, 2, 1],
        "ListEventBuses": [2, 2, 2],
        "ListArchives": [2, 2, 1],
        "ListReplays": [2, 2, 1],
    }


async def test_operations_that_are_not_offered_and_requests_that_are_none() -> None:
    """A clear error, never silence."""
    async with served() as server:
        code, message = await server.refused("CreateConnection", Name="x")
        assert (code, message.startswith("CreateConnection is not offered; offered are ")) == (
            "UnknownOperationException",
            True,
        )
        for body in (b"{", b"[]", b'"x"'):
            answer = await request(server.app, "/", body, x_amz_target="AWSEvents.ListRules")
            assert (answer.status, answer.json["__type"]) == (400, "SerializationException")
        elsewhere = await request(server.app, "/", b"{}", x_amz_target="DynamoDB_20120810.ListTables")
        assert elsewhere.status == 404
        empty = await request(server.app, "/", b"", x_amz_target="AWSEvents.ListRules")
        assert (empty.status, empty.json) == (200, {"Rules": []})
        assert empty.headers["content-type"] == "application/x-amz-json-1.1"


async def test_callers_sign_for_events() -> None:
    """Where there are access keys."""
    async with served(access_keys={"AKIA": "secret"}) as server:

        def listed(secret: str) -> Any:
            client = server.client(key="AKIA", secret=secret)
            try:
                return client.list_rules()["Rules"]
            finally:
                client.close()

        assert await anyio.to_thread.run_sync(listed, "secret") == []
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            await anyio.to_thread.run_sync(listed, "wrong")


@pytest.mark.newest_clients
async def test_the_aws_cli_puts_a_rule_and_an_event(tmp_path: Path) -> None:
    """`aws events … --endpoint-url`, as it is installed."""
    aws = shutil.which("aws", path=str(Path(sys.executable).parent))
    assert aws is not None
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    async with served() as server:

        async def run(*arguments: str) -> Any:
            command = [aws, "events", *arguments, "--endpoint-url", server.url, "--output", "json"]
            done = await anyio.run_process(command, env=environment, check=False)
            assert done.returncode == 0, done.stderr.decode()
            return json.loads(done.stdout or b"null")

        made = await run("put-rule", "--name", "r", "--event-pattern", PATTERN)
        await run("put-targets", "--rule", "r", "--targets", f"Id=t,Arn={QUEUE}")
        entry = json.dumps([{"Source": "shop", "DetailType": "d", "Detail": '{"n":1}'}])
        put = await run("put-events", "--entries", entry)
        matched = await run("test-event-pattern", "--event-pattern", PATTERN, "--event", json.dumps(EVENT))
        await server.engine.idle()

    assert made == {"RuleArn": REGION.rule_arn("default", "r")}
    assert put["FailedEntryCount"] == 0
    assert matched == {"Result": True}
    assert server.scene.endpoints[QUEUE].details == [{"n": 1}]

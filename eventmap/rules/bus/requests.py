"""The requests of EventBridge's API that are served: every member of each operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventmap.rules.bus.shapes import Flag, Items, Members, Moment, Refused, Shape, Table, Text, Whole

_NAME: Final = Text(1, 64, r"[\.\-_A-Za-z0-9]+")
_ARCHIVE_NAME: Final = Text(1, 48, r"[\.\-_A-Za-z0-9]+")
_BUS_NAME: Final = Text(1, 256, r"[/\.\-_A-Za-z0-9]+")
_BUS: Final = Text(1, 1600, r"(arn:aws[\w-]*:events:[a-z]+-[a-z]+-[\w-]+:[0-9]{12}:event-bus\/)?[/\.\-_A-Za-z0-9]+")
_ARN: Final = Text(1, 1600)
_PATTERN: Final = Text(0, 4096)
_DESCRIPTION: Final = Text(0, 512)
_STATE: Final = Text(values=("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"))
_KEY: Final = Text(1, 128)
_TAGS: Final = Items(Members({"Key": _KEY, "Value": Text(0, 256)}, ("Key", "Value")))
_PAGE: Final[Mapping[str, Shape]] = {"NextToken": Text(1, 2048), "Limit": Whole(1, 100)}
_FORCE: Final = Flag()
_KMS: Final = Refused("what a file of this machine holds is not encrypted by a key of AWS'")
_LOG: Final = Refused("a bus logs to eventmap's own log", unless={"IncludeDetail": "NONE", "Level": "OFF"})
_BUS_DEAD_LETTERS: Final = Refused(
    "AWS uses a bus' queue for events it cannot decrypt; give one to each target", unless={}
)
_FOREIGN: Final = Refused("a target here is a function, a queue, a topic or an event bus")

TARGET: Final = Members(
    {
        "Id": _NAME,
        "Arn": _ARN,
        "RoleArn": _ARN,
        "Input": Text(0, 8192),
        "InputPath": Text(0, 256),
        "InputTransformer": Members(
            {
                "InputPathsMap": Table(Text(1, 256, r"[A-Za-z0-9\_\-\.]+"), Text(0, 256), 100),
                "InputTemplate": Text(1, 8192),
            },
            ("InputTemplate",),
        ),
        "SqsParameters": Members({"MessageGroupId": Text(0, 100)}),
        "DeadLetterConfig": Members({"Arn": _ARN}),
        "RetryPolicy": Members({"MaximumRetryAttempts": Whole(0, 185), "MaximumEventAgeInSeconds": Whole(60, 86_400)}),
        **dict.fromkeys(
            (
                "KinesisParameters",
                "RunCommandParameters",
                "EcsParameters",
                "BatchParameters",
                "HttpParameters",
                "RedshiftDataParameters",
                "SageMakerPipelineParameters",
                "AppSyncParameters",
            ),
            _FOREIGN,
        ),
    },
    ("Id", "Arn"),
)

_ENTRY: Final = Members(
    {
        "Time": Moment(),
        "Source": Text(),
        "Resources": Items(Text(0, 2048)),
        "DetailType": Text(),
        "Detail": Text(),
        "EventBusName": Text(1, 1600, _BUS.pattern),
        "TraceHeader": Text(1, 500),
    }
)

_A_RULE: Final = Members({"Name": _NAME, "EventBusName": _BUS}, ("Name",))
_AN_ARCHIVE: Final = Members({"ArchiveName": _ARCHIVE_NAME}, ("ArchiveName",))
_A_REPLAY: Final = Members({"ReplayName": _NAME}, ("ReplayName",))
_ARCHIVE_STATE: Final = Text(
    values=("ENABLED", "DISABLED", "CREATING", "UPDATING", "CREATE_FAILED", "UPDATE_FAILED"),
)
_REPLAY_STATE: Final = Text(values=("STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"))
_OF_ARCHIVE: Final[Mapping[str, Shape]] = {
    "Description": _DESCRIPTION,
    "EventPattern": _PATTERN,
    "RetentionDays": Whole(0, 2_147_483_647),
    "KmsKeyIdentifier": _KMS,
}

REQUESTS: Final[Mapping[str, Members]] = {
    "PutEvents": Members(
        {
            "Entries": Items(_ENTRY, 1, 10),
            "EndpointId": Refused("a global endpoint is in two regions, and eventmap in one"),
        },
        ("Entries",),
    ),
    "PutRule": Members(
        {
            "Name": _NAME,
            "ScheduleExpression": Text(0, 256),
            "EventPattern": _PATTERN,
            "State": _STATE,
            "Description": _DESCRIPTION,
            "RoleArn": _ARN,
            "Tags": _TAGS,
            "EventBusName": _BUS,
        },
        ("Name",),
    ),
    "DeleteRule": Members({**_A_RULE.members, "Force": _FORCE}, ("Name",)),
    "DescribeRule": _A_RULE,
    "EnableRule": _A_RULE,
    "DisableRule": _A_RULE,
    "ListRules": Members({"NamePrefix": _NAME, "EventBusName": _BUS, **_PAGE}),
    "PutTargets": Members({"Rule": _NAME, "EventBusName": _BUS, "Targets": Items(TARGET, 1, 100)}, ("Rule", "Targets")),
    "RemoveTargets": Members(
        {"Rule": _NAME, "EventBusName": _BUS, "Ids": Items(_NAME, 1, 100), "Force": _FORCE}, ("Rule", "Ids")
    ),
    "ListTargetsByRule": Members({"Rule": _NAME, "EventBusName": _BUS, **_PAGE}, ("Rule",)),
    "ListRuleNamesByTarget": Members({"TargetArn": _ARN, "EventBusName": _BUS, **_PAGE}, ("TargetArn",)),
    "TestEventPattern": Members({"EventPattern": _PATTERN, "Event": Text()}, ("EventPattern", "Event")),
    "CreateEventBus": Members(
        {
            "Name": _BUS_NAME,
            "EventSourceName": Refused("there are no partner event sources here"),
            "Description": _DESCRIPTION,
            "KmsKeyIdentifier": _KMS,
            "DeadLetterConfig": _BUS_DEAD_LETTERS,
            "LogConfig": _LOG,
            "Tags": _TAGS,
        },
        ("Name",),
    ),
    "UpdateEventBus": Members(
        {
            "Name": _BUS_NAME,
            "KmsKeyIdentifier": _KMS,
            "Description": _DESCRIPTION,
            "DeadLetterConfig": _BUS_DEAD_LETTERS,
            "LogConfig": _LOG,
        }
    ),
    "DescribeEventBus": Members({"Name": _BUS}),
    "DeleteEventBus": Members({"Name": _BUS_NAME}, ("Name",)),
    "ListEventBuses": Members({"NamePrefix": _BUS_NAME, **_PAGE}),
    "CreateArchive": Members(
        {"ArchiveName": _ARCHIVE_NAME, "EventSourceArn": _ARN, **_OF_ARCHIVE}, ("ArchiveName", "EventSourceArn")
    ),
    "UpdateArchive": Members({"ArchiveName": _ARCHIVE_NAME, **_OF_ARCHIVE}, ("ArchiveName",)),
    "DescribeArchive": _AN_ARCHIVE,
    "DeleteArchive": _AN_ARCHIVE,
    "ListArchives": Members({"NamePrefix": _ARCHIVE_NAME, "EventSourceArn": _ARN, "State": _ARCHIVE_STATE, **_PAGE}),
    "StartReplay": Members(
        {
            "ReplayName": _NAME,
            "Description": _DESCRIPTION,
            "EventSourceArn": _ARN,
            "EventStartTime": Moment(),
            "EventEndTime": Moment(),
            "Destination": Members({"Arn": _ARN, "FilterArns": Items(_ARN)}, ("Arn",)),
        },
        ("ReplayName", "EventSourceArn", "EventStartTime", "EventEndTime", "Destination"),
    ),
    "DescribeReplay": _A_REPLAY,
    "CancelReplay": _A_REPLAY,
    "ListReplays": Members({"NamePrefix": _NAME, "EventSourceArn": _ARN, "State": _REPLAY_STATE, **_PAGE}),
    "TagResource": Members({"ResourceARN": _ARN, "Tags": _TAGS}, ("ResourceARN", "Tags")),
    "UntagResource": Members({"ResourceARN": _ARN, "TagKeys": Items(_KEY)}, ("ResourceARN", "TagKeys")),
    "ListTagsForResource": Members({"ResourceARN": _ARN}, ("ResourceARN",)),
}
"""By operation."""

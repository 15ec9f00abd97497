"""What becomes of every member of the operations of EventBridge that are served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ENTRIES = "honoured: test_src_40_42_boto3_puts_a_rule_and_an_event"
_ENTRY_ERRORS = "honoured: test_src_41_boto3_sees_which_entries_failed"
_TRACE = "honoured: test_src_40_42_47_targets_of_matching_rules_get_the_event"
_RULE = "honoured: test_src_42_a_rule_is_put_described_listed_and_deleted"
_STATE = "honoured: test_src_42_a_rule_can_be_disabled_and_enabled"
_SCHEDULE = "honoured: test_src_51_66_a_schedule_is_for_the_default_bus"
_TARGET = "honoured: test_src_44_46_targets_are_put_listed_and_removed"
_RETRIES = "honoured: test_src_45_46_attempts_exhausted_end_in_the_dead_letter_queue"
_AGE = "honoured: test_src_45_46_an_event_too_old_ends_in_the_dead_letter_queue"
_BY_TARGET = "honoured: test_rules_are_found_by_their_target"
_TRIED = "honoured: test_src_43_a_pattern_is_tried_on_an_event"
_BUS = "honoured: test_buses_are_made_described_changed_listed_and_deleted"
_TAGS = "honoured: test_tags_are_added_replaced_and_removed"
_ARCHIVE = "honoured: test_archives_are_made_described_changed_listed_and_deleted"
_RETENTION = "honoured: test_archived_events_are_forgotten_after_their_retention"
_REPLAY = "honoured: test_replays_are_started_described_listed_and_cancelled"
_WINDOW = "honoured: test_a_replay_has_a_time_window_and_may_name_rules"
_CANCEL = "honoured: test_a_replay_can_be_cancelled"
_PAGES = "honoured: test_lists_come_in_pages"

_ROLE = "no effect: nobody is asked for permission here; it is kept and shown"
_FORCE = "no effect: it is for rules that services of AWS' manage, and there are none here"
_FOREIGN = "refused: a target here is a function, a queue, a topic or an event bus"
_KMS = "refused: what a file of this machine holds is not encrypted by a key of AWS'"
_LOG = "refused: a bus logs to eventmap's own log, unless it asks for no log at all"
_DEAD_LETTERS = "refused: a bus' queue is for events AWS cannot decrypt; give one to each target"

_PAGE = {"NextToken": _PAGES, "Limit": _PAGES}
_A_RULE = {"Name": _RULE, "EventBusName": _RULE}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "PutEvents": {
        "Entries[].Time": _ENTRIES,
        "Entries[].Source": _ENTRIES,
        "Entries[].Resources[]": _ENTRIES,
        "Entries[].DetailType": _ENTRIES,
        "Entries[].Detail": _ENTRIES,
        "Entries[].EventBusName": _ENTRY_ERRORS,
        "Entries[].TraceHeader": _TRACE,
        "EndpointId": "refused: a global endpoint is in two regions, and eventmap in one",
    },
    "PutRule": {
        **_A_RULE,
        "ScheduleExpression": _SCHEDULE,
        "EventPattern": _RULE,
        "State": _STATE,
        "Description": _RULE,
        "RoleArn": _ROLE,
        "Tags[].Key": _RULE,
        "Tags[].Value": _RULE,
    },
    "DeleteRule": {**_A_RULE, "Force": _FORCE},
    "DescribeRule": _A_RULE,
    "EnableRule": {"Name": _STATE, "EventBusName": _STATE},
    "DisableRule": {"Name": _STATE, "EventBusName": _STATE},
    "ListRules": {"NamePrefix": _RULE, "EventBusName": _RULE, **_PAGE},
    "PutTargets": {
        "Rule": _TARGET,
        "EventBusName": _TARGET,
        "Targets[].Id": _TARGET,
        "Targets[].Arn": _TARGET,
        "Targets[].RoleArn": _ROLE,
        "Targets[].Input": _TARGET,
        "Targets[].InputPath": _TARGET,
        "Targets[].InputTransformer.InputPathsMap": _TARGET,
        "Targets[].InputTransformer.InputTemplate": "honoured: test_src_44_templates_are_filled_to_the_byte",
        "Targets[].SqsParameters.MessageGroupId": _TARGET,
        "Targets[].DeadLetterConfig.Arn": _RETRIES,
        "Targets[].RetryPolicy.MaximumRetryAttempts": _RETRIES,
        "Targets[].RetryPolicy.MaximumEventAgeInSeconds": _AGE,
        "Targets[].KinesisParameters": _FOREIGN,
        "Targets[].RunCommandParameters": _FOREIGN,
        "Targets[].EcsParameters": _FOREIGN,
        "Targets[].BatchParameters": _FOREIGN,
        "Targets[].HttpParameters": _FOREIGN,
        "Targets[].RedshiftDataParameters": _FOREIGN,
        "Targets[].SageMakerPipelineParameters": _FOREIGN,
        "Targets[].AppSyncParameters": _FOREIGN,
    },
    "RemoveTargets": {"Rule": _TARGET, "EventBusName": _RULE, "Ids[]": _TARGET, "Force": _FORCE},
    "ListTargetsByRule": {"Rule": _TARGET, "EventBusName": _RULE, **_PAGE},
    "ListRuleNamesByTarget": {"TargetArn": _BY_TARGET, "EventBusName": _BY_TARGET, **_PAGE},
    "TestEventPattern": {"EventPattern": _TRIED, "Event": _TRIED},
    "CreateEventBus": {
        "Name": _BUS,
        "EventSourceName": "refused: there are no partner event sources here",
        "Description": _BUS,
        "KmsKeyIdentifier": _KMS,
        "DeadLetterConfig": _DEAD_LETTERS,
        "LogConfig": _LOG,
        "Tags[].Key": _BUS,
        "Tags[].Value": _BUS,
    },
    "UpdateEventBus": {
        "Name": _BUS,
        "Description": _BUS,
        "KmsKeyIdentifier": _KMS,
        "DeadLetterConfig": _DEAD_LETTERS,
        "LogConfig": _LOG,
    },
    "DescribeEventBus": {"Name": _BUS},
    "DeleteEventBus": {"Name": _BUS},
    "ListEventBuses": {"NamePrefix": _BUS, **_PAGE},
    "CreateArchive": {
        "ArchiveName": _ARCHIVE,
        "EventSourceArn": _ARCHIVE,
        "Description": _ARCHIVE,
        "EventPattern": "honoured: test_an_archive_keeps_what_its_pattern_matches",
        "RetentionDays": _RETENTION,
        "KmsKeyIdentifier": _KMS,
    },
    "UpdateArchive": {
        "ArchiveName": _ARCHIVE,
        "Description": _ARCHIVE,
        "EventPattern": "honoured: test_an_archive_changed_while_it_runs_keeps_by_its_new_pattern",
        "RetentionDays": _RETENTION,
        "KmsKeyIdentifier": _KMS,
    },
    "DescribeArchive": {"ArchiveName": _ARCHIVE},
    "DeleteArchive": {"ArchiveName": "honoured: test_an_archive_that_is_deleted_takes_its_events_along"},
    "ListArchives": {"NamePrefix": _ARCHIVE, "EventSourceArn": _ARCHIVE, "State": _ARCHIVE, **_PAGE},
    "StartReplay": {
        "ReplayName": _REPLAY,
        "Description": _REPLAY,
        "EventSourceArn": _REPLAY,
        "EventStartTime": _WINDOW,
        "EventEndTime": _WINDOW,
        "Destination.Arn": _REPLAY,
        "Destination.FilterArns[]": _WINDOW,
    },
    "DescribeReplay": {"ReplayName": _REPLAY},
    "CancelReplay": {"ReplayName": _CANCEL},
    "ListReplays": {"NamePrefix": _REPLAY, "EventSourceArn": _REPLAY, "State": _REPLAY, **_PAGE},
    "TagResource": {"ResourceARN": _TAGS, "Tags[].Key": _TAGS, "Tags[].Value": _TAGS},
    "UntagResource": {"ResourceARN": _TAGS, "TagKeys[]": _TAGS},
    "ListTagsForResource": {"ResourceARN": _TAGS},
}
"""By operation; see `service_model`."""

"""What becomes of every member of the operations on mappings and tags, and of the Invoke operations.

See `service_model.py` for how a table is read.
"""

from __future__ import annotations

from typing import Final

_MEMBERS: Final = "honoured: test_api_24_to_38_each_member_reaches_its_setting_and_is_shown"
_OF_OTHERS: Final = "refused: Unsupported … parameter for given event source mapping type."
_NAME: Final = "honoured: test_api_11_a_function_by_each_of_its_names"

_CONFIGURATION: Final = {
    "BatchSize": _MEMBERS,
    "MaximumBatchingWindowInSeconds": _MEMBERS,
    "FilterCriteria.Filters[].Pattern": _MEMBERS,
    "FunctionResponseTypes[]": _MEMBERS,
    "ScalingConfig.MaximumConcurrency": _MEMBERS,
    "ParallelizationFactor": _MEMBERS,
    "MaximumRecordAgeInSeconds": _MEMBERS,
    "MaximumRetryAttempts": _MEMBERS,
    "BisectBatchOnFunctionError": _MEMBERS,
    "TumblingWindowInSeconds": _MEMBERS,
    "DestinationConfig.OnFailure.Destination": _MEMBERS,
    "DestinationConfig.OnSuccess": "refused: Unsupported DestinationConfig parameter for given event source mapping …",
    "MetricsConfig": "no effect: EventCount is kept and shown; events are counted always. Other metrics are refused",
    "KMSKeyArn": "refused: KMSKeyArn is not honoured, so it is refused: …",
    "ProvisionedPollerConfig": "refused: ProvisionedPollerConfig is not honoured, so it is refused: …",
    "LoggingConfig": _OF_OTHERS,
    "SourceAccessConfigurations": _OF_OTHERS,
    "AmazonManagedKafkaEventSourceConfig": _OF_OTHERS,
    "SelfManagedKafkaEventSourceConfig": _OF_OTHERS,
    "DocumentDBEventSourceConfig": _OF_OTHERS,
}
_INVOKED: Final = {
    "FunctionName": "honoured: test_inv_10_12_15_boto3_invokes",
    "Qualifier": "honoured: test_inv_10_12_15_boto3_invokes",
    "Payload": "honoured: test_inv_10_12_15_boto3_invokes",
    "LogType": "honoured: test_inv_10_12_15_boto3_invokes",
    "InvocationType": "honoured: test_inv_11_13_14_boto3_sees_errors_events_and_dry_runs",
    "TenantId": "refused: The invoked function is not enabled with tenancy configuration.",
}

TABLE: Final = {
    "CreateEventSourceMapping": {
        **_CONFIGURATION,
        "EventSourceArn": "honoured: test_api_56_61_a_mapping_is_created_then_enabled, "
        "test_api_08_22_sources_that_are_not_polled",
        "FunctionName": _NAME,
        "Enabled": "honoured: test_api_57_a_mapping_that_is_not_enabled_never_polls",
        "Tags": "honoured: test_api_53_tags",
        "StartingPosition": _MEMBERS,
        "StartingPositionTimestamp": "honoured: test_api_27_a_beginning_in_time_is_epoch_seconds",
        "Topics": _OF_OTHERS,
        "Queues": _OF_OTHERS,
        "SelfManagedEventSource": _OF_OTHERS,
    },
    "GetEventSourceMapping": {"UUID": "honoured: test_api_01_to_05_the_life_of_a_mapping"},
    "ListEventSourceMappings": {
        "EventSourceArn": "honoured: test_api_14a_listing_by_source_and_function",
        "FunctionName": "honoured: test_api_14a_listing_by_source_and_function",
        "Marker": "honoured: test_api_06_boto3_turns_the_pages",
        "MaxItems": "honoured: test_api_06_boto3_turns_the_pages",
    },
    "UpdateEventSourceMapping": {
        # The same members go the same way; that an update reaches the poller is test_api_59's.
        **_CONFIGURATION,
        "UUID": "honoured: test_api_59_another_change_is_updating_then_as_before",
        "FunctionName": "honoured: test_api_13_function_of_a_queue_may_change_and_of_a_stream_may_not",
        "Enabled": "honoured: test_api_55_58_disabling_and_enabling",
    },
    "DeleteEventSourceMapping": {"UUID": "honoured: test_api_01_to_05_the_life_of_a_mapping"},
    "ListTags": {"Resource": "honoured: test_api_53_tags"},
    "TagResource": {"Resource": "honoured: test_api_53_tags", "Tags": "honoured: test_api_53_tags"},
    "UntagResource": {"Resource": "honoured: test_api_53_tags", "TagKeys[]": "honoured: test_api_53_tags"},
    "Invoke": {
        **_INVOKED,
        "ClientContext": "honoured: test_inv_03_106_109_the_client_context_reaches_the_handler",
        "DurableExecutionName": "refused: The invoked function is not a durable function: it has no DurableConfig.",
    },
    "InvokeAsync": {
        "FunctionName": "honoured: test_inv_23_24_boto3_invokes_by_the_other_operations",
        "InvokeArgs": "honoured: test_inv_23_24_boto3_invokes_by_the_other_operations",
    },
    "InvokeWithResponseStream": {
        **_INVOKED,
        "FunctionName": "honoured: test_inv_23_24_boto3_invokes_by_the_other_operations",
        "Payload": "honoured: test_inv_23_24_boto3_invokes_by_the_other_operations",
        "LogType": "honoured: test_inv_23_24_boto3_invokes_by_the_other_operations",
        "ClientContext": "honoured: test_inv_03_106_109_the_client_context_reaches_the_handler",
    },
}

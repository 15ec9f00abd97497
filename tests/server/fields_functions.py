"""What becomes of every member of the operations on functions.

See `service_model.py` for how a table is read.
"""

from __future__ import annotations

from typing import Final

_LIFE: Final = "honoured: test_api_161_to_165_a_function_is_made_shown_run_and_deleted"
_UPDATED: Final = "honoured: test_update_function_code_takes_effect_at_once"
_VERSION: Final = "honoured: test_inv_10_100_101_a_version_keeps_its_code_and_configuration"
_PUBLISHED: Final = "honoured: test_publishing_again_what_has_not_changed"
_ALIAS: Final = "honoured: test_an_alias_names_a_version_and_moves"
_EVENTS: Final = "honoured: test_inv_45_67_asynchronous_events_go_by_the_config_of_their_qualifier"
_MERGED: Final = "honoured: test_inv_45_put_replaces_and_update_merges"
_RESERVED: Final = "honoured: test_inv_91_92_25_reserved_concurrency"
_PROVISIONED: Final = "honoured: test_inv_93_provisioned_concurrency"
_PERMISSION: Final = "no effect: kept and shown; who may call is decided by access keys"
_LISTED: Final = "honoured: test_list_functions_pages"
_ELSEWHERE: Final = "refused: code is given as ZipFile, or lies in the folder that eventmap was started in"
_MERGES: Final = "honoured: test_update_function_configuration_merges"

_CONFIGURATION: Final = {
    "Handler": f"{_MERGES}, test_handlers_as_aws_writes_them",
    "Timeout": "honoured: test_inv_80_81_timeout_and_memory_of_a_function_of_the_api",
    "MemorySize": "honoured: test_inv_80_81_timeout_and_memory_of_a_function_of_the_api",
    "Environment.Variables": _MERGES,
    "DeadLetterConfig.TargetArn": "honoured: test_inv_65_67_dead_letters_are_those_of_the_version",
    "Runtime": "no effect: python3.9 to python3.15 all run on the Python that runs eventmap; others are refused",
    "Role": "no effect: kept and shown; functions have the credentials of eventmap",
    "Description": "no effect: kept and shown",
    "TracingConfig": "no effect: kept and shown; trace ids are passed on always, segments never sent",
    "EphemeralStorage": "no effect: kept and shown; the disk is that of this machine",
    "KMSKeyArn": "refused: KMSKeyArn is not supported here",
    "Layers[]": "refused: Layers is not supported here",
    "VpcConfig": "refused: VpcConfig is not supported here",
    "FileSystemConfigs[]": "refused: FileSystemConfigs is not supported here",
    "ImageConfig": "refused: ImageConfig is not supported here",
    "SnapStart.ApplyOn": "refused: SnapStart is not supported here",
    "LoggingConfig": "refused: LoggingConfig.LogFormat JSON is not supported here",
    # Of botocores that are newer than the oldest we allow:
    "DurableConfig": "refused: DurableConfig is not supported here",
    "CapacityProviderConfig": "refused: CapacityProviderConfig is not supported here",
    "TenancyConfig": "refused: TenancyConfig is not supported here",
}

TABLE: Final = {
    "CreateFunction": {
        **_CONFIGURATION,
        "FunctionName": _LIFE,
        "Code.ZipFile": _LIFE,
        "Code.S3Bucket": _ELSEWHERE,
        "Code.S3Key": _ELSEWHERE,
        "Code.S3ObjectVersion": _ELSEWHERE,
        "Code.S3ObjectStorageMode": _ELSEWHERE,
        "Code.ImageUri": _ELSEWHERE,
        "Code.SourceKMSKeyArn": _ELSEWHERE,
        "Publish": _PUBLISHED,
        "PublishTo": "refused: PublishTo is not supported here",
        "PackageType": "refused: PackageType Image is not supported here",
        "Tags": "honoured: test_tags_of_functions",
        "Architectures[]": "no effect: kept and shown; the machine is this one",
        "CodeSigningConfigArn": "refused: CodeSigningConfigArn is not supported here",
    },
    "GetFunction": {"FunctionName": _LIFE, "Qualifier": _VERSION},
    "GetFunctionConfiguration": {"FunctionName": _LIFE, "Qualifier": _ALIAS},
    "ListFunctions": {
        "MaxItems": _LISTED,
        "Marker": _LISTED,
        "FunctionVersion": _LISTED,
        "MasterRegion": "refused: MasterRegion is not supported here",
    },
    "UpdateFunctionCode": {
        "FunctionName": _UPDATED,
        "ZipFile": _UPDATED,
        "DryRun": _UPDATED,
        "RevisionId": _UPDATED,
        "Publish": _PUBLISHED,
        "PublishTo": "refused: PublishTo is not supported here",
        "Architectures[]": "no effect: kept and shown; the machine is this one",
        "S3Bucket": _ELSEWHERE,
        "S3Key": _ELSEWHERE,
        "S3ObjectVersion": _ELSEWHERE,
        "S3ObjectStorageMode": _ELSEWHERE,
        "ImageUri": _ELSEWHERE,
        "SourceKMSKeyArn": _ELSEWHERE,
    },
    "UpdateFunctionConfiguration": {**_CONFIGURATION, "FunctionName": _MERGES, "RevisionId": _MERGES},
    "DeleteFunction": {"FunctionName": _LIFE, "Qualifier": _PUBLISHED},
    "PublishVersion": {
        "FunctionName": _VERSION,
        "Description": "no effect: kept and shown",
        "CodeSha256": _PUBLISHED,
        "RevisionId": _PUBLISHED,
        "PublishTo": "refused: PublishTo is not supported here",
    },
    "ListVersionsByFunction": {"FunctionName": _PUBLISHED, "MaxItems": _PUBLISHED, "Marker": _PUBLISHED},
    "CreateAlias": {
        "FunctionName": _ALIAS,
        "Name": _ALIAS,
        "FunctionVersion": _ALIAS,
        "Description": "no effect: kept and shown",
        "RoutingConfig": "refused: RoutingConfig.AdditionalVersionWeights is not supported here",
    },
    "GetAlias": {"FunctionName": _ALIAS, "Name": _ALIAS},
    "ListAliases": {"FunctionName": _ALIAS, "FunctionVersion": _ALIAS, "MaxItems": _ALIAS, "Marker": _ALIAS},
    "UpdateAlias": {
        "FunctionName": _ALIAS,
        "Name": _ALIAS,
        "FunctionVersion": _ALIAS,
        "Description": "no effect: kept and shown",
        "RevisionId": _ALIAS,
        "RoutingConfig": "refused: RoutingConfig.AdditionalVersionWeights is not supported here",
    },
    "DeleteAlias": {"FunctionName": _ALIAS, "Name": _ALIAS},
    "PutFunctionConcurrency": {"FunctionName": _RESERVED, "ReservedConcurrentExecutions": _RESERVED},
    "GetFunctionConcurrency": {"FunctionName": _RESERVED},
    "DeleteFunctionConcurrency": {"FunctionName": _RESERVED},
    "PutFunctionEventInvokeConfig": {
        "FunctionName": _EVENTS,
        "Qualifier": _EVENTS,
        "MaximumRetryAttempts": _EVENTS,
        "MaximumEventAgeInSeconds": "honoured: test_inv_44_45_67_age_and_retries_are_those_of_the_qualifier",
        "DestinationConfig.OnFailure.Destination": _EVENTS,
        "DestinationConfig.OnSuccess.Destination": "honoured: test_inv_67_records_go_by_the_qualifier",
    },
    "UpdateFunctionEventInvokeConfig": {
        "FunctionName": _MERGED,
        "Qualifier": _EVENTS,
        "MaximumRetryAttempts": _MERGED,
        "MaximumEventAgeInSeconds": _MERGED,
        "DestinationConfig.OnFailure.Destination": _MERGED,
        "DestinationConfig.OnSuccess.Destination": _MERGED,
    },
    "GetFunctionEventInvokeConfig": {"FunctionName": _MERGED, "Qualifier": _MERGED},
    "ListFunctionEventInvokeConfigs": {
        "FunctionName": _MERGED,
        "MaxItems": "honoured: test_pages_of_any_list",
        "Marker": "honoured: test_pages_of_any_list",
    },
    "DeleteFunctionEventInvokeConfig": {"FunctionName": _MERGED, "Qualifier": _MERGED},
    "PutProvisionedConcurrencyConfig": {
        "FunctionName": _PROVISIONED,
        "Qualifier": _PROVISIONED,
        "ProvisionedConcurrentExecutions": "no effect: kept and shown; environments are started when they are needed",
    },
    "GetProvisionedConcurrencyConfig": {"FunctionName": _PROVISIONED, "Qualifier": _PROVISIONED},
    "ListProvisionedConcurrencyConfigs": {
        "FunctionName": _PROVISIONED,
        "MaxItems": "honoured: test_pages_of_any_list",
        "Marker": "honoured: test_pages_of_any_list",
    },
    "DeleteProvisionedConcurrencyConfig": {"FunctionName": _PROVISIONED, "Qualifier": _PROVISIONED},
    "GetAccountSettings": {},
    "AddPermission": {
        "FunctionName": "honoured: test_permissions_are_kept_and_shown",
        "Qualifier": "honoured: test_permissions_are_kept_and_shown",
        "StatementId": "honoured: test_permissions_are_kept_and_shown",
        "RevisionId": "honoured: test_permissions_are_kept_and_shown",
        "Action": _PERMISSION,
        "Principal": _PERMISSION,
        "SourceArn": _PERMISSION,
        "SourceAccount": _PERMISSION,
        "EventSourceToken": _PERMISSION,
        "PrincipalOrgID": _PERMISSION,
        "FunctionUrlAuthType": _PERMISSION,
        "InvokedViaFunctionUrl": _PERMISSION,
    },
    "RemovePermission": {
        "FunctionName": "honoured: test_permissions_are_kept_and_shown",
        "Qualifier": "honoured: test_permissions_are_kept_and_shown",
        "StatementId": "honoured: test_permissions_are_kept_and_shown",
        "RevisionId": "honoured: test_permissions_are_kept_and_shown",
    },
    "GetPolicy": {
        "FunctionName": "honoured: test_permissions_are_kept_and_shown",
        "Qualifier": "honoured: test_permissions_are_kept_and_shown",
    },
    "GetFunctionCodeSigningConfig": {
        "FunctionName": "honoured: test_no_function_has_a_code_signing_config",
    },
}

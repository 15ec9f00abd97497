"""What the API of functions answers, in AWS' members."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from eventmap.function import LATEST
from eventmap.model import JsonObject
from eventmap.rules.function_api.recorded import RecordedAlias, RecordedFunction, RecordedVersion


def configuration(version: RecordedVersion, name: str, arn: str, *, failure: str | None = None) -> JsonObject:
    """FunctionConfiguration; `arn` as the caller asked for it. `failure` says why it does not run, None = it does."""
    members = version.members
    answer: JsonObject = {
        "FunctionName": name,
        "FunctionArn": arn,
        "Runtime": members["Runtime"],
        "Role": members["Role"],
        "Handler": members["Handler"],
        "CodeSize": version.code.size,
        "Description": members["Description"],
        "Timeout": members["Timeout"],
        "MemorySize": members["MemorySize"],
        "LastModified": amazon_time(version.last_modified_s),
        "Version": version.version,
        "TracingConfig": members["TracingConfig"],
        "RevisionId": version.revision_id,
        "State": "Active" if failure is None else "Failed",
        "LastUpdateStatus": "Successful" if failure is None else "Failed",
        "PackageType": "Zip",
        "Architectures": members["Architectures"],
        "EphemeralStorage": members["EphemeralStorage"],
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    if version.code.sha256:
        answer["CodeSha256"] = version.code.sha256
    answer |= {member: members[member] for member in ("Environment", "DeadLetterConfig") if members.get(member)}
    if failure is not None:
        answer |= {"StateReason": failure, "StateReasonCode": "InvalidConfiguration"}
        answer |= {"LastUpdateStatusReason": failure, "LastUpdateStatusReasonCode": "InvalidConfiguration"}
    return answer


def alias(recorded: RecordedAlias, function_arn: str) -> JsonObject:
    """AliasConfiguration."""
    return {
        "AliasArn": f"{function_arn}:{recorded.name}",
        "Name": recorded.name,
        "FunctionVersion": recorded.version,
        "Description": recorded.description,
        "RevisionId": recorded.revision_id,
    }


def event_invoke_config(recorded: RecordedFunction, qualifier: str, function_arn: str) -> JsonObject:
    """FunctionEventInvokeConfig of a qualifier that has one."""
    members = recorded.event_invoke_configs[qualifier or LATEST]
    destinations = {"OnSuccess": {}, "OnFailure": {}} | members.get("DestinationConfig", {})
    return {
        **members,
        "FunctionArn": f"{function_arn}:{qualifier or LATEST}",
        "DestinationConfig": destinations,
    }


def provisioned(config: Mapping[str, Any]) -> JsonObject:
    """A provisioned concurrency config."""
    requested = config["Requested"]
    return {
        "RequestedProvisionedConcurrentExecutions": requested,
        "AvailableProvisionedConcurrentExecutions": requested,
        "AllocatedProvisionedConcurrentExecutions": requested,
        "Status": "READY",
        "LastModified": config["LastModified"],
    }


def amazon_time(epoch_s: float) -> str:
    """As functions and provisioned concurrency tell their times: milliseconds, and an offset without a colon."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"

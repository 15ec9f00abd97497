"""What the operations on a function change: each takes it as it stands, and returns it as it shall be.

Raises: InvalidParameterValue and ConstraintViolated for what a request says; ChangeRefused for how things stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.function import LATEST, check_destinations
from eventmap.model import JsonObject
from eventmap.rules.function_api import reading
from eventmap.rules.function_api.members import CONFIGURATION, read_members
from eventmap.rules.function_api.recorded import RecordedAlias, RecordedCode, RecordedFunction
from eventmap.rules.function_api.shown import amazon_time

_ALIAS: Final = r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
_VERSION: Final = r"(\$LATEST|[0-9]+)"


class ChangeRefused(Exception):
    """Raised for how things stand: `status` and `error_type` are AWS'."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status: int = status
        self.error_type: str = error_type
        self.message: str = message


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a change needs to know beside the request."""

    now: float  #: epoch seconds
    revision_id: str  #: to be given to what is changed
    arn: str  #: the function's own, unqualified


def not_found(arn: str, qualifier: str = "") -> ChangeRefused:
    """A function, or an alias or version of one (INV-16)."""
    shown = f"{arn}:{qualifier}" if qualifier else arn
    return ChangeRefused(404, "ResourceNotFoundException", f"Function not found: {shown}")


def check_revision(body: Mapping[str, Any], current: str, operation: str = "GetFunction/GetAlias") -> None:
    """Raises: ChangeRefused if the caller has seen another state than the current one."""
    wanted = reading.text(body, "RevisionId")
    if wanted and wanted != current:
        raise ChangeRefused(
            412,
            "PreconditionFailedException",
            f"The Revision Id provided does not match the latest Revision Id. Call the {operation} API to retrieve "
            "the latest Revision Id",
        )


def updated_configuration(recorded: RecordedFunction, body: JsonObject, occasion: Occasion) -> RecordedFunction:
    """UpdateFunctionConfiguration: what is not named keeps its value."""
    reading.known(body, (*(name for name in CONFIGURATION if name != "Architectures"), "FunctionName", "RevisionId"))
    check_revision(body, recorded.latest.revision_id)
    members = {**recorded.latest.members, **read_members(body, recorded.name)}
    latest = replace(recorded.latest, members=members, last_modified_s=occasion.now, revision_id=occasion.revision_id)
    return replace(recorded, latest=latest)


def updated_code(
    recorded: RecordedFunction, body: JsonObject, code: RecordedCode, occasion: Occasion
) -> RecordedFunction:
    """UpdateFunctionCode, once the code is unpacked; its other members are those of the request."""
    check_revision(body, recorded.latest.revision_id)
    architectures = read_members({"Architectures": body.get("Architectures")}, recorded.name)
    latest = replace(
        recorded.latest,
        members={**recorded.latest.members, **architectures},
        code=code,
        last_modified_s=occasion.now,
        revision_id=occasion.revision_id,
    )
    return replace(recorded, latest=latest)


def published(recorded: RecordedFunction, description: str | None, occasion: Occasion) -> tuple[RecordedFunction, str]:
    """(with the version, its number), which stays as it is whatever becomes of `$LATEST`."""
    if not recorded.latest.code.folder:
        raise InvalidParameterValue(
            f"Function {recorded.name} runs the code in the folder that eventmap was started in, which a version could "
            "not keep as it is now: give its code as a zip file to publish versions"
        )
    return recorded.published(description, occasion.now, occasion.revision_id)


def version_published(recorded: RecordedFunction, body: JsonObject, occasion: Occasion) -> tuple[RecordedFunction, str]:
    """PublishVersion."""
    reading.known(body, ("CodeSha256", "Description", "RevisionId", "FunctionName"))
    check_revision(body, recorded.latest.revision_id)
    sha256, current = reading.text(body, "CodeSha256"), recorded.latest.code.sha256
    if sha256 and sha256 != current:
        raise InvalidParameterValue(
            f"CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({current}). Please try again "
            "with the CodeSHA256 in $LATEST."
        )
    return published(recorded, reading.text(body, "Description", longest=256), occasion)


def version_deleted(recorded: RecordedFunction, version: str, occasion: Occasion) -> RecordedFunction:
    """DeleteFunction with a qualifier."""
    if version == LATEST:
        raise InvalidParameterValue("$LATEST version cannot be deleted without deleting the function.")
    if version in recorded.aliases:
        raise InvalidParameterValue("Deletion of aliases is not currently supported. Call DeleteAlias for it")
    if recorded.found(version) is None:
        return recorded  # as AWS: it is gone, and that was asked for
    if names := sorted(each.name for each in recorded.aliases.values() if each.version == version):
        raise ChangeRefused(
            409,
            "ResourceConflictException",
            f"Function {occasion.arn}:{version} cannot be deleted: alias {', '.join(names)} points to it",
        )
    return _without(recorded, version, versions=tuple(each for each in recorded.versions if each.version != version))


def alias_created(recorded: RecordedFunction, body: JsonObject, occasion: Occasion) -> RecordedFunction:
    """CreateAlias."""
    reading.known(body, ("Name", "FunctionVersion", "Description", "RoutingConfig", "FunctionName"))
    name = reading.required(reading.text(body, "Name", longest=128, pattern=_ALIAS), "Name")
    version = reading.required(_alias_version(recorded, body, occasion), "FunctionVersion")
    if name in recorded.aliases:
        raise ChangeRefused(409, "ResourceConflictException", f"Alias already exists: {occasion.arn}:{name}")
    description = reading.text(body, "Description", longest=256) or ""
    return _with_alias(
        recorded, RecordedAlias(name=name, version=version, description=description, revision_id=occasion.revision_id)
    )


def alias_updated(recorded: RecordedFunction, name: str, body: JsonObject, occasion: Occasion) -> RecordedFunction:
    """UpdateAlias."""
    reading.known(body, ("Name", "FunctionVersion", "Description", "RoutingConfig", "RevisionId", "FunctionName"))
    alias = found_alias(recorded, name, occasion.arn)
    check_revision(body, alias.revision_id)
    version = _alias_version(recorded, body, occasion)
    description = reading.text(body, "Description", longest=256)
    return _with_alias(
        recorded,
        replace(
            alias,
            version=alias.version if version is None else version,
            description=alias.description if description is None else description,
            revision_id=occasion.revision_id,
        ),
    )


def alias_deleted(recorded: RecordedFunction, name: str) -> RecordedFunction:
    """DeleteAlias; one that is not there is gone already."""
    aliases = {each: alias for each, alias in recorded.aliases.items() if each != name}
    return _without(recorded, name, aliases=aliases) if name in recorded.aliases else recorded


def found_alias(recorded: RecordedFunction, name: str, arn: str) -> RecordedAlias:
    """Raises: ChangeRefused."""
    if (alias := recorded.aliases.get(name)) is None:
        raise ChangeRefused(404, "ResourceNotFoundException", f"Cannot find alias arn: {arn}:{name}")
    return alias


def event_invoke_config_put(
    recorded: RecordedFunction, qualifier: str, body: JsonObject, occasion: Occasion, *, merged: bool
) -> RecordedFunction:
    """Put replaces a config as a whole, Update (`merged`) what it names of one there is (INV-45, 63)."""
    reading.known(
        body, ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig", "FunctionName", "Qualifier")
    )
    members = {
        "MaximumRetryAttempts": reading.number(body, "MaximumRetryAttempts", 0, 2),
        "MaximumEventAgeInSeconds": reading.number(body, "MaximumEventAgeInSeconds", 60, 21_600),
        "DestinationConfig": _destinations(recorded.name, body),
    }
    named = {name: value for name, value in members.items() if value is not None}
    if not named:
        raise InvalidParameterValue("You must specify at least one of error handling or destination setting.")
    before = found_event_invoke_config(recorded, qualifier, occasion.arn) if merged else {}
    config = {**before, **named, "LastModified": occasion.now}
    return replace(recorded, event_invoke_configs={**recorded.event_invoke_configs, qualifier: config})


def found_event_invoke_config(recorded: RecordedFunction, qualifier: str, arn: str) -> Mapping[str, Any]:
    """Raises: ChangeRefused."""
    if (config := recorded.event_invoke_configs.get(qualifier)) is None:
        raise ChangeRefused(
            404,
            "ResourceNotFoundException",
            f"The function {arn}:{qualifier} doesn't have an EventInvokeConfig",
        )
    return config


def event_invoke_config_deleted(recorded: RecordedFunction, qualifier: str, arn: str) -> RecordedFunction:
    """DeleteFunctionEventInvokeConfig."""
    found_event_invoke_config(recorded, qualifier, arn)
    configs = {each: config for each, config in recorded.event_invoke_configs.items() if each != qualifier}
    return replace(recorded, event_invoke_configs=configs)


def provisioned_put(
    recorded: RecordedFunction, qualifier: str, body: JsonObject, occasion: Occasion
) -> RecordedFunction:
    """PutProvisionedConcurrencyConfig (INV-93)."""
    reading.known(body, ("ProvisionedConcurrentExecutions", "FunctionName", "Qualifier"))
    wanted = reading.number(body, "ProvisionedConcurrentExecutions", 1, 100_000)
    if wanted is None:
        reading.required(None, "ProvisionedConcurrentExecutions")
    check_provisionable(recorded, qualifier)
    others = sum(config["Requested"] for each, config in recorded.provisioned.items() if each != qualifier)
    if recorded.reserved is not None and (wanted or 0) + others > recorded.reserved:
        raise InvalidParameterValue(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        )
    config = {"Requested": wanted, "LastModified": amazon_time(occasion.now)}
    return replace(recorded, provisioned={**recorded.provisioned, qualifier: config})


def check_provisionable(recorded: RecordedFunction, qualifier: str) -> None:
    """Raises: InvalidParameterValue for `$LATEST`, and an alias of it."""
    version = recorded.found(qualifier)
    if version is recorded.latest:
        raise InvalidParameterValue(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )


def found_provisioned(recorded: RecordedFunction, qualifier: str) -> Mapping[str, Any]:
    """Raises: ChangeRefused."""
    if (config := recorded.provisioned.get(qualifier)) is None:
        raise ChangeRefused(
            404,
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )
    return config


def provisioned_deleted(recorded: RecordedFunction, qualifier: str) -> RecordedFunction:
    """DeleteProvisionedConcurrencyConfig; none is fine."""
    configs = {each: config for each, config in recorded.provisioned.items() if each != qualifier}
    return replace(recorded, provisioned=configs)


def _alias_version(recorded: RecordedFunction, body: JsonObject, occasion: Occasion) -> str | None:
    version = reading.text(body, "FunctionVersion", longest=1024, pattern=_VERSION)
    routing = reading.structure(body, "RoutingConfig", ("AdditionalVersionWeights",))
    if routing and routing.get("AdditionalVersionWeights"):
        raise InvalidParameterValue(
            "RoutingConfig.AdditionalVersionWeights is not supported here: an alias names one version"
        )
    if version is not None and recorded.found(version) is None:
        raise not_found(occasion.arn, version)
    return version


def _with_alias(recorded: RecordedFunction, alias: RecordedAlias) -> RecordedFunction:
    return replace(recorded, aliases={**recorded.aliases, alias.name: alias})


def _without(recorded: RecordedFunction, qualifier: str, **fields: Any) -> RecordedFunction:
    """What was configured for a qualifier goes with it."""

    def others(table: Mapping[str, Any]) -> dict[str, Any]:
        return {each: value for each, value in table.items() if each != qualifier}

    return replace(
        recorded,
        event_invoke_configs=others(recorded.event_invoke_configs),
        provisioned=others(recorded.provisioned),
        policies=others(recorded.policies),
        **fields,
    )


def _destinations(function_name: str, body: JsonObject) -> JsonObject | None:
    config = reading.structure(body, "DestinationConfig", ("OnSuccess", "OnFailure"))
    if config is None:
        return None
    for outcome in config:
        reading.structure(config, outcome, ("Destination",))
    named = {outcome: target for outcome, target in config.items() if target and target.get("Destination")}
    check_destinations(function_name, named, {})
    return named

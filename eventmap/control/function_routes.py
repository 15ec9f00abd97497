"""The operations on functions, by method and path."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

from eventmap.control.function_settings import FunctionSettings
from eventmap.control.functions import ControlledFunctions
from eventmap.control.qualifiers import Qualifiers
from eventmap.model import JsonObject
from eventmap.rules.function_api.changes import ChangeRefused
from eventmap.server.lambda_api import ApiError, Call, Route

_ALL: Final = "/2015-03-31/functions"
_ONE: Final = f"{_ALL}/{{FunctionName}}"
_ALIASES: Final = f"{_ONE}/aliases"
_ALIAS: Final = f"{_ALIASES}/{{Name}}"
_RESERVED: Final = "/2017-10-31/functions/{FunctionName}/concurrency"
_PROVISIONED: Final = "/2019-09-30/functions/{FunctionName}/provisioned-concurrency"
_EVENTS: Final = "/2019-09-25/functions/{FunctionName}/event-invoke-config"

Answer = Callable[[Call], Awaitable[JsonObject | None]]
Operation = tuple[str, str, str, int, Answer]
"""Its name, method and path, the status of its answer, and how it answers."""


def function_routes(functions: ControlledFunctions) -> list[Route]:
    """Before `refused_routes`. Their tags have a route of their own: `tags.tag_routes({"function": functions, …})`."""
    qualifiers, settings = Qualifiers(functions.kept), FunctionSettings(functions.kept)
    operations = (
        *_of_functions(functions, qualifiers),
        *_of_qualifiers(qualifiers),
        *_of_concurrency(settings),
        *_of_other_settings(settings),
    )
    return [
        Route(operation, method, template, status, _refusing(answer))
        for operation, method, template, status, answer in operations
    ]


def _of_functions(functions: ControlledFunctions, qualifiers: Qualifiers) -> list[Operation]:
    return [
        ("CreateFunction", "POST", _ALL, 201, lambda call: functions.create(call.body)),
        ("ListFunctions", "GET", _ALL, 200, lambda call: qualifiers.list_functions(call.query)),
        ("GetFunction", "GET", _ONE, 200, lambda call: qualifiers.get(*_named(call))),
        ("GetFunctionConfiguration", "GET", f"{_ONE}/configuration", 200, lambda call: qualifiers.shown(*_named(call))),
        ("UpdateFunctionCode", "PUT", f"{_ONE}/code", 200, lambda call: functions.update_code(_name(call), call.body)),
        (
            *("UpdateFunctionConfiguration", "PUT", f"{_ONE}/configuration", 200),
            lambda call: functions.update_configuration(_name(call), call.body),
        ),
        ("DeleteFunction", "DELETE", _ONE, 204, lambda call: functions.delete(*_named(call))),
    ]


def _of_qualifiers(qualifiers: Qualifiers) -> list[Operation]:
    return [
        ("PublishVersion", "POST", f"{_ONE}/versions", 201, lambda call: qualifiers.publish(_name(call), call.body)),
        (
            *("ListVersionsByFunction", "GET", f"{_ONE}/versions", 200),
            lambda call: qualifiers.list_versions(_name(call), call.query),
        ),
        ("CreateAlias", "POST", _ALIASES, 201, lambda call: qualifiers.create_alias(_name(call), call.body)),
        ("ListAliases", "GET", _ALIASES, 200, lambda call: qualifiers.list_aliases(_name(call), call.query)),
        ("GetAlias", "GET", _ALIAS, 200, lambda call: qualifiers.get_alias(_name(call), call.parameters["Name"])),
        (
            *("UpdateAlias", "PUT", _ALIAS, 200),
            lambda call: qualifiers.update_alias(_name(call), call.parameters["Name"], call.body),
        ),
        (
            *("DeleteAlias", "DELETE", _ALIAS, 204),
            lambda call: qualifiers.delete_alias(_name(call), call.parameters["Name"]),
        ),
    ]


def _of_concurrency(settings: FunctionSettings) -> list[Operation]:
    return [
        ("PutFunctionConcurrency", "PUT", _RESERVED, 200, lambda call: settings.reserve(_name(call), call.body)),
        ("DeleteFunctionConcurrency", "DELETE", _RESERVED, 204, lambda call: settings.unreserve(_name(call))),
        (
            *("GetFunctionConcurrency", "GET", "/2019-09-30/functions/{FunctionName}/concurrency", 200),
            lambda call: settings.reserved(_name(call)),
        ),
        (
            "PutProvisionedConcurrencyConfig",
            "PUT",
            _PROVISIONED,
            202,
            lambda call: settings.provision(*_named(call), call.body),
        ),
        (
            "GetProvisionedConcurrencyConfig",
            "GET",
            _PROVISIONED,
            200,
            lambda call: settings.provisioned(*_named(call), call.query),
        ),
        (
            "DeleteProvisionedConcurrencyConfig",
            "DELETE",
            _PROVISIONED,
            204,
            lambda call: settings.unprovision(*_named(call)),
        ),
    ]


def _of_other_settings(settings: FunctionSettings) -> list[Operation]:
    return [
        (
            "PutFunctionEventInvokeConfig",
            "PUT",
            _EVENTS,
            200,
            lambda call: settings.put_event_invoke_config(*_named(call), call.body, merged=False),
        ),
        (
            "UpdateFunctionEventInvokeConfig",
            "POST",
            _EVENTS,
            200,
            lambda call: settings.put_event_invoke_config(*_named(call), call.body, merged=True),
        ),
        ("GetFunctionEventInvokeConfig", "GET", _EVENTS, 200, lambda call: settings.event_invoke_config(*_named(call))),
        (
            *("DeleteFunctionEventInvokeConfig", "DELETE", _EVENTS, 204),
            lambda call: settings.delete_event_invoke_config(*_named(call)),
        ),
        (
            *("ListFunctionEventInvokeConfigs", "GET", f"{_EVENTS}/list", 200),
            lambda call: settings.list_event_invoke_configs(_name(call), call.query),
        ),
        (
            "AddPermission",
            "POST",
            f"{_ONE}/policy",
            201,
            lambda call: settings.add_permission(*_named(call), call.body),
        ),
        ("GetPolicy", "GET", f"{_ONE}/policy", 200, lambda call: settings.policy(*_named(call))),
        (
            *("RemovePermission", "DELETE", f"{_ONE}/policy/{{StatementId}}", 204),
            lambda call: settings.remove_permission(
                *_named(call), call.parameters["StatementId"], _one(call, "RevisionId")
            ),
        ),
        (
            *("GetFunctionCodeSigningConfig", "GET", "/2020-06-30/functions/{FunctionName}/code-signing-config", 200),
            lambda call: settings.code_signing(_name(call)),
        ),
        ("GetAccountSettings", "GET", "/2016-08-19/account-settings", 200, lambda _: settings.account()),
    ]


def _refusing(answer: Answer) -> Answer:
    @functools.wraps(answer)
    async def answered(call: Call) -> Any:
        try:
            return await answer(call)
        except ChangeRefused as refusal:
            raise ApiError(refusal.status, refusal.error_type, refusal.message) from None

    return answered


def _name(call: Call) -> str:
    return call.parameters["FunctionName"]


def _named(call: Call) -> tuple[str, str]:
    return _name(call), _one(call, "Qualifier")


def _one(call: Call, name: str) -> str:
    """ "" = it is not there."""
    values = call.query.get(name, ("",))
    if len(values) > 1:
        raise ApiError(400, "InvalidParameterValueException", f"{name} is given {len(values)} times")
    return values[0]

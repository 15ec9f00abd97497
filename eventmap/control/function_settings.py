"""What is set beside a function's code and configuration: concurrency, asynchronous events, permissions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from eventmap.control.kept_functions import Found, KeptFunctions
from eventmap.errors import InvalidParameterValue
from eventmap.function import LATEST
from eventmap.model import JsonObject
from eventmap.rules.function_api import changes, policy, reading, shown
from eventmap.rules.function_api.changes import Occasion
from eventmap.rules.function_api.package import UNZIPPED_LIMIT_BYTES, ZIPPED_LIMIT_BYTES
from eventmap.rules.function_api.paging import page
from eventmap.rules.function_api.recorded import RecordedFunction

ACCOUNT_CONCURRENCY: Final = 1_000
"""What AWS gives an account, and shows; here functions without a reservation have 10 each (INV-90)."""

LEAST_UNRESERVED: Final = 100
CODE_LIMIT_BYTES: Final = 80_530_636_800

Query = Mapping[str, Sequence[str]]


class FunctionSettings:
    """Raises, each operation: ChangeRefused, ConfigurationError, SourceError, StateError."""

    def __init__(self, functions: KeptFunctions) -> None:
        self._functions = functions

    async def reserve(self, text: str, body: JsonObject) -> JsonObject:
        """PutFunctionConcurrency (INV-91, 92, 93)."""
        reading.known(body, ("ReservedConcurrentExecutions", "FunctionName"))
        reserved = reading.number(body, "ReservedConcurrentExecutions", 0, 100_000)
        if reserved is None:
            reading.required(None, "ReservedConcurrentExecutions")

        def change(recorded: RecordedFunction, _: Occasion) -> RecordedFunction:
            others = sum(each.reserved or 0 for each in self._functions.all() if each.name != recorded.name)
            if ACCOUNT_CONCURRENCY - others - (reserved or 0) < LEAST_UNRESERVED:
                raise InvalidParameterValue(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of [{LEAST_UNRESERVED}]."
                )
            provisioned = sum(each["Requested"] for each in recorded.provisioned.values())
            if (reserved or 0) < provisioned:
                raise InvalidParameterValue(
                    f" ReservedConcurrentExecutions  {reserved} should not be lower than function's total provisioned "
                    f"concurrency [{provisioned}]."
                )
            return replace(recorded, reserved=reserved)

        await self._functions.change(text, change)
        return {"ReservedConcurrentExecutions": reserved}

    async def unreserve(self, text: str) -> None:
        """DeleteFunctionConcurrency."""
        await self._functions.change(text, lambda recorded, _: replace(recorded, reserved=None))

    async def reserved(self, text: str) -> JsonObject:
        """GetFunctionConcurrency."""
        reserved = self._functions.found(text).recorded.reserved
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    async def provision(self, text: str, qualifier: str, body: JsonObject) -> JsonObject:
        """PutProvisionedConcurrencyConfig (INV-93)."""
        found = await self._change(
            text,
            qualifier,
            lambda recorded, name, occasion: changes.provisioned_put(recorded, name, body, occasion),
        )
        return shown.provisioned(found.recorded.provisioned[found.qualifier])

    async def provisioned(self, text: str, qualifier: str, query: Query) -> JsonObject:
        """GetProvisionedConcurrencyConfig; with `List=ALL` ListProvisionedConcurrencyConfigs, whose path it is."""
        if "List" in query:
            found = self._functions.found(text)
            items: list[tuple[str, JsonObject]] = [
                (name, {"FunctionArn": f"{found.arn}:{name}", **shown.provisioned(config)})
                for name, config in sorted(found.recorded.provisioned.items())
            ]
            return page("ProvisionedConcurrencyConfigs", items, query)
        found = self._functions.found(text, qualifier)
        changes.check_provisionable(found.recorded, found.qualifier)
        return shown.provisioned(changes.found_provisioned(found.recorded, found.qualifier))

    async def unprovision(self, text: str, qualifier: str) -> None:
        """DeleteProvisionedConcurrencyConfig."""
        await self._change(text, qualifier, lambda recorded, name, _: changes.provisioned_deleted(recorded, name))

    async def put_event_invoke_config(self, text: str, qualifier: str, body: JsonObject, *, merged: bool) -> JsonObject:
        """PutFunctionEventInvokeConfig, and `merged` UpdateFunctionEventInvokeConfig (INV-45)."""
        found = await self._change(
            text,
            qualifier,
            lambda recorded, name, occasion: changes.event_invoke_config_put(
                recorded, name or LATEST, body, occasion, merged=merged
            ),
        )
        return shown.event_invoke_config(found.recorded, found.qualifier, found.arn)

    async def event_invoke_config(self, text: str, qualifier: str) -> JsonObject:
        """GetFunctionEventInvokeConfig."""
        found = self._functions.found(text, qualifier)
        changes.found_event_invoke_config(found.recorded, found.qualifier or LATEST, found.arn)
        return shown.event_invoke_config(found.recorded, found.qualifier, found.arn)

    async def delete_event_invoke_config(self, text: str, qualifier: str) -> None:
        """DeleteFunctionEventInvokeConfig."""
        await self._change(
            text,
            qualifier,
            lambda recorded, name, occasion: changes.event_invoke_config_deleted(
                recorded, name or LATEST, occasion.arn
            ),
        )

    async def list_event_invoke_configs(self, text: str, query: Query) -> JsonObject:
        """ListFunctionEventInvokeConfigs."""
        found = self._functions.found(text)
        items = [
            (name, shown.event_invoke_config(found.recorded, name, found.arn))
            for name in sorted(found.recorded.event_invoke_configs)
        ]
        return page("FunctionEventInvokeConfigs", items, query)

    async def add_permission(self, text: str, qualifier: str, body: JsonObject) -> JsonObject:
        """AddPermission: kept and shown. Who may call is decided by the server's access keys."""
        statement: JsonObject = {}

        def change(recorded: RecordedFunction, name: str, occasion: Occasion) -> RecordedFunction:
            nonlocal statement
            recorded, statement = policy.permission_added(recorded, name, body, occasion)
            return recorded

        await self._change(text, qualifier, change)
        return {"Statement": orjson.dumps(statement).decode()}

    async def remove_permission(self, text: str, qualifier: str, sid: str, revision_id: str) -> None:
        """RemovePermission."""
        query = {"RevisionId": revision_id}
        await self._change(
            text,
            qualifier,
            lambda recorded, name, occasion: policy.permission_removed(recorded, name, sid, query, occasion),
        )

    async def policy(self, text: str, qualifier: str) -> JsonObject:
        """GetPolicy."""
        found = self._functions.found(text, qualifier)
        return policy.shown_policy(policy.found_policy(found.recorded, found.qualifier))

    async def _change(
        self, text: str, qualifier: str, change: Callable[[RecordedFunction, str, Occasion], RecordedFunction]
    ) -> Found:
        """A change of what is set for one qualifier, "" = none was named."""
        named = self._functions.found(text, qualifier)
        found = await self._functions.change(
            named.arn, lambda recorded, occasion: change(recorded, named.qualifier, occasion)
        )
        return replace(found, qualifier=named.qualifier)

    async def code_signing(self, text: str) -> JsonObject:
        """GetFunctionCodeSigningConfig: none has one, which tools ask for all the same."""
        return {"FunctionName": self._functions.found(text).recorded.name}

    async def account(self) -> JsonObject:
        """GetAccountSettings."""
        functions = self._functions.all()
        reserved = sum(each.reserved or 0 for each in functions)
        return {
            "AccountLimit": {
                "TotalCodeSize": CODE_LIMIT_BYTES,
                "CodeSizeUnzipped": UNZIPPED_LIMIT_BYTES,
                "CodeSizeZipped": ZIPPED_LIMIT_BYTES,
                "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                "UnreservedConcurrentExecutions": max(0, ACCOUNT_CONCURRENCY - reserved),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(
                    version.code.size for each in functions for version in (each.latest, *each.versions)
                ),
                "FunctionCount": len(functions),
            },
        }

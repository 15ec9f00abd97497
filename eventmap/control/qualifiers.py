"""Versions and aliases of functions, and what is asked about functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from eventmap.control.kept_functions import Found, KeptFunctions
from eventmap.errors import InvalidParameterValue
from eventmap.function import LATEST
from eventmap.model import JsonObject
from eventmap.rules.function_api import changes, shown
from eventmap.rules.function_api.changes import Occasion
from eventmap.rules.function_api.paging import page
from eventmap.rules.function_api.recorded import RecordedFunction

Query = Mapping[str, Sequence[str]]


class Qualifiers:
    """Raises, each operation: ChangeRefused, ConfigurationError, SourceError, StateError."""

    def __init__(self, functions: KeptFunctions) -> None:
        self._functions = functions

    async def get(self, text: str, qualifier: str) -> JsonObject:
        """GetFunction; its code has a location of this machine."""
        found = self._functions.found(text, qualifier)
        recorded = found.recorded
        folder = self._functions.folder(found)
        answer: JsonObject = {
            "Configuration": self._functions.configuration(found),
            "Code": {"RepositoryType": "File", "Location": Path(folder).as_uri()},
        }
        if recorded.tags and found.qualifier in ("", LATEST):
            answer["Tags"] = dict(recorded.tags)
        if recorded.reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": recorded.reserved}
        return answer

    async def shown(self, text: str, qualifier: str) -> JsonObject:
        """GetFunctionConfiguration."""
        return self._functions.configuration(self._functions.found(text, qualifier))

    async def list_functions(self, query: Query) -> JsonObject:
        """ListFunctions; with `FunctionVersion=ALL` the published versions too."""
        every = query.get("FunctionVersion", [""])[0]
        if every not in ("", "ALL"):
            raise InvalidParameterValue(f"FunctionVersion must be ALL or left out, not {every!r}")
        if query.get("MasterRegion", ["ALL"])[0] != "ALL":
            raise InvalidParameterValue("MasterRegion is not supported here: nothing is replicated to Lambda@Edge")
        items = []
        for recorded in self._functions.all():
            found = Found(recorded, "", self._functions.arn_of_absent(recorded.name))
            if every:
                items += self._versions(found, recorded.name)
            else:
                items.append((recorded.name, self._functions.configuration(found)))
        return page("Functions", items, query)

    async def publish(self, text: str, body: JsonObject) -> JsonObject:
        """PublishVersion; what was published last, if nothing has changed since."""
        version = ""

        def change(recorded: RecordedFunction, occasion: Occasion) -> RecordedFunction:
            nonlocal version
            recorded, version = changes.version_published(recorded, body, occasion)
            return recorded

        found = await self._functions.change(text, change)
        return self._functions.configuration(found, found.recorded.found(version))

    async def list_versions(self, text: str, query: Query) -> JsonObject:
        """ListVersionsByFunction: `$LATEST` first, then the oldest."""
        return page("Versions", self._versions(self._functions.found(text), ""), query)

    async def create_alias(self, text: str, body: JsonObject) -> JsonObject:
        """CreateAlias."""
        found = await self._functions.change(
            text, lambda recorded, occasion: changes.alias_created(recorded, body, occasion)
        )
        return self._alias(found, str(body["Name"]))

    async def update_alias(self, text: str, name: str, body: JsonObject) -> JsonObject:
        """UpdateAlias."""
        found = await self._functions.change(
            text, lambda recorded, occasion: changes.alias_updated(recorded, name, body, occasion)
        )
        return self._alias(found, name)

    async def get_alias(self, text: str, name: str) -> JsonObject:
        """GetAlias."""
        return self._alias(self._functions.found(text), name)

    async def delete_alias(self, text: str, name: str) -> None:
        """DeleteAlias."""
        await self._functions.change(text, lambda recorded, _: changes.alias_deleted(recorded, name))

    async def list_aliases(self, text: str, query: Query) -> JsonObject:
        """ListAliases, of one version if `FunctionVersion` names it."""
        found, version = self._functions.found(text), query.get("FunctionVersion", [""])[0]
        aliases = sorted(found.recorded.aliases.values(), key=lambda each: each.name)
        items = [(each.name, shown.alias(each, found.arn)) for each in aliases if version in ("", each.version)]
        return page("Aliases", items, query)

    def _alias(self, found: Found, name: str) -> JsonObject:
        return shown.alias(changes.found_alias(found.recorded, name, found.arn), found.arn)

    def _versions(self, found: Found, prefix: str) -> list[tuple[str, JsonObject]]:
        """By keys that sort as they are listed."""
        versions = (found.recorded.latest, *found.recorded.versions)
        return [
            (
                f"{prefix}:{0 if each.version == LATEST else int(each.version):010}",
                self._functions.configuration(found, each),
            )
            for each in versions
        ]

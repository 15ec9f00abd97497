"""RecordedFunction: a function that was made by the API, as it is kept, changed and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from eventmap.function import LATEST, Function
from eventmap.model import JsonObject
from eventmap.rules.function_api.members import event_invoke_config_of, function_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCode:
    """Where code is; of the working folder there is neither hash nor size."""

    folder: str = ""  #: within the folder of code; "" = the folder that eventmap was started in
    sha256: str = ""  #: of the zip file, base64
    size: int = 0  #: of the zip file, bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVersion:
    """Code and configuration, `$LATEST`'s or a published one's."""

    version: str
    members: Mapping[str, Any]  #: what `members.read_members` reads, defaults filled in
    code: RecordedCode
    last_modified_s: float  #: epoch seconds
    revision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAlias:
    """A name for a version."""

    name: str
    version: str
    description: str
    revision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFunction:
    """What survives a restart. Tables are by qualifier, which is `$LATEST` where none was named."""

    name: str
    latest: RecordedVersion
    versions: tuple[RecordedVersion, ...] = ()  #: published and not deleted, oldest first
    last_version: int = 0  #: the number published last; none is given twice
    aliases: Mapping[str, RecordedAlias] = field(default_factory=dict)
    reserved: int | None = None  #: concurrency; None = none is
    event_invoke_configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """With `LastModified`, epoch seconds."""
    provisioned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Concurrency: `Requested`, and `LastModified`, an ISO text."""
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`RevisionId`, and the `Statements` in their order."""
    tags: Mapping[str, str] = field(default_factory=dict)

    def found(self, qualifier: str) -> RecordedVersion | None:
        """What an alias or version names; "" = `$LATEST`, None = there is no such."""
        if (alias := self.aliases.get(qualifier)) is not None:
            qualifier = alias.version
        if qualifier in ("", LATEST):
            return self.latest
        return next((each for each in self.versions if each.version == qualifier), None)

    def function(self, folder_of: Callable[[str], str]) -> Function:
        """As it runs. Raises: InvalidParameterValue, for values at odds."""

        def run(each: RecordedVersion, **parts: Any) -> Function:
            folder = folder_of(each.code.folder) if each.code.folder else None
            return function_of(self.name, each.version, each.members, folder, **parts)

        return run(
            self.latest,
            reserved_concurrent_executions=self.reserved,
            aliases={name: alias.version for name, alias in self.aliases.items()},
            versions={each.version: run(each) for each in self.versions},
            event_invoke_configs={
                qualifier: event_invoke_config_of(members) for qualifier, members in self.event_invoke_configs.items()
            },
        )

    @property
    def folders(self) -> frozenset[str]:
        """Those of its code."""
        return frozenset(each.code.folder for each in (self.latest, *self.versions) if each.code.folder)

    def published(self, description: str | None, now: float, revision_id: str) -> tuple[RecordedFunction, str]:
        """(with `$LATEST` as a version of its own, the version); the last one again if nothing changed since."""
        latest = self.latest
        if self.versions:
            last = self.versions[-1]
            if last.code == latest.code and _but_description(last) == _but_description(latest):
                return self, last.version
        members = dict(latest.members) if description is None else {**latest.members, "Description": description}
        version = str(self.last_version + 1)
        published = replace(latest, version=version, members=members, last_modified_s=now, revision_id=revision_id)
        return replace(self, versions=(*self.versions, published), last_version=self.last_version + 1), version

    def document(self) -> JsonObject:
        """As JSON."""
        return asdict(self)


def _but_description(version: RecordedVersion) -> Mapping[str, Any]:
    return {**version.members, "Description": ""}


def recorded_function(document: Mapping[str, Any]) -> RecordedFunction:
    """Of its document. Raises: TypeError, KeyError or ConfigurationError for another one."""
    recorded = RecordedFunction(
        **{
            **document,
            "latest": _version(document["latest"]),
            "versions": tuple(_version(each) for each in document["versions"]),
            "aliases": {name: RecordedAlias(**alias) for name, alias in document["aliases"].items()},
        }
    )
    recorded.function(str)
    return recorded


def _version(document: Mapping[str, Any]) -> RecordedVersion:
    return RecordedVersion(**{**document, "code": RecordedCode(**document["code"])})

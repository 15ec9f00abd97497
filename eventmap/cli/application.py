"""The application a command is about: one function on one stream, with the leases its workers share."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventmap.cli.failure import Misuse

if TYPE_CHECKING:
    from eventmap.delivery.stream.loop import Application
    from eventmap.lease import Lease, Snapshot
    from eventmap.service import Settings
    from eventmap.stream_mapping import EventSource, StreamMapping

_UNNAMED = "function"  # where leases are found without the function's name


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments that name an application; None = not given."""

    source: str
    function: str | None
    endpoint_url: str | None
    region: str | None
    profile: str | None
    leases: str | None
    state: str | None

    @classmethod
    def given(cls, options: dict[str, Any]) -> Asked:
        """From what typer read, of which it takes its own. Raises: Misuse."""
        from eventmap.cli.checks import check_leases

        asked = cls(**{field.name: options[field.name] for field in fields(cls)})
        asked.mapping(None)
        check_leases(asked.leases, asked.state)
        asked._check_function()
        return asked

    def mapping(self, function: str | None) -> StreamMapping:
        """The mapping as far as it names the application. Raises: Misuse."""
        from eventmap.cli.mappings import build_stream
        from eventmap.errors import ConfigurationError

        kind, name = parse_source(self.source)
        settings = {
            "event_source_arn": name,
            "function_name": function or _UNNAMED,
            "starting_position": "TRIM_HORIZON",
        }
        try:
            return build_stream(kind, settings)
        except ConfigurationError as error:
            raise Misuse(str(error)) from None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Application]:
        """To change it. Makes no state file and no table.

        Raises: ConfigurationError if no function was named and there is not just one; SourceError; StateError.
        """
        from eventmap import service
        from eventmap.errors import ConfigurationError

        settings = self._settings()
        function = await self._function(settings)
        if function is None and settings.lease_table is None:
            raise ConfigurationError(f"nothing has read {self.source} yet: say for which function with --function")
        async with service.open_application(settings, self.mapping(function)) as (_, application):
            yield application

    @asynccontextmanager
    async def opened_to_look(self) -> AsyncIterator[tuple[Application, str | None]]:
        """The application and what it is called, None if nothing has read the stream yet.

        Where the state file of this folder does not exist, that is said, and there is an application without leases.
        Raises: ConfigurationError, SourceError, StateError.
        """
        from eventmap import service
        from eventmap.errors import StateNotFound

        settings = self._settings()
        async with AsyncExitStack() as stack:
            try:
                function = await self._function(settings)
                opening = service.open_application(settings, self.mapping(function))
                _, application = await stack.enter_async_context(opening)
            except StateNotFound:
                if self.state is not None or settings.lease_table is not None:  # a name that was given is wrong
                    raise
                print(f"eventmap: nothing has run here yet: {_default_state()}", file=sys.stderr)
                function = self.function
                opening = service.open_application(replace(settings, leases="memory"), self.mapping(function))
                _, application = await stack.enter_async_context(opening)
            yield application, function or settings.lease_table

    async def _function(self, settings: Settings) -> str | None:
        """The one given, or the only one recorded; None = there is none, or the lease table needs none."""
        from eventmap import service
        from eventmap.errors import ConfigurationError

        if self.function is not None or settings.lease_table is not None:
            return self.function
        found = await service.recorded_functions(settings, self.mapping(None))
        if len(found) > 1:
            raise ConfigurationError(
                f"{len(found)} functions read {self.source}: {', '.join(found)}; say which with --function"
            )
        return found[0] if found else None

    def _check_function(self) -> None:
        from eventmap.service.streams import FUNCTION_IN_TABLE_NAME

        if self.function == "":
            raise Misuse("--function needs a name")
        if self.function is None and FUNCTION_IN_TABLE_NAME in (self.leases or ""):
            raise Misuse(f"--leases {self.leases} is a table for each function: say which with --function")

    def _settings(self) -> Settings:
        from eventmap import service
        from eventmap.aws.session import AwsSettings

        return service.Settings(
            aws=AwsSettings(self.endpoint_url, self.region, self.profile),
            leases=self.leases or "sqlite",
            state=Path(self.state) if self.state else None,
        )


def parse_source(text: str) -> tuple[EventSource, str]:
    """The kind of stream and its name or ARN, of what a user writes for SOURCE. Raises: Misuse."""
    from eventmap.errors import InvalidParameterValue
    from eventmap.mapping import check_polled

    kind, colon, name = text.partition(":")
    if kind == "arn":
        kind, name = text.split(":", 3)[2] if text.count(":") > 2 else "", text
    if kind == "kinesis":
        return "kinesis", name
    if kind == "dynamodb":
        return "dynamodb", name
    try:
        check_polled(text)
    except InvalidParameterValue as error:
        raise Misuse(str(error)) from None
    if colon:
        raise Misuse(f"{text!r} names no stream: write kinesis:NAME, dynamodb:TABLE, or an ARN of either")
    raise Misuse(f"{text!r} could be a stream or a table: write kinesis:{text} or dynamodb:{text}")


def _default_state() -> str:
    from eventmap.service.settings import STATE_PATH

    return f"there is no {STATE_PATH}; --state names another file, --leases a table"


def leases_of(application: Application, snapshot: Snapshot) -> dict[str, Lease]:
    """The application's leases by shard id.

    A table that a function's several streams share has leases of all of them, under keys that begin with their stream's
    account and name (STR-160).
    """
    from eventmap.cli.mappings import name_of_arn

    arn = application.source.arn
    of_this_stream = f"{arn.split(':')[4]}:{name_of_arn(arn)}:"
    return {
        lease.shard_id: lease
        for lease in snapshot.leases
        if lease.stream in ("", application.stream)
        and (lease.key == lease.shard_id or lease.key.startswith(of_this_stream))
    }

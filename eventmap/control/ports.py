"""What the APIs of mappings and functions ask of the service they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from eventmap.function import Function
from eventmap.mapping import EventSourceMapping
from eventmap.model import JsonObject
from eventmap.stream_mapping import StreamMapping

PolledMapping = EventSourceMapping | StreamMapping


class Pollers(Protocol):
    """The pollers of a service, each by a key of the caller's choice (a mapping's UUID)."""

    async def resolve(self, mapping: PolledMapping) -> str:
        """The ARN of its source, after every check against the source and the function that a start would make.

        Nothing is started. Raises: ConfigurationError (QueueNotFound and the like are SourceError).
        """

    async def start(self, key: str, mapping: PolledMapping) -> None:
        """Poll; returns once it does. The mapping's function is running already, `enabled` is not looked at.

        Raises: as `resolve`, and StateError; nothing is polled then.
        """

    async def stop(self, key: str) -> None:
        """Receive nothing more, let what was received end, keep checkpoints. Returns when all that is done.

        An unknown key is fine.
        """

    async def forget(self, key: str, mapping: PolledMapping) -> None:
        """`stop`, and drop what is remembered of a stream's shards: a mapping made anew begins at its position.

        Fine for one that was never started. Raises: SourceError, StateError; the checkpoints may be there still then.
        """

    def trouble(self, key: str) -> str | None:
        """What keeps it from polling now, in words; None = nothing does, or it does not poll."""

    def last_processing_result(self, key: str) -> str:
        """In AWS' words (API-62): `No records processed`, `OK`, `PROBLEM: …`; also of one that was stopped."""


class Functions(Protocol):
    """The functions of a service, by name."""

    def arn(self, name: str) -> str:
        """Unqualified. Raises: KeyError if it does not run."""

    def arn_of_absent(self, name: str) -> str:
        """The ARN a function of that name has or would have here."""

    async def start(self, function: Function) -> None:
        """Let it be invoked, by the Invoke API too. Raises: ConfigurationError, SourceError, StateError."""

    async def replace(self, function: Function) -> None:
        """New code or configuration for the function of that name: invocations under way end on the old one, later
        ones run on the new. Raises: as `start`; the old one runs on then."""

    async def stop(self, name: str) -> None:
        """Invocations under way end, and the name is free; events accepted but not ended stay owed: a function made
        anew under that name gets them. Unknown = fine."""


class NamedFunctions(Protocol):
    """What a mapping may name."""

    def arn(self, name: str) -> str:
        """Unqualified. Raises: KeyError if no function of that name runs now."""

    def arn_of_absent(self, name: str) -> str:
        """The ARN a function of that name has or would have here."""

    def runs(self, name: str, qualifier: str) -> str | None:
        """The name by which Pollers know whose code runs for a qualifier, "" = none given; None = there is no such
        function, or it has no such alias or version. `$LATEST` is one of its qualifiers."""


class ControlStore(Protocol):
    """Where the control APIs keep what they were told, by kind and key; opened and closed by the service.

    Raises: StateError; TransientSourceError if it could not be written just now. A call cut short may take effect.
    """

    async def read(self, kind: str) -> dict[str, JsonObject]:
        """The documents of one kind, such as `mapping`, by key."""

    async def write(self, changes: Mapping[tuple[str, str], JsonObject | None]) -> None:
        """By (kind, key): a document to be kept in place of the one there, None = none any more. All of them or none;
        durable when it returns."""

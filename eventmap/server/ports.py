"""What the server asks of its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eventmap.model import Event, JsonObject, Response, Stream
from eventmap.queued_event import Accept


class InvokableFunction(Protocol):
    """A function that callers of the Invoke API reach by its name."""

    @property
    def name(self) -> str: ...

    @property
    def arn(self) -> str:
        """Its own, unqualified."""

    @property
    def timeout(self) -> int:
        """Seconds one invocation may run."""

    @property
    def aliases(self) -> Sequence[str]:
        """Further qualifiers it is called by, versions among them (INV-15)."""

    def executed_version(self, qualifier: str) -> str:
        """The version that runs for an alias or version of it, or for "" (INV-10)."""

    @property
    def accept(self) -> Accept:
        """Takes an asynchronous event (INV-13, 40)."""

    async def invoke(
        self,
        event: Event,
        *,
        request_id: str,
        invoked_arn: str,
        client_context: JsonObject | None,
        trace_id: str,
        wants_log: bool,
        stream: Stream | None = None,
    ) -> tuple[Response, bytes | None]:
        """Run it once, now, or answer Refused; the bytes are the end of its log, None if `wants_log` is False.

        `stream` takes what it yields as it comes, if it does; a response after that says only how it ended.
        Never raises: what goes wrong inside is a response.
        """


class Receiver(Protocol):
    """What stands behind the path of a receiver, `/sns/NAME` say."""

    @property
    def body_limit_bytes(self) -> int:
        """The largest request it takes."""

    @property
    def is_self_proving(self) -> bool:
        """Whether it judges by itself who a request is from; otherwise callers must sign as those of the API do."""

    async def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Take one request; header names are in lower case. Returns the status and one line of text for the sender.

        Never raises: what goes wrong inside is a status.
        """


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call of an API of AWS', read whole and from somebody who may call."""

    method: str
    path: str  #: percent-encoded, as it came
    query: str
    headers: Mapping[str, str]  #: names in lower case
    body: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """`body` b"" = none; `headers` besides those of every answer, the content type among them."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ((b"content-type", b"application/json"),)


class Api(Protocol):
    """An API of AWS' beside Invoke: of mappings and functions, of event buses."""

    @property
    def signing_name(self) -> Literal["lambda", "events"]:
        """The service that callers sign for."""

    @property
    def body_limit_bytes(self) -> int:
        """The largest request it takes."""

    def takes(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Whether a request is one of its own, known operation or not; asked before the body is read."""

    async def serve(self, request: ApiRequest) -> ApiAnswer:
        """Answer it. Never raises: what goes wrong inside is an answer."""

"""What the server asks of its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from eventmap.model import Event, JsonObject, Response
from eventmap.queued_event import Accept


class InvokableFunction(Protocol):
    """A function that callers of the Invoke API reach by its name."""

    @property
    def name(self) -> str: ...

    @property
    def arn(self) -> str:
        """Its own, unqualified."""

    @property
    def aliases(self) -> Sequence[str]:
        """Further qualifiers it is called by (INV-15)."""

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
    ) -> tuple[Response, bytes | None]:
        """Run it once, now, or answer Refused; the bytes are the end of its log, None if `wants_log` is False.

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

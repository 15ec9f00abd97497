"""QueueIntake: what a mapping of a queue of eventmap's own runs: messages in, pushes accepted, nothing invoked here."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import anyio
import orjson

from eventmap import telemetry
from eventmap.errors import SourceError, StateError
from eventmap.model import Event, JsonObject, Response, Returned
from eventmap.pointers import PointerResolver
from eventmap.queued_event import Accept

Translate = Callable[[str, JsonObject], tuple[bytes, ...] | None]
"""(body, the record it is of) → the Lambda events in it, each as JSON text; None or () = nothing is to be run.

Raises: ValueError if it is not understood; its text says why, and holds nothing of the body.
"""

Identify = Callable[[str, JsonObject], str]
"""What a push is known by, the same however often it comes; asked only about what `Translate` has understood."""

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:eventmap:pushes")


def request_id(*identity: str) -> str:
    """The request id of a push that may come again: the same for the same identity, however long ago that was."""
    return str(uuid.uuid5(NAMESPACE, "\n".join(identity)))


def message_identity(_body: str, record: JsonObject) -> str:
    """A message of a queue, known by the id that the queue gave it."""
    return f"{record['eventSourceARN']}\n{record['messageId']}"


@dataclass(slots=True)
class IntakeStatistics:
    """Counters of one queue of eventmap's own."""

    accepted: int = 0  #: events that are now owed
    repeated: int = 0  #: events accepted before
    skipped: int = 0  #: messages in which nothing was to be run
    refused: int = 0  #: messages that were not understood, every redelivery counted
    failed: int = 0  #: messages that could not be accepted this time


class QueueIntake:
    """The `Invoke` of a mapping with ReportBatchItemFailures: reports the messages that are to come back.

    One that can never be understood is among them: the queue's redrive ends its returns and keeps it for people to see.
    """

    def __init__(
        self,
        function_name: str,
        translate: Translate,
        accept: Accept,
        *,
        identify: Identify = message_identity,
        pointers: PointerResolver | None = None,
    ) -> None:
        """`pointers` None = those that messages carry are passed on as they are."""
        self.statistics: IntakeStatistics = IntakeStatistics()
        self._function_name = function_name
        self._translate = translate
        self._accept = accept
        self._identify = identify
        self._pointers = pointers
        self._log = telemetry.logger("eventmap.receivers").bind(function=function_name)

    async def __call__(self, event: Event) -> Response:
        """Returns once each message's events are durable, or are known not to be."""
        document: Any = event.document
        failed: list[str] = []

        async def take(record: JsonObject) -> None:
            if not await self._is_done(record):
                failed.append(str(record["messageId"]))

        async with anyio.create_task_group() as tasks:  # at once, so that they share one write to the disk
            for record in document["Records"]:
                tasks.start_soon(take, record)
        return Returned(orjson.dumps({"batchItemFailures": [{"itemIdentifier": each} for each in failed]}))

    async def _is_done(self, record: JsonObject) -> bool:
        body = str(record["body"])
        if self._pointers is not None:
            try:
                body = await self._pointers.resolved(body)
            except SourceError as error:
                self.statistics.failed += 1
                self._tell(telemetry.PUSH_FAILED, record, str(error))
                return False
        try:
            payloads = self._translate(body, record)
        except ValueError as error:
            self.statistics.refused += 1
            self._tell(telemetry.PUSH_REFUSED, record, str(error))
            return False
        if not payloads:
            self.statistics.skipped += 1
            return True
        identity = self._identify(body, record)
        try:
            for index, payload in enumerate(payloads):
                await self._take(payload, request_id(identity, self._function_name, str(index)), record)
        except (StateError, SourceError) as error:
            self.statistics.failed += 1
            self._tell(telemetry.PUSH_FAILED, record, str(error))
            return False
        return True

    async def _take(self, payload: bytes, push_id: str, record: JsonObject) -> None:
        attributes = record.get("attributes")
        trace_id = attributes.get("AWSTraceHeader", "") if isinstance(attributes, dict) else ""
        if await self._accept(payload, request_id=push_id, trace_id=str(trace_id)):
            self.statistics.accepted += 1
        else:
            self.statistics.repeated += 1

    def _tell(self, event: str, record: JsonObject, reason: str) -> None:
        self._log.warning(event, queue=record["eventSourceARN"], message_id=record["messageId"], reason=reason)

"""Ends: who is told how an asynchronous event ended: OnSuccess, OnFailure, the dead-letter queue (INV-55..66)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import anyio
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from eventmap import telemetry
from eventmap.clock import utc_now
from eventmap.errors import EventmapError, StateError, TransientSourceError
from eventmap.function import Function
from eventmap.queued_event import Accept, EventEnd, QueuedEvent
from eventmap.rules.parcel import Parcel, dead_letter_parcel, record_parcel

SEND_ATTEMPTS = 6
SEND_WAIT_LIMIT_S = 5.0
SEND_DEADLINE_S = 30.0  # an event is owed, and its slot taken, until its end is told

Role = Literal["OnSuccess", "OnFailure", "DeadLetterConfig"]


class Target(Protocol):
    """A queue, topic, bucket, event bus or function, as `eventmap.aws.targets` opens them."""

    async def send(self, parcel: Parcel) -> None:
        """Raises: EventmapError; TransientSourceError or StateError if it may be tried again."""


class FunctionHere:
    """A function of this process as a target: the record becomes an event of its own (INV-57).

    Sent again after a crash, it is known by its request id and not taken twice.
    """

    def __init__(self, accept: Accept, *, qualifier: str = "") -> None:
        """`qualifier` is the alias in the destination's ARN; "" = none."""
        self._accept = accept
        self._qualifier = qualifier

    async def send(self, parcel: Parcel) -> None:
        """Raises: StateError, TransientSourceError, SourceError."""
        await self._accept(
            parcel.body, request_id=parcel.request_id, qualifier=self._qualifier, trace_id=parcel.trace_id
        )


@dataclass(slots=True)
class EndStatistics:
    """Counters of one function; they only grow."""

    delivered: int = 0  #: records and dead letters that were taken
    destination_delivery_failures: int = 0  #: records that no destination took (INV-51)
    dead_letter_errors: int = 0  #: events that the dead-letter queue did not take (INV-51, INV-66)


@dataclass(frozen=True, slots=True)
class _Destination:
    role: Role
    arn: str
    target: Target


class Ends:
    """Where one function's events end; an `EndDestinations`."""

    def __init__(self, function: Function, function_arn: str, targets: Mapping[str, Target]) -> None:
        """`function_arn` is unqualified; `targets` has every ARN that the function names."""
        self._function = function
        self._targets = {arn: targets[arn] for arn in function.target_arns}
        self._function_arn = function_arn
        self._log = telemetry.logger("eventmap.delivery").bind(function=function.function_name)
        self.statistics: EndStatistics = EndStatistics()

    async def deliver(self, event: QueuedEvent, end: EventEnd) -> Sequence[str]:
        """Tell all that are to be told, at once, each for up to half a minute; a failure may be told twice (INV-64).

        Returns what could not be told, in words; the event has ended all the same (INV-66). Never raises.
        """
        undelivered: list[str] = []
        async with anyio.create_task_group() as tasks:
            for destination in self._destinations(event.qualifier):
                if (destination.role == "OnSuccess") == (end.condition == "Success"):
                    tasks.start_soon(self._tell, destination, event, end, undelivered)
        return undelivered

    def _destinations(self, qualifier: str) -> list[_Destination]:
        """Records go by the qualifier, dead letters by the version whose code ran (INV-67)."""
        function = self._function
        config = function.event_invoke_config(qualifier)
        named: tuple[tuple[Role, str | None], ...] = (
            ("OnSuccess", config.on_success),
            ("OnFailure", config.on_failure),
            ("DeadLetterConfig", (function.runs(qualifier) or function).dead_letter_arn),
        )
        return [_Destination(role, arn, self._targets[arn]) for role, arn in named if arn is not None]

    async def _tell(self, destination: _Destination, event: QueuedEvent, end: EventEnd, undelivered: list[str]) -> None:
        try:
            with anyio.fail_after(SEND_DEADLINE_S):
                await self._send(destination, event, end)
        except TimeoutError:
            self._failed(destination, event, f"nothing within {SEND_DEADLINE_S:.0f} s", undelivered)
        except EventmapError as error:
            self._failed(destination, event, str(error), undelivered)
        except Exception as error:  # the event has ended: whatever is wrong here, it must not run once more for it
            self._failed(destination, event, repr(error), undelivered, exc_info=error)
        else:
            self.statistics.delivered += 1

    async def _send(self, destination: _Destination, event: QueuedEvent, end: EventEnd) -> None:
        """Made once and then sent until it is taken, so that no attempt makes a second object or event."""
        if destination.role == "DeadLetterConfig":
            parcel = dead_letter_parcel(event, end)
        else:
            parcel = record_parcel(destination.arn, event, end, self._function_arn, utc_now())
        async for attempt in _patiently():
            with attempt:
                await destination.target.send(parcel)

    def _failed(
        self,
        destination: _Destination,
        event: QueuedEvent,
        why: str,
        undelivered: list[str],
        *,
        exc_info: Exception | None = None,
    ) -> None:
        if destination.role == "DeadLetterConfig":
            self.statistics.dead_letter_errors += 1
        else:
            self.statistics.destination_delivery_failures += 1
        self._log.error(
            telemetry.DESTINATION_FAILED,
            destination=destination.arn,
            role=destination.role,
            request_id=event.request_id,
            error=why,
            exc_info=exc_info,
        )
        undelivered.append(f"{destination.role} {destination.arn}: {why}")


def _patiently() -> AsyncRetrying:
    """Some fifteen seconds of waiting in all: a destination that is throttled or restarted is told."""
    return AsyncRetrying(
        retry=retry_if_exception_type((TransientSourceError, StateError)),
        wait=wait_exponential(multiplier=0.5, max=SEND_WAIT_LIMIT_S),
        stop=stop_after_attempt(SEND_ATTEMPTS),
        sleep=anyio.sleep,
        reraise=True,
    )

"""S3 as a receiver: notifications over HTTP or from our own queue in, accepted `aws:s3` events out (SRC-20..32)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.errors import SourceError, StateError
from eventmap.model import JsonObject
from eventmap.queued_event import Accept
from eventmap.receivers.queue_intake import request_id
from eventmap.rules.s3_event import events_of, identity, lambda_event, matches
from eventmap.subscription import S3Notification

BODY_LIMIT_BYTES: Final = 262_144  # a notification has one record, of a kilobyte or two
_LOGGED_EVERY_S: Final = 60.0  # what anybody can send again and again is not told again and again


def translate(notification: S3Notification, body: str, _record: JsonObject) -> tuple[bytes, ...]:
    """The Lambda events in a message of our own queue; () for S3's test event, and for what is filtered.

    With its notification, a `Translate`. Raises: ValueError for what is no notification.
    """
    return tuple(lambda_event([each]) for each in events_of(body) if matches(each, notification))


def identity_of(notification: S3Notification, body: str, _record: JsonObject) -> str:
    """With its notification, the `Identify` of such a queue: all the changes that a message tells of there.

    One change alone, which is all that S3 ever sends at once, has the same name over HTTP. Several are told apart by
    their place behind a common name, which must not be that of what another queue finds in the same message.
    """
    return "\n".join(identity(each) for each in events_of(body) if matches(each, notification))


@dataclass(slots=True)
class S3Statistics:
    """Live counters of one endpoint."""

    accepted: int = 0  #: events that are now owed
    repeated: int = 0  #: events accepted before
    filtered: int = 0  #: records that no notification of the function's is about
    failed: int = 0  #: requests answered 503
    refused: int = 0  #: requests answered 400


class S3Receiver:
    """The endpoint of one function, for notifications that are posted as they are: `/s3/NAME`.

    S3 itself never calls one; object stores that do, and whoever forwards S3's events, sign nothing: the server asks
    callers for a signature if it has access keys.
    """

    body_limit_bytes: int = BODY_LIMIT_BYTES
    is_self_proving: bool = False

    def __init__(self, function_name: str, notifications: Sequence[S3Notification], accept: Accept) -> None:
        self.statistics: S3Statistics = S3Statistics()
        self._function_name = function_name
        self._notifications = tuple(notifications)
        self._accept = accept
        self._logged_at: float | None = None  # a refusal, the last one told of
        self._log = telemetry.logger("eventmap.receivers").bind(function=function_name)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """One request; returns the status and a line for the sender. 503 = nothing, or not all of it, was accepted."""
        try:
            records = events_of(body)
            told = [each for each in records if any(matches(each, mine) for mine in self._notifications)]
            # All are written before the first is accepted: a request is refused whole. Ids are as `QueueIntake` makes
            # them, so that a change that is told of both ways runs once.
            pushes = [(request_id(identity(each), self._function_name, "0"), lambda_event([each])) for each in told]
        except ValueError as error:
            self._refuse(str(error))
            return 400, str(error)
        self.statistics.filtered += len(records) - len(told)
        try:
            for push_id, payload in pushes:
                await self._take(push_id, payload)
        except (StateError, SourceError) as error:
            self.statistics.failed += 1
            self._log.warning(telemetry.PUSH_FAILED, reason=str(error))
            return 503, "not accepted this time: try again"
        return 200, "accepted"

    async def _take(self, push_id: str, payload: bytes) -> None:
        if await self._accept(payload, request_id=push_id):
            self.statistics.accepted += 1
        else:
            self.statistics.repeated += 1

    def _refuse(self, reason: str) -> None:
        self.statistics.refused += 1
        now = elapsed_s()
        if self._logged_at is None or now >= self._logged_at + _LOGGED_EVERY_S:
            self._logged_at = now
            self._log.warning(telemetry.PUSH_REFUSED, reason=reason, so_far=self.statistics.refused)

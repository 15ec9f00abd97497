"""Delivery: an event owed to one target, and what follows from each attempt (SRC-45, 46)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from eventmap.errors import (
    AccessRefused,
    ConfigurationError,
    QueueNotFound,
    SourceError,
    StateError,
    TopicNotFound,
    TransientSourceError,
)
from eventmap.rules.bus.event import BusEvent
from eventmap.rules.bus.target import BusTarget
from eventmap.rules.bus.template import InvalidOutput

LONGEST_BACKOFF_S: Final = 600.0
DEAD_LETTER_PATIENCE_S: Final = 86_400.0
"""How long a dead-letter queue that cannot be reached is tried, from the moment the target was given up."""

MESSAGE_LIMIT: Final = 1_024
"""Characters of ERROR_MESSAGE."""

Exhausted = Literal["MaximumRetryAttempts", "MaximumEventAgeInSeconds"]

_DOUBLINGS: Final = 10
_NAMESPACE: Final = uuid.UUID("5b0e4e1c-3f5e-4a51-9c0e-9d7d1a5be3c4")
_NOT_ALLOWED: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MISSING: Final = frozenset({"ResourceNotFoundException", "NotFound", "NotFoundException", "NoSuchBucket", "NoSuchKey"})
_THROTTLED: Final = ("Throttl", "TooManyRequests", "SlowDown", "LimitExceeded")


HOP_LIMIT: Final = 5
"""Buses that an event may pass from one to the next; a loop of them ends there."""


@dataclass(frozen=True, slots=True)
class AttemptError:
    """Why an attempt failed, in the words of EventBridge's dead letters."""

    code: str
    message: str
    may_be_retried: bool


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The end of a delivery that was not made."""

    at: float  #: epoch seconds
    exhausted: Exhausted | None  #: None = it was of no use to try again
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """As it stands between two attempts; never changed in place."""

    delivery_id: str  #: the same after a crash; a function of this process knows it as the request id
    event: BusEvent
    target: BusTarget
    rule_arn: str
    due_at: float  #: epoch seconds: no attempt begins before
    attempts: int = 0  #: made so far
    error: AttemptError | None = None  #: of the last one
    given_up: GivenUp | None = None  #: only its dead letter is owed now; None = the target is
    dead_letter_attempts: int = 0

    @property
    def addressee(self) -> str:
        """The ARN to which the next attempt is made: the target, or, once that is given up, its dead-letter queue."""
        if self.given_up is not None and self.target.dead_letter_arn is not None:
            return self.target.dead_letter_arn
        return self.target.arn


def new_delivery(event: BusEvent, rule_arn: str, target: BusTarget) -> Delivery:
    """Due at once. The same event, rule and target make the same id; a replay of it, or a loop of buses, another."""
    key = "\0".join((event.event_id, event.replay_name or "", str(event.hops), rule_arn, target.target_id))
    return Delivery(
        delivery_id=str(uuid.uuid5(_NAMESPACE, key)),
        event=event,
        target=target,
        rule_arn=rule_arn,
        due_at=event.ingested_at,
    )


def before_attempt(delivery: Delivery, now: float) -> GivenUp | None:
    """Whether the event has become too old to be tried once more."""
    if now < _deadline(delivery):
        return None
    error = delivery.error or AttemptError("TIMEOUT", "the event became too old before it could be delivered", False)
    return GivenUp(now, "MaximumEventAgeInSeconds", error.code, error.message)


def after_failure(delivery: Delivery, error: AttemptError, now: float, dice: float) -> Delivery:
    """What is owed after an attempt that failed at `now`; `dice` is drawn evenly from 0..1."""
    failed = replace(delivery, attempts=delivery.attempts + 1, error=error)
    if not error.may_be_retried:
        return replace(failed, given_up=GivenUp(now, None, error.code, error.message))
    if delivery.attempts >= delivery.target.retry_attempts:
        return replace(failed, given_up=GivenUp(now, "MaximumRetryAttempts", error.code, error.message))
    due_at = now + backoff_s(delivery.attempts, dice)
    if due_at >= _deadline(delivery):
        return replace(failed, given_up=GivenUp(now, "MaximumEventAgeInSeconds", error.code, error.message))
    return replace(failed, due_at=due_at)


def after_lost_dead_letter(delivery: Delivery, error: AttemptError, now: float, dice: float) -> Delivery | None:
    """When a dead letter that was not taken is sent again; None = never, and the event is lost."""
    assert delivery.given_up is not None
    due_at = now + backoff_s(delivery.dead_letter_attempts, dice)
    if not error.may_be_retried or due_at >= delivery.given_up.at + DEAD_LETTER_PATIENCE_S:
        return None
    return replace(delivery, dead_letter_attempts=delivery.dead_letter_attempts + 1, due_at=due_at)


def dead_letter_attributes(delivery: Delivery) -> Mapping[str, tuple[str, str]]:
    """Of a message whose body is the event: by name, its data type and text (SRC-46)."""
    end = delivery.given_up
    assert end is not None
    texts = {
        "RULE_ARN": delivery.rule_arn,
        "TARGET_ARN": delivery.target.arn,
        "ERROR_CODE": end.code,
        "ERROR_MESSAGE": _NOT_ALLOWED.sub("\ufffd", end.message)[:MESSAGE_LIMIT] or end.code,
        "EXHAUSTED_RETRY_CONDITION": end.exhausted or "",
        "RETRY_ATTEMPTS": str(max(0, delivery.attempts - 1)),
    }
    return {name: ("String", text) for name, text in texts.items() if text}


def attempt_error(error: Exception) -> AttemptError:
    """An exception of an attempt in EventBridge's words. What is missing or forbidden is not tried again (SRC-45)."""
    message = str(error) or type(error).__name__
    match error:
        case InvalidOutput():
            return AttemptError("INVALID_JSON", message, False)
        case TimeoutError():
            return AttemptError("TIMEOUT", message, True)
        case TransientSourceError(code=code) if code.startswith(_THROTTLED):
            return AttemptError("THROTTLING", message, True)
        case TransientSourceError(code=code):
            return AttemptError("ERROR_FROM_TARGET" if code else "CONNECTION_FAILURE", message, True)
        case StateError():
            return AttemptError("INTERNAL_ERROR", message, True)
        case AccessRefused():
            return AttemptError("NO_PERMISSIONS", message, False)
        case QueueNotFound() | TopicNotFound():
            return AttemptError("NO_RESOURCE", message, False)
        case SourceError(code=code) if code in _MISSING or code.endswith(("NonExistentQueue", "QueueDoesNotExist")):
            return AttemptError("NO_RESOURCE", message, False)
        case SourceError():
            return AttemptError("ERROR_FROM_TARGET", message, False)
        case ConfigurationError():
            return AttemptError("INVALID_PARAMETER", message, False)
        case _:
            return AttemptError("INTERNAL_ERROR", message, True)


def backoff_s(failures: int, dice: float) -> float:
    """1 s doubling to 10 minutes, of which up to a half is left out at random."""
    top = min(LONGEST_BACKOFF_S, 2.0 ** min(failures, _DOUBLINGS))
    return top * (1 - dice / 2)


def _deadline(delivery: Delivery) -> float:
    return delivery.event.ingested_at + delivery.target.event_age_s

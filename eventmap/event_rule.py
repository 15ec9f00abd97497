"""EventRule: what `@app.event` declares: a pattern, and the function that matching events invoke."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from eventmap.errors import BusRefusal, InvalidParameterValue
from eventmap.function import check_range
from eventmap.rules.bus.region import DEFAULT_BUS
from eventmap.rules.bus.requests import TARGET
from eventmap.rules.bus.shapes import check
from eventmap.rules.bus.sources import NOTIFICATIONS
from eventmap.rules.bus.target import DEFAULT_EVENT_AGE_S, DEFAULT_RETRY_ATTEMPTS, BusTarget, read_target
from eventmap.rules.pattern import EventPattern
from eventmap.subscription import S3Notification

_NAME: Final = re.compile(r"[\.\-_A-Za-z0-9]{1,64}", re.ASCII)
_BUS_NAME: Final = re.compile(r"[\.\-_A-Za-z0-9]{1,256}", re.ASCII)
_HASH_LENGTH: Final = 8
_ANY_FUNCTION: Final = "arn:aws:lambda:us-east-1:000000000000:function:any"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRule:
    """A rule of an event bus with one target, a function. AWS' names. Raises: InvalidParameterValue, InvalidPattern."""

    event_pattern: Mapping[str, Any] | str
    """Which events: as an object, or as JSON text (SRC-43)."""

    function_name: str

    name: str | None = None
    """Of the rule; None = made of the function's name and the pattern, and the same every time."""

    event_bus_name: str = DEFAULT_BUS
    """The bus; one that is not there is made."""

    buckets: Sequence[str] = ()
    """Our own setting: buckets, by name or ARN, whose changes are put on the bus as S3's events (SRC-31).

    They are for every rule of the bus, and are put there while this one is disabled, too.
    """

    input: Any = None
    """What the function gets in place of the event: any JSON value, text being JSON text (SRC-44); None = the event."""

    input_path: str | None = None
    """The part of the event that the function gets, such as `$.detail`; None = all of it."""

    input_transformer: Mapping[str, Any] | None = None
    """`{"InputPathsMap": {name: path}, "InputTemplate": text}`; None = the event as it is."""

    maximum_retry_attempts: int = DEFAULT_RETRY_ATTEMPTS
    """How often an event that could not be handed to the function is tried again, 0..185 (SRC-45).

    A function that fails is Lambda's business: it has retries of its own.
    """

    maximum_event_age_in_seconds: int = DEFAULT_EVENT_AGE_S
    """How long that is tried, 60..86,400."""

    dead_letter_arn: str | None = None
    """A standard queue for events that could not be handed over (SRC-46); None = they are dropped, and logged."""

    enabled: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.function_name, str) or not self.function_name:
            raise InvalidParameterValue(f"functionName must name a function, not {self.function_name!r}")
        if not isinstance(self.event_pattern, str | Mapping):
            raise InvalidParameterValue(f"eventPattern must be an object or JSON text, not {self.event_pattern!r}")
        EventPattern(self.pattern_text)
        _check_name("name", self.rule_name, _NAME, 64)
        _check_name("eventBusName", self.event_bus_name, _BUS_NAME, 256)
        check_range("maximumRetryAttempts", self.maximum_retry_attempts, 0, DEFAULT_RETRY_ATTEMPTS)
        check_range("maximumEventAgeInSeconds", self.maximum_event_age_in_seconds, 60, DEFAULT_EVENT_AGE_S)
        if not isinstance(self.enabled, bool):
            raise InvalidParameterValue(f"enabled must be true or false, not {self.enabled!r}")
        if not isinstance(self.buckets, list | tuple):
            raise InvalidParameterValue(f'buckets must be a list such as ["photos"], not {self.buckets!r}')
        _notifications(self.function_name, self.buckets)
        self.target(_ANY_FUNCTION)

    @property
    def rule_name(self) -> str:
        if self.name is not None:
            return self.name
        digest = hashlib.sha256(f"{self.event_bus_name}\n{self.pattern_text}".encode()).hexdigest()[:_HASH_LENGTH]
        return f"{self.function_name[: 64 - 1 - _HASH_LENGTH]}-{digest}"

    @property
    def pattern_text(self) -> str:
        """The pattern as JSON text."""
        pattern = self.event_pattern
        return pattern if isinstance(pattern, str) else _json_text("eventPattern", pattern)

    def target(self, function_arn: str) -> BusTarget:
        """The rule's one target. Raises: InvalidParameterValue."""
        given: dict[str, Any] = {
            "Id": "function",
            "Arn": function_arn,
            "Input": self._input_text(),
            "InputPath": self.input_path,
            "InputTransformer": _plain(self.input_transformer),
            "DeadLetterConfig": {"Arn": self.dead_letter_arn},
            "RetryPolicy": {
                "MaximumRetryAttempts": self.maximum_retry_attempts,
                "MaximumEventAgeInSeconds": self.maximum_event_age_in_seconds,
            },
        }
        try:
            check(TARGET, given)
            return read_target(given)
        except BusRefusal as error:
            raise InvalidParameterValue(f"rule {self.rule_name!r}: {error}") from None

    @property
    def notifications(self) -> tuple[S3Notification, ...]:
        """What each of the buckets is to tell."""
        return _notifications(self.function_name, self.buckets)

    def _input_text(self) -> str | None:
        return self.input if self.input is None or isinstance(self.input, str) else _json_text("input", self.input)


def event_rule_of(settings: Mapping[str, Any]) -> EventRule:
    """Build a rule from named settings, as a decorator or a configuration file has them.

    Raises: InvalidParameterValue for a setting that is unknown, saying which; and as `EventRule`.
    """
    known = {field.name for field in fields(EventRule)}
    for name in settings:
        if name not in known:
            raise InvalidParameterValue(f"{name} is not a setting of a rule; known are {', '.join(sorted(known))}")
    return EventRule(**settings)


def _notifications(function_name: str, buckets: Sequence[str]) -> tuple[S3Notification, ...]:
    """Raises: InvalidParameterValue for what names no bucket."""
    return tuple(S3Notification(bucket=bucket, function_name=function_name, events=NOTIFICATIONS) for bucket in buckets)


def _json_text(field: str, value: object) -> str:
    try:
        return json.dumps(_plain(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidParameterValue(f"{field} must be what JSON can say: {error}") from None


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _check_name(field: str, value: object, pattern: re.Pattern[str], limit: int) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidParameterValue(
            f"{field} must be 1 to {limit} letters, digits, dots, hyphens and underscores, not {value!r}"
        )

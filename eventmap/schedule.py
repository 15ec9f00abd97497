"""Schedule: times at which a function is invoked; EventBridge's rules and Scheduler in one (SRC-50..84)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, get_args

import orjson

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonValue
from eventmap.rules.schedule.event import Origin, Run, scheduled_event, with_context
from eventmap.rules.schedule.expression import At, Rate, parse_expression
from eventmap.rules.schedule.misfire import Misfire
from eventmap.rules.schedule.timetable import Timetable, check_possible, zone_of

INPUT_LIMIT_BYTES: Final = 262_144
LONGEST_WINDOW_MINUTES: Final = 1440

NOT_HONOURED: Final = {
    "description": "nothing here shows it",
    "group_name": "there are no groups: the name of a schedule is its own",
    "action_after_completion": "a schedule lives in the program that declares it; one that is over costs nothing",
    "state": "write it as enabled (AWS: ENABLED, DISABLED)",
    "target": "the function is the target; its payload is written as input",
    "retry_policy": "an accepted run is the function's: maximum_retry_attempts and maximum_event_age_in_seconds of it",
    "dead_letter_config": "an accepted run is the function's: give it a dead_letter_config or an OnFailure destination",
    "kms_key_arn": "nothing is encrypted here",
}
"""AWS' fields that a schedule may have there and not here: refused, never ignored (SRC-82, 84)."""

_NAME: Final = re.compile(r"[0-9a-zA-Z\-_.]{1,64}")
_FUNCTION_PART: Final = 51  # of a name made up: the rest is for the hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Times at which a function is invoked, asynchronously. AWS' names and units; every field is honoured.

    `rate()` and `cron()` in UTC are a rule's, and so is their event; with a time zone, a start, an end, a flexible
    window or an input, and with `at()`, it is a schedule of EventBridge Scheduler.
    Raises: InvalidParameterValue (InvalidSchedule for the expression). Rules: SRC-50..69, 78..83.
    """

    schedule_expression: str
    """`rate(5 minutes)`, `cron(0 2 * * ? *)` or `at(2026-01-05T10:00:00)`."""

    function_name: str

    name: str | None = None
    """1..64 of letters, digits, `-`, `_` and `.`, another for each schedule; None = one made of function and times."""

    schedule_expression_timezone: str = "UTC"
    """An IANA name. A local time that the clocks skip is not run, one that they show twice is run once (SRC-80)."""

    start_date: datetime | str | None = None
    """No run before, and the first of a rate; text is ISO 8601, in UTC where it has no offset. None = at once."""

    end_date: datetime | str | None = None
    """No run after. `at()` has neither a start nor an end."""

    flexible_time_window: Mapping[str, Any] | None = None
    """`{"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1..1440}`: a run begins at some moment of its window; None, or
    `{"Mode": "OFF"}`: at its time (SRC-81)."""

    input: JsonValue = None
    """The event the function gets, any JSON value: text is text, not JSON. The context attributes in it, such as
    `<aws.scheduler.scheduled-time>`, are replaced (SRC-83). None = the scheduled event."""

    enabled: bool = True
    """False = declared, never due; what falls into that time is not made up for."""

    misfire: Misfire = "once"
    """Our own setting: what becomes of runs that were missed while nothing ran here, by more than a minute: `once` =
    one makes up for all, `all` = each is made up for, the latest 1,440 of them, `skip` = they are left out."""

    timetable: Timetable = field(init=False, repr=False, compare=False)
    """When it is due."""

    def __post_init__(self) -> None:
        if not isinstance(self.function_name, str) or not self.function_name:
            raise InvalidParameterValue(f"functionName must name a function, not {self.function_name!r}")
        if self.name is not None and not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise InvalidParameterValue(f"name must be 1 to 64 of 0-9 a-z A-Z - _ and ., not {self.name!r} (SRC-82)")
        if not isinstance(self.enabled, bool):
            raise InvalidParameterValue(f"enabled must be true or false, not {self.enabled!r}")
        if self.misfire not in get_args(Misfire):
            raise InvalidParameterValue(f"misfire may be {', '.join(get_args(Misfire))}, not {self.misfire!r}")
        _check_input(self.input)
        timetable = Timetable(
            parse_expression(self.schedule_expression),
            zone_of(self.schedule_expression_timezone),
            _instant("startDate", self.start_date),
            _instant("endDate", self.end_date),
            _window_s(self.flexible_time_window),
        )
        if timetable.start is not None and timetable.end is not None and timetable.start >= timetable.end:
            raise InvalidParameterValue("The StartDate you specify must come before the EndDate.")
        check_possible(timetable)
        object.__setattr__(self, "timetable", timetable)

    @property
    def schedule_name(self) -> str:
        """The given one, or a stable one."""
        return self.name or f"{self.function_name[:_FUNCTION_PART]}-{self._fingerprint}"

    @property
    def key(self) -> str:
        """What its position is known by: its name, and another one as soon as its function or its times are others."""
        return f"{self.schedule_name}/{self._fingerprint}"

    @property
    def of_scheduler(self) -> bool:
        """Whether it uses what only EventBridge Scheduler has."""
        timetable = self.timetable
        return (
            isinstance(timetable.expression, At)
            or timetable.zone is not UTC
            or (timetable.start, timetable.end, timetable.window_s, self.input) != (None, None, 0, None)
        )

    def payload(self, run: Run, *, region: str, account_id: str) -> bytes:
        """The event of that run, as JSON text (SRC-78, 83)."""
        origin = Origin(self.schedule_name, region, account_id, self.of_scheduler)
        if self.input is None:
            return scheduled_event(run, origin)
        return with_context(orjson.dumps(self.input), run, origin)

    @property
    def _fingerprint(self) -> str:
        timetable = self.timetable
        # The start of a rate is where it counts from; any other start only leaves times out.
        start = timetable.start if isinstance(timetable.expression, Rate) else None
        times = (self.function_name, self.schedule_expression, self.schedule_expression_timezone, str(start))
        return hashlib.sha256("\0".join(times).encode()).hexdigest()[:12]


def schedule_of(settings: Mapping[str, Any]) -> Schedule:
    """Build a schedule from named settings, as a decorator or a configuration file has them.

    Raises: InvalidParameterValue for a setting that is unknown or not honoured, saying which and why.
    """
    known = {each.name for each in fields(Schedule) if each.init}
    for name in settings:
        if reason := NOT_HONOURED.get(name):
            raise InvalidParameterValue(f"{name} is not honoured, so it is refused: {reason}")
        if name not in known:
            raise InvalidParameterValue(f"{name} is not a setting of a schedule; known are {', '.join(sorted(known))}")
    return Schedule(**settings)


def _check_input(value: object) -> None:
    if value is None:
        return
    try:
        size = len(orjson.dumps(value))
    except orjson.JSONEncodeError as error:
        raise InvalidParameterValue(f"input must be a JSON value: {error}") from None
    if size > INPUT_LIMIT_BYTES:
        raise InvalidParameterValue(f"input has {size} bytes; {INPUT_LIMIT_BYTES} are allowed")


def _instant(name: str, value: object) -> int | None:
    """Epoch seconds; a fraction of one is left out."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise InvalidParameterValue(f"{name} must be a time such as 2026-01-05T10:00:00Z, not {value!r}")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _window_s(window: object) -> int:
    if window is None:
        return 0
    mode = window.get("Mode") if isinstance(window, Mapping) else None
    if isinstance(window, Mapping) and mode == "OFF" and len(window) == 1:
        return 0
    minutes = window.get("MaximumWindowInMinutes") if isinstance(window, Mapping) else None
    if (
        not isinstance(window, Mapping)
        or mode != "FLEXIBLE"
        or len(window) != 2
        or isinstance(minutes, bool)
        or not isinstance(minutes, int)
        or not 1 <= minutes <= LONGEST_WINDOW_MINUTES
    ):
        raise InvalidParameterValue(
            'flexibleTimeWindow must be {"Mode": "OFF"} or {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": n}, '
            f"n from 1 to {LONGEST_WINDOW_MINUTES:,}, not {window!r} (SRC-81)"
        )
    return minutes * 60

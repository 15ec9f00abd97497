"""What `@idempotent` was told, and what that means for one call."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from eventmap.errors import AlreadyInProgress, ConfigurationError, EventmapError, KeyReused
from eventmap.rules.idempotency import (
    Answered,
    Busy,
    Claimed,
    Done,
    Entry,
    Reused,
    Won,
    claim_until_s,
    longest_wait_s,
    pause_s,
    verdict,
)
from eventmap.rules.idempotency_key import KeySource, check_path, digest, found

LONGEST_SCOPE: Final = 1024
"""Characters; a key of DynamoDB has at most 2,048 bytes."""

LONGEST_TIME_S: Final = 10 * 366 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The settings of one handler; checked when it is declared.

    Raises: ConfigurationError.
    """

    scope: str
    key: KeySource | None
    expires_after_s: float
    claim_s: float
    wait_s: float
    checksum: KeySource | None

    def __post_init__(self) -> None:
        if not 0 < len(self.scope) <= LONGEST_SCOPE:
            raise ConfigurationError(f"scope must have 1 to {LONGEST_SCOPE} characters, not {len(self.scope)}")
        for field, seconds in (("expires_after_s", self.expires_after_s), ("claim_s", self.claim_s)):
            if not 0 < seconds <= LONGEST_TIME_S:
                raise ConfigurationError(f"{field} must be above 0 and at most ten years, in seconds, not {seconds!r}")
        if not (self.wait_s >= 0 and math.isfinite(self.wait_s)):
            raise ConfigurationError(f"wait_s must be 0 or more seconds, not {self.wait_s!r}")
        for field, source in (("key", self.key), ("checksum", self.checksum)):
            if isinstance(source, str):
                check_path(source, field)


class Ticket:
    """One call of a handler: the key it runs under, its token, and the time it has."""

    def __init__(self, terms: Terms, event: Any, context: Any) -> None:
        """Raises: KeyNotFound, and whatever a function of the user's raises."""
        # Read before the handler runs: it may change its event.
        function_name = getattr(context, "function_name", None)
        scope = f"{function_name}.{terms.scope}" if isinstance(function_name, str) else terms.scope
        self.key = f"{scope}#{digest(found(terms.key, event))}"
        self._checksum = ""
        if terms.checksum is not None:
            self._checksum = digest(found(terms.checksum, event, field="checksum"), field="checksum")
        self._terms = terms
        self._token = secrets.token_hex(16)
        self._remaining_s: Callable[[], float] | None = _remaining_s(context)
        self._longest_wait_s = longest_wait_s(terms.wait_s, self._remaining())
        self._waited_s = 0.0

    @property
    def token(self) -> str:
        return self._token

    def claim(self, now: float) -> Claimed:
        return Claimed(self._token, claim_until_s(now, self._remaining(), self._terms.claim_s), self._checksum)

    def done(self, now: float, result: str) -> Done:
        return Done(self._token, now + self._terms.expires_after_s, result, self._checksum)

    def turn(self, standing: Entry, claim: Claimed, now: float) -> Won | Answered | float:
        """What to do about what stands; a number = look again in so many seconds.

        Raises: KeyReused; AlreadyInProgress if it has waited as long as it may.
        """
        match verdict(standing, claim):
            case Reused():
                raise KeyReused(self.key)
            case Busy(until_s):
                pause = pause_s(self._waited_s, self._longest_wait_s, until_s - now)
                if pause is None:
                    raise AlreadyInProgress(self.key, until_s - now)
                self._waited_s += pause
                return pause
            case settled:
                return settled

    def _remaining(self) -> float | None:
        return None if self._remaining_s is None else self._remaining_s()


def scope_of(handler: Callable[..., object], scope: str | None) -> str:
    """What tells the keys of one handler from another's: as given, or its module and name.

    Raises: ConfigurationError if it has no name of its own.
    """
    if scope is not None:
        return scope
    module, name = getattr(handler, "__module__", None), getattr(handler, "__qualname__", "")
    if not module or not name or "<" in name:
        raise ConfigurationError(
            f"{name or handler!r} is no handler of a module's: others may have its name and would share its keys, "
            "so say scope= to @idempotent"
        )
    return f"{module}.{name}"


def report_unreleased(ticket: Ticket, error: EventmapError) -> None:
    """Tell operators; the caller hears what the handler raised."""
    # Imported late: structlog would be a large part of a handler's start.
    from eventmap import telemetry

    telemetry.logger("eventmap.idempotency").warning(telemetry.CLAIM_UNRELEASED, key=ticket.key, error=str(error))


def _remaining_s(context: Any) -> Callable[[], float] | None:
    """How to ask the invocation how long it still has; None without one."""
    milliseconds = getattr(context, "get_remaining_time_in_millis", None)
    return None if milliseconds is None else lambda: float(milliseconds()) / 1000

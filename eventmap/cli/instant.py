"""A moment as a user writes it: epoch seconds or ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime

from eventmap.cli.failure import Misuse


def epoch_seconds(text: str, option: str) -> float:
    """Epoch seconds of `text`; without an offset it is in UTC. Raises: Misuse naming the option; the future, too."""
    from eventmap import clock

    seconds = moment_of(text, option)
    if not 0 <= seconds <= clock.wall_time_s():
        raise Misuse(f"{option} {text!r} is not between 1970 and now")
    return seconds


def moment_of(text: str, option: str) -> float:
    """The same of any moment that text spells, past or future."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = _aware(datetime.fromisoformat(text)).timestamp()
        except (OverflowError, ValueError):
            raise Misuse(
                f"{option} {text!r} is no time: write epoch seconds, 1767607200, or ISO 8601, 2026-01-05T10:00:00Z"
            ) from None
    return seconds


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

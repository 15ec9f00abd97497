"""A moment as a user writes it: epoch seconds or ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime

from eventmap import clock
from eventmap.cli.failure import Misuse


def epoch_seconds(text: str, option: str) -> float:
    """Epoch seconds of `text`; without an offset it is in UTC. Raises: Misuse naming the option; the future, too."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Misuse(
                f"{option} {text!r} is no time: write epoch seconds, 1767607200, or ISO 8601, 2026-01-05T10:00:00Z"
            ) from None
        seconds = _aware(moment).timestamp()
    if not 0 <= seconds <= clock.wall_time_s():
        raise Misuse(f"{option} {text!r} is not between 1970 and now")
    return seconds


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

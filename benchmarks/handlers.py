"""The handlers under measurement. They do nothing, so that what is measured is all eventmap's."""

from __future__ import annotations

from typing import Any


def nothing(event: Any, context: Any) -> None:
    """For process isolation."""


async def nothing_async(event: Any, context: Any) -> None:
    """For inline isolation, on the loop."""

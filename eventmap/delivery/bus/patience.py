"""Patience with the store of event buses: its errors are told, waited out, and end nothing."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from eventmap import telemetry
from eventmap.delivery.bus.statistics import BusStatistics
from eventmap.errors import SourceError, StateError
from eventmap.rules.bus.delivery import backoff_s

T = TypeVar("T")

_LONGEST_WAIT_S: Final = 30.0
_log = telemetry.logger("eventmap.delivery")


class Patience:
    """Calls that are repeated until the store does what it is asked."""

    def __init__(self, statistics: BusStatistics, dice: random.Random) -> None:
        self._statistics = statistics
        self._dice = dice
        self.waiting = 0  #: calls that have failed and are tried again

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` answers, as soon as it does."""
        failures = 0
        try:
            while True:
                try:
                    return await call()
                except (StateError, SourceError) as error:
                    self.waiting += failures == 0
                    failures += 1
                    self._statistics.store_errors += 1
                    wait_s = min(_LONGEST_WAIT_S, backoff_s(failures, self._dice.random()))
                    _log.error(telemetry.BUSES_UNREACHABLE, error=str(error), retry_in_s=round(wait_s, 3))
                await anyio.sleep(wait_s)
        finally:
            self.waiting -= failures > 0

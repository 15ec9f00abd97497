"""Intake: one receive, and what it takes until its messages may start: owned, filtered, in order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import anyio

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.delivery.ledger import Ledger
from eventmap.delivery.statistics import Statistics
from eventmap.errors import SourceError
from eventmap.model import JsonObject, Record
from eventmap.rules.fifo import GroupOrder
from eventmap.rules.queue import receive_wait

_PROGRESS_S = 30.0  # a receive this much longer than its own wait has stalled


class Receive(Protocol):
    """One receive of up to `count` messages, waiting at most `wait_s` seconds for the first.

    Returns (records, how many messages the queue returned): a message that arrived damaged is not among the records.
    """

    async def __call__(self, count: int, wait_s: int) -> tuple[Sequence[Record], int]: ...


class Intake:
    """`passes` is None when nothing is filtered; `order` is None on a standard queue."""

    def __init__(
        self,
        receive: Receive,
        *,
        ledger: Ledger,
        statistics: Statistics,
        passes: Callable[[JsonObject], bool] | None,
        order: GroupOrder | None,
        mapping: str,
    ) -> None:
        self._receive = receive
        self._ledger = ledger
        self._statistics = statistics
        self._passes = passes
        self._order = order
        self._failures = 0  # in a row, over all receives of the mapping
        self._kept_back: list[Record] | None = None  # while the receives under way end; None = not stopping
        self._log = telemetry.logger("eventmap.delivery").bind(mapping=mapping)

    @property
    def failures(self) -> int:
        """How many receives have failed since the last one that was answered."""
        return self._failures

    async def take(self, count: int, wait_s: int) -> tuple[list[Record], int]:
        """Receive once. Returns (records that may start now, how many messages the queue returned).

        A failed receive is logged, waited out, and looks like an empty one (SQS-162).
        """
        try:
            with anyio.fail_after(wait_s + _PROGRESS_S):
                records, returned = await self._receive(count, wait_s)
        except TimeoutError:
            self._log.error(telemetry.MAPPING_STALLED, waited_s=wait_s + _PROGRESS_S)
            return await self._failed()
        except SourceError as error:
            self._log.warning(telemetry.POLL_FAILED, code=error.code, error=str(error))
            return await self._failed()
        except Exception:  # a poller that dies takes its mapping along in silence; one that is logged is seen
            self._log.exception(telemetry.POLL_FAILED)
            return await self._failed()
        self._failures = 0
        # From here to the return there is no await: a cancelled receive cannot leave a message that nobody owns.
        statistics = self._statistics
        statistics.receives += 1
        if not returned:
            statistics.empty_receives += 1
            return [], 0
        statistics.received += returned
        statistics.refused += returned - len(records)
        return self._startable(records), returned

    def _startable(self, records: Sequence[Record]) -> list[Record]:
        fresh = self._ledger.own(records)
        if self._passes is not None:
            passing = []
            for record in fresh:
                if self._passes(record.body):
                    passing.append(record)
                else:
                    self._statistics.filtered += 1
                    self._ledger.done((record,))
            fresh = passing
        if self._order is not None:
            fresh, early = self._order.admit(fresh, elapsed_s())
            for record, wait_s in early:
                self._statistics.released += 1
                self._ledger.retry(record, wait_s)
        return fresh

    def release(self, records: Sequence[Record]) -> None:
        """Give back what will not be started: visible again at once (SQS-144)."""
        if self._kept_back is not None:
            self._kept_back.extend(records)
            return
        self._statistics.released += len(records)
        for record in records:
            self._ledger.retry(record, 0.0)

    def stop(self) -> None:
        """Keep back what is to be given back, until `stopped`: our own receives under way would catch it again."""
        self._kept_back = []

    def stopped(self) -> None:
        """No receive is under way any more. Calling it twice is fine."""
        kept_back, self._kept_back = self._kept_back or [], None
        self.release(kept_back)

    async def _failed(self) -> tuple[list[Record], int]:
        self._failures += 1
        self._statistics.poll_errors += 1
        await anyio.sleep(receive_wait(self._failures, random.random()))
        return [], 0

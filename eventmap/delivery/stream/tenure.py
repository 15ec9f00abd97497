"""Tenure: one lease's time with this worker, from the taking of it to its end.

reading ─┬─"ended"──▶ children's leases ──▶ SHARD_END ─┬─▶ given up, or over to the worker that asked for it
         ├─"left", cut short, failed ──────────────────┘
         └─lost: cancelled at once, nothing is written
"""

from __future__ import annotations

import enum
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

import anyio

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.delivery.stream.held_lease import HeldLease, LeaseLost
from eventmap.delivery.stream.succession import Succession
from eventmap.errors import SourceError, StateError
from eventmap.rules.leases import retry_s

ReadShard = Callable[[HeldLease], Awaitable[Literal["ended", "left"]]]


class TenureEnd(enum.Enum):
    """How it ended; the lease is given up, but for LOST."""

    FINISHED = "read to its end"
    HEIRS_AWAITED = "read to its end, but not every child has a lease yet"
    LEFT = "asked to leave, or cut short"
    FAILED = "its reading raised"
    LOST = "lost"


class Tenure:
    """`held` as long as it lasts. `renewals` bounds how many leases are renewed at once."""

    def __init__(
        self,
        held: HeldLease,
        read_shard: ReadShard,
        succession: Succession,
        *,
        renew_s: float,
        renewals: anyio.CapacityLimiter,
        dice: random.Random,
        log: telemetry.Logger,
    ) -> None:
        self.held = held
        self._read_shard = read_shard
        self._succession = succession
        self._renew_s = renew_s
        self._renewals = renewals
        self._dice = dice
        self._log = log.bind(shard=held.lease.shard_id)

    async def run(self) -> TenureEnd:
        """Read, keep the lease meanwhile, give it up."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep)
            end = await self._read()
            if end is not TenureEnd.LOST:
                with suppress(LeaseLost), anyio.CancelScope(deadline=self.held.expires_s) as giving_up:
                    await self.held.release()
                if giving_up.cancelled_caught:  # nothing could be written, so what was done last is not saved either
                    self.held.lose()
            tasks.cancel_scope.cancel()
        if self.held.lost.is_set():
            end = TenureEnd.LOST
            why = {} if self.held.refusal is None else {"error": self.held.refusal}
            self._log.warning(telemetry.LEASE_LOST, checkpoint=self.held.lease.checkpoint, **why)
        else:
            self._log.info(telemetry.LEASE_GIVEN_UP, why=end.value, to=self.held.lease.owner)
        return end

    async def _keep(self) -> None:
        """Renew it when nothing else was written for a while; it is lost if that does not succeed in time (STR-198)."""
        held = self.held
        wait_s = self._renew_s * self._dice.uniform(0.5, 1)  # leases taken together are not renewed together
        while not held.lost.is_set():
            await anyio.sleep(max(0.0, held.last_confirmed_s + wait_s - elapsed_s()))
            if held.last_confirmed_s + wait_s > elapsed_s():
                continue  # a checkpoint was written, and raised the counter
            wait_s = self._renew_s
            with suppress(LeaseLost), anyio.CancelScope(deadline=held.expires_s):
                async with self._renewals:
                    await held.renew()
            if elapsed_s() >= held.expires_s:
                held.lose()

    async def _read(self) -> TenureEnd:
        held = self.held
        try:
            with held.scope:
                if await self._read_shard(held) == "left":
                    return TenureEnd.LEFT
                return await self._conclude()
        except Exception as error:  # whatever one shard's reading meets, the others are read on
            if not held.lost.is_set():
                self._log.error(telemetry.SHARD_FAILED, exc_info=error)
                return TenureEnd.FAILED
        return TenureEnd.LOST if held.lost.is_set() else TenureEnd.LEFT

    async def _conclude(self) -> TenureEnd:
        """The shard is done: its children's leases first, then its own end (KCL-13)."""
        failures = 0
        while True:
            try:
                heirs = await self._succession.prepare_heirs(self.held.lease)
                break
            except (SourceError, StateError) as error:
                self._log.warning(telemetry.SHARDS_UNLISTED, error=str(error))
                await anyio.sleep(retry_s(failures))
                failures += 1
        await self.held.finish(heirs.shard_ids)
        self._log.info(telemetry.SHARD_FINISHED, children=len(heirs.shard_ids))
        return TenureEnd.FINISHED if heirs.are_ready else TenureEnd.HEIRS_AWAITED

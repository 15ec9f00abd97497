"""Loop: one mapping of a stream at work, from its first lease to the end of its drain.

coordinator ──held lease──▶ shard run, one for each ──"ended"──▶ children ──▶ coordinator
     └──drain: each finishes the batch in flight, saves, gives its lease up
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import anyio

from eventmap import telemetry
from eventmap.delivery.slots import MappingSlots
from eventmap.delivery.statistics import Statistics
from eventmap.delivery.stream.attempts import Work
from eventmap.delivery.stream.coordinator import LeaseCoordinator
from eventmap.delivery.stream.discarding import Discarding
from eventmap.delivery.stream.held_lease import HeldLease
from eventmap.delivery.stream.ports import Invoke, LeaseStore, OnFailure, StreamSource
from eventmap.delivery.stream.shard_run import ShardRun
from eventmap.model import JsonObject
from eventmap.rules.leases import LeaseSettings
from eventmap.stream_mapping import StreamMapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One mapping's part in the work: who it is, where its leases are, how they are called."""

    source: StreamSource
    store: LeaseStore
    worker: str  #: this process, for this run: never used again
    stream: str  #: the stream's identity, so that leases of another one are noticed
    prefix: str = ""  #: of every lease key, in a table that several streams share (STR-160)
    leases: LeaseSettings = field(default_factory=LeaseSettings)
    checkpoint_interval_s: float = 0.0  #: between two writes for one shard, beside the last one


class StreamLoop:
    """Reads the shards that this worker holds, and runs their batches; see the module for its life.

    `passes` is None when nothing is filtered. `function_arn` stands in reports of discarded batches (STR-91).
    """

    def __init__(
        self,
        mapping: StreamMapping,
        application: Application,
        invoke: Invoke,
        *,
        function_arn: str,
        slots: MappingSlots,
        passes: Callable[[JsonObject], bool] | None,
        on_failure: OnFailure | None,
        retention_s: float,
        dice: random.Random,
    ) -> None:
        self.mapping = mapping
        self.application = application
        self.statistics: Statistics = Statistics()
        self._log = telemetry.logger("eventmap.delivery").bind(
            mapping=mapping.event_source_arn, function=mapping.function_name
        )
        self._passes = passes
        discarding = Discarding(
            mapping.event_source, application.source.arn, function_arn, on_failure, self.statistics, self._log
        )
        self._work = Work(mapping, invoke, slots, discarding, self.statistics, self._log, retention_s)
        self._runs: dict[str, ShardRun] = {}
        self._listed_as_of = -math.inf
        self._coordinator = LeaseCoordinator(
            application.source,
            application.store,
            worker=application.worker,
            starting_position=mapping.starting_position or "",
            stream=application.stream,
            prefix=application.prefix,
            settings=application.leases,
            read_shard=self._read_shard,
            log=self._log,
            dice=dice,
        )
        self._drained = anyio.Event()

    async def prepare(self) -> None:
        """Look at the leases there are. Raises: ConfigurationError if they are another application's; StateError."""
        await self._coordinator.prepare()

    async def run(self) -> None:
        """Work until `drain` has ended, or cancelled."""
        self._log.info(telemetry.MAPPING_STARTED)
        await self._coordinator.run()

    async def drain(self, budget_s: float) -> int:
        """Begin nothing new, let invocations end within `budget_s` seconds, save, give the leases up (STR-213).

        Returns how many records were in invocations that did not end: their next reader gets them, as it gets those
        that were waiting. Draining twice is fine.
        """
        before = self.statistics.abandoned
        await self._coordinator.drain(budget_s)
        left = self.statistics.abandoned - before
        self._log.info(telemetry.MAPPING_DRAINED, left=left, done=self.statistics.done)
        return left

    @property
    def trouble(self) -> str | None:
        """What stands still now, in words; None = nothing does."""
        return self._coordinator.trouble

    @property
    def quiet(self) -> bool:
        """No batch runs."""
        return not self.statistics.running

    async def caught_up(self, as_of: float) -> bool:
        """Whether every shard that is ours to read has been read, and is done, up to the epoch time `as_of`.

        False as long as any unfinished lease is nobody's, or is not seen to be kept by who has it: its shard is still
        to be read; and as long as a closed one has not ended: its children may hold more. Raises: StateError;
        SourceError from a stream or a lease table that does not answer.
        """
        ended = self.statistics.shards_ended
        if not self._is_done_here(as_of):
            return False
        application = self.application
        shards = await application.source.shards(fresh=self._listed_as_of != as_of)  # one listing shows every split
        self._listed_as_of = as_of
        closed = {application.prefix + shard.shard_id for shard in shards if not shard.is_open}
        for lease in (await application.store.scan()).leases:
            if lease.is_finished or not lease.key.startswith(application.prefix):
                continue
            is_elsewhere = lease.owner not in (None, application.worker) and self._coordinator.is_kept(lease)
            if not is_elsewhere and (lease.key not in self._runs or lease.key in closed):
                return False
        # A shard may have been taken during the scan, or one may have ended, whose children it does not show.
        return ended == self.statistics.shards_ended and self._is_done_here(as_of)

    def _is_done_here(self, as_of: float) -> bool:
        return self._coordinator.is_settled and all(
            key in self._runs and self._runs[key].reached >= as_of for key in self._coordinator.held
        )

    async def _read_shard(self, held: HeldLease) -> Literal["ended", "left"]:
        run = ShardRun(
            held,
            self.application.source,
            self._work,
            passes=self._passes,
            starting_timestamp=self.mapping.starting_position_timestamp,
            checkpoint_interval_s=self.application.checkpoint_interval_s,
        )
        key = held.lease.key
        self._runs[key] = run
        try:
            return await run.run()
        finally:
            self.statistics.leases_lost += held.lost.is_set()
            if self._runs.get(key) is run:
                del self._runs[key]

"""One shard at work under its lease: read, filter, deal out to lanes, run batches, save how far it is done.

reader ──pages──▶ filter ──▶ lane 0 ──▶ attempts ──▶ ┐
                        └──▶ lane n ──▶ attempts ──▶ ┴─▶ progress ──▶ checkpoint
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Literal

import anyio

from eventmap import telemetry
from eventmap.clock import elapsed_s, wall_time_s
from eventmap.delivery.stream.attempts import Attempts, Work
from eventmap.delivery.stream.held_lease import HeldLease
from eventmap.delivery.stream.lane import Lane
from eventmap.delivery.stream.latest import LatestReader, latest_since, since_of
from eventmap.delivery.stream.ports import ShardReader, StreamSource
from eventmap.delivery.stream.shape import Plain
from eventmap.delivery.stream.windowed import WindowedLane
from eventmap.errors import LeaseLost, SourceError, TransientSourceError
from eventmap.lease import SHARD_END, Lease
from eventmap.model import JsonObject, StreamRecord
from eventmap.rules.progress import Progress
from eventmap.rules.stream import lane_of, read_wait
from eventmap.shard import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Page, Position

LOOK_AHEAD_RECORDS = 10_000  # of a parallelised shard, so that one blocked key leaves the others work for a while
LOOK_AHEAD_BYTES = 64 * 1024 * 1024  # by their bounds, which are generous
READ_DEADLINE_S = 60.0  # twice what any wire allows itself
EMPTY_READS_AT_THE_TIP = 4  # in a row: a source that does not say how far behind it is may have gaps (STR-153)
ARRIVAL_MARGIN_S = 1.0  # tables tell arrival times in whole seconds, and several records may share one
CLOCK_MARGIN_S = 5.0  # this machine's clock may be ahead of the stream's


class ShardRun:
    """One lease being worked on. `run` once."""

    def __init__(
        self,
        held: HeldLease,
        source: StreamSource,
        work: Work,
        *,
        passes: Callable[[JsonObject], bool] | None,
        starting_timestamp: float | None,
        checkpoint_interval_s: float,
    ) -> None:
        mapping = work.mapping
        self._held = held
        self._source = source
        self._work = work
        self._passes = passes
        self._position = position_of(held.lease, starting_timestamp)
        self._since = wall_time_s() - CLOCK_MARGIN_S if self._position.type == LATEST else since_of(held.lease)
        self._checkpoint_interval_s = checkpoint_interval_s
        self.shard_id: str = held.lease.shard_id
        self._progress = Progress()
        self._unsaved = anyio.Event()
        self._saving = anyio.Lock()
        self._room = anyio.Event()
        self._unfinished = 0  # records read and not done; those done may still lie above the checkpoint
        self._ahead_bytes = 0
        self._reading = anyio.CancelScope()
        self._tip_at = -math.inf
        self._lanes = [
            Lane(
                mapping.batch_size,
                mapping.maximum_batching_window_in_seconds,
                mapping.maximum_record_age_in_seconds,
            )
            for _ in range(mapping.parallelization_factor)
        ]
        self._attempts = [Attempts(work, self.shard_id, self._done) for _ in self._lanes]
        self._windowed: WindowedLane | None = None
        if mapping.tumbling_window_in_seconds:
            self._windowed = WindowedLane(
                self._lanes[0],
                self._attempts[0],
                length_s=mapping.tumbling_window_in_seconds,
                shard_id=self.shard_id,
                stream_arn=source.arn,
                saved=None if since_of(held.lease) else held.lease.window,
                changed=self._unsaved_changed,
            )

    @property
    def reached(self) -> float:
        """Epoch time up to which what arrived in this shard has been read and is done."""
        by_records = self._progress.arrived_at - ARRIVAL_MARGIN_S
        return by_records if self._unfinished else max(by_records, self._tip_at)

    async def run(self) -> Literal["ended", "left"]:
        """Until the closed shard is wholly done ("ended") or the lease is to be given up ("left"); cancel when lost."""
        reader: ShardReader
        if self._position.type == LATEST and self._since is not None:
            reader = LatestReader(self._source, self.shard_id, self._since, self._save_beginning)
        else:
            reader = self._source.reader(self.shard_id, self._position)
        self._work.statistics.shards += 1
        ended = False
        finished: list[bool] = []
        try:
            async with anyio.create_task_group() as around:
                around.start_soon(self._leave_when_asked)
                around.start_soon(self._keep_saving)
                async with anyio.create_task_group() as lanes:
                    for lane, attempts in zip(self._lanes, self._attempts, strict=True):
                        lanes.start_soon(self._run_lane, lane, attempts, finished)
                    with self._reading:
                        ended = await self._read(reader)
                    for lane in self._lanes:
                        lane.close() if ended else lane.stop()
                await self._save()
                around.cancel_scope.cancel()
        finally:
            self._work.statistics.shards -= 1
            self._work.statistics.in_flight -= self._unfinished
        if ended and all(finished):
            self._work.statistics.shards_ended += 1
            return "ended"
        return "left"

    async def _leave_when_asked(self) -> None:
        await self._held.leaving.wait()
        self._reading.cancel()
        for lane in self._lanes:
            lane.stop()
        for attempts in self._attempts:
            attempts.leave()

    # Reading.

    async def _read(self, reader: ShardReader) -> bool:
        """Read until the shard's end (True)."""
        refused = empty = 0
        while True:
            await self._until_there_is_room()
            began_at, began_wall = elapsed_s(), wall_time_s()
            try:
                with anyio.fail_after(READ_DEADLINE_S):
                    page = await reader.read()
            except TimeoutError:  # cancelled, it has delivered nothing; the next read returns what it would have
                self._work.statistics.poll_errors += 1
                self._work.log.error(telemetry.MAPPING_STALLED, shard=self.shard_id, waited_s=READ_DEADLINE_S)
                continue
            except SourceError as error:
                refused += 1
                self._tell_refused(error, refused)
                await anyio.sleep(read_wait(refused))
                continue
            refused = 0
            self._take(page)
            if page.ended:
                return True
            empty = 0 if page.records else empty + 1
            if page.behind_s == 0 or (page.behind_s is None and empty >= EMPTY_READS_AT_THE_TIP):
                self._at_the_tip(began_wall)
            interval = self._source.busy_interval_s if page.records else self._source.idle_interval_s
            interval = max(interval, page.size_bytes / self._source.bytes_per_s)
            await anyio.sleep(max(0.0, began_at + interval - elapsed_s()))

    def _take(self, page: Page) -> None:
        statistics = self._work.statistics
        statistics.receives += 1
        if not page.records:
            statistics.empty_receives += 1
            return
        records = page.records
        statistics.received += len(records)
        statistics.in_flight += len(records)
        self._unfinished += len(records)
        self._ahead_bytes += sum(record.size_bound for record in records)
        self._progress.read(records)
        if self._passes is not None:
            kept = tuple(record for record in records if self._passes(record.body))
            if len(kept) < len(records):
                wanted = {record.sequence for record in kept}
                rejected = tuple(record for record in records if record.sequence not in wanted)
                statistics.filtered += len(rejected)
                self._done(rejected)
            records = kept
        factor = len(self._lanes)
        if factor == 1:
            self._lanes[0].put(records)
            return
        dealt: list[deque[StreamRecord]] = [deque() for _ in self._lanes]
        for record in records:
            dealt[lane_of(record.key, factor)].append(record)
        for lane, own in zip(self._lanes, dealt, strict=True):
            if own:
                lane.put(own)

    async def _until_there_is_room(self) -> None:
        """What filters reject is done at once and takes no room, but may wait long for the checkpoint to pass it."""
        batch_size = self._work.mapping.batch_size
        most = max(LOOK_AHEAD_RECORDS, batch_size)
        limit = batch_size if len(self._lanes) == 1 else most
        while self._unfinished and (
            self._unfinished >= limit or len(self._progress) >= most or self._ahead_bytes >= LOOK_AHEAD_BYTES
        ):
            self._room = anyio.Event()
            await self._room.wait()

    def _at_the_tip(self, at: float) -> None:
        self._tip_at = at
        if self._windowed is not None:
            self._lanes[0].read_to_the_tip(at)

    def _tell_refused(self, error: SourceError, refused: int) -> None:
        self._work.statistics.poll_errors += 1
        passing = isinstance(error, TransientSourceError)
        tell = self._work.log.warning if passing and refused < 5 else self._work.log.error
        tell(telemetry.POLL_FAILED, shard=self.shard_id, code=error.code, error=str(error), attempt=refused)

    # Running.

    async def _run_lane(self, lane: Lane, attempts: Attempts, finished: list[bool]) -> None:
        if self._windowed is not None:
            finished.append(await self._windowed.run())
            return
        plain = Plain()
        while (records := await lane.next_batch()) is not None:
            if not await attempts.finish(records, plain):
                break
        finished.append(not lane.stopped)

    def _done(self, records: tuple[StreamRecord, ...]) -> None:
        if not records:
            return
        self._work.statistics.in_flight -= len(records)
        self._unfinished -= len(records)
        self._ahead_bytes -= sum(record.size_bound for record in records)
        self._progress.done(records)
        self._unsaved_changed()
        self._room.set()

    # Saving.

    async def _save_beginning(self) -> None:
        self._unsaved_changed()
        await self._save()

    def _unsaved_changed(self) -> None:
        self._unsaved.set()

    async def _keep_saving(self) -> None:
        """One write at a time, always of the newest: batches never wait for it."""
        while True:
            await self._unsaved.wait()
            await self._save()
            if self._checkpoint_interval_s:
                await anyio.sleep(self._checkpoint_interval_s)

    async def _save(self) -> None:
        """Returns when all that is done now is saved, or the lease is lost."""
        async with self._saving:
            while self._unsaved.is_set():
                self._unsaved = anyio.Event()
                try:
                    await self._held.checkpoint(self._progress.checkpoint or self._held.lease.checkpoint, self._note())
                except LeaseLost:
                    return  # whoever holds it cancels us

    def _note(self) -> JsonObject | None:
        """What is saved beside the checkpoint: the window under way, or since when LATEST holds."""
        if self._windowed is not None and (window := self._windowed.saved):
            return window
        return latest_since(self._since) if self._progress.checkpoint is None and self._since is not None else None


def position_of(lease: Lease, starting_timestamp: float | None) -> Position:
    """Where a lease's checkpoint says its shard is to be read from (STR-20, 163).

    LATEST is decided once, when the shard is first read: from then on it means that moment, or a crash before the
    first checkpoint would lose what arrived meanwhile. `starting_timestamp`: the mapping's, for AT_TIMESTAMP.
    """
    match lease.checkpoint:
        case "TRIM_HORIZON":
            return Position(TRIM_HORIZON)
        case "LATEST":
            since = since_of(lease)
            return Position(LATEST) if since is None else Position(AT_TIMESTAMP, timestamp=since)
        case "AT_TIMESTAMP":
            return Position(AT_TIMESTAMP, timestamp=starting_timestamp or 0.0)
        case "SHARD_END":
            raise ValueError(f"{SHARD_END}: nothing of {lease.key} is left to read")
        case sequence:
            # The KCL may have stopped within an aggregated record: its rest is read again with the whole (STR-164).
            after = lease.sub_sequence == 0
            return Position("AFTER_SEQUENCE_NUMBER" if after else "AT_SEQUENCE_NUMBER", sequence=sequence)

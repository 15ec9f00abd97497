"""What the loops of a stream ask of others: of the stream, of the store of its leases, of where reports go."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from eventmap.lease import Lease, Snapshot
from eventmap.model import Event, JsonObject, Response
from eventmap.shard import Page, Position, Shard


class ShardReader(Protocol):
    """One shard being read. It follows iterators, and replaces them when they expire (STR-154)."""

    async def read(self) -> Page:
        """One GetRecords. Trimmed records are stepped over and logged (STR-155); a shard that is gone has ended.

        Raises: TransientSourceError (throttled, lost: read again later, nothing is skipped), AccessRefused,
        SourceError.
        """
        ...


class StreamSource(Protocol):
    """A stream, Kinesis' or a table's."""

    @property
    def arn(self) -> str: ...

    @property
    def idle_interval_s(self) -> float:
        """Seconds between two reads of a shard that brought nothing (STR-23)."""
        ...

    @property
    def busy_interval_s(self) -> float:
        """Seconds at least between two reads of a shard that brought something (STR-143)."""
        ...

    @property
    def bytes_per_s(self) -> float:
        """How much of a shard may be read in a second (STR-143); infinite = as much as there is."""
        ...

    async def shards(self, *, fresh: bool = False) -> tuple[Shard, ...]:
        """All shards now listed; a listing younger than its interval is answered again unless `fresh` (STR-156).

        Raises: SourceError and its kinds.
        """
        ...

    def reader(self, shard_id: str, position: Position) -> ShardReader: ...


class LeaseStore(Protocol):
    """The leases of one application: one mapping of one stream.

    Every change of a lease is conditional on the counter, and the right, it was read with; it returns the lease as it
    now stands, or None if it had changed meanwhile, in which case nothing was written. A change whose answer was lost
    raises TransientSourceError and may have taken effect: read the lease again. Raises also: StateError.
    """

    async def scan(self) -> Snapshot: ...

    async def get(self, key: str) -> Lease | None: ...

    async def create(self, leases: Sequence[Lease]) -> None:
        """Those that exist already are left alone."""
        ...

    async def take(self, lease: Lease, owner: str, *, hand_over: bool = False) -> Lease | None:
        """Make `owner` its owner, counter + 1.

        `hand_over`: the one before may still checkpoint, and knows the counter, which stays as it is (KCL-12).
        """
        ...

    async def renew(self, lease: Lease) -> Lease | None:
        """Counter + 1, for its owner, or for its `checkpoint_owner` while it hands over."""
        ...

    async def checkpoint(self, lease: Lease, checkpoint: str, window: JsonObject | None = None) -> Lease | None:
        """Checkpoint and window together, counter + 1. For the owner, or the checkpoint owner."""
        ...

    async def finish(self, lease: Lease, children: Sequence[str]) -> Lease | None:
        """SHARD_END, with the children's shard ids (KCL-13)."""
        ...

    async def release(self, lease: Lease) -> Lease | None:
        """Give it up: nobody's from now on; or, handing over, the new owner's alone (KCL-12). Counter + 1."""
        ...

    async def delete(self, lease: Lease) -> bool:
        """Delete a finished lease that nobody needs any more (STR-200)."""
        ...

    async def announce(self, worker: str, beat: int) -> None:
        """Let others count this worker (KCL-21)."""
        ...

    async def withdraw(self, worker: str) -> None:
        """This worker has gone."""
        ...

    async def is_dead(self, worker: str) -> bool:
        """Whether this worker is known for certain not to run any more; False = cannot be known here."""
        ...


class OnFailure(Protocol):
    """Where reports of discarded batches go (STR-90..103)."""

    async def send(self, report: JsonObject, *, shard_id: str, payload: bytes | None) -> None:
        """`payload`: the event itself, None if there was none; only an S3 destination stores it (STR-97).

        Raises: SourceError when it cannot be delivered; TransientSourceError when it may be tried again.
        """
        ...


class Invoke(Protocol):
    """Runs the function once. Never raises: what goes wrong inside is a response."""

    def __call__(self, event: Event, *, request_id: str | None = None) -> Awaitable[Response]: ...

"""Succession: leases for the shards that come, and none for those that are gone (STR-156, STR-200)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eventmap.delivery.stream.ports import LeaseStore, StreamSource
from eventmap.errors import ConfigurationError
from eventmap.lease import SHARD_END, Lease, Snapshot
from eventmap.rules.lineage import children_of, deletable, missing_leases
from eventmap.shard import Shard


@dataclass(frozen=True, slots=True)
class Heirs:
    """The children of an ended shard."""

    shard_ids: tuple[str, ...]  #: as far as the stream lists them
    are_ready: bool  #: all have leases. False: none is listed yet, or another parent is not finished, as far as we saw


class Succession:
    """The shards of one stream and the leases of one application, kept in step.

    `stream` is the identity the leases carry, `prefix` what their keys begin with (STR-160). Every method raises
    SourceError and StateError; done again, each does what is left to do.
    """

    def __init__(
        self, source: StreamSource, store: LeaseStore, *, starting_position: str, stream: str, prefix: str
    ) -> None:
        self._source = source
        self._store = store
        self._starting_position = starting_position
        self._stream = stream
        self._prefix = prefix

    def is_ours(self, lease: Lease) -> bool:
        return lease.key.startswith(self._prefix) and (":" in lease.key) == bool(self._prefix)

    async def refuse_foreign_leases(self) -> None:
        """Writes nothing. Raises: ConfigurationError if the leases that are there belong to another application."""
        shards = {self._prefix + shard.shard_id: shard for shard in await self._source.shards()}
        for lease in (await self._store.scan()).leases:
            if (":" not in lease.key and self._prefix) or (":" in lease.key and not self._prefix):
                raise self._foreign(lease, "its key has another form")
            if not self.is_ours(lease):
                continue
            if lease.stream not in ("", self._stream):
                raise self._foreign(lease, f"it is of the stream {lease.stream}")
            shard = shards.get(lease.key)
            if shard and lease.hash_range and shard.hash_range and lease.hash_range != shard.hash_range:
                raise self._foreign(lease, "its hash range is not that of the stream's shard")

    def _foreign(self, lease: Lease, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"the lease table of another application is in use here: it has the lease {lease.key!r}, but {why}; "
            f"{self._stream} needs a table of its own, or this one emptied (STR-160)"
        )

    async def create_missing(self, *, fresh: bool) -> None:
        """Create the leases that are due. `fresh`: by a new listing of the shards, however young the last one is."""
        await self._create(await self._source.shards(fresh=fresh))

    async def prepare_heirs(self, ended: Lease) -> Heirs:
        """Create the leases that are due when this one's shard is read to its end, before that is written (KCL-13)."""
        shards = await self._source.shards(fresh=True)
        leased = await self._create(shards, replace(ended, checkpoint=SHARD_END))
        children = tuple(child.shard_id for child in children_of(ended.shard_id, shards))
        return Heirs(children, bool(children) and all(self._prefix + child in leased for child in children))

    async def _create(self, shards: tuple[Shard, ...], ended: Lease | None = None) -> set[str]:
        """Returns the keys of all leases there are now. `shards` were listed before: see `missing_leases`."""
        leases = {lease.key: lease for lease in self._of(await self._store.scan())}
        if ended is not None:
            leases[ended.key] = ended
        missing = missing_leases(
            shards,
            leases.values(),
            starting_position=self._starting_position,
            stream=self._stream,
            prefix=self._prefix,
        )
        if missing:
            await self._store.create(missing)
        return {*leases, *(lease.key for lease in missing)}

    async def delete_unneeded(self) -> None:
        shards = await self._source.shards()
        for lease in deletable(shards, self._of(await self._store.scan())):
            await self._store.delete(lease)

    def _of(self, snapshot: Snapshot) -> list[Lease]:
        return [lease for lease in snapshot.leases if self.is_ours(lease)]

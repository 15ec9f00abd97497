"""Lineage: which shards get a lease, when a lease may be read, and when it is needed no more (STR-151, 152, 200).

no lease ──created──▶ not readable ──parents at SHARD_END, or gone──▶ readable ──▶ SHARD_END ──children begun──▶ deleted

A shard that is listed and has no lease is one of four: read and cleaned up already (a descendant has a lease), waiting
for its parents (an ancestor has one), born while nobody looked, or forgotten by a first creation that was interrupted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from eventmap.lease import Lease, checkpoint_rank
from eventmap.shard import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Shard

_Links = Mapping[str, Set[str]]


def missing_leases(
    shards: Sequence[Shard], leases: Collection[Lease], *, starting_position: str, stream: str, prefix: str = ""
) -> list[Lease]:
    """The leases to create now, in the order of `shards`. `leases` must have been read after `shards` were listed.

    A first creation begins at `starting_position`: LATEST with the youngest generation, TRIM_HORIZON with the oldest,
    AT_TIMESTAMP with all that are listed, since only reading tells which of them ended before that time. Whatever is
    born later begins at TRIM_HORIZON, so that a reshard loses nothing (STR-21), and not before its parents are
    finished (STR-151): a parent is finished when its lease is, or when it has none because it is listed no more
    (STR-152) or lies before where we began.
    """
    by_shard = {lease.key.removeprefix(prefix): lease for lease in leases if lease.key.startswith(prefix)}
    parents, children = _links(shards, by_shard)
    ancestors = _reached(by_shard, parents)
    descendants = _reached(by_shard, children)
    unknown = [shard for shard in shards if shard.shard_id not in by_shard and shard.shard_id not in ancestors]
    strays = [shard for shard in unknown if shard.shard_id not in descendants]
    has_begun = any(checkpoint_rank(lease.checkpoint) >= (0, 0) for lease in by_shard.values())
    living = {shard.shard_id for shard in shards if shard.is_open}
    first = _first(strays, starting_position, has_begun, living, parents, children)
    starts = dict.fromkeys(first, starting_position)
    if has_begun:  # every creation is completed before anything is read, so these were born while nobody looked
        starts = dict.fromkeys(starts, TRIM_HORIZON)

    listed = {shard.shard_id for shard in shards}

    def is_finished(shard_id: str) -> bool:
        lease = by_shard.get(shard_id)
        return (shard_id not in listed or shard_id in ancestors) if lease is None else lease.is_finished

    for shard in unknown:
        if shard.shard_id in descendants and all(map(is_finished, parents[shard.shard_id])):
            starts[shard.shard_id] = TRIM_HORIZON
    return [
        Lease(
            key=prefix + shard.shard_id,
            checkpoint=starts[shard.shard_id],
            parents=shard.parents,
            hash_range=shard.hash_range,
            stream=stream,
        )
        for shard in shards
        if shard.shard_id in starts
    ]


def is_readable(lease: Lease, leases: Mapping[str, Lease]) -> bool:
    """Whether no parent has anything left to read: each one's lease is at SHARD_END, or there is none (STR-151, 152).

    `leases`: all of them, by key.
    """
    if not lease.parents:
        return True
    prefix = lease.key[: len(lease.key) - len(lease.shard_id)]
    found = (leases.get(prefix + parent) for parent in lease.parents)
    return all(parent is None or parent.is_finished for parent in found)


def children_of(shard_id: str, shards: Iterable[Shard]) -> tuple[Shard, ...]:
    """The listed shards that came out of this one: two after a split, one after a merge (STR-158)."""
    return tuple(shard for shard in shards if shard_id in shard.parents)


def deletable(shards: Sequence[Shard], leases: Collection[Lease]) -> list[Lease]:
    """The finished leases that nobody needs any more (STR-200).

    Each child must have been read past its start, or be beyond reading: finished and cleaned up, or listed no more, as
    its parent is; one that is missing beside a listed parent is too new for this listing. A lease without any child
    stays, listed or not: were the last generation forgotten, all would begin anew.
    `leases`: those of one stream.
    """
    by_shard = {lease.shard_id: lease for lease in leases}
    parents, children = _links(shards, by_shard)
    ancestors = _reached(by_shard, parents)
    listed = {shard.shard_id for shard in shards}

    def is_past_its_start(shard_id: str) -> bool:
        lease = by_shard.get(shard_id)
        if lease is None:
            return shard_id in ancestors or not listed & {shard_id, *parents[shard_id]}
        return checkpoint_rank(lease.checkpoint) >= (0, 0)

    return [
        lease
        for shard_id, lease in by_shard.items()
        if lease.is_finished and children[shard_id] and all(map(is_past_its_start, children[shard_id]))
    ]


def _first(
    strays: Sequence[Shard],
    starting_position: str,
    has_begun: bool,
    living: Set[str],
    parents: _Links,
    children: _Links,
) -> list[str]:
    """Of shards without leased relatives, those to begin with."""
    ids = {shard.shard_id for shard in strays}
    if starting_position == AT_TIMESTAMP:
        return [shard.shard_id for shard in strays]
    if starting_position == LATEST:
        if not has_begun:  # a closed one too, if its child is not listed yet: the child is then born after it
            return [shard_id for shard_id in ids if not children[shard_id]]
        # What has no living descendant had ended before we began.
        ids &= living | _reached(living, parents)
    return [shard_id for shard_id in ids if not parents[shard_id] & ids]


def _links(shards: Iterable[Shard], leases: Mapping[str, Lease]) -> tuple[_Links, _Links]:
    """(parents, children) of each shard id, by the listing and by what leases remember of shards listed no more."""
    parents: defaultdict[str, set[str]] = defaultdict(set)
    children: defaultdict[str, set[str]] = defaultdict(set)
    pairs = [(parent, shard.shard_id) for shard in shards for parent in shard.parents]
    for shard_id, lease in leases.items():
        pairs += [(parent, shard_id) for parent in lease.parents]
        pairs += [(shard_id, child) for child in lease.children]
    for parent, child in pairs:
        parents[child].add(parent)
        children[parent].add(child)
    return parents, children


def _reached(start: Iterable[str], links: _Links) -> set[str]:
    """Every shard id one or more links away."""
    reached: set[str] = set()
    ahead = list(start)
    while ahead:
        new = links[ahead.pop()] - reached
        reached |= new
        ahead += new
    return reached

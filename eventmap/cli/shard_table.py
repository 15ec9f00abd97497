"""What is known of a stream's shards: from the stream, from the leases, and from one look into what is unread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal

import anyio

from eventmap import clock
from eventmap.cli.application import leases_of
from eventmap.delivery.stream.loop import Application
from eventmap.delivery.stream.ports import ShardReader
from eventmap.delivery.stream.shard_run import position_of
from eventmap.errors import SourceError
from eventmap.lease import Lease
from eventmap.shard import AT_TIMESTAMP, Shard

_LOOKS_AT_ONCE: Final = 8
_HEAD: Final = ("SHARD", "PARENTS", "STATE", "OWNER", "CHECKPOINT", "UNREAD", "FOR")
_READS: Final = 4  # a page may be empty though records follow (STR-153)


@dataclass(frozen=True, slots=True)
class Unread:
    """What one look found behind a checkpoint."""

    records: int  #: on the first page that had any
    is_all: bool  #: False = there are more
    age_s: float  #: since the first of them arrived; 0 = nothing is unread


@dataclass(frozen=True, slots=True)
class ShardView:
    """One line of the table; None = not known, or nothing to know."""

    shard: str
    parents: tuple[str, ...]
    state: Literal["open", "closed", "trimmed"]  #: trimmed = the stream does not list it any more
    owner: str | None
    owner_has_died: bool  #: which is known on one machine only
    checkpoint: str | None  #: None = no worker has begun the application there
    unread: Unread | None


@dataclass(frozen=True, slots=True)
class StreamView:
    """The whole."""

    arn: str
    workers: int
    shards: tuple[ShardView, ...]


async def look(application: Application) -> StreamView:
    """Raises: SourceError, StateError."""
    snapshot = await application.store.scan()
    leases = leases_of(application, snapshot)
    listed = {shard.shard_id: shard for shard in await application.source.shards(fresh=True)}
    unread = await _look_behind(application, {name: lease for name, lease in leases.items() if name in listed})
    views = []
    for shard_id in sorted(listed.keys() | leases.keys()):
        shard, lease = listed.get(shard_id), leases.get(shard_id)
        owner = lease.owner if lease else None
        views.append(
            ShardView(
                shard_id,
                shard.parents if shard else lease.parents if lease else (),
                _state(shard),
                owner,
                owner is not None and await application.store.is_dead(owner),
                lease.checkpoint if lease else None,
                unread.get(shard_id),
            )
        )
    return StreamView(application.source.arn, len(snapshot.workers), tuple(views))


def shown_as_json(view: StreamView) -> Iterator[str]:
    for shard in view.shards:
        yield json.dumps({"stream": view.arn, **asdict(shard)})


def shown_as_table(view: StreamView, function: str | None) -> Iterator[str]:
    """`function` None = none has read the stream yet."""
    workers = f"{view.workers} worker{'' if view.workers == 1 else 's'}"
    yield f"{view.arn}{'' if function is None else f' -> {function}'}, {workers}"
    rows = [_HEAD, *map(_row, view.shards)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _row(shard: ShardView) -> tuple[str, ...]:
    owner = shard.owner or "-"
    return (
        shard.shard,
        ",".join(shard.parents) or "-",
        shard.state,
        f"{owner} (died)" if shard.owner_has_died else owner,
        shard.checkpoint or "-",
        "-" if shard.unread is None else f"{shard.unread.records:,}{'' if shard.unread.is_all else '+'}",
        "-" if shard.unread is None else f"{shard.unread.age_s:,.0f} s",
    )


def _state(shard: Shard | None) -> Literal["open", "closed", "trimmed"]:
    if shard is None:
        return "trimmed"
    return "open" if shard.is_open else "closed"


async def _look_behind(application: Application, leases: Mapping[str, Lease]) -> dict[str, Unread]:
    """What is unread of each shard whose checkpoint says where to look."""
    found: dict[str, Unread] = {}
    limit = anyio.CapacityLimiter(_LOOKS_AT_ONCE)

    async def look_into(shard_id: str, lease: Lease) -> None:
        async with limit:
            try:
                reader = application.source.reader(shard_id, position_of(lease, None))
                found[shard_id] = await _unread(reader, application.source.idle_interval_s)
            except SourceError:  # throttled, or no checkpoint of this shard: its line shows that nothing is known
                pass

    async with anyio.create_task_group() as looks:
        for shard_id, lease in leases.items():
            # Which time AT_TIMESTAMP means stands in the mapping, not in the lease.
            if not lease.is_finished and lease.checkpoint != AT_TIMESTAMP:
                looks.start_soon(look_into, shard_id, lease)
    return found | {name: Unread(0, True, 0.0) for name, lease in leases.items() if lease.is_finished}


async def _unread(reader: ShardReader, interval_s: float) -> Unread:
    for read in range(_READS):
        if read:
            await anyio.sleep(interval_s)
        page = await reader.read()
        if page.records:
            is_all = page.ended or page.behind_s == 0
            return Unread(len(page.records), is_all, max(0.0, clock.wall_time_s() - page.records[0].arrived_at))
        if page.ended or page.behind_s == 0:
            break
    return Unread(0, True, 0.0)

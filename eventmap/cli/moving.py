"""How a checkpoint is moved by hand: nobody may be reading there, or must be stopped there first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Final

import anyio

from eventmap.cli.application import leases_of
from eventmap.cli.confirming import Refused, confirm
from eventmap.cli.failure import Misuse
from eventmap.delivery.stream.loop import Application
from eventmap.errors import ConfigurationError
from eventmap.lease import Lease
from eventmap.shard import LATEST, TRIM_HORIZON, Position

_LOOK_EVERY_S: Final = 0.25
_ATTEMPTS: Final = 5


def check_position(position: str) -> None:
    """Raises: Misuse."""
    if position not in (TRIM_HORIZON, LATEST) and not position.isdecimal():
        raise Misuse(f"{position!r} is neither a sequence number nor TRIM_HORIZON nor LATEST")


async def move(application: Application, position: str, shard_id: str | None, *, yes: bool, force: bool) -> str:
    """Set the checkpoint of one shard, or of all; returns what was done.

    Raises: Refused, ConfigurationError, SourceError, StateError.
    """
    leases = await _leases(application, shard_id)
    if position.isdecimal():
        if len(leases) > 1:
            raise Misuse("a sequence number belongs to one shard: say which with --shard")
        await _check_sequence(application, next(iter(leases)), position)
    await _refuse_while_read(application, leases, force=force)
    for lease in leases.values():
        print(f"{lease.shard_id}: {lease.checkpoint} -> {position}", file=sys.stderr)
    confirm(f"Move {_count(leases)}?", yes=yes)
    for lease in leases.values():
        await _set(application, lease, position, force=force)
    return f"{_count(leases)} moved to {position}"


async def forget(application: Application, *, yes: bool, force: bool) -> str:
    """Delete all leases of the application; returns what was done. Raises: Refused, StateError."""
    leases = leases_of(application, await application.store.scan())
    if not leases:
        return "there are no checkpoints: nothing has begun here"
    await _refuse_while_read(application, leases, force=force)
    confirm(f"Forget {_count(leases)}? The next run begins at its starting position.", yes=yes)
    for lease in leases.values():
        await _delete(application, lease, force=force)
    return f"{_count(leases)} forgotten"


async def _leases(application: Application, shard_id: str | None) -> dict[str, Lease]:
    """The leases to change by shard id, those included that nobody has made yet."""
    known = leases_of(application, await application.store.scan())
    prefix = next((lease.key.removesuffix(lease.shard_id) for lease in known.values()), application.prefix)
    made = {
        shard.shard_id: Lease(
            f"{prefix}{shard.shard_id}",
            TRIM_HORIZON,
            parents=shard.parents,
            hash_range=shard.hash_range,
            stream=application.stream,
        )
        for shard in await application.source.shards(fresh=True)
    }
    leases = made | known
    if shard_id is None:
        return leases
    if shard_id not in leases:
        raise ConfigurationError(f"the stream has no shard {shard_id!r}: `eventmap streams` shows those it has")
    return {shard_id: leases[shard_id]}


async def _check_sequence(application: Application, shard_id: str, sequence: str) -> None:
    """Raises: SourceError if the shard does not know it."""
    await application.source.reader(shard_id, Position("AFTER_SEQUENCE_NUMBER", sequence=sequence)).read()


async def _refuse_while_read(application: Application, leases: Mapping[str, Lease], *, force: bool) -> None:
    """Raises: Refused if a worker reads one of the shards and still lives.

    It lives if it changes a lease, or its presence, within the time after which others would take its shards.
    """
    if force:
        return
    owners = {owner for lease in leases.values() for owner in (lease.owner, lease.checkpoint_owner) if owner}
    owners = {owner for owner in owners if not await application.store.is_dead(owner)}
    if not owners:
        return
    failover_s = application.leases.failover_s
    print(
        f"eventmap: looking for up to {failover_s:.0f} s whether {', '.join(sorted(owners))} still works",
        file=sys.stderr,
    )
    first = await _signs_of_life(application)
    with anyio.move_on_after(failover_s):
        while True:
            await anyio.sleep(_LOOK_EVERY_S)
            now = await _signs_of_life(application)
            for owner in sorted(owners):
                if now.get(owner) != first.get(owner):
                    raise Refused(f"{owner} reads there: stop it first, or add --force, which stops it there")


async def _signs_of_life(application: Application) -> dict[str, tuple[tuple[str, int], ...]]:
    """By owner: the counters that it raises while it lives."""
    snapshot = await application.store.scan()
    signs: dict[str, list[tuple[str, int]]] = {presence.worker: [("", presence.beat)] for presence in snapshot.workers}
    for lease in snapshot.leases:
        for owner in {lease.owner, lease.checkpoint_owner} - {None}:
            signs.setdefault(str(owner), []).append((lease.key, lease.counter))
    return {owner: tuple(sorted(counters)) for owner, counters in signs.items()}


async def _set(application: Application, lease: Lease, position: str, *, force: bool) -> None:
    """Take the lease, which ends whatever its owner does there, write, and give it back."""
    store, me = application.store, f"checkpoint-command-{os.getpid()}"
    await store.create([lease])
    for _ in range(_ATTEMPTS):  # a worker that is to be stopped there may change it in between
        current = await store.get(lease.key)
        if current is None or (current.owner != lease.owner and not force):
            break
        taken = await store.take(current, me)
        written = taken and await store.checkpoint(taken, position)
        if written:
            await store.release(written)
            return
    raise _changed(lease)


async def _delete(application: Application, lease: Lease, *, force: bool) -> None:
    for _ in range(_ATTEMPTS):
        if await application.store.delete(lease):
            return
        current = await application.store.get(lease.key)
        if current is None:
            return
        if not force:
            break
        lease = current  # changed by its worker, which is to lose it
    raise _changed(lease)


def _changed(lease: Lease) -> Refused:
    return Refused(f"{lease.shard_id} has changed meanwhile: stop the workers and do it again")


def _count(leases: Iterable[object]) -> str:
    count = len(list(leases))
    return f"{count} checkpoint{'' if count == 1 else 's'}"

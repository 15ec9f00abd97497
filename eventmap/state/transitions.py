"""What a change makes of a lease, the same in every store. Pure: a store only decides whether it may be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eventmap.lease import SHARD_END, Lease
from eventmap.model import JsonObject


def is_unchanged(now: Lease, then: Lease) -> bool:
    """Whether what was read `then` may still be changed: same counter, same rights (STR-197..199)."""
    return (now.counter, now.owner, now.checkpoint_owner) == (then.counter, then.owner, then.checkpoint_owner)


def taken(lease: Lease, owner: str, *, hand_over: bool) -> Lease:
    """Owned by `owner`. Handing over, whoever works on the shard now may still checkpoint (STR-197, KCL-12).

    That is the owner so far, or, where one hand-over overtakes another, the one still at it. Taking back one's own, or
    taking what is nobody's, needs no hand-over.

    A hand-over leaves the counter as it is: a KCL worker whose checkpoint meets another counter than it knows takes the
    lease for lost, with all it has not saved, and nobody ends the hand-over.
    """
    at_work = lease.checkpoint_owner or lease.owner
    switched = lease.owner is not None and lease.owner != owner
    is_handed_over = hand_over and at_work is not None and at_work != owner
    return replace(
        lease,
        owner=owner,
        counter=lease.counter + (not is_handed_over),
        checkpoint_owner=at_work if is_handed_over else None,
        owner_switches=lease.owner_switches + switched,
    )


def renewed(lease: Lease) -> Lease:
    """Alive (STR-198, KCL-11)."""
    return replace(lease, counter=lease.counter + 1)


def checkpointed(lease: Lease, checkpoint: str, window: JsonObject | None) -> Lease:
    """Done up to and including `checkpoint`, with the window that stands there; None = none does (STR-199, STR-202)."""
    return replace(
        lease, counter=lease.counter + 1, checkpoint=checkpoint, sub_sequence=0, owner_switches=0, window=window
    )


def finished(lease: Lease, children: Sequence[str]) -> Lease:
    """Done to the end of the shard, which ends its window too (KCL-13, STR-87)."""
    return replace(checkpointed(lease, SHARD_END, None), children=tuple(children))


def released(lease: Lease) -> Lease:
    """Nobody's; or, handing over, the new owner's alone (KCL-12)."""
    if lease.checkpoint_owner is not None:
        return replace(lease, counter=lease.counter + 1, checkpoint_owner=None)
    return replace(lease, counter=lease.counter + 1, owner=None)

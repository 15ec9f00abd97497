"""HeldLease: one lease in this worker's hands, and the only writer of it.

             ┌─renew, checkpoint─┐
take ──▶ held┴───────────────────┘──leaving──▶ checkpoint, release ──▶ gone
           │                                                            ▲
           ├──finish ──▶ SHARD_END ──release────────────────────────────┤
           └──another worker wrote, or none of ours did for too long ──▶ lost
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio

from eventmap.clock import elapsed_s
from eventmap.delivery.stream.ports import LeaseStore
from eventmap.errors import LeaseLost, SourceError, StateError
from eventmap.lease import Lease, checkpoint_rank
from eventmap.model import JsonObject

__all__ = ["HeldLease", "LeaseLost"]

_FIRST_RETRY_S = 0.05  # doubles with each failure in a row
_LONGEST_RETRY_S = 1.0

_Call = Callable[[Lease], Awaitable[Lease | None]]
_Holds = Callable[[Lease], bool]


class HeldLease:
    """The right of `worker` to read one shard, and the writing that goes with it: one write at a time.

    `lease` as it was taken at `taken_at_s` (the loop's clock, before the call began; None = just now). Every write
    is tried again until it is known to stand; nothing but LeaseLost comes out of one. When the right is gone `lost` is
    set, and whatever runs inside `scope` is cancelled: nothing may be written any more.
    """

    def __init__(
        self,
        lease: Lease,
        store: LeaseStore,
        worker: str,
        *,
        failover_s: float = 10.0,
        taken_at_s: float | None = None,
    ) -> None:
        self.lease: Lease = lease  #: as it stands, as far as we know
        self.lost: anyio.Event = anyio.Event()
        self.leaving: anyio.Event = anyio.Event()  #: finish the batch in flight, checkpoint, return
        self.scope: anyio.CancelScope = anyio.CancelScope()  #: to be entered once, by who reads the shard
        self.last_confirmed_s: float = elapsed_s() if taken_at_s is None else taken_at_s
        self.refusal: str | None = None  #: why nothing could be written lately: a full disk, a table out of reach
        self._store = store
        self._worker = worker
        self._failover_s = failover_s
        self._writing = anyio.Lock()
        self._is_unsure = False  # the answer to our last call never came
        self._may_land = False  # nor is it certain that such a call will not take effect yet
        self._first_call_s: float | None = None  # when the first call under the counter as we know it was made
        self._gives_up = False
        self._is_released = False

    @property
    def expires_s(self) -> float:
        """When others may take it, on the loop's clock, unless something is written before (STR-198)."""
        return self.last_confirmed_s + self._failover_s

    async def checkpoint(self, checkpoint: str, window: JsonObject | None = None) -> None:
        """Save how far the shard is done, with the window that stands there; None = none does (STR-199, STR-202).

        What lies behind the saved checkpoint is dropped: checkpoints never move backwards.
        Raises: LeaseLost; ValueError if `checkpoint` is neither a number nor a sentinel.
        """
        rank = checkpoint_rank(checkpoint)

        def stands(lease: Lease) -> bool:
            return (lease.checkpoint, lease.window) == (checkpoint, window)

        def is_past_it(lease: Lease) -> bool:
            return checkpoint_rank(lease.checkpoint) > rank

        await self._write(lambda lease: self._store.checkpoint(lease, checkpoint, window), stands, is_past_it)

    async def renew(self) -> None:
        """Show that this worker lives (STR-198). Raises: LeaseLost."""
        await self._write(self._store.renew)

    async def finish(self, children: Sequence[str]) -> None:
        """The shard is wholly done, and these came out of it; it stays held until released (KCL-13).

        Raises: LeaseLost.
        """
        await self._write(lambda lease: self._store.finish(lease, children), lambda lease: lease.is_finished)

    async def release(self) -> None:
        """Give it up: nobody's from now on, or the new owner's alone when it is handed over (KCL-12).

        Raises: LeaseLost; nothing can be written after it.
        """
        self._gives_up = True
        await self._write(self._store.release, is_last=True)

    def lose(self) -> None:
        """The right is gone: end what runs under it. Twice is fine."""
        self.lost.set()
        self.scope.cancel()

    def notice(self, lease: Lease) -> None:
        """Take in how the table shows it: handed over to another (`leaving`), or another's already (`lost`)."""
        if lease.counter < self.lease.counter or lease.owner == self._worker:
            return  # seen before our last write; or by one of ours that is not answered yet
        if lease.checkpoint_owner == self._worker:
            self.leaving.set()
        elif not self._gives_up:
            self.lose()

    async def _write(
        self, call: _Call, stands: _Holds | None = None, is_past_it: _Holds | None = None, *, is_last: bool = False
    ) -> None:
        """Until the write is known to stand, or not to be needed.

        `stands`: whether a lease shows it; None = its counter says enough. `is_past_it`: whether it shows a later one.
        """
        async with self._writing:
            wait_s = _FIRST_RETRY_S
            while True:
                self._demand_right()
                if not self._is_unsure and any(shows and shows(self.lease) for shows in (stands, is_past_it)):
                    return
                if await self._tried(call, stands, is_last=is_last):
                    self._is_released = is_last
                    return
                await anyio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_RETRY_S)

    def _demand_right(self) -> None:
        if self._is_released:
            raise LeaseLost(self.lease.key, "it was given up")
        if elapsed_s() >= self.expires_s:
            self.lose()
            raise LeaseLost(self.lease.key, f"nothing was written to it for {self._failover_s:g} s")
        if self.lost.is_set():
            raise LeaseLost(self.lease.key, "it is another worker's")

    async def _tried(self, call: _Call, stands: _Holds | None, *, is_last: bool) -> bool:
        """One call, or one look at what became of the one before: whether the write stands now."""
        only_look, self._is_unsure = self._is_unsure, True
        self._may_land |= only_look
        began_s = elapsed_s()
        if not only_look and self._first_call_s is None:
            self._first_call_s = began_s
        try:
            written = None if only_look else await call(self.lease)
            seen = written or await self._store.get(self.lease.key)
        except (SourceError, StateError) as error:
            self.refusal = str(error)
            return False
        self._is_unsure = False
        if written is not None:
            self._stands_as(written, began_s)
            return True
        return self._judged(seen, stands, is_last=is_last)

    def _stands_as(self, lease: Lease, confirmed_s: float) -> None:
        self.lease = lease
        self.last_confirmed_s = confirmed_s
        self._first_call_s = None
        self.refusal = None
        self._may_land = False  # the counter has moved on: an older call finds its condition failed

    def _judged(self, seen: Lease | None, stands: _Holds | None, *, is_last: bool) -> bool:
        """Whether the write stands, by what the table shows after a refusal or a lost answer.

        Raises: LeaseLost if nothing shown allows to go on.
        """
        before = self.lease
        if seen is None:
            self.lose()
            raise LeaseLost(before.key, "it was deleted")
        if (seen.counter, seen.owner, seen.checkpoint_owner) == (before.counter, before.owner, before.checkpoint_owner):
            return False
        shows_it = stands is not None and stands(seen)
        if seen.checkpoint_owner == self._worker and seen.owner != self._worker:  # handed over meanwhile (KCL-12)
            self.leaving.set()
            self._stands_as(seen, self.last_confirmed_s)
            return shows_it
        if seen.owner == self._worker and seen.checkpoint_owner is None and seen.counter == before.counter + 1:
            if not is_last and (stands is None or shows_it):
                # Of several calls any may be the one; others have counted from then on.
                self._stands_as(seen, self.last_confirmed_s if self._first_call_s is None else self._first_call_s)
                return True
            if self._may_land:  # an older write of ours did
                self._stands_as(seen, self.last_confirmed_s)
                return False
        elif is_last:
            return True
        self.lose()
        raise LeaseLost(before.key, f"it is {seen.owner or 'nobody'}'s")

"""Slots: the right to run one invocation, asked for before anything is received (SQS-36..39).

A function's slots are shared by its mappings. Whoever finds none waits; a freed slot goes to the mapping that holds the
fewest, so none starves. A mapping whose long poll is idle lends its slots to the others meanwhile.

    free ──reserve──▶ reserved ──take a batch──▶ running ──release──▶ free
                        │  ▲
                   lend ▼  │ recall (those nobody borrowed)
                        idle ──borrowed by another mapping──▶ reserved there
"""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import anyio.lowlevel

_YIELDS = 1  # turns of the loop a woken receive leaves to others that are just ending; costs no time


class FunctionSlots:
    """All the slots of one function. `limit` 0 = nothing ever runs (SQS-41)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0  # by all mappings, idle ones included
        self._shares: list[MappingSlots] = []
        self._waiters: list[_Waiter] = []

    def share(self, maximum_concurrency: int | None = None) -> MappingSlots:
        """The view of one mapping, which holds at most `maximum_concurrency` of them (SQS-37); None = any number."""
        share = MappingSlots(self, maximum_concurrency)
        self._shares.append(share)
        return share

    def resize(self, limit: int) -> None:
        """Another limit from now on; what is held above a lower one is given back as it ends."""
        self._limit = limit
        self._grant()

    def _free_for(self, share: MappingSlots) -> int:
        free = self._limit - self._held
        if len(self._shares) > 1:
            free += sum(other._idle for other in self._shares if other is not share)
        if share._maximum is not None or share._penalty:
            free = min(free, share.capacity - share._penalty - share._held)
        return free

    def _hold(self, share: MappingSlots, count: int) -> None:
        share._held += count
        self._held += count
        for lender in self._lenders(share):
            borrowed = min(lender._idle, self._held - self._limit)
            if borrowed <= 0:
                return
            lender._idle -= borrowed
            lender._held -= borrowed
            self._held -= borrowed

    def _lenders(self, share: MappingSlots) -> Iterator[MappingSlots]:
        return (other for other in self._shares if other is not share and other._idle)

    def _grant(self) -> None:
        """Wake waiters while there are slots: messages in hand first, then the mapping that holds the fewest."""
        while self._waiters:
            ready = [
                waiter
                for waiter in self._waiters
                if (waiter.urgent or not waiter.share._waking) and self._free_for(waiter.share) > 0
            ]
            if not ready:
                return
            chosen = min(ready, key=lambda waiter: (not waiter.urgent, waiter.share._held))
            self._waiters.remove(chosen)
            self._hold(chosen.share, 1)
            chosen.share._waking += 1
            chosen.woken.set()


class MappingSlots:
    """One mapping's way to its function's slots."""

    def __init__(self, function: FunctionSlots, maximum: int | None) -> None:
        self._function = function
        self._maximum = maximum
        self._held = 0
        self._idle = 0  # held, and lent to whoever else needs them
        self._waking = 0  # waiters granted one slot that have yet to count how many more they can have
        self._penalty = 0  # failures not yet made up for

    @property
    def held(self) -> int:
        """Slots reserved or running now."""
        return self._held

    @property
    def capacity(self) -> int:
        """How many slots this mapping can hold at most."""
        limit = self._function._limit
        return limit if self._maximum is None else min(limit, self._maximum)

    def leave(self) -> None:
        """This mapping is over: nothing of its is held, and it asks for nothing any more. Twice is fine."""
        if self in self._function._shares:
            self._function._shares.remove(self)

    async def reserve(self, upto: int, *, urgent: bool = False) -> Reservation:
        """Wait until a slot is free, then hold as many as are, 1..`upto`. `urgent`: messages are already in hand."""
        function = self._function
        count = min(upto, function._free_for(self))
        if count > 0:
            function._hold(self, count)
            return Reservation(self, count)
        waiter = _Waiter(self, urgent)
        function._waiters.append(waiter)
        try:
            await waiter.woken.wait()
        except BaseException:
            if waiter.woken.is_set():
                self._waking -= 1
                self.release()
            else:
                function._waiters.remove(waiter)
            raise
        # One was granted; the rest is counted on waking: what ended in the same moment makes one full receive.
        try:
            for _ in range(_YIELDS):
                if function._free_for(self) >= upto - 1:
                    break
                await anyio.lowlevel.checkpoint()
        except BaseException:
            self._waking -= 1
            self.release()
            raise
        self._waking -= 1
        more = max(0, min(upto - 1, function._free_for(self)))
        function._hold(self, more)
        function._grant()
        return Reservation(self, 1 + more)

    def try_reserve(self) -> Reservation | None:
        """Hold one slot if one is free now, an idle lender's included; None = there is none, and nobody waits."""
        if self._function._free_for(self) <= 0:
            return None
        self._function._hold(self, 1)
        return Reservation(self, 1)

    def release(self, count: int = 1) -> None:
        """Give slots back: an invocation ended, or a receive brought less than was reserved for."""
        self._held -= count
        self._function._held -= count
        self._function._grant()

    def slow_down(self) -> None:
        """An invocation failed: run one fewer at once from now on, never fewer than one (SQS-55)."""
        self._penalty = min(self._penalty + 1, max(0, self.capacity - 1))

    def speed_up(self) -> None:
        """An invocation succeeded: take one failure's penalty back."""
        if self._penalty:
            self._penalty -= 1
            self._function._grant()


class Reservation:
    """Slots held for one receive. Take one for each batch it makes, give back the others."""

    __slots__ = ("_lent", "_slots", "count")

    def __init__(self, slots: MappingSlots, count: int) -> None:
        self._slots = slots
        self._lent = 0
        self.count: int = count

    def lend(self) -> None:
        """Let other mappings use these slots until `recall`: the receive turned out to be an idle long poll."""
        self._lent = self.count
        self._slots._idle += self._lent
        self._slots._function._grant()

    def recall(self) -> None:
        """End the lending. What was borrowed meanwhile is no longer ours: `count` may be less, even 0."""
        kept = min(self._lent, self._slots._idle)
        self._slots._idle -= kept
        self.count -= self._lent - kept
        self._lent = 0

    def take(self) -> bool:
        """Use one slot for a batch; False = none is left."""
        if not self.count:
            return False
        self.count -= 1
        return True

    def give_back(self) -> None:
        """Release what was not taken."""
        self.recall()
        if self.count:
            count, self.count = self.count, 0
            self._slots.release(count)


class _Waiter:
    __slots__ = ("share", "urgent", "woken")

    def __init__(self, share: MappingSlots, urgent: bool) -> None:
        self.share = share
        self.urgent = urgent
        self.woken = anyio.Event()

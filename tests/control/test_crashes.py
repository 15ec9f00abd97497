"""A process may end at any moment: whatever was answered holds after the next start, and what was begun is ended."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.control.ports import PolledMapping
from eventmap.state.control_memory import MemoryControl

from .scene import STREAM, Pollers, World, world

pytestmark = pytest.mark.virtual_time

WANTED: list[tuple[str, int] | None] = [None, ("Enabled", 100), ("Enabled", 3), ("Disabled", 3), ("Enabled", 3), None]
"""(state, batch size) of the mapping before `live` and after each of its changes; None = there is none."""


class Ended(BaseException):
    """Nothing that comes after it has an effect."""


class End:
    """The end of a process, at one of its steps."""

    def __init__(self, at_step: int) -> None:
        self._left = at_step

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Ended


class EndingStore:
    """Comes to a step before each write, and after it: what is durable may not be told any more."""

    def __init__(self, inner: MemoryControl, end: End) -> None:
        self._inner = inner
        self._end = end

    async def read(self, kind: str) -> Any:
        return await self._inner.read(kind)

    async def write(self, changes: Any) -> None:
        self._end.step()
        await self._inner.write(changes)
        self._end.step()


class EndingPollers(Pollers):
    """Comes to a step before each call, and after it."""

    end: End

    async def start(self, key: str, mapping: PolledMapping) -> None:
        self.end.step()
        await super().start(key, mapping)
        self.end.step()

    async def stop(self, key: str) -> None:
        self.end.step()
        await super().stop(key)
        self.end.step()

    async def forget(self, key: str, mapping: PolledMapping) -> None:
        self.end.step()
        await super().forget(key, mapping)
        self.end.step()


async def live(there: World, told: list[str]) -> None:
    """One mapping is made, changed, disabled, enabled, deleted; what is answered is told."""
    uuid = await there.create(STREAM)
    told.append("created")
    await there.settled(uuid)
    for body in ({"BatchSize": 3}, {"Enabled": False}, {"Enabled": True}):
        await there.mappings.update(uuid, {**body})
        told.append(str(body))
        await there.settled(uuid)
    await there.mappings.delete(uuid)
    told.append("deleted")
    while there.mappings.list({})["EventSourceMappings"]:
        await anyio.sleep(0.01)


async def lived(store: MemoryControl, at_step: int) -> tuple[int, bool, Pollers]:
    """(how many changes were answered, whether the process came to its end before it was done, its pollers)."""
    end, told = End(at_step), list[str]()
    pollers = EndingPollers()
    pollers.end = end
    has_ended = False
    try:
        async with world(EndingStore(store, end), pollers=pollers) as there:
            await live(there, told)
    except* Ended:
        has_ended = True
    return len(told), has_ended, pollers


async def found(store: MemoryControl) -> tuple[tuple[str, int] | None, Pollers]:
    """What the next process makes of it, once all is settled."""
    async with world(store) as again:
        await anyio.sleep(60)
        listed: Any = again.mappings.list({})["EventSourceMappings"]
        assert len(listed) == len(await store.read("mapping")) <= 1
        polling = [each.batch_size for each in again.pollers.polling.values()]
        if not listed:
            assert polling == []
            return None, again.pollers
        [shown] = listed
        assert polling == ([shown["BatchSize"]] if shown["State"] == "Enabled" else [])
        return (shown["State"], shown["BatchSize"]), again.pollers


async def test_whenever_a_process_ends_the_next_one_goes_on_from_there() -> None:
    """At each of its steps: what was answered is so, or what was asked for after it; and a deletion forgets."""
    steps = 0
    while True:
        store = MemoryControl()
        answered, has_ended, before = await lived(store, steps)
        if not has_ended:
            break
        wanted, after = await found(store)
        assert wanted in WANTED[answered : answered + 2], f"step {steps}, {answered} answers"
        if answered == len(WANTED) - 1:
            assert "forget" in [what for what, _ in before.calls + after.calls]
        steps += 1
    assert steps > 25


async def test_a_second_end_during_the_taking_up_changes_nothing() -> None:
    """Nor does a third: each start begins with the same intent."""
    for steps in range(0, 40, 3):
        store = MemoryControl()
        answered, has_ended, _ = await lived(store, steps)
        for again in range(6):
            end = End(again)
            pollers = EndingPollers()
            pollers.end = end
            try:
                async with world(EndingStore(store, end), pollers=pollers):
                    await anyio.sleep(1)
            except* Ended:
                pass
        wanted, _ = await found(store)
        assert wanted in (WANTED[answered : answered + 2] if has_ended else [None])

"""Files that are made when there is something to keep, whoever asks first."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import anyio

from eventmap.service.when_needed import ControlWhenNeeded, PositionsWhenNeeded
from eventmap.state.positions_sqlite import SqlitePositions


async def test_positions_that_are_asked_for_side_by_side_are_those_of_the_file(tmp_path: Path) -> None:
    """Nobody gets to see a file that is open, but not read."""
    path = tmp_path / "schedules.sqlite"
    before = SqlitePositions(path)
    await before.prepare()
    await before.load(["a"])
    await before.record("a", 5)
    await before.aclose()
    found: list[Mapping[str, int]] = []

    with anyio.fail_after(30):
        async with AsyncExitStack() as stack:
            positions = PositionsWhenNeeded(path, stack)

            async def load() -> None:
                found.append(await positions.load(["a"]))

            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(load)

    assert found == [{"a": 5}] * 5


async def test_nothing_is_made_for_nothing(tmp_path: Path) -> None:
    """No schedules, no documents: no files."""
    with anyio.fail_after(30):
        async with AsyncExitStack() as stack:
            positions = PositionsWhenNeeded(tmp_path / "schedules.sqlite", stack)
            control = ControlWhenNeeded(tmp_path / "control.sqlite", stack)
            await control.prepare()
            found = (await positions.load([]), await control.read("mapping"))
            await positions.forget([])

    assert found == ({}, {})
    assert list(tmp_path.iterdir()) == []


async def test_what_is_written_side_by_side_is_in_one_file(tmp_path: Path) -> None:
    """The first mapping and the first function may come at once; a later process finds both."""
    path = tmp_path / "control.sqlite"
    with anyio.fail_after(30):
        async with AsyncExitStack() as stack:
            control = ControlWhenNeeded(path, stack)
            async with anyio.create_task_group() as tasks:
                for kind in ("mapping", "function"):
                    tasks.start_soon(control.write, {(kind, "one"): {"kind": kind}})
        async with AsyncExitStack() as stack:
            again = ControlWhenNeeded(path, stack)
            await again.prepare()
            found = {kind: await again.read(kind) for kind in ("mapping", "function")}

    assert found == {kind: {"one": {"kind": kind}} for kind in ("mapping", "function")}

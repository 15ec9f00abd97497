"""The file of event buses: it outlives the process, belongs to one, and says what is wrong with it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eventmap.errors import StateError
from eventmap.rules.bus.taken import Taken
from eventmap.state.buses_sqlite import SqliteBuses

from .test_buses_contract import delivery, event


async def opened(path: Path) -> SqliteBuses:
    store = SqliteBuses(path)
    await store.prepare()
    return store


async def test_everything_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    """Held by nobody; positions in archives go on."""
    store = await opened(tmp_path / "buses.sqlite")
    one = delivery(1)
    await store.take(Taken([one], [("a", event(1))], {("bus", "b"): {"x": 1}}))
    assert await store.due(100, 1) == [one]
    [before] = await store.archived("a", 0, 9)
    await store.forget({"a": 1_000.0}, 9)
    await store.aclose()

    store = await opened(tmp_path / "buses.sqlite")
    assert await store.due(100, 1) == [one]
    assert await store.documents() == {("bus", "b"): {"x": 1}}
    await store.take(Taken(archived=[("a", event(2))]))
    [after] = await store.archived("a", 0, 9)
    await store.aclose()

    assert after.position > before.position


async def test_one_process_at_a_time_works_on_it(tmp_path: Path) -> None:
    """The other is told who, and which option names another file."""
    store = await opened(tmp_path / "buses.sqlite")

    with pytest.raises(StateError, match=r"bus file .* is in use by process \d+: .*--buses PATH"):
        await opened(tmp_path / "buses.sqlite")

    await store.aclose()
    await (await opened(tmp_path / "buses.sqlite")).aclose()


async def test_calls_before_and_after_are_refused(tmp_path: Path) -> None:
    """With what to do."""
    store = SqliteBuses(tmp_path / "buses.sqlite")
    for call in (store.documents, lambda: store.change({}), store.next_due):
        with pytest.raises(StateError, match="is not open: prepare"):
            await call()
    await store.prepare()
    await store.aclose()
    for call in (store.documents, lambda: store.change({}), store.next_due):
        with pytest.raises(StateError, match="is not open: prepare"):
            await call()


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        ("UPDATE deliveries SET progress = x'7b'", "delivery"),
        ("UPDATE deliveries SET target = '{\"x\": 1}'", "delivery"),
        ("UPDATE archived SET event = x'00'", "event of archive 'a'"),
        ("UPDATE documents SET document = x'7b'", "bus 'b'"),
    ],
)
async def test_what_somebody_else_wrote_is_named(tmp_path: Path, spoil: str, what: str) -> None:
    """With the file and the way out."""
    store = await opened(tmp_path / "buses.sqlite")
    await store.take(Taken([delivery(1)], [("a", event(1))], {("bus", "b"): {"x": 1}}))
    with sqlite3.connect(tmp_path / "buses.sqlite") as connection:
        connection.execute(spoil)
    connection.close()

    with pytest.raises(StateError, match=f"buses.sqlite holds what cannot be read, {what}"):
        await store.due(100, 1)
        await store.archived("a", 0, 9)
        await store.documents()

    await store.aclose()

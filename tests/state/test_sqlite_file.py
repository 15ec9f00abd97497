"""Files that are not what they should be: each is refused with its name and a way out, and none is overwritten."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from eventmap.errors import StateError, StateNotFound, TransientSourceError
from eventmap.lease import Lease
from eventmap.shard import TRIM_HORIZON
from eventmap.sqlite_file import open_file, reported
from eventmap.state.lease_row import STATE_FILE
from eventmap.state.sqlite import SqliteLeases
from tests.state.conftest import unprivileged

LEASES = [Lease(f"shardId-{number:012}", TRIM_HORIZON, stream="arn:stream") for number in range(500)]


async def filled(file: Path) -> None:
    store = SqliteLeases(file, "orders")
    await store.prepare()
    await store.create(LEASES)
    await store.aclose()


async def refusal_of(file: Path) -> str:
    """What opening says; the file must be what it was."""
    before = file.read_bytes() if file.is_file() else None
    store = SqliteLeases(file, "orders")

    with pytest.raises(StateError) as refused:
        await store.prepare()

    await store.aclose()
    assert (file.read_bytes() if file.is_file() else None) == before
    assert str(file) in str(refused.value)
    return str(refused.value)


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """A configuration file given by mistake, say."""
    file = tmp_path / "eventmap.toml"
    file.write_text("[functions.orders]\n" * 100)

    assert "is not a SQLite database" in await refusal_of(file)


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """Not even its journal mode is changed."""
    file = tmp_path / "browser.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")

    assert "another program's SQLite database" in await refusal_of(file)


async def test_a_newer_versions_file_is_left_alone(tmp_path: Path) -> None:
    """What it means is not known yet."""
    file = tmp_path / "state.sqlite"
    await filled(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")

    assert "has version 2, this eventmap knows version 1" in await refusal_of(file)


async def test_an_empty_file_becomes_a_state_file(tmp_path: Path) -> None:
    """As does one that does not exist, whose folder is made."""
    empty, absent = tmp_path / "empty", tmp_path / ".eventmap" / "state.sqlite"
    empty.touch()

    await filled(empty)
    await filled(absent)

    assert empty.stat().st_size > 0
    assert absent.exists()


@pytest.mark.parametrize("name", ["state.sqlite", ".eventmap/state.sqlite", "file/state.sqlite", "dangling", "file"])
async def test_a_look_makes_no_file(tmp_path: Path, name: str) -> None:
    """Wherever it would be, even of an empty file; and nothing beside it."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    store = SqliteLeases(tmp_path / name, "orders")

    with pytest.raises(StateNotFound, match=f"{name} does not exist: nothing has been recorded there yet.*--state"):
        await store.prepare(create=False)

    await store.aclose()
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_bytes() == b""


async def test_a_look_finds_what_is_there(tmp_path: Path) -> None:
    """Also under a name that means something in an address; which applications there are, too."""
    file = tmp_path / "100%25 ready?#1.sqlite"
    await filled(file)
    store = SqliteLeases(file, "returns")
    await store.prepare(create=False)

    assert (await store.scan()).leases == ()
    assert await store.applications() == ("orders",)
    await store.create(LEASES[:1])
    assert await store.applications() == ("orders", "returns")
    await store.aclose()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("offset", [0.3, 0.6, 0.9])
async def test_a_damaged_page_is_found_at_the_start(tmp_path: Path, offset: float) -> None:
    """Wherever it lies: a lease that silently vanished would be begun anew."""
    file = tmp_path / "state.sqlite"
    await filled(file)
    content = bytearray(file.read_bytes())
    page = int(len(content) * offset) // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    file.write_bytes(content)

    assert "is damaged" in await refusal_of(file)


async def test_a_truncated_file_is_damaged(tmp_path: Path) -> None:
    """As a copy that was cut short is."""
    file = tmp_path / "state.sqlite"
    await filled(file)
    file.write_bytes(file.read_bytes()[: 4096 * 3 + 17])

    assert "is damaged" in await refusal_of(file)


async def test_a_lease_that_is_not_json_is_named(tmp_path: Path) -> None:
    """Somebody edited the file by hand."""
    file = tmp_path / "state.sqlite"
    await filled(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE leases SET parents = '[' WHERE key = ?", (LEASES[7].key,))
        connection.commit()
    store = SqliteLeases(file, "orders")
    await store.prepare()

    with pytest.raises(StateError, match=f"holds a lease that cannot be read, '{LEASES[7].key}'"):
        await store.scan()

    await store.aclose()


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Nor is a file in a folder that would need another one first."""
    assert "cannot be opened" in await refusal_of(tmp_path)
    assert "folder" in await refusal_of(tmp_path / "one" / "two" / "state.sqlite")


async def test_a_file_beneath_a_file_is_refused(tmp_path: Path) -> None:
    """Its folder cannot be made."""
    (tmp_path / "taken").touch()

    assert "cannot be" in await refusal_of(tmp_path / "taken" / "state.sqlite")


async def test_a_read_only_file_is_refused(open_folder: Path) -> None:
    """At the start, not at the first checkpoint."""
    file = open_folder / "state.sqlite"
    await filled(file)
    file.chmod(0o444)

    with unprivileged():
        said = await refusal_of(file)

    assert "cannot be written" in said


async def test_a_read_only_folder_is_refused(open_folder: Path) -> None:
    """SQLite needs a journal beside the file."""
    open_folder.chmod(0o555)

    with unprivileged():
        said = await refusal_of(open_folder / "state.sqlite")

    assert "make sure its folder exists and is writable" in said


def test_a_full_disk_is_called_full(tmp_path: Path) -> None:
    """What was there before is still there."""
    file = tmp_path / "state.sqlite"
    with closing(open_file(file, STATE_FILE)) as connection:
        ((pages,),) = connection.execute("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {pages}")

        with (
            pytest.raises(StateError, match="the disk is full; free some space") as refused,
            reported(file, STATE_FILE),
        ):
            connection.execute("INSERT INTO workers VALUES ('orders', ?, 1, 0)", ("x" * 100_000,))

        assert str(file) in str(refused.value)
        assert connection.execute("SELECT count(*) FROM workers").fetchall() == [(0,)]


def test_a_file_locked_too_long_may_be_tried_again(tmp_path: Path) -> None:
    """Nothing is wrong with it: another process is writing."""
    file = tmp_path / "state.sqlite"
    with closing(open_file(file, STATE_FILE)) as first, closing(open_file(file, STATE_FILE)) as second:
        first.execute("BEGIN IMMEDIATE")
        second.execute("PRAGMA busy_timeout = 0")

        with pytest.raises(TransientSourceError, match="locked by another process"), reported(file, STATE_FILE):
            second.execute("BEGIN IMMEDIATE")

        first.execute("ROLLBACK")


def test_str_197_a_file_made_by_many_at_once_is_everybodys(tmp_path: Path) -> None:
    """STR-197: six make each of sixty files in the same moment; none takes it for another program's, or for locked."""
    together = threading.Barrier(6, timeout=30)

    def make(file: Path) -> None:
        together.wait()
        open_file(file, STATE_FILE).close()

    with ThreadPoolExecutor(6) as threads:
        for number in range(60):
            list(threads.map(make, [tmp_path / f"state-{number}.sqlite"] * 6))


async def test_a_file_removed_while_in_use_is_noticed(tmp_path: Path) -> None:
    """SQLite would go on writing to what nobody can open any more."""
    file = tmp_path / "state.sqlite"
    store = SqliteLeases(file, "orders")
    await store.prepare()
    file.unlink()
    with pytest.raises(StateError, match="removed or replaced while in use"):
        await store.scan()
    await filled(file)

    with pytest.raises(StateError, match="removed or replaced while in use"):
        await store.scan()

    await store.aclose()


async def test_a_creation_that_fails_creates_nothing(tmp_path: Path) -> None:
    """All leases are created in one transaction."""
    file = tmp_path / "state.sqlite"
    store = SqliteLeases(file, "orders")
    await store.prepare()
    too_big = Lease("shardId-x", TRIM_HORIZON, counter=2**70)

    with pytest.raises(OverflowError):
        await store.create([LEASES[0], too_big])

    assert (await store.scan()).leases == ()
    await store.create([LEASES[0]])
    assert (await store.scan()).leases == (LEASES[0],)
    await store.aclose()

"""Where the control APIs keep what they were told: a file, or memory; kept whole, owned by one, refused if hostile."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eventmap.control.ports import ControlStore
from eventmap.errors import StateError
from eventmap.model import JsonObject
from eventmap.sqlite_file import open_file
from eventmap.state.control_memory import MemoryControl
from eventmap.state.control_sqlite import CONTROL_FILE, SqliteControl

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a control file may be made."""
    return tmp_path / "made" / "control.sqlite"


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, file: Path) -> AsyncIterator[ControlStore]:
    """An open store of each kind."""
    store: Any = SqliteControl(file) if request.param == "sqlite" else MemoryControl()
    await store.prepare()
    await store.prepare()
    yield store
    await store.aclose()
    await store.aclose()


async def test_documents_are_kept_by_kind_and_key(store: ControlStore) -> None:
    """Replaced, removed, by kind; a key may be anything."""
    document: JsonObject = {"a": [1, None, 2.5, "é"], "b": {}}
    await store.write({("mapping", "1"): document, ("function", "1"): {"x": 1}, ("mapping", "a/b'\""): {}})
    document["a"] = "changed afterwards"
    assert await store.read("mapping") == {"1": {"a": [1, None, 2.5, "é"], "b": {}}, "a/b'\"": {}}

    await store.write({("mapping", "1"): {"n": 2}, ("mapping", "a/b'\""): None, ("mapping", "never"): None})
    assert await store.read("mapping") == {"1": {"n": 2}}
    assert await store.read("function") == {"1": {"x": 1}}
    assert await store.read("alias") == {}


async def test_a_write_is_on_the_disk_when_it_returns_and_all_of_it(file: Path) -> None:
    """Synced; a document that is no JSON leaves nothing of its write behind."""
    store = SqliteControl(file)
    await store.prepare()
    with pytest.raises(TypeError):
        await store.write({("k", "1"): {}, ("k", "2"): {"x": object()}})  # type: ignore[dict-item]
    await store.write({("k", "3"): {}})

    with closing(open_file(file, CONTROL_FILE)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("SELECT kind, key FROM documents").fetchall() == [("k", "3")]
    await store.aclose()


async def test_one_process_at_a_time_owns_a_file(file: Path) -> None:
    """A second one is told who has it, and of no queue to share: there is none for this."""
    first, second = SqliteControl(file), SqliteControl(file)
    await first.prepare()
    with pytest.raises(StateError, match=rf"in use by process {os.getpid()}: stop it, or .* --control PATH$"):
        await second.prepare()
    await first.aclose()
    await second.prepare()
    await second.aclose()


async def test_a_store_that_is_not_open_says_so(file: Path) -> None:
    """Before prepare, and after aclose."""
    store = SqliteControl(file)
    for _ in range(2):
        with pytest.raises(StateError, match="is not open: prepare"):
            await store.read("mapping")
        await store.prepare()
        await store.aclose()


async def test_hostile_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    """Another program's, another version's, no database, one of another kind of ours."""
    (text := tmp_path / "text").write_text("no database, and long enough to be looked at" * 100)
    with closing(sqlite3.connect(foreign := tmp_path / "foreign")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
    with closing(open_file(newer := tmp_path / "newer", CONTROL_FILE)) as connection:
        connection.execute("PRAGMA user_version = 9")
    for path in (text, foreign, newer):
        before = path.read_bytes()
        store = SqliteControl(path)
        with pytest.raises(StateError, match="--control"):
            await store.prepare()
        await store.aclose()
        assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[1]", "null"])
async def test_a_document_that_is_none_is_told(file: Path, text: str) -> None:
    """With its kind, its key, and the way out."""
    store = SqliteControl(file)
    await store.prepare()
    await store.write({("mapping", "u-1"): {}})
    await store.aclose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE documents SET document = ?", (text,))
        connection.commit()

    await store.prepare()
    with pytest.raises(StateError, match=r"holds a mapping that cannot be read, 'u-1' .*restore the file"):
        await store.read("mapping")
    await store.aclose()


WRITER = """
import sys, anyio
from eventmap.state.control_sqlite import SqliteControl
async def work():
    store = SqliteControl(sys.argv[1])
    await store.prepare()
    number = 0
    while True:
        await store.write({("k", "a"): {"n": number}, ("k", "b"): {"n": number}})
        print(number, flush=True)
        number += 1
anyio.run(work)
"""


async def test_what_was_answered_survives_kill_9(file: Path) -> None:
    """The last write that was told is there, whole; and the file is nobody's again."""
    command = [sys.executable, "-c", WRITER, str(file)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]

    store = SqliteControl(file)
    await store.prepare()
    documents = await store.read("k")
    await store.aclose()
    assert documents["a"] == documents["b"]
    assert int(str(documents["a"]["n"])) in (told[-1], told[-1] + 1)

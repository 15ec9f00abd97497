"""The event file: durable before it answers, in groups; owned by one, looked into by others; hostile files refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from eventmap.errors import StateError, StateNotFound, TransientSourceError
from eventmap.sqlite_file import identity, open_file
from eventmap.state import events_view
from eventmap.state.event_row import EVENT_FILE, end_event, insert_event
from eventmap.state.events_sqlite import PRUNE_STEP, SqliteEvents
from eventmap.state.group_commit import GROUP_LIMIT, GroupCommit
from tests.state.conftest import unprivileged
from tests.state.events import NOW, event, failure, opened, success

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where an event file may be made."""
    return tmp_path / "events.sqlite"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqliteEvents]:
    """An open event file."""
    store = await opened(file)
    yield store
    await store.aclose()


async def filled(file: Path, count: int = 300) -> None:
    store = await opened(file)
    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(store.accept, event(f"id-{number:06}", payload=b'"%s"' % (b"x" * 500)))
    await store.aclose()


async def refusal_of(file: Path) -> str:
    """What opening says; the file must be what it was."""
    before = file.read_bytes() if file.is_file() else None
    store = SqliteEvents(file)

    with pytest.raises(StateError) as refused:
        await store.prepare()

    await store.aclose()
    assert (file.read_bytes() if file.is_file() else None) == before
    assert str(file) in str(refused.value)
    return str(refused.value)


# Groups of writes.


def commits_of(connection: sqlite3.Connection) -> list[str]:
    commits: list[str] = []
    connection.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
    return commits


async def test_inv_40_what_waits_together_is_synced_once(file: Path) -> None:
    """Thousands of writes that came during one commit need a handful, and each is answered for itself."""
    connection = open_file(file, EVENT_FILE)
    commits = commits_of(connection)
    writer = GroupCommit(connection, file, EVENT_FILE, identity(file))
    answers: list[int] = []
    all_wait = threading.Event()

    async def write(number: int) -> None:
        answers.append(await writer.write(lambda _: number))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.write, lambda _: all_wait.wait(30))
        await anyio.wait_all_tasks_blocked()
        for number in range(2_000):
            tasks.start_soon(write, number)
        await anyio.wait_all_tasks_blocked()
        all_wait.set()
    await writer.aclose()

    assert sorted(answers) == list(range(2_000))
    assert len(commits) == 1 + -(-2_000 // GROUP_LIMIT)


async def test_inv_40_a_write_that_fails_fails_alone(store: SqliteEvents) -> None:
    """The others of its group are carried out, and it alone is told."""
    refused: list[BaseException] = []
    accepted: list[str] = []

    async def accept(request_id: str, failures: int) -> None:
        try:
            if await store.accept(event(request_id, failures=failures)):
                accepted.append(request_id)
        except OverflowError as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(accept, f"id-{number}", 2**70 if number == 7 else 0)

    assert len(refused) == 1
    assert sorted(accepted) == sorted(f"id-{number}" for number in range(20) if number != 7)
    assert await store.functions() == {"orders": 19}


async def test_inv_40_a_cancelled_accept_leaves_the_store_usable(store: SqliteEvents) -> None:
    """It may have been carried out or not; nobody else is hurt."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.accept, event("id-1"))
        tasks.cancel_scope.cancel()

    assert await store.accept(event("id-2"))


async def test_inv_40_an_accept_is_on_the_disk_when_it_returns(store: SqliteEvents, file: Path) -> None:
    """Every commit is synced, and another process sees it at once."""
    with closing(open_file(file, EVENT_FILE)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

        await store.accept(event())

        assert connection.execute("SELECT request_id FROM events").fetchall() == [("id-1",)]


# Owners and operators.


async def test_one_process_at_a_time_owns_a_file(store: SqliteEvents, file: Path) -> None:
    """A second one is told who has it and what else it can do; it may have it when the first is done."""
    second = SqliteEvents(file)

    with pytest.raises(StateError, match=f"events.sqlite is in use by process {os.getpid()}: .*--events.*sqs:QUEUE"):
        await second.prepare()
    await store.accept(event())
    await store.aclose()
    await second.prepare()

    assert await second.functions() == {"orders": 1}
    await second.aclose()


async def test_kill_9_frees_the_file(file: Path) -> None:
    """Its lock goes with the process, and what it had accepted is there."""
    script = (
        "import anyio, sys\n"
        "from tests.state.events import event, opened\n"
        "async def main():\n"
        "    store = await opened(sys.argv[1])\n"
        "    await store.accept(event())\n"
        "    print('ready', flush=True)\n"
        "    await anyio.sleep(60)\n"
        "anyio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, file], cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        assert f"in use by process {process.pid}" in await in_use(file)
        process.kill()

    store = await opened(file)
    assert await store.functions() == {"orders": 1}
    await store.aclose()


async def in_use(file: Path) -> str:
    store = SqliteEvents(file)
    with pytest.raises(StateError) as refused:
        await store.prepare()
    await store.aclose()
    return str(refused.value)


async def test_a_lock_that_cannot_be_made_is_named(file: Path) -> None:
    """A folder of its name, say."""
    file.with_name("events.sqlite.lock").mkdir()

    assert "events.sqlite.lock beside the event file cannot be opened" in await in_use(file)


async def test_an_operator_needs_no_ownership(store: SqliteEvents, file: Path) -> None:
    """List, retry and drop work while the owner is at work, and it goes on."""
    for number in range(3):
        await store.accept(event(f"id-{number}", due_at=NOW + 10**9))

    assert events_view.retry(file, ["id-0"]) == {"id-0": "due now"}
    assert events_view.drop(file, ["id-1"]) == {"id-1": "dropped"}
    rows = events_view.list_events(file, limit=2)

    assert [(row.request_id, row.state) for row in rows] == [("id-0", "queued"), ("id-2", "waiting")]
    assert await store.accept(event("id-3"))


def test_an_operator_makes_no_file(file: Path) -> None:
    """A look at nothing says so."""
    for look in (
        lambda: events_view.list_events(file),
        lambda: events_view.retry(file, ["id-1"]),
        lambda: events_view.drop(file, ["id-1"]),
    ):
        with pytest.raises(StateNotFound, match=r"event file .*events\.sqlite does not exist.*--events"):
            look()

    assert not file.exists()


async def test_what_somebody_else_wrote_is_named(file: Path) -> None:
    """An event, or an end, that is not one."""
    await filled(file, 2)
    with closing(open_file(file, EVENT_FILE)) as connection:
        connection.execute("UPDATE events SET payload = 'text' WHERE request_id = 'id-000001'")
    store = await opened(file)

    with pytest.raises(StateError, match="holds an event that cannot be read, 'id-000001'"):
        await store.due("orders", NOW, 10)
    events_view.drop(file, ["id-000001"])
    [held] = await store.due("orders", NOW, 10)
    await store.end(held, failure(), ())
    await store.aclose()

    with closing(open_file(file, EVENT_FILE)) as connection:
        connection.execute("UPDATE ends SET undelivered = '['")
    with pytest.raises(StateError, match="holds an end that cannot be read"):
        events_view.list_events(file)


async def test_ends_are_forgotten_in_small_steps(store: SqliteEvents) -> None:
    """Not all at once, so that nobody waits for it; and all in the end."""
    for number in range(PRUNE_STEP + 50):
        await store.accept(event(f"id-{number}"))
    for held in await store.due("orders", NOW, PRUNE_STEP + 50):
        await store.end(held, success(), ())
    left = []
    for number in range(3):
        await store.accept(event(f"later-{number}"))
        [held] = await store.due("orders", NOW, 1)
        await store.end(held, success(ended_at=NOW + 100_000 + number), ())
        left.append(len(events_view.list_events(store.path)) - number - 1)

    assert left == [50, 0, 0]


# Hostile files.


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[functions.orders]\n" * 100, "is not a SQLite database: name another file with --events"), (None, "cannot be")],
)
async def test_what_is_no_event_file_is_left_alone(tmp_path: Path, content: bytes | None, said: str) -> None:
    """Another file, or a folder."""
    path = tmp_path / "eventmap.toml"
    path.mkdir() if content is None else path.write_bytes(content)

    assert said in await refusal_of(path)


async def test_another_database_is_left_alone(tmp_path: Path) -> None:
    """A state file, too, is another."""
    path = tmp_path / "state.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE leases (key TEXT)")

    assert "another program's SQLite database" in await refusal_of(path)


async def test_a_newer_versions_event_file_is_left_alone(file: Path) -> None:
    """What it means is not known yet."""
    await filled(file, 1)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")

    assert "event file" in (said := await refusal_of(file)) and "has version 2" in said


async def test_a_damaged_event_file_is_found_at_the_start(file: Path) -> None:
    """An event that silently vanished would be lost."""
    await filled(file)
    content = bytearray(file.read_bytes())
    page = len(content) // 2 // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    file.write_bytes(content)

    assert "is damaged: restore it from a backup, or move it away to begin without the events" in await refusal_of(file)


async def test_a_read_only_event_file_is_refused(open_folder: Path) -> None:
    """At the start, not at the first accept."""
    file = open_folder / "events.sqlite"
    await filled(file, 1)
    file.chmod(0o444)

    with unprivileged():
        assert "event file" in (said := await refusal_of(file)) and "cannot be written" in said


async def test_inv_40_a_full_disk_accepts_nothing_and_lets_what_is_owed_end(file: Path) -> None:
    """Who sent the event is told; what is there is worked off, and then there is room again."""
    await filled(file, 5)
    connection = open_file(file, EVENT_FILE)
    ((pages,),) = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    writer = GroupCommit(connection, file, EVENT_FILE, identity(file))
    large = event("large", payload=b'"%s"' % (b"x" * 100_000))

    outcomes: list[str] = []

    async def accept_large() -> None:
        with pytest.raises(StateError, match=r"events.sqlite cannot grow: the disk is full; free some space"):
            await writer.write(lambda connection: insert_event(connection, large))
        outcomes.append("refused")

    async def end_one(number: int) -> None:
        owed = event(f"id-{number:06}")
        await writer.write(lambda connection: end_event(connection, owed, success(), ()))
        outcomes.append("ended")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(accept_large)
        for number in range(5):
            tasks.start_soon(end_one, number)
    await writer.aclose()

    assert sorted(outcomes) == ["ended"] * 5 + ["refused"]
    assert [row.state for row in events_view.list_events(file)] == ["succeeded"] * 5


async def test_inv_40_a_file_removed_while_in_use_accepts_nothing(store: SqliteEvents, file: Path) -> None:
    """SQLite would go on writing to what nobody can open any more."""
    await store.accept(event())
    file.unlink()

    with pytest.raises(StateError, match="removed or replaced while in use"):
        await store.accept(event("id-2"))


async def test_inv_40_a_file_locked_too_long_accepts_nothing(file: Path) -> None:
    """Nothing is wrong with it: the sender may try again, and each of a group is told without waiting in turn."""
    connection = open_file(file, EVENT_FILE)
    connection.execute("PRAGMA busy_timeout = 1")
    writer = GroupCommit(connection, file, EVENT_FILE, identity(file))
    refused: list[TransientSourceError] = []

    async def write() -> None:
        try:
            await writer.write(lambda connection: connection.execute("SELECT 1"))
        except TransientSourceError as error:
            refused.append(error)

    with closing(open_file(file, EVENT_FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(write)
        other.execute("ROLLBACK")
    await writer.write(lambda connection: None)
    await writer.aclose()

    assert len(refused) == 3
    assert all("locked by another process" in str(error) for error in refused)


async def test_a_store_that_is_not_open_says_so(file: Path) -> None:
    """Before `prepare` and after `aclose`; both may be called twice."""
    store = SqliteEvents(file)
    with pytest.raises(StateError, match=r"is not open: prepare\(\) comes first"):
        await store.accept(event())
    with pytest.raises(StateError, match="is not open"):
        await store.next_due("orders")
    await store.prepare()
    await store.prepare()
    await store.aclose()
    await store.aclose()

    with pytest.raises(StateError, match="is not open"):
        await store.accept(event())
    with pytest.raises(StateError, match="is not open"):
        await store.due("orders", NOW, 1)

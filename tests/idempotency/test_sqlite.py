"""Entries in a file that the threads and processes of one machine share, and files that are not what they should be."""

from __future__ import annotations

import gc
import os
import random
import signal
import sqlite3
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from eventmap.errors import StateError, TransientSourceError
from eventmap.idempotency import AlreadyInProgress, SqliteStore, idempotent
from eventmap.idempotency.sqlite import FORGOTTEN_AT_ONCE
from eventmap.lease import Lease
from eventmap.rules.idempotency import CLAIM_KEPT_S, Claimed, Done
from eventmap.shard import TRIM_HORIZON
from eventmap.state.sqlite import SqliteLeases

from .worker_process import KEYS, worker_process

NOBODY = 65534
NOW = 1_785_261_234.0
MINE = Claimed("mine", NOW + 10)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "idempotency.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(file)
    yield store
    store.close()


def committed(store: SqliteStore, number: int, until_s: float) -> None:
    store.claim(f"key-{number}", Claimed(f"token-{number}", NOW + 10), NOW)
    assert store.commit(f"key-{number}", Done(f"token-{number}", until_s, str(number)))


def count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        ((entries,),) = connection.execute("SELECT count(*) FROM entries")
        return int(entries)


def test_a_result_survives_its_store(file: Path) -> None:
    """Another process, later, finds it."""
    before, after = SqliteStore(file), SqliteStore(file)
    committed(before, 1, NOW + 60)
    before.close()

    found = after.claim("key-1", MINE, NOW)

    assert found == Done("token-1", NOW + 60, "1")
    after.close()


def test_a_closed_store_opens_again(store: SqliteStore, file: Path) -> None:
    """Closing twice is no error; the last to leave leaves nothing beside the file."""
    committed(store, 1, NOW + 60)
    store.close()
    store.close()
    assert [path.name for path in file.parent.iterdir()] == [file.name]

    assert isinstance(store.claim("key-1", MINE, NOW), Done)


def test_a_store_nobody_has_any_more_is_closed(file: Path) -> None:
    """Without being told to."""
    committed(SqliteStore(file), 1, NOW + 60)
    gc.collect()

    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_what_has_expired_is_forgotten_in_small_steps(store: SqliteStore, file: Path) -> None:
    """A claim removes a few, more than it adds; a claim that expired is kept an hour for its late commit."""
    for number in range(40):
        committed(store, number, NOW + 60)
    store.claim("dead", Claimed("dead", NOW + 10), NOW)
    assert count(file) == 41

    store.claim("new-1", Claimed("new", NOW + 90), NOW + 61)

    assert count(file) == 41 + 1 - FORGOTTEN_AT_ONCE
    for number in range(2, 8):
        store.claim(f"new-{number}", Claimed("new", NOW + 90), NOW + 61)
    assert count(file) == 7 + 1
    assert store.commit("dead", Done("dead", NOW + 80, "1"))
    store.claim("new-8", Claimed("new", NOW + CLAIM_KEPT_S), NOW + 91 + CLAIM_KEPT_S)
    assert count(file) == 1


def test_threads_share_a_store(store: SqliteStore) -> None:
    """Hundreds of calls of one key at once: one runs, the others are answered."""
    runs: list[int] = []

    @idempotent(store, key="key", wait_s=30, scope="orders")
    def handler(event: dict[str, int], context: object) -> int:
        runs.append(event["key"])
        return len(runs)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: handler({"key": number % 20}, None), range(200)))

    assert sorted(runs) == list(range(20))
    assert all(answers[number] == answers[number % 20] for number in range(200))


def test_a_file_made_by_many_at_once_is_everybodys(tmp_path: Path) -> None:
    """Six stores make each of twenty files in the same moment, and of their claims one wins."""
    together = threading.Barrier(6, timeout=30)

    def claim(file: Path, number: int) -> str:
        store = SqliteStore(file)
        together.wait()
        standing = store.claim("key", Claimed(f"token-{number}", NOW + 10), NOW)
        store.close()
        return standing.token

    with ThreadPoolExecutor(6) as threads:
        for round_ in range(20):
            tokens = set(threads.map(claim, [tmp_path / f"{round_}.sqlite"] * 6, range(6)))
            assert len(tokens) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_store_may_be_used_on_both_sides_of_a_fork(store: SqliteStore) -> None:
    """The child opens the file anew, and waits for no lock that another thread of its parent held at that moment."""
    committed(store, 1, NOW + 60)
    with store._opened():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(20)
                committed(store, 2, NOW + 60)
                gc.collect()
                status = 0 if isinstance(store.claim("key-1", MINE, NOW), Done) else 2
            finally:
                os._exit(status)

    assert os.waitpid(child, 0)[1] == 0
    assert store.claim("key-2", MINE, NOW) == Done("token-2", NOW + 60, "2")
    committed(store, 3, NOW + 60)


def refusal_by(store: SqliteStore) -> str:
    """What a claim is refused with; the file is left as it was."""
    before = store.path.read_bytes() if store.path.is_file() else None
    said = refusal_by_claim(store)
    assert (store.path.read_bytes() if store.path.is_file() else None) == before
    return said


def refusal_by_claim(store: SqliteStore) -> str:
    """The file's name is in it."""
    with pytest.raises(StateError) as error:
        store.claim("key-new", MINE, NOW)
    assert str(store.path) in str(error.value)
    return str(error.value)


def test_a_file_that_is_no_database_is_left_alone(store: SqliteStore, file: Path) -> None:
    """A configuration file given by mistake, say."""
    file.write_text("[functions.orders]\n" * 100)

    assert "is not a SQLite database: name another file with SqliteStore(PATH)" in refusal_by(store)


async def test_a_state_file_is_left_alone(store: SqliteStore, file: Path) -> None:
    """It is eventmap's, and of another kind."""
    leases = SqliteLeases(file, "orders")
    await leases.prepare()
    await leases.create([Lease("shardId-0", TRIM_HORIZON)])
    await leases.aclose()

    assert "another program's SQLite database" in refusal_by(store)


def test_a_newer_versions_file_is_left_alone(store: SqliteStore, file: Path) -> None:
    """What it means is not known yet."""
    committed(store, 1, NOW + 60)
    store.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")

    assert "has version 2, this eventmap knows version 1" in refusal_by(store)


def test_a_damaged_file_is_found_where_it_is_met(store: SqliteStore, file: Path) -> None:
    """A result that silently vanished would be a second run."""
    for number in range(300):
        committed(store, number, NOW + 60)
    store.close()
    content = bytearray(file.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    file.write_bytes(content)

    assert "is damaged: restore it from a backup, or move it away" in refusal_by(store)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Nor is a file in a folder that would need another one first."""
    assert "cannot be opened" in refusal_by(SqliteStore(tmp_path))
    assert "folder" in refusal_by(SqliteStore(tmp_path / "one" / "two" / "file"))


def test_a_file_removed_while_in_use_is_noticed(store: SqliteStore, file: Path) -> None:
    """Another process would make a new one, and the key would run in both."""
    committed(store, 1, NOW + 60)
    file.unlink()

    assert "removed or replaced while in use" in refusal_by(store)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without the rights of root, who may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
def test_a_read_only_file_or_folder_is_refused() -> None:
    """With the first claim."""
    with tempfile.TemporaryDirectory() as name:  # anybody can reach it, as pytest's own cannot be
        folder = Path(name)
        folder.chmod(0o777)
        store = SqliteStore(folder / "file")
        committed(store, 1, NOW + 60)
        store.close()
        store.path.chmod(0o444)
        with unprivileged():
            assert "cannot be written" in refusal_by_claim(store)
        store.close()
        folder.chmod(0o555)
        with unprivileged():
            assert "make sure its folder exists and is writable" in refusal_by_claim(SqliteStore(folder / "other"))


def test_a_file_locked_too_long_may_be_tried_again(store: SqliteStore, file: Path) -> None:
    """Nothing is wrong with it: another process is writing. A result that stands is read all the same."""
    committed(store, 1, NOW + 60)
    assert store._connection is not None
    store._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(TransientSourceError, match=r"idempotency file .* is locked by another process"):
            store.claim("key-2", MINE, NOW)

        assert isinstance(store.claim("key-1", MINE, NOW), Done)
        other.execute("ROLLBACK")
    assert store.claim("key-2", MINE, NOW) == MINE


@pytest.mark.skipif(os.name == "nt", reason="kills processes as POSIX does")
def test_of_processes_that_are_killed_at_work_one_commits_each_key(file: Path) -> None:
    """kill -9 a dozen times, within and between handlers: each key has one result, and everybody hears that one."""
    dice = random.Random(5)
    results: defaultdict[int, set[str]] = defaultdict(set)
    begun: defaultdict[int, set[str]] = defaultdict(set)

    def heard(line: str) -> str:
        word, key, run = line.split()
        {"begun": begun, "answered": results, "retried": defaultdict(set)}[word][int(key)].add(run)
        return word

    def work(worker: str, lines: int | None) -> None:
        with worker_process(file, worker) as process:
            assert process.stdout is not None
            for number, line in enumerate(process.stdout, 1):
                heard(line)
                if number == lines:
                    process.kill()
            assert lines is not None or process.wait() == 0

    victims = [(f"victim-{number}", dice.randrange(1, 25)) for number in range(12)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda victim: work(*victim), victims))
        list(threads.map(work, ("last-1", "last-2"), (None, None)))

    assert {key: len(runs) for key, runs in results.items()} == dict.fromkeys(KEYS, 1)
    assert all(results[key] <= begun[key] for key in KEYS)
    assert sum(map(len, begun.values())) > len(KEYS)  # some ran again: their first claim died


def test_a_claim_of_a_dead_process_ends_with_its_deadline(file: Path) -> None:
    """Until then others are told how long it may take."""
    store = SqliteStore(file)
    handler = idempotent(store, key="key", scope="orders")(lambda event, context: "second")
    with worker_process(file, "victim") as process:
        assert process.stdout is not None
        _, key, _ = process.stdout.readline().split()
        process.kill()
        process.wait()

    with pytest.raises(AlreadyInProgress) as busy:
        handler({"key": int(key)}, None)

    assert 0 < busy.value.for_s < 1.6
    patient = idempotent(store, key="key", wait_s=30, scope="orders")(lambda event, context: "second")
    assert patient({"key": int(key)}, None) == "second"
    store.close()

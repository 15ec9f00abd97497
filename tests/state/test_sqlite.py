"""Leases in a file that the processes of one machine share."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest

from eventmap.errors import StateError
from eventmap.lease import Lease
from eventmap.shard import TRIM_HORIZON
from eventmap.state.sqlite import SqliteLeases

from .worker_process import APPLICATION, KEYS, said_by, worker_process

pytestmark = pytest.mark.skipif(os.name == "nt", reason="starts and stops processes as POSIX does")

LEASE = Lease(KEYS[0], TRIM_HORIZON)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


async def opened(file: Path, application: str = APPLICATION) -> SqliteLeases:
    store = SqliteLeases(file, application)
    await store.prepare()
    return store


def locks(file: Path) -> list[Path]:
    return sorted(file.parent.glob("*.lock"))


async def test_str_201_leases_survive_their_store(file: Path) -> None:
    """What was checkpointed before the file was closed is there when it is opened again."""
    before = await opened(file)
    await before.create([LEASE])
    taken = await before.take(LEASE, "a")
    assert taken is not None
    saved = await before.checkpoint(taken, "7", {"state": {"sum": 1}})
    await before.aclose()

    after = await opened(file)

    assert await after.get(LEASE.key) == saved
    await after.aclose()


async def test_applications_share_a_file_and_nothing_else(file: Path) -> None:
    """The same shard read by two functions has two leases, and their workers do not see each other."""
    orders, billing = await opened(file, "orders"), await opened(file, "billing")
    await orders.create([LEASE])
    await billing.create([LEASE])
    await orders.announce("a", 1)

    await orders.take(LEASE, "a")

    assert await billing.get(LEASE.key) == LEASE
    assert (await billing.scan()).workers == ()
    assert not await billing.is_dead("a")
    await orders.aclose()
    await billing.aclose()


async def test_str_197_processes_that_start_at_once_share_the_leases(file: Path) -> None:
    """Six make the file, the tables and the leases together; each lease is taken by exactly one."""
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(file, f"worker-{number}")) for number in range(6)]
        said = [said_by(worker) for worker in workers]
        store = await opened(file)
        leases = (await store.scan()).leases
        await store.aclose()
        for words in said:
            os.kill(int(str(words["child"])), signal.SIGKILL)

    taken = {key: f"worker-{number}" for number, words in enumerate(said) for key in list(words["taken"])}  # type: ignore[call-overload]
    assert {lease.key: lease.owner for lease in leases} == taken
    assert sorted(taken) == list(KEYS)


async def test_a_killed_worker_is_known_to_be_dead_at_once(file: Path) -> None:
    """By every other one, though a process it had started lives on; its leases can be taken, its lock is removed."""
    first, second = await opened(file), await opened(file)
    with worker_process(file, "victim") as process:
        child = int(str(said_by(process)["child"]))
        alive = await first.is_dead("victim"), [each.worker for each in (await second.scan()).workers]
        process.kill()
        process.wait()

    dead = [await first.is_dead("victim"), await second.is_dead("victim"), await first.is_dead("victim")]

    assert alive == (False, ["victim"])
    assert dead == [True, True, True]
    assert (await second.scan()).workers == ()
    assert locks(file) == []
    for lease in (await second.scan()).leases:
        assert await second.take(lease, "heir") is not None
    os.kill(child, signal.SIGKILL)
    await first.aclose()
    await second.aclose()


async def test_a_scan_notices_the_dead_by_itself(file: Path) -> None:
    """A worker that starts after the death of another does not count it, and knows whose leases are free."""
    with worker_process(file, "victim") as process:
        os.kill(int(str(said_by(process)["child"])), signal.SIGKILL)
        process.kill()
        process.wait()
    store = await opened(file)

    snapshot = await store.scan()

    assert snapshot.workers == ()
    assert {lease.owner for lease in snapshot.leases} == {"victim"}
    assert await store.is_dead("victim")
    await store.aclose()


async def test_str_198_a_stopped_worker_is_not_dead(file: Path) -> None:
    """It may wake up at any moment: only its counters tell."""
    store = await opened(file)
    with worker_process(file, "sleeper") as process:
        os.kill(int(str(said_by(process)["child"])), signal.SIGKILL)
        process.send_signal(signal.SIGSTOP)

        assert not await store.is_dead("sleeper")
        assert [each.worker for each in (await store.scan()).workers] == ["sleeper"]

    await store.aclose()


async def test_a_worker_that_withdrew_is_dead_to_those_it_left_leases(file: Path) -> None:
    """It is remembered while a lease names it and no longer; its lock goes with it."""
    store, other = await opened(file), await opened(file)
    await store.announce("a", 1)
    await store.create([LEASE])
    taken = await store.take(LEASE, "a")

    await store.withdraw("a")

    assert locks(file) == []
    assert await other.is_dead("a")
    assert taken is not None
    await other.take(taken, "b")
    await other.announce("b", 1)
    assert not await other.is_dead("a")
    await store.aclose()
    await other.aclose()


async def test_a_store_that_closes_gives_up_its_workers(file: Path) -> None:
    """Without a word to anyone, as an embedding program may end it."""
    store, other = await opened(file), await opened(file)
    await store.announce("a", 1)
    await store.aclose()

    assert (await other.scan()).workers == ()
    await other.aclose()


async def test_a_worker_whose_lock_file_was_removed_makes_it_again(file: Path) -> None:
    """It is taken for dead until its next beat, which repairs it."""
    store, other = await opened(file), await opened(file)
    await store.announce("a", 1)
    for lock in locks(file):
        lock.unlink()
    in_between = (await other.scan()).workers

    await store.announce("a", 2)

    assert in_between == ()
    assert [each.beat for each in (await other.scan()).workers] == [2]
    assert not await other.is_dead("a")
    await store.aclose()
    await other.aclose()


async def test_a_workers_name_may_hold_anything(file: Path) -> None:
    """Names become neither paths nor SQL."""
    store, other = await opened(file), await opened(file)
    names = ["../../etc/passwd", "a'; DROP TABLE leases; --", "host:1/ü\n" * 100]

    for beat, name in enumerate(names):
        await store.announce(name, beat)

    assert sorted(each.worker for each in (await other.scan()).workers) == sorted(names)
    assert [lock.parent for lock in locks(file)] == [file.parent] * 3
    await store.aclose()
    await other.aclose()


async def test_the_file_is_read_while_a_worker_writes(file: Path) -> None:
    """A command that shows the leases sees each as it stood at some moment, and stops nobody."""
    worker, command = await opened(file), await opened(file)
    await worker.create([LEASE])
    seen: list[int] = []

    async def look() -> None:
        while not seen or seen[-1] < 300:
            found = await command.get(LEASE.key)
            assert found is not None
            assert found.checkpoint == (str(found.counter) if found.counter else TRIM_HORIZON)
            seen.append(found.counter)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        lease = LEASE
        for number in range(1, 301):
            written = await worker.checkpoint(lease, str(number))
            assert written is not None
            lease = written

    assert seen == sorted(seen)
    await worker.aclose()
    await command.aclose()


async def test_a_store_is_used_between_prepare_and_aclose(file: Path) -> None:
    """Anything else says so; both may be repeated."""
    store = SqliteLeases(file, APPLICATION)
    with pytest.raises(StateError, match="is not open"):
        await store.scan()
    await store.prepare()
    await store.prepare()
    await store.aclose()
    await store.aclose()

    with pytest.raises(StateError, match="is not open"):
        await store.get(LEASE.key)

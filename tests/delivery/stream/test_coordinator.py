"""The sharing of shards between workers: STR-151..158, STR-192..201, STR-213, KCL-12, KCL-13, KCL-20."""

from __future__ import annotations

import anyio
import pytest

from eventmap.clock import elapsed_s
from eventmap.errors import ConfigurationError
from eventmap.lease import SHARD_END, Lease
from eventmap.rules.leases import LeaseSettings
from eventmap.shard import Shard

from .fleet import STREAM, fleet, until

pytestmark = pytest.mark.virtual_time


# Sharing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_s", [0.0, 0.1])
async def test_str_195_the_first_worker_soon_reads_everything(delay_s: float) -> None:
    """STR-195: within two seconds, answers that take up to 0.2 s included; a stale announcement holds up nobody."""
    async with fleet("abcdefgh") as scene:
        scene.table.workers["crashed"] = 17
        worker = scene.begin("w1", delay_s=delay_s)

        assert await until(lambda: len(scene.readers()) == 8) <= 2
        assert (worker.leases_taken, len(worker.held), worker.is_settled) == (8, 8, True)
        assert {reading.start for reading in scene.readings} == {"TRIM_HORIZON"}
        assert {lease.owner for lease in worker.snapshot.leases} == {None}  # as the last look found them


async def test_str_20_200_latest_begins_with_the_youngest() -> None:
    """STR-20, STR-200: what had been closed before is not read."""
    async with fleet((Shard("a", is_open=False), Shard("b", ("a",)), Shard("c", ("a",))), start="LATEST") as scene:
        scene.begin("w1")
        await anyio.sleep(5)

        assert scene.readers() == {"b": "w1", "c": "w1"}


async def test_str_196_a_second_worker_gets_its_half_by_hand_over() -> None:
    """STR-196, KCL-12: within ten seconds; each shard is left after its batch, saved, and never read by both."""
    async with fleet("abcdefghi") as scene:
        first = scene.begin("w1")
        await anyio.sleep(30)
        second = scene.begin("w2")

        assert await until(lambda: scene.sizes() == {"w1": 5, "w2": 4}) <= 10
        await anyio.sleep(60)
        assert scene.sizes() == {"w1": 5, "w2": 4}
        assert (first.hand_overs, first.leases_lost, second.leases_taken) == (4, 0, 4)
        assert scene.overlaps() == []
        assert all(scene.checkpoints(key) == list(range(1, len(scene.checkpoints(key)) + 1)) for key in "abcdefghi")


async def test_str_193_workers_that_start_together_share_and_then_rest() -> None:
    """STR-193..196: ten workers, 25 shards; within two failover times all have two or three, and nothing moves."""
    shards = tuple(Shard(f"s{n:02}") for n in range(25))
    async with fleet(shards) as scene:
        for number in range(10):
            scene.begin(f"w{number}", delay_s=0.05, seed=number)
        await until(lambda: len(scene.readers()) == 25 and sorted(scene.sizes().values()) == [2] * 5 + [3] * 5, 20)
        settled = len(scene.readings)
        await anyio.sleep(120)

        assert len(scene.readings) == settled
        assert scene.overlaps() == []


async def test_str_193_more_workers_than_shards() -> None:
    """STR-193: one has nothing to do, and takes nothing from anybody."""
    async with fleet("ab") as scene:
        for worker in ("w1", "w2", "w3"):
            scene.begin(worker)
        await anyio.sleep(60)
        settled = len(scene.readings)
        await anyio.sleep(60)

        assert sorted(scene.sizes().values()) == [1, 1]
        assert len(scene.readings) == settled


# Ends of workers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failover_s", "within_s"), [(10.0, 12.0), (3.0, 4.0)])
async def test_str_192_201_the_shards_of_a_killed_worker_are_read_again(failover_s: float, within_s: float) -> None:
    """STR-192, STR-201: soon after the failover time, from the last checkpoint on."""
    async with fleet("abcdef", settings=LeaseSettings(failover_s)) as scene:
        scene.begin("w1", delay_s=0.05)
        scene.begin("w2", delay_s=0.05)
        await anyio.sleep(31.7)
        left = [key for key, worker in scene.readers().items() if worker == "w2"]
        scene.kill("w2")
        took = await until(lambda: set(scene.readers().values()) == {"w1"} and len(scene.readers()) == 6)

        assert len(left) == 3
        assert failover_s - 4 <= took <= within_s
        for key in left:
            again = next(each for each in scene.readings if (each.key, each.worker) == (key, "w1") and not each.ended)
            assert int(again.start) == max(n for each, worker, n in scene.written if (each, worker) == (key, "w2"))


async def test_str_192_kcl_21_clocks_that_are_far_apart_change_nothing() -> None:
    """STR-192: workers that go by clocks an hour behind and a day ahead share, and miss the one that dies."""
    async with fleet("abcdef") as scene:
        for worker, skew_s in (("w1", -3_600.0), ("w2", 0.0), ("w3", 86_400.0)):
            scene.begin(worker, clock_skew_s=skew_s)
        await until(lambda: scene.sizes() == {"w1": 2, "w2": 2, "w3": 2})
        await anyio.sleep(60)
        assert scene.sizes() == {"w1": 2, "w2": 2, "w3": 2}
        assert len(scene.readings) == 6

        scene.kill("w3")

        assert await until(lambda: scene.sizes() == {"w1": 3, "w2": 3}) <= 12


async def test_str_192_a_worker_known_to_be_dead_is_not_waited_for() -> None:
    """STR-192: on one machine a death can be known; what it read is read again within a second."""
    async with fleet("abcd") as scene:
        scene.begin("w1")
        scene.begin("w2")
        await anyio.sleep(30)
        scene.kill("w2")
        scene.table.dead.add("w2")

        assert await until(lambda: scene.sizes() == {"w1": 4}) <= 1


async def test_str_198_a_pause_longer_than_the_lease_ends_the_reading_at_once() -> None:
    """STR-198: cut off from the table, a worker stops before another begins, and writes nothing more."""
    async with fleet("abcd") as scene:
        first = scene.begin("w1")
        second = scene.begin("w2")
        await anyio.sleep(30)
        scene.stores["w1"].is_reachable = False
        await until(lambda: scene.sizes() == {"w2": 4}, within_s=12)
        scene.stores["w1"].is_reachable = True
        await until(lambda: scene.sizes() == {"w1": 2, "w2": 2}, within_s=15)

        assert scene.overlaps() == []
        assert (first.leases_lost, second.leases_lost) == (2, 0)
        assert all(scene.checkpoints(key) == sorted(scene.checkpoints(key)) for key in "abcd")


async def test_str_198_a_lease_that_is_anothers_is_left_at_the_next_look() -> None:
    """STR-198: the reading is cancelled though nothing was to be written; the new owner's lease is not touched."""
    async with fleet("ab", batch_s=1_000) as scene:
        worker = scene.begin("w1")
        await anyio.sleep(5)
        taken = scene.edit("a", owner="kcl")
        await anyio.sleep(1)

        assert scene.readers() == {"b": "w1"}
        assert (worker.leases_lost, scene.table.leases["a"]) == (1, taken)


async def test_str_213_a_drained_worker_is_replaced_within_a_second() -> None:
    """STR-213: SIGTERM; batches end, checkpoints are saved, and the others are told by what the table shows."""
    async with fleet("abcdef") as scene:
        leaver = scene.begin("w1")
        scene.begin("w2")
        await anyio.sleep(30)
        await leaver.drain(10)
        assert set(scene.readers().values()) == {"w2"}
        took = await until(lambda: scene.sizes() == {"w2": 6})

        assert took <= 1
        assert (leaver.leases_lost, dict(leaver.held), list(scene.table.workers)) == (0, {}, ["w2"])
        assert scene.overlaps() == []


async def test_str_213_while_it_drains_nothing_is_dealt_to_a_worker() -> None:
    """STR-213: one shard takes long to leave; the others are read elsewhere at once, all of them."""
    async with fleet("abcdef", slow={"a": 20.0}) as scene:
        scene.begin("w1")
        scene.begin("w2")
        await anyio.sleep(50)
        slow = scene.readers()["a"]
        leaver = scene.coordinators[slow]
        scene.tasks.start_soon(leaver.drain, 60)
        await anyio.sleep(1.5)

        assert scene.sizes() == {slow: 1, "w1" if slow == "w2" else "w2": 5}


async def test_str_213_what_does_not_end_in_time_is_cut_short_and_given_up() -> None:
    """STR-213: the drain is over when its budget is, plus what it takes to write that down."""
    async with fleet("ab", batch_s=1_000) as scene:
        worker = scene.begin("w1")
        await anyio.sleep(5)
        began = elapsed_s()
        await worker.drain(3)

        assert 3 <= elapsed_s() - began <= 3.1
        assert [(lease.owner, lease.checkpoint) for lease in scene.table.leases.values()] == [
            (None, "TRIM_HORIZON")
        ] * 2


async def test_str_213_a_drain_without_a_table_is_bounded() -> None:
    """STR-213: what cannot be given up expires by itself; draining twice, or before the start, is fine."""
    async with fleet("ab") as scene:
        worker = scene.begin("w1")
        idle = scene.coordinator("w2")
        await anyio.sleep(5)
        scene.stores["w1"].is_reachable = False
        began = elapsed_s()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker.drain, 3)
            tasks.start_soon(worker.drain, 3)
        await worker.drain(3)
        await idle.drain(3)
        await idle.run()

        assert elapsed_s() - began <= 5.1


# Reshards ------------------------------------------------------------------------------------------------------------


async def test_str_151_kcl_13_a_split_is_followed_in_order() -> None:
    """STR-151, KCL-13: children after their parent's end, from the horizon, at once; SHARD_END names them."""
    async with fleet("ab") as scene:
        scene.begin("w1")
        scene.begin("w2")
        await anyio.sleep(30)
        scene.stream.reshard("a", "xy")
        closed = elapsed_s()
        await until(lambda: {"x", "y"} <= scene.readers().keys())

        assert elapsed_s() - closed <= 2
        parent = scene.table.leases["a"]
        assert (parent.checkpoint, parent.owner, set(parent.children)) == (SHARD_END, None, {"x", "y"})
        ended = max(each.ended or 0 for each in scene.readings if each.key == "a")
        assert all(each.began >= ended and each.start == "TRIM_HORIZON" for each in scene.readings if each.key in "xy")
        await anyio.sleep(5)
        assert sorted(scene.sizes().values()) == [1, 2]


async def test_str_151_158_a_merged_shard_waits_for_both_parents() -> None:
    """STR-151, STR-158: one parent is read to its end long before the other, on two workers."""
    async with fleet("ab", slow={"b": 20.0}) as scene:
        scene.begin("w1")
        scene.begin("w2")
        await anyio.sleep(30)
        scene.stream.reshard("ab", "m")
        await until(lambda: "m" in scene.readers(), within_s=60)

        ended = {key: max(each.ended or 0 for each in scene.readings if each.key == key) for key in "ab"}
        assert ended["b"] - ended["a"] > 5
        assert max(ended.values()) <= scene.first("m") <= max(ended.values()) + 2


async def test_str_151_158_parents_that_end_at_the_same_moment() -> None:
    """STR-156: each worker sees the other's shard unfinished; the next listing soon mends that."""
    async with fleet("ab") as scene:
        scene.begin("w1", delay_s=0.3, seed=1)
        scene.begin("w2", delay_s=0.3, seed=2)
        await anyio.sleep(30)
        scene.stream.reshard("ab", "m")

        assert await until(lambda: "m" in scene.readers()) <= 5


async def test_str_156_a_lineage_that_grew_unseen_is_read_generation_by_generation() -> None:
    """STR-156: four generations after the last worker left; each once, in order, whoever reads."""
    async with fleet("a") as scene:
        first = scene.begin("w1")
        await anyio.sleep(5)
        await first.drain(5)
        for parent, child in ("ab", "bc", "cd", "de"):
            scene.stream.reshard(parent, child)
        scene.begin("w2")
        scene.begin("w3")
        await until(lambda: scene.readers().keys() == {"e"}, within_s=30)

        order = [reading.key for reading in scene.readings if reading.worker != "w1"]
        assert order == list("abcde")


async def test_str_156_children_listed_late_are_found_soon() -> None:
    """STR-156: the parent has ended, the listing does not show its children yet."""
    async with fleet("a") as scene:
        worker = scene.begin("w1")
        await anyio.sleep(5)
        scene.stream.reshard("a", "")
        await until(lambda: scene.table.leases["a"].is_finished)
        assert not worker.is_settled
        await anyio.sleep(3)
        assert worker.is_settled
        scene.stream.reshard("a", "b")

        assert await until(lambda: scene.readers() == {"b": "w1"}) <= 5


async def test_str_188_200_finished_leases_go_when_their_children_are_read() -> None:
    """STR-200: by the first worker alone, within a minute or two; the youngest generation stays."""
    async with fleet("a") as scene:
        scene.begin("w1")
        scene.begin("w2")
        await anyio.sleep(5)
        scene.stream.reshard("a", "bc")
        await anyio.sleep(130)

        assert scene.table.leases.keys() == {"b", "c"}
        assert scene.sizes() == {"w1": 1, "w2": 1}


async def test_str_156_187_shards_are_listed_now_and_then_by_one_worker() -> None:
    """STR-156: once a minute by the first by name, rarely by the others; a new shard of any origin is found."""
    async with fleet("ab") as scene:
        for worker in ("w1", "w2", "w3"):
            scene.begin(worker)
        await anyio.sleep(60)
        scene.stream.listed.append(Shard("z"))
        assert await until(lambda: "z" in scene.readers()) <= 61
        before = scene.stream.listings
        await anyio.sleep(600)

        assert 20 <= scene.stream.listings - before <= 2 * (10 + 2 * 2) + 2


# Trouble -------------------------------------------------------------------------------------------------------------


async def test_str_191_197_198_lost_answers_and_throttling_change_nothing() -> None:
    """STR-197..199: a fifth of all answers is lost, a fifth of all calls refused: no shard is read twice or dropped."""
    async with fleet("abcdef") as scene:
        for number in (1, 2, 3):
            scene.begin(f"w{number}", seed=number, lost_answers=0.2, throttle=0.2, delay_s=0.02)
        await anyio.sleep(60)
        scene.stream.reshard("a", "xy")
        scene.stream.reshard("bc", "m")
        await anyio.sleep(60)

        assert scene.readers().keys() == set("xymdef")
        assert scene.sizes() == {"w1": 2, "w2": 2, "w3": 2}
        assert scene.overlaps() == []
        assert all(scene.stores[worker].injected["lost_answers"] > 10 for worker in scene.stores)
        for key in "abcdefxym":
            assert scene.checkpoints(key) == list(range(1, len(scene.checkpoints(key)) + 1)), key


async def test_str_201_a_reading_that_fails_is_begun_again_and_the_others_go_on() -> None:
    """STR-201: the lease is given up, and taken again after a while that grows."""
    async with fleet("ab") as scene:
        scene.begin("w1")
        await anyio.sleep(5)
        scene.broken.add("a")
        await anyio.sleep(20)
        failed = [each.began for each in scene.readings if each.key == "a"]
        scene.broken.clear()
        await until(lambda: "a" in scene.readers())

        assert 4 <= len(failed) <= 8
        assert scene.readings[1].ended is None
        assert scene.checkpoints("a") == list(range(1, len(scene.checkpoints("a")) + 1))


async def test_str_198_an_unreachable_stream_ends_no_loop() -> None:
    """STR-198: shards cannot be listed when one ends; it stays ours, and is finished when they can."""
    async with fleet("ab") as scene:
        worker = scene.begin("w1")
        await anyio.sleep(5)
        scene.stream.is_reachable = False
        scene.stream.reshard("a", "c")
        await anyio.sleep(30)
        assert scene.table.leases["a"].owner == "w1"
        scene.stream.is_reachable = True

        assert await until(lambda: scene.readers() == {"b": "w1", "c": "w1"}) <= 31
        assert worker.leases_lost == 0


async def test_str_156_begins_when_stream_and_table_can_be_reached() -> None:
    """STR-156: a worker that starts first waits for them."""
    async with fleet("a") as scene:
        scene.stream.is_reachable = False
        scene.begin("w1")
        await anyio.sleep(10)
        scene.stream.is_reachable = True
        await until(lambda: scene.readers() == {"a": "w1"}, within_s=31)


# Others' workers -----------------------------------------------------------------------------------------------------


async def test_kcl_20_leases_a_foreign_worker_keeps_raising_are_never_taken() -> None:
    """KCL-20: not for twenty failover times; taken soon after it has stopped."""
    async with fleet("abcd") as scene:
        for key in "ab":
            scene.table.put(Lease(key, "TRIM_HORIZON", "kcl", counter=5))
        scene.begin("w1")
        for _ in range(60):
            await anyio.sleep(3.3)
            for key in "ab":
                scene.edit(key)
        assert scene.readers() == {"c": "w1", "d": "w1"}

        assert 9 <= await until(lambda: scene.sizes() == {"w1": 4}) <= 12


async def test_str_189_kcl_12_a_leader_of_the_kcl_hands_our_lease_to_another() -> None:
    """KCL-12: our last checkpoint is saved after the hand-over began, then the lease is the new owner's alone."""
    async with fleet("ab", batch_s=2.5) as scene:
        worker = scene.begin("w1")
        await anyio.sleep(21)
        scene.edit("a", owner="kcl", checkpoint_owner="w1")
        await until(lambda: "a" not in scene.readers(), within_s=5)
        await anyio.sleep(0.1)

        lease = scene.table.leases["a"]
        assert (lease.owner, lease.checkpoint_owner) == ("kcl", None)
        assert lease.checkpoint == str(scene.checkpoints("a")[-1])
        assert (worker.hand_overs, worker.leases_lost) == (1, 0)


async def test_kcl_12_21_a_leader_of_the_kcl_gives_a_lease_to_us() -> None:
    """KCL-12, KCL-21: read when the old owner has given it up, not before, and from its last checkpoint."""
    async with fleet("ab") as scene:
        scene.table.put(Lease("a", "3", "kcl", counter=5))
        scene.begin("w1")
        await anyio.sleep(2)
        scene.edit("a", owner="w1", checkpoint_owner="kcl")
        for checkpoint in range(4, 9):
            await anyio.sleep(3)
            scene.edit("a", checkpoint=str(checkpoint))
            assert scene.readers() == {"b": "w1"}
        scene.edit("a", checkpoint_owner=None)

        assert await until(lambda: scene.readers() == {"a": "w1", "b": "w1"}) <= 1
        assert next(each.start for each in scene.readings if each.key == "a") == "8"


async def test_kcl_12_a_lease_asked_of_us_before_we_began_goes_on_at_once() -> None:
    """KCL-12: it came to us and was wanted elsewhere before we had seen it."""
    async with fleet("ab") as scene:
        scene.begin("w1")
        await anyio.sleep(2)
        scene.table.put(Lease("c", "3", "kcl", counter=5, checkpoint_owner="w1"))
        await anyio.sleep(1)

        assert (scene.table.leases["c"].owner, scene.table.leases["c"].checkpoint_owner) == ("kcl", None)


async def test_str_213_a_lease_that_arrives_during_the_drain_is_given_back() -> None:
    """STR-213: asked for by us, given up by its owner when we no longer wanted it."""
    async with fleet("a") as scene:
        worker = scene.begin("w1")
        await anyio.sleep(2)
        scene.table.put(Lease("b", "3", "w1", counter=5))
        await worker.drain(5)

        assert {lease.owner for lease in scene.table.leases.values()} == {None}


@pytest.mark.parametrize(
    "foreign",
    [
        Lease("1:other:7:a", "TRIM_HORIZON"),
        Lease("a", "7", stream="arn:aws:kinesis:us-east-1:1:stream/other"),
        Lease("a", "7", hash_range=("0", "5")),
    ],
)
async def test_str_160_169_a_table_of_another_application_is_refused_before_any_write(foreign: Lease) -> None:
    """STR-160, STR-169: by the form of its keys, by stream, by hash ranges."""
    async with fleet((Shard("a", hash_range=("0", "9")),)) as scene:
        scene.table.put(foreign)
        worker = scene.coordinator("w1")

        with pytest.raises(ConfigurationError, match="another application"):
            await worker.prepare()
        assert scene.table.leases == {foreign.key: foreign}
        assert set(scene.table.calls) == {"scan"}


async def test_str_160_leases_under_another_prefix_are_other_streams() -> None:
    """STR-160: neither refused nor touched."""
    async with fleet("a", prefix="1:s:7:") as scene:
        other = Lease("1:t:7:a", "TRIM_HORIZON")
        scene.table.put(other)
        worker = scene.begin("w1")
        await anyio.sleep(5)

        assert scene.table.leases.keys() == {other.key, "1:s:7:a"}
        assert scene.table.leases[other.key] == other
        assert [lease.key for lease in worker.snapshot.leases] == ["1:s:7:a"]
        assert scene.readers() == {"1:s:7:a": "w1"}


async def test_kcl_21_workers_long_gone_are_forgotten() -> None:
    """KCL-21: an announcement nobody renews for ten minutes is removed; a living one's stays."""
    async with fleet("a") as scene:
        scene.table.workers["crashed"] = 3
        scene.begin("w1")
        scene.begin("w2")
        await anyio.sleep(800)

        assert scene.table.workers.keys() == {"w1", "w2"}


# What it costs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch_s", "renewals"), [(1.0, 0), (100.0, 15)])
async def test_str_198_a_checkpoint_saves_a_renewal(batch_s: float, renewals: int) -> None:
    """STR-198: both raise the counter; only an idle shard costs renewals, 15 a minute."""
    async with fleet("abcd", batch_s=batch_s) as scene:
        scene.begin("w1")
        await anyio.sleep(10)
        before = scene.table.calls["renew"]
        await anyio.sleep(60)

        assert (scene.table.calls["renew"] - before) / 4 == pytest.approx(renewals, abs=1)


async def test_str_160_every_lease_carries_the_streams_identity() -> None:
    """STR-160: so that a table used for another stream is noticed."""
    async with fleet("ab") as scene:
        scene.begin("w1")
        await anyio.sleep(1)

        assert {lease.stream for lease in scene.table.leases.values()} == {STREAM}

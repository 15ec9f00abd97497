"""Archives and replays: what is kept, for how long, and how it comes back."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.clock import wall_time_s
from eventmap.delivery.bus.engine import BusEngine
from eventmap.delivery.bus.replaying import DUE_LIMIT, STEP
from eventmap.errors import BusRefusal, StateError, TransientSourceError
from eventmap.rules.bus.taken import Taken
from eventmap.state.buses_memory import MemoryBuses

from .scene import FUNCTION, QUEUE, REGION, Scene

pytestmark = pytest.mark.virtual_time
BUS = REGION.bus_arn("default")
DAY_S = 86_400


async def archive(scene: Scene, name: str = "a", **request: Any) -> Any:
    return await scene.call("CreateArchive", ArchiveName=name, EventSourceArn=BUS, **request)


async def replay(scene: Scene, name: str = "p", *, start: float = 0, end: float = 4e9, **destination: Any) -> Any:
    return await scene.call(
        "StartReplay",
        ReplayName=name,
        EventSourceArn=REGION.archive_arn("a"),
        EventStartTime=start,
        EventEndTime=end,
        Destination={"Arn": BUS, **destination},
    )


async def state(scene: Scene, name: str = "p") -> str:
    described: Any = await scene.call("DescribeReplay", ReplayName=name)
    return str(described["State"])


async def test_an_archive_keeps_what_its_pattern_matches() -> None:
    """Or everything without one; whether or not any rule matches."""
    scene = Scene()
    async with scene.running() as engine:
        await archive(scene, EventPattern='{"detail":{"n":[{"numeric":[">",1]}]}}')
        await archive(scene, "all")
        await scene.put({"n": 1}, {"n": 2}, {"n": 3})
        sizes = await engine.archive_sizes()

    assert {name: count for name, (count, _) in sizes.items()} == {"a": 2, "all": 3}
    assert all(size > 0 for _, size in sizes.values())
    assert engine.statistics.archived == 5


async def test_a_replay_brings_archived_events_back_under_its_name() -> None:
    """The same events, in order, with `replay-name`; they are not archived once more."""
    scene = Scene()
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await archive(scene)
        await scene.put(*({"n": number} for number in range(5)))
        await engine.idle()
        first = scene.endpoints[QUEUE].documents
        answer = await replay(scene)
        assert answer["State"] == "STARTING"
        await engine.idle()
        described: Any = await scene.call("DescribeReplay", ReplayName="p")
        sizes = await engine.archive_sizes()

    again = scene.endpoints[QUEUE].documents[5:]
    assert again == [{**document, "replay-name": "p"} for document in first]
    assert list(again[0])[6:] == ["region", "replay-name", "resources", "detail"]
    assert (described["State"], described["EventLastReplayedTime"]) == ("COMPLETED", 1_767_225_600)
    assert described["ReplayEndTime"] >= described["ReplayStartTime"]
    assert sizes["a"][0] == 5
    assert engine.statistics.replayed == 5
    # A function of this process runs for each: they are not taken for repetitions.
    assert len({parcel.request_id for _, parcel in scene.endpoints[QUEUE].parcels}) == 10


async def test_what_a_replay_sends_on_to_another_bus_is_not_archived_there() -> None:
    """By archives with a pattern and without."""
    scene = Scene()
    async with scene.running() as engine:
        await scene.call("CreateEventBus", Name="b")
        await scene.rule(REGION.bus_arn("b"))
        await scene.rule(QUEUE, bus="b")
        await archive(scene)
        for name, pattern in (("b1", {}), ("b2", {"EventPattern": '{"source":["shop"]}'})):
            await scene.call("CreateArchive", ArchiveName=name, EventSourceArn=REGION.bus_arn("b"), **pattern)
        await scene.put({"n": 1})
        await engine.idle()
        await replay(scene)
        await engine.idle()
        sizes = await engine.archive_sizes()

    assert [document.get("replay-name") for document in scene.endpoints[QUEUE].documents] == [None, "p"]
    assert {name: count for name, (count, _) in sizes.items()} == {"a": 1, "b1": 1, "b2": 1}


async def test_a_replay_has_a_time_window_and_may_name_rules() -> None:
    """From the start on, up to the end; only the rules of FilterArns."""
    scene = Scene()
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        only = await scene.rule(
            FUNCTION, name="only", EventPattern='{"source":["shop"],"replay-name":[{"exists":true}]}'
        )
        await archive(scene)
        for second in range(4):
            await scene.put({"n": second}, Time=1_700_000_000 + second)
        await replay(scene, start=1_700_000_001, end=1_700_000_003, FilterArns=[only])
        await engine.idle()

    assert scene.endpoints[FUNCTION].details == [{"n": 1}, {"n": 2}]
    assert len(scene.endpoints[QUEUE].parcels) == 4


async def test_a_replay_that_is_cut_off_goes_on_where_it_was() -> None:
    """No event is lost, and none is brought twice."""
    scene = Scene()
    async with scene.prepared():
        await scene.rule(FUNCTION, EventPattern='{"replay-name":["p"]}')
        await archive(scene)
        for start in range(0, 3 * STEP + 50, 10):
            await scene.put(*({"n": number} for number in range(start, start + 10)))
        await replay(scene)
    lives = 0

    class Mortal(MemoryBuses):
        """Its process dies after each step of a replay."""

        async def take(self, taken: Taken) -> None:
            await super().take(taken)
            if ("replay", "p") in taken.changes:
                died.set()
                raise TransientSourceError("its answer was never heard")

    while True:
        lives += 1
        scene.restart()
        died = anyio.Event()
        store = Mortal()
        store.__dict__.update(scene.store.__dict__)
        scene.store = store
        async with scene.prepared() as engine, anyio.create_task_group() as tasks:
            done = (await state(scene)) == "COMPLETED"
            if not done:
                await tasks.start(engine.run)
                await died.wait()
            tasks.cancel_scope.cancel()
        if done:
            break
    scene.restart()
    async with scene.running() as engine:
        await engine.idle()

    numbers = [detail["n"] for detail in scene.endpoints[FUNCTION].details]
    assert lives > 4
    assert set(numbers) == set(range(3 * STEP + 50))
    ids = {parcel.request_id for _, parcel in scene.endpoints[FUNCTION].parcels}
    assert len(ids) == 3 * STEP + 50


async def test_a_replay_can_be_cancelled() -> None:
    """What it brought stays so; one that has ended cannot be."""
    scene = Scene()
    async with scene.prepared() as engine:
        await scene.rule(QUEUE)
        await archive(scene)
        await scene.put({})
        await replay(scene)
        assert (await scene.call("CancelReplay", ReplayName="p"))["State"] == "CANCELLING"
    async with scene.running() as engine:
        await engine.idle()
        assert await state(scene) == "CANCELLED"
        with pytest.raises(BusRefusal, match="Replay p is not in a valid state") as refused:
            await scene.call("CancelReplay", ReplayName="p")

    assert refused.value.error_type == "IllegalStatusException"
    assert len(scene.endpoints[QUEUE].parcels) == 1


async def test_replays_go_one_after_the_other_and_a_cancelled_one_does_not_wait() -> None:
    """In the order in which they were started."""
    scene = Scene()
    scene.store = Slow()
    async with scene.prepared() as engine:
        await scene.rule(QUEUE, EventPattern='{"replay-name":[{"exists":true}]}')
        await archive(scene)
        await scene.put(*({"n": number} for number in range(10)))
        for name in ("z", "b", "c"):
            await replay(scene, name)
            await anyio.sleep(1)
        await scene.call("CancelReplay", ReplayName="c")
    async with scene.running() as engine:
        await engine.idle()
        ends = {name: each.ended_at for name, each in engine.definitions.replays.items()}

    names = [document["replay-name"] for document in scene.endpoints[QUEUE].documents]
    assert names == ["z"] * 10 + ["b"] * 10
    assert ends["c"] is not None and ends["z"] is not None and ends["b"] is not None
    assert ends["c"] < ends["z"] < ends["b"]


class Slow(MemoryBuses):
    """Its archives are read slowly."""

    async def archived(self, archive: str, after: int, limit: int) -> Any:
        await anyio.sleep(5)
        return await super().archived(archive, after, limit)


async def test_a_replay_that_is_cancelled_while_it_looks_brings_nothing_more() -> None:
    """Nor does it go back to RUNNING."""
    scene = Scene()
    scene.store = Slow()
    async with scene.running() as engine:
        await scene.rule(QUEUE, EventPattern='{"replay-name":[{"exists":true}]}')
        await archive(scene)
        await scene.put({})
        await replay(scene)
        await anyio.sleep(1)
        await scene.call("CancelReplay", ReplayName="p")
        await engine.idle()
        assert await state(scene) == "CANCELLED"

    assert scene.endpoints[QUEUE].parcels == []


async def test_drain_ends_replays_too() -> None:
    """They go on with the next process."""
    scene = Scene()
    scene.store = Slow()
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await archive(scene)
        await scene.put({})
        scene.endpoints[QUEUE].takes_s = 20
        await scene.put({})
        await replay(scene)
        await anyio.sleep(1)
        await engine.drain(25)
        assert await state(scene) == "STARTING"
    scene.restart()
    async with scene.running() as engine:
        await engine.idle()
        assert await state(scene) == "COMPLETED"


async def test_a_replay_whose_bus_is_gone_fails() -> None:
    """With the reason."""
    scene = Scene()
    async with scene.prepared():
        await scene.call("CreateEventBus", Name="b")
        await scene.call("CreateArchive", ArchiveName="a", EventSourceArn=REGION.bus_arn("b"))
        await scene.put({}, bus="b")
        await replay(scene, Arn=REGION.bus_arn("b"))
        await scene.call("DeleteEventBus", Name="b")
    async with scene.running() as engine:
        await engine.idle()
        described: Any = await scene.call("DescribeReplay", ReplayName="p")

    assert (described["State"], described["StateReason"]) == ("FAILED", "Event bus b does not exist.")


async def test_a_replay_waits_while_much_is_due() -> None:
    """What happens now is not kept waiting by what happened once."""
    scene = Scene()
    scene.endpoints[QUEUE].takes_s = 10
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await archive(scene)
        for _ in range(DUE_LIMIT // 10 + 20):
            await scene.put(*({} for _ in range(10)))
        await replay(scene)
        await anyio.sleep(1)
        assert await state(scene) == "STARTING"
        await anyio.sleep(40)
        assert await state(scene) == "RUNNING"
        owed = await scene.store.owed(10_000, due_by=wall_time_s())

    assert owed <= DUE_LIMIT + STEP
    assert engine.statistics.replayed >= STEP


async def test_archived_events_are_forgotten_after_their_retention() -> None:
    """By the days that the archive has now; 0 = never."""
    scene = Scene()
    async with scene.running() as engine:
        await archive(scene, RetentionDays=2)
        await archive(scene, "ever")
        await scene.put({"n": 1})
        await anyio.sleep(1.5 * DAY_S)
        await scene.put({"n": 2})
        await anyio.sleep(DAY_S)
        sizes = await engine.archive_sizes()
        assert (sizes["a"][0], sizes["ever"][0]) == (1, 2)
        await scene.call("UpdateArchive", ArchiveName="a", RetentionDays=1)
        await anyio.sleep(2 * 3600)
        assert "a" not in await engine.archive_sizes()


async def test_an_archive_that_is_deleted_takes_its_events_along() -> None:
    """And keeps none any more; one that is being replayed cannot be deleted."""
    scene = Scene()
    async with scene.prepared() as engine:
        await archive(scene)
        await scene.put({})
        await replay(scene)
        with pytest.raises(BusRefusal, match="is being replayed"):
            await scene.call("DeleteArchive", ArchiveName="a")
    async with scene.running() as engine:
        await engine.idle()
        await scene.call("DeleteArchive", ArchiveName="a")
        await scene.put({})
        assert await engine.archive_sizes() == {}


async def test_an_archive_changed_while_it_runs_keeps_by_its_new_pattern() -> None:
    """From a pattern to none to another."""
    scene = Scene()
    counts = []

    async def count(engine: BusEngine) -> None:
        await scene.put({"n": 1})
        counts.append((await engine.archive_sizes()).get("a", (0, 0))[0])

    async with scene.running() as engine:
        await archive(scene, EventPattern='{"source":["x"]}')
        await count(engine)
        await scene.call("UpdateArchive", ArchiveName="a", EventPattern="")
        await count(engine)
        await scene.call("UpdateArchive", ArchiveName="a", EventPattern='{"source":["x"]}')
        await count(engine)

    assert counts == [0, 1, 1]


async def test_a_store_that_fails_during_a_replay_is_waited_for() -> None:
    """Nothing is counted, or brought, twice."""

    class Flaky(MemoryBuses):
        faults = 3

        async def take(self, taken: Taken) -> None:
            if taken.changes and self.faults:
                self.faults -= 1
                raise TransientSourceError("locked") if self.faults else StateError("disk full")
            await super().take(taken)

    scene = Scene()
    scene.store = Flaky()
    async with scene.running() as engine:
        await scene.rule(QUEUE, EventPattern='{"replay-name":["p"]}')
        await archive(scene)
        await scene.put({"n": 1})
        await replay(scene)
        await engine.idle()

    assert scene.endpoints[QUEUE].details == [{"n": 1}]
    assert (engine.statistics.replayed, engine.statistics.store_errors) == (1, 3)

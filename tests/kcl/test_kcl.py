"""eventmap and Amazon's Kinesis Client Library as workers of one application, on one lease table."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from eventmap.lease import Lease
from eventmap.shard import TRIM_HORIZON
from eventmap.state.dynamodb import DynamoDbLeases
from tests.aws.hostile import dynamodb_at

from .scene import FAILOVER_S, LOOK_AGAIN_S, Item, Scene, keys_out_of_order, readers, until
from .worker import KclWorker

pytestmark = [pytest.mark.server, pytest.mark.kcl, pytest.mark.timeout(150)]

FIRST_LEASE_S = 60  # on an empty table the KCL waits up to 30 s for others to fill it
TAKES_OVER_S = 30
NOT_OURS = {
    "pendingCheckpointSubSequenceNumber": {"N": "0"},
    "pendingCheckpointState": {"B": b"half"},
    "invented": {"SS": ["a", "b"]},
}
OURS = {
    "leaseOwner",
    "leaseCounter",
    "checkpoint",
    "checkpointSubSequenceNumber",
    "ownerSwitchesSinceCheckpoint",
    "eventmapStream",
}
"""Attributes of a lease that eventmap writes to one that is neither handed over nor finished."""


async def test_kcl_22_str_160_199_201_each_goes_on_where_the_other_stopped(
    new_scene: Callable[[int], Scene],
) -> None:
    """KCL, eventmap, KCL: none handles what its predecessor had checkpointed, nor loses what is not its own."""
    scene = new_scene(2)
    await scene.put(160)
    with scene.kcl("kcl-1") as first:
        await until(lambda: len(readers(scene.deliveries)) == scene.shards, FIRST_LEASE_S)
        await anyio.to_thread.run_sync(first.stop)
    by_first = await scene.checkpoints()
    assert len(scene.deliveries) < scene.put_so_far
    await leave_attributes(scene)
    found = await scene.items()

    async with scene.eventmap("eventmap"):
        await scene.until_all_handled(TAKES_OVER_S)
    left, by_eventmap = await scene.items(), await scene.checkpoints()

    await scene.put(80)
    with scene.kcl("kcl-2") as second:
        await scene.until_all_handled(TAKES_OVER_S)
        await anyio.to_thread.run_sync(second.stop)

    assert {shard: last_sequence(scene, "kcl-1", shard) for shard in by_first} == by_first
    assert {shard: last_sequence(scene, "eventmap", shard) for shard in by_first} == by_eventmap
    assert [each for each in scene.by("eventmap") if each.sequence <= by_first[each.shard]] == []
    assert [each for each in scene.by("kcl-2") if each.sequence <= by_eventmap[each.shard]] == []
    assert not keys_out_of_order(scene.deliveries)
    assert without_ours(found) == without_ours(left)
    assert (first.failed, second.failed) == ([], [])


async def test_kcl_12_20_str_190_both_share_one_stream(new_scene: Callable[[int], Scene]) -> None:
    """A KCL worker joins, is left alone, and sees eventmap go and come: one reader per shard, every record in order."""
    scene = new_scene(4)
    with scene.kcl("kcl") as kcl:
        async with scene.eventmap("eventmap-1"):
            await scene.put(40)
            await until_owned(scene, kcl, 2)
            await scene.put(40)
            await scene.until_all_handled(TAKES_OVER_S)
            await owners_stay(scene)
            assert (await scene.items())["Leader"]["ownerName"] == {"S": "kcl"}
        await scene.put(40)
        await until_owned(scene, kcl, 4)
        await scene.until_all_handled(TAKES_OVER_S)
        async with scene.eventmap("eventmap-2"):
            await scene.put(20)
            await until_owned(scene, kcl, 2)
            await scene.put(40)
            await scene.until_all_handled(TAKES_OVER_S)
            await anyio.to_thread.run_sync(kcl.stop)
            await scene.put(40)
            await scene.until_all_handled(TAKES_OVER_S)

    assert not keys_out_of_order(scene.deliveries)
    turns = readers(scene.deliveries)
    assert len(turns) == 4
    assert all(len(set(workers)) == len(workers) for workers in turns.values()), turns
    handled_twice = len(scene.deliveries) - scene.put_so_far
    assert (handled_twice, kcl.failed) == (0, [])


async def test_kcl_12_21_a_worker_that_only_announces_itself_is_given_leases(new_scene: Callable[[int], Scene]) -> None:
    """What eventmap writes of itself is enough for the KCL's leader, which hands over half of its own."""
    scene = new_scene(2)
    async with dynamodb_at(scene.dynamodb_server.endpoint_url) as wire:
        store = DynamoDbLeases(wire.tables, scene.application)
        await store.prepare()
        await store.create([Lease(f"shardId-00000000000{number}", TRIM_HORIZON) for number in range(2)])
        with scene.kcl("kcl") as kcl:
            await until_owned(scene, kcl, 2)
            await until(lambda: len(kcl.begins) == 2, TAKES_OVER_S)
            with anyio.fail_after(TAKES_OVER_S):
                beat = 0
                while "announced" not in (owners := await scene.owners()).values():
                    beat += 1
                    await store.announce("announced", beat)
                    await anyio.sleep(LOOK_AGAIN_S)

            assert sorted(owners.values(), key=str) == ["announced", "kcl"]
            [given] = [shard for shard, owner in owners.items() if owner == "announced"]
            await until(lambda: kcl.lost == [given], TAKES_OVER_S)
            assert (kcl.leaves, kcl.failed) == ([given], [])


async def until_owned(scene: Scene, kcl: KclWorker, count: int) -> None:
    """The KCL worker holds so many leases, others hold the rest, and none is being handed over."""
    with anyio.fail_after(TAKES_OVER_S):
        while True:
            owners = list((await scene.owners()).values())
            if len(owners) == scene.shards and None not in owners and owners.count(kcl.name) == count:
                return
            await anyio.sleep(LOOK_AGAIN_S)


async def owners_stay(scene: Scene) -> None:
    """While nothing arrives, counters rise for longer than the failover takes, and nobody takes what is another's."""
    before, owners = counters(await scene.leases()), await scene.owners()
    with anyio.fail_after(10 * FAILOVER_S):
        while True:
            leases = await scene.leases()
            assert owners == await scene.owners()
            if all(count >= before[shard] + 5 for shard, count in counters(leases).items()):
                return  # renewals are more than a quarter of the failover apart
            await anyio.sleep(LOOK_AGAIN_S)


def counters(leases: dict[str, Item]) -> dict[str, int]:
    return {shard: int(item["leaseCounter"]["N"]) for shard, item in leases.items()}


async def leave_attributes(scene: Scene) -> None:
    """To each lease, as a KCL worker between two phases of a checkpoint, or one of a later version, would."""
    for shard, lease in (await scene.leases()).items():
        attributes = NOT_OURS | {"pendingCheckpoint": lease["checkpoint"]}
        scene.dynamodb.update_item(
            TableName=scene.application,
            Key={"leaseKey": {"S": shard}},
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in attributes),
            ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()},
        )


def last_sequence(scene: Scene, worker: str, shard: str) -> int:
    return max(each.sequence for each in scene.by(worker) if each.shard == shard)


def without_ours(items: dict[str, Item]) -> dict[str, Item]:
    """All but what eventmap is to write."""
    return {
        key: {name: value for name, value in item.items() if not (key.startswith("shardId-") and name in OURS)}
        for key, item in items.items()
    }

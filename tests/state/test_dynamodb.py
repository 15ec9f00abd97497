"""Leases in a table on the KCL's schema, on servers nobody of us wrote."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap import clock
from eventmap.aws.dynamodb import DynamoDbWire
from eventmap.errors import ConfigurationError, StateError
from eventmap.lease import Lease, Presence
from eventmap.shard import TRIM_HORIZON
from eventmap.state.dynamodb import DynamoDbLeases

KEY = "shardId-000000000001"
LEASE = Lease(
    KEY, TRIM_HORIZON, parents=("shardId-000000000000",), hash_range=("0", "17014118346046923173"), stream="arn:stream"
)

NEW_ITEM: dict[str, Any] = {
    "leaseKey": {"S": KEY},
    "checkpoint": {"S": "TRIM_HORIZON"},
    "checkpointSubSequenceNumber": {"N": "0"},
    "leaseCounter": {"N": "0"},
    "ownerSwitchesSinceCheckpoint": {"N": "0"},
    "parentShardId": {"SS": ["shardId-000000000000"]},
    "startingHashKey": {"S": "0"},
    "endingHashKey": {"S": "17014118346046923173"},
    "eventmapStream": {"S": "arn:stream"},
    "entityType": {"S": "LEASE"},
}

KCL_ONLY: dict[str, Any] = {
    "pendingCheckpoint": {"S": "49590338271490256608559692538361571095921575989136588899"},
    "pendingCheckpointSubSequenceNumber": {"N": "2"},
    "pendingCheckpointState": {"B": "c3RhdGU="},
    "throughputKBps": {"N": "12.5"},
    "somethingFromTheFuture": {"M": {"a": {"L": [{"BOOL": True}]}}},
}

OTHERS: list[dict[str, Any]] = [
    {
        "leaseKey": {"S": "Leader"},
        "entityType": {"S": "LEADER"},
        "ownerName": {"S": "kcl-1"},
        "leaseDuration": {"S": "120000"},
        "recordVersionNumber": {"S": "0b6b6f0e-9a0e-4b3c-8f6b-2f7d6a0c9d11"},
    },
    {
        "leaseKey": {"S": "Migration3.0"},
        "entityType": {"S": "CLIENT_VERSION_MIGRATION"},
        "cv": {"S": "CLIENT_VERSION_3X"},
        "mts": {"N": "1795300000000"},
        "h": {"L": []},
    },
    {"leaseKey": {"S": "TableMigration3.5"}, "entityType": {"S": "TABLE_MIGRATION"}},
]


class Recorded:
    """A wire that remembers what was asked of it."""

    def __init__(self, wire: DynamoDbWire) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._wire = wire

    async def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, parameters))
        return await self._wire.call(operation, parameters)


async def prepared(api: DynamoDbWire | Recorded, table: str) -> DynamoDbLeases:
    store = DynamoDbLeases(api, table)
    await store.prepare()
    return store


async def put(wire: DynamoDbWire, table: str, item: dict[str, Any]) -> None:
    await wire.call("PutItem", {"TableName": table, "Item": item})


async def item_of(wire: DynamoDbWire, table: str, key: str = KEY) -> dict[str, Any] | None:
    answer = await wire.call("GetItem", {"TableName": table, "Key": {"leaseKey": {"S": key}}, "ConsistentRead": True})
    item: dict[str, Any] | None = answer.get("Item")
    return item


async def test_kcl_02_the_table_is_made_as_the_kcl_makes_it(dynamodb: DynamoDbWire, table_name: str) -> None:
    """By whichever worker is first; the others find it."""
    stores = [DynamoDbLeases(dynamodb, table_name) for _ in range(4)]
    async with anyio.create_task_group() as tasks:
        for store in stores:
            tasks.start_soon(store.prepare)

    table = (await dynamodb.call("DescribeTable", {"TableName": table_name}))["Table"]

    assert table["KeySchema"] == [{"AttributeName": "leaseKey", "KeyType": "HASH"}]
    [index] = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "LeaseOwnerToLeaseKeyIndex"
    assert [part["AttributeName"] for part in index["KeySchema"]] == ["leaseOwner", "leaseKey"]
    assert index["Projection"]["ProjectionType"] == "KEYS_ONLY"
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        pytest.param([("id", "HASH", "S")], "(id S)", id="another name"),
        pytest.param([("leaseKey", "HASH", "N")], "(leaseKey N)", id="another type"),
        pytest.param([("leaseKey", "HASH", "S"), ("at", "RANGE", "N")], "(leaseKey S, at N)", id="a range key"),
    ],
)
async def test_a_table_of_another_kind_is_refused(
    dynamodb: DynamoDbWire, table_name: str, key: list[tuple[str, str, str]], said: str
) -> None:
    """Before anything is written to it."""
    await dynamodb.call(
        "CreateTable",
        {
            "TableName": table_name,
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": type_} for name, _, type_ in key],
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind, _ in key],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )

    with pytest.raises(ConfigurationError) as refused:
        await prepared(dynamodb, table_name)

    assert f'table "{table_name}" is not a lease table: its key is {said}' in str(refused.value)


async def test_kcl_10_a_new_lease_is_what_the_kcl_would_write(dynamodb: DynamoDbWire, table_name: str) -> None:
    """And one attribute of ours."""
    store = await prepared(dynamodb, table_name)

    await store.create([LEASE])

    assert await item_of(dynamodb, table_name) == NEW_ITEM


async def test_str_190_kcl_03_what_is_no_lease_is_skipped_and_left_alone(
    dynamodb: DynamoDbWire, table_name: str
) -> None:
    """Neither scanned, nor read, nor changed by anything a worker does."""
    store = await prepared(dynamodb, table_name)
    for other in OTHERS:
        await put(dynamodb, table_name, other)
    await store.create([LEASE])
    await store.announce("a", 1)
    await store.take(LEASE, "a")
    await store.withdraw("Leader")
    await store.prepare()

    snapshot = await store.scan()

    assert [lease.key for lease in snapshot.leases] == [KEY]
    assert snapshot.workers == (Presence("a", 1),)
    for other in OTHERS:
        key = other["leaseKey"]["S"]
        assert await item_of(dynamodb, table_name, key) == other
        assert await store.get(key) is None


async def test_kcl_03_a_lease_without_the_marker_is_a_lease(dynamodb: DynamoDbWire, table_name: str) -> None:
    """And stays without it."""
    store = await prepared(dynamodb, table_name)
    unmarked = {name: value for name, value in NEW_ITEM.items() if name != "entityType"}
    await put(dynamodb, table_name, unmarked)

    [lease] = (await store.scan()).leases
    taken = await store.take(lease, "a")

    assert lease == LEASE
    assert taken is not None and taken.owner == "a"
    assert "entityType" not in (await item_of(dynamodb, table_name) or {})


async def test_kcl_03_an_item_with_nothing_but_its_key_is_not_there_yet(
    dynamodb: DynamoDbWire, table_name: str
) -> None:
    """A server whose writes are not atomic may show one; the next scan shows what it is."""
    store = await prepared(dynamodb, table_name)
    await put(dynamodb, table_name, {"leaseKey": NEW_ITEM["leaseKey"]})

    assert (await store.scan()).leases == ()


async def test_kcl_22_str_168_what_eventmap_does_not_know_is_kept(dynamodb: DynamoDbWire, table_name: str) -> None:
    """Prepared checkpoints, load figures and attributes of the future outlive every change of a lease."""
    store = await prepared(dynamodb, table_name)
    await put(dynamodb, table_name, NEW_ITEM | KCL_ONLY)
    lease: Lease | None = await store.get(KEY)
    changes = [
        lambda lease: store.take(lease, "a"),
        lambda lease: store.renew(lease),
        lambda lease: store.checkpoint(lease, "7", {"state": {}}),
        lambda lease: store.take(lease, "b", hand_over=True),
        lambda lease: store.checkpoint(lease, "8"),
        lambda lease: store.release(lease),
        lambda lease: store.release(lease),
        lambda lease: store.finish(lease, ["shardId-000000000002"]),
    ]

    for change in changes:
        assert lease is not None
        lease = await change(lease)
        item = await item_of(dynamodb, table_name)
        assert item is not None
        assert {name: item.get(name) for name in KCL_ONLY} == KCL_ONLY

    assert lease is not None and lease.is_finished


async def test_kcl_12_str_170_the_items_of_a_hand_over(dynamodb: DynamoDbWire, table_name: str) -> None:
    """What a KCL worker would see, and write itself, at each step."""
    store = await prepared(dynamodb, table_name)
    await store.create([LEASE])
    lease = await store.take(LEASE, "old")
    assert lease is not None
    rights = ("leaseOwner", "checkpointOwner", "leaseCounter")

    async def seen() -> list[Any]:
        item = await item_of(dynamodb, table_name)
        assert item is not None
        return [item.get(name) for name in rights]

    handed = await store.take(lease, "new", hand_over=True)
    assert await seen() == [{"S": "new"}, {"S": "old"}, {"N": "1"}]
    assert handed is not None
    over = await store.release(handed)
    assert await seen() == [{"S": "new"}, None, {"N": "2"}]
    assert over is not None
    await store.release(over)
    assert await seen() == [None, None, {"N": "3"}]


async def test_kcl_20_a_foreign_renewal_keeps_us_out(dynamodb: DynamoDbWire, table_name: str) -> None:
    """The KCL raised the counter between our look and our taking."""
    store = await prepared(dynamodb, table_name)
    await put(dynamodb, table_name, NEW_ITEM | {"leaseOwner": {"S": "kcl-1"}, "leaseCounter": {"N": "41"}})
    [lease] = (await store.scan()).leases
    await put(dynamodb, table_name, NEW_ITEM | {"leaseOwner": {"S": "kcl-1"}, "leaseCounter": {"N": "42"}})

    assert await store.take(lease, "a") is None
    assert await store.delete(lease) is False
    assert (await item_of(dynamodb, table_name) or {})["leaseOwner"] == {"S": "kcl-1"}


async def test_kcl_21_kcl_23_a_worker_announces_itself_as_the_kcl_does(dynamodb: DynamoDbWire, table_name: str) -> None:
    """Epoch seconds, the mark of one that can follow a migration, its load and its target."""
    store = await prepared(dynamodb, table_name)
    before_s = int(clock.wall_time_s())

    for beat in range(1, 13):
        await store.announce("a", beat)

    item = await item_of(dynamodb, table_name, "a")
    assert item is not None
    assert before_s <= int(item["lut"]["N"]) <= clock.wall_time_s()
    assert item["slu"] == item["lut"]
    assert (item["entityType"], item["sup"]) == ({"S": "WORKER_METRIC_STATS"}, {"N": "1"})
    assert item["opr"] == {"M": {"C": {"L": [{"N": "80"}]}}}
    loads = [float(load["N"]) for load in item["sts"]["M"]["C"]["L"]]
    assert len(loads) == 10 and all(0 <= load <= 100 for load in loads)
    assert item["eventmapBeat"] == {"N": "12"}


async def test_kcl_21_kcl_workers_are_seen_by_their_last_sign(dynamodb: DynamoDbWire, table_name: str) -> None:
    """They have no beat but the second they last wrote; one that says nothing is not counted."""
    store = await prepared(dynamodb, table_name)
    kcl = {"leaseKey": {"S": "kcl-1"}, "entityType": {"S": "WORKER_METRIC_STATS"}, "lut": {"N": "1795300123"}}
    await put(dynamodb, table_name, kcl)
    await put(dynamodb, table_name, {"leaseKey": {"S": "kcl-2"}, "entityType": {"S": "WORKER_METRIC_STATS"}})

    assert (await store.scan()).workers == (Presence("kcl-1", 1_795_300_123),)


async def test_kcl_01_an_older_kcls_table_gets_leases_only(dynamodb: DynamoDbWire, table_name: str) -> None:
    """A KCL before 3.5 takes every item of the table for a lease, so a presence would break it."""
    unmarked = {name: value for name, value in NEW_ITEM.items() if name != "entityType"}
    first = await prepared(dynamodb, table_name)
    await put(dynamodb, table_name, unmarked)
    store = await prepared(dynamodb, table_name)
    await first.scan()

    await first.announce("a", 1)
    await store.announce("b", 1)
    await store.withdraw("b")

    assert await item_of(dynamodb, table_name, "a") is None
    assert await item_of(dynamodb, table_name, "b") is None


async def test_workers_that_died_long_ago_are_forgotten(dynamodb: DynamoDbWire, table_name: str) -> None:
    """Or a worker that restarts every minute would fill the table; the KCL's are left to the KCL."""
    store = await prepared(dynamodb, table_name)
    await store.announce("alive", 1)
    old = {"entityType": {"S": "WORKER_METRIC_STATS"}, "lut": {"N": str(int(clock.wall_time_s()) - 3700)}}
    await put(dynamodb, table_name, old | {"leaseKey": {"S": "ours"}, "eventmapBeat": {"N": "9"}})
    await put(dynamodb, table_name, old | {"leaseKey": {"S": "kcl-1"}})

    await store.prepare()

    assert {each.worker for each in (await store.scan()).workers} == {"alive", "kcl-1"}


async def test_an_item_that_is_no_lease_is_named(dynamodb: DynamoDbWire, table_name: str) -> None:
    """A table with the right key that something else uses."""
    store = await prepared(dynamodb, table_name)
    await put(dynamodb, table_name, {"leaseKey": {"S": "flat-12"}, "tenant": {"S": "Smith"}})

    with pytest.raises(StateError) as refused:
        await store.scan()

    assert f"lease table \"{table_name}\" holds the item 'flat-12', which is not a lease" in str(refused.value)


async def test_a_table_that_is_gone_is_named(dynamodb: DynamoDbWire, table_name: str) -> None:
    """Deleted while workers run: every call says so, and none makes it again."""
    store = await prepared(dynamodb, table_name)
    await dynamodb.call("DeleteTable", {"TableName": table_name})

    with pytest.raises(StateError, match=f'lease table "{table_name}" cannot be used'):
        await store.scan()
    with pytest.raises(StateError, match=f'lease table "{table_name}" cannot be used'):
        await store.renew(LEASE)
    with pytest.raises(StateError, match=f'lease table "{table_name}" cannot be used'):
        await store.create([LEASE])


async def test_str_198_every_change_is_one_conditional_call(dynamodb: DynamoDbWire, table_name: str) -> None:
    """And names only what it changes, so that nothing else can be overwritten."""
    api = Recorded(dynamodb)
    store = await prepared(api, table_name)
    await store.create([LEASE])
    taken = await store.take(LEASE, "a")
    assert taken is not None
    api.calls.clear()

    renewed = await store.renew(taken)
    assert renewed is not None
    await store.checkpoint(renewed, "7")

    assert [operation for operation, _ in api.calls] == ["UpdateItem", "UpdateItem"]
    [(_, renewal), (_, checkpoint)] = api.calls
    assert (renewal["UpdateExpression"], renewal["ExpressionAttributeNames"]["#0"]) == ("SET #0 = :0", "leaseCounter")
    assert {name for ref, name in checkpoint["ExpressionAttributeNames"].items() if "was" not in ref} == {
        "checkpoint",
        "leaseCounter",
    }
    for _, parameters in api.calls:
        assert parameters["ConditionExpression"] == "#was0 = :was0 AND #was1 = :was1 AND attribute_not_exists(#was2)"


async def test_reads_are_strongly_consistent(dynamodb: DynamoDbWire, table_name: str) -> None:
    """A worker that read an old counter would think the owner dead."""
    api = Recorded(dynamodb)
    store = await prepared(api, table_name)

    await store.scan()
    await store.get(KEY)

    reads = [parameters for operation, parameters in api.calls if operation in ("Scan", "GetItem")]
    assert [parameters["ConsistentRead"] for parameters in reads] == [True] * 3

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers, lists, sampled_from, tuples

from eventmap.errors import ShardGone, SourceError, StreamNotFound
from eventmap.testing import MemoryDynamoDb

from .streams import closed, listed, parents_first, read_to_end

pytestmark = pytest.mark.virtual_time

DAY_S = 86_400
LIFETIME_S = 14_400


def item(name: str, **attributes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"id": {"S": name}, **attributes}


async def test_str_147_148_a_shard_rolls_over_after_four_hours() -> None:
    """STR-147, STR-148: again and again, also while nobody looks; each names the one before as its parent."""
    api = MemoryDynamoDb()
    arn = api.create_table("orders")
    api.put_item("orders", item("a"))

    await anyio.sleep(2 * LIFETIME_S)

    shards = await listed(api, arn)
    first, second, third = shards
    assert [shard.get("ParentShardId") for shard in shards.values()] == [None, first, second]
    assert list(closed(shards)) == [first, second]
    assert api.open_shards("orders") == (third,)
    assert [record["eventName"] for record in await read_to_end(api, arn, first)] == ["INSERT"]
    assert await read_to_end(api, arn, second) == []


async def test_str_146_148_shards_roll_and_split_on_demand() -> None:
    """STR-146, STR-148: a closed shard ends with a null iterator, and cannot be closed again."""
    api = MemoryDynamoDb(shard_lifetime_s=None)
    arn = api.create_table("orders")
    [first] = api.open_shards("orders")

    [second] = api.roll("orders", first)
    left, right = api.split("orders", second)
    rolled = api.roll("orders")

    shards = await listed(api, arn)
    iterator = await api.get_shard_iterator(arn, first, "LATEST")
    assert await api.get_records(arn, iterator, limit=1) == {"Records": [], "NextShardIterator": None}
    assert [shards[shard]["ParentShardId"] for shard in (second, left, right, *rolled)] == [
        first,
        second,
        second,
        left,
        right,
    ]
    assert api.open_shards("orders") == rolled
    for refusal in (lambda: api.roll("orders", first), lambda: api.split("orders", second)):
        with pytest.raises(SourceError, match="is closed already"):
            refusal()
    await anyio.sleep(DAY_S - 1)
    assert api.open_shards("orders") == rolled


async def test_str_144_152_a_rolled_shard_is_gone_after_a_day() -> None:
    """STR-144, STR-152: 24 hours after it was closed; its child still names it."""
    api = MemoryDynamoDb(shard_lifetime_s=None)
    arn = api.create_table("orders")
    [first] = api.open_shards("orders")
    [second] = api.roll("orders")
    await anyio.sleep(DAY_S - 1)
    assert await read_to_end(api, arn, first) == []

    await anyio.sleep(1)

    shards = await listed(api, arn)
    assert (list(shards), shards[second]["ParentShardId"]) == ([second], first)
    with pytest.raises(ShardGone):
        await read_to_end(api, arn, first)


async def test_str_140_a_stream_is_described_in_pages() -> None:
    """STR-140: 100 shards, and where to go on; new ones may show late."""
    api = MemoryDynamoDb(listing_lag_s=5)
    arn = api.create_table("orders", shards=150)

    first = await api.describe_stream(arn)
    second = await api.describe_stream(arn, start_shard_id=first["LastEvaluatedShardId"])
    before = api.open_shards("orders")
    api.roll("orders", before[0])
    late = await listed(api, arn)
    await anyio.sleep(5)

    assert (len(first["Shards"]), len(second["Shards"])) == (100, 50)
    assert "LastEvaluatedShardId" not in second
    assert (first["StreamArn"], first["StreamStatus"], first["StreamViewType"], first["TableName"]) == (
        arn,
        "ENABLED",
        "NEW_AND_OLD_IMAGES",
        "orders",
    )
    assert (sorted(late), len(closed(late))) == (sorted(before), 0)
    assert len(await listed(api, arn)) == 151


async def test_str_150_a_disabled_stream_stays_readable_for_a_day() -> None:
    """STR-150: all its shards are closed; what is written meanwhile is in no stream; a new one has another ARN."""
    api = MemoryDynamoDb()
    old = api.create_table("orders", shards=2)
    api.put_item("orders", item("a"))
    api.disable_stream("orders")
    disabled = await api.describe_table("orders")

    assert api.put_item("orders", item("unseen")) is None
    new = api.enable_stream("orders", "KEYS_ONLY")
    api.put_item("orders", item("b"))
    await anyio.sleep(DAY_S - 1)

    old_shards = await listed(api, old)
    assert (disabled["LatestStreamArn"], "StreamSpecification" in disabled) == (old, False)
    assert (await api.describe_stream(old))["StreamStatus"] == "DISABLED"
    assert closed(old_shards) == old_shards
    assert sum([len(await read_to_end(api, old, shard_id)) for shard_id in old_shards]) == 1
    enabled = await api.describe_table(disabled["TableArn"])
    assert (enabled["LatestStreamArn"], enabled["StreamSpecification"]["StreamViewType"]) == (new, "KEYS_ONLY")
    assert await api.list_streams("orders") == [old, new]

    await anyio.sleep(1)
    assert await api.list_streams("orders") == [new]
    with pytest.raises(StreamNotFound):
        await api.describe_stream(old)


async def test_str_150_only_one_stream_is_enabled() -> None:
    """STR-150: a second one, an unknown view type, and disabling what is disabled are refused."""
    api = MemoryDynamoDb()
    api.create_table("orders")
    bad: Any = "EVERYTHING"

    with pytest.raises(SourceError, match="already has an enabled stream"):
        api.enable_stream("orders")
    api.disable_stream("orders")
    with pytest.raises(SourceError, match="view type"):
        api.enable_stream("orders", bad)
    with pytest.raises(StreamNotFound):
        api.disable_stream("orders")


async def test_str_150_a_deleted_tables_stream_stays_readable() -> None:
    """STR-150: like a disabled one; a table made anew under the name has a stream of its own."""
    api = MemoryDynamoDb()
    old = api.create_table("orders")
    api.put_item("orders", item("a"))

    api.delete_table("orders")

    with pytest.raises(StreamNotFound):
        await api.describe_table("orders")
    assert [len(await read_to_end(api, old, shard_id)) for shard_id in await listed(api, old)] == [1]
    assert api.create_table("orders") != old


STEPS = lists(
    tuples(sampled_from(["put", "put", "delete", "expire", "roll", "split", "wait"]), integers(0, 10**6)), max_size=60
)


@given(story=STEPS, seed=integers(0, 100))
@settings(max_examples=60, deadline=None)
async def test_str_133_151_following_a_tables_lineage_finds_each_change_once_in_order(
    story: list[tuple[str, int]], seed: int
) -> None:
    """STR-133, STR-151: replaying the changes, parents before children, ends with the table's items."""
    api = MemoryDynamoDb(seed=seed, page_limit=3, shard_page=4, empty_pages=0.2)
    arn = api.create_table("orders", shards=2)
    written = 0
    for turn, (what, number) in enumerate(story):
        key = item(f"key-{number % 9}")
        shards = api.open_shards("orders")
        if what == "put":
            written += api.put_item("orders", {**key, "turn": {"N": str(turn)}}) is not None
        elif what == "delete":
            written += api.delete_item("orders", key) is not None
        elif what == "expire":
            written += api.expire_item("orders", key) is not None
        elif what == "roll":
            api.roll("orders", shards[number % len(shards)])
        elif what == "split" and len(shards) < 8:
            api.split("orders", shards[number % len(shards)])
        elif what == "wait":
            await anyio.sleep(number % 1_000)
    api.disable_stream("orders")

    found = 0
    replayed: dict[str, Any] = {}
    for shard_id in parents_first(await listed(api, arn)):
        for record in await read_to_end(api, arn, shard_id):
            change = record["dynamodb"]
            name = change["Keys"]["id"]["S"]
            assert replayed.get(name) == change.get("OldImage")
            replayed[name] = change.get("NewImage")
            found += 1

    assert found == written
    left = {each["id"]["S"]: each for each in api.items("orders")}
    assert {name: image for name, image in replayed.items() if image is not None} == left

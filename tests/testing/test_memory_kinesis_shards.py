from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.errors import ShardGone, SourceError, TransientSourceError

from .streams import kinesis, listed, put_all, read_to_end, texts

pytestmark = pytest.mark.virtual_time

SHARD = "shardId-000000000000"
LEFT, RIGHT = "shardId-000000000001", "shardId-000000000002"
HASHES = 2**128


def hash_range(shard: dict[str, Any]) -> tuple[int, int]:
    held = shard["HashKeyRange"]
    return int(held["StartingHashKey"]), int(held["EndingHashKey"])


async def test_str_146_147_158_a_split_closes_one_and_opens_two() -> None:
    """STR-146, STR-147, STR-158: the last page names the children; the listing names their parent."""
    api = kinesis()
    api.create_stream("s")
    put_all(api, "s", "a", "b")
    iterator = await api.get_shard_iterator("s", SHARD, "TRIM_HORIZON")

    assert api.split_shard("s", SHARD) == (LEFT, RIGHT) == api.open_shards("s")

    first = await api.get_records("s", iterator, limit=1)
    last = await api.get_records("s", first["NextShardIterator"], limit=10)
    shards = await listed(api, "s")
    assert (texts(first), texts(last), last["MillisBehindLatest"]) == (["a"], ["b"], 0)
    assert "ChildShards" not in first
    assert last["NextShardIterator"] is None
    assert last["ChildShards"] == [
        {"ShardId": child, "ParentShards": [SHARD], "HashKeyRange": shards[child]["HashKeyRange"]}
        for child in (LEFT, RIGHT)
    ]
    assert [hash_range(shards[child]) for child in (LEFT, RIGHT)] == [(0, HASHES // 2 - 1), (HASHES // 2, HASHES - 1)]
    assert [shards[child]["ParentShardId"] for child in (LEFT, RIGHT)] == [SHARD, SHARD]


async def test_str_146_a_closed_shard_takes_no_more_records_and_ends_even_when_empty() -> None:
    """STR-146: what is put after a split goes to a child."""
    api = kinesis()
    api.create_stream("s")
    iterator = await api.get_shard_iterator("s", SHARD, "LATEST")
    api.split_shard("s", SHARD, at=1)

    placed = api.put_record("s", b"", "k")

    answer = await api.get_records("s", iterator, limit=10)
    assert placed.shard_id == RIGHT
    assert (answer["Records"], answer["NextShardIterator"]) == ([], None)


async def test_str_146_153_the_end_may_come_on_a_page_of_its_own() -> None:
    """STR-153: with sprinkled empty pages the null iterator follows the last records, or comes with them."""
    api = kinesis(empty_pages=0.5)
    api.create_stream("s")
    put_all(api, "s", "a")
    api.split_shard("s", SHARD)

    ends = set()
    for _ in range(50):
        iterator = await api.get_shard_iterator("s", SHARD, "TRIM_HORIZON")
        while iterator:
            answer = await api.get_records("s", iterator, limit=10)
            iterator = answer["NextShardIterator"]
        ends.add(len(answer["Records"]))

    assert ends == {0, 1}


async def test_str_147_158_a_merge_has_two_parents() -> None:
    """STR-147, STR-158: the adjacent one has a name of its own; both name the child on their last page."""
    api = kinesis()
    api.create_stream("s", 2)
    low, high = api.open_shards("s")

    child = api.merge_shards("s", high, low)

    shard = (await listed(api, "s"))[child]
    assert (shard["ParentShardId"], shard["AdjacentParentShardId"]) == (high, low)
    assert hash_range(shard) == (0, HASHES - 1)
    for parent in (low, high):
        iterator = await api.get_shard_iterator("s", parent, "TRIM_HORIZON")
        [named] = (await api.get_records("s", iterator, limit=1))["ChildShards"]
        assert (named["ShardId"], named["ParentShards"]) == (child, [high, low])


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 4), (4, 2), (3, 5), (5, 3), (4, 1), (3, 3)])
async def test_str_158_update_shard_count_shares_the_hashes_equally(before: int, after: int) -> None:
    """STR-158: by splits and merges only, so each new shard has one parent or two."""
    api = kinesis()
    api.create_stream("s", before)

    api.update_shard_count("s", after)

    shards = await listed(api, "s")
    ranges = [hash_range(shards[shard_id]) for shard_id in api.open_shards("s")]
    assert ranges == [(HASHES * n // after, HASHES * (n + 1) // after - 1) for n in range(after)]
    assert len(api.open_shards("s")) == after


async def test_str_140_the_listing_shows_open_shards_and_closed_ones() -> None:
    """STR-140: a closed shard has an ending number, above all its records' numbers."""
    api = kinesis()
    api.create_stream("s")
    [sequence] = put_all(api, "s", "a")
    opened = (await listed(api, "s"))[SHARD]["SequenceNumberRange"]
    api.split_shard("s", SHARD)

    closed = (await listed(api, "s"))[SHARD]["SequenceNumberRange"]

    assert opened.keys() == {"StartingSequenceNumber"}
    assert int(closed["StartingSequenceNumber"]) < int(sequence) < int(closed["EndingSequenceNumber"])
    for number in closed.values():  # both are positions of the shard, too
        await api.get_shard_iterator("s", SHARD, "AT_SEQUENCE_NUMBER", sequence=number)


async def test_str_140_a_listing_comes_in_pages() -> None:
    """STR-140: a token leads from page to page, for 300 seconds, in its own stream."""
    api = kinesis(shard_page=2)
    api.create_stream("s", 5)
    api.create_stream("t", 5)

    first = await api.list_shards("s")
    token = first["NextToken"]

    assert len(first["Shards"]) == 2
    assert tuple(await listed(api, "s")) == api.open_shards("s")
    for stream, foreign in [("t", token), ("s", "token"), ("s", f"1/{SHARD}/soon")]:
        with pytest.raises(SourceError) as refused:
            await api.list_shards(stream, next_token=foreign)
        assert refused.value.code == "InvalidArgumentException"
    await anyio.sleep(300)
    with pytest.raises(TransientSourceError) as expired:
        await api.list_shards("s", next_token=token)
    assert expired.value.code == "ExpiredNextTokenException"


async def test_str_140_a_listing_may_lag_behind_a_reshard() -> None:
    """STR-140: for a while it shows the parent as open and no children, though they exist and can be read."""
    api = kinesis(listing_lag_s=10)
    api.create_stream("s")
    await anyio.sleep(20)
    api.split_shard("s", SHARD)

    await anyio.sleep(9)
    late = await listed(api, "s")
    await api.get_shard_iterator("s", LEFT, "TRIM_HORIZON")
    await anyio.sleep(1)

    assert list(late) == [SHARD]
    assert "EndingSequenceNumber" not in late[SHARD]["SequenceNumberRange"]
    assert list(await listed(api, "s")) == [SHARD, LEFT, RIGHT]


async def test_str_144_152_a_closed_shard_is_gone_when_its_last_record_is() -> None:
    """STR-144, STR-152: 24 hours after it was closed; its child still names it."""
    api = kinesis()
    api.create_stream("s")
    api.split_shard("s", SHARD)
    await anyio.sleep(86_399)
    iterator = await api.get_shard_iterator("s", SHARD, "TRIM_HORIZON")
    assert SHARD in await listed(api, "s")

    await anyio.sleep(1)

    shards = await listed(api, "s")
    assert (list(shards), shards[LEFT]["ParentShardId"]) == ([LEFT, RIGHT], SHARD)
    with pytest.raises(ShardGone):
        await api.get_records("s", iterator, limit=1)
    with pytest.raises(ShardGone):
        await api.get_shard_iterator("s", SHARD, "TRIM_HORIZON")


async def test_str_158_only_open_neighbours_can_be_resharded() -> None:
    """STR-158: closed shards, distant ones, and splits that leave nothing for a child are refused."""
    api = kinesis()
    api.create_stream("s", 3)
    low, middle, high = api.open_shards("s")
    first, last = hash_range((await listed(api, "s"))[middle])
    api.create_stream("t")
    api.split_shard("t", SHARD)

    refusals = [
        lambda: api.split_shard("t", SHARD),
        lambda: api.merge_shards("t", SHARD, LEFT),
        lambda: api.merge_shards("s", low, high),
        lambda: api.merge_shards("s", low, low),
        lambda: api.split_shard("s", middle, at=first),
        lambda: api.split_shard("s", middle, at=last + 1),
        lambda: api.update_shard_count("s", 0),
    ]

    for refusal in refusals:
        with pytest.raises(SourceError) as refused:
            refusal()
        assert refused.value.code == "InvalidArgumentException"
    assert api.open_shards("s") == (low, middle, high)


async def test_reads_are_counted_per_shard() -> None:
    """A test can see how often a shard was polled, and that a finished one is left alone."""
    api = kinesis()
    api.create_stream("s")
    api.split_shard("s", SHARD)

    await read_to_end(api, "s", SHARD)
    await read_to_end(api, "s", SHARD)

    assert api.reads("s") == {SHARD: 2}

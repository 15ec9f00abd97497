from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis.strategies import DrawFn, composite, integers, lists, sampled_from, tuples

from eventmap.testing import MemoryKinesis

from .streams import closed, kinesis, listed, parents_first, parents_of, read_to_end, texts

pytestmark = pytest.mark.virtual_time

KEYS = [f"key-{number}" for number in range(12)]
MOST_OPEN = 12

Step = tuple[str, int]


@composite
def stories(draw: DrawFn) -> list[Step]:
    step = tuples(sampled_from(["put", "put", "put", "split", "merge", "rescale"]), integers(0, 10**6))
    return draw(lists(step, min_size=1, max_size=60))


def live(api: MemoryKinesis, story: Sequence[Step]) -> dict[str, list[str]]:
    """Carry out a story; returns what was put, per key in order."""
    told: dict[str, list[str]] = {}
    for turn, (what, number) in enumerate(story):
        shards = api.open_shards("s")
        if what == "put":
            key = KEYS[number % len(KEYS)]
            api.put_record("s", str(turn).encode(), key)
            told.setdefault(key, []).append(str(turn))
        elif what == "split" and len(shards) < MOST_OPEN:
            api.split_shard("s", shards[number % len(shards)])
        elif what == "merge" and len(shards) > 1:
            low = number % (len(shards) - 1)
            api.merge_shards("s", shards[low], shards[low + 1])
        elif what == "rescale":
            api.update_shard_count("s", 1 + number % 5)
    for shard_id in api.open_shards("s"):  # so that every shard with records has an end to read to
        api.split_shard("s", shard_id)
    return told


@given(story=stories(), seed=integers(0, 100))
@settings(max_examples=60, deadline=None)
async def test_str_133_151_158_following_the_lineage_loses_nothing_and_keeps_each_keys_order(
    story: list[Step], seed: int
) -> None:
    """STR-151: parents before children, over any splits and merges, finds each record once and each key in order."""
    api = kinesis(seed=seed, page_limit=3, shard_page=4, empty_pages=0.2)
    api.create_stream("s")
    told = live(api, story)

    found: dict[str, list[str]] = {}
    for shard_id in parents_first(closed(await listed(api, "s"))):
        for record in await read_to_end(api, "s", shard_id):
            found.setdefault(record["PartitionKey"], []).extend(texts([record]))

    assert found == told


@given(story=stories())
@settings(max_examples=40, deadline=None)
async def test_str_147_158_the_open_shards_always_share_out_all_hashes(story: list[Step]) -> None:
    """STR-158: no hole, no overlap; each child covers no more than its parents did."""
    api = kinesis()
    api.create_stream("s", 2)
    live(api, story)
    shards = await listed(api, "s")

    def hashes(shard_id: str) -> tuple[int, int]:
        held = shards[shard_id]["HashKeyRange"]
        return int(held["StartingHashKey"]), int(held["EndingHashKey"])

    ranges = [hashes(shard_id) for shard_id in api.open_shards("s")]
    bounds = [bound for first, last in ranges for bound in (first - 1, last)]
    assert bounds[0] == -1
    assert bounds[-1] == 2**128 - 1
    assert bounds[1:-1:2] == bounds[2:-1:2]
    for shard_id, shard in shards.items():
        covered = [hashes(parent) for parent in parents_of(shard)]
        first, last = hashes(shard_id)
        assert not covered or min(low for low, _ in covered) <= first <= last <= max(high for _, high in covered)

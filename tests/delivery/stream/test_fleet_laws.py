"""Laws that hold whatever happens to a fleet: STR-151, STR-195, STR-198, STR-199, STR-201."""

from __future__ import annotations

import random
from string import ascii_lowercase

import anyio
import pytest

from .fleet import Fleet, fleet

pytestmark = pytest.mark.virtual_time

EVENTS = 25
AT_REST_S = 150.0  # longer than two failovers, a listing and the longest retry together


async def trouble(scene: Fleet, dice: random.Random) -> list[str]:
    """Workers come, are killed, drained, cut off; shards split and merge. Returns the workers left, all connected."""
    started = 0
    living: list[str] = []
    names = iter(ascii_lowercase[8:] + ascii_lowercase.upper())
    for _ in range(EVENTS):
        some = dice.randrange(len(living)) if living else 0
        open_shards = [shard.shard_id for shard in scene.stream.listed if shard.is_open]
        match dice.choice(["begin", "begin", "kill", "drain", "cut", "split", "merge", "nothing"]):
            case "begin" if len(living) < 5:
                started += 1
                living.append(f"w{started}")
                scene.begin(
                    living[-1], seed=started, lost_answers=0.1, throttle=0.1, delay_s=dice.choice([0, 0.05, 0.3])
                )
            case "kill" if living:
                scene.kill(living.pop(some))
            case "drain" if living:
                scene.tasks.start_soon(scene.coordinators[living.pop(some)].drain, 5)
            case "cut" if living:
                scene.stores[living[some]].is_reachable ^= True
            case "split":
                scene.stream.reshard(dice.choice(open_shards), next(names) + next(names))
            case "merge" if len(open_shards) > 1:
                scene.stream.reshard("".join(dice.sample(open_shards, 2)), next(names))
        await anyio.sleep(dice.uniform(0, 12))
    if not living:
        living.append("last")
        scene.begin("last")
    for worker in living:
        scene.stores[worker].is_reachable = True
    return living


@pytest.mark.parametrize("seed", range(6))
async def test_str_151_195_198_201_order_one_reader_and_nothing_skipped(seed: int) -> None:
    """Parents first, never two readers, no checkpoint passed over; and when it is over, even shares of what is open."""
    async with fleet("abcdefgh") as scene:
        living = await trouble(scene, random.Random(seed))
        await anyio.sleep(AT_REST_S)

        sizes = [scene.sizes().get(worker, 0) for worker in living]
        assert scene.readers().keys() == {shard.shard_id for shard in scene.stream.listed if shard.is_open}
        assert max(sizes) - min(sizes) <= 1
        assert scene.overlaps() == []
        for shard in scene.stream.listed:
            ends = [each.ended or 0 for each in scene.readings if each.key in shard.parents]
            assert scene.first(shard.shard_id) >= max(ends, default=0)
            # A checkpoint may be saved and its worker killed before it knew: the next reader then begins at it.
            starts = {int(each.start) for each in scene.readings if each.key == shard.shard_id and each.start.isdigit()}
            saved = scene.checkpoints(shard.shard_id)
            assert set(range(1, max(saved, default=1))) <= {*saved, *starts}

"""`Running.until_caught_up` returns when everything is done, however slow the leases are."""

from __future__ import annotations

import pytest

from eventmap.testing.memory_leases import MemoryLeaseTable
from tests.delivery.stream.scene import Handler, kinesis, numbered, put, working

from .stream_places import deadline

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("seed", range(20))
async def test_a_shard_taken_while_the_leases_are_looked_at_is_waited_for(seed: int) -> None:
    """A scan that was answered late does not hide what was taken, or has ended, meanwhile."""
    api = kinesis(3)
    put(api, *numbered(30))
    api.split_shard("orders", api.open_shards("orders")[0])
    put(api, *numbered(30, "later"))
    store = MemoryLeaseTable().store_for("worker", seed=seed, delay_s=0.4)
    handler = Handler()

    async with deadline(), working(api, handler, store=store) as running:
        await running.until_caught_up()
        done = len(handler.texts)

    assert done == 60

"""Tenure: what is told when a lease's time with a worker ends."""

from __future__ import annotations

import random
from typing import Literal

import anyio
import pytest

from eventmap import telemetry
from eventmap.delivery.stream.held_lease import HeldLease
from eventmap.delivery.stream.succession import Succession
from eventmap.delivery.stream.tenure import Tenure, TenureEnd
from eventmap.lease import Lease
from eventmap.sources.kinesis import KinesisSource, describe_kinesis
from eventmap.testing.memory_leases import MemoryLeaseTable
from tests.delivery.test_poll_errors import events

from .scene import STREAM, kinesis

pytestmark = pytest.mark.virtual_time


async def test_str_201_a_lease_that_cannot_be_given_up_is_lost_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """STR-201: what was done last is not saved either; whether the renewing notices it first does not matter."""
    api, table = kinesis(), MemoryLeaseTable()
    store = table.store_for("a")
    table.put(Lease(key="shardId-000000000000", owner="a", counter=1, checkpoint="TRIM_HORIZON"))
    source = KinesisSource(api, await describe_kinesis(api, STREAM))
    held = HeldLease(table.leases["shardId-000000000000"], store, "a", failover_s=10)

    async def read_shard(held: HeldLease) -> Literal["ended", "left"]:
        store.is_reachable = False
        await anyio.sleep(3)
        return "left"

    tenure = Tenure(
        held,
        read_shard,
        Succession(source, store, starting_position="TRIM_HORIZON", stream=STREAM, prefix=""),
        renew_s=1_000,
        renewals=anyio.CapacityLimiter(1),
        dice=random.Random(1),
        log=telemetry.logger("eventmap.delivery"),
    )
    end = await tenure.run()

    [lost] = events(caplog, telemetry.LEASE_LOST)
    assert end is TenureEnd.LOST
    assert lost["error"] == "the lease table cannot be reached"

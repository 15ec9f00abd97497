"""The positions of a fleet in a real lease table, on each of the servers that have DynamoDB."""

from __future__ import annotations

import random
import time

from eventmap.aws.dynamodb import DynamoDbWire
from eventmap.rules.schedule.position import Claimed, Elsewhere, Passed
from eventmap.state.dynamodb import DynamoDbLeases
from eventmap.state.positions_fleet import FleetPositions


async def worker(wire: DynamoDbWire, table: str, name: str) -> FleetPositions:
    leases = DynamoDbLeases(wire, table)
    await leases.prepare()
    return FleetPositions(leases, name, dice=random.Random(name), failover_s=10)


async def test_a_fleet_shares_a_table_in_dynamodb(dynamodb: DynamoDbWire, table_name: str) -> None:
    """One gets the run, the other hears that it is done; a third one, later, finds how far each schedule is."""
    one, two = await worker(dynamodb, table_name, "one"), await worker(dynamodb, table_name, "two")
    keys = [f"job-{number}/abc" for number in range(30)]
    begun = await one.load(keys)
    now = begun[keys[0]]
    assert abs(now - time.time()) < 60
    assert await two.load(keys) == begun

    assert await one.claim(keys[0], now + 60) == Claimed(now)
    assert isinstance(await two.claim(keys[0], now + 60), Elsewhere)
    await one.record(keys[0], now + 60)
    await one.release(keys[0])
    assert await two.claim(keys[0], now + 60) == Passed(now + 60)
    assert await two.claim(keys[0], now + 120) == Claimed(now + 60)
    await two.release(keys[0])
    await two.forget(keys[1:2])
    await one.aclose()
    await two.aclose()

    after = await (await worker(dynamodb, table_name, "three")).load(keys)
    assert after[keys[0]] == now + 60
    assert after[keys[1]] >= now
    assert all(after[key] == now for key in keys[2:])

"""Where reading begins, how often it asks, and what makes a batch."""

from __future__ import annotations

import itertools
from typing import Any

import anyio
import pytest

from eventmap.clock import wall_time_s
from eventmap.testing import FaultyStream, MemoryDynamoDb, MemoryKinesis
from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import (
    STREAM,
    Handler,
    Invocation,
    checkpoints,
    dynamodb,
    fail_for,
    kinesis,
    numbered,
    put,
    sequence_of,
    spread,
    statistics,
    working,
)

pytestmark = pytest.mark.virtual_time
both = pytest.mark.parametrize("make", [kinesis, dynamodb])


# Positions. -------------------------------------------------------------------------------------------------------


@both
async def test_str_20_trim_horizon_begins_with_the_oldest(make: Any) -> None:
    """STR-20: everything that was there before the mapping."""
    api = make()
    put(api, *numbered(3))
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(5)

    assert handler.texts == numbered(3)


@both
async def test_str_20_latest_begins_behind_the_newest(make: Any) -> None:
    """STR-20: what was there is not read, what comes is."""
    api = make()
    put(api, "before")
    handler = Handler()

    async with working(api, handler, starting_position="LATEST"):
        await anyio.sleep(5)
        put(api, "after")
        await anyio.sleep(5)

    assert handler.texts == ["after"]


async def test_str_04_20_at_timestamp_begins_at_that_time() -> None:
    """STR-04, 20: the first record at or after it; before the trim horizon it means the horizon."""
    api = kinesis()
    put(api, "before")
    await anyio.sleep(100)
    since = wall_time_s()
    put(api, "at")
    await anyio.sleep(100)
    put(api, "after")
    handlers = [Handler(), Handler()]

    for handler, timestamp in zip(handlers, (since, 1.0), strict=True):
        async with working(
            api, handler, starting_position="AT_TIMESTAMP", starting_position_timestamp=timestamp, batch_size=1
        ):
            await anyio.sleep(5)

    assert [handler.texts for handler in handlers] == [["at", "after"], ["before", "at", "after"]]


@both
async def test_str_21_a_child_of_a_shard_begun_at_latest_is_read_from_its_start(make: Any) -> None:
    """STR-21: a reshard loses nothing, however late the child is seen."""
    api = make()
    handler = Handler()

    async with working(api, handler, starting_position="LATEST"):
        await anyio.sleep(5)
        if isinstance(api, MemoryKinesis):
            api.split_shard(STREAM, api.open_shards(STREAM)[0])
        else:
            api.roll(STREAM)
        put(api, *numbered(20))
        await anyio.sleep(30)

    assert sorted(handler.texts) == sorted(numbered(20))


# How often. -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "per_second"), [(kinesis, 1), (dynamodb, 4)])
async def test_str_23_an_idle_shard_is_polled_at_lambdas_rate(make: Any, per_second: int) -> None:
    """STR-23: once per second a Kinesis shard, four times a table's."""
    api = make(shards=2)

    async with working(api, Handler()):
        await anyio.sleep(10.1)
        before = await reads(api)
        await anyio.sleep(100)
        after = await reads(api)

    assert {after[shard] - before[shard] for shard in after} == {100 * per_second}


@pytest.mark.parametrize(("make", "within"), [(kinesis, 4.1), (dynamodb, 0.1)])
async def test_str_23_143_while_there_is_more_reading_goes_on(make: Any, within: float) -> None:
    """STR-23, 143: twenty pages follow each other, at five reads a second where the source allows no more."""
    api = make(page_limit=1)
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(10)
        put(api, *numbered(20))
        await anyio.sleep(10)

    assert handler.texts == numbered(20)
    assert handler.times[-1] - handler.times[0] <= within
    if isinstance(api, MemoryKinesis):
        assert api.journal.calls["ProvisionedThroughputExceededException"] == 0


async def test_str_23_a_blocked_shard_is_not_read_ahead_of_without_end() -> None:
    """Bounded: beyond one batch nothing is read while the one in flight runs."""
    api = kinesis(page_limit=10)
    put(api, *numbered(1000))

    async with working(api, Handler(seconds=600), timeout=900, batch_size=50, drain_budget_s=0.1) as service:
        await anyio.sleep(300)
        counted = statistics(service)

        assert counted.received <= 60
        assert counted.in_flight == counted.received


# Batches. ---------------------------------------------------------------------------------------------------------


@both
async def test_str_24_a_batch_is_of_one_shard(make: Any) -> None:
    """STR-24: however small the batches are, records of two shards never share one."""
    api = make(shards=4)
    put(api, *numbered(100))
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(5)

    homes = {sequence: place for place, sequences in enumerate(await kept(api)) for sequence in sequences}
    assert len(homes) == len(handler.texts) == 100
    for invocation in handler.invocations:
        assert len({homes[sequence_of(record)] for record in invocation.records}) == 1


@both
async def test_str_25_without_a_window_one_record_goes_at_once(make: Any) -> None:
    """STR-25: whatever one read returned."""
    api = make()
    handler = Handler()

    async with working(api, handler):
        for number in range(5):
            await anyio.sleep(7)
            put(api, f"r{number}")
        await anyio.sleep(5)

    assert handler.batches == [[f"r{number}"] for number in range(5)]


async def test_str_25_a_full_batch_does_not_wait_for_its_window() -> None:
    """STR-25: `BatchSize` from several reads, long before 300 s."""
    api = kinesis(page_limit=10)
    put(api, *numbered(100))
    handler = Handler()

    async with working(api, handler, batch_size=50, maximum_batching_window_in_seconds=300):
        await anyio.sleep(100)

    assert handler.batches == [numbered(100)[:50], numbered(100)[50:]]
    assert handler.times[1] < 10


async def test_str_25_an_underfilled_batch_goes_when_its_window_ends() -> None:
    """STR-25: with all that came meanwhile."""
    api = kinesis()
    handler = Handler()

    async with working(api, handler, maximum_batching_window_in_seconds=20):
        await anyio.sleep(1)
        for number in range(3):
            put(api, f"r{number}")
            await anyio.sleep(3)
        await anyio.sleep(30)

    assert handler.batches == [numbered(3)]
    assert 18 <= handler.times[0] <= 21


async def test_str_25_a_batch_goes_at_six_mebibytes() -> None:
    """STR-25: the record that would overflow the event begins the next batch."""
    api = kinesis(shard_limit_calls_per_s=None)
    put(api, *[f"{number}{'x' * 780_000}" for number in range(9)], key="k")
    handler = Handler()

    async with working(api, handler, maximum_batching_window_in_seconds=30):
        await anyio.sleep(100)

    assert [[text[0] for text in batch] for batch in handler.batches] == [list("012345"), list("678")]
    assert handler.times[0] < 5


async def test_str_26_the_next_window_begins_when_the_invocation_ends() -> None:
    """STR-26: windows of one shard follow its invocations, not the clock."""
    api = kinesis()
    handler = Handler(seconds=7)

    async with working(api, handler, maximum_batching_window_in_seconds=10, timeout=60):
        for number in range(60):
            put(api, f"r{number}")
            await anyio.sleep(1)
        await anyio.sleep(30)

    assert handler.gaps[:3] == [17, 17, 17]
    assert handler.texts == numbered(60)


@both
async def test_str_27_28_a_fully_filtered_read_moves_the_position_without_an_invocation(make: Any) -> None:
    """STR-27, 28: nothing is invoked, the checkpoint moves all the same, the stream keeps its records."""
    api, leases, handler = make(), MemoryLeaseTable(), Handler()
    sequences = put(api, *numbered(5))
    wanted = {"data": {"no": ["such"]}} if make is kinesis else {"eventName": ["REMOVE"]}

    async with working(
        api, handler, store=leases.store_for("a"), filter_criteria={"Filters": [{"Pattern": wanted}]}
    ) as service:
        await anyio.sleep(5)
        counted = statistics(service)
        assert (counted.filtered, counted.invocations, counted.in_flight) == (5, 0, 0)

    assert handler.invocations == []
    assert checkpoints(leases) == [sequences[-1]]
    assert sum(map(len, await kept(api))) == 5


async def test_str_27_only_what_passes_fills_a_batch() -> None:
    """STR-27: filtering is before batching; the checkpoint does not pass a record in flight before a filtered one."""
    api, leases = dynamodb(page_limit=7), MemoryLeaseTable()
    put(api, *numbered(20), key="same")  # one INSERT, then MODIFYs
    put(api, *numbered(20, "s"))
    handler = Handler()

    async with working(
        api,
        handler,
        store=leases.store_for("a"),
        batch_size=10,
        maximum_batching_window_in_seconds=5,
        filter_criteria={"Filters": [{"Pattern": {"eventName": ["INSERT"]}}]},
    ):
        await anyio.sleep(30)

    assert handler.batches == [["r0", *numbered(9, "s")], numbered(20, "s")[9:19], ["s19"]]


async def test_str_29_one_batch_of_a_shard_at_a_time_and_in_order() -> None:
    """STR-29: with factor 1."""
    api = kinesis(shards=3)
    written = spread(30, api.open_shards(STREAM), api)
    handler = Handler(seconds=0.5)

    async with working(api, handler, batch_size=4):
        await anyio.sleep(30)

    for texts in written.values():
        mine = [each for each in handler.invocations if each.texts[0] in texts]
        assert [text for each in mine for text in each.texts] == texts
        assert all(first.ended_at <= second.at for first, second in itertools.pairwise(mine))
    assert handler.most_running == 3


# What the source does meanwhile. ----------------------------------------------------------------------------------


@both
async def test_str_153_empty_pages_are_not_the_end(make: Any) -> None:
    """STR-153: the iterator is followed through them, and nothing is missed."""
    api = make(empty_pages=0.6, page_limit=3)
    put(api, *numbered(30))
    handler = Handler()

    async with working(api, handler):
        await anyio.sleep(120)

    assert handler.texts == numbered(30)


@both
async def test_str_142_154_an_expired_iterator_is_replaced_where_it_stood(make: Any) -> None:
    """STR-142, 154: an invocation outlives the iterator; nothing is read twice or left out."""
    api = make(iterator_lifetime_s=60)
    put(api, "a")
    handler = Handler(seconds=200)

    async with working(api, handler, timeout=300, batch_size=1):
        await anyio.sleep(1)
        put(api, "b", "c")
        await anyio.sleep(700)

    assert handler.texts == ["a", "b", "c"]


@both
async def test_str_44_145_155_trimmed_records_are_stepped_over(make: Any) -> None:
    """STR-44, 145, 155: what was trimmed while the shard was blocked is gone; reading goes on at the horizon."""
    api = make()
    put(api, "a")
    handler = Handler(seconds=100)

    async with working(api, handler, timeout=300, batch_size=1):
        await anyio.sleep(1)
        put(api, *numbered(5))
        api.trim(await readable(api), api.open_shards(STREAM)[0], keep=2)
        handler.seconds = 0
        await anyio.sleep(200)

    assert handler.texts == ["a", "r3", "r4"]


async def test_str_143_a_shard_is_read_no_faster_than_its_two_megabytes_a_second() -> None:
    """STR-143: 18 MB written before the start take reads of 10 and 8 MB, nine seconds, and no refusal."""
    api = kinesis()
    for number in range(18):
        api.put_record(STREAM, b"x" * 1_000_000, f"k{number}")

    async with working(api, Handler(), batch_size=10) as running:
        await anyio.sleep(30)

    assert statistics(running).done == 18
    assert statistics(running).poll_errors == 0


@both
async def test_str_143_211_a_throttled_read_waits_and_loses_nothing(make: Any) -> None:
    """STR-143, 211: refused reads back off 1, 2, 4, 8, 10, 10 s; then everything comes."""
    api = make()
    put(api, *numbered(3))
    refused = FaultyStream(api, seed=1, throttle=1.0, calls={"get_records"})
    gate = Gate(refused, api, until=60.0)
    handler = Handler()

    async with working(gate, handler) as service:
        await anyio.sleep(120)
        assert statistics(service).poll_errors == len(gate.refused_at)

    waits = [round(later - earlier, 3) for earlier, later in itertools.pairwise(gate.refused_at)]
    assert waits == [1, 2, 4, 8, 10, 10, 10, 10]
    assert handler.texts == numbered(3)


async def test_one_slow_or_poisoned_shard_does_not_slow_another() -> None:
    """Each shard has its own turn: one blocked for ever costs the others nothing."""
    api = kinesis(shards=3)
    written = spread(20, api.open_shards(STREAM), api)
    poisoned, slow, free = written.values()
    handler = Handler(then=fail_for(poisoned[0]))

    async def handle(event: dict[str, Any], context: Any) -> object:
        first = Invocation(0, event, "").texts[0]
        if first in slow:
            await anyio.sleep(50)
        return await handler(event, context)

    async with working(api, handle, batch_size=5, timeout=60):
        await anyio.sleep(5)
        assert [text for text in handler.texts if text in free] == free
        await anyio.sleep(300)

    assert [text for text in handler.texts if text in slow] == slow
    assert {text for text in handler.texts if text in poisoned} == set(poisoned[:5])


async def test_str_34_shards_share_the_slots_of_their_function() -> None:
    """STR-34: with one environment two shards take turns, and neither starves."""
    api = kinesis(shards=2)
    written = spread(10, api.open_shards(STREAM), api)
    handler = Handler(seconds=1)

    async with working(api, handler, batch_size=1, concurrency=1, timeout=5):
        await anyio.sleep(10)
        shares = [sum(text in texts for text in handler.texts) for texts in written.values()]

    assert handler.most_running == 1
    assert min(shares) >= 4


# What the tests above look with. ----------------------------------------------------------------------------------


class Gate:
    """`first` until the loop's clock says `until`, then `second`; notes when reads were refused."""

    def __init__(self, first: Any, second: MemoryKinesis | MemoryDynamoDb, *, until: float) -> None:
        self.api = second
        self.refused_at: list[float] = []
        self._first = first
        self._until = until

    def __getattr__(self, name: str) -> Any:
        if anyio.current_time() < self._until:
            if name == "get_records":
                self.refused_at.append(anyio.current_time())
            return getattr(self._first, name)
        return getattr(self.api, name)


async def reads(api: MemoryKinesis | MemoryDynamoDb) -> dict[str, int]:
    return dict(api.reads(await readable(api)))


async def kept(api: MemoryKinesis | MemoryDynamoDb) -> list[list[str]]:
    """The sequence numbers each open shard holds."""
    name = await readable(api)
    found = [api.records(name, shard) for shard in api.open_shards(STREAM)]
    return [[raw.get("dynamodb", raw)["SequenceNumber"] for raw in records] for records in found]


async def readable(api: MemoryKinesis | MemoryDynamoDb) -> str:
    """What the stream's records are asked for by."""
    return STREAM if isinstance(api, MemoryKinesis) else (await api.list_streams(STREAM))[0]

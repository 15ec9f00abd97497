"""The same scenarios on every Kinesis: in memory under virtual time, and on servers nobody of us wrote, in time."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import anyio
from aws_lambda_powertools.utilities.parser.models import KinesisDataStreamModel

from eventmap import App
from tests.delivery.stream.scene import REPORTS, Handler, fail_times, report, statistics, text_of

from .stream_places import StreamPlace, at_work, by_key, deadline, in_order, keyed, until

KEYS = "abcdefghijkl"

Judge = Callable[..., None]


async def test_str_20_24_29_a_whole_stream_is_handled_once_and_in_order(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-20, 24, 29: every record of three shards once, each key in order, no batch of two shards."""
    await kinesis_place.create_stream(fresh, 3)
    await kinesis_place.put(fresh, *keyed(KEYS, 20))
    handler = Handler()

    async with deadline(), at_work(kinesis_place, fresh, handler, batch_size=7) as running:
        await running.until_caught_up()
        done = statistics(running).done

    shards = [{record["eventID"].partition(":")[0] for record in each.records} for each in handler.invocations]
    assert max(map(len, handler.batches)) <= 7
    assert {len(each) for each in shards} == {1}
    assert len(set.union(*shards)) == 3
    stream_judge(kinesis_place, aws=(in_order(KEYS, 20), 240), observed=(by_key(handler.texts), done))


async def test_str_30_31_lanes_keep_the_order_of_each_key(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-30, 31: four batches of one shard at once, and every key still in order."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *keyed(KEYS, 20))
    handler = Handler(seconds=0.01)

    async with (
        deadline(),
        at_work(kinesis_place, fresh, handler, batch_size=5, parallelization_factor=4) as running,
    ):
        await running.until_caught_up()

    assert 2 <= handler.most_running <= 4
    stream_judge(kinesis_place, aws=in_order(KEYS, 20), observed=by_key(handler.texts))


async def test_str_20_latest_begins_behind_what_is_there(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-20: what was put before the first read is not delivered, what was put after it is."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *keyed("a", 3))
    handler = Handler()

    async with deadline(), at_work(kinesis_place, fresh, handler, starting_position="LATEST") as running:
        await until(lambda: statistics(running).receives > 0)
        await kinesis_place.put(fresh, *keyed("b", 3))
        await until(lambda: statistics(running).done == 3)
        await running.until_caught_up()

    stream_judge(kinesis_place, aws=["b0", "b1", "b2"], observed=handler.texts)


async def test_str_04_20_a_timestamp_begins_at_its_first_record(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-04, 20: the first record delivered is the first one that did not arrive before the time given."""
    await kinesis_place.create_stream(fresh)
    for entry in keyed("a", 4):
        await kinesis_place.put(fresh, entry)
        await anyio.sleep(0.01)  # arrival times of their own
    everything, since = Handler(), Handler()
    async with deadline(), at_work(kinesis_place, fresh, everything) as running:
        await running.until_caught_up()
    records = [record for each in everything.invocations for record in each.records]
    moment = records[2]["kinesis"]["approximateArrivalTimestamp"]
    expected = [text_of(each) for each in records if each["kinesis"]["approximateArrivalTimestamp"] >= moment]

    begun: dict[str, Any] = {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": moment}
    async with deadline(), at_work(kinesis_place, fresh, since, **begun) as running:
        await running.until_caught_up()

    assert everything.texts == ["a0", "a1", "a2", "a3"]
    stream_judge(kinesis_place, aws=expected, observed=since.texts)


async def test_str_36_201_a_restart_goes_on_from_the_checkpoint(
    kinesis_place: StreamPlace, fresh: str, state: dict[str, Any], stream_judge: Judge
) -> None:
    """STR-36, 201: with leases in a file, each run handles what came since the one before, and only that."""
    await kinesis_place.create_stream(fresh, 2)
    handlers = [Handler() for _ in range(3)]

    for number, handler in enumerate(handlers):
        await kinesis_place.put(fresh, *[entry for entry in keyed(KEYS, 3) if entry[1].endswith(b"%d" % number)])
        async with deadline(), at_work(kinesis_place, fresh, handler, running=state) as running:
            await running.until_caught_up()

    stream_judge(
        kinesis_place,
        aws=[sorted(f"{key}{number}" for key in KEYS) for number in range(3)],
        observed=[sorted(handler.texts) for handler in handlers],
    )


async def test_str_199_201_a_restart_goes_on_from_a_table_of_leases(
    whole_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-199, 201: the same with the leases in a table of the server, made where it is missing."""
    await whole_place.create_stream(fresh, 2)
    leases = {"leases": f"dynamodb:{fresh}-leases"}
    first, second = Handler(), Handler()

    await whole_place.put(fresh, *keyed(KEYS, 3))
    async with deadline(), at_work(whole_place, fresh, first, running=leases) as running:
        await running.until_caught_up()
    await whole_place.put(fresh, *[entry for entry in keyed(KEYS, 4) if entry[1].endswith(b"3")])
    async with deadline(), at_work(whole_place, fresh, second, running=leases) as running:
        await running.until_caught_up()

    stream_judge(
        whole_place,
        aws=(in_order(KEYS, 3), in_order(KEYS, 1, start=3)),
        observed=(by_key(first.texts), by_key(second.texts)),
    )


async def test_str_62_63_70_a_partial_failure_is_retried_from_there_on(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-62, 63, 70: named by sequence number, whatever a server's numbers look like; those before it are done."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *keyed("a", 5))
    attempts: list[int] = []

    def once(records: list[dict[str, Any]]) -> object:
        attempts.append(1)
        return report("a2", "a4")(records) if len(attempts) == 1 else None

    handler = Handler(then=once)
    async with deadline(), at_work(kinesis_place, fresh, handler, **REPORTS) as running:
        await running.until_caught_up()
        retried = statistics(running).retried

    stream_judge(
        kinesis_place,
        aws=([["a0", "a1", "a2", "a3", "a4"], ["a2", "a3", "a4"]], 3),
        observed=(handler.batches, retried),
    )


async def test_str_35_a_failed_batch_blocks_its_shard_and_no_other(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-35: the same records again, then those behind them; the function is given back what it has seen."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *keyed("a", 4))
    handler = Handler(then=fail_times(2))

    async with deadline(), at_work(kinesis_place, fresh, handler, batch_size=2) as running:
        await running.until_caught_up()

    first = handler.request_ids[:3]
    assert len(set(first)) == 1
    stream_judge(kinesis_place, aws=[["a0", "a1"]] * 3 + [["a2", "a3"]], observed=handler.batches)


async def test_str_21_151_158_split_and_merged_shards_keep_the_order_of_each_key(
    kinesis_place: StreamPlace, fresh: str, state: dict[str, Any], stream_judge: Judge
) -> None:
    """STR-21, 151, 158: put, split, put, merge, put: every record, each key in order; a restart finds nothing left."""
    await kinesis_place.create_stream(fresh, 2)
    parts = [[entry for entry in keyed(KEYS, 9) if int(entry[1][1:]) // 3 == part] for part in range(3)]
    handler, again = Handler(), Handler()

    async with deadline(), at_work(kinesis_place, fresh, handler, running=state) as running:
        await kinesis_place.put(fresh, *parts[0])
        [first, _] = await kinesis_place.open_shards(fresh)
        await kinesis_place.split(fresh, first)
        await kinesis_place.put(fresh, *parts[1])
        _, second, third = await kinesis_place.open_shards(fresh)
        await kinesis_place.merge(fresh, second, third)
        await kinesis_place.put(fresh, *parts[2])
        is_caught_up = False
        with anyio.move_on_after(8):
            await until(lambda: statistics(running).done == 9 * len(KEYS))
            await running.until_caught_up()
            is_caught_up = True
    async with deadline(), at_work(kinesis_place, fresh, again, running=state) as running:
        with anyio.move_on_after(2):
            await running.until_caught_up()

    stream_judge(
        kinesis_place,
        aws=(True, True, []),
        observed=(by_key(handler.texts) == in_order(KEYS, 9), is_caught_up, again.texts),
    )


async def test_str_202_several_mappings_of_one_stream_go_their_own_ways(
    kinesis_place: StreamPlace, fresh: str, state: dict[str, Any], stream_judge: Judge
) -> None:
    """STR-202: two functions in one service read everything each, one of them held up by its own failures only."""
    await kinesis_place.create_stream(fresh, 2)
    await kinesis_place.put(fresh, *keyed("abcd", 5))
    quick, slow = Handler(), Handler(then=fail_times(2))
    app = App()
    app.kinesis(fresh, starting_position="TRIM_HORIZON", function_name="quick")(quick)
    app.kinesis(fresh, starting_position="TRIM_HORIZON", function_name="slow", batch_size=2)(slow)

    async with deadline(), app.running(**kinesis_place.where(), **state) as running:
        await running.until_caught_up()
        done = {name: counted.done for (_, name), counted in running.statistics().items()}

    succeeded = [each for each in slow.invocations[2:] if each.ended_at is not None]
    assert max(map(len, slow.batches)) == 2
    assert len(succeeded) >= 10
    stream_judge(
        kinesis_place,
        aws=(in_order("abcd", 5), {"quick": 20, "slow": 20}),
        observed=(by_key(quick.texts), done),
    )


BINARY = (
    b"\xf3\x89\x9a\xc2" + bytes(range(256)) + b"\x00" * 16,  # as the producer library begins its aggregates
    b"\xff\xfe",
    "grün 🌱".encode(),
    b"\x00",
    b"x" * 100_000,
)


async def test_str_32_110_119_binary_data_arrives_as_it_was_put(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-32, 110..119: an aggregate is one opaque record; an independent reader finds every field and every byte."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *[("schlüssel", data) for data in BINARY])
    handler = Handler()

    async with deadline(), at_work(kinesis_place, fresh, handler) as running:
        await running.until_caught_up()
        [described] = running.streams()

    event = {"Records": [record for each in handler.invocations for record in each.records]}
    raw = [record["kinesis"]["data"] for record in event["Records"]]
    for record in event["Records"]:  # the model decodes what it can, as text
        record["kinesis"]["data"] = base64.b64encode(b"{}").decode()
    read = KinesisDataStreamModel.model_validate(event).Records
    assert {(each.eventSourceARN, each.awsRegion, each.eventSource) for each in read} == {
        (described.arn, "us-east-1", "aws:kinesis")
    }
    assert {each.kinesis.partitionKey for each in read} == {"schlüssel"}
    assert [each.eventID.partition(":")[2] for each in read] == [each.kinesis.sequenceNumber for each in read]
    assert sorted(read, key=lambda each: int(each.kinesis.sequenceNumber)) == read
    stream_judge(kinesis_place, aws=list(BINARY), observed=[base64.b64decode(data) for data in raw])


async def test_str_27_28_filters_pass_by_what_they_reject(
    kinesis_place: StreamPlace, fresh: str, state: dict[str, Any], stream_judge: Judge
) -> None:
    """STR-27, 28: no invocation for what does not match, and the checkpoint is behind it."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *[("k", b'{"n":%d}' % number) for number in range(20)], ("k", b"no JSON"))
    handler, again = Handler(), Handler()
    mapping: dict[str, Any] = {"filter_criteria": {"Filters": [{"Pattern": {"data": {"n": [{"numeric": ["<", 5]}]}}}]}}

    async with deadline(), at_work(kinesis_place, fresh, handler, running=state, **mapping) as running:
        await running.until_caught_up()
        counted = statistics(running)
    async with deadline(), at_work(kinesis_place, fresh, again, running=state) as running:
        await running.until_caught_up()

    stream_judge(
        kinesis_place,
        aws=([f'{{"n":{number}}}' for number in range(5)], 16, 5, []),
        observed=(handler.texts, counted.filtered, counted.done, again.texts),
    )


async def test_str_80_83_85_a_window_ends_with_what_was_counted_in_it(
    kinesis_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-80, 83, 85: the state goes from batch to batch; the last invocation of the window has the sum."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *keyed("a", 5))
    sums: list[int] = []

    def count(event: dict[str, Any], _context: object) -> dict[str, Any]:
        state = {"sum": event["state"].get("sum", 0) + len(event["Records"])}
        if event["isFinalInvokeForWindow"]:
            sums.append(state["sum"])
        return {"state": state}

    async with (
        deadline(),
        at_work(kinesis_place, fresh, count, batch_size=2, tumbling_window_in_seconds=2) as running,
    ):
        await until(lambda: sum(sums) == 5)
        await running.until_caught_up()

    stream_judge(kinesis_place, aws=5, observed=sum(sums))


async def test_str_213_a_drain_leaves_nothing_to_repeat(
    kinesis_place: StreamPlace, fresh: str, state: dict[str, Any], stream_judge: Judge
) -> None:
    """STR-213: stopped in the middle, what began ends and is saved; the next run begins behind it."""
    await kinesis_place.create_stream(fresh)
    await kinesis_place.put(fresh, *keyed("a", 40))
    first, second = Handler(seconds=0.05), Handler()

    async with deadline():
        async with at_work(kinesis_place, fresh, first, batch_size=2, running=state):
            await until(lambda: len(first.texts) >= 6)
        async with at_work(kinesis_place, fresh, second, running=state) as running:
            await running.until_caught_up()

    assert 6 <= len(first.texts) < 40
    stream_judge(kinesis_place, aws=[f"a{number}" for number in range(40)], observed=first.texts + second.texts)

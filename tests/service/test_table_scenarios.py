"""The same scenarios on the streams of every DynamoDB: in memory under virtual time, and on servers, in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from aws_lambda_powertools.utilities.parser.models import DynamoDBStreamModel

from tests.delivery.stream.scene import REPORTS, Handler, report, statistics, text_of

from .stream_places import TEXT, StreamPlace, at_work, by_key, deadline, in_order, until

KEYS = "abcdef"

Judge = Callable[..., None]


async def fill(place: StreamPlace, table: str, count: int, start: int = 0) -> None:
    """a0, b0, …, a1, b1, …: `count` versions of each item."""
    for number in range(start, start + count):
        for key in KEYS:
            await place.write(table, key, f"{key}{number}")


def records_of(handler: Handler) -> list[dict[str, Any]]:
    return [record for each in handler.invocations for record in each.records]


async def test_str_20_29_133_every_change_of_a_table_is_handled_once_and_in_order(
    table_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-20, 29, 133: the first version of an item is an INSERT, the others MODIFY."""
    await table_place.create_table(fresh)
    await fill(table_place, fresh, 10)
    handler = Handler()

    async with deadline(), at_work(table_place, fresh, handler, kind="dynamodb", batch_size=7) as running:
        await running.until_caught_up()

    names = [record["eventName"] for record in records_of(handler)]
    assert max(map(len, handler.batches)) <= 7
    stream_judge(
        table_place,
        aws=(in_order(KEYS, 10), {"INSERT": len(KEYS), "MODIFY": 9 * len(KEYS)}),
        observed=(by_key(handler.texts), {name: names.count(name) for name in sorted(set(names))}),
    )


SHOWN = {
    "KEYS_ONLY": [("INSERT", None, None), ("MODIFY", None, None), ("REMOVE", None, None)],
    "NEW_IMAGE": [("INSERT", None, "one"), ("MODIFY", None, "two"), ("REMOVE", None, None)],
    "OLD_IMAGE": [("INSERT", None, None), ("MODIFY", "one", None), ("REMOVE", "two", None)],
    "NEW_AND_OLD_IMAGES": [("INSERT", None, "one"), ("MODIFY", "one", "two"), ("REMOVE", "two", None)],
}


@pytest.mark.parametrize("view_type", SHOWN)
async def test_str_120_130_the_view_type_says_which_images_there_are(
    table_place: StreamPlace, fresh: str, stream_judge: Judge, view_type: str
) -> None:
    """STR-120..130: insert, change and removal of one item, by way of an independent reader's model."""
    await table_place.create_table(fresh, view_type)
    await table_place.write(fresh, "a", "one")
    await table_place.write(fresh, "a", "two")
    await table_place.delete(fresh, "a")
    handler = Handler()

    async with deadline(), at_work(table_place, fresh, handler, kind="dynamodb") as running:
        await running.until_caught_up()
        [described] = running.streams()

    raw = records_of(handler)
    read = DynamoDBStreamModel.model_validate({"Records": raw}).Records
    assert {(each.eventSource, each.eventSourceARN, each.awsRegion) for each in read} == {
        ("aws:dynamodb", described.arn, "us-east-1")
    }
    assert {each.dynamodb.StreamViewType for each in read} == {view_type}
    assert [record["dynamodb"]["Keys"] for record in raw] == [{"id": {"S": "a"}}] * 3
    shown = [(each["eventName"], image(each, "OldImage"), image(each, "NewImage")) for each in raw]
    stream_judge(table_place, aws=SHOWN[view_type], observed=shown)


def image(record: dict[str, Any], which: str) -> str | None:
    found = record["dynamodb"].get(which)
    return None if found is None else str(found[TEXT]["S"])


async def test_str_132_a_write_that_changes_nothing_is_no_record(
    table_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-132: the same item put twice."""
    await table_place.create_table(fresh)
    for text in ("one", "one", "two"):
        await table_place.write(fresh, "a", text)
    handler = Handler()

    async with deadline(), at_work(table_place, fresh, handler, kind="dynamodb") as running:
        await running.until_caught_up()

    stream_judge(table_place, aws=["one", "two"], observed=handler.texts)


async def test_str_20_latest_begins_behind_the_items_there_are(
    table_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-20: only what is written after the first read."""
    await table_place.create_table(fresh)
    await table_place.write(fresh, "a", "before")
    handler = Handler()

    async with (
        deadline(),
        at_work(table_place, fresh, handler, kind="dynamodb", starting_position="LATEST") as running,
    ):
        await until(lambda: statistics(running).receives > 0)
        await table_place.write(fresh, "a", "behind")
        await until(lambda: statistics(running).done == 1)
        await running.until_caught_up()

    stream_judge(table_place, aws=["behind"], observed=handler.texts)


async def test_str_36_201_a_restart_goes_on_in_the_tables_stream(
    table_place: StreamPlace, fresh: str, state: dict[str, Any], stream_judge: Judge
) -> None:
    """STR-36, 201: named by the table or by its stream's ARN, each as an application of its own."""
    await table_place.create_table(fresh)
    handlers = [Handler(), Handler()]

    for number, handler in enumerate(handlers):
        await fill(table_place, fresh, 2, start=2 * number)
        async with deadline(), at_work(table_place, fresh, handler, kind="dynamodb", running=state) as running:
            await running.until_caught_up()
            [described] = running.streams()
    by_arn = Handler()
    async with deadline(), at_work(table_place, described.arn, by_arn, kind="dynamodb", running=state) as running:
        await running.until_caught_up()

    stream_judge(
        table_place,
        aws=[in_order(KEYS, 2), in_order(KEYS, 2, start=2), in_order(KEYS, 4)],
        observed=[by_key(handler.texts) for handler in (*handlers, by_arn)],
    )


async def test_str_160_199_a_table_of_leases_serves_a_stream_and_a_table(
    whole_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-160, 199: two streams of one function share a lease table; a restart goes on in both."""
    await whole_place.create_stream(fresh, 2)
    await whole_place.create_table(fresh)
    handlers = [Handler(), Handler()]

    for number, handler in enumerate(handlers):
        await whole_place.put(fresh, ("k", f"k{number}".encode()))
        await whole_place.write(fresh, "t", f"t{number}")
        app = both(fresh, handler)
        async with deadline(), app.running(**whole_place.where(), leases=f"dynamodb:{fresh}-leases") as running:
            await running.until_caught_up()

    stream_judge(
        whole_place,
        aws=[["k0", "t0"], ["k1", "t1"]],
        observed=[sorted(handler.texts) for handler in handlers],
    )


def both(name: str, handler: Handler) -> Any:
    from eventmap import App

    app = App()
    app.kinesis(name, starting_position="TRIM_HORIZON", function_name="work")(handler)
    app.dynamodb(name, starting_position="TRIM_HORIZON", function_name="work")(handler)
    return app


async def test_str_62_70_a_partial_failure_names_a_change_by_its_sequence_number(
    table_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-62, 70: retried from the change named on."""
    await table_place.create_table(fresh)
    for number in range(4):
        await table_place.write(fresh, "a", f"a{number}")
    attempts: list[int] = []

    def once(records: list[dict[str, Any]]) -> object:
        attempts.append(1)
        return report("a2")(records) if len(attempts) == 1 else None

    handler = Handler(then=once)
    async with deadline(), at_work(table_place, fresh, handler, kind="dynamodb", **REPORTS) as running:
        await running.until_caught_up()

    stream_judge(table_place, aws=[["a0", "a1", "a2", "a3"], ["a2", "a3"]], observed=handler.batches)


async def test_str_27_filters_see_images_and_event_names(
    table_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-27: changes of one kind, of items with one value."""
    await table_place.create_table(fresh)
    for key, text in (("a", "open"), ("b", "open"), ("a", "paid"), ("b", "lost"), ("a", "sent")):
        await table_place.write(fresh, key, text)
    handler = Handler()
    pattern = {"eventName": ["MODIFY"], "dynamodb": {"NewImage": {TEXT: {"S": ["paid", "lost"]}}}}

    async with (
        deadline(),
        at_work(
            table_place, fresh, handler, kind="dynamodb", filter_criteria={"Filters": [{"Pattern": pattern}]}
        ) as running,
    ):
        await running.until_caught_up()
        counted = statistics(running)

    stream_judge(
        table_place,
        aws=(["paid", "lost"], 3, 2),
        observed=(handler.texts, counted.filtered, counted.done),
    )


async def test_str_23_a_change_reaches_an_idle_worker_within_a_second(
    table_place: StreamPlace, fresh: str, stream_judge: Judge
) -> None:
    """STR-23: a shard that brings nothing is read four times a second."""
    await table_place.create_table(fresh)
    handler = Handler()

    async with deadline(), at_work(table_place, fresh, handler, kind="dynamodb") as running:
        await until(lambda: statistics(running).receives > 1)
        written_at = anyio.current_time()
        await table_place.write(fresh, "a", "now")
        await until(lambda: bool(handler.invocations))
        waited_s = handler.invocations[0].at - written_at

    assert text_of(records_of(handler)[0]) == "now"
    stream_judge(table_place, aws=True, observed=waited_s < 1)

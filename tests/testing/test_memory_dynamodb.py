from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap import clock
from eventmap.errors import (
    IteratorExpired,
    RecordsTrimmed,
    ShardGone,
    SourceError,
    StreamNotFound,
    TransientSourceError,
)
from eventmap.testing import MemoryDynamoDb

pytestmark = pytest.mark.virtual_time

DAY_S = 86_400
IMAGES = {
    "KEYS_ONLY": [[], [], []],
    "NEW_IMAGE": [["NewImage"], ["NewImage"], []],
    "OLD_IMAGE": [[], ["OldImage"], ["OldImage"]],
    "NEW_AND_OLD_IMAGES": [["NewImage"], ["NewImage", "OldImage"], ["OldImage"]],
}


def item(name: str, **attributes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"id": {"S": name}, **attributes}


def orders(**options: Any) -> tuple[MemoryDynamoDb, str]:
    api = MemoryDynamoDb(**options)
    return api, api.create_table("orders")


async def begin(api: MemoryDynamoDb, arn: str, iterator_type: str = "TRIM_HORIZON", **options: Any) -> str:
    shards = (await api.describe_stream(arn))["Shards"]
    return await api.get_shard_iterator(arn, shards[0]["ShardId"], iterator_type, **options)


async def read(api: MemoryDynamoDb, arn: str, iterator: str, limit: int = 1_000) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = (await api.get_records(arn, iterator, limit=limit))["Records"]
    return records


async def changes(api: MemoryDynamoDb, arn: str) -> list[dict[str, Any]]:
    """All records of a stream with one shard."""
    return await read(api, arn, await begin(api, arn))


def names(records: list[dict[str, Any]]) -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in records]


async def test_str_120_to_128_a_record_looks_as_on_the_wire() -> None:
    """STR-120 to STR-128: its names, order and shapes; the time is rounded down to the second."""
    api, arn = orders()
    await anyio.sleep(1.9)

    placed = api.put_item("orders", item("a", total={"N": "12"}))

    [record] = await changes(api, arn)
    assert placed is not None
    assert len(record["eventID"]) == 32
    assert int(record["eventID"], 16) > 0
    assert list(record) == ["eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb"]
    assert list(record.values())[1:5] == ["INSERT", "1.1", "aws:dynamodb", "us-east-1"]
    assert record["dynamodb"] == {
        "ApproximateCreationDateTime": 1_767_225_601.0,
        "Keys": {"id": {"S": "a"}},
        "NewImage": {"id": {"S": "a"}, "total": {"N": "12"}},
        "SequenceNumber": placed.sequence,
        "SizeBytes": 3 + 3 + 5 + 2,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }


@pytest.mark.parametrize("view_type", IMAGES)
async def test_str_121_130_the_view_type_decides_the_images(view_type: Any) -> None:
    """STR-121, STR-130: insert, modify, remove, and which images each shows."""
    api = MemoryDynamoDb()
    arn = api.create_table("orders", view_type=view_type)
    api.put_item("orders", item("a", n={"N": "1"}))
    api.update_item("orders", item("a"), {"n": {"N": "2"}})
    api.delete_item("orders", item("a"))

    records = await changes(api, arn)

    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    assert [
        [image for image in ("NewImage", "OldImage") if image in record["dynamodb"]] for record in records
    ] == IMAGES[view_type]
    for record in records:
        assert record["dynamodb"].get("OldImage") in (None, item("a", n={"N": "1"}), item("a", n={"N": "2"}))
        assert record["dynamodb"]["StreamViewType"] == view_type


async def test_str_129_time_to_live_says_who_deleted() -> None:
    """STR-129: the service does; a delete by anybody else has no identity."""
    api, arn = orders()
    for name in ("a", "b"):
        api.put_item("orders", item(name))

    api.expire_item("orders", item("a"))
    api.delete_item("orders", item("b"))

    *_, expired, deleted = await changes(api, arn)
    assert (expired["eventName"], deleted["eventName"]) == ("REMOVE", "REMOVE")
    assert expired["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert "userIdentity" not in deleted


async def test_str_131_every_attribute_type_comes_as_dynamodb_keeps_it() -> None:
    """STR-131: numbers lose needless zeros, sets their order, and bytes become base64 text."""
    api, arn = orders()
    api.put_item(
        "orders",
        item(
            "a",
            n={"N": "-0012.340"},
            b={"B": b"\x00\xff"},
            text={"B": "AP8="},
            ss={"SS": ["b", "a"]},
            ns={"NS": ["10", "9.0"]},
            bs={"BS": [b"b", b"a"]},
            m={"M": {"deep": {"L": [{"N": "1e3"}, {"NULL": True}]}}},
            yes={"BOOL": False},
        ),
    )

    [record] = await changes(api, arn)

    assert record["dynamodb"]["NewImage"] == item(
        "a",
        n={"N": "-12.34"},
        b={"B": "AP8="},
        text={"B": "AP8="},
        ss={"SS": ["a", "b"]},
        ns={"NS": ["10", "9"]},
        bs={"BS": ["YQ==", "Yg=="]},
        m={"M": {"deep": {"L": [{"N": "1000"}, {"NULL": True}]}}},
        yes={"BOOL": False},
    )


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"S": "a", "N": "1"},
        {"S": 1},
        {"N": 1},
        {"N": "one"},
        {"N": "NaN"},
        {"N": "1" * 39},
        {"B": "no base64!"},
        {"SS": []},
        {"SS": ["a", "a"]},
        {"NS": ["1", "1.0"]},
        {"M": {"x": "plain"}},
        {"L": ["plain"]},
        {"BOOL": "true"},
        {"NULL": False},
        {"X": "a"},
        {"S": "x" * 400 * 1_024},
    ],
)
async def test_str_131_149_what_is_no_item_is_refused(value: Any) -> None:
    """STR-131, STR-149: values of no type or the wrong one, and items above 400 KB; nothing is written."""
    api, arn = orders()

    with pytest.raises(SourceError) as refused:
        api.put_item("orders", item("a", value=value))

    assert refused.value.code == "ValidationException"
    assert (api.items("orders"), await changes(api, arn)) == ((), [])


async def test_keys_are_whole_and_of_one_type() -> None:
    """An item needs its keys, a key nothing else, and the types of the first item stay."""
    api = MemoryDynamoDb()
    api.create_table("orders", "id", "at")
    key = {"id": {"S": "a"}, "at": {"N": "1"}}
    api.put_item("orders", key)

    refusals = [
        lambda: api.put_item("orders", item("a")),
        lambda: api.put_item("orders", {"id": {"S": "a"}, "at": {"S": "1"}}),
        lambda: api.put_item("orders", {"id": {"S": "a"}, "at": {"BOOL": True}}),
        lambda: api.delete_item("orders", item("a")),
        lambda: api.delete_item("orders", {**key, "other": {"S": "x"}}),
        lambda: api.update_item("orders", key, {"at": {"N": "2"}}),
    ]

    for refusal in refusals:
        with pytest.raises(SourceError) as refused:
            refusal()
        assert refused.value.code == "ValidationException"
    described = await api.describe_table("orders")
    assert described["AttributeDefinitions"] == [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
    ]
    assert [key["KeyType"] for key in described["KeySchema"]] == ["HASH", "RANGE"]


async def test_str_132_a_write_that_changes_nothing_leaves_no_record() -> None:
    """STR-132: equal puts and updates, however they are spelled, and deletes of what is not there."""
    api, arn = orders()
    api.put_item("orders", item("a", n={"N": "1"}, s={"SS": ["x", "y"]}))

    unchanged = [
        api.put_item("orders", item("a", s={"SS": ["y", "x"]}, n={"N": "1.0"})),
        api.update_item("orders", item("a"), {"n": {"N": "01"}}),
        api.update_item("orders", item("a"), {}),
        api.delete_item("orders", item("b")),
        api.expire_item("orders", item("b")),
    ]

    assert unchanged == [None] * 5
    assert names(await changes(api, arn)) == ["a"]


async def test_str_133_an_update_creates_what_is_not_there_and_keeps_the_rest() -> None:
    """STR-133: each change is one record, in order."""
    api, arn = orders()
    api.update_item("orders", item("a"), {"x": {"S": "1"}})
    api.update_item("orders", item("a"), {"y": {"S": "2"}})

    records = await changes(api, arn)

    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY"]
    assert api.items("orders") == (item("a", x={"S": "1"}, y={"S": "2"}),)
    assert records[1]["dynamodb"]["NewImage"] == api.items("orders")[0]


async def test_str_20_141_each_position_of_a_tables_shard_begins_where_it_says() -> None:
    """STR-20, STR-141: horizon, latest, at and after a sequence number; there is no AT_TIMESTAMP."""
    api, arn = orders()
    api.put_item("orders", item("a"))
    second = api.put_item("orders", item("b"))
    assert second is not None
    latest = await begin(api, arn, "LATEST")
    api.put_item("orders", item("c"))

    async def found(iterator_type: str, **options: Any) -> list[str]:
        return names(await read(api, arn, await begin(api, arn, iterator_type, **options)))

    assert names(await read(api, arn, latest)) == ["c"]
    assert await found("TRIM_HORIZON") == ["a", "b", "c"]
    assert await found("AT_SEQUENCE_NUMBER", sequence=second.sequence) == ["b", "c"]
    assert await found("AFTER_SEQUENCE_NUMBER", sequence=second.sequence) == ["c"]
    for iterator_type, sequence in [
        ("AT_TIMESTAMP", None),
        ("AFTER_SEQUENCE_NUMBER", None),
        ("AFTER_SEQUENCE_NUMBER", "12"),
        ("AFTER_SEQUENCE_NUMBER", "x"),
    ]:
        with pytest.raises(SourceError) as refused:
            await begin(api, arn, iterator_type, sequence=sequence)
        assert refused.value.code == "ValidationException"


async def test_str_127_157_a_tables_numbers_compare_as_integers_only() -> None:
    """STR-127, STR-157: 21 digits, soon 22; another shard's are refused."""
    api = MemoryDynamoDb()
    arn = api.create_table("orders", shards=2)
    placed = [api.put_item("orders", item(str(number))) for number in range(80)]
    by_shard: dict[str, list[str]] = {}
    for place in placed:
        assert place is not None
        by_shard.setdefault(place.shard_id, []).append(place.sequence)

    (first, numbers), (_, foreign) = by_shard.items()
    assert sorted(numbers, key=int) == numbers
    assert sorted(numbers) != numbers
    assert {len(number) for number in numbers} == {21, 22}
    with pytest.raises(SourceError, match=f"is not one of {first}"):
        await api.get_shard_iterator(arn, first, "AT_SEQUENCE_NUMBER", sequence=foreign[0])


async def test_str_142_an_iterator_of_a_table_lives_for_fifteen_minutes() -> None:
    """STR-142: and not a moment longer."""
    api, arn = orders()
    iterator = await begin(api, arn)
    await anyio.sleep(899)
    await read(api, arn, iterator)

    await anyio.sleep(1)

    with pytest.raises(IteratorExpired):
        await read(api, arn, iterator)


async def test_str_143_a_page_of_a_table_has_1_000_records_and_1_mb() -> None:
    """STR-143: the smaller of both, and of what the caller asked for."""
    api, arn = orders()
    for number in range(1_001):
        api.put_item("orders", item(str(number)))
    for number in range(4):
        api.put_item("orders", item(f"large-{number}", x={"S": "x" * 390_000}))

    sizes = []
    iterator = await begin(api, arn)
    for limit in (1_000, 1_000, 1_000, 1_000):
        answer = await api.get_records(arn, iterator, limit=limit)
        sizes.append(len(answer["Records"]))
        iterator = answer["NextShardIterator"]

    assert sizes == [1_000, 3, 2, 0]
    assert len(await read(api, arn, await begin(api, arn), 7)) == 7
    for limit in (0, 1_001):
        with pytest.raises(SourceError, match="Limit is 1 to 1000"):
            await read(api, arn, iterator, limit)


async def test_str_143_a_third_reader_of_a_shard_may_be_throttled() -> None:
    """STR-143: until one of the others has not read for a second; each GetShardIterator makes a reader."""
    api, arn = orders(readers_limit=2)
    first, second, third = [await begin(api, arn) for _ in range(3)]
    for _ in range(3):
        answer = await api.get_records(arn, first, limit=1)
        first = answer["NextShardIterator"]
        await read(api, arn, second)

    with pytest.raises(TransientSourceError) as throttled:
        await read(api, arn, third)
    await anyio.sleep(0.9)
    await read(api, arn, first)
    await anyio.sleep(0.1)
    await read(api, arn, third)

    assert throttled.value.code == "LimitExceededException"
    assert api.journal.calls["LimitExceededException"] == 1
    assert list(api.reads(arn).values()) == [9]


async def test_str_144_145_155_what_was_trimmed_is_refused() -> None:
    """STR-144, STR-145, STR-155: numbers and iterators older than 24 hours; TRIM_HORIZON goes on with what is left."""
    api, arn = orders(shard_lifetime_s=None, iterator_lifetime_s=2 * DAY_S)
    old = api.put_item("orders", item("a"))
    assert old is not None
    iterator = await begin(api, arn)
    await anyio.sleep(DAY_S - 1)
    api.put_item("orders", item("b"))
    assert names(await read(api, arn, iterator)) == ["a", "b"]

    await anyio.sleep(1)

    with pytest.raises(RecordsTrimmed) as trimmed:
        await read(api, arn, iterator)
    with pytest.raises(RecordsTrimmed):
        await begin(api, arn, "AFTER_SEQUENCE_NUMBER", sequence=old.sequence)
    assert trimmed.value.code == "TrimmedDataAccessException"
    assert names(await changes(api, arn)) == ["b"] == names(api.records(arn, api.open_shards("orders")[0]))


async def test_str_145_155_trim_drops_a_tables_records_before_their_time() -> None:
    """A test need not wait a day."""
    api, arn = orders()
    iterator = await begin(api, arn)
    for name in "abc":
        api.put_item("orders", item(name))

    api.trim(arn, api.open_shards("orders")[0], keep=1)

    with pytest.raises(RecordsTrimmed):
        await read(api, arn, iterator)
    assert names(await changes(api, arn)) == ["c"]


async def test_str_153_empty_pages_of_a_table_lose_nothing() -> None:
    """STR-153: an empty page has a next iterator."""
    api, arn = orders(empty_pages=0.5, page_limit=1)
    for name in "abcdef":
        api.put_item("orders", item(name))
    api.roll("orders")

    pages = []
    iterator = await begin(api, arn)
    while iterator:
        answer = await api.get_records(arn, iterator, limit=10)
        pages.append(names(answer["Records"]))
        iterator = answer["NextShardIterator"]

    assert [name for page in pages for name in page] == list("abcdef")
    assert [] in pages


async def test_a_reader_may_change_a_tables_records() -> None:
    """Records come as from a wire: every answer has its own; items and later images are not touched."""
    api, arn = orders()
    given = item("a", m={"M": {}})
    api.put_item("orders", given)
    given["m"]["M"]["mine"] = {"S": "x"}

    [record] = await changes(api, arn)
    record["dynamodb"]["NewImage"].clear()

    [again] = await changes(api, arn)
    assert again["dynamodb"]["NewImage"] == item("a", m={"M": {}}) == api.items("orders")[0]


async def test_tables_streams_and_shards_that_do_not_exist_are_not_found() -> None:
    """Also iterators of other streams are refused."""
    api, arn = orders()
    other = api.create_table("others")
    iterator = await begin(api, arn)
    plain = api.create_table("plain", view_type=None)

    with pytest.raises(ShardGone):
        await api.get_shard_iterator(arn, "shardId-7", "LATEST")
    for call in (
        api.describe_table("none"),
        api.describe_stream(arn + "1"),
        api.get_records("none", iterator, limit=1),
    ):
        with pytest.raises(StreamNotFound) as missing:
            await call
        assert missing.value.code == "ResourceNotFoundException"
    with pytest.raises(SourceError, match="of another stream"):
        await read(api, other, iterator)
    with pytest.raises(StreamNotFound, match="no enabled stream"):
        api.roll("plain")
    assert (plain, api.put_item("plain", item("a"))) == ("", None)
    for name in ("orders", "no", "no spaces"):
        with pytest.raises(SourceError):
            api.create_table(name)


async def test_every_call_to_a_table_lets_others_run_first() -> None:
    """What another task writes meanwhile is seen."""
    api, arn = orders()
    iterator = await begin(api, arn)
    seen: list[str] = []

    async def look() -> None:
        seen.extend(names(await read(api, arn, iterator)))

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        await anyio.lowlevel.checkpoint()
        api.put_item("orders", item("a"))

    assert seen == ["a"]
    assert clock.elapsed_s() == 0

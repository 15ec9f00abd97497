"""From DynamoDB Streams' raw records to the records a handler sees, and its shards, over a table's changing streams."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import anyio
import orjson
import pytest
from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent
from aws_lambda_powertools.utilities.parser.models import DynamoDBStreamModel

from eventmap.errors import ConfigurationError, InvalidParameterValue, SourceError, StreamNotFound
from eventmap.model import Event, StreamRecord
from eventmap.shard import Page, Position, Shard
from eventmap.sources._shards import IteratorReader
from eventmap.sources.dynamodb import DynamoDbSource, TableStreamDescription, describe_dynamodb, record_of
from eventmap.testing.memory_dynamodb import MemoryDynamoDb

HORIZON = Position("TRIM_HORIZON")
ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
RAW: dict[str, Any] = {
    "awsRegion": "eu-central-1",
    "dynamodb": {
        "ApproximateCreationDateTime": 1.4285376e9,
        "Keys": {"Id": {"N": "101"}},
        "NewImage": {"Message": {"S": "New item!"}, "Id": {"N": "101"}},
        "SequenceNumber": "4421584500000000017450439091",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
    "eventID": "c4ca4238a0b923820dcc509a6f75849b",
    "eventName": "INSERT",
    "eventSource": "aws:dynamodb",
    "eventVersion": "1.1",
}


@pytest.mark.parametrize("text", ["", "plain", "\N{GRINNING FACE}" * 500, "\0\n" * 500, "\u00e9" * 500])
def test_str_25_no_encoding_is_longer_than_the_size_bound(text: str) -> None:
    """STR-25: batches are cut by the bound, and what is read ahead is limited by it."""
    raw = RAW | {"dynamodb": RAW["dynamodb"] | {"NewImage": {"Message": {"S": text}}}}

    record = record_of(raw, ARN, "eu-central-1", "Id")

    assert len(record.encoded()) <= len(json.dumps(record.body)) <= record.size_bound


def s(text: str) -> dict[str, str]:
    return {"S": text}


async def source_of(dynamodb: MemoryDynamoDb, reference: str = "orders", older: Sequence[str] = ()) -> DynamoDbSource:
    return DynamoDbSource(dynamodb, await describe_dynamodb(dynamodb, reference), older_streams=older)


async def to_the_end(reader: IteratorReader, limit: int = 50) -> list[StreamRecord]:
    """Read until the shard ends."""
    records: list[StreamRecord] = []
    for _ in range(limit):
        page = await reader.read()
        records += page.records
        if page.ended:
            return records
    raise AssertionError(f"no end after {limit} reads")


async def all_there_is(source: DynamoDbSource) -> list[StreamRecord]:
    """Every open shard's first page, in the order of the listing."""
    records: list[StreamRecord] = []
    for shard in await source.shards(fresh=True):
        records += (await source.reader(shard.shard_id, HORIZON).read()).records
    return records


def change(record: StreamRecord) -> dict[str, Any]:
    return record.body["dynamodb"]  # type: ignore[return-value]


def ids(records: Sequence[StreamRecord]) -> list[str]:
    return [change(record)["Keys"]["id"]["S"] for record in records]


def test_str_120_to_128_a_record_byte_for_byte() -> None:
    """STR-120..128: in the documented order of keys; whole seconds are written without a fraction."""
    record = record_of(RAW, ARN, "eu-central-1", "Id")

    assert Event.of_records([record]).text.decode() == (
        '{"Records":[{"eventID":"c4ca4238a0b923820dcc509a6f75849b","eventName":"INSERT","eventVersion":"1.1",'
        '"eventSource":"aws:dynamodb","awsRegion":"eu-central-1","dynamodb":{"ApproximateCreationDateTime":1428537600,'
        '"Keys":{"Id":{"N":"101"}},"NewImage":{"Message":{"S":"New item!"},"Id":{"N":"101"}},'
        '"SequenceNumber":"4421584500000000017450439091","SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"},'
        f'"eventSourceARN":"{ARN}"}}]}}'
    )
    assert (record.item_id, record.sequence) == ("4421584500000000017450439091", 4421584500000000017450439091)
    assert record.arrived_at == 1428537600


def test_str_124_a_fraction_of_a_second_is_kept() -> None:
    """STR-124: a number, and the raw record is left as it was."""
    raw = RAW | {"dynamodb": RAW["dynamodb"] | {"ApproximateCreationDateTime": 1428537600.5}}

    assert change(record_of(raw, ARN, "eu-central-1", "Id"))["ApproximateCreationDateTime"] == 1428537600.5
    assert RAW["dynamodb"]["ApproximateCreationDateTime"] == 1.4285376e9


def test_str_129_ttl_deletions_name_the_service() -> None:
    """STR-129: the raw API's capitals become small; other changes have no such key."""
    raw = RAW | {"userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}}

    assert record_of(raw, ARN, "eu-central-1", "Id").body["userIdentity"] == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }
    for absent in (RAW, RAW | {"userIdentity": None}):
        assert "userIdentity" not in record_of(absent, ARN, "eu-central-1", "Id").body


@pytest.mark.parametrize(
    ("hash_key", "key"),
    [
        ("id", '{"N":"1"}'),
        (None, '{"at":{"S":"x"},"id":{"N":"1"}}'),
        ("of another schema", '{"at":{"S":"x"},"id":{"N":"1"}}'),
    ],
)
def test_str_30_order_is_kept_for_the_partition_key(hash_key: str | None, key: str) -> None:
    """STR-30: items with one partition key value are one sequence; where it is not known, each item is its own."""
    raw = RAW | {"dynamodb": RAW["dynamodb"] | {"Keys": {"id": {"N": "1"}, "at": {"S": "x"}}}}

    assert record_of(raw, ARN, "eu-central-1", hash_key).key == key


@pytest.mark.virtual_time
async def test_str_30_the_partition_key_is_known_by_table_and_by_stream() -> None:
    """STR-30: a sort key does not part what belongs together, however the stream was named."""
    dynamodb = MemoryDynamoDb()
    arn = dynamodb.create_table("orders", "customer", "at")
    for at in ("monday", "tuesday"):
        dynamodb.put_item("orders", {"customer": s("ann"), "at": s(at)})

    for reference in ("orders", str(arn)):
        records = await all_there_is(await source_of(dynamodb, reference))
        assert [record.key for record in records] == ['{"S":"ann"}'] * 2


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("view_type", "inserted", "modified", "removed"),
    [
        ("KEYS_ONLY", [], [], []),
        ("NEW_IMAGE", ["NewImage"], ["NewImage"], []),
        ("OLD_IMAGE", [], ["OldImage"], ["OldImage"]),
        ("NEW_AND_OLD_IMAGES", ["NewImage"], ["NewImage", "OldImage"], ["OldImage"]),
    ],
)
async def test_str_121_126_130_images_by_view_type(
    view_type: Any, inserted: list[str], modified: list[str], removed: list[str]
) -> None:
    """STR-121, 126, 130: what a change shows of the item before and after it."""
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table("orders", view_type=view_type)
    dynamodb.put_item("orders", {"id": s("a"), "n": {"N": "1"}})
    dynamodb.update_item("orders", {"id": s("a")}, {"n": {"N": "2"}})
    dynamodb.delete_item("orders", {"id": s("a")})

    records = await all_there_is(await source_of(dynamodb))

    assert [record.body["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    images = [[name for name in ("NewImage", "OldImage") if name in change(record)] for record in records]
    assert images == [inserted, modified, removed]
    assert {change(record)["StreamViewType"] for record in records} == {view_type}


@pytest.mark.virtual_time
async def test_str_120_to_132_powertools_reads_the_event() -> None:
    """STR-120..132: two independent readers find every type of attribute, the images and who expired it."""
    dynamodb = MemoryDynamoDb()
    arn = str(dynamodb.create_table("orders"))
    item: dict[str, dict[str, Any]] = {
        "id": s("a"), "n": {"N": "1.5"}, "b": {"B": "AP8="}, "ss": {"SS": ["x", "y"]}, "ns": {"NS": ["1", "2"]},
        "bs": {"BS": ["AA==", "AQ=="]}, "m": {"M": {"k": s("v")}}, "l": {"L": [s("v"), {"N": "2"}]},
        "null": {"NULL": True}, "bool": {"BOOL": False},
    }  # fmt: skip
    dynamodb.put_item("orders", item)
    dynamodb.expire_item("orders", {"id": s("a")})
    for _ in range(2):
        dynamodb.put_item("orders", item)  # the second changes nothing, so it is no record (STR-132)

    text = Event.of_records(await all_there_is(await source_of(dynamodb))).text

    inserted, expired, again = DynamoDBStreamEvent(orjson.loads(text)).records
    assert [record.event_name and record.event_name.name for record in (inserted, expired, again)] == [
        "INSERT",
        "REMOVE",
        "INSERT",
    ]
    assert (inserted.event_source_arn, inserted.aws_region, inserted.event_version) == (arn, "us-east-1", "1.1")
    assert inserted.event_source == "aws:dynamodb" and inserted.dynamodb
    assert inserted.raw_event["dynamodb"]["NewImage"] == item
    assert inserted.dynamodb.keys == {"id": "a"}
    read = inserted.dynamodb.new_image
    assert (read["id"], str(read["n"]), read["b"], read["null"], read["bool"]) == ("a", "1.5", "AP8=", None, False)
    assert (read["ss"], {str(n) for n in read["ns"]}, read["bs"]) == ({"x", "y"}, {"1", "2"}, {"AA==", "AQ=="})
    assert (read["m"], read["l"][0], str(read["l"][1])) == ({"k": "v"}, "v", "2")
    assert inserted.dynamodb.approximate_creation_date_time == 1767225600
    assert inserted.user_identity == {} and again.user_identity == {}
    assert expired.user_identity == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert expired.dynamodb and expired.dynamodb.old_image["id"] == "a"
    parsed = DynamoDBStreamModel.model_validate(orjson.loads(text)).Records
    assert [record.eventName for record in parsed] == ["INSERT", "REMOVE", "INSERT"]


@pytest.mark.virtual_time
async def test_str_17_150_a_stream_describes_itself() -> None:
    """STR-17, 150: a table stands for whatever stream it has, a stream's own ARN for that stream."""
    dynamodb = MemoryDynamoDb()
    arn = str(dynamodb.create_table("orders", "customer", view_type="NEW_IMAGE"))
    table_arn = arn.partition("/stream/")[0]

    by_name, by_table = await describe_dynamodb(dynamodb, "orders"), await describe_dynamodb(dynamodb, table_arn)
    by_stream = await describe_dynamodb(dynamodb, arn)

    assert by_name == by_table
    assert (by_name.arn, by_name.table, by_name.region, by_name.enabled) == (arn, "orders", "us-east-1", True)
    assert (by_name.identity, by_stream.identity) == (table_arn, arn)
    assert (by_name.follows_table, by_stream.follows_table) == (True, False)
    for described in (by_name, by_stream):
        assert (described.hash_key, described.view_type, described.table) == ("customer", "NEW_IMAGE", "orders")
    source = DynamoDbSource(dynamodb, by_name)
    assert (source.arn, source.identity) == (arn, table_arn)
    assert (source.idle_interval_s, source.busy_interval_s) == (0.25, 0.0)


@pytest.mark.virtual_time
async def test_str_17_what_does_not_exist_is_refused_in_aws_words() -> None:
    """STR-17: a table or a stream."""
    dynamodb = MemoryDynamoDb()

    for reference in ("orders", ARN):
        with pytest.raises(InvalidParameterValue, match=rf"^Stream not found: {reference} \("):
            await describe_dynamodb(dynamodb, reference)


@pytest.mark.virtual_time
async def test_str_150_a_table_without_an_enabled_stream_says_how_to_enable_one() -> None:
    """STR-150: with the command, and with the ARN that can still be read if there is one."""
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table("plain", view_type=None)
    arn = dynamodb.create_table("orders")
    dynamodb.disable_stream("orders")

    for table, lacks in (("plain", "has no stream"), ("orders", f"has its stream disabled .*{arn}")):
        with pytest.raises(
            ConfigurationError, match=f'table "{table}" {lacks}.*update-table --table-name {table} .*View'
        ):
            await describe_dynamodb(dynamodb, table)


@pytest.mark.virtual_time
async def test_str_150_a_disabled_stream_is_read_by_its_arn(caplog: pytest.LogCaptureFixture) -> None:
    """STR-150: for 24 hours, to its end, and one line says that nothing will be added."""
    dynamodb = MemoryDynamoDb()
    arn = str(dynamodb.create_table("orders"))
    dynamodb.put_item("orders", {"id": s("a")})
    dynamodb.disable_stream("orders")

    source = await source_of(dynamodb, arn)
    [shard] = await source.shards()
    records = await to_the_end(source.reader(shard.shard_id, HORIZON))

    assert (ids(records), shard.is_open) == (["a"], False)
    [line] = caplog.records
    assert (line.levelno, line.getMessage().split()[0]) == (logging.WARNING, "stream.disabled")
    assert arn in line.getMessage()
    await anyio.sleep(86_401.0)
    with pytest.raises(StreamNotFound):
        await source.shards()


@pytest.mark.virtual_time
async def test_str_140_147_148_shards_are_listed_over_all_pages() -> None:
    """STR-140, 147, 148: with their parent, closed ones too; no hash ranges."""
    dynamodb = MemoryDynamoDb(shard_page=2)
    arn = dynamodb.create_table("orders", shards=2)
    first, second = dynamodb.open_shards("orders")
    [rolled] = dynamodb.roll("orders", first)
    halves = dynamodb.split("orders", second)

    shards = {shard.shard_id: shard for shard in await (await source_of(dynamodb)).shards()}

    assert {shard_id: shard.parents for shard_id, shard in shards.items()} == {
        first: (), second: (), rolled: (first,), halves[0]: (second,), halves[1]: (second,),
    }  # fmt: skip
    assert {shard_id for shard_id, shard in shards.items() if shard.is_open} == {rolled, *halves}
    assert {(shard.stream_arn, shard.hash_range) for shard in shards.values()} == {(arn, None)}


@pytest.mark.virtual_time
async def test_str_146_153_a_rolled_shard_is_read_to_its_end() -> None:
    """STR-146, 153: pages, empty ones among them, and then a null iterator."""
    dynamodb = MemoryDynamoDb(page_limit=3, empty_pages=0.4, seed=5)
    dynamodb.create_table("orders")
    [shard] = dynamodb.open_shards("orders")
    names = [f"item-{n}" for n in range(10)]
    for name in names:
        dynamodb.put_item("orders", {"id": s(name)})
    dynamodb.roll("orders")

    records = await to_the_end((await source_of(dynamodb)).reader(shard, HORIZON))

    assert ids(records) == names


@pytest.mark.virtual_time
@pytest.mark.parametrize("begin", ["TRIM_HORIZON", "LATEST"])
async def test_str_142_154_an_expired_iterator_loses_and_repeats_nothing(begin: Any) -> None:
    """STR-142, 154: fifteen minutes without a read; LATEST still means when reading began."""
    dynamodb = MemoryDynamoDb(shard_lifetime_s=None, page_limit=2)
    dynamodb.create_table("orders")
    [shard] = dynamodb.open_shards("orders")
    if begin == "LATEST":
        for n in range(5):
            dynamodb.put_item("orders", {"id": s(f"before-{n}")})
        await anyio.sleep(1.0)
    reader = (await source_of(dynamodb)).reader(shard, Position(begin))
    assert (await reader.read()).records == ()
    got: list[str] = []
    for n in range(4):
        await anyio.sleep(500.0)
        dynamodb.put_item("orders", {"id": s(str(n))})
        await anyio.sleep(500.0 if n % 2 else 100.0)
        for _ in range(4):
            got += ids((await reader.read()).records)

    assert got == ["0", "1", "2", "3"]


@pytest.mark.virtual_time
async def test_str_20_154_reading_from_a_time_on_is_reading_and_skipping() -> None:
    """STR-20, 154: what is older is left out, the second itself is not: records carry whole seconds."""
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table("orders")
    [shard] = dynamodb.open_shards("orders")
    for n in range(4):
        dynamodb.put_item("orders", {"id": s(str(n))})
        await anyio.sleep(1.0)

    reader = (await source_of(dynamodb)).reader(shard, Position("AT_TIMESTAMP", timestamp=1767225602.7))

    assert ids((await reader.read()).records) == ["2", "3"]


class Answering:
    """A shard whose pages hold records of these seconds; nothing else can be asked of it."""

    def __init__(self, *pages: list[int]) -> None:
        self.pages = list(pages)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not to be called here")

    async def get_shard_iterator(self, stream_arn: str, shard_id: str, iterator_type: str, **_: object) -> str:
        assert iterator_type == "TRIM_HORIZON"
        return "iterator"

    async def get_records(self, stream_arn: str, iterator: str, *, limit: int) -> dict[str, Any]:
        assert limit == 1_000
        times = self.pages.pop(0)
        raws = [
            RAW | {"dynamodb": RAW["dynamodb"] | {"ApproximateCreationDateTime": at, "SequenceNumber": str(at)}}
            for at in times
        ]
        return {"Records": raws, "NextShardIterator": "iterator"}


async def test_str_124_154_only_what_lies_before_the_first_younger_record_is_skipped() -> None:
    """STR-124, 154: times are approximate: behind a record that is delivered, a seemingly older one is as well."""
    table = TableStreamDescription(ARN, "orders", "eu-central-1", "123456789012", "KEYS_ONLY", "Id", True, False)
    source = DynamoDbSource(Answering([7, 8], [9, 12, 8], [9]), table)
    reader = source.reader("shard", Position("AT_TIMESTAMP", timestamp=10.0))

    assert [[r.sequence for r in (await reader.read()).records] for _ in range(3)] == [[], [12, 8], [9]]


@pytest.mark.virtual_time
async def test_str_145_155_trimmed_records_are_stepped_over(caplog: pytest.LogCaptureFixture) -> None:
    """STR-145, 155: DynamoDB refuses a checkpoint that is older than 24 hours: go on with the oldest, and say so."""
    dynamodb = MemoryDynamoDb(shard_lifetime_s=None)
    dynamodb.create_table("orders")
    old = dynamodb.put_item("orders", {"id": s("old")})
    assert old
    dynamodb.put_item("orders", {"id": s("lost")})
    await anyio.sleep(86_401.0)
    dynamodb.put_item("orders", {"id": s("kept")})

    reader = (await source_of(dynamodb)).reader(old.shard_id, Position("AFTER_SEQUENCE_NUMBER", old.sequence))

    assert ids((await reader.read()).records) == ["kept"]
    [line] = caplog.records
    assert line.levelno == logging.ERROR and line.getMessage().startswith("records.trimmed")
    assert old.sequence in line.getMessage() and old.shard_id in line.getMessage()


@pytest.mark.virtual_time
async def test_str_157_201_a_checkpoint_of_another_shard_is_refused() -> None:
    """STR-157, 201: a state that belongs elsewhere stops the reader with what to do."""
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table("orders")
    dynamodb.create_table("others")
    foreign = dynamodb.put_item("others", {"id": s("a")})
    assert foreign
    [shard] = dynamodb.open_shards("orders")

    reader = (await source_of(dynamodb)).reader(shard, Position("AFTER_SEQUENCE_NUMBER", foreign.sequence))

    with pytest.raises(SourceError, match=f"checkpoint {foreign.sequence} is not of shard {shard}.*reset it"):
        await reader.read()


def generations(shards: Sequence[Shard]) -> dict[str, list[tuple[str, ...]]]:
    """The parents of each stream's shards."""
    by_stream: dict[str, list[tuple[str, ...]]] = {}
    for shard in shards:
        by_stream.setdefault(shard.stream_arn, []).append(shard.parents)
    return by_stream


@pytest.mark.virtual_time
async def test_str_150_151_a_new_stream_follows_the_old_one(caplog: pytest.LogCaptureFixture) -> None:
    """STR-150, 151: disabled and enabled again, the table goes on: the new shards are children of the last old ones."""
    caplog.set_level(logging.INFO)
    dynamodb = MemoryDynamoDb()
    old = str(dynamodb.create_table("orders", shards=2))
    dynamodb.put_item("orders", {"id": s("before")})
    first, second = dynamodb.open_shards("orders")
    [rolled] = dynamodb.roll("orders", first)
    source = await source_of(dynamodb)
    await source.shards()

    dynamodb.disable_stream("orders")
    await anyio.sleep(60.0)
    assert generations(await source.shards()) == {old: [(), (), (first,)]}
    new = dynamodb.enable_stream("orders", shards=2)
    dynamodb.put_item("orders", {"id": s("after")})
    shards = await source.shards(fresh=True)

    assert generations(shards) == {old: [(), (), (first,)], new: [(second, rolled)] * 2}
    assert source.arn == new and source.identity == old.partition("/stream/")[0]
    records = await all_there_is(source)
    assert [(ids([record]), record.body["eventSourceARN"]) for record in records] == [
        (["before"], old),
        (["after"], new),
    ]
    replaced = [line.getMessage() for line in caplog.records if line.getMessage().startswith("stream.replaced")]
    assert len(replaced) == 1 and old in replaced[0] and new in replaced[0]


@pytest.mark.virtual_time
async def test_str_151_152_the_old_stream_goes_but_the_lineage_stays() -> None:
    """STR-151, 152: after 24 hours its shards are not listed; who still has a lease on one finds that it has ended."""
    dynamodb = MemoryDynamoDb(shard_lifetime_s=None)
    old = dynamodb.create_table("orders")
    [last] = dynamodb.open_shards("orders")
    source = await source_of(dynamodb)
    reader = source.reader(last, HORIZON)
    await reader.read()
    dynamodb.disable_stream("orders")
    new = dynamodb.enable_stream("orders")
    assert generations(await source.shards(fresh=True)) == {old: [()], new: [(last,)]}

    await anyio.sleep(86_401.0)

    assert await reader.read() == Page((), ended=True)
    for _ in range(2):
        assert generations(await source.shards(fresh=True)) == {new: [(last,)]}
    assert await source.reader(last, HORIZON).read() == Page((), ended=True)


@pytest.mark.virtual_time
async def test_str_150_151_streams_that_came_and_went_between_two_listings_are_read() -> None:
    """STR-150, 151: switched off and on twice within a minute, the stream in between is not passed over."""
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table("orders")
    source = await source_of(dynamodb)
    await source.shards()
    for name in ("second", "third"):
        await anyio.sleep(1.0)
        dynamodb.disable_stream("orders")
        dynamodb.enable_stream("orders")
        dynamodb.put_item("orders", {"id": s(name)})

    shards = await source.shards(fresh=True)

    first, second, third = shards
    assert (second.parents, third.parents) == ((first.shard_id,), (second.shard_id,))
    assert ids(await all_there_is(source)) == ["second", "third"]


@pytest.mark.virtual_time
async def test_str_150_201_a_restart_goes_on_with_the_older_streams() -> None:
    """STR-150, 201: given the ARNs, in any order, and the newest among them or not; gone ones do no harm."""
    dynamodb = MemoryDynamoDb(shard_lifetime_s=None)
    arns = [str(dynamodb.create_table("orders"))]
    dynamodb.put_item("orders", {"id": s("0")})
    for n in (1, 2):
        await anyio.sleep(1.0)
        dynamodb.disable_stream("orders")
        arns.append(dynamodb.enable_stream("orders"))
        dynamodb.put_item("orders", {"id": s(str(n))})

    gone = arns[0].replace("00:00:00.000", "00:00:00.500")
    for older in (arns[:2], list(reversed(arns)), [gone, *arns]):
        source = await source_of(dynamodb, older=older)
        shards = await source.shards()
        assert [shard.stream_arn for shard in shards] == arns
        assert [shard.parents for shard in shards] == [(), (shards[0].shard_id,), (shards[1].shard_id,)]
        assert ids(await all_there_is(source)) == ["0", "1", "2"]
    alone = await (await source_of(dynamodb)).shards()
    assert generations(alone) == {arns[2]: [()]}


@pytest.mark.virtual_time
async def test_str_150_a_reader_made_before_any_listing_finds_its_stream() -> None:
    """STR-150: a lease may be taken before the shards are listed; the streams themselves are asked."""
    dynamodb = MemoryDynamoDb()
    old = str(dynamodb.create_table("orders"))
    placed = dynamodb.put_item("orders", {"id": s("a")})
    assert placed
    dynamodb.disable_stream("orders")
    dynamodb.enable_stream("orders")
    source = await source_of(dynamodb, older=[old])

    records = await to_the_end(source.reader(placed.shard_id, HORIZON))

    assert [record.body["eventSourceARN"] for record in records] == [old]
    assert await source.reader("shardId-unheard-of", HORIZON).read() == Page((), ended=True)


@pytest.mark.virtual_time
async def test_str_150_a_deleted_tables_stream_is_read_on() -> None:
    """STR-150: for 24 hours; then that it is gone is an error, not an end that would count as read."""
    dynamodb = MemoryDynamoDb(shard_lifetime_s=None)
    dynamodb.create_table("orders")
    dynamodb.put_item("orders", {"id": s("a")})
    [shard] = dynamodb.open_shards("orders")
    source = await source_of(dynamodb)
    unopened, opened = source.reader(shard, HORIZON), source.reader(shard, HORIZON)
    await opened.read()
    dynamodb.delete_table("orders")

    assert [listed.shard_id for listed in await source.shards()] == [shard]
    assert ids(await to_the_end(source.reader(shard, HORIZON))) == ["a"]

    await anyio.sleep(86_401.0)
    with pytest.raises(StreamNotFound):
        await source.shards()
    for reader in (unopened, opened):
        with pytest.raises(StreamNotFound):
            await reader.read()


@pytest.mark.virtual_time
async def test_str_150_a_stream_mapped_by_its_own_arn_stays_that_stream() -> None:
    """STR-150: the table is not even asked."""
    dynamodb = MemoryDynamoDb()
    old = str(dynamodb.create_table("orders"))
    source = await source_of(dynamodb, old)
    dynamodb.disable_stream("orders")
    dynamodb.enable_stream("orders")

    assert generations(await source.shards(fresh=True)) == {old: [()]}
    assert dynamodb.journal.calls["DescribeTable"] == 0

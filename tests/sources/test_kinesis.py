"""From Kinesis' raw records to the records a handler sees, and its shards read in memory."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import anyio
import orjson
import pytest
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent
from aws_lambda_powertools.utilities.parser.models import KinesisDataStreamModel
from hypothesis import example, given
from hypothesis import strategies as st

from eventmap.errors import ConfigurationError, InvalidParameterValue, SourceError, TransientSourceError
from eventmap.model import Event, StreamRecord
from eventmap.shard import Page, Position
from eventmap.sources._shards import IteratorReader
from eventmap.sources.kinesis import KinesisSource, StreamDescription, describe_kinesis, record_of
from eventmap.testing.memory_kinesis import MemoryKinesis

ORDERS = StreamDescription(
    arn="arn:aws:kinesis:us-east-2:123456789012:stream/orders",
    name="orders",
    region="us-east-2",
    account="123456789012",
    status="ACTIVE",
    created_at=1_700_000_000.0,
    retention_hours=24,
)
RAW = {
    "SequenceNumber": "49590338271490256608559692538361571095921575989136588898",
    "ApproximateArrivalTimestamp": 1545084650.987,
    "Data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
    "PartitionKey": "1",
}
HORIZON = Position("TRIM_HORIZON")
SHARD = "shardId-000000000000"


async def source_of(kinesis: MemoryKinesis, stream: str = "orders") -> KinesisSource:
    return KinesisSource(kinesis, await describe_kinesis(kinesis, stream))


async def to_the_end(reader: IteratorReader, limit: int = 50) -> list[StreamRecord]:
    """Read until the shard ends; a second passes between two reads."""
    records: list[StreamRecord] = []
    for _ in range(limit):
        page = await reader.read()
        records += page.records
        if page.ended:
            return records
        await anyio.sleep(1.0)
    raise AssertionError(f"no end after {limit} reads")


def data(page: Page) -> list[str]:
    return [base64.b64decode(str(record.body["kinesis"]["data"])).decode() for record in page.records]  # type: ignore[index, call-overload]


def test_str_110_to_118_a_record_byte_for_byte() -> None:
    """STR-110..118: the example of the documentation, in its order of keys; the blob stays the base64 it came as."""
    record = record_of(RAW, "shardId-000000000006", ORDERS)

    assert Event.of_records([record]).text.decode() == (
        '{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1",'
        '"sequenceNumber":"49590338271490256608559692538361571095921575989136588898",'
        '"data":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==","approximateArrivalTimestamp":1545084650.987},'
        '"eventSource":"aws:kinesis","eventVersion":"1.0",'
        '"eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898",'
        '"eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/eventmap",'
        '"awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/orders"}]}'
    )


def test_str_30_70_112_what_the_engine_knows_of_a_record() -> None:
    """STR-30, 70, 112: named by its sequence number, ordered by it as an integer, kept in order by partition key."""
    record = record_of(RAW, SHARD, ORDERS)

    assert (record.item_id, record.sequence) == (RAW["SequenceNumber"], int(str(RAW["SequenceNumber"])))
    assert (record.key, record.arrived_at) == ("1", 1545084650.987)


def test_str_111_a_record_without_a_partition_key_has_none_in_its_event() -> None:
    """STR-111: streams may leave it out; such records share no order, so no two have the same key."""
    without = {name: value for name, value in RAW.items() if name != "PartitionKey"}

    records = [record_of(without | {"SequenceNumber": number}, SHARD, ORDERS) for number in ("8", "9")]

    assert "partitionKey" not in records[0].body["kinesis"]  # type: ignore[operator]
    assert records[0].key != records[1].key


def test_str_119_the_encryption_is_told_only_if_kinesis_does() -> None:
    """STR-119: passed on where it is given."""
    plain, encrypted = (record_of(raw, SHARD, ORDERS) for raw in (RAW, RAW | {"EncryptionType": "KMS"}))

    assert "encryptionType" not in plain.body["kinesis"]  # type: ignore[operator]
    assert encrypted.body["kinesis"]["encryptionType"] == "KMS"  # type: ignore[index, call-overload]


def test_str_117_the_role_is_of_the_streams_partition() -> None:
    """STR-117: made up, and of the same account and part of AWS as the stream."""
    china = StreamDescription(
        "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/s", "s", "cn-north-1", "111122223333", "ACTIVE", 0.0, 24
    )

    assert record_of(RAW, SHARD, china).body["invokeIdentityArn"] == "arn:aws-cn:iam::111122223333:role/eventmap"


@given(key=st.text(min_size=1, max_size=256), blob=st.binary(max_size=3_000))
@example(key="\N{GRINNING FACE}" * 256, blob=b"")
@example(key="\0" * 256, blob=b"x" * 3_000)
def test_str_25_no_encoding_is_longer_than_the_size_bound(key: str, blob: bytes) -> None:
    """STR-25: batches are cut by the bound, so it must hold for every key, with the longest names there are."""
    longest = StreamDescription(
        f"arn:aws-us-gov:kinesis:us-gov-northeast-1:123456789012:stream/{'s' * 128}",
        "s" * 128, "us-gov-northeast-1", "123456789012", "ACTIVE", 0.0, 24,
    )  # fmt: skip
    raw = RAW | {"PartitionKey": key, "Data": base64.b64encode(blob).decode(), "SequenceNumber": "9" * 129}

    record = record_of(raw | {"EncryptionType": "NONE"}, "s" * 128, longest)

    assert len(json.dumps(record.body)) <= record.size_bound
    assert len(record.encoded()) <= record.size_bound


@pytest.mark.virtual_time
async def test_str_110_to_118_powertools_reads_the_event() -> None:
    """STR-110..118: two independent readers find what was put, and where."""
    kinesis = MemoryKinesis()
    arn = kinesis.create_stream("orders")
    _, number = kinesis.put_record("orders", b'{"n":1}', "kéy")
    source = await source_of(kinesis)

    page = await source.reader(SHARD, HORIZON).read()

    document = orjson.loads(Event.of_records(page.records).text)
    [record] = KinesisStreamEvent(document).records
    assert (record.event_source_arn, record.event_id) == (arn, f"{SHARD}:{number}")
    assert (record.event_source, record.event_name, record.aws_region) == (
        "aws:kinesis",
        "aws:kinesis:record",
        "us-east-1",
    )
    assert (record.kinesis.partition_key, record.kinesis.sequence_number) == ("kéy", number)
    assert record.kinesis.data_as_json() == {"n": 1}
    assert record.kinesis.approximate_arrival_timestamp == page.records[0].arrived_at == 1767225600.0
    [parsed] = KinesisDataStreamModel.model_validate(document).Records
    assert parsed.kinesis.data == b'{"n":1}'


@pytest.mark.virtual_time
async def test_str_17_150_a_stream_describes_itself() -> None:
    """STR-17, 150: by name or ARN; one made anew under the same name has another identity."""
    kinesis = MemoryKinesis(retention_s=172_800)
    arn = kinesis.create_stream("orders")
    by_name = await describe_kinesis(kinesis, "orders")

    assert by_name == await describe_kinesis(kinesis, arn)
    assert (by_name.arn, by_name.name, by_name.region, by_name.account) == (
        arn,
        "orders",
        "us-east-1",
        arn.split(":")[4],
    )
    assert (by_name.status, by_name.created_at, by_name.retention_hours) == ("ACTIVE", 1767225600.0, 48)
    assert KinesisSource(kinesis, by_name).identity == f"{arn}:1767225600"

    kinesis.delete_stream("orders")
    await anyio.sleep(60.0)
    kinesis.create_stream("orders")
    anew = await source_of(kinesis)
    assert (anew.arn, anew.identity) == (arn, f"{arn}:1767225660")


@pytest.mark.virtual_time
async def test_str_17_a_missing_stream_is_refused_in_aws_words() -> None:
    """STR-17: AWS' sentence first, then where we looked."""
    with pytest.raises(InvalidParameterValue, match=r"^Stream not found: nowhere \(.*nowhere"):
        await describe_kinesis(MemoryKinesis(), "nowhere")


@pytest.mark.virtual_time
@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING", "CREATING", "DELETING"])
async def test_str_150_only_some_states_can_be_read(status: str) -> None:
    """STR-150: ACTIVE, and UPDATING while it is resharded; any other is refused by name."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    kinesis.set_status("orders", status)

    if status in ("ACTIVE", "UPDATING"):
        assert (await describe_kinesis(kinesis, "orders")).status == status
    else:
        with pytest.raises(ConfigurationError, match=rf'stream "orders" is {status}.*STR-150'):
            await describe_kinesis(kinesis, "orders")


def test_str_23_143_how_often_a_shard_may_be_read() -> None:
    """STR-23, 143: once a second while nothing comes, never above five calls a second."""
    assert (KinesisSource.idle_interval_s, KinesisSource.busy_interval_s) == (1.0, 0.2)
    assert KinesisSource.bytes_per_s == 2 * 1024 * 1024


@pytest.mark.virtual_time
async def test_str_140_147_158_shards_are_listed_with_their_parents() -> None:
    """STR-140, 147, 158: over all pages; a split has one parent, a merge two; closed ones stay; ranges are told."""
    kinesis = MemoryKinesis(shard_page=2)
    arn = kinesis.create_stream("orders", 2)
    left, right = kinesis.split_shard("orders", SHARD)
    merged = kinesis.merge_shards("orders", right, "shardId-000000000001")

    shards = {shard.shard_id: shard for shard in await (await source_of(kinesis)).shards()}

    assert [shard_id for shard_id, shard in shards.items() if shard.is_open] == [left, merged]
    assert shards[SHARD].parents == () and shards[left].parents == (SHARD,)
    assert set(shards[merged].parents) == {right, "shardId-000000000001"}
    assert shards[left].hash_range == ("0", str(2**126 - 1))
    assert {shard.stream_arn for shard in shards.values()} == {arn}
    assert kinesis.journal.calls["ListShards"] == 3


@pytest.mark.virtual_time
async def test_str_156_all_mappings_of_a_stream_share_a_listing() -> None:
    """STR-156: a new shard is seen within a minute, or at once when asked for afresh."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    source = await source_of(kinesis)

    assert len(await source.shards()) == 1
    kinesis.split_shard("orders", SHARD)
    assert len(await source.shards()) == 1
    assert len(await source.shards(fresh=True)) == 3
    kinesis.split_shard("orders", "shardId-000000000001")
    await anyio.sleep(60.0)
    assert len(await source.shards()) == 5


@pytest.mark.virtual_time
async def test_str_37_143_a_page_tells_its_size_and_its_lag() -> None:
    """STR-37, 143: seconds behind the tip and bytes of data and keys, for pacing; 10,000 records at most."""
    kinesis = MemoryKinesis(page_limit=2)
    kinesis.create_stream("orders")
    for _ in range(3):
        kinesis.put_record("orders", b"x" * 300, "k")
    await anyio.sleep(7.0)
    reader = (await source_of(kinesis)).reader(SHARD, HORIZON)

    behind, level = await reader.read(), await reader.read()

    assert (len(behind.records), behind.behind_s, behind.size_bytes) == (2, 7.0, 602)
    assert (len(level.records), level.behind_s, level.size_bytes) == (1, 0.0, 301)


@pytest.mark.virtual_time
async def test_str_146_153_a_closed_shard_is_read_to_its_end() -> None:
    """STR-146, 153: what was left in it comes in order, through empty pages, and then the end."""
    kinesis = MemoryKinesis(page_limit=3, empty_pages=0.4, seed=7)
    kinesis.create_stream("orders")
    put = [kinesis.put_record("orders", b"%d" % n, "k").sequence for n in range(10)]
    source = await source_of(kinesis)
    kinesis.split_shard("orders", SHARD)

    records = await to_the_end(source.reader(SHARD, HORIZON))

    assert [record.item_id for record in records] == put
    assert [record.sequence for record in records] == sorted(map(int, put))


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (HORIZON, ["0", "1", "2", "3"]),
        (Position("LATEST"), []),
        (Position("AT_TIMESTAMP", timestamp=1767225602.0), ["2", "3"]),
        (Position("AT_TIMESTAMP", timestamp=1767225601.5), ["2", "3"]),
        (Position("AT_TIMESTAMP", timestamp=0.0), ["0", "1", "2", "3"]),
    ],
)
async def test_str_20_141_where_reading_begins(begin: Position, expected: list[str]) -> None:
    """STR-20, 141: one record a second, of 2026-01-01T00:00:00Z and on."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    for n in range(4):
        kinesis.put_record("orders", b"%d" % n, "k")
        await anyio.sleep(1.0)

    assert data(await (await source_of(kinesis)).reader(SHARD, begin).read()) == expected


@pytest.mark.virtual_time
async def test_str_141_a_checkpoint_is_read_on_from() -> None:
    """STR-141: after it, or from it on."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    put = [kinesis.put_record("orders", b"%d" % n, "k").sequence for n in range(3)]
    source = await source_of(kinesis)

    assert data(await source.reader(SHARD, Position("AFTER_SEQUENCE_NUMBER", put[1])).read()) == ["2"]
    assert data(await source.reader(SHARD, Position("AT_SEQUENCE_NUMBER", put[1])).read()) == ["1", "2"]


@pytest.mark.virtual_time
@pytest.mark.parametrize("begin", ["TRIM_HORIZON", "LATEST"])
async def test_str_142_154_an_expired_iterator_loses_and_repeats_nothing(begin: Any) -> None:
    """STR-142, 154: five minutes without a read, before the first record and after it; LATEST still means then."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    reader = (await source_of(kinesis)).reader(SHARD, Position(begin))
    got = data(await reader.read())
    for n in range(6):
        await anyio.sleep(200.0)
        kinesis.put_record("orders", b"%d" % n, "k")
        await anyio.sleep(100.0 if n % 2 else 300.0)
        got += data(await reader.read())

    assert got == ["0", "1", "2", "3", "4", "5"]
    assert kinesis.journal.calls["GetShardIterator"] > 3


@pytest.mark.virtual_time
async def test_str_44_145_trimmed_records_are_passed_over() -> None:
    """STR-44, 145: Kinesis itself goes on with the oldest record it keeps."""
    kinesis = MemoryKinesis(retention_s=600.0)
    kinesis.create_stream("orders")
    old = kinesis.put_record("orders", b"old", "k").sequence
    kinesis.put_record("orders", b"lost", "k")
    await anyio.sleep(700.0)
    kinesis.put_record("orders", b"kept", "k")

    reader = (await source_of(kinesis)).reader(SHARD, Position("AFTER_SEQUENCE_NUMBER", old))

    assert data(await reader.read()) == ["kept"]


@pytest.mark.virtual_time
async def test_str_152_a_shard_trimmed_as_a_whole_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    """STR-152: a lease on a shard that is not there any more leads to its end, and the loss is logged."""
    kinesis = MemoryKinesis(retention_s=600.0)
    kinesis.create_stream("orders")
    kinesis.put_record("orders", b"lost", "k")
    kinesis.split_shard("orders", SHARD)
    source = await source_of(kinesis)
    await anyio.sleep(601.0)

    assert await source.reader(SHARD, HORIZON).read() == Page((), ended=True)

    [line] = caplog.records
    assert line.levelno == logging.ERROR and "records.trimmed" in line.getMessage() and "orders" in line.getMessage()


@pytest.mark.virtual_time
async def test_str_143_a_throttled_read_is_the_callers_to_pace() -> None:
    """STR-143: the sixth read of a second is refused, nothing is skipped, and the next second has it."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    reader = (await source_of(kinesis)).reader(SHARD, HORIZON)
    for _ in range(5):
        await reader.read()
    kinesis.put_record("orders", b"0", "k")

    with pytest.raises(TransientSourceError):
        await reader.read()
    await anyio.sleep(1.0)

    assert data(await reader.read()) == ["0"]


@pytest.mark.virtual_time
async def test_str_157_201_a_checkpoint_of_another_shard_is_refused() -> None:
    """STR-157, 201: a state that belongs elsewhere stops the reader with what to do; nothing is skipped."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    kinesis.create_stream("others")
    foreign = kinesis.put_record("others", b"0", "k").sequence

    reader = (await source_of(kinesis)).reader(SHARD, Position("AFTER_SEQUENCE_NUMBER", foreign))

    with pytest.raises(SourceError, match=f"checkpoint {foreign} is not of shard {SHARD}.*reset it"):
        await reader.read()


@pytest.mark.virtual_time
async def test_str_152_a_deleted_stream_does_not_count_as_read() -> None:
    """STR-152: its shards have not ended: the error is raised, and the leases stay where they are."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("orders")
    source = await source_of(kinesis)
    reader = source.reader(SHARD, HORIZON)
    await reader.read()
    kinesis.delete_stream("orders")

    for _ in range(2):
        with pytest.raises(SourceError, match="orders"):
            await reader.read()

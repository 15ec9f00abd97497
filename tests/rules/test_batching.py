"""How records become batches."""

from __future__ import annotations

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.model import Event, Record
from eventmap.rules.batching import PAYLOAD_LIMIT_BYTES, BatchRoom, batches

from .records import ids, record

SIX_MIB = 6_291_456


def encoded_size(*records: Record) -> int:
    return len(Event.of_records(records).text)


def two_records_of(total: int, *, size_bound: int = 0, text: str = "x") -> tuple[Record, Record]:
    """Two records whose event has exactly `total` bytes."""
    first = record("a", text=text * 100)
    missing = total - encoded_size(first, record("b"))
    second = record("b", text="x" * missing, size_bound=size_bound)
    assert total == encoded_size(first, second)
    return first, second


def test_sqs_24_the_limit_is_six_mebibytes() -> None:
    """SQS-24: 6,291,456 bytes."""
    assert SIX_MIB == PAYLOAD_LIMIT_BYTES


@pytest.mark.parametrize(
    "text", ["x", "é", '"', "\n", "\x01"], ids=["plain", "two bytes", "quote", "newline", "control"]
)
def test_sqs_24_an_event_of_exactly_the_limit_is_one_batch(text: str) -> None:
    """SQS-23, SQS-24: the encoded event decides, whatever its text becomes as JSON; one byte more starts another."""
    exact = two_records_of(SIX_MIB, text=text)
    over = two_records_of(SIX_MIB + 1, text=text)

    assert [ids(batch.records) for batch in batches(exact, 10)] == [["a", "b"]]
    assert [ids(batch.records) for batch in batches(over, 10)] == [["a"], ["b"]]


def test_sqs_24_cheap_bounds_never_change_where_a_batch_ends() -> None:
    """SQS-24: with a size bound or without, the true size decides."""
    for bound in (0, SIX_MIB * 6):
        exact, over = (two_records_of(total, size_bound=bound) for total in (SIX_MIB, SIX_MIB + 1))
        assert len(list(batches(exact, 10))) == 1
        assert len(list(batches(over, 10))) == 2


def test_sqs_24_a_record_that_overflows_alone_is_a_batch_of_its_own() -> None:
    """SQS-24: it is never split or dropped, and never costs another record its place."""
    huge = record("huge", text="x" * SIX_MIB)

    cut = [ids(batch.records) for batch in batches([record("a"), huge, record("b")], 10)]

    assert cut == [["a"], ["huge"], ["b"]]


def test_sqs_23_25_163_batches_are_cut_by_count_in_order_of_receipt() -> None:
    """SQS-23, 25, 163: what one receive returned goes at once, the last batch as short as it is."""
    received = [record(str(n)) for n in range(7)]

    assert [ids(batch.records) for batch in batches(received, 3)] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert list(batches([], 3)) == []


def test_sqs_23_a_full_room_takes_nothing_more() -> None:
    """SQS-23: `BatchSize` records are a batch; a refused record leaves it unchanged."""
    room: BatchRoom[Record] = BatchRoom(1)

    assert (room.take(record("a")), room.full, room.take(record("b"))) == (True, True, False)
    assert ids(room.records) == ["a"]


@given(
    texts=st.lists(st.text(max_size=40), max_size=12),
    size=st.integers(1, 5),
    limit=st.integers(60, 400),
    bounds=st.booleans(),
)
def test_sqs_24_cutting_keeps_every_record_in_order_and_below_the_limit(
    texts: list[str], size: int, limit: int, bounds: bool
) -> None:
    """Conservation: every record is in exactly one batch; none could have taken the next record too."""
    records = []
    for number, text in enumerate(texts):
        bare = record(str(number), text=text)
        bound = len(orjson.dumps(bare.body)) + 5 if bounds else 0
        records.append(record(str(number), text=text, size_bound=bound))

    cut = [batch.records for batch in batches(records, size, limit)]

    assert [each.item_id for each in records] == [each.item_id for part in cut for each in part]
    for part in cut:
        assert 1 <= len(part) <= size
        assert len(part) == 1 or encoded_size(*part) <= limit
    for part, following in itertools.pairwise(cut):
        assert len(part) == size or encoded_size(*part, following[0]) > limit

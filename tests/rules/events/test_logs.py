"""CloudWatch Logs' events are read with suspicion."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.rules.events.logs import decode_logs, log_events_of, logs_event, pack_logs
from eventmap.testing import events


def event(packed: bytes) -> dict[str, Any]:
    return {"awslogs": {"data": b64encode(packed).decode()}}


def test_src_130_what_was_packed_is_found() -> None:
    """SRC-130: base64, gzip, JSON."""
    document = decode_logs(events.logs("one", {"n": 2}, log_group="g", log_stream="s", subscription_filter="f"))

    assert [line["message"] for line in document["logEvents"]] == ["one", '{"n":2}']  # type: ignore[union-attr, index, call-overload]
    assert document | {"logEvents": ()} == {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "g",
        "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": (),
    }


def test_src_131_the_probe_of_a_subscription_has_no_lines() -> None:
    """SRC-131: its one message is CloudWatch's own."""
    probe = events.logs(control=True)

    assert log_events_of(probe) == ()
    assert decode_logs(probe)["messageType"] == "CONTROL_MESSAGE"
    assert [line["message"] for line in log_events_of(events.logs("a", "b"))] == ["a", "b"]


def test_src_132_through_kinesis_a_record_holds_the_same() -> None:
    """SRC-132: without `awslogs` around it."""
    [record] = events.kinesis(events.logs_data("hello"))["Records"]  # type: ignore[misc]

    assert decode_logs(record) == decode_logs(events.logs("hello"))  # type: ignore[arg-type]


@given(st.recursive(st.text() | st.integers(-(2**53), 2**53) | st.none(), lambda each: st.lists(each), max_leaves=20))
def test_src_130_132_packing_and_unpacking_are_inverse(content: Any) -> None:
    """SRC-130, 132: and equal documents have equal bytes."""
    document = {"logEvents": [content]}

    assert decode_logs(logs_event(document)) == document
    assert pack_logs(document)[4:8] == bytes(4)  # gzip's place for the time it was packed


def test_src_133_a_bomb_is_not_unpacked() -> None:
    """SRC-133: 64 MB of zeros in 64 KB are refused at the limit, and cost no more memory than it."""
    packing = zlib.compressobj(wbits=31)
    bomb = b"".join([packing.compress(bytes(1 << 20)) for _ in range(64)]) + packing.flush()

    with pytest.raises(ValueError, match="larger than 6291456 bytes"):
        decode_logs(event(bomb))


@pytest.mark.parametrize("more", [0, 1])
def test_src_133_the_limit_is_the_last_byte_that_is_unpacked(more: int) -> None:
    """One byte more is refused."""
    packed = pack_logs({"logEvents": []})
    size = len(gzip.decompress(packed))

    if more:
        with pytest.raises(ValueError, match="larger"):
            decode_logs(event(packed), limit_bytes=size - 1)
    else:
        assert decode_logs(event(packed), limit_bytes=size) == {"logEvents": []}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "neither"),
        ({"awslogs": {"data": 7}}, "neither"),
        ({"awslogs": "x"}, "neither"),
        ({"awslogs": {"data": "!"}}, "not base64"),
        ({"awslogs": {"data": "é"}}, "not base64"),
        (event(b"plain"), "not gzip"),
        (event(b""), "not one whole"),
        (event(gzip.compress(b'{"logEvents": []}')[:-3]), "not one whole"),
        (event(gzip.compress(b'{"logEvents": []}') + b"more"), "not one whole"),
        (event(gzip.compress(b"{")), "not JSON"),
        (event(gzip.compress(b"[]")), "no logEvents"),
        (event(gzip.compress(json.dumps({"logEvents": {}}).encode())), "no logEvents"),
    ],
)
def test_src_130_what_is_no_such_event_is_refused_in_words(given: dict[str, Any], reason: str) -> None:
    """SRC-130: the reason says which of its layers is wrong."""
    with pytest.raises(ValueError, match=reason):
        decode_logs(given)

"""Tumbling windows: whose record it is, what the function is given, which state goes on."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.model import JsonObject, JsonValue, StreamRecord
from eventmap.rules.window import (
    STATE_LIMIT_BYTES,
    Window,
    is_oversized,
    read_state,
    restored_window,
    saved_window,
    window_event,
    window_of,
)

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
SHARD = "shardId-000000000006"
WINDOW = Window(1_607_497_440, 1_607_497_560)  # 2020-12-09T07:04:00Z .. 07:06:00Z


def arrived(*times: float) -> list[StreamRecord]:
    return [StreamRecord(str(place), {"place": place}, place, "key", at) for place, at in enumerate(times)]


@pytest.mark.parametrize(
    ("arrived_at", "length_s", "expected"),
    [
        (1_607_497_440.0, 120, WINDOW),
        (1_607_497_559.999, 120, WINDOW),
        (1_607_497_560.0, 120, Window(1_607_497_560, 1_607_497_680)),
        (1_607_533_321.5, 300, Window(1_607_533_200, 1_607_533_500)),  # 17:00:00 .. 17:05:00
        (1_607_497_440.9, 1, Window(1_607_497_440, 1_607_497_441)),
        (1_607_497_440, 900, Window(1_607_497_200, 1_607_498_100)),
        (0.0, 7, Window(0, 7)),
    ],
)
def test_str_85_a_window_is_found_by_arrival_time_from_the_epoch(
    arrived_at: float, length_s: int, expected: Window
) -> None:
    """STR-85: floor(t / w) * w; its end belongs to the next one; the documented samples agree."""
    assert expected == window_of(arrived_at, length_s)


@given(st.floats(0, 1e11), st.integers(1, 900))
def test_str_85_every_instant_is_in_exactly_its_own_window(arrived_at: float, length_s: int) -> None:
    """STR-85: windows are aligned, as long as was asked for, and contain what they were asked about."""
    window = window_of(arrived_at, length_s)

    assert window.start_s <= arrived_at < window.end_s
    assert (window.end_s - window.start_s, window.start_s % length_s) == (length_s, 0)


def test_str_80_83_the_event_is_the_documented_one() -> None:
    """STR-80, 83: key for key in AWS' order; a final invocation may have no records."""
    event = window_event((), WINDOW, {"a": 1}, shard_id=SHARD, stream_arn=ARN, is_final=True)

    assert event.text.decode() == (
        '{"Records":[],"window":{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"},"state":{"a":1},'
        '"shardId":"shardId-000000000006","eventSourceARN":"arn:aws:kinesis:us-east-1:123456789012:stream/s",'
        '"isFinalInvokeForWindow":true,"isWindowTerminatedEarly":false}'
    )


def test_str_80_82_an_aggregating_event_has_the_records_and_the_state_so_far() -> None:
    """STR-80, 82: the state as it was returned, `{}` at first."""
    records = arrived(1_607_497_441.0, 1_607_497_442.0)

    document = window_event(records, WINDOW, {}, shard_id=SHARD, stream_arn=ARN, is_final=False).document

    assert isinstance(document, dict)
    assert document["Records"] == [{"place": 0}, {"place": 1}]
    assert (document["state"], document["isFinalInvokeForWindow"]) == ({}, False)


def test_str_84_an_early_end_is_marked() -> None:
    """STR-84: both marks are set."""
    event = window_event((), WINDOW, {}, shard_id=SHARD, stream_arn=ARN, is_final=True, is_early=True)

    assert event.text.endswith(b'"isFinalInvokeForWindow":true,"isWindowTerminatedEarly":true}')


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"state":{"1":282,"2":715},"batchItemFailures":[]}', {"1": 282, "2": 715}),
        (b'{"state":{},"other":1}', {}),
        (b'{"batchItemFailures":[]}', None),
        (b'{"State":{}}', None),
        (b'{"state":null}', None),
        (b'{"state":[]}', None),
        (b'{"state":"x"}', None),
        (b"null", None),
        (b"[]", None),
        (b"not json", None),
        (b"", None),
    ],
)
def test_str_72_81_a_response_must_have_a_state(payload: bytes, expected: JsonObject | None) -> None:
    """STR-72, 81: an object called `state`; whatever else is in the response does not matter."""
    assert expected == read_state(payload)


def test_str_81_a_state_too_deep_for_an_event_is_none() -> None:
    """STR-81: what cannot be handed on fails its own invocation, not the shard."""

    def nested(levels: int) -> bytes:
        return b'{"state":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"

    deep = read_state(nested(100))
    assert deep is not None
    assert window_event((), WINDOW, deep, shard_id=SHARD, stream_arn=ARN, is_final=True).text
    for levels in range(200, 300):
        state = read_state(nested(levels))
        assert state is None or window_event((), WINDOW, state, shard_id=SHARD, stream_arn=ARN, is_final=True).text
    assert read_state(nested(300)) is None


@pytest.mark.parametrize(("bytes_over", "expected"), [(-1, False), (0, False), (1, True)])
def test_str_84_a_state_above_one_megabyte_is_too_large(bytes_over: int, expected: bool) -> None:
    """STR-84: 1,048,576 bytes of JSON are the most; letters beyond ASCII count by their bytes."""
    filled = STATE_LIMIT_BYTES - len('{"a":""}') + bytes_over
    state: JsonObject = {"a": "x" * filled}
    letters: JsonObject = {"a": "é" * (filled // 2) + "x" * (filled % 2)}

    assert is_oversized(state) is expected
    assert is_oversized(letters) is expected


def test_str_84_the_observed_oversized_state_is_too_large() -> None:
    """STR-84: 1,048,640 characters were seen to end a window."""
    assert is_oversized({"a": "x" * 1_048_640})


def test_str_202_a_window_under_way_survives_its_store() -> None:
    """STR-202: through JSON and back, window and state are the same."""
    state: JsonObject = {"a": [1, {"b": "é"}], "n": None}

    saved = orjson.loads(orjson.dumps(saved_window(WINDOW, state)))

    assert restored_window(saved) == (WINDOW, state)
    assert json.loads(json.dumps(saved)) == {"start": WINDOW.start_s, "end": WINDOW.end_s, "state": state}


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"start": 0, "end": 60},
        {"start": "0", "end": 60, "state": {}},
        {"start": 0, "end": 60, "state": []},
    ],
)
def test_str_202_what_is_no_saved_window_is_refused(saved: dict[str, JsonValue]) -> None:
    """STR-202: something else in its place is an error, not a window of nonsense."""
    with pytest.raises(ValueError, match="not a saved window"):
        restored_window(saved)

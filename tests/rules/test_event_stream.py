"""The frames of a streamed answer, read by botocore."""

from __future__ import annotations

import json

from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmap.rules.event_stream import CHUNK_BYTES, response_stream


def frames(stream: bytes) -> list[tuple[str, bytes]]:
    """(event type, payload); botocore checks lengths and both sums."""
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [(message.headers[":event-type"], message.payload) for message in buffer]


@settings(max_examples=50)
@given(st.binary(max_size=100).map(lambda part: part * (3 * CHUNK_BYTES // max(len(part), 1) if len(part) > 50 else 1)))
def test_inv_24_the_payload_comes_in_chunks(payload: bytes) -> None:
    """INV-24: chunks of bounded size that make the payload, then InvokeComplete."""
    *chunks, (last, end) = frames(response_stream(payload))

    assert b"".join(chunk for _, chunk in chunks) == payload
    assert all(kind == "PayloadChunk" and 0 < len(chunk) <= CHUNK_BYTES for kind, chunk in chunks)
    assert (last, json.loads(end)) == ("InvokeComplete", {})


def test_inv_24_the_end_tells_of_the_error_and_the_log() -> None:
    """INV-24: ErrorCode, ErrorDetails, LogResult."""
    stream = response_stream(b"", error=("ValueError", '{"errorType":"ValueError"}'), log_result="bG9n")

    assert [(kind, json.loads(payload)) for kind, payload in frames(stream)] == [
        (
            "InvokeComplete",
            {"ErrorCode": "ValueError", "ErrorDetails": '{"errorType":"ValueError"}', "LogResult": "bG9n"},
        )
    ]

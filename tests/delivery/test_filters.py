"""Filters between a queue and its function."""

from __future__ import annotations

import json

import pytest

from eventmap.testing import MemorySqs
from tests.testing.queues import queue

from .scene import Handler, statistics, working

pytestmark = pytest.mark.virtual_time

DEEP = '{"a":' * 99 + '{"n":1}' + "}" * 99
TOO_DEEP = '{"a":' * 400 + '{"n":1}' + "}" * 400


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ('{"n":2,"n":1}', True),
        ('{"n":1,"n":2}', False),
        ('{"n":1,"m":NaN}', False),
        ('{"n":1,"m":Infinity}', False),
        ('{"n":1,"m":1e400}', True),
        ('{"n":1}}', False),
        (json.dumps({"n": 1, "x": "x" * 900_000}), True),
    ],
)
async def test_fil_32_82_what_counts_as_json(memory_sqs: MemorySqs, body: str, passes: bool) -> None:
    """FIL-32, FIL-82: the last of equal keys wins; NaN and Infinity are no JSON; what does not parse is dropped."""
    queue(memory_sqs).put(body)
    handler = Handler()

    async with working(
        memory_sqs, handler, filter_criteria={"Filters": [{"Pattern": {"body": {"n": [1]}}}]}
    ) as running:
        await running.until_empty()

    assert handler.bodies == ([body] if passes else [])


async def test_fil_81_83_a_body_nested_too_deeply_is_deleted_not_run_and_harms_nothing(memory_sqs: MemorySqs) -> None:
    """FIL-81, FIL-83: a hundred levels are matched, more are not; no document is an error."""
    queue(memory_sqs).put('{"n":1}', TOO_DEEP, "[" * 100_000, DEEP)
    handler = Handler()
    pattern = {"body": {"$or": [{"n": [1]}, {"a": {"b": [1]}}]}}

    async with working(memory_sqs, handler, filter_criteria={"Filters": [{"Pattern": pattern}]}) as running:
        await running.until_empty()
        counted = statistics(running)

    assert handler.bodies == ['{"n":1}']
    assert (counted.filtered, counted.poll_errors) == (3, 0)


async def test_fil_24_metadata_may_be_filtered_too(memory_sqs: MemorySqs, caplog: pytest.LogCaptureFixture) -> None:
    """FIL-24, FIL-26, FIL-29: any top-level key of the record, with a warning that names it."""
    orders = queue(memory_sqs)
    for kind in ("a", "b"):
        orders.put(kind, attributes={"kind": {"DataType": "String", "StringValue": kind}})
    handler = Handler()
    pattern = {"messageAttributes": {"kind": {"stringValue": ["b"]}}}

    async with working(memory_sqs, handler, filter_criteria={"Filters": [{"Pattern": pattern}]}) as running:
        await running.until_empty()

    assert handler.bodies == ["b"]
    assert "messageAttributes" in caplog.text

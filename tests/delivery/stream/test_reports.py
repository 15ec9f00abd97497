"""What is told of records that were given up, and what happens when it cannot be told."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import (
    REPORTS,
    STREAM,
    Destination,
    Handler,
    batch_info,
    checkpoints,
    crashing,
    dynamodb,
    fail,
    fail_for,
    kinesis,
    numbered,
    put,
    report,
    statistics,
    working,
)

pytestmark = pytest.mark.virtual_time
both = pytest.mark.parametrize("make", [kinesis, dynamodb])

ARNS = {
    kinesis: "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
    dynamodb: "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000",
}


@both
async def test_str_90_91_94_95_a_report_after_an_exception(make: Any) -> None:
    """STR-90, 91, 94, 95: keys in AWS' order, times as precise as the source's, the unqualified function."""
    api, reports = make(), Destination()
    await anyio.sleep(1.5)
    sequences = put(api, "a")
    await anyio.sleep(1)
    sequences += put(api, "b")
    handler = Handler(then=fail)

    async with working(api, handler, reports=reports, maximum_retry_attempts=1):
        await anyio.sleep(10)

    [told] = reports.reports
    assert list(told) == [
        "requestContext",
        "responseContext",
        "version",
        "timestamp",
        "KinesisBatchInfo" if make is kinesis else "DDBStreamBatchInfo",
    ]
    assert told["requestContext"] == {
        "requestId": handler.request_ids[0],
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:work",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert told["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert (told["version"], told["timestamp"]) == ("1.0", "2026-01-01T00:00:03.500Z")
    precise = make is kinesis
    assert list(batch_info(told).items()) == [
        ("shardId", api.open_shards(STREAM)[0]),
        ("startSequenceNumber", sequences[0]),
        ("endSequenceNumber", sequences[1]),
        ("approximateArrivalOfFirstRecord", "2026-01-01T00:00:01.500Z" if precise else "2026-01-01T00:00:01Z"),
        ("approximateArrivalOfLastRecord", "2026-01-01T00:00:02.500Z" if precise else "2026-01-01T00:00:02Z"),
        ("batchSize", 2),
        ("streamArn", ARNS[make]),
    ]


async def test_str_71_94_a_report_after_item_failures_has_no_error() -> None:
    """STR-71, 94: `functionError` is null, the status 200."""
    api, reports = kinesis(), Destination()
    put(api, "a", "b")

    async with working(api, Handler(then=report("b")), reports=reports, maximum_retry_attempts=0, **REPORTS):
        await anyio.sleep(10)

    [told] = reports.reports
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}
    assert batch_info(told)["batchSize"] == 1


async def test_str_92_93_a_report_of_aged_records_has_no_response() -> None:
    """STR-92, 93: another condition, no `responseContext`, though the function had run and failed."""
    api, reports = kinesis(), Destination()
    put(api, "a")

    async with working(api, Handler(then=fail), reports=reports, maximum_record_age_in_seconds=60):
        await anyio.sleep(100)

    [told] = reports.reports
    assert (told["requestContext"]["condition"], "responseContext" in told) == ("RecordAgeExceeded", False)  # type: ignore[index,call-overload]


@both
async def test_str_96_97_the_payload_is_the_event_itself(make: Any) -> None:
    """STR-96, 97: the report has no records; an S3 destination gets the whole event beside it."""
    api, reports = make(), Destination()
    put(api, *numbered(3))
    handler = Handler(then=fail)

    async with working(api, handler, reports=reports, maximum_retry_attempts=0):
        await anyio.sleep(10)

    assert "Records" not in json.dumps(reports.reports)
    [payload] = reports.payloads
    assert payload is not None
    assert json.loads(payload) == handler.invocations[0].event


async def test_str_101_a_busy_destination_is_asked_again_before_the_records_are_forgotten() -> None:
    """STR-101: reported before the checkpoint passes; the shard waits for it."""
    api, reports, leases = kinesis(), Destination(down=4), MemoryLeaseTable()
    sequences = put(api, "a", "b")
    handler = Handler(then=fail_for("a"))

    async with working(
        api, handler, store=leases.store_for("a"), reports=reports, batch_size=1, maximum_retry_attempts=0
    ) as service:
        await anyio.sleep(1)
        assert (handler.texts, checkpoints(leases)) == (["a"], ["TRIM_HORIZON"])
        await anyio.sleep(30)
        counted = statistics(service)

    assert reports.conditions == [("RetryAttemptsExhausted", 1, 1)]
    assert (handler.texts, checkpoints(leases)) == (["a", "b"], sequences[1:])
    assert (counted.reports_sent, counted.reports_failed) == (1, 0)


@pytest.mark.parametrize("destination", [Destination(is_refused=True), Destination(down=1000)], ids=["denied", "down"])
async def test_str_101_a_report_that_cannot_be_delivered_is_counted_and_the_shard_goes_on(
    destination: Destination,
) -> None:
    """STR-101: the batch stays discarded; what is lost is the report, and that is counted and told."""
    api = kinesis()
    put(api, "a", "b")
    handler = Handler(then=fail_for("a"))

    async with working(api, handler, reports=destination, batch_size=1, maximum_retry_attempts=0) as service:
        await anyio.sleep(100)
        counted = statistics(service)

    assert handler.texts == ["a", "b"]
    assert (counted.discarded, counted.reports_sent, counted.reports_failed) == (1, 0, 1)
    assert destination.reports == []


async def test_str_101_201_a_crash_before_the_report_is_sent_repeats_the_batch() -> None:
    """STR-101, 201: twice beats never."""
    api, reports, leases = kinesis(), Destination(down=1000), MemoryLeaseTable()
    put(api, "a")
    handler = Handler(then=fail)

    async with crashing(api, handler, leases=leases, reports=reports, maximum_retry_attempts=0):
        await anyio.sleep(2)
    reports.down = 0
    async with working(api, handler, store=leases.store_for("b"), reports=reports, maximum_retry_attempts=0):
        await anyio.sleep(30)

    assert handler.texts == ["a", "a"]
    assert reports.conditions == [("RetryAttemptsExhausted", 1, 1)]


async def test_str_102a_reports_of_a_window_name_it() -> None:
    """STR-102a: `timeWindowInfo` beside the batch."""
    api, reports = kinesis(), Destination()
    put(api, "a")

    async with working(
        api, Handler(then=fail), reports=reports, maximum_retry_attempts=0, tumbling_window_in_seconds=60
    ):
        await anyio.sleep(10)

    [told] = reports.reports
    assert batch_info(told)["batchSize"] == 1
    assert told["timeWindowInfo"] == {
        "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z"},
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }

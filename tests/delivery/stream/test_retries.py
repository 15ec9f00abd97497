"""What fails is tried again in its place, until it succeeds, ages out or is given up."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.testing import MemoryKinesis
from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import (
    REPORTS,
    STREAM,
    Destination,
    Handler,
    checkpoints,
    dynamodb,
    fail,
    fail_for,
    fail_times,
    failures,
    kinesis,
    numbered,
    put,
    report,
    sequence_of,
    statistics,
    text_of,
    working,
)

pytestmark = pytest.mark.virtual_time
both = pytest.mark.parametrize("make", [kinesis, dynamodb])


# Retries. ---------------------------------------------------------------------------------------------------------


@both
async def test_str_35_55_210_a_failed_batch_is_retried_as_it_was(make: Any) -> None:
    """STR-35, 55, 210: same records, same order, same request id, after 1, 2, 4 … s; the shard waits."""
    api = make()
    put(api, *numbered(3))
    handler = Handler(then=fail_times(4))

    async with working(api, handler):
        await anyio.sleep(1)
        put(api, "later")
        await anyio.sleep(60)

    assert handler.batches == [numbered(3)] * 5 + [["later"]]
    assert handler.gaps[:4] == [1, 2, 4, 8]
    assert len(set(handler.request_ids)) == 2
    assert len(set(handler.request_ids[:5])) == 1


async def test_str_35_210_a_timeout_is_a_failure() -> None:
    """STR-35: the batch comes back; the wait counts from the end of the attempt."""
    api = kinesis()
    put(api, "a")
    handler = Handler(seconds=10)

    async with working(api, handler, timeout=3):
        await anyio.sleep(14)

    assert handler.times == [0, 4, 9]


@both
async def test_str_35_40_06_by_default_a_poison_record_blocks_until_it_expires(make: Any) -> None:
    """STR-35, 44: with -1 retries go on every 60 s; when retention is over it is dropped and the shard goes on."""
    api = make()
    put(api, "poison")
    handler = Handler(then=fail_for("poison"))
    reports = Destination()
    await anyio.sleep(85_900)

    async with working(api, handler, reports=reports) as service:
        await anyio.sleep(100)
        put(api, "fresh")
        assert set(handler.texts) == {"poison"}
        await anyio.sleep(600)
        counted = statistics(service)

    assert handler.gaps[6:-1] == [60] * (len(handler.gaps) - 7)
    assert handler.batches[-1] == ["fresh"]
    assert 86_400 <= handler.times[-1] <= 86_470
    assert (counted.expired, counted.discarded, counted.in_flight, reports.reports) == (1, 0, 0, [])


@both
@pytest.mark.parametrize("attempts", [0, 1, 3])
async def test_str_40_41_an_exhausted_batch_is_given_up_and_the_shard_goes_on(make: Any, attempts: int) -> None:
    """STR-40, 41: 1 + m invocations, one report, the position moves past it."""
    api, leases, reports = make(), MemoryLeaseTable(), Destination()
    sequences = put(api, *numbered(3))
    handler = Handler(then=fail_for("r1"))

    async with working(
        api, handler, store=leases.store_for("a"), reports=reports, maximum_retry_attempts=attempts
    ) as service:
        await anyio.sleep(20)
        assert checkpoints(leases) == sequences[-1:]
        put(api, "next")
        await anyio.sleep(5)
        counted = statistics(service)

    assert handler.batches == [numbered(3)] * (1 + attempts) + [["next"]]
    assert reports.conditions == [("RetryAttemptsExhausted", 1 + attempts, 3)]
    assert (counted.discarded, counted.done, counted.in_flight) == (3, 1, 0)


async def test_str_41_without_a_destination_it_is_only_given_up() -> None:
    """STR-41: the report is sent if one is configured."""
    api = kinesis()
    put(api, "a", "b")
    handler = Handler(then=fail_for("a"))

    async with working(api, handler, batch_size=1, maximum_retry_attempts=0) as service:
        await anyio.sleep(20)
        counted = statistics(service)

    assert handler.batches == [["a"], ["b"]]
    assert (counted.discarded, counted.reports_sent, counted.reports_failed) == (1, 0, 0)


# Throttles. -------------------------------------------------------------------------------------------------------


async def test_str_34_a_shard_without_a_slot_waits_and_uses_up_no_attempt() -> None:
    """STR-34: with m = 0 a batch that had to wait long for the function is not given up."""
    api, reports = kinesis(shards=4), Destination()
    put(api, *numbered(40))
    handler = Handler(seconds=2)

    async with working(api, handler, reports=reports, concurrency=1, timeout=5, batch_size=3, maximum_retry_attempts=0):
        await anyio.sleep(120)

    assert sorted(handler.texts) == sorted(numbered(40))
    assert (handler.most_running, reports.reports) == (1, [])


async def test_str_34_42_a_batch_ages_while_it_waits_for_the_function() -> None:
    """STR-34, 42: throttled or without a slot, it is tried until its records exceed the age limit, and never run."""
    api, reports = kinesis(shards=2), Destination()
    one, two = api.open_shards(STREAM)
    hashes = {shard: 0 if shard == one else 2**127 for shard in (one, two)}
    api.put_record(STREAM, b"long", "k", explicit_hash_key=hashes[one])
    handler = Handler(seconds=100)

    async with working(api, handler, reports=reports, concurrency=1, timeout=200, maximum_record_age_in_seconds=60):
        await anyio.sleep(5)
        api.put_record(STREAM, b"waits", "k", explicit_hash_key=hashes[two])
        await anyio.sleep(200)

    assert handler.texts == ["long"]
    assert reports.conditions == [("RecordAgeExceeded", 1, 1)]


# Age. -------------------------------------------------------------------------------------------------------------


@both
async def test_str_42_43_records_expired_on_arrival_are_reported_and_the_rest_is_run(make: Any) -> None:
    """STR-42, 43: five fresh after one expired: one report of one record, one invocation with the five."""
    api, reports = make(), Destination()
    put(api, "old")
    await anyio.sleep(100)
    put(api, *numbered(5))
    handler = Handler()

    async with working(api, handler, reports=reports, maximum_record_age_in_seconds=60):
        await anyio.sleep(10)

    assert handler.batches == [numbered(5)]
    assert reports.conditions == [("RecordAgeExceeded", 1, 1)]
    assert "responseContext" not in reports.reports[0]


async def test_str_42_43_a_batch_ages_out_between_retries() -> None:
    """STR-42, 43: the attempts made are counted, there is no response, and the shard goes on."""
    api, reports = kinesis(), Destination()
    put(api, "poison")
    handler = Handler(then=fail_for("poison"))

    async with working(api, handler, reports=reports, maximum_record_age_in_seconds=60):
        await anyio.sleep(100)
        put(api, "next")
        await anyio.sleep(30)

    assert handler.batches == [["poison"]] * 6 + [["next"]]  # at 0, 1, 3, 7, 15, 31; the one at 63 is too late
    assert reports.conditions == [("RecordAgeExceeded", 6, 1)]
    assert "responseContext" not in reports.reports[0]


@both
async def test_str_48_a_batch_decides_about_age_before_its_window_ends(make: Any) -> None:
    """STR-48: with a window of 300 s and a limit of 60 s an underfilled batch is aged out after 60."""
    api, reports = make(), Destination()
    handler = Handler()

    async with working(
        api,
        handler,
        reports=reports,
        batch_size=100,
        maximum_batching_window_in_seconds=300,
        maximum_record_age_in_seconds=60,
    ):
        await anyio.sleep(7.3)
        put(api, "a")
        await anyio.sleep(120)

    assert handler.invocations == []
    assert reports.conditions == [("RecordAgeExceeded", 1, 1)]
    assert 66 <= reports.times[0] <= 69


# Item failures. ---------------------------------------------------------------------------------------------------


@both
async def test_str_45_62_70_progress_restarts_the_counter(make: Any) -> None:
    """STR-45, 62, 70: m = 3 and only r2 fails: delivered 1 + 4 times, the report says 4."""
    api, leases, reports = make(), MemoryLeaseTable(), Destination()
    sequences = put(api, *numbered(3))
    handler = Handler(then=report("r2"))

    async with working(api, handler, store=leases.store_for("a"), reports=reports, maximum_retry_attempts=3, **REPORTS):
        await anyio.sleep(0.5)
        assert checkpoints(leases) == [sequences[1]]
        await anyio.sleep(30)
        assert checkpoints(leases) == [sequences[2]]

    assert handler.batches == [numbered(3)] + [["r2"]] * 4
    assert reports.conditions == [("RetryAttemptsExhausted", 4, 1)]
    assert len(set(handler.request_ids)) == 2


async def test_str_46_a_full_failure_makes_no_progress() -> None:
    """STR-46: m = 2 gives three invocations."""
    api, reports = kinesis(), Destination()
    put(api, *numbered(2))
    handler = Handler(then=report("r0"))

    async with working(api, handler, reports=reports, maximum_retry_attempts=2, **REPORTS):
        await anyio.sleep(30)

    assert handler.batches == [numbered(2)] * 3
    assert reports.conditions == [("RetryAttemptsExhausted", 3, 2)]


@both
async def test_str_63_157_the_lowest_number_named_is_where_it_goes_on(make: Any) -> None:
    """STR-63, 157: compared as a number, though the sequence numbers gain a digit on the way."""
    api = make(seed=3)
    texts = numbered(40)
    sequences = put(api, *texts)
    assert sequences != sorted(sequences)  # as text
    handler = Handler(then=fail_first_half_of_names)

    async with working(api, handler, **REPORTS):
        await anyio.sleep(300)

    assert handler.batches[0] == texts
    assert [len(batch) for batch in handler.batches[:4]] == [40, 20, 10, 5]
    assert list(dict.fromkeys(handler.texts)) == texts


def fail_first_half_of_names(records: list[dict[str, Any]]) -> object:
    """Name all of the second half, in an order of their texts."""
    failed = records[len(records) // 2 :] if len(records) > 1 else []
    return failures(sorted(sequence_of(record) for record in failed))


@pytest.mark.parametrize("answer", [None, {}, "", [], {"batchItemFailures": []}, {"batchItemFailures": None}])
async def test_str_60_61_answers_that_name_nothing_are_success(answer: object) -> None:
    """STR-60, 61: one invocation, all done."""
    api = kinesis()
    put(api, *numbered(2))
    handler = Handler(then=lambda _: answer)

    async with working(api, handler, **REPORTS) as service:
        await anyio.sleep(30)
        assert statistics(service).done == 2

    assert handler.batches == [numbered(2)]


@pytest.mark.parametrize(
    "answer",
    [
        failures([""]),
        failures([None]),
        {"batchItemFailures": [{"bad": "1"}]},
        {"batchItemFailures": [{"itemIdentifier": 123}]},
        failures(["123"]),
    ],
)
async def test_str_64_to_66_answers_that_name_no_record_are_full_failures(answer: object) -> None:
    """STR-64, 65, 66: the whole batch again, and it counts."""
    api, reports = kinesis(), Destination()
    put(api, *numbered(2))
    handler = Handler(then=lambda _: answer)

    async with working(api, handler, reports=reports, maximum_retry_attempts=1, **REPORTS):
        await anyio.sleep(30)

    assert handler.batches == [numbered(2)] * 2
    assert reports.conditions == [("RetryAttemptsExhausted", 2, 2)]


async def test_str_67_an_exception_is_a_full_failure_with_the_option_too() -> None:
    """STR-67: nothing of the batch is done."""
    api = kinesis()
    put(api, *numbered(2))
    handler = Handler(then=fail_times(1))

    async with working(api, handler, **REPORTS):
        await anyio.sleep(30)

    assert handler.batches == [numbered(2)] * 2


async def test_str_69_without_the_option_an_answer_means_nothing() -> None:
    """STR-69: named or not, the batch succeeded."""
    api = kinesis()
    put(api, *numbered(2))
    handler = Handler(then=report("r0"))

    async with working(api, handler):
        await anyio.sleep(30)

    assert handler.batches == [numbered(2)]


# Bisect. ----------------------------------------------------------------------------------------------------------


@both
async def test_str_50_51_52_56_bisect_finds_the_poison(make: Any) -> None:
    """STR-50, 51, 52, 56: halves in order, the good ones done, one record given up after 1 + m alone."""
    api, reports = make(), Destination()
    texts = numbered(8)
    put(api, *texts)
    handler = Handler(then=fail_for("r5"))

    async with working(
        api, handler, reports=reports, bisect_batch_on_function_error=True, maximum_retry_attempts=1, batch_size=8
    ):
        await anyio.sleep(20)
        put(api, *numbered(8, "s"))
        await anyio.sleep(20)

    assert handler.batches == [
        texts,
        texts[:4],
        texts[4:],
        texts[4:6],
        ["r4"],
        ["r5"],
        ["r5"],
        texts[6:],
        numbered(8, "s"),
    ]
    assert reports.conditions == [("RetryAttemptsExhausted", 2, 1)]
    assert len(set(handler.request_ids)) == 8  # each part is a batch of its own, only r5's retry is not (STR-55)


async def test_str_53_a_timeout_splits_with_item_failures_on() -> None:
    """STR-53: whatever `ReportBatchItemFailures` says."""
    api = kinesis()
    put(api, *numbered(2))
    handler = Handler(seconds=10)

    async with working(
        api, handler, timeout=1, bisect_batch_on_function_error=True, maximum_retry_attempts=0, **REPORTS
    ):
        await anyio.sleep(20)

    assert handler.batches == [numbered(2), ["r0"], ["r1"]]


async def test_str_54_55_with_both_options_an_answer_splits_where_it_says() -> None:
    """STR-54, 55: everything before the number is done, the remainder is one new batch."""
    api = kinesis()
    put(api, *numbered(8))
    seen: list[object] = []

    def then(records: list[dict[str, Any]]) -> object:
        seen.append(None)
        return failures([sequence_of(records[2])]) if len(seen) == 1 else None

    handler = Handler(then=then)

    async with working(api, handler, bisect_batch_on_function_error=True, **REPORTS):
        await anyio.sleep(20)

    assert handler.batches == [numbered(8), numbered(8)[2:]]
    assert len(set(handler.request_ids)) == 2


async def test_str_58_without_retries_a_batch_is_split_all_the_same() -> None:
    """STR-58: m = 0 does not disable splitting."""
    api, reports = kinesis(), Destination()
    put(api, *numbered(4))
    handler = Handler(then=fail_for("r0"))

    async with working(api, handler, reports=reports, bisect_batch_on_function_error=True, maximum_retry_attempts=0):
        await anyio.sleep(20)

    assert handler.batches == [numbered(4), numbered(2), ["r0"], ["r1"], ["r2", "r3"]]
    assert reports.conditions == [("RetryAttemptsExhausted", 1, 1)]


@both
async def test_str_57_every_part_of_a_bisected_batch_is_reported_on_its_own(make: Any) -> None:
    """STR-57: reports are not consolidated; each names one record."""
    api, reports = make(), Destination()
    put(api, *numbered(4))
    handler = Handler(then=fail)

    async with working(api, handler, reports=reports, bisect_batch_on_function_error=True, maximum_retry_attempts=0):
        await anyio.sleep(20)

    assert reports.conditions == [("RetryAttemptsExhausted", 1, 1)] * 4


# Size. ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attempts", "invoke_count"), [(0, 1), (2, 3)])
async def test_str_47_a_record_too_large_for_an_event_never_reaches_the_handler(
    attempts: int, invoke_count: int
) -> None:
    """STR-47: its attempts count, the report has no response, later records continue."""
    api, reports = MemoryKinesis(), Destination()
    api.create_stream(STREAM)
    put(api, "before")
    api.put_record(STREAM, b"x" * 5_000_000, "large")  # 6.67 MB as base64
    put(api, "after")
    handler = Handler()

    async with working(api, handler, reports=reports, maximum_retry_attempts=attempts):
        await anyio.sleep(30)

    assert handler.texts == ["before", "after"]
    assert reports.conditions == [("RetryAttemptsExhausted", invoke_count, 1)]
    assert "responseContext" not in reports.reports[0]
    assert [text_of(record) for record in handler.invocations[0].records] == ["before"]

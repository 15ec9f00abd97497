"""What Lambda would do with the batches of a stream: retried, split, aged out or given up."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.model import Failed, Outcome, PartlyFailed, StreamRecord, Succeeded, Throttled, TimedOut
from eventmap.rules.stream import Attempt, Discarded, Verdict, age_out, lane_of, read_wait, retry_wait, settle
from eventmap.stream_mapping import StreamMapping

ERRORS = [Failed("ValueError"), TimedOut()]
Handler = Callable[[tuple[StreamRecord, ...]], Outcome]


def mapping(**settings: Any) -> StreamMapping:
    return StreamMapping(
        event_source="kinesis",
        event_source_arn="orders",
        function_name="work",
        starting_position="TRIM_HORIZON",
        **settings,
    )


def records(*sequences: int, arrived_at: float = 0.0) -> tuple[StreamRecord, ...]:
    return tuple(StreamRecord(str(number), {}, number, "key", arrived_at) for number in sequences)


def numbers(found: tuple[StreamRecord, ...]) -> list[int]:
    return [record.sequence for record in found]


def judged(attempt: Attempt, outcome: Outcome, rules: StreamMapping) -> Verdict:
    error = None if isinstance(outcome, PartlyFailed) else "Unhandled"
    return settle(attempt, outcome, rules, error=error, responded=True)


def poisoned(*poison: int) -> Handler:
    """A handler that raises when one of these records is in its batch."""
    return lambda batch: Failed("ValueError") if set(poison) & set(numbers(batch)) else Succeeded()


def reporting(*poison: int) -> Handler:
    """A handler that names these as failed."""

    def handle(batch: tuple[StreamRecord, ...]) -> Outcome:
        named = frozenset(record.item_id for record in batch if record.sequence in poison)
        return PartlyFailed(named) if named else Succeeded()

    return handle


@dataclass
class Played:
    """A batch taken to its end."""

    batches: list[list[int]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)  #: sequence numbers, in the order they were done or discarded
    discarded: list[Discarded] = field(default_factory=list)

    def deliveries(self, sequence: int) -> int:
        return sum(batch.count(sequence) for batch in self.batches)


def play(first: tuple[StreamRecord, ...], handler: Handler, rules: StreamMapping, *, at_most: int = 500) -> Played:
    """Strictly in turn, as a lane does it; stops after `at_most` invocations."""
    played, waiting = Played(), [Attempt(first)]
    while waiting and len(played.batches) < at_most:
        attempt = waiting.pop(0)
        played.batches.append(numbers(attempt.records))
        verdict = judged(attempt, handler(attempt.records), rules)
        played.ended += numbers(verdict.done)
        if verdict.discarded is not None:
            played.discarded.append(verdict.discarded)
            played.ended += numbers(verdict.discarded.records)
        played.waits.append(verdict.wait_s)
        waiting[:0] = verdict.retry
    return played


# Retries. ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ERRORS)
@pytest.mark.parametrize("attempts", [0, 1, 2, 7])
def test_str_40_41_a_batch_is_invoked_once_and_retried_so_often(attempts: int, outcome: Outcome) -> None:
    """STR-40, 41: m means 1 + m invocations of the same records; then all of them are given up."""
    played = play(records(1, 2, 3), lambda _: outcome, mapping(maximum_retry_attempts=attempts))

    assert played.batches == [[1, 2, 3]] * (1 + attempts)
    [given_up] = played.discarded
    assert (given_up.condition, given_up.invoke_count) == ("RetryAttemptsExhausted", 1 + attempts)
    assert (numbers(given_up.records), given_up.responded, given_up.function_error) == ([1, 2, 3], True, "Unhandled")


def test_str_35_06_without_a_limit_a_poisoned_batch_is_never_given_up() -> None:
    """STR-35: -1 retries until something outside the counter ends it."""
    played = play(records(1, 2), poisoned(2), mapping(maximum_retry_attempts=-1), at_most=200)

    assert played.batches == [[1, 2]] * 200
    assert played.ended == []


@pytest.mark.parametrize("outcome", ERRORS)
def test_str_35_55_an_unchanged_retry_is_the_same_batch(outcome: Outcome) -> None:
    """STR-35, 55: same records in the same order under the same request id, one failure more."""
    attempt = Attempt(records(1, 2), request_id="r", failures=3)

    verdict = judged(attempt, outcome, mapping())

    assert verdict == Verdict(retry=(replace(attempt, failures=4),), wait_s=8.0)


def test_str_210_retries_wait_one_second_doubling_to_sixty() -> None:
    """STR-210: 1, 2, 4 … 32, 60, 60; large counts do not overflow."""
    assert [retry_wait(failures) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert retry_wait(10_000) == 60

    played = play(records(1), poisoned(1), mapping(maximum_retry_attempts=7))

    assert played.waits == [1, 2, 4, 8, 16, 32, 60, 0]


def test_str_211_refused_reads_wait_one_second_doubling_to_ten() -> None:
    """STR-211: 1, 2, 4, 8, 10, 10."""
    assert [read_wait(failures) for failures in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert read_wait(10_000) == 10


def test_str_34_210_a_throttled_attempt_costs_nothing_but_time() -> None:
    """STR-34, 210: the code did not run: its counter stands where it stood, even without a retry left."""
    rules = mapping(maximum_retry_attempts=0, bisect_batch_on_function_error=True)
    attempt = Attempt(records(1, 2), request_id="r")

    waits = []
    for _ in range(8):
        verdict = judged(attempt, Throttled("busy"), rules)
        [attempt] = verdict.retry
        waits.append(verdict.wait_s)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (attempt.records, attempt.request_id, attempt.failures) == (records(1, 2), "r", 0)
    [failed] = judged(attempt, Failed("ValueError"), mapping()).retry
    assert (failed.failures, failed.throttles) == (1, 0)


# Item failures. ---------------------------------------------------------------------------------------------------


def test_str_45_progress_restarts_the_counter() -> None:
    """STR-45: m = 3, only r6 of [r4, r5, r6] fails: delivered 1 + 4 times, reported with 4."""
    played = play(records(4, 5, 6), reporting(6), mapping(maximum_retry_attempts=3))

    assert played.batches == [[4, 5, 6], [6], [6], [6], [6]]
    assert played.ended == [4, 5, 6]
    assert [(numbers(each.records), each.invoke_count) for each in played.discarded] == [([6], 4)]


def test_str_46_naming_the_first_record_is_no_progress() -> None:
    """STR-46: a full failure counts as a retry: m = 2 gives 3."""
    played = play(records(1, 2), reporting(1, 2), mapping(maximum_retry_attempts=2))

    assert played.batches == [[1, 2]] * 3
    assert [each.invoke_count for each in played.discarded] == [3]


def test_str_71_94_a_report_after_item_failures_names_no_error() -> None:
    """STR-71, 94: `functionError` is null although there was a response."""
    [given_up] = play(records(1), reporting(1), mapping(maximum_retry_attempts=0)).discarded

    assert (given_up.responded, given_up.function_error) == (True, None)


@pytest.mark.parametrize(
    ("named", "done", "left"),
    [
        ({"100"}, [8, 9, 10], [100]),
        ({"10"}, [8, 9], [10, 100]),
        ({"100", "9"}, [8], [9, 10, 100]),  # as text "100" would come first
        ({"100", "10", "9"}, [8], [9, 10, 100]),
    ],
)
def test_str_62_63_the_lowest_named_number_is_where_it_goes_on(
    named: set[str], done: list[int], left: list[int]
) -> None:
    """STR-62, 63: numbers compare as numbers; what succeeded behind the lowest one is retried with it."""
    verdict = judged(Attempt(records(8, 9, 10, 100), "r", 2), PartlyFailed(frozenset(named)), mapping())

    assert (numbers(verdict.done), [numbers(each.records) for each in verdict.retry]) == (done, [left])


def test_str_54_55_what_is_left_after_progress_is_a_new_batch() -> None:
    """STR-54, 55: cut at the number named, bisect or not; no request id yet and a fresh budget."""
    attempt = Attempt(records(1, 2, 3, 4), request_id="r", failures=2)

    for bisect in (False, True):
        verdict = judged(attempt, PartlyFailed(frozenset({"2"})), mapping(bisect_batch_on_function_error=bisect))

        assert verdict == Verdict(
            done=attempt.records[:1], retry=(Attempt(attempt.records[1:], "", 0),), wait_s=retry_wait(1)
        )


# Bisect. ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ERRORS)
@pytest.mark.parametrize(("count", "sizes"), [(2, [1, 1]), (3, [1, 2]), (4, [2, 2]), (101, [50, 51])])
def test_str_50_53_55_a_failed_batch_is_split_in_two(count: int, sizes: list[int], outcome: Outcome) -> None:
    """STR-50, 53, 55: contiguous halves, first part first, each a new batch; the smaller one of an odd count first."""
    attempt = Attempt(records(*range(count)), request_id="r", failures=5)
    rules = mapping(bisect_batch_on_function_error=True, function_response_types=["ReportBatchItemFailures"])

    verdict = judged(attempt, outcome, rules)

    first, second = verdict.retry
    assert [len(first.records), len(second.records)] == sizes
    assert first.records + second.records == attempt.records
    assert {(each.request_id, each.failures) for each in verdict.retry} == {("", 0)}
    assert (verdict.done, verdict.discarded) == ((), None)


@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_str_51_56_58_bisect_leaves_only_the_poison_behind(attempts: int) -> None:
    """STR-51, 56, 58: splitting uses up no retry, not even with m = 0: one record is given up, after 1 + m alone."""
    rules = mapping(maximum_retry_attempts=attempts, bisect_batch_on_function_error=True)

    played = play(records(*range(100)), poisoned(37), rules)

    assert played.ended == list(range(100))
    assert [(numbers(each.records), each.invoke_count) for each in played.discarded] == [([37], 1 + attempts)]
    assert played.batches.count([37]) == 1 + attempts


def test_str_50_the_second_half_waits_for_the_first() -> None:
    """STR-50: strictly in turn, so that the shard's order holds."""
    rules = mapping(maximum_retry_attempts=1, bisect_batch_on_function_error=True)

    played = play(records(1, 2, 3, 4), poisoned(1), rules)

    assert played.batches == [[1, 2, 3, 4], [1, 2], [1], [1], [2], [3, 4]]


# Age. -------------------------------------------------------------------------------------------------------------


def test_str_42_212_only_what_is_old_leaves_the_batch() -> None:
    """STR-42, 212: one expired, five fresh: it is reported alone, they go on; old means `now - arrival >= limit`."""
    old, fresh = records(1, arrived_at=40.0), records(2, 3, 4, 5, 6, arrived_at=40.001)

    given_up, rest = age_out(Attempt(old + fresh), 60, 100.0)

    assert given_up is not None
    assert (given_up.records, given_up.condition, given_up.responded) == (old, "RecordAgeExceeded", False)
    assert rest.records == fresh


@pytest.mark.parametrize(("failures", "invoke_count"), [(0, 1), (1, 1), (2, 2), (9, 9)])
def test_str_43_aged_records_are_reported_with_the_attempts_made(failures: int, invoke_count: int) -> None:
    """STR-43: 1 for those that expired on arrival, else what was counted; never a response, whatever came before."""
    attempt = Attempt(records(1, 2), request_id="r" if failures else "", failures=failures)

    given_up, rest = age_out(attempt, 60, 60.0)

    assert given_up is not None
    assert (given_up.invoke_count, given_up.responded, given_up.function_error) == (invoke_count, False, None)
    assert (given_up.request_id, rest.records) == (attempt.request_id, ())


def test_str_42_55_a_batch_that_nothing_left_is_the_same_batch() -> None:
    """STR-42, 55: it keeps its request id; one that lost records is a new one, its failures still counted."""
    young, old = records(2, arrived_at=99.0), records(1, arrived_at=0.0)
    same = Attempt(young, request_id="r", failures=2)

    assert age_out(same, 60, 100.0) == (None, same)
    assert age_out(replace(same, records=old + young), 60, 100.0)[1] == Attempt(young, request_id="", failures=2)


@pytest.mark.parametrize("attempt", [Attempt(records(1)), Attempt(())])
def test_str_42_07_no_limit_and_no_records_mean_no_age(attempt: Attempt) -> None:
    """STR-07, 42: -1 never discards; a window's final invocation has nothing that could age."""
    limit = -1 if attempt.records else 60

    assert age_out(attempt, limit, 1e12) == (None, attempt)


# Single cases. ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attempts", "invoke_count"), [(0, 1), (2, 3)])
def test_str_47_a_record_too_large_for_any_event_counts_its_attempts(attempts: int, invoke_count: int) -> None:
    """STR-47: never handed over, so its report has no response; exhausted after 1 + m all the same."""
    rules = mapping(maximum_retry_attempts=attempts)
    attempt = Attempt(records(1), request_id="r")

    for _ in range(attempts):
        [attempt] = settle(attempt, Failed("too large"), rules, error=None, responded=False).retry
    given_up = settle(attempt, Failed("too large"), rules, error=None, responded=False).discarded

    assert given_up == Discarded(records(1), "RetryAttemptsExhausted", invoke_count, "r", responded=False)


def test_str_83_102a_a_final_invocation_without_records_is_retried_and_given_up() -> None:
    """STR-83, 102a: nothing to split, nothing to be partly done; with a limit it is given up like any batch."""
    rules = mapping(maximum_retry_attempts=1, bisect_batch_on_function_error=True, tumbling_window_in_seconds=10)

    played = play((), lambda _: Failed("ValueError"), rules)

    assert played.batches == [[], []]
    assert [(each.records, each.invoke_count) for each in played.discarded] == [((), 2)]
    assert judged(Attempt(()), Succeeded(), rules) == Verdict()


# Lanes. -----------------------------------------------------------------------------------------------------------


def test_str_30_a_key_has_one_lane_on_every_machine() -> None:
    """STR-30: fixed values, so that a change of the function is seen; with factor 1 there is one lane."""
    keys = ["", "customer-1", "customer-2", '{"S":"ä"}']

    assert [lane_of(key, 10) for key in keys] == [0, 9, 9, 6]
    assert {lane_of(key, 1) for key in keys} == {0}


@given(st.text(), st.integers(1, 10))
def test_str_30_every_key_has_a_lane(key: str, factor: int) -> None:
    """STR-30: one of the factor's, always the same one."""
    assert lane_of(key, factor) == lane_of(key, factor)
    assert 0 <= lane_of(key, factor) < factor


def test_str_30_keys_spread_over_the_lanes() -> None:
    """STR-30: a thousand keys leave no lane idle or overrun."""
    dealt = [lane_of(f"customer-{number}", 10) for number in range(1000)]

    assert all(60 <= dealt.count(lane) <= 140 for lane in range(10))


# The law. ---------------------------------------------------------------------------------------------------------

sequences = st.lists(st.integers(1, 1000), min_size=1, max_size=40, unique=True).map(sorted)
rule_sets = st.builds(
    lambda attempts, bisect: mapping(maximum_retry_attempts=attempts, bisect_batch_on_function_error=bisect),
    st.integers(-1, 3),
    st.booleans(),
)


@given(sequences, rule_sets, st.integers(0, 4), st.data())
def test_str_35_40_41_50_62_every_record_is_in_exactly_one_place(
    order: list[int], rules: StreamMapping, failures: int, data: st.DataObject
) -> None:
    """The conservation law: done, then discarded, then retried make up the attempt, in its order."""
    attempt = Attempt(records(*order), request_id="r", failures=failures)
    named = st.sets(st.sampled_from(order), min_size=1).map(lambda some: PartlyFailed(frozenset(map(str, some))))
    outcome = data.draw(st.one_of(st.sampled_from([Succeeded(), *ERRORS, Throttled("busy")]), named))

    verdict = judged(attempt, outcome, rules)

    discarded = verdict.discarded.records if verdict.discarded else ()
    retried = tuple(itertools.chain.from_iterable(each.records for each in verdict.retry))
    assert verdict.done + discarded + retried == attempt.records
    assert all(each.records for each in verdict.retry)
    assert verdict.wait_s >= 0


@given(sequences, st.integers(0, 3), st.booleans(), st.data())
def test_str_40_56_a_batch_ends_in_order_whatever_its_handler_does(
    order: list[int], attempts: int, bisect: bool, data: st.DataObject
) -> None:
    """Taken to its end, every record has ended once and in order; with bisect each was given up alone (STR-56)."""
    rules = mapping(maximum_retry_attempts=attempts, bisect_batch_on_function_error=bisect)
    dice = data.draw(st.randoms(use_true_random=False))

    def handler(batch: tuple[StreamRecord, ...]) -> Outcome:
        named = frozenset(record.item_id for record in batch if dice.random() < 0.3)
        return dice.choice([Succeeded(), Failed("ValueError"), PartlyFailed(named) if named else TimedOut()])

    played = play(records(*order), handler, rules, at_most=10_000)

    assert played.ended == order
    assert all(played.deliveries(record.sequence) > attempts for each in played.discarded for record in each.records)
    if bisect:
        assert all(len(each.records) == 1 for each in played.discarded)


@given(sequences, st.lists(st.floats(0, 200), min_size=40, max_size=40), st.floats(0, 200), st.integers(0, 200))
def test_str_42_aging_out_loses_nothing(order: list[int], times: list[float], now: float, limit: int) -> None:
    """STR-42: every record is either given up or left, in order, and each on the right side."""
    attempt = Attempt(tuple(replace(record, arrived_at=at) for record, at in zip(records(*order), times, strict=False)))

    given_up, rest = age_out(attempt, limit, now)

    aged = given_up.records if given_up else ()
    assert sorted((*aged, *rest.records), key=lambda record: record.sequence) == list(attempt.records)
    assert all(now - record.arrived_at >= limit for record in aged)
    assert all(now - record.arrived_at < limit for record in rest.records)

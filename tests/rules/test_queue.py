"""What Lambda would do with a queue's messages."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.mapping import EventSourceMapping
from eventmap.model import Batch, Failed, Outcome, PartlyFailed, Succeeded, Throttled, TimedOut
from eventmap.rules import queue

from .records import batch, ids, record

NEVER_DONE = [Failed("ValueError"), TimedOut(), Throttled("busy")]


def test_sqs_16_a_function_may_not_outlive_visibility() -> None:
    """SQS-16: refused in AWS' words; equal is accepted."""
    queue.check_visibility(30, 30)

    with pytest.raises(InvalidParameterValue) as refused:
        queue.check_visibility(30, 31)

    assert str(refused.value) == "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"


@pytest.mark.parametrize(
    ("window", "function_timeout", "visibility", "asked"),
    [
        (0, 30, 30, None),  # no window: the queue's own
        (5, 25, 30, None),  # exactly enough
        (5, 26, 30, 61),
        (300, 900, 900, 1230),
    ],
)
def test_sqs_65_visibility_asked_for_with_a_receive(
    window: int, function_timeout: int, visibility: int, asked: int | None
) -> None:
    """SQS-65: window + timeout + 30 s as soon as window + timeout exceed the queue's own."""
    mapping = EventSourceMapping(
        event_source_arn="orders", function_name="f", maximum_batching_window_in_seconds=window
    )

    assert asked == queue.receive_visibility(mapping, function_timeout, visibility)


@pytest.mark.parametrize(
    ("batch_size", "slots", "fifo", "asked"),
    [
        (1, 3, False, 3),
        (1, 50, False, 10),
        (4, 2, False, 8),
        (10, 1, False, 10),
        (10_000, 1, False, 10),
        (1, 9, True, 1),
        (7, 9, True, 7),
    ],
)
def test_sqs_20_39_never_more_messages_than_free_slots_can_start(
    batch_size: int, slots: int, fifo: bool, asked: int
) -> None:
    """SQS-20, SQS-39: at most ten, at most what can start; on FIFO one batch per receive."""
    assert asked == queue.messages_per_receive(batch_size, slots, fifo=fifo)


@pytest.mark.parametrize(
    ("batch_size", "fifo", "slots"), [(1, False, 10), (3, False, 3), (6, False, 1), (100, False, 1), (1, True, 1)]
)
def test_sqs_39_slots_one_full_receive_makes_use_of(batch_size: int, fifo: bool, slots: int) -> None:
    """SQS-39: as many whole batches as ten messages make, at least one."""
    assert slots == queue.slots_per_receive(batch_size, fifo=fifo)


def test_sqs_54_success_deletes_the_batch() -> None:
    """SQS-54: all of it, in order."""
    settled = queue.settle(batch("a", "b"), Succeeded())

    assert (ids(settled.done), ids(settled.retry)) == (["a", "b"], [])


@pytest.mark.parametrize("outcome", NEVER_DONE)
def test_sqs_55_58_60_failure_deletes_nothing_and_leaves_visibility_alone(outcome: Outcome) -> None:
    """SQS-55, 58, 60: the retry delay is what is left of the visibility timeout."""
    settled = queue.settle(batch("a", "b"), outcome)

    assert (ids(settled.done), ids(settled.retry)) == ([], ["a", "b"])
    assert [wait for _, wait in settled.retry] == [None, None]


def test_sqs_57_a_partial_failure_keeps_only_what_it_names() -> None:
    """SQS-57: the others are deleted."""
    settled = queue.settle(batch("a", "b", "c"), PartlyFailed(frozenset("b")))

    assert (ids(settled.done), ids(settled.retry)) == (["a", "c"], ["b"])


def test_sqs_61_backoff_follows_the_receive_count() -> None:
    """Our own setting: one wait per attempt, the last one repeating."""
    received = Batch(tuple(record(str(count), receive_count=count) for count in (1, 2, 3, 9)))

    settled = queue.settle(received, Failed("x"), (5, 60))

    assert [wait for _, wait in settled.retry] == [5.0, 60.0, 60.0, 60.0]


def test_sqs_50_one_group_waits_as_one() -> None:
    """SQS-50: within a FIFO group the longest wait holds for all, so that none overtakes another."""
    received = Batch(
        (
            record("a1", group="a", receive_count=2),
            record("b1", group="b", receive_count=1),
            record("a2", group="a", receive_count=1),
        )
    )

    settled = queue.settle(received, TimedOut(), (1, 30))

    assert [(each.item_id, wait) for each, wait in settled.retry] == [("a1", 30.0), ("b1", 1.0), ("a2", 30.0)]


def test_sqs_56_a_batch_that_never_ran_knows_no_backoff() -> None:
    """SQS-56: our copy is abandoned; its visibility ends by itself."""
    settled = queue.settle(batch("a"), Throttled("busy"), (5, 60))

    assert [wait for _, wait in settled.retry] == [None]


@given(
    size=st.integers(1, 10),
    failed=st.sets(st.integers(0, 9)),
    kind=st.sampled_from(["succeeded", "partly", "failed", "timed out", "throttled"]),
    backoff=st.lists(st.integers(0, 43_200), max_size=3),
    groups=st.lists(st.sampled_from(["a", "b"]), min_size=10, max_size=10) | st.none(),
)
def test_sqs_54_to_58_conservation_law(
    size: int, failed: set[int], kind: str, backoff: list[int], groups: list[str] | None
) -> None:
    """Every record of a batch is in exactly one of done and retry, in the batch's order."""
    received = Batch(
        tuple(record(str(n), receive_count=n + 1, group=groups[n] if groups else None) for n in range(size))
    )
    named = frozenset(str(n) for n in failed if n < size)
    outcomes: dict[str, Outcome] = {
        "succeeded": Succeeded(),
        "partly": PartlyFailed(named),
        "failed": Failed("x"),
        "timed out": TimedOut(),
        "throttled": Throttled("x"),
    }

    settled = queue.settle(received, outcomes[kind], backoff)

    order = [each.item_id for each in received.records]
    assert sorted(ids(settled.done) + ids(settled.retry), key=order.index) == order
    for part in (ids(settled.done), ids(settled.retry)):
        assert part == sorted(part, key=order.index)
    expected = {"succeeded": set(), "partly": named}.get(kind, set(order))
    assert expected == set(ids(settled.retry))


def test_sqs_56_161_throttles_wait_1_2_4_up_to_60_with_jitter() -> None:
    """SQS-161: doubling, jitter from a half to the whole, never more than 60 s."""

    def waits(jitter: float) -> list[float | None]:
        return [queue.throttle_wait(attempt, 0.0, 0.0, 43_200.0, jitter) for attempt in (1, 2, 3, 7, 100)]

    assert waits(1.0) == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert waits(0.0) == [0.5, 1.0, 2.0, 30.0, 30.0]


def test_sqs_56_161_throttle_retries_end_a_second_before_visibility() -> None:
    """SQS-161: the next try must start while the message is still ours."""
    assert queue.throttle_wait(1, 100.0, 128.0, 30.0, 1.0) == 1.0
    assert queue.throttle_wait(1, 100.0, 128.1, 30.0, 1.0) is None


def test_sqs_162_receive_errors_wait_up_to_1_2_4_to_60() -> None:
    """SQS-162: full jitter below a doubling bound; the exponent itself is bounded too."""
    assert [queue.receive_wait(n, 1.0) for n in (1, 2, 3, 6, 7, 100_000)] == [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]
    assert [queue.receive_wait(n, 0.0) for n in (1, 5)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("receive_count", "maximum", "moves"), [(1, None, False), (2, 3, False), (3, 3, True), (4, 3, True)]
)
def test_sqs_68_n_receives_are_delivered_and_the_next_one_moves(
    receive_count: int, maximum: int | None, moves: bool
) -> None:
    """SQS-68: without a policy nothing ever moves."""
    assert moves is queue.dead_letters_next(record("a", receive_count=receive_count), maximum)


@given(visibility=st.integers(1, 43_200), held=st.floats(0, 50_000))
def test_sqs_66_no_extension_passes_twelve_hours(visibility: int, held: float) -> None:
    """SQS-66: whole seconds, the visibility timeout again and again, and never beyond 43,200 s since the receive."""
    seconds = queue.heartbeat_s(float(visibility), held)

    assert 0 <= seconds <= visibility
    assert held + seconds <= 43_200 or seconds == 0
    assert seconds == visibility or held + seconds > 43_200 - 1
    assert seconds == math.floor(seconds)


def test_sqs_54_an_outcome_of_no_known_kind_is_an_error_of_ours() -> None:
    """The union is closed: a kind nobody decided on stops here instead of losing a record."""
    with pytest.raises(AssertionError):
        queue.settle(batch("a"), "neither done nor failed")  # type: ignore[arg-type]

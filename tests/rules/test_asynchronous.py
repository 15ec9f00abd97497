"""What becomes of an asynchronous event, before and after each attempt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.function import Function
from eventmap.model import FunctionError, Refused, Response, Returned
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.rules.asynchronous import Again, Ended, before_attempt, is_gone, next_step

T0 = 1_767_225_600.0
BOOM = b'{"errorMessage":"boom","errorType":"ValueError"}'
FAILED = FunctionError(BOOM, "ValueError")
THROTTLED = Refused("ReservedFunctionConcurrentInvocationLimitExceeded")


def function(**settings: Any) -> Function:
    return Function(handler=lambda _event, _context: None, function_name="f", **settings)


def event(**changes: Any) -> QueuedEvent:
    usual: dict[str, Any] = {
        "request_id": "id-1",
        "function_name": "f",
        "payload": b"{}",
        "accepted_at": T0,
        "due_at": T0,
    }
    return QueuedEvent(**(usual | changes))


def failing(of: Function, at: list[float], started: QueuedEvent | None = None) -> list[Again | Ended]:
    """What follows from failures that end at those times after it was accepted."""
    steps: list[Again | Ended] = []
    current = started or event()
    for seconds in at:
        step = next_step(of, current, FAILED, T0 + seconds, 0.5)
        steps.append(step)
        if isinstance(step, Ended):
            break
        current = step.event
    return steps


def test_inv_41_retries_after_one_and_two_minutes() -> None:
    """Counted from the end of the attempt that failed; a timeout is a failure as any other."""
    first = next_step(function(), event(), FunctionError(BOOM, "Sandbox.Timedout", True), T0 + 3, 0.5)
    assert isinstance(first, Again)
    second = next_step(function(), first.event, FAILED, T0 + 70, 0.5)

    assert first.event.due_at == T0 + 3 + 60
    assert isinstance(second, Again)
    assert second.event.due_at == T0 + 70 + 120


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_inv_41_48_the_code_runs_once_and_as_often_as_it_may_be_retried(retries: int) -> None:
    """Then the event is given up, with the last response and 1 + retries runs."""
    *again, last = failing(function(maximum_retry_attempts=retries), [1, 70, 200])

    assert len(again) == retries
    assert last == Ended(
        EventEnd(
            condition="RetriesExhausted",
            ended_at=T0 + [1, 70, 200][retries],
            invoke_count=1 + retries,
            response=BOOM,
            function_error="Unhandled",
        )
    )


def test_inv_42_the_request_id_never_changes() -> None:
    """Nor anything else of what the sender said."""
    sent = event(qualifier="live", trace_id="Root=1-5759e988-bd862e3fe1be46a994272793")

    for response in (FAILED, THROTTLED):
        step = next_step(function(aliases=["live"]), sent, response, T0, 0.5)
        assert isinstance(step, Again)
        assert replace(step.event, due_at=T0, failures=0, refusals=0, last_error=None) == sent


def test_inv_43_backoff_doubles_from_a_second_to_five_minutes() -> None:
    """The least that is waited; spread evenly over as much again, and five minutes are never exceeded."""
    least, most = [], []
    for refusals in range(12):
        for waits, dice in ((least, 0.0), (most, 1.0)):
            step = next_step(function(), event(refusals=refusals), THROTTLED, T0, dice)
            assert isinstance(step, Again)
            waits.append(step.event.due_at - T0)

    assert least == [1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150, 150]
    assert most == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]


def test_inv_43_a_refusal_uses_up_no_retry() -> None:
    """Also a system error, and between two failures; a failure begins the backoff anew."""
    throttled = next_step(function(), event(failures=1, last_error=BOOM), THROTTLED, T0, 0.5)
    assert isinstance(throttled, Again)
    broken = next_step(function(), throttled.event, Refused("ServiceException"), T0, 0.5)
    assert isinstance(broken, Again)
    failed = next_step(function(), broken.event, FAILED, T0, 0.5)
    assert isinstance(failed, Again)

    assert [(step.event.failures, step.event.refusals) for step in (throttled, broken, failed)] == [
        (1, 1),
        (1, 2),
        (2, 0),
    ]


def test_inv_43_44_a_refused_event_comes_back_at_its_deadline_at_the_latest() -> None:
    """So that it ends then, and not up to five minutes after."""
    step = next_step(function(maximum_event_age_in_seconds=60), event(refusals=7), THROTTLED, T0 + 50, 0.5)

    assert isinstance(step, Again)
    assert step.event.due_at == T0 + 60


@pytest.mark.parametrize(
    ("age", "given", "ends"),
    [(60, 59.999, False), (60, 60.0, True), (21_600, 21_599.0, False), (21_600, 21_600.0, True)],
)
def test_inv_44_47_the_age_is_checked_before_each_attempt(age: int, given: float, ends: bool) -> None:
    """At the limit it is over it; an event that never ran has no response."""
    end = before_attempt(function(maximum_event_age_in_seconds=age), event(), T0 + given)

    expected = Ended(EventEnd(condition="EventAgeExceeded", ended_at=T0 + given, invoke_count=0))
    assert end == (expected if ends else None)


def test_inv_44_a_retry_that_could_not_start_in_time_ends_the_event_at_once() -> None:
    """With the last response; the retry's wait counts, to the very deadline."""
    of = function(maximum_event_age_in_seconds=100)

    [in_time] = failing(of, [39.9])
    [too_late] = failing(of, [40.0])

    assert isinstance(in_time, Again)
    assert too_late == Ended(
        EventEnd(
            condition="EventAgeExceeded",
            ended_at=T0 + 40,
            invoke_count=1,
            response=BOOM,
            function_error="Unhandled",
        )
    )


def test_inv_47_the_last_response_is_told_if_any_attempt_ran() -> None:
    """Even when the attempts after it were refused."""
    aged = before_attempt(function(), event(failures=1, refusals=9, last_error=BOOM), T0 + 21_600)

    assert isinstance(aged, Ended)
    assert (aged.end.condition, aged.end.invoke_count, aged.end.response) == ("EventAgeExceeded", 1, BOOM)


def test_inv_25_46_reserved_concurrency_0_ends_it_before_it_runs() -> None:
    """Nothing ran, so there is no response; however young or old it is."""
    of = function(reserved_concurrent_executions=0)

    ends = [before_attempt(of, event(), T0 + age) for age in (0, 99_999)]

    assert [end.end.condition for end in ends if end] == ["ZeroReservedConcurrency"] * 2
    assert [(end.end.invoke_count, end.end.response, end.end.function_error) for end in ends if end] == [
        (0, None, None)
    ] * 2


def test_inv_49_a_success_ends_it_with_what_was_returned() -> None:
    """The runs before it are counted; no error is left of them."""
    step = next_step(function(), event(failures=2, last_error=BOOM), Returned(b'"done"'), T0 + 181, 0.5)

    assert step == Ended(EventEnd(condition="Success", ended_at=T0 + 181, invoke_count=3, response=b'"done"'))


@pytest.mark.parametrize(("qualifier", "gone"), [("", False), ("$LATEST", False), ("live", False), ("7", True)])
def test_inv_64a_the_alias_is_looked_up_before_each_attempt(qualifier: str, gone: bool) -> None:
    """An alias that was taken away meanwhile, or a version there never was."""
    assert is_gone(function(aliases=["live"]), event(qualifier=qualifier)) is gone


@pytest.mark.parametrize("retries", [0, 1])
def test_inv_64a_what_is_gone_is_looked_for_as_often_as_it_may_be_retried(retries: int) -> None:
    """Each time counts as an attempt; the end says 404 and has no response."""
    of = function(maximum_retry_attempts=retries)
    step = next_step(of, event(), None, T0, 0.5)
    if retries:
        assert isinstance(step, Again)
        assert step.event.due_at == T0 + 60
        step = next_step(of, step.event, None, T0 + 60, 0.5)

    assert isinstance(step, Ended)
    assert step.end == EventEnd(
        condition="RetriesExhausted", ended_at=step.end.ended_at, invoke_count=1 + retries, status_code=404
    )


@given(
    retries=st.integers(0, 2),
    age=st.integers(60, 21_600),
    attempts=st.lists(
        st.tuples(
            st.sampled_from([FAILED, THROTTLED, Returned(b"null"), None]),
            st.floats(0, 900),
            st.floats(0, 1, exclude_max=True),
        ),
        max_size=60,
    ),
)
def test_inv_40_to_49_an_event_is_owed_or_has_ended_once(
    retries: int, age: int, attempts: list[tuple[Response | None, float, float]]
) -> None:
    """Whatever attempts come to and however long they take: bounded in number and time, and counted right."""
    of = function(maximum_retry_attempts=retries, maximum_event_age_in_seconds=age)
    current, now, runs = event(), T0, 0
    for response, seconds, dice in attempts:
        now = max(now, current.due_at)
        ended = before_attempt(of, current, now)
        if ended is None:
            assert now < T0 + age
            now += seconds
            runs += not isinstance(response, Refused)
            step = next_step(of, current, response, now, dice)
        else:
            step = ended
        if isinstance(step, Ended):
            assert step.end.invoke_count == runs <= 1 + retries
            assert (step.end.condition == "Success") == (ended is None and isinstance(response, Returned))
            return
        assert min(now, T0 + age) <= step.event.due_at <= min(now + 300, T0 + age)
        assert step.event.failures == runs <= retries
        current = step.event

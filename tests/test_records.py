"""each_record: a handler for one record becomes a handler for a batch."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from eventmap import each_record
from eventmap.errors import HandlerBatchFailed

Handle = Callable[[Any, Any], Any]


def event(*bodies: str, fifo: bool = False) -> dict[str, Any]:
    """The message id is the body; its first letter is the group."""
    return {
        "Records": [
            {
                "messageId": body,
                "body": body,
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders" + (".fifo" if fifo else ""),
                "attributes": {"MessageGroupId": body[0]} if fifo else {},
            }
            for body in bodies
        ]
    }


def failed(answer: dict[str, Any]) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]


class Runs:
    """A record handler that fails for the bodies named."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.bodies: list[str] = []

    def __call__(self, record: dict[str, Any], _context: object = None) -> None:
        self.bodies.append(record["body"])
        if record["body"] in self.failing:
            raise ValueError(record["body"])


def test_sqs_101_a_raised_exception_marks_its_record_alone() -> None:
    """SQS-101: on a standard queue the others go on."""
    runs = Runs("b1")

    answer = each_record(runs)(event("a1", "b1", "a2"), None)

    assert (failed(answer), runs.bodies) == (["b1"], ["a1", "b1", "a2"])


@pytest.mark.parametrize(
    ("after", "failing", "expected_failed", "expected_runs"),
    [
        ("stop", ("b1",), ["b1", "a2", "b2"], ["a1", "b1"]),
        ("skip_group", ("b1",), ["b1", "b2"], ["a1", "b1", "a2"]),
        ("skip_group", ("a1", "b1"), ["a1", "b1", "a2", "b2"], ["a1", "b1"]),
        ("stop", ("b2",), ["b2"], ["a1", "b1", "a2", "b2"]),
    ],
)
def test_sqs_100_after_a_failure_on_fifo_the_rest_is_reported_too(
    after: Any, failing: tuple[str, ...], expected_failed: list[str], expected_runs: list[str]
) -> None:
    """SQS-100: everything later, or everything later of its group; order cannot be broken by deleting what follows."""
    runs = Runs(*failing)
    handle = each_record(after_fifo_failure=after, raise_on_entire_batch_failure=False)(runs)

    answer = handle(event("a1", "b1", "a2", "b2", fifo=True), None)

    assert (failed(answer), runs.bodies) == (expected_failed, expected_runs)


def test_sqs_100_the_default_is_to_stop() -> None:
    """SQS-100 (a): short-circuit."""
    assert failed(each_record(Runs("a1"))(event("b1", "a1", "b2", fifo=True), None)) == ["a1", "b2"]


@pytest.mark.parametrize("fifo", [False, True])
def test_sqs_101_a_batch_of_nothing_but_failures_is_an_error_one_sees(fifo: bool) -> None:
    """SQS-101: raised from the first failure; or the same as a full list, if so asked."""
    with pytest.raises(HandlerBatchFailed, match=r"all 2 records .+ValueError\('a1'\)") as raised:
        each_record(Runs("a1", "a2"))(event("a1", "a2", fifo=fifo), None)
    listed = each_record(raise_on_entire_batch_failure=False)(Runs("a1", "a2"))(event("a1", "a2", fifo=fifo), None)

    assert isinstance(raised.value.__cause__, ValueError)
    assert failed(listed) == ["a1", "a2"]


def test_sqs_101_an_empty_batch_fails_nothing() -> None:
    """Nor does it raise."""
    assert failed(each_record(Runs())({"Records": []}, None)) == []


@pytest.mark.parametrize(("member", "number"), [("kinesis", "sequenceNumber"), ("dynamodb", "SequenceNumber")])
def test_str_62_70_on_a_stream_the_first_failure_is_reported_and_nothing_after_it_tried(
    member: str, number: str
) -> None:
    """All from it on is delivered again, whatever became of it."""
    tried: list[str] = []

    @each_record
    def handle(record: dict[str, Any], context: object) -> None:
        tried.append(record[member][number])
        if record[member][number] == "2":
            raise ValueError("no")

    answer = handle({"Records": [{member: {number: each}} for each in ("1", "2", "3")]}, None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert tried == ["1", "2"]


async def test_inv_37_sqs_101_async_record_handlers_are_awaited_in_order() -> None:
    """INV-37: `async def` makes an async handler, with the same answer."""
    seen: list[str] = []

    @each_record
    async def handle(record: dict[str, Any], context: object) -> None:
        seen.append(record["body"])
        if record["body"] == "b1":
            raise ValueError

    assert inspect.iscoroutinefunction(handle)
    assert failed(await handle(event("a1", "b1", "a2"), None)) == ["b1"]
    assert seen == ["a1", "b1", "a2"]


def test_a_batch_handler_remembers_nothing() -> None:
    """Results are return values: one call cannot see another's failures."""
    handle = each_record(Runs("a1"))

    assert failed(handle(event("a1", "b1"), None)) == ["a1"]
    assert failed(handle(event("b1", "b2"), None)) == []


def test_the_name_of_the_record_handler_is_kept() -> None:
    """The function is called what its author called it."""

    @each_record
    def charge(record: object, context: object) -> None:
        """Charge one order."""

    assert (charge.__name__, charge.__doc__) == ("charge", "Charge one order.")


def test_what_ends_the_process_is_not_a_record_failure() -> None:
    """Only `Exception` is: an exit ends the invocation."""

    def leave(record: object, context: object) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        each_record(leave)(event("a1"), None)


def test_a_failure_is_logged_with_its_traceback_and_without_its_payload(caplog: pytest.LogCaptureFixture) -> None:
    """WARNING, once per record, naming the message."""

    def fail(record: object, context: object) -> None:
        raise ValueError("why")

    with caplog.at_level(logging.WARNING):
        each_record(raise_on_entire_batch_failure=False)(fail)(event("a1"), None)

    [told] = caplog.records
    assert (told.levelno, told.exc_info is not None) == (logging.WARNING, True)
    assert "a1" in told.getMessage()


def test_an_unknown_mode_is_refused() -> None:
    """With the two there are."""
    with pytest.raises(ValueError, match='must be "stop" or "skip_group"'):
        each_record(after_fifo_failure="carry_on")  # type: ignore[call-overload]


def answer_or_error(call: Callable[[], Any]) -> list[str] | str:
    """The ids reported as failed, or "error" if the whole batch was raised."""
    try:
        return sorted(failed(dict(call())))
    except (HandlerBatchFailed, BatchProcessingError):
        return "error"


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize("skip_group", [False, True])
@pytest.mark.parametrize("failing", [(), ("a1",), ("b1",), ("a2", "b2"), ("a1", "b1")])
def test_sqs_100_101_powertools_answers_the_same(failing: tuple[str, ...], skip_group: bool, fifo: bool) -> None:
    """SQS-100, SQS-101: the helper AWS publishes is the independent judge."""
    bodies = ("a1", "b1", "a2", "b2", "c1")
    if fifo:
        judge: Any = SqsFifoPartialProcessor(skip_group_on_error=skip_group)
    else:
        judge = BatchProcessor(event_type=EventType.SQS)
    theirs = answer_or_error(
        lambda: process_partial_response(
            event=event(*bodies, fifo=fifo),
            record_handler=lambda record: Runs(*failing)({"body": record.body}),
            processor=judge,
            context=None,
        )
    )

    handle = each_record(after_fifo_failure="skip_group" if skip_group else "stop")(Runs(*failing))
    ours = answer_or_error(lambda: handle(event(*bodies, fifo=fifo), None))

    assert ours == theirs

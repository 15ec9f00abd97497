"""Handlers inside this process: `async def` on the loop, `def` in a thread (INV-30..37, 72, 100..111)."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import uuid
from typing import Any

import anyio
import pytest

from eventmap import telemetry
from eventmap.errors import ConfigurationError
from eventmap.model import FunctionError, Refused
from eventmap.runtime.invoker import FunctionRuntime, new_request_id
from eventmap.testing import run_in_virtual_time
from tests.runtime.running import REQUEST_ID, RememberedLog, error, event, in_file, returned, running

DAY_S = 86_400.0


class AsyncCallable:
    async def __call__(self, event, context):
        return ["async object", event]


class PlainCallable:
    def __call__(self, event, context):
        return ["object", event]


async def echo_async(event, context):
    return ["async", event]


def echo(event, context):
    return ["plain", event]


def wrapped(event, context):
    return echo_async(event, context)


@pytest.mark.parametrize(
    ("handler", "first"),
    [
        (echo, "plain"),
        (echo_async, "async"),
        (functools.partial(functools.partial(echo_async)), "async"),
        (functools.partial(echo), "plain"),
        (AsyncCallable(), "async object"),
        (PlainCallable(), "object"),
        (wrapped, "async"),
    ],
    ids=[
        "def",
        "async def",
        "partial of async def",
        "partial",
        "async object",
        "object",
        "def that returns a coroutine",
    ],
)
async def test_inv_37_every_kind_of_callable_is_a_handler(handler: Any, first: str):
    """INV-37: what returns a coroutine is awaited, whatever it looks like."""
    async with running(handler) as runtime:
        assert returned(await runtime.invoke(event(a=1))) == [first, {"a": 1}]


async def test_a_plain_handler_runs_in_one_thread_of_its_environment():
    """Thread-local clients stay warm, and the loop is never blocked."""

    def handler(event, context):
        return threading.get_ident()

    async with running(handler) as runtime:
        idents = {returned(await runtime.invoke(event())) for _ in range(3)}

    assert len(idents) == 1
    assert threading.get_ident() not in idents


@pytest.mark.parametrize("is_async", [True, False], ids=["async def", "def"])
async def test_the_event_is_a_copy_each_time(is_async: bool):
    """A retry sees the original, whatever the handler did to its event."""

    def change(event: Any, context: object) -> int:
        event["list"].append(1)
        return len(event["list"])

    async def change_async(event: Any, context: object) -> int:
        return change(event, context)

    original = event(list=[])
    async with running(change_async if is_async else change) as runtime:
        assert [returned(await runtime.invoke(original)) for _ in range(2)] == [1, 1]

    assert original.document == {"list": []}


async def test_inv_130_the_lines_of_an_inline_invocation():
    """INV-130: START, END and REPORT; what the handler prints is left to standard output."""
    log = RememberedLog()

    async with running(echo_async, log) as runtime:
        await runtime.invoke(event(), request_id=REQUEST_ID)

    assert log.texts[:2] == [f"START RequestId: {REQUEST_ID} Version: $LATEST", f"END RequestId: {REQUEST_ID}"]
    assert log.texts[2].startswith(f"REPORT RequestId: {REQUEST_ID}\tDuration: ")
    assert len(log.texts) == 3


@pytest.mark.parametrize("is_async", [True, False], ids=["async def", "def"])
async def test_inv_30_an_exception_becomes_an_error_object(is_async: bool):
    """INV-30: with the user's frames only."""

    def fail(event, context):
        raise LookupError("no such order")

    async def fail_async(event, context):
        raise LookupError("no such order")

    async with running(fail_async if is_async else fail) as runtime:
        answer = error(await runtime.invoke(event(), request_id=REQUEST_ID))

    assert (answer["errorType"], answer["errorMessage"]) == ("LookupError", "no such order")
    assert answer["requestId"] == REQUEST_ID
    assert len(answer["stackTrace"]) == 1
    assert answer["stackTrace"][0].startswith(f'  File "{__file__}", line ')


@pytest.mark.parametrize("is_async", [True, False], ids=["async def", "def"])
@pytest.mark.parametrize(("code", "reason"), [(3, "exit status 3"), (0, "without providing a reason")])
async def test_inv_34_system_exit_ends_the_invocation_not_the_worker(is_async: bool, code: int, reason: str):
    """INV-34: answered as an exit."""

    def leave(event, context):
        raise SystemExit(code)

    async def leave_async(event, context):
        raise SystemExit(code)

    async with running(leave_async if is_async else leave) as runtime:
        answer = error(await runtime.invoke(event()))

    assert answer["errorType"] == "Runtime.ExitError"
    assert answer["errorMessage"].endswith(reason)


@pytest.mark.parametrize(
    ("result", "error_type"),
    [
        ({1}, "Runtime.MarshalError"),
        (float("nan"), "Runtime.MarshalError"),
        ("x" * 7_000_000, "Function.ResponseSizeTooLarge"),
    ],
    ids=["set", "NaN", "7 MB"],
)
async def test_inv_18_32_and_36_results_that_cannot_be_answered(result: object, error_type: str):
    """INV-18, INV-32, INV-36: the same rules as in a child."""

    async def handler(event, context):
        return result

    async with running(handler) as runtime:
        assert error(await runtime.invoke(event()))["errorType"] == error_type


def test_inv_33_an_async_handler_is_cancelled_at_its_deadline():
    """INV-33, INV-131: after exactly the function timeout, and its cleanup runs."""
    log, cleaned = RememberedLog(), []

    async def sleep(event, context):
        try:
            await anyio.sleep(DAY_S)
        finally:
            cleaned.append(context.get_remaining_time_in_millis())

    async def main() -> tuple[Any, float]:
        async with running(sleep, log, timeout=900, within_s=DAY_S * 10) as runtime:
            started = anyio.current_time()
            return await runtime.invoke(event(), request_id=REQUEST_ID), anyio.current_time() - started

    response, took_s = run_in_virtual_time(main)

    assert error(response)["errorMessage"] == f"RequestId: {REQUEST_ID} Error: Task timed out after 900.00 seconds"
    assert isinstance(response, FunctionError) and response.timed_out
    assert took_s == 900
    assert cleaned == [0]
    assert log.texts[1].endswith(f" {REQUEST_ID} Task timed out after 900.00 seconds")
    assert "\tDuration: 900000.00 ms\tBilled Duration: 900000 ms\t" in log.report()


def test_inv_33_a_handler_that_swallows_its_cancellation_timed_out_all_the_same():
    """INV-33: a result after the deadline is no result."""

    async def stubborn(event, context):
        with anyio.CancelScope(shield=True):
            await anyio.sleep(10)
        return "late"

    async def main() -> Any:
        async with running(stubborn, timeout=3, within_s=DAY_S) as runtime:
            return await runtime.invoke(event())

    assert error(run_in_virtual_time(main))["errorType"] == "Sandbox.Timedout"


async def test_a_handlers_own_cancelled_error_is_its_failure():
    """Awaiting something that was cancelled is not our cancellation."""

    async def handler(event, context):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with running(handler) as runtime:
        assert error(await runtime.invoke(event()))["errorType"] == "CancelledError"


async def test_our_callers_cancellation_passes_through():
    """A drain whose patience is over ends the invocation without an answer, and the environment is free."""
    answers, begun = [], anyio.Event()

    async def handler(event, context):
        begun.set()
        await anyio.sleep_forever()

    async with running(handler) as runtime:

        async def invoke() -> None:
            answers.append(await runtime.invoke(event()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(invoke)
            await begun.wait()
            tasks.cancel_scope.cancel()

        assert answers == []
        assert runtime.free == 10


async def test_inv_33_a_stuck_thread_is_answered_at_once_and_keeps_its_slot(caplog: pytest.LogCaptureFixture):
    """INV-33: a thread cannot be killed, so its environment stays taken until it comes back: bounded, not leaking."""
    release = threading.Event()

    def stuck(event, context):
        return release.wait(60)

    with caplog.at_level(logging.WARNING, "eventmap.runtime"):
        async with running(stuck, timeout=1, reserved_concurrent_executions=1) as runtime:
            assert error(await runtime.invoke(event()))["errorType"] == "Sandbox.Timedout"
            assert runtime.free == 0
            assert await runtime.invoke(event()) == Refused("ReservedFunctionConcurrentInvocationLimitExceeded")

            release.set()
            while runtime.free == 0:
                await anyio.sleep(0.01)
            assert returned(await runtime.invoke(event())) is True

    logged = {record.eventmap_event: record for record in caplog.records}  # type: ignore[attr-defined]
    stuck = logged[telemetry.ENVIRONMENT_STUCK].eventmap_fields  # type: ignore[attr-defined]
    assert 'isolation="process"' in stuck["advice"]
    assert telemetry.INVOCATION_TIMED_OUT in logged


async def test_a_cancelled_plain_handler_keeps_its_slot_until_its_thread_is_back():
    """Our caller is not held up, and nobody else gets the thread meanwhile."""
    begun, release = threading.Event(), threading.Event()

    def stuck(event, context):
        begun.set()
        return release.wait(60)

    async with running(stuck, timeout=60, reserved_concurrent_executions=1) as runtime:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.invoke, event())
            while not begun.is_set():
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        assert runtime.free == 0

        release.set()
        while runtime.free == 0:
            await anyio.sleep(0.01)


async def test_leaving_with_a_stuck_thread_does_not_wait_for_it():
    """Shutdown is bounded; the thread comes back to nobody."""
    release = threading.Event()

    def stuck(event, context):
        release.wait(60)

    async with running(stuck, timeout=1, within_s=10) as runtime:
        await runtime.invoke(event())
    release.set()


async def test_a_failure_is_logged_once_without_its_payload(caplog: pytest.LogCaptureFixture):
    """The type and the request id are enough for an operator; messages may hold data."""

    async def fail(event, context):
        raise ValueError("secret")

    with caplog.at_level(logging.DEBUG, "eventmap"):
        async with running(fail) as runtime:
            await runtime.invoke(event(), request_id=REQUEST_ID)

    (record,) = [record for record in caplog.records if record.message.startswith(telemetry.INVOCATION_FAILED)]
    fields = record.eventmap_fields  # type: ignore[attr-defined]
    assert (record.levelname, fields["error_type"], fields["request_id"]) == ("WARNING", "ValueError", REQUEST_ID)
    assert "secret" not in str([vars(each) for each in caplog.records])


async def test_inv_31_a_target_that_does_not_import():
    """INV-31, INV-132: tried again in the invocation, and reported both times."""
    log = RememberedLog()

    async with running(in_file("handler", "broken_import"), log) as runtime:
        answer = error(await runtime.invoke(event()))

    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert answer["errorMessage"].endswith("No module named 'nowhere_to_be_found'")
    assert [text.partition("\tPhase: ")[2] for text in log.texts if text.startswith("INIT_REPORT")] == [
        "init\tStatus: error\tError Type: Runtime.ImportModuleError",
        "invoke\tStatus: error\tError Type: Runtime.ImportModuleError",
    ]


async def test_a_target_that_imports_is_run():
    """A named handler needs no import by the caller."""
    async with running(in_file("echo")) as runtime:
        assert await runtime.warm() is None
        assert returned(await runtime.invoke(event(a=1))) == {"a": 1}


async def test_inline_functions_cannot_be_reloaded():
    """What cannot be done safely is refused with the alternative."""
    async with running(echo) as runtime:
        with pytest.raises(ConfigurationError, match='isolation="process"'):
            runtime.reload()


def test_inv_78_idle_inline_environments_go_after_their_time():
    """INV-78: the sweeper sleeps until the next expiry, also under virtual time."""
    threads = []

    def handler(event, context):
        threads.append(threading.current_thread())

    async def main() -> None:
        async with running(handler, idle_timeout_s=300, within_s=DAY_S) as runtime:
            await runtime.invoke(event())
            await anyio.sleep(299)
            await runtime.invoke(event())
            await anyio.sleep(301)
            await runtime.invoke(event())

    run_in_virtual_time(main)

    assert threads[0] is threads[1]
    assert threads[1] is not threads[2]


async def test_our_own_error_leaves_the_block_unwrapped():
    """The runtime's task group does not dress up what the caller raised."""
    with pytest.raises(ZeroDivisionError):
        async with running(echo) as runtime:
            assert isinstance(runtime, FunctionRuntime)
            raise ZeroDivisionError


def test_inv_103_request_ids_are_random_uuids():
    """INV-103: version 4, and never twice."""
    made = [uuid.UUID(new_request_id()) for _ in range(100)]

    assert {each.version for each in made} == {4}
    assert {each.variant for each in made} == {uuid.RFC_4122}
    assert len(set(made)) == 100

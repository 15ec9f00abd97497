"""How an invocation in a child process may fail, and what is answered then (INV-18, INV-30..36, INV-76)."""

from __future__ import annotations

import os
import time

import anyio
import pytest

from eventmap.model import Event, FunctionError
from tests.runtime.running import HANDLERS, REQUEST_ID, RememberedLog, error, event, in_process, is_running, returned


async def test_inv_30_an_exception_is_answered_with_the_users_frames():
    """INV-30, INV-133, INV-140: also logged as one record; the runtime itself did not fail."""
    log = RememberedLog()

    async with in_process("fail", log) as runtime:
        answer = error(await runtime.invoke(event(), request_id=REQUEST_ID))

    line = next(number for number, text in _source() if 'ValueError("boom' in text)
    assert answer == {
        "errorMessage": "boom é",
        "errorType": "ValueError",
        "requestId": REQUEST_ID,
        "stackTrace": [f'  File "{HANDLERS / "ordinary.py"}", line {line}, in fail\n    raise ValueError("boom é")\n'],
    }
    assert log.between_start_and_end() == [
        "[ERROR] ValueError: boom é\nTraceback (most recent call last):\n"
        f'\u00a0\u00a0File "{HANDLERS / "ordinary.py"}", line {line}, in fail\n'
        '\u00a0\u00a0\u00a0\u00a0raise ValueError("boom é")'
    ]
    assert "Status" not in log.report()


@pytest.mark.parametrize("attribute", ["unserialisable", "not_a_number"])
async def test_inv_32_and_36_a_result_that_is_not_json(attribute: str):
    """INV-32, INV-36: a set, or NaN."""
    async with in_process(attribute) as runtime:
        answer = error(await runtime.invoke(event()))

    assert answer["errorType"] == "Runtime.MarshalError"
    assert answer["errorMessage"].startswith("Unable to marshal response: ")


async def test_inv_36_decimals_and_named_tuples():
    """INV-36: numbers and objects."""
    async with in_process("numbers") as runtime:
        response = await runtime.invoke(event())

    assert response.payload == b'{"price": 1.10, "at": {"x": 1, "y": [{"x": 2, "y": 3}]}}'  # type: ignore[union-attr]


async def test_inv_33_and_76_a_handler_that_is_too_late_is_killed():
    """INV-33, INV-76, INV-131: answered at the deadline; the next invocation begins with Init."""
    log = RememberedLog()

    async with in_process("spin", log, timeout=1) as runtime:
        first = returned(await runtime.invoke(event()))
        log.lines.clear()
        started = time.monotonic()
        response = await runtime.invoke(event(for_ever=True), request_id=REQUEST_ID)
        took_s = time.monotonic() - started

        assert error(response) == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {REQUEST_ID} Error: Task timed out after 1.00 seconds",
        }
        assert isinstance(response, FunctionError) and response.timed_out
        assert 1 <= took_s < 2
        assert log.between_start_and_end()[0] == "spinning"
        assert log.between_start_and_end()[1].endswith(f"Z {REQUEST_ID} Task timed out after 1.00 seconds")
        assert "\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t" in log.report()
        assert log.report().endswith("\tStatus: timeout\t")
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        assert returned(await runtime.invoke(event())) != first
        assert "Init Duration" not in log.report()


@pytest.mark.parametrize(
    ("attribute", "document", "reason"),
    [
        ("leave", {"status": 0}, "Runtime exited without providing a reason"),
        ("leave", {"status": 3}, "Runtime exited with error: exit status 3"),
        ("system_exit", {"status": 127}, "Runtime exited with error: exit status 127"),
        ("system_exit", {"status": None}, "Runtime exited without providing a reason"),
        ("segfault", {}, "Runtime exited with error: signal: segmentation fault"),
        ("kill_itself", {}, "Runtime exited with error: signal: terminated"),
    ],
)
async def test_inv_34_a_process_that_ends_says_how(attribute: str, document: dict[str, object], reason: str):
    """INV-34, INV-76: the environment is reset and serves the next invocation."""
    log = RememberedLog()

    async with in_process(attribute, log) as runtime:
        for _ in range(2):
            assert error(await runtime.invoke(Event(document), request_id=REQUEST_ID)) == {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"RequestId: {REQUEST_ID} Error: {reason}",
            }

    assert log.between_start_and_end()[-1] == f"RequestId: {REQUEST_ID} Error: {reason}\nRuntime.ExitError"
    assert log.report().endswith("\tStatus: error\tError Type: Runtime.ExitError\t")


async def test_inv_35_more_memory_than_the_function_has():
    """INV-35: killed while it runs; what fits is left alone."""
    async with in_process("take_memory", memory_size=128, timeout=30) as runtime:
        assert returned(await runtime.invoke(event(mb=40, s=0.2))) == 40 * 2**20

        answer = error(await runtime.invoke(event(mb=300, s=20), request_id=REQUEST_ID))

    assert answer == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {REQUEST_ID} Error: Runtime exited with error: signal: killed",
    }


async def test_inv_130_max_memory_used_is_the_childs_own():
    """INV-130: not the parent's, which is larger by far."""
    log = RememberedLog()

    async with in_process("take_memory", log, timeout=30) as runtime:
        await runtime.invoke(event(mb=100, s=0))

    used = int(log.report().split("Max Memory Used: ")[1].split(" ")[0])
    assert 100 <= used < 140


@pytest.mark.parametrize(("size", "fits"), [(6_291_556, True), (6_291_557, False)])
async def test_inv_18_the_largest_response(size: int, fits: bool):
    """INV-18: exactly 6,291,556 bytes fit."""
    async with in_process("of_size") as runtime:
        response = await runtime.invoke(event(size=size))

    if fits:
        assert len(returned(response)) == size - 2
    else:
        assert error(response)["errorType"] == "Function.ResponseSizeTooLarge"


async def test_inv_18_an_error_that_is_too_large():
    """INV-18: failures are bounded as well."""
    async with in_process("huge_error") as runtime:
        assert error(await runtime.invoke(event()))["errorType"] == "Function.ResponseSizeTooLarge"


async def test_inv_19_an_event_that_is_too_large():
    """INV-19: 6 MiB pass, one byte more is refused for good."""
    fitting = "x" * (6_291_456 - len('{"text":""}'))

    async with in_process("echo") as runtime:
        assert returned(await runtime.invoke(event(text=fitting))) == {"text": fitting}
        answer = error(await runtime.invoke(event(text=fitting + "x")))

    assert answer == {
        "errorType": "RequestTooLargeException",
        "errorMessage": "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    }


async def test_a_child_that_closes_our_socket_is_an_exit():
    """A handler that daemonises cannot hang its invocation."""
    async with in_process("close_everything", timeout=20) as runtime:
        assert error(await runtime.invoke(event()))["errorType"] == "Runtime.ExitError"


async def test_a_crash_is_noticed_though_a_fork_holds_every_descriptor():
    """The end of the process counts, not the end of its pipes; the fork goes with it."""
    started = time.monotonic()

    async with in_process("leave_fork", timeout=20) as runtime:
        answer = error(await runtime.invoke(event(then="exit"), request_id=REQUEST_ID))

    assert answer["errorMessage"].endswith("exit status 5")
    assert time.monotonic() - started < 10


async def test_a_fork_that_comes_back_from_the_handler_does_not_answer():
    """One request has one answer."""
    async with in_process("return_twice") as runtime:
        assert [returned(await runtime.invoke(event())) for _ in range(3)] == ["parent"] * 3


async def test_a_grandchild_dies_with_the_environment():
    """What a handler leaves in its process group does not outlive the runtime."""
    async with in_process("leave_fork") as runtime:
        grandchild = returned(await runtime.invoke(event()))
        assert is_running(grandchild)

    with anyio.fail_after(10):
        while is_running(grandchild):
            await anyio.sleep(0.01)


def _source() -> list[tuple[int, str]]:
    return list(enumerate((HANDLERS / "ordinary.py").read_text().splitlines(), 1))

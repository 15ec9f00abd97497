"""A child process per environment: what a handler sees, and what is answered (INV-70..79, 100..117)."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from eventmap.model import FunctionError, Refused
from tests.runtime.handlers import ordinary
from tests.runtime.running import (
    HANDLERS,
    REQUEST_ID,
    RememberedLog,
    error,
    event,
    in_file,
    in_process,
    is_running,
    returned,
    running,
)


async def test_an_event_comes_back_as_it_went():
    """The document crosses two processes unharmed."""
    async with in_process("echo") as runtime:
        assert returned(await runtime.invoke(event(text="é\n\u2028", number=1.5, none=None))) == {
            "text": "é\n\u2028",
            "number": 1.5,
            "none": None,
        }


async def test_inv_79_a_warm_environment_keeps_its_module_state():
    """INV-79, INV-77: the same process runs the next invocation, even after an exception."""
    async with in_process("count") as runtime:
        first, second = returned(await runtime.invoke(event())), returned(await runtime.invoke(event()))

    assert (first[0], second[0]) == (1, 2)
    assert first[1] == second[1] != os.getpid()


async def test_a_callable_is_imported_by_the_child():
    """`isolation="process"` works with the function itself."""
    async with running(ordinary.count, isolation="process") as runtime:
        assert returned(await runtime.invoke(event()))[1] != os.getpid()


async def test_inv_37_an_async_handler_keeps_one_loop_for_its_environment():
    """INV-37: clients made in one invocation stay usable in the next."""
    async with in_process("wait_and_echo") as runtime:
        first, second = returned(await runtime.invoke(event(a=1))), returned(await runtime.invoke(event(a=2)))

    assert [first[0], second[0]] == [{"a": 1}, {"a": 2}]
    assert first[1] == second[1]


async def test_inv_100_to_111_the_context_in_the_child():
    """INV-100..111: complete, with the deadline of the function."""
    sent = {"client": {"app_title": "shop"}, "custom": {"a": 1}, "w3c": {"traceparent": "00-1"}}

    async with in_process("describe", timeout=7) as runtime:
        seen = returned(await runtime.invoke(event(), request_id=REQUEST_ID, client_context=sent))

    assert seen["repr"].startswith(f"LambdaContext([aws_request_id={REQUEST_ID},log_group_name=/aws/lambda/orders,")
    assert 6000 < seen["remaining"] <= 7000
    assert (seen["memory"], seen["custom"], seen["title"]) == ("256", {"a": 1}, "shop")
    assert seen["w3c"] == {"traceparent": "00-1"}
    assert seen["arn"] == "arn:aws:lambda:eu-west-1:123456789012:function:orders"


async def test_inv_32_a_client_context_of_another_shape_is_an_error():
    """INV-32: refused before the handler runs."""
    async with in_process("describe") as runtime:
        answer = error(await runtime.invoke(event(), client_context={"client": 5}))

    assert answer["errorType"] == "Runtime.LambdaContextUnmarshalError"


async def test_inv_115_to_118_the_environment_variables(monkeypatch: pytest.MonkeyPatch):
    """INV-115..118: Lambda's own, the function's above the extra ones above the inherited ones."""
    monkeypatch.setenv("INHERITED", "parent")
    monkeypatch.setenv("COLOUR", "parent")
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    extra = {"COLOUR": "extra", "SHAPE": "extra", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}

    async with in_process("variables", extra_environment=extra, environment={"COLOUR": "function"}) as runtime:
        seen = returned(await runtime.invoke(event()))

    assert (seen["INHERITED"], seen["COLOUR"], seen["SHAPE"]) == ("parent", "function", "extra")
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert seen["_HANDLER"] == str(HANDLERS / "ordinary.variables")
    assert seen["LAMBDA_TASK_ROOT"] == str(HANDLERS)
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "orders"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert seen["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert seen["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert seen["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert (seen["TZ"], seen["LANG"]) == (":UTC", "en_US.UTF-8")
    assert seen["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/orders"
    assert "[$LATEST]" in seen["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert not {"AWS_LAMBDA_RUNTIME_API", "_EVENTMAP_FUNCTION_ARN"} & seen.keys()


async def test_the_child_imports_neither_eventmap_nor_anything_heavy():
    """A cold start pays for the handler's imports only, and our file names hide none of the user's modules."""
    async with in_process("modules") as runtime:
        seen = set(returned(await runtime.invoke(event())))

    assert not {"eventmap", "anyio", "orjson", "structlog", "pydantic"} & seen
    assert not {"context", "process", "report", "pool", "target", "memory"} & seen


async def test_inv_75_busy_environments_are_never_shared():
    """INV-75: two invocations at once are two processes; a third is refused, not queued."""
    answers: list[object] = []

    async def invoke(runtime, name):
        answers.append(await runtime.invoke(event()))

    async with in_process("spin", reserved_concurrent_executions=2) as runtime:
        assert runtime.free == 2
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(invoke, runtime, "a")
            tasks.start_soon(invoke, runtime, "b")
            await anyio.lowlevel.checkpoint()
            assert runtime.free == 0
            refused = await runtime.invoke(event())

    assert refused == Refused("ReservedFunctionConcurrentInvocationLimitExceeded")
    assert len({returned(answer) for answer in answers}) == 2  # type: ignore[arg-type]


async def test_inv_92_concurrency_0_starts_nothing():
    """INV-92: zero blocks the function."""
    async with in_process("echo", reserved_concurrent_executions=0) as runtime:
        assert await runtime.invoke(event()) == Refused("ReservedFunctionConcurrentInvocationLimitExceeded")


async def test_a_process_that_cannot_be_started_refuses_the_invocation():
    """The code did not run, so it costs the message nothing."""
    too_long = {"HUGE": "x" * 4_000_000}

    async with in_process("echo", extra_environment=too_long) as runtime:
        assert await runtime.invoke(event()) == Refused("ServiceException")
        assert runtime.free == 10


async def test_warm_runs_init_ahead_and_reports_nothing_when_it_succeeds():
    """The first invocation finds the environment ready, and its REPORT tells of the Init."""
    log = RememberedLog()

    async with in_process("echo", log) as runtime:
        assert await runtime.warm() is None
        assert log.lines == []
        await runtime.invoke(event())
        assert "\tInit Duration: " in log.report()
        await runtime.invoke(event())
        assert "\tInit Duration: " not in log.report()


@pytest.mark.parametrize(
    ("file", "error_type"),
    [
        ("broken_import", "Runtime.ImportModuleError"),
        ("raises", "LookupError"),
        ("exits", "Runtime.ExitError"),
        ("missing", "Runtime.ImportModuleError"),
    ],
)
async def test_inv_31_warm_says_why_the_handler_does_not_import(file: str, error_type: str):
    """INV-31: at once, without an invocation."""
    async with running(in_file("handler", file), isolation="process") as runtime:
        failure = await runtime.warm()

    assert isinstance(failure, FunctionError)
    assert error(failure)["errorType"] == error_type


async def test_inv_31_and_70_a_failed_init_is_repeated_in_the_invocation():
    """INV-31, INV-70, INV-132: the error object of Init is the answer; each attempt has its line."""
    log = RememberedLog()

    async with running(in_file("handler", "raises"), log, isolation="process") as runtime:
        answer = error(await runtime.invoke(event(), request_id=REQUEST_ID))

    assert (answer["errorType"], answer["errorMessage"], answer["requestId"]) == ("LookupError", "no table", "")
    assert answer["stackTrace"] == [
        f'  File "{HANDLERS / "raises.py"}", line 2, in <module>\n    raise LookupError("no table")\n'
    ]
    shapes = [(text.partition(" ")[0], request_id) for request_id, text in log.lines]
    assert shapes == [
        ("importing", ""),
        ("[ERROR]", ""),
        ("INIT_REPORT", ""),
        ("START", REQUEST_ID),
        ("importing", REQUEST_ID),
        ("[ERROR]", REQUEST_ID),
        ("INIT_REPORT", REQUEST_ID),
        ("END", REQUEST_ID),
        ("REPORT", REQUEST_ID),
    ]
    assert "\tPhase: init\tStatus: error\tError Type: LookupError" in log.texts[2]
    assert "\tPhase: invoke\tStatus: error\tError Type: LookupError" in log.texts[6]
    assert log.report().endswith("\tStatus: error\tError Type: LookupError\t")


async def test_inv_70_an_init_that_succeeds_the_second_time_serves_the_invocation(tmp_path: Path):
    """INV-70: the repetition inside the invocation is a full Init, without an Init Duration."""
    log = RememberedLog()
    settings = {"isolation": "process", "environment": {"MARKER": str(tmp_path / "marker")}}

    async with running(in_file("handler", "fails_once"), log, **settings) as runtime:
        assert returned(await runtime.invoke(event())) == "second time"

    assert "\tInit Duration: " not in log.report()


@pytest.mark.parametrize(("attribute", "error_type"), [("absent", "Runtime.HandlerNotFound"), ("calls", "TypeError")])
async def test_inv_31_a_missing_or_uncallable_handler(attribute: str, error_type: str):
    """INV-31: the module is there, the handler is not."""
    async with in_process(attribute) as runtime:
        assert error(await runtime.invoke(event()))["errorType"] == error_type


async def test_inv_31_a_syntax_error(tmp_path: Path):
    """INV-31: with the line of the mistake."""
    file = tmp_path / "mistaken.py"
    file.write_text("def handler(event, context)\n    return 1\n")

    async with running(f"{file}:handler", isolation="process") as runtime:
        answer = error(await runtime.invoke(event()))

    assert answer["errorType"] == "Runtime.UserCodeSyntaxError"
    assert answer["stackTrace"] == [f'  File "{file}" Line 1\n    def handler(event, context)\n']


async def test_inv_70_an_init_that_hangs_is_cut_twice():
    """INV-70, INV-132: by the Init limit first, then by the function timeout."""
    log = RememberedLog()

    async with running(in_file("handler", "hangs"), log, isolation="process", timeout=1, init_timeout_s=0.3) as runtime:
        answer = await runtime.invoke(event(), request_id=REQUEST_ID)

    assert isinstance(answer, FunctionError) and answer.timed_out
    reports = [text for text in log.texts if text.startswith("INIT_REPORT")]
    assert reports[0] == "INIT_REPORT Init Duration: 300.00 ms\tPhase: init\tStatus: timeout"
    assert reports[1].endswith("\tPhase: invoke\tStatus: timeout")
    assert log.texts.count("sleeping") == 2


async def test_reload_imports_the_handler_anew(tmp_path: Path):
    """--watch: what runs finishes in the old code, what follows sees the new."""
    file = tmp_path / "changing.py"
    file.write_text("def handler(event, context): return 'old'")
    async with running(f"{file}:handler", isolation="process") as runtime:
        assert returned(await runtime.invoke(event())) == "old"

        file.write_text("def handler(event, context): return 'changed'")
        runtime.reload()

        assert returned(await runtime.invoke(event())) == "changed"


async def test_inv_78_an_idle_environment_is_shut_down_and_the_next_starts_cold():
    """INV-78: after the idle timeout the process is gone."""
    async with in_process("count", idle_timeout_s=0.2) as runtime:
        first = returned(await runtime.invoke(event()))[1]
        while is_running(first):
            await anyio.sleep(0.01)

        assert returned(await runtime.invoke(event()))[0] == 1


async def test_inv_78_an_environment_past_its_life_is_replaced_after_its_invocation():
    """INV-78: old age never interrupts an invocation."""
    async with in_process("count", maximum_lifetime_s=0.000_001) as runtime:
        counts = [returned(await runtime.invoke(event()))[0] for _ in range(2)]

    assert counts == [1, 1]


async def test_a_child_that_dies_between_invocations_is_replaced():
    """Somebody else's kill costs the next message nothing."""
    async with in_process("count") as runtime:
        pid = returned(await runtime.invoke(event()))[1]
        os.kill(pid, 9)
        while is_running(pid):
            await anyio.sleep(0.01)

        assert returned(await runtime.invoke(event()))[0] == 1


async def test_inv_74_nothing_is_left_when_the_runtime_is_left():
    """INV-74: not even a child that ignores SIGTERM."""
    async with in_process("ignore_termination") as runtime:
        pid = returned(await runtime.invoke(event()))

    assert not is_running(pid)


async def test_a_cancelled_invocation_leaves_nothing_running():
    """A drain whose patience is over ends the code, and the environment is free again."""
    log = RememberedLog()

    async with in_process("spin", log, timeout=30, reserved_concurrent_executions=1) as runtime:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: runtime.invoke(event(for_ever=True)))
            while "spinning" not in log.texts:
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()

        assert runtime.free == 1
        assert isinstance(returned(await runtime.invoke(event())), int)

"""The whole path through a child process, in real time under a deadline."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from eventmap import App, EventSourceMapping, Function
from eventmap.testing import MemorySqs
from tests.runtime.running import RememberedLog
from tests.testing.queues import queue

HANDLERS = Path(__file__).parent / "handlers/counting.py"


async def handle_two_deliveries(sqs: MemorySqs, handler: str, timeout: int) -> RememberedLog:
    queue(sqs).put("a")
    log = RememberedLog()
    app = App()
    app.add(
        Function(handler=f"{HANDLERS}:{handler}", function_name="work", isolation="process", timeout=timeout),
        EventSourceMapping(event_source_arn="orders", function_name="work", retry_backoff_s=[0]),
    )
    with anyio.fail_after(30):
        async with app.running(queue_api=sqs, log=log) as running:
            await running.until_empty(check_every_s=0.02)
    return log


@pytest.mark.parametrize(
    ("handler", "timeout", "second_call"), [("fail_once", 10, "call 2"), ("hang_once", 1, "call 1")]
)
async def test_inv_72_75_76_77_what_a_failure_does_to_the_environment(
    memory_sqs: MemorySqs, handler: str, timeout: int, second_call: str
) -> None:
    """INV-72, 76, 77: an exception leaves the environment as it is; a timeout ends it and its module state."""
    log = await handle_two_deliveries(memory_sqs, handler, timeout)

    assert memory_sqs.counts("orders") == (0, 0, 0)
    assert [text for text in log.texts if text.startswith("call ")] == [second_call]
    assert len([text for text in log.texts if text.startswith("START ")]) == 2
    assert len([text for text in log.texts if "Init Duration" in text]) == 1


async def test_inv_70_a_function_that_does_not_import_fails_its_messages(memory_sqs: MemorySqs) -> None:
    """SQS-55: an Init that fails is a function error: nothing is deleted."""
    queue(memory_sqs).put("a")
    app = App()
    app.add(
        Function(handler=f"{HANDLERS}:no_such_handler", function_name="work", isolation="process"),
        EventSourceMapping(event_source_arn="orders", function_name="work"),
    )

    with anyio.fail_after(30):
        async with app.running(queue_api=memory_sqs) as running:
            [counted] = running.statistics().values()
            while not counted.failed_invocations:
                await anyio.sleep(0.01)

    assert (counted.done, counted.retried, memory_sqs.counts("orders").in_flight) == (0, 1, 1)

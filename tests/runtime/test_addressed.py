"""What differs from one invocation of an environment to the next: the ARN as invoked, and the trace (INV-06, 101)."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventmap.model import Event
from tests.runtime.running import event, in_file, in_process, returned, running

OWN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
TRACE = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.mark.parametrize("isolation", ["inline", "process"])
async def test_inv_101_the_context_shows_the_arn_as_invoked(isolation: str) -> None:
    """INV-101: of this invocation alone; without one the function's own."""
    async with running(in_file("describe"), isolation=isolation, aliases=["live"]) as runtime:
        arns = [
            returned(await runtime.invoke(event(), invoked_arn=invoked))["arn"]
            for invoked in (None, f"{OWN}:live", f"{OWN}:$LATEST", None)
        ]

    assert arns == [OWN, f"{OWN}:live", f"{OWN}:$LATEST", OWN]


async def test_inv_06_115_the_trace_is_in_the_childs_environment_while_it_runs() -> None:
    """INV-06, INV-115: each invocation's own, and gone in the next that has none."""
    async with in_process("variables") as runtime:
        seen = [
            returned(await runtime.invoke(event(), trace_id=trace_id)).get("_X_AMZN_TRACE_ID")
            for trace_id in ("", TRACE, "Root=2", "")
        ]

    assert seen == [None, TRACE, "Root=2", None]


async def test_all_that_travels_with_an_event_arrives_apart_from_it(tmp_path: Path) -> None:
    """Ids, ARN, trace, client context and event of any length share one frame."""
    file = tmp_path / "all.py"
    file.write_text(
        "import os\n"
        "def handler(event, context):\n"
        "    return [context.aws_request_id, context.invoked_function_arn, os.environ['_X_AMZN_TRACE_ID'],\n"
        "            context.client_context.custom, event]\n"
    )

    async with running(f"{file}:handler", isolation="process") as runtime:
        answer = await runtime.invoke(
            Event({"é": "x" * 100_000}),
            request_id="r",
            invoked_arn="a" * 1_000,
            trace_id="t" * 512,
            client_context={"custom": {"ü": "y" * 2_000}},
        )

    assert returned(answer) == ["r", "a" * 1_000, "t" * 512, {"ü": "y" * 2_000}, {"é": "x" * 100_000}]

"""A parent that is killed takes its children along."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runtime.running import is_running

_PARENT = """
import asyncio, sys
from eventmap.function import Function
from eventmap.model import Event
from eventmap.runtime.invoker import FunctionRuntime

class Shown:
    enabled = True
    def line(self, function_name, request_id, text):
        print(text, flush=True)

async def main():
    function = Function(handler=sys.argv[1], function_name="f", isolation="process", timeout=60)
    async with FunctionRuntime(function, region="eu-west-1", account_id="1", log=Shown()) as runtime:
        await runtime.invoke(Event({}))

asyncio.run(main())
"""
_HANDLER = """
import os, re
def spin(event, context):
    print("pid", os.getpid())
    while True: pass
def hold(event, context):
    print("pid", os.getpid())
    re.match(r"(a+)+$", "a" * 60 + "b")  # keeps the interpreter's lock for years
"""


@pytest.mark.parametrize("attribute", ["spin", "hold"])
def test_a_parent_killed_at_once_leaves_no_child(tmp_path: Path, attribute: str):
    """kill -9 of the parent ends a child in the middle of its handler, even one that never lets a thread run."""
    file = tmp_path / "busy.py"
    file.write_text(_HANDLER)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, f"{file}:{attribute}"], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    child = next(int(line.split()[1]) for line in parent.stdout if line.startswith("pid "))

    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    parent.stdout.close()

    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline, "the child lives on"

"""The embedded emulator: ministack in a child process on a free loopback port, gone when its owner is.

Why ministack: docs/decisions/0001-embedded-emulator.md.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from eventmap.errors import LocalEmulatorError

START_DEADLINE_S: Final = 30.0
STOP_DEADLINE_S: Final = 5.0

_CHILD: Final = Path(__file__).with_name("emulator_child.py")
_LOG_SHOWN_BYTES: Final = 2000

# What a Python process needs to start. Nothing else is inherited: AWS credentials are none of the emulator's business,
# and variables meant for another emulator would make this one persist its state or listen elsewhere.
_INHERITED: Final = frozenset(
    {"PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP"}
)


@asynccontextmanager
async def embedded_emulator() -> AsyncIterator[str]:
    """Run the emulator for the length of the block; yields its endpoint URL.

    Its queues live in its memory and end with it. Any credentials do.
    Raises: LocalEmulatorError if it is not installed, did not start or died, which cancels the block; says what it
    printed last.
    """
    if importlib.util.find_spec("ministack") is None:
        raise LocalEmulatorError("the embedded emulator is not installed: pip install 'eventmap[local]'")
    environment = {name: value for name, value in os.environ.items() if name.upper() in _INHERITED}
    with tempfile.TemporaryFile() as log:
        # -P: a module in the current folder must not stand in for one of the emulator's. A session of its own: Ctrl-C
        # in the terminal is for the worker, which still needs its queue while it drains.
        process = await anyio.open_process(
            [sys.executable, "-P", str(_CHILD)], stderr=log, env=environment, start_new_session=True
        )
        died: LocalEmulatorError | None = None
        raised: Exception | None = None
        try:
            endpoint_url = await _announced(process, log)
            async with anyio.create_task_group() as tasks:

                async def notice_death() -> None:
                    nonlocal died
                    await process.wait()
                    died = LocalEmulatorError(f"the embedded emulator has died; it printed: {_printed(log)}")
                    tasks.cancel_scope.cancel()

                tasks.start_soon(notice_death)
                try:
                    yield endpoint_url
                except Exception as error:  # the caller's own: raised below, where no group wraps it
                    raised = error
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)
        if died or raised:
            raise died or raised  # type: ignore[misc]  # one of them is an exception


async def _announced(process: Process, log: IO[bytes]) -> str:
    """The endpoint URL, which the child prints once it serves."""
    assert process.stdout is not None
    try:
        with anyio.fail_after(START_DEADLINE_S):
            line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 200)
    except (TimeoutError, anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound) as error:
        raise LocalEmulatorError(f"the embedded emulator did not start; it printed: {_printed(log)}") from error
    return line.decode().strip()


def _printed(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_SHOWN_BYTES))
    return log.read().decode(errors="replace").strip() or "nothing"


async def _stop(process: Process) -> None:
    """Closing its standard input ends the child; killing it is for one that does not listen."""
    with anyio.move_on_after(STOP_DEADLINE_S):
        if process.stdin is not None:
            await process.stdin.aclose()
        await process.wait()
    # Kills what is still there, and closes the pipes.
    await process.aclose()

"""Signals: the first one asks a run to drain, the second one ends it at once.

starting ──signal──▶ given up: nothing has been received
working  ──signal──▶ draining ──signal──▶ the process ends, exit 1
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio.abc import TaskStatus

from eventmap.cli.failure import FAILED
from eventmap.cli.output import Output

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_WORDS_S: Final = 0.5


class Stop:
    """Whether, and how urgently, the run is asked to end."""

    def __init__(self, output: Output) -> None:
        self.asked = anyio.Event()
        self.on_force: Callable[[], None] | None = None  #: what must not survive this process when it is forced
        self._output = output
        self._starting = anyio.CancelScope()
        self._works = False

    async def around(self, work: Callable[[], Awaitable[int]]) -> int:
        """Run `work` and listen to signals meanwhile; returns its exit code, 0 if it was stopped while starting."""
        code = 0
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._listen)
            with self._starting:
                code = await work()
            tasks.cancel_scope.cancel()
        return code

    def works(self) -> None:
        """From now on the run ends in order when asked."""
        self._works = True

    def ask(self, why: str) -> None:
        """Ask the run to end, as the first signal does."""
        if not self.asked.is_set():
            self.asked.set()
            self._output.tell(why)
            if not self._works:
                self._starting.cancel()

    async def _listen(self, *, task_status: TaskStatus[None]) -> None:
        # Whoever started us with a signal ignored (nohup, a shell's background job) meant it.
        wanted = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        with anyio.open_signal_receiver(*wanted) as received:
            task_status.started()
            async for each in received:
                if self.asked.is_set():
                    self._force()
                self.ask(f"{each.name}: draining; what runs may end. A second signal stops at once")

    def _force(self) -> None:
        if self.on_force is not None:
            self.on_force()
        self._output.tell(
            "stopped at once: what was being handled comes back, messages when their visibility ends, records from the "
            "last checkpoint, accepted events with the next start"
        )
        self._output.close(_LAST_WORDS_S)
        os._exit(FAILED)  # execution environments and the emulator end with us
